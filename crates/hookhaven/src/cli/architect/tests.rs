//! The command as a person meets it: asked at a terminal that is a script, and where nobody can be asked.

use std::{fs, io::Cursor, path::Path};

use clap::Parser as _;
use hookhaven_core::Time;
use tempfile::TempDir;

use super::*;
use crate::cli::{args::Cli, args::Command, print::capture};

const WORKED: &str = include_str!("../../../../hookhaven-architect/tests/intakes/worked.toml");

/// A directory with an intake in it.
struct Desk(TempDir);

/// What a run came to.
struct Ran {
    code: anyhow::Result<u8>,
    out: String,
    err: String,
}

impl Ran {
    fn done(self) -> String {
        assert_eq!(self.code.unwrap(), DONE, "{}", self.err);
        self.out
    }

    /// Why it was refused, as it is printed.
    fn refused(self) -> String {
        let error = self.code.unwrap_err();
        assert!(error.is::<UsageError>() || error.is::<Refused>(), "{error:#}");
        error.to_string()
    }
}

impl Desk {
    fn new() -> Self {
        Desk(TempDir::new().unwrap())
    }

    fn with(intake: &str) -> Self {
        let desk = Desk::new();
        fs::write(desk.path("mine.toml"), intake).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// `typed`: what is typed at a terminal, line by line, until its end; `None`: there is none. `@` is the directory.
    fn run(&self, line: &str, typed: Option<&str>) -> Ran {
        let line = line.replace('@', &self.0.path().display().to_string());
        let cli = Cli::try_parse_from(["hookhaven", "architect"].into_iter().chain(line.split(' '))).unwrap();
        let json = cli.command.json();
        let Command::Architect(args) = cli.command else { panic!("{line}") };
        let (mut screen, out, err) = capture::screen(json, None, Time::EPOCH);
        let mut keyboard = typed.map(Cursor::new);
        let keyboard = keyboard.as_mut().map(|keyboard| keyboard as &mut dyn BufRead);
        let code = Source::of(&args).and_then(|source| act(&args, source, keyboard, &mut screen));
        Ran { code, out: out.text(), err: err.text() }
    }

    fn all(&self, below: &str) -> Vec<(String, String)> {
        fn collect(at: &Path, base: &Path, all: &mut Vec<(String, String)>) {
            for entry in fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    collect(&path, base, all);
                } else {
                    let name = path.strip_prefix(base).unwrap().display().to_string();
                    all.push((name, fs::read_to_string(&path).unwrap()));
                }
            }
        }
        let base = self.path(below);
        let mut all = Vec::new();
        collect(&base, &base, &mut all);
        all.sort();
        all
    }
}

/// Answers to everything that is asked of a team with one sender, the offered ones last.
const TYPED: &str =
    "github\n500, peak 2k\ntrigger CI builds, takes 2s\nmust\n2m\nnode, fastify\none VM\n\npush, issues\nnone\n";

#[test]
fn without_a_file_everything_is_asked_and_kept() {
    let desk = Desk::new();
    let ran = desk.run("--out @/hooks", Some(TYPED));
    for asked in [
        "Which senders post to you?",
        "Asked because everything follows from how they sign",
        "How many events a day come from github?",
        "[1000] > ",
        "[nothing yet] > ",
        "Which event types of github do you want?",
    ] {
        assert!(ran.err.contains(asked), "{asked}\n{}", ran.err);
    }
    let said = ran.done();
    assert!(said.contains("single sender: 500 events a day, 2,000 on the busiest"), "{said}");
    assert_eq!(
        desk.text("hooks/intake.toml"),
        "# A team's answers, from which `hookhaven architect` designs what to run.\n\
         senders = [\"github\"]\n\n\
         [events]\ngithub = [\"push\", \"issues\"]\n\n\
         [volume]\ngithub = { per_day = 500, peak_day = 2000 }\n\n\
         [processing]\ngithub = { does = \"trigger CI builds\", takes = \"2s\" }\n\n\
         [idempotency]\ngithub = \"must\"\n\n\
         [ordering]\ngithub = \"none\"\n\n\
         [latency]\ngithub = \"2m\"\n\n\
         [infrastructure]\nhosting = \"one VM\"\nstack = [\"node\", \"fastify\"]\n\n\
         [existing]\nstate = \"nothing yet\"\n"
    );
    let before = desk.all("hooks");
    let again = desk.run("--out @/hooks", Some("")).done();
    assert!(again.contains("there and the same") && again.contains("Wrote 0 files"), "{again}");
    assert_eq!(desk.all("hooks"), before, "what was typed and what was read come to the same");
}

