//! Answers that take longer and longer, on the way to the timeout or past it: seen before the first failure.
//!
//! The attempts are cut into parts of equal number, oldest first; each part must be slower than the one before in
//! nearly every step. A sudden change is none of this: that is a stretch (`when`), if it fails at all.

use super::{
    Case, Cause, Finding, Observed, examples,
    tally::{durations, percentile},
    words,
};
use crate::attempt::ErrorClass;

const PARTS: usize = 6;
/// Attempts in a part, so that its percentiles mean something.
const PART_ATTEMPTS_MIN: usize = 15;
/// A step is one of growth if the median grows by so much; all but one of the steps must be.
const STEP_GROWTH_MIN: f64 = 1.15;
const STEPS_GROWN_MIN: usize = PARTS - 2;
/// From the first part to the last the median grows by so much at least.
const GROWTH_MIN: f64 = 2.0;
/// And the slowest in the last part take at least this share of the timeout: else there is time.
const OF_TIMEOUT_MIN: f64 = 0.5;

pub(super) fn look<'a>(case: &Case<'a>, rest: &mut Vec<&'a Observed>) -> Vec<Finding> {
    // A timeout is an answer that would have taken longer still.
    let timed: Vec<&Observed> = rest.iter().copied().filter(|o| answered_or_late(o)).collect();
    let Some(limit_us) = limit(case, &timed) else { return Vec::new() };
    let Some(course) = Course::of(&timed).filter(|course| course.rises_to(limit_us)) else { return Vec::new() };
    let failed: Vec<_> = timed.iter().copied().filter(|o| o.failed()).collect();
    rest.retain(|o| o.class != ErrorClass::Timeout);
    vec![finding(case, &course, &timed, &failed, limit_us)]
}

fn answered_or_late(o: &Observed) -> bool {
    matches!(o.class, ErrorClass::Ok | ErrorClass::Timeout)
}

/// What may be waited: as configured, else as the timeouts show.
fn limit(case: &Case<'_>, timed: &[&Observed]) -> Option<u64> {
    let shown = || percentile(&durations(timed.iter().copied().filter(|o| o.failed())), 50);
    case.figures.map(|f| u64::try_from(f.timeout.as_micros()).unwrap_or(u64::MAX)).or_else(shown)
}

/// Median and 95th percentile of each part, in microseconds.
struct Course([(u64, u64); PARTS]);

impl Course {
    fn of(timed: &[&Observed]) -> Option<Self> {
        if timed.len() < PARTS * PART_ATTEMPTS_MIN {
            return None;
        }
        let mut course = [(0, 0); PARTS];
        for (i, part) in course.iter_mut().enumerate() {
            let of = &timed[i * timed.len() / PARTS..(i + 1) * timed.len() / PARTS];
            let sorted = durations(of.iter().copied());
            *part = (percentile(&sorted, 50)?, percentile(&sorted, 95)?);
        }
        Some(Course(course))
    }

    fn rises_to(&self, limit_us: u64) -> bool {
        let (first, last) = (self.0[0], self.0[PARTS - 1]);
        let steps = self.0.windows(2).map(|pair| (pair[0].0 as f64, pair[1].0 as f64));
        steps.filter(|(from, to)| *to >= STEP_GROWTH_MIN * from).count() >= STEPS_GROWN_MIN
            && last.0 as f64 >= GROWTH_MIN * first.0 as f64
            && last.1 as f64 >= OF_TIMEOUT_MIN * limit_us as f64
    }
}

fn finding(case: &Case<'_>, course: &Course, timed: &[&Observed], failed: &[&Observed], limit_us: u64) -> Finding {
    let (first, last) = (course.0[0], course.0[PARTS - 1]);
    let late = match failed.len() {
        0 => "nothing has timed out yet".to_owned(),
        n => format!("{} ended as timeouts", words::counted(n, timed.len())),
    };
    let sentence = format!(
        "The answers of {} get slower and slower: {} at p95 in the first sixth of the time, {} in the last, of {} that \
         may be waited; {late}.",
        words::name(case.name),
        words::took(first.1),
        words::took(last.1),
        words::took(limit_us),
    );
    let medians: Vec<_> = course.0.iter().map(|part| words::took(part.0)).collect();
    let start = |o: Option<&&Observed>| o.map(|o| words::clock(o.started_at, case.now)).unwrap_or_default();
    let evidence =
        vec![format!("medians from {} to {}: {}", start(timed.first()), start(timed.last()), medians.join(", "))];
    let newest = if failed.is_empty() { timed } else { failed };
    Finding {
        cause: Cause::LatencyRising,
        destination: case.name.clone(),
        scope: None,
        since: None,
        until: None,
        failures: failed.len(),
        attempts: timed.len(),
        sentence,
        evidence,
        mend: "look at what grows where the handler runs (a table without an index, a queue, memory, connections that are \
               not given back); a longer `timeout` only buys time, a lower `concurrency` takes load off it"
            .to_owned(),
        suggestions: case.suggest_less_at_once().into_iter().collect(),
        examples: examples(newest),
    }
}
