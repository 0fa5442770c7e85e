//! `docs/alerts.md` has a section for each alert that is on by default, made of the table of rules and runbooks.
//!
//! With `HOOKHAVEN_WRITE_DOCS=1` it writes those sections anew before it looks at them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::{fmt::Write, fs, path::Path};

use hookhaven_core::alert::{Rule, number, runbook, span};

/// What follows this line is made; what stands before it is written by people.
const MADE: &str = "<!-- From here on made of the rules: do not edit. -->\n";

fn sections() -> String {
    let mut text = MADE.to_owned();
    for rule in Rule::defaults() {
        let book = runbook(rule.metric);
        let per = rule.per.map_or("over everything".to_owned(), |per| format!("per {}", per.as_str()));
        let window = if rule.metric.is_windowed() { format!(" in {}", span(rule.window)) } else { String::new() };
        let hold = if rule.hold.is_zero() { String::new() } else { format!(" for {}", span(rule.hold)) };
        let threshold = number(rule.metric, rule.threshold);
        let (sign, severity) = (rule.condition.sign(), rule.severity.as_str());
        let again = rule.again.map(|again| format!(" Told anew when it has grown, every {} at most.", span(again)));
        write!(
            text,
            "\n### {}\n\n{}. *{severity}*, {per}: `{}` {sign} {threshold}{window}{hold}.{}\n\n{}\n\n```\n{}\n```\n",
            rule.name,
            book.title,
            rule.metric,
            again.unwrap_or_default(),
            book.look.replace("{scope}", "NAME"),
            book.command.replace("{scope}", "NAME"),
        )
        .unwrap();
    }
    text
}

#[test]
fn every_default_alert_has_its_runbook_in_the_docs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/alerts.md");
    let written = fs::read_to_string(&path).unwrap();
    let (by_people, _) = written.split_once(MADE).unwrap();
    let whole = format!("{by_people}{}", sections());
    if std::env::var_os("HOOKHAVEN_WRITE_DOCS").is_some() {
        fs::write(&path, &whole).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    let mend = "docs/alerts.md is stale: HOOKHAVEN_WRITE_DOCS=1 cargo test -p hookhaven-core --test alerts_page";
    assert!(written == whole, "{mend}");
}
