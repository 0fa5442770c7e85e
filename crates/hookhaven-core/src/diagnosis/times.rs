//! Findings about time: the signature holds, and what was signed says another hour.

use std::time::Duration;

use super::{ANY_TIME, Bench, Cause, Finding};
use crate::{sender::Rejection, time::Time};

/// Beyond this it is rather a replay than a clock.
const CLOCK_OFF_MAX_S: u64 = 6 * 3_600;
/// The most that a source may tolerate.
const TOLERANCE_MAX_S: u64 = 7 * 86_400;

pub(super) fn look(bench: &Bench<'_>) -> Vec<Finding> {
    let at = bench.case.rejected.received_at;
    match bench.judge_at(at) {
        Err(Rejection::TimestampStale) => vec![old(bench, age_s(bench, at))],
        Err(Rejection::TimestampFuture) => vec![ahead(bench, ahead_s(bench, at))],
        _ => Vec::new(),
    }
}

fn old(bench: &Bench<'_>, age_s: u64) -> Finding {
    let (name, tolerance_s) = (&bench.case.source.name, bench.case.source.tolerance.as_secs());
    let sentence = format!(
        "It is rightly signed, and was signed {age_s} s before it arrived; the source tolerates {tolerance_s} s. Either \
         a clock is off (the sender's, or this machine's), or something held it up, or somebody replays an old request."
    );
    let mend = if age_s > CLOCK_OFF_MAX_S {
        "so old, it is rather a replay: accept it only if you know where it comes from".to_owned()
    } else {
        format!("{}; then release it", skew(name, age_s))
    };
    Finding::certain(Cause::TimestampOld, sentence, mend)
}

fn ahead(bench: &Bench<'_>, ahead_s: u64) -> Finding {
    let (name, tolerance_s) = (&bench.case.source.name, bench.case.source.tolerance.as_secs());
    let sentence = format!(
        "It is rightly signed, and was signed {ahead_s} s after it arrived, by this machine's clock; the source \
         tolerates {tolerance_s} s. A clock is off: this machine's is slow, or the sender's fast."
    );
    Finding::certain(Cause::TimestampAhead, sentence, format!("{}; then release it", skew(name, ahead_s)))
}

fn skew(name: &str, off_s: u64) -> String {
    let minutes = (off_s.min(TOLERANCE_MAX_S) / 60 + 1).min(TOLERANCE_MAX_S / 60);
    format!(
        "set the clock right (here: timedatectl status, and switch NTP on); or, if it is the sender's and must be borne \
         for now, tolerance = \"{minutes}m\" under [sources.{name}]"
    )
}

/// How long before `at` it was signed: the last moment at which it would not be stale is later by the tolerance.
fn age_s(bench: &Bench<'_>, at: Time) -> u64 {
    let stale = |second: i64| bench.judge_at(Time::from_s(second)) == Err(Rejection::TimestampStale);
    let last = boundary(0, at.as_s(), |second| !stale(second));
    (at.as_s() - last).unsigned_abs().saturating_add(bench.case.source.tolerance.as_secs())
}

/// How long after `at`: the first moment at which it would not lie ahead is earlier by the tolerance.
fn ahead_s(bench: &Bench<'_>, at: Time) -> u64 {
    let early = |second: i64| bench.judge_at(Time::from_s(second)) == Err(Rejection::TimestampFuture);
    let limit = at.plus(ANY_TIME + Duration::from_secs(86_400)).as_s();
    let last_early = boundary(at.as_s(), limit, early);
    (last_early + 1 - at.as_s()).unsigned_abs().saturating_add(bench.case.source.tolerance.as_secs())
}

/// The last second for which something holds that holds at `from`, not at `to`, and changes once between.
fn boundary(mut from: i64, mut to: i64, holds: impl Fn(i64) -> bool) -> i64 {
    while to - from > 1 {
        let middle = from + (to - from) / 2;
        if holds(middle) {
            from = middle;
        } else {
            to = middle;
        }
    }
    from
}
