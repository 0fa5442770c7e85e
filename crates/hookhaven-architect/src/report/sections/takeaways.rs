//! What to remember if nothing else is read: four to six sentences, the gravest findings first, then what the design
//! rests on.
//!
//! Computed, so that they are this team's. Not here: the rest of what stands out (`findings`).

use std::cmp::Reverse;

use super::{FINDINGS, section_of};
use crate::{
    Finding, Plan,
    design::{Loss, SourceDesign},
    report::{
        document::{Block, Text, link, prose, say},
        said,
    },
    rules::{Severity, Subject},
    words::{self, count, span},
};

const TAKEAWAYS_MIN: usize = 4;
const TAKEAWAYS_MAX: usize = 6;
/// Of them findings; the rest says what is run.
const FINDINGS_MAX: usize = 4;
/// Of what is said of a finding, and of its mend; a shorter sentence needs the next one.
const TEXT_CHARS_MIN: usize = 25;
const MEND_CHARS_MIN: usize = 15;

pub fn blocks(plan: &Plan) -> Vec<Block> {
    vec![Block::Steps(all(plan))]
}

fn all(plan: &Plan) -> Vec<Text> {
    let found = gravest(plan);
    let told: Vec<Subject> = found.iter().map(|finding| finding.rule.subject).collect();
    let mut texts: Vec<Text> = found.into_iter().map(|finding| of_finding(plan, finding)).collect();
    let (new, known): (Vec<_>, Vec<_>) = choices(plan).into_iter().partition(|(subject, _)| !told.contains(subject));
    texts.extend(new.into_iter().map(|(_, text)| text).take(TAKEAWAYS_MAX.saturating_sub(texts.len())));
    texts.extend(known.into_iter().map(|(_, text)| text).take(TAKEAWAYS_MIN.saturating_sub(texts.len())));
    texts
}

/// One for each rule: what it says of several senders is said once.
fn gravest(plan: &Plan) -> Vec<&Finding> {
    let mut found: Vec<&Finding> = Vec::new();
    for finding in plan.findings.iter().filter(|f| f.rule.severity > Severity::Note) {
        if found.iter().all(|known| known.rule.id != finding.rule.id) {
            found.push(finding);
        }
    }
    found.sort_by_key(|finding| Reverse(finding.rule.severity));
    found.truncate(FINDINGS_MAX);
    found
}

fn of_finding(plan: &Plan, finding: &Finding) -> Text {
    let others: Vec<&str> = plan
        .findings
        .iter()
        .filter(|f| f.rule.id == finding.rule.id && f.source != finding.source)
        .filter_map(|f| f.source.as_deref())
        .map(|source| said::title(plan, source))
        .collect();
    let more = match others.as_slice() {
        [] => Text::default(),
        others => say!(" The same holds for {}.", words::list(others)),
    };
    let place = if plan.design.needed.value { section_of(finding.rule.subject) } else { FINDINGS };
    let told = match &finding.brief {
        Some(brief) => prose(brief),
        None => {
            prose(beginning(&finding.text, TEXT_CHARS_MIN))
                + say!(" ")
                + prose(beginning(&finding.mend, MEND_CHARS_MIN))
        }
    };
    told + more + say!(" More: ") + link(place) + say!(".")
}

/// What it begins with: whole sentences, as few as say something. One ends with a full stop before a blank and a capital
/// letter, and not within code.
fn beginning(text: &str, chars_min: usize) -> &str {
    let ends = |at: &usize| {
        let before = &text[..*at];
        let next = text[at + 1..].trim_start().chars().next();
        let is_code = !before.matches('`').count().is_multiple_of(2);
        !is_code && next.is_none_or(|c| c.is_uppercase() || c == '`') && before.chars().count() >= chars_min
    };
    let end = text.match_indices(". ").map(|(at, _)| at).find(ends);
    end.map_or(text, |at| &text[..=at])
}

/// What the design rests on, the weightiest first.
fn choices(plan: &Plan) -> Vec<(Subject, Text)> {
    if !plan.design.needed.value {
        return without(plan);
    }
    let all = [
        (Subject::Hosting, Some(runs(plan))),
        (Subject::Retry, lost(plan)),
        (Subject::Observability, Some(wakes(plan))),
        (Subject::Receiver, answer_limit(plan)),
        (Subject::Idempotency, window(plan)),
        (Subject::Queue, handlers(plan)),
        (Subject::Retry, schedule(plan)),
    ];
    all.into_iter().filter_map(|(subject, text)| text.map(|text| (subject, text))).collect()
}

