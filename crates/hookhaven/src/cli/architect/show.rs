//! What is said of a set-up at the end: a screenful, everything with its reasons, or JSON.
//!
//! Not here: what was decided.

use std::path::Path;

use hookhaven_architect::{
    Finding, Plan,
    design::Loss,
    explain::{self, Behind, Explained, mode_in_words, store_in_words},
    rules::Severity,
    words,
};
use serde_json::{Value, json};

use super::place::{Fate, Placed};
use crate::cli::print::{Colour, Screen, clean, count, short};

/// Findings that a screenful has room for.
const FINDINGS_MAX: usize = 5;
const ASSUMED_MAX: usize = 6;
/// Of one of its lines.
const LINE_CHARS_MAX: usize = 220;

pub fn summary(plan: &Plan, out: Option<&Path>, placed: &[Placed], screen: &mut Screen) -> anyhow::Result<()> {
    verdict(plan, screen)?;
    serious(plan, screen)?;
    assumed(plan, screen)?;
    let Some(out) = out else {
        screen.remark("\nNothing is written; --out DIR writes the set-up.");
        return Ok(());
    };
    written(out, placed, screen)?;
    next(plan, out, placed, screen)
}

fn verdict(plan: &Plan, screen: &mut Screen) -> anyhow::Result<()> {
    let design = &plan.design;
    if !design.needed.value {
        let what = screen.paint(Colour::Yellow, "You do not need this.");
        screen.line(format!("{what} {}", clean(&design.needed.why)))?;
        screen.line("What follows is for the day on which that changes.\n")?;
    }
    let load = &design.load;
    let nodes = count(u64::from(design.nodes.value), "node");
    let mut lines = vec![
        (
            "mode",
            format!(
                "{}: {} events a day, {} on the busiest, {} at the worst",
                mode_in_words(design.mode),
                words::count(load.per_day),
                words::count(load.peak_day),
                words::rate(load.burst_per_second.max(load.peak_per_second))
            ),
        ),
        ("runs on", format!("{}; {} a month", design.hosting.value.size, design.hosting.value.cost)),
        (
            "store",
            format!(
                "{}, {nodes}, {} of disk",
                store_in_words(design.store.value),
                words::bytes(design.disk_bytes.value)
            ),
        ),
    ];
    let lost: Vec<&str> = design
        .sources
        .iter()
        .filter(|source| matches!(source.loss.value, Loss::Events(n) if n > 0))
        .map(|source| &*source.name)
        .collect();
    if !lost.is_empty() {
        lines.push(("downtime", format!("loses events of {} for good: they do not come again", words::list(&lost))));
    }
    for (what, text) in lines {
        let what = screen.paint(Colour::Dim, &format!("{what:>9}"));
        screen.line(format!("{what}  {}", clean(&text)))?;
    }
    Ok(())
}

fn is_serious(finding: &&Finding) -> bool {
    finding.rule.severity >= Severity::Serious
}

fn serious(plan: &Plan, screen: &mut Screen) -> anyhow::Result<()> {
    let serious: Vec<&Finding> = plan.findings.iter().filter(is_serious).collect();
    if !serious.is_empty() {
        screen.line("")?;
    }
    for finding in serious.iter().take(FINDINGS_MAX) {
        let id = screen.paint(colour_of(finding.rule.severity), finding.rule.id);
        screen.line(format!("{id}: {}", short(&clean(&finding.text), LINE_CHARS_MAX)))?;
    }
    let rest = plan.findings.len() - serious.len().min(FINDINGS_MAX);
    if rest > 0 {
        let more = if serious.is_empty() { "" } else { " more" };
        screen.line(format!(
            "{}{more}: --explain lists them all, with the answers behind them.",
            count(rest as u64, "finding")
        ))?;
    }
    Ok(())
}

