//! `hookhaven architect`: from a team's answers to a set-up that it can run.
//!
//! Answers come from a file and, at a terminal, from whoever sits there (`ask`); everything that follows from them is
//! decided in `hookhaven_architect`, which is pure; files go to disk all or none (`place`); what is said of it at the end
//! is `show`'s. Not here: running any of it.

mod ask;
mod place;
mod show;
#[cfg(test)]
mod tests;

use std::{
    io::{self, BufRead, IsTerminal as _, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use hookhaven_architect::{
    File, Plan, config, deploy,
    intake::{self, FILE_BYTES_MAX, Given, Intake, Question},
    report, skeletons,
};
use hookhaven_store::clock::{Clock, SystemClock};

use super::{
    Context, DONE, FAILED, UsageError,
    args::{ArchitectArgs, Part},
    print::{Screen, clean},
};
use crate::config::Refused;

/// Where the answers are kept beside what was made from them.
const INTAKE_FILE: &str = "intake.toml";

pub fn run(args: &ArchitectArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let mut screen = Screen::of(context, SystemClock::start().now());
    let source = Source::of(args)?;
    let from_input = args.intake.as_deref() == Some(Path::new("-"));
    let person = io::stdin().is_terminal() && !from_input;
    let mut keyboard = io::stdin().lock();
    let code = act(args, source, person.then_some(&mut keyboard as &mut dyn BufRead), &mut screen)?;
    Ok(ExitCode::from(code))
}

/// Where answers were written down.
struct Source {
    /// As problems name it.
    name: PathBuf,
    text: String,
    /// Whether anything was there to be read.
    found: bool,
}

impl Source {
    fn of(args: &ArchitectArgs) -> anyhow::Result<Source> {
        let beside = || args.out.as_ref().map(|out| out.join(INTAKE_FILE)).filter(|path| path.is_file());
        let Some(path) = args.intake.clone().or_else(beside) else {
            return Ok(Source { name: PathBuf::from(INTAKE_FILE), text: String::new(), found: false });
        };
        // One byte more than is read: what is too long is said to be.
        let limit = FILE_BYTES_MAX as u64 + 1;
        let mut bytes = Vec::new();
        let done = if path == Path::new("-") {
            io::stdin().lock().take(limit).read_to_end(&mut bytes)
        } else {
            std::fs::File::open(&path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
        };
        done.map_err(|error| UsageError(format!("cannot read {}: {error}", path.display())))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| UsageError(format!("{} is not UTF-8; save it as UTF-8", path.display())))?;
        Ok(Source { name: path, text, found: true })
    }
}

/// `keyboard`: who answers, if somebody sits there.
fn act(
    args: &ArchitectArgs,
    source: Source,
    keyboard: Option<&mut dyn BufRead>,
    screen: &mut Screen,
) -> anyhow::Result<u8> {
    if args.example {
        screen.bytes(intake::EXAMPLE.as_bytes())?;
        return Ok(DONE);
    }
    let mut given = Given::new();
    let intake = match keyboard {
        Some(keyboard) => match ask::ask(&source, &mut given, args.defaults, keyboard, screen)? {
            Some(intake) => intake,
            None => return give_up(args, &source, &given, screen),
        },
        None => unasked(args, &source, screen)?,
    };
    let plan = Plan::of(intake);
    let placed = match &args.out {
        Some(out) => {
            let mut files = files(&plan, &args.only);
            files.push(File::new(INTAKE_FILE, whole(&source.text, &given)));
            let own = is_same_file(&source.name, &out.join(INTAKE_FILE)).then_some(INTAKE_FILE);
            place::place(out, &files, args.force, own)?
        }
        None => Vec::new(),
    };
    if screen.json {
        screen.value(&show::json(&plan, args.out.as_deref(), &placed))?;
        return Ok(DONE);
    }
    if args.explain {
        show::explain(&plan, screen)?;
    }
    show::summary(&plan, args.out.as_deref(), &placed, screen)?;
    Ok(DONE)
}

fn files(plan: &Plan, only: &[Part]) -> Vec<File> {
    let part = |part: &Part| match part {
        Part::Config => config::files(plan),
        Part::Report => report::files(plan),
        Part::Deploy => deploy::files(plan),
        Part::Skeletons => skeletons::files(plan),
    };
    if only.is_empty() { plan.files() } else { only.iter().flat_map(part).collect() }
}

/// Nobody can be asked: everything that is missing is told at once.
fn unasked(args: &ArchitectArgs, source: &Source, screen: &mut Screen) -> anyhow::Result<Intake> {
    let read = if args.defaults { intake::read_with_defaults } else { intake::read };
    let read = read(&source.name, &source.text, &Given::new());
    if read.problems.iter().any(crate::config::Problem::is_error) {
        return Err(Refused { problems: read.problems }.into());
    }
    for problem in &read.problems {
        screen.remark(clean(&problem.to_string()));
    }
    read.intake.ok_or_else(|| UsageError(missing(source, &read.missing)).into())
}

fn missing(source: &Source, questions: &[Question]) -> String {
    let n = questions.len();
    let (answers, them) = if n == 1 { ("1 answer is", "it") } else { ("answers are", "them") };
    let number = if n == 1 { String::new() } else { format!("{n} ") };
    let place = if source.found { source.name.display().to_string() } else { "an intake file".to_owned() };
    let mut text = format!(
        "{number}{answers} missing; write {them} into {place}, answer at a terminal, or take the usual ones with --defaults:\n"
    );
    for question in questions {
        text.push_str(&format!("\n{}: {}\n", question.path, question.ask));
        for line in question.example.lines() {
            text.push_str(&format!("    {line}\n"));
        }
    }
    if questions.iter().any(|question| question.path == "senders") {
        text.push_str("\nOf each sender more is asked. `hookhaven architect --example` prints a whole intake.");
    }
    text.trim_end().to_owned()
}

/// Nothing that was typed is lost.
fn give_up(args: &ArchitectArgs, source: &Source, given: &Given, screen: &mut Screen) -> anyhow::Result<u8> {
    if given.is_empty() {
        screen.remark("Nothing was answered, and nothing is written.");
        return Ok(FAILED);
    }
    let text = whole(&source.text, given);
    let kept = args.out.as_ref().map(|out| {
        let own = is_same_file(&source.name, &out.join(INTAKE_FILE)).then_some(INTAKE_FILE);
        place::place(out, &[File::new(INTAKE_FILE, text.clone())], false, own).map(|_| out.join(INTAKE_FILE))
    });
    match kept {
        Some(Ok(path)) => {
            let path = path.display().to_string();
            screen.remark(format!("The answers so far are in {}; the same command goes on from there.", clean(&path)));
        }
        // Where they cannot be kept, they are at least shown.
        _ => {
            screen.remark("Nothing is written. The answers so far:");
            screen.bytes(text.as_bytes())?;
        }
    }
    Ok(FAILED)
}

/// The file with what was typed in it; what has no place there stands at its end, to be put right by hand.
fn whole(text: &str, given: &Given) -> String {
    intake::whole(text, given).unwrap_or_else(|| {
        let lines: String = given.iter().map(|(path, value)| format!("# {path} = {value}\n")).collect();
        format!("{}\n# Also answered; put it into its table:\n{lines}", text.trim_end())
    })
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