/// For a team that is told to keep what it has.
fn without(plan: &Plan) -> Vec<(Subject, Text)> {
    let all = [
        (Subject::Hosting, Some(prose(&plan.design.needed.why))),
        (Subject::Limits, lost(plan)),
        (Subject::Receiver, Some(takes(plan))),
        (
            Subject::Verification,
            Some(say!("Verify before anything else, over the raw bytes, and answer 401 to what does not hold.")),
        ),
        (
            Subject::Idempotency,
            Some(say!("Should twice ever hurt: a unique constraint on the sender's event id refuses the second copy.")),
        ),
    ];
    all.into_iter().filter_map(|(subject, text)| text.map(|text| (subject, text))).collect()
}

fn runs(plan: &Plan) -> Text {
    say!("**It runs on {}.** ", plan.design.hosting.value.size) + prose(&plan.design.nodes.why)
}

/// Those whose events are gone when nobody receives.
fn lost(plan: &Plan) -> Option<Text> {
    let of = |source: &SourceDesign| match source.loss.value {
        Loss::Events(events) => Some(format!("{} of {}", count(events), said::title(plan, &source.name))),
        Loss::NothingWithin(_) | Loss::Unknown => None,
    };
    let lost: Vec<String> = plan.design.sources.iter().filter_map(of).collect();
    (!lost.is_empty()).then(|| {
        say!(
            "**Events are gone for good** {} of the receiver, at the worst time: {}.",
            said::downtime(plan),
            words::list(&lost)
        )
    })
}

fn wakes(plan: &Plan) -> Text {
    if plan.design.routes.iter().all(|route| route.critical.value) {
        return say!("**Every dead letter wakes somebody**: you named no type that could wait.");
    }
    match said::critical(plan) {
        None => {
            say!("**Nobody is woken for a dead letter**: no route is critical, and what dies waits for the morning.")
        }
        Some(types) => {
            say!("**Somebody is woken for a dead letter of** ") + types + say!(". No other type wakes anybody.")
        }
    }
}

fn answer_limit(plan: &Plan) -> Option<Text> {
    let waits = |sender: &crate::intake::SenderAnswers| sender.sender.and_then(|d| d.about.timeout_s);
    let soonest = plan.intake.senders.iter().filter(|s| waits(s).is_some()).min_by_key(|s| waits(s))?;
    Some(say!(
        "**{} waits {} s for its answer.** It gets it as soon as the event is on disk; your handler's {} come \
         afterwards.",
        soonest.title(),
        waits(soonest)?,
        span(soonest.processing.takes)
    ))
}

fn takes(plan: &Plan) -> Text {
    let longest = plan.intake.senders.iter().max_by_key(|sender| sender.processing.takes);
    let Some(sender) = longest else { return say!("Measure how long your handler takes before it answers.") };
    let takes = said::takes(plan, sender);
    match sender.sender.and_then(|declared| declared.about.timeout_s) {
        Some(limit_s) => {
            say!(
                "{} waits {} s, and your handler takes {}: look again when that grows.",
                sender.title(),
                limit_s,
                takes
            )
        }
        None => {
            say!("Your handler takes {}, and {} does not say how long it waits: stay short.", takes, sender.title())
        }
    }
}

fn window(plan: &Plan) -> Option<Text> {
    let longest = plan.design.sources.iter().max_by_key(|source| source.dedupe_window.value)?;
    let value = span(longest.dedupe_window.value);
    Some(say!("**Ids are remembered for up to {}.** ", value) + prose(&longest.dedupe_window.why))
}

fn handlers(plan: &Plan) -> Option<Text> {
    let busiest = plan.design.destinations.iter().max_by_key(|destination| destination.concurrency.value)?;
    let value = busiest.concurrency.value;
    Some(say!("**{} attempts at once** for `{}`. ", value, busiest.name) + prose(&busiest.concurrency.why))
}

fn schedule(plan: &Plan) -> Option<Text> {
    let longest = plan.design.routes.iter().max_by_key(|route| route.retry.value.attempts)?;
    Some(say!("**Up to {} attempts before a dead letter.** ", longest.retry.value.attempts) + prose(&longest.retry.why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_whole_sentences_and_long_enough() {
        let long = "A sentence that goes on, e.g. for 7.2 lines, until it says something";
        assert_eq!(beginning(&format!("{long}. Two."), 60), format!("{long}."));
        assert_eq!(beginning(&format!("Short. {long}. Two."), 60), format!("Short. {long}."));
        assert_eq!(beginning(&format!("{long} `a. B` is code. Yes."), 60), format!("{long} `a. B` is code."));
        assert_eq!(beginning("No end", 60), "No end");
    }
}