fn assumed(plan: &Plan, screen: &mut Screen) -> anyhow::Result<()> {
    let all = &plan.intake.assumed;
    if all.is_empty() {
        return Ok(());
    }
    let named = all.iter().take(ASSUMED_MAX).map(|assumed| format!("{} = {}", assumed.path, assumed.value));
    let mut text = named.collect::<Vec<_>>().join(", ");
    if all.len() > ASSUMED_MAX {
        text.push_str(&format!(" and {} more (--explain)", all.len() - ASSUMED_MAX));
    }
    screen.line(format!("\nNobody said, so this was taken: {}", clean(&text)))
}

fn written(out: &Path, placed: &[Placed], screen: &mut Screen) -> anyhow::Result<()> {
    let of = |fate: Fate| placed.iter().filter(|placed| placed.fate == fate).count() as u64;
    let wrote = of(Fate::New) + of(Fate::Replaced);
    let mut text = format!("\nWrote {} to {}", count(wrote, "file"), clean(&out.display().to_string()));
    if of(Fate::Same) > 0 {
        text.push_str(&format!(" ({} there and the same)", of(Fate::Same)));
    }
    screen.line(format!("{text}: {}", clean(&listed(placed))))
}

/// By name where they lie on top, by number in each directory.
fn listed(placed: &[Placed]) -> String {
    let mut parts: Vec<(String, u64)> = Vec::new();
    for placed in placed {
        let part = match placed.path.split_once('/') {
            Some((directory, _)) => format!("{directory}/"),
            None => placed.path.clone(),
        };
        match parts.iter_mut().find(|(known, _)| *known == part) {
            Some((_, n)) => *n += 1,
            None => parts.push((part, 1)),
        }
    }
    let shown = |(part, n): &(String, u64)| if part.ends_with('/') { format!("{part} ({n})") } else { part.clone() };
    parts.iter().map(shown).collect::<Vec<_>>().join(", ")
}

fn next(plan: &Plan, out: &Path, placed: &[Placed], screen: &mut Screen) -> anyhow::Result<()> {
    let at = |name: &str| {
        let path = out.join(name).display().to_string();
        let plain = path.chars().all(|c| c.is_alphanumeric() || "/._-~+".contains(c));
        if plain { path } else { format!("'{}'", clean(&path).replace('\'', r"'\''")) }
    };
    let has = |name: &str| placed.iter().any(|placed| placed.path == name);
    let mut steps = Vec::new();
    if has("report.md") {
        steps.push(format!("read {}", at("report.md")));
    }
    if has("hookhaven.toml") {
        if has(".env.example") {
            steps.push(format!("cp {} {}   # and fill it in", at(".env.example"), at(".env")));
            steps.push(format!("set -a; . {}; set +a   # for a try in this shell", at(".env")));
        }
        steps.push(format!("hookhaven check --config {}", at("hookhaven.toml")));
        steps.push(format!("hookhaven serve --config {}", at("hookhaven.toml")));
        if let Some(source) = plan.design.sources.first() {
            let kind = source.sender.and_then(|sender| sender.sample_types.first()).unwrap_or(&"test");
            steps.push(format!("hookhaven trigger --config {} {} {kind}", at("hookhaven.toml"), source.name));
        }
    }
    if !steps.is_empty() {
        screen.line("\nNext:")?;
    }
    steps.iter().try_for_each(|step| screen.line(format!("  {step}")))
}

