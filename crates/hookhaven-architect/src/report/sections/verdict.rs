//! The title, and the verdict that comes before everything else.

use crate::{
    Plan,
    design::{Mode, StorePlace},
    report::document::{Block, Callout, Text, Tone, codes, prose, say},
    rules::Severity,
    words,
};

/// Names in the title, before they become a number.
const NAMES_MAX: usize = 4;

pub fn title(plan: &Plan) -> String {
    let names: Vec<&str> = plan.intake.senders.iter().map(|sender| sender.title()).collect();
    let named = match names.get(..NAMES_MAX) {
        Some(first) if names.len() > NAMES_MAX => {
            format!("{} and {} other senders", first.join(", "), names.len() - NAMES_MAX)
        }
        _ => words::list(&names),
    };
    format!("Hookhaven for {named}")
}

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let design = &plan.design;
    if !design.needed.value {
        let body = vec![
            prose(&design.needed.why),
            say!(
                "The files beside this report are written all the same, for the day on which one of the answers \
                 changes."
            ),
        ];
        return vec![callout(Tone::Good, say!("**you do not need this.**"), body)];
    }
    let mut body = vec![
        prose(&design.hosting.why) + say!(" {}", store(plan)),
        prose(&design.needed.why) + say!(" {}", mode(plan)),
    ];
    body.extend(contradictions(plan));
    let title = say!(
        "**run it on {}; {} a month, in dollars or euros.**",
        design.hosting.value.size,
        design.hosting.value.cost
    );
    vec![callout(Tone::Good, title, body)]
}

fn store(plan: &Plan) -> String {
    match plan.design.store.value {
        StorePlace::Embedded => format!("The store is embedded: {}", lower(&plan.design.store.why)),
        StorePlace::Postgres => format!("The store is PostgreSQL: {}", lower(&plan.design.store.why)),
    }
}

fn mode(plan: &Plan) -> String {
    let load = &plan.design.load;
    match plan.design.mode {
        Mode::Single => "It is planned for one sender alone.".to_owned(),
        Mode::Several => format!("It is one way in and one place to look for {} senders.", plan.intake.senders.len()),
        Mode::HighVolume => format!(
            "At {} at the worst, receiving and working are planned apart.",
            words::rate(load.burst_per_second.max(load.peak_per_second))
        ),
    }
}

/// They come before any figure is believed.
fn contradictions(plan: &Plan) -> Option<Text> {
    let all: Vec<&str> = plan
        .findings
        .iter()
        .filter(|finding| finding.rule.severity == Severity::Contradiction)
        .map(|finding| finding.rule.id)
        .collect();
    let text = match all.len() {
        0 => return None,
        1 => say!("**Settle first:** your answers contradict each other: "),
        n => say!("**Settle first:** your answers contradict each other in {} places: ", n),
    };
    Some(text + codes(&all) + say!("; until then the figures below rest on one side of each."))
}

fn callout(tone: Tone, title: Text, body: Vec<Text>) -> Block {
    Block::Callout(Callout { tone, title, body })
}

/// To go on within a sentence.
fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