#[test]
fn an_answer_that_cannot_be_read_is_asked_again_with_the_reason() {
    let desk = Desk::new();
    let typed = "\n?\ngit hub!\ngithub\nmany\n?\n\n\nmost\nmust\nsoon\n10\n10s\n\n\n\n\n\n";
    let ran = desk.run("--out @/hooks", Some(typed));
    for said in [
        "There is nothing to take here",
        "For example: stripe, github",
        "In a file: senders = [\"stripe\", \"github\"]",
        "\"git-hub!\" cannot be a name; did you mean \"github\"?",
        "\"many\" is not a number of events; type one such as 5000 or 5k",
        "For example: 5000, peak 20000, burst 2000 in 1m",
        "\"most\" is not known here; did you mean \"must\"?",
        "\"soon\" is not a duration",
        "\"10\" is not a duration; write \"500ms\"",
    ] {
        assert!(ran.err.contains(said), "{said}\n{}", ran.err);
    }
    ran.done();
    assert!(desk.text("hooks/intake.toml").contains("[latency]\ngithub = \"10s\"\n"));
    assert!(desk.text("hooks/intake.toml").contains("[volume]\ngithub = 1000\n"), "return takes the default");
}

#[test]
fn what_is_only_doubted_is_kept_by_return() {
    let desk = Desk::new();
    let ran = desk.run("--out @/hooks", Some("strype\n\n"));
    assert!(ran.err.contains("did you mean \"stripe\"?") && ran.err.contains("[strype] > "), "{}", ran.err);
    assert!(ran.err.contains("How many events a day come from strype?"), "{}", ran.err);
    let corrected = desk.run("--out @/other", Some("strype\nstripe\n"));
    assert!(corrected.err.contains("How many events a day come from stripe?"), "{}", corrected.err);
}

#[test]
fn who_gives_up_loses_nothing_and_goes_on_later() {
    let desk = Desk::new();
    let ran = desk.run("--out @/hooks", Some("github\n500\n"));
    assert_eq!(ran.code.unwrap(), FAILED);
    assert!(ran.err.contains("the same command goes on from there"), "{}", ran.err);
    let kept = desk.text("hooks/intake.toml");
    assert!(kept.contains("senders = [\"github\"]") && kept.contains("[volume]\ngithub = 500"), "{kept}");
    let on = desk.run("--out @/hooks", Some("builds\nno\n1m\n\n\n\n"));
    assert!(!on.err.contains("How many events a day"), "{}", on.err);
    on.done();
    assert!(
        desk.text("hooks/intake.toml").starts_with(&kept[..kept.find("[volume]").unwrap()]),
        "what was there stays"
    );

    let nothing = desk.run("--out @/none", Some(""));
    assert_eq!((nothing.code.unwrap(), desk.path("none").exists()), (FAILED, false));
    let nowhere = desk.run("--explain", Some("github\n"));
    assert!(nowhere.out.contains("senders = [\"github\"]"), "{}", nowhere.out);
    let shown = desk.run("--explain --defaults", Some("github\n"));
    assert!(shown.err.contains("Your answers, to be kept in a file:") && shown.err.contains("senders = [\"github\"]"));
    shown.done();
}

