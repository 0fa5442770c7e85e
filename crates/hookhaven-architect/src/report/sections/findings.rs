//! What the rules found: each in the section of its subject, and all of them in a list with the answers behind them.
//!
//! Not here: the rules.

use super::section_of;
use crate::{
    Finding, Plan,
    report::{
        document::{Block, Callout, Text, Tone, code, hint, link, plain, prose, say},
        said,
    },
    rules::{Severity, Subject},
};

/// Those of some subjects, in the rules' order.
pub fn of(plan: &Plan, subjects: &[Subject]) -> Vec<Block> {
    let found: Vec<&Finding> = plan.findings.iter().filter(|f| subjects.contains(&f.rule.subject)).collect();
    if found.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![Block::heading(say!("What stands out here"))];
    blocks.extend(found.into_iter().map(callout));
    blocks
}

/// All of them with their texts: for a report without the sections that they belong to.
pub fn in_full(plan: &Plan) -> Vec<Block> {
    if plan.findings.is_empty() {
        return vec![none()];
    }
    plan.findings.iter().map(callout).chain([table(plan, |_| plain("above"))]).collect()
}

pub fn blocks(plan: &Plan) -> Vec<Block> {
    if plan.findings.is_empty() {
        return vec![none()];
    }
    let intro = say!(
        "Each rule that fired, with the answers that made it fire. `hookhaven architect INTAKE --explain` says the \
         same without writing anything."
    );
    vec![intro.into(), table(plan, |finding| link(section_of(finding.rule.subject)))]
}

fn none() -> Block {
    say!("No rule fired: nothing in your answers stands out.").into()
}

fn callout(finding: &Finding) -> Block {
    let tone = match finding.rule.severity {
        Severity::Note => Tone::Note,
        Severity::Warning => Tone::Warning,
        Severity::Serious | Severity::Contradiction => Tone::Serious,
    };
    Block::Callout(Callout {
        tone,
        title: code(finding.rule.id),
        body: vec![prose(&finding.text), prose(&finding.mend)],
    })
}

fn table(plan: &Plan, place: impl Fn(&Finding) -> Text) -> Block {
    let row = |finding: &Finding| {
        let about = finding.source.as_deref().map_or("everything", |source| said::title(plan, source));
        [
            code(finding.rule.id),
            plain(said::severity(finding.rule.severity)),
            plain(about),
            place(finding),
            answers(plan, finding),
        ]
    };
    Block::table(
        ["rule", "how grave", "about", "where", "the answers behind it"],
        plan.findings.iter().map(row).collect(),
    )
}

/// Each as it was written.
fn answers(plan: &Plan, finding: &Finding) -> Text {
    if finding.answers.is_empty() {
        return plain("none: it holds for every team");
    }
    let mut text = Text::default();
    for (i, path) in finding.answers.iter().enumerate() {
        let apart = if i == 0 { "" } else { "; " };
        text = text + plain(apart) + code(path) + say!(" = {}", hint(plan.intake.answers.of(path)));
    }
    text
}