pub fn explain(plan: &Plan, screen: &mut Screen) -> anyhow::Result<()> {
    heading("Rules that fired", screen)?;
    if plan.findings.is_empty() {
        screen.line("  none")?;
    }
    for finding in &plan.findings {
        let about = finding.source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default();
        let severity = screen.paint(colour_of(finding.rule.severity), severity_in_words(finding.rule.severity));
        screen.line(format!("  {}{}: {severity}", finding.rule.id, clean(&about)))?;
        screen.line(format!("    {}", clean(&finding.text)))?;
        screen.line(format!("    Mend: {}", clean(&finding.mend)))?;
        because(&explain::behind(&plan.intake, &finding.answers), screen)?;
    }
    heading("How your words were understood", screen)?;
    for understood in &plan.intake.understood {
        let text = short(&understood.text, LINE_CHARS_MAX).into_owned();
        screen.line(format!("  {}: {:?}", clean(&understood.path), clean(&text)))?;
        screen.line(format!("    taken for: {}", clean(&understood.taken_for)))?;
        screen.line(format!("    outright: {}", clean(&understood.outright)))?;
    }
    heading("What nobody said", screen)?;
    for assumed in &plan.intake.assumed {
        screen.line(clean(&format!("  {} = {}: {}", assumed.path, assumed.value, assumed.why)))?;
    }
    heading("Choices", screen)?;
    for Explained { of, value, why, answers } in explain::choices(plan) {
        screen.line(clean(&format!("  {of} = {value}")))?;
        screen.line(format!("    {}", clean(&why)))?;
        because(&answers, screen)?;
    }
    screen.line("")
}

fn heading(text: &str, screen: &mut Screen) -> anyhow::Result<()> {
    let text = screen.paint(Colour::Bold, text);
    screen.line(format!("{text}\n"))
}

fn because(answers: &[Behind], screen: &mut Screen) -> anyhow::Result<()> {
    let shown: Vec<String> =
        answers.iter().map(|Behind { path, value }| format!("{path} = {}", short(value, LINE_CHARS_MAX))).collect();
    let text = if shown.is_empty() { "for every team".to_owned() } else { shown.join("; ") };
    screen.line(format!("    Because: {}", clean(&text)))
}

fn severity_in_words(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Serious => "serious",
        Severity::Contradiction => "contradiction",
    }
}

fn colour_of(severity: Severity) -> Colour {
    match severity {
        Severity::Note => Colour::Dim,
        Severity::Warning => Colour::Yellow,
        Severity::Serious | Severity::Contradiction => Colour::Red,
    }
}

pub fn json(plan: &Plan, out: Option<&Path>, placed: &[Placed]) -> Value {
    let design = &plan.design;
    let behind = |answers: &[Behind]| -> Value {
        answers.iter().map(|behind| json!({ "path": behind.path, "value": behind.value })).collect()
    };
    let findings: Vec<Value> = plan
        .findings
        .iter()
        .map(|finding| {
            json!({
                "rule": finding.rule.id,
                "severity": severity_in_words(finding.rule.severity),
                "source": finding.source,
                "text": finding.text,
                "mend": finding.mend,
                "answers": behind(&explain::behind(&plan.intake, &finding.answers)),
            })
        })
        .collect();
    let choices: Vec<Value> = explain::choices(plan)
        .iter()
        .map(|c| json!({ "of": c.of, "value": c.value, "why": c.why, "answers": behind(&c.answers) }))
        .collect();
    let assumed = plan.intake.assumed.iter().map(|a| json!({ "path": a.path, "value": a.value, "why": a.why }));
    let understood = plan
        .intake
        .understood
        .iter()
        .map(|u| json!({ "path": u.path, "text": u.text, "taken_for": u.taken_for, "outright": u.outright }));
    let files = placed.iter().map(|placed| {
        let fate = match placed.fate {
            Fate::New => "new",
            Fate::Same => "same",
            Fate::Replaced => "replaced",
        };
        json!({ "path": placed.path, "fate": fate })
    });
    json!({
        "needed": design.needed.value,
        "why": design.needed.why,
        "mode": mode_in_words(design.mode),
        "load": {
            "per_day": design.load.per_day,
            "peak_day": design.load.peak_day,
            "mean_per_second": design.load.mean_per_second,
            "peak_per_second": design.load.peak_per_second,
            "burst_per_second": design.load.burst_per_second,
        },
        "findings": findings,
        "understood": understood.collect::<Vec<_>>(),
        "assumed": assumed.collect::<Vec<_>>(),
        "choices": choices,
        "out": out.map(|out| out.display().to_string()),
        "files": files.collect::<Vec<_>>(),
    })
}