#[test]
fn what_was_typed_outlives_a_directory_that_is_somebody_elses() {
    let desk = Desk::new();
    fs::create_dir(desk.path("hooks")).unwrap();
    fs::write(desk.path("hooks/hookhaven.toml"), "mine").unwrap();
    let ran = desk.run("--out @/hooks --defaults", Some("github\n"));
    assert!(
        ran.err.contains("The answers so far are in") && ran.err.contains("the same command goes on"),
        "{}",
        ran.err
    );
    assert!(ran.refused().contains("1 file in"));
    assert!(desk.text("hooks/intake.toml").contains("senders = [\"github\"]"));
    assert_eq!((desk.text("hooks/hookhaven.toml").as_str(), desk.all("hooks").len()), ("mine", 2));

    fs::write(desk.path("hooks/intake.toml"), "theirs").unwrap();
    fs::write(desk.path("mine.toml"), "").unwrap();
    let ran = desk.run("@/mine.toml --out @/hooks --defaults", Some("github\n"));
    assert!(ran.err.contains("intake.toml; --force") && ran.out.contains("senders = [\"github\"]"), "{}", ran.err);
    ran.refused();
    assert_eq!(desk.text("hooks/intake.toml"), "theirs");

    fs::remove_file(desk.path("hooks/intake.toml")).unwrap();
    let ran = desk.run("@/mine.toml --out @/hooks", Some("github\n"));
    assert!(ran.err.contains("the same command without its intake goes on from there"), "{}", ran.err);
}

#[test]
fn an_answer_can_be_taken_back() {
    let desk = Desk::new();
    let typed = "<\nstripe\n5\n<\n<\ngithub\n500\n";
    let ran = desk.run("--out @/hooks", Some(typed));
    assert_eq!(ran.err.matches("Which senders post to you?").count(), 3, "{}", ran.err);
    assert_eq!(ran.err.matches("How many events a day come from stripe?").count(), 2, "{}", ran.err);
    let kept = desk.text("hooks/intake.toml");
    assert!(kept.contains("github = 500") && !kept.contains("stripe"), "{kept}");
}

#[test]
fn a_line_that_is_too_long_is_one_answer_and_is_refused() {
    let desk = Desk::new();
    let ran = desk.run("--out @/hooks", Some(&format!("{}\ngithub\n", "stripe,".repeat(3_000))));
    assert!(ran.err.contains("longer than 2000 characters"), "{}", ran.err);
    assert_eq!(ran.err.matches("> ").count(), 3, "twice for the senders, once for the volume: {}", ran.err);
    assert!(desk.text("hooks/intake.toml").contains("senders = [\"github\"]"));
}

#[test]
fn an_answer_is_not_doubted_for_what_was_said_of_another() {
    let desk = Desk::new();
    // The events of "ab" are doubted and kept; those of "a" are asked for next, and not doubted.
    let typed = format!("ab, a\n{}all\n\n\npush\n\n", "\n".repeat(11));
    let ran = desk.run("--out @/hooks", Some(&typed));
    assert_eq!(ran.err.matches("did you mean \"*\"?").count(), 1, "{}", ran.err);
    ran.done();
    assert!(desk.text("hooks/intake.toml").contains("a = [\"push\"]\nab = [\"all\"]\n"));
}

#[test]
fn only_what_the_file_does_not_say_is_asked_and_it_stays_as_it_was() {
    let without = WORKED.replace("github = { per_day = 500 }\n", "");
    let desk = Desk::with(&without);
    let ran = desk.run("@/mine.toml --out @/hooks", Some("500\n"));
    assert_eq!(ran.err.matches("Asked because").count(), 1, "{}", ran.err);
    ran.done();
    let kept = desk.text("hooks/intake.toml");
    let added: Vec<&str> = kept.lines().filter(|line| !without.lines().any(|known| known == *line)).collect();
    assert_eq!(added, ["github = 500"], "comments and all");
    assert_eq!(desk.text("mine.toml"), without, "somebody's own file is not touched");
}

