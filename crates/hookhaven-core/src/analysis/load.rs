//! Overload: attempts fail when many come at once, and succeed when few do.
//!
//! The load at an attempt is how many deliveries were attempted for the first time around then. Retries do not count:
//! they come *because* something fails. One burst alone proves nothing, for anything else may have happened then.

use super::{
    Case, Cause, EVENTS_MIN, FAILURES_MIN, Finding, Observed, events, examples,
    tally::{Tally, gain, percentile, tells},
    when, who, words,
};
use crate::attempt::ErrorClass;

/// Load is counted from so long before an attempt to so long after it.
const HALF_WINDOW_US: i64 = 5_000_000;
/// Bursts in which it must have failed.
const BURSTS_MIN: usize = 3;
/// Attempts further apart belong to different bursts.
const BURST_GAP_US: i64 = 60_000_000;
/// Percentiles of the load at which it is tried to tell heavy from light.
const CUTS_PERCENT: [usize; 5] = [50, 75, 90, 95, 98];

struct Heavy {
    /// More than so many in the window is heavy.
    cut: u64,
    gain: f64,
}

pub(super) fn look<'a>(case: &Case<'a>, rest: &mut Vec<&'a Observed>) -> Vec<Finding> {
    let loads = loads(rest);
    let Some(heavy) = best(rest, &loads) else { return Vec::new() };
    let explained_otherwise =
        [when::find(rest, broke_down).map(|stretch| stretch.gain), who::find(rest, broke_down).map(|hit| hit.gain)];
    if explained_otherwise.into_iter().flatten().any(|other| other >= heavy.gain) {
        return Vec::new();
    }
    let heavily: Vec<_> = rest.iter().zip(&loads).filter(|(_, load)| **load > heavy.cut).map(|(o, _)| *o).collect();
    let failed: Vec<_> = heavily.iter().copied().filter(|o| broke_down(o)).collect();
    if events(&failed) < EVENTS_MIN || bursts(&failed) < BURSTS_MIN {
        return Vec::new();
    }
    let whole = Tally::of(rest, broke_down);
    let outside = whole.less(Tally { attempts: heavily.len(), failures: failed.len() });
    rest.retain(|o| !is_near(o, &heavily));
    vec![finding(case, &heavy, heavily.len(), &failed, outside)]
}

/// Whether it belongs to a burst, at its edge where less came at once.
fn is_near(o: &Observed, heavily: &[&Observed]) -> bool {
    let at = o.started_at.as_us();
    let next = heavily.partition_point(|h| h.started_at.as_us() < at - 2 * HALF_WINDOW_US);
    heavily.get(next).is_some_and(|h| h.started_at.as_us() <= at + 2 * HALF_WINDOW_US)
}

/// How a handler fails that has too much to do. 429 is not among it: that is one that knows.
fn broke_down(o: &Observed) -> bool {
    use ErrorClass::{Connect, Http5xx, Protocol, Timeout};
    matches!(o.class, Connect | Http5xx | Protocol | Timeout)
}

/// First attempts around each attempt.
fn loads(attempts: &[&Observed]) -> Vec<u64> {
    let firsts: Vec<i64> = attempts.iter().filter(|o| o.number == 1).map(|o| o.started_at.as_us()).collect();
    let before = |us: i64| firsts.partition_point(|at| *at < us) as u64;
    let around = |us: i64| before(us + HALF_WINDOW_US + 1) - before(us - HALF_WINDOW_US);
    attempts.iter().map(|o| around(o.started_at.as_us())).collect()
}

fn best(attempts: &[&Observed], loads: &[u64]) -> Option<Heavy> {
    let whole = Tally::of(attempts, broke_down);
    if whole.failures < FAILURES_MIN {
        return None;
    }
    let mut sorted = loads.to_vec();
    sorted.sort_unstable();
    let mut best: Option<Heavy> = None;
    for cut in CUTS_PERCENT.iter().filter_map(|percent| percentile(&sorted, *percent)) {
        let mut inside = Tally::default();
        attempts.iter().zip(loads).filter(|(_, load)| **load > cut).for_each(|(o, _)| inside.add(broke_down(o)));
        let gain = gain(inside, whole);
        if tells(inside, whole) && best.as_ref().is_none_or(|b| gain > b.gain) {
            best = Some(Heavy { cut, gain });
        }
    }
    best
}

/// Groups of failures with a pause between them.
fn bursts(failed: &[&Observed]) -> usize {
    let apart = |pair: &[&Observed]| pair[1].started_at.as_us() - pair[0].started_at.as_us() > BURST_GAP_US;
    1 + failed.windows(2).filter(|pair| apart(pair)).count()
}

fn finding(case: &Case<'_>, heavy: &Heavy, attempts: usize, failed: &[&Observed], outside: Tally) -> Finding {
    let window_s = 2 * HALF_WINDOW_US as u64 / 1_000_000;
    let sentence = format!(
        "{} breaks down when much comes at once: with more than {} first attempts in {window_s} s {} of the attempts \
         fail, with fewer {}.",
        words::name(case.name),
        heavy.cut,
        words::percent(failed.len(), attempts),
        words::percent(outside.failures, outside.attempts),
    );
    let mut evidence = vec![format!(
        "in {} bursts {} attempts failed, else {}: {}",
        bursts(failed),
        words::counted(failed.len(), attempts),
        words::counted(outside.failures, outside.attempts),
        words::mostly(failed).unwrap_or_default()
    )];
    evidence.extend(words::errors(failed));
    let rate = (heavy.cut / window_s).max(1);
    let suggestions = [case.suggest_rate(rate as f64, &format!("{rate}/s")), case.suggest_less_at_once()];
    Finding {
        cause: Cause::Overload,
        destination: case.name.clone(),
        scope: None,
        since: None,
        until: None,
        failures: failed.len(),
        attempts,
        sentence,
        evidence,
        mend: "give it less at once with `rate` or a lower `concurrency` (what is more waits and is not lost), or give the \
               handler more room"
            .to_owned(),
        suggestions: suggestions.into_iter().flatten().collect(),
        examples: examples(failed),
    }
}
