//! The guides of `docs/guides/`, each followed to its end by a reader who does exactly what it says, with the real binary,
//! real handlers in Node and Python, and loopback only. A guide is a file there, a line in its index and a function here.
//!
//! Not here: what the product must do; the cases beside this one say that. A guide that fails has to be mended, or the
//! product has.

use std::{fs, path::PathBuf};

use self::{
    fakes::Fake,
    shell::{Failure, Shell},
};

mod block;
mod expected;
mod fakes;
mod program;
mod shell;

fn guide(name: &str) -> String {
    let path = folder().join(format!("{name}.md"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides")
}

fn followed(name: &str) {
    followed_with(name, &[]);
}

/// With variables that the test sets, where a guide asks somebody who is not on this machine.
fn followed_with(name: &str, given: &[(&str, String)]) {
    let done = Shell::new(given).follow(&format!("docs/guides/{name}.md"), &guide(name));
    done.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn first_stripe_handler() {
    followed("first-stripe-handler");
}

#[test]
fn from_a_synchronous_handler() {
    followed("from-a-synchronous-handler");
}

#[test]
fn several_receivers_into_one() {
    followed("several-receivers-into-one");
}

#[test]
fn github_to_ci() {
    let github = Fake::github();
    followed_with("github-to-ci", &[("GITHUB_API", github.url())]);
    assert_eq!(github.posts(), ["/repos/example/hello/hooks/4711/deliveries/2/attempts"]);
}

#[test]
fn slack_with_slow_answers() {
    followed("slack-with-slow-answers");
}

#[test]
fn from_qstash() {
    followed("from-qstash");
}

#[test]
fn from_redis_and_bullmq() {
    followed("from-redis-and-bullmq");
}

#[test]
fn thousands_a_second() {
    followed("thousands-a-second");
}

#[test]
fn rotating_a_leaked_secret() {
    followed_with("rotating-a-leaked-secret", &[("STRIPE_API", Fake::stripe().url())]);
}

#[test]
fn quarterly_review() {
    followed("quarterly-review");
}

#[test]
fn yearly_review() {
    followed_with("yearly-review", &[("STRIPE_API", Fake::stripe().url())]);
}

#[test]
fn each_guide_is_followed_and_in_the_index() {
    let (tests, index) = (include_str!("mod.rs"), guide("README"));
    let files = fs::read_dir(folder()).expect("the guides").map(|file| file.expect("a file").file_name());
    let mut names: Vec<_> = files.map(|name| name.into_string().expect("a name")).collect();
    names.retain(|name| name != "README.md");
    assert!(names.len() >= 11, "{names:?}");
    for name in names {
        let stem = name.strip_suffix(".md").unwrap_or_else(|| panic!("{name} is no guide"));
        assert!(tests.contains(&format!("(\"{stem}\"")), "no test follows {name}");
        assert!(index.contains(&format!("({name})")), "{name} is not in the index");
        let text = prose(&guide(stem));
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("https://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let page = fs::read_to_string(folder().join(if file.is_empty() { &name } else { file }));
            let page = page.unwrap_or_else(|error| panic!("{name} leads to {link}: {error}"));
            let there = heading.is_empty() || headings(&prose(&page)).any(|anchor| anchor == heading);
            assert!(there, "{name} leads to {link}, and there is no such heading");
        }
    }
}

/// A page without its blocks.
fn prose(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// The anchors of a page's headings, as they are made where Markdown is shown.
fn headings(page: &str) -> impl Iterator<Item = String> {
    let titles = page.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#').trim());
    titles.map(|title| {
        let kept = title
            .to_lowercase()
            .chars()
            .filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'))
            .collect::<String>();
        kept.replace(' ', "-")
    })
}

/// What the runner says of a guide that is not as it says.
fn refused(guide: &str) -> Failure {
    Shell::new(&[]).follow("a guide", guide).expect_err(guide)
}

#[test]
fn a_step_that_does_not_go_as_the_guide_says_is_found() {
    let start = "sh run background=a wait=\"ready\"";
    let cases = [
        ("```text expect\nb\n```".to_owned(), "not there: b"),
        ("```sh run\nexit 3\n```".to_owned(), "exit code Some(3), not 0"),
        ("```sh run exit=1\ntrue\n```".to_owned(), "exit code Some(0), not 1"),
        ("```sh env\nA=$(false)\n```".to_owned(), "exit code Some(1), not 0"),
        ("```sh install\nnpm install no-such-package\n```".to_owned(), "no-such-package is not in the lockfile"),
        (format!("```{start}\necho unready; exit 1\n```").replace("ready\"", "is ready\""), "did not say \"is ready\""),
        ("```text stop=a\nCtrl-C\n```".to_owned(), "there is no a"),
        (format!("```{start}\necho ready\n```\n```text expect of=a\nnever\n```"), "did not print: never"),
        ("```sh\ntrue\n```".to_owned(), "nobody knows what to do"),
    ];
    for (last, what) in cases {
        let before = "# A guide\n\n```sh run\necho a c\n```\n";
        let failure = refused(&format!("{before}{last}\n"));
        assert!(failure.what.contains(what), "{last}: {failure}");
        assert!(failure.line >= 3 && failure.to_string().starts_with("a guide:"), "{failure}");
    }
    let failure = refused("```sh run\necho a c\n```\n\n```text expect\na b\n```\n");
    assert_eq!((failure.line, failure.output.as_str()), (5, "a c\n"));
}

/// The same in a guide that is as it should be but for one word.
#[test]
fn a_false_word_in_a_real_guide_is_found() {
    let name = "first-stripe-handler";
    let (real, planted) = ("\ninvoice.paid evt_first\n", "\ninvoice.paid evt_fist\n");
    let guide = guide(name);
    assert_eq!(guide.matches(real).count(), 1);
    let line = guide[..guide.find(real).expect("it is there")].lines().count();
    let failure = Shell::new(&[]).follow(name, &guide.replace(real, planted)).expect_err("a false word");
    assert_eq!((failure.line, failure.what.as_str()), (line, "handler did not print: invoice.paid evt_fist"));
}