#[test]
fn where_nobody_can_be_asked_everything_that_is_missing_is_told_at_once() {
    let desk = Desk::with("senders = [\"stripe\"]\n[existing]\nstate = \"x\"\n[infrastructure]\nstack = []\n");
    let why = desk.run("@/mine.toml --out @/hooks", None).refused();
    let wanted = "5 answers are missing; write them into";
    assert!(why.starts_with(wanted) && why.contains("mine.toml") && why.contains("--defaults"), "{why}");
    for line in [
        "\n[volume]\n# How many events a day come from stripe? On the busiest day, and at once, if you know.\n\
         stripe = { per_day = 5000, peak_day = 20000 }\n",
        "\n[processing]\n# What does",
        "\n[idempotency]\n# Must an",
        "\n[latency]\n# How soon after it arrived should an event of stripe have been handled?\nstripe = \"30s\"\n",
        "\n# Below [infrastructure], which is there:\n# Where does it run",
    ] {
        assert!(why.contains(line), "{line}\n{why}");
    }
    assert!(!desk.path("hooks").exists());
    let nothing = Desk::new().run("--out @/hooks", None).refused();
    let (_, example) = nothing.split_once("Such as:\n\n").unwrap();
    Desk::with(example).run("@/mine.toml --out @/hooks", None).done();
    let one = Desk::with(&WORKED.replace("state = \"synchronous handler\"\n", "")).run("@/mine.toml --explain", None);
    assert!(one.refused().starts_with("1 answer is missing; write it into"));
}

#[test]
fn defaults_are_taken_where_nobody_said_and_named() {
    let desk = Desk::with("senders = [\"stripe\"]\n");
    let said = desk.run("@/mine.toml --out @/hooks --defaults", None).done();
    assert!(said.contains("Nobody said, so this was taken: ") && said.contains("volume.stripe = 1000"), "{said}");
    assert_eq!(desk.text("hooks/intake.toml"), "senders = [\"stripe\"]\n", "nobody is made to have said it");
    let asked = desk.run("--out @/asked --defaults", Some("stripe\n"));
    assert_eq!(asked.err.matches("Asked because").count(), 1, "{}", asked.err);
    asked.done();
}

#[test]
fn two_runs_write_the_same_bytes_and_nothing_of_anybodys_is_replaced() {
    let desk = Desk::with(WORKED);
    desk.run("@/mine.toml --out @/a", None).done();
    desk.run("@/mine.toml --out @/b", None).done();
    assert_eq!(desk.all("a"), desk.all("b"));
    assert_eq!(desk.text("a/intake.toml"), WORKED);
    fs::write(desk.path("a/intake.toml"), "mine").unwrap();
    let why = desk.run("@/mine.toml --out @/a", None).refused();
    assert!(why.contains("1 file") && why.contains("intake.toml; --force replaces"), "{why}");
    assert_eq!(desk.text("a/intake.toml"), "mine");
    desk.run("@/mine.toml --out @/a --force", None).done();
    assert_eq!(desk.all("a"), desk.all("b"));
}

#[test]
fn what_is_wrong_with_the_file_is_told_and_not_asked_away() {
    let desk = Desk::with(&WORKED.replace("per_day = 500 }", "per_dy = 500 }"));
    for typed in [None, Some("5\n5\n")] {
        let why = desk.run("@/mine.toml --out @/hooks", typed).refused();
        assert!(why.contains("mine.toml:14:12: volume.github.per_dy: unknown key; did you mean \"per_day\"?"), "{why}");
    }
    let gone = desk.run("@/nowhere.toml --out @/hooks", None).refused();
    assert!(gone.contains("cannot read"), "{gone}");
    fs::write(desk.path("mine.toml"), b"\xff").unwrap();
    assert!(desk.run("@/mine.toml --explain", None).refused().contains("mine.toml:1: this is not UTF-8"));
    // One byte and then characters of two: the limit lies within one of them.
    fs::write(desk.path("mine.toml"), format!("#{}", "é".repeat(FILE_BYTES_MAX / 2 + 9))).unwrap();
    assert!(desk.run("@/mine.toml --explain", None).refused().contains("longer than 1MiB is no intake"));
    fs::write(desk.path("mine.toml"), format!("\u{feff}{}", WORKED.replace('\n', "\r\n"))).unwrap();
    desk.run("@/mine.toml --explain", None).done();
    assert!(desk.run(". --explain", None).refused().contains("cannot read .: "));
    assert!(!desk.path("hooks").exists());
}

#[test]
fn the_end_fits_a_screen_and_says_what_matters() {
    let desk = Desk::with(WORKED);
    let said = desk.run("@/mine.toml --out @/hooks", None).done();
    assert!(said.lines().count() <= 30, "{said}");
    for part in ["several senders: 6,500 events a day, 21,500 on the busiest", "embedded, 1 node", "downtime", "to "] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let mature = WORKED.replace("state = \"synchronous handler\"", "state = \"a mature pipeline\"");
    let mature = mature.lines().filter(|line| !line.starts_with("incidents")).collect::<Vec<_>>().join("\n");
    let said = Desk::with(&mature).run("@/mine.toml --explain", None).done();
    assert!(said.contains("You do not need this."), "{said}");
}

#[test]
fn explain_shows_the_answers_as_they_were_written() {
    let desk = Desk::with(WORKED);
    let ran = desk.run("@/mine.toml --explain", None);
    assert!(ran.err.contains("Nothing is written"), "{}", ran.err);
    let said = ran.done();
    for part in [
        "Rules that fired",
        "processing.slack: \"answer mentions, log activity\"",
        "taken for: effects: message and record; somebody waits for its answer",
        "outright: infrastructure.host = ",
        "infrastructure.handler_url = http://127.0.0.1:3000: where your handlers listen was not said",
        "destinations.stripe-handler.concurrency = ",
        "volume.stripe = { peak_day = 20000, per_day = 5000 }",
        "processing.stripe = update the customer's status in the database, send e-mail, log to analytics",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let json: serde_json::Value = serde_json::from_str(&desk.run("@/mine.toml --json", None).done()).unwrap();
    assert_eq!((&json["needed"], &json["mode"]), (&true.into(), &"several senders".into()));
    let of = |name: &str| json["choices"].as_array().unwrap().iter().find(|c| c["of"] == name).unwrap().clone();
    assert_eq!(of("store")["value"], "embedded");
    assert_eq!(of("routes.github[push].deadline")["answers"][0]["value"], "2m");
    assert!(json["files"].as_array().unwrap().is_empty() && json["understood"].as_array().unwrap().len() > 4);
    let written: serde_json::Value =
        serde_json::from_str(&desk.run("@/mine.toml --json --out @/h", None).done()).unwrap();
    assert!(written["files"].as_array().unwrap().iter().any(|f| f["path"] == "intake.toml" && f["fate"] == "new"));
}

#[test]
fn nothing_in_an_intake_acts_on_the_terminal() {
    let hostile = WORKED.replace("synchronous handler\"", "\\u001b[2J\\u202esynchronous handler\"");
    let hostile = hostile.replace("\"github\", \"slack\"]  ", "\"github\", \"slack\"] #");
    let ran = Desk::with(&hostile).run("@/mine.toml --explain", None);
    let said = ran.done();
    assert!(said.contains("synchronous handler") && !said.contains(['\u{1b}', '\u{202e}']), "{said}");
    let wrong = Desk::with("\"\\u001b[2J\" = 1\n").run("@/mine.toml --explain", None).refused();
    assert!(!wrong.contains('\u{1b}'), "{wrong:?}");
}

#[test]
fn parts_are_written_alone_and_the_example_is_an_intake() {
    let desk = Desk::with(WORKED);
    desk.run("@/mine.toml --out @/hooks --only report", None).done();
    let all = desk.all("hooks");
    let names: Vec<&str> = all.iter().map(|(name, _)| &**name).filter(|name| *name != "intake.toml").collect();
    assert!(names.iter().all(|name| name.starts_with("report.")), "{names:?}");
    let example = desk.run("--example", None).done();
    let desk = Desk::with(&example);
    desk.run("@/mine.toml --out @/hooks", None).done();
}
