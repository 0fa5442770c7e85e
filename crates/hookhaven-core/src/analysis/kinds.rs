//! One kind of failure at a time: whom it hits, since when, and whether it stands out at all. What the kind means is
//! said by `answers`.

use std::time::Duration;

use super::{
    Case, EVENTS_MIN, FAILURES_MIN, Finding, Observed, SHARE_MIN, Scope, answers, events,
    tally::{SHARE_INSIDE_MIN, Tally},
    when, who,
};
use crate::{attempt::ErrorClass, time::Time};

/// Stretches of one kind of failure that are looked for in one span, brief ones too.
const STRETCHES_MAX: usize = 5;
/// What is over and took less is not worth a word: a restart takes so long, and retries outlast it.
const STRETCH_MIN: Duration = Duration::from_secs(120);

/// What failures are taken together as: those that have one cause, as a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Dns,
    Connect,
    Tls,
    Timeout,
    Protocol,
    RateLimited,
    /// All 5xx: which of them a handler answers in its trouble means little.
    Server,
    /// Each 4xx by itself; no status stands as 0.
    Client(u16),
    Redirect,
    Refused,
    Lost,
    Store,
}

impl Kind {
    /// `None` of a success.
    pub fn of(o: &Observed) -> Option<Kind> {
        Some(match o.class {
            ErrorClass::Ok => return None,
            ErrorClass::Dns => Kind::Dns,
            ErrorClass::Connect => Kind::Connect,
            ErrorClass::Tls => Kind::Tls,
            ErrorClass::Timeout => Kind::Timeout,
            ErrorClass::Protocol => Kind::Protocol,
            ErrorClass::RateLimited => Kind::RateLimited,
            ErrorClass::Http5xx => Kind::Server,
            ErrorClass::Http4xx => Kind::Client(o.status.unwrap_or(0)),
            ErrorClass::Http3xx => Kind::Redirect,
            ErrorClass::Refused => Kind::Refused,
            ErrorClass::Lost => Kind::Lost,
            ErrorClass::Store => Kind::Store,
        })
    }

    fn is(self, o: &Observed) -> bool {
        Kind::of(o) == Some(self)
    }
}

/// The attempts that a kind of failure could have hit, and what is known of the others.
pub(super) struct Slice<'a> {
    pub scope: Option<Scope>,
    pub since: Option<Time>,
    pub until: Option<Time>,
    pub attempts: Vec<&'a Observed>,
    /// Attempts that are not of it.
    pub outside: Tally,
}

pub(super) fn look<'a>(case: &Case<'a>, rest: &mut Vec<&'a Observed>) -> Vec<Finding> {
    let mut kinds: Vec<_> = rest.iter().filter_map(|o| Kind::of(o)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut findings = Vec::new();
    for kind in kinds {
        for _ in 0..STRETCHES_MAX {
            let Some(slice) = locate(rest, kind) else { break };
            let failed: Vec<_> = slice.attempts.iter().copied().filter(|o| kind.is(o)).collect();
            if !slice.was_brief(&failed) {
                findings.push(answers::finding(&answers::Found { case, kind, slice: &slice, failed: &failed }));
            }
            // Other failures of the same attempts stay: they are other findings.
            rest.retain(|o| !kind.is(o) || !slice.holds(o));
        }
    }
    findings
}

/// Where the failures of a kind are, if they stand out.
fn locate<'a>(attempts: &[&'a Observed], kind: Kind) -> Option<Slice<'a>> {
    let failed = |o: &Observed| kind.is(o);
    let whole = Tally::of(attempts, failed);
    if whole.failures < FAILURES_MIN {
        return None;
    }
    let mut slice = Slice { scope: None, since: None, until: None, attempts: attempts.to_vec(), outside: whole };
    let by_who = who::find(attempts, failed).map_or(0.0, |hit| hit.gain);
    let by_when = when::find(attempts, failed).map_or(0.0, |stretch| stretch.gain);
    if by_when > by_who {
        slice.narrow_to_time(failed);
        slice.narrow_to_scope(failed);
    } else {
        slice.narrow_to_scope(failed);
        slice.narrow_to_time(failed);
    }
    let inside = Tally::of(&slice.attempts, failed);
    slice.outside = whole.less(inside);
    let narrowed = inside.attempts < whole.attempts;
    let share_min = if narrowed { SHARE_INSIDE_MIN } else { SHARE_MIN };
    let hit: Vec<_> = slice.attempts.iter().copied().filter(|o| failed(o)).collect();
    let stands_out = hit.len() >= FAILURES_MIN && events(&hit) >= EVENTS_MIN && inside.share() >= share_min;
    stands_out.then_some(slice)
}

impl Slice<'_> {
    /// Over, and nearly all of it within a short time: a stray failure at an end does not make it long.
    fn was_brief(&self, failed: &[&Observed]) -> bool {
        let at = |percent: usize| failed.get(failed.len() * percent / 100).map(|o| o.started_at);
        let middle = at(5).zip(at(95)).map(|(from, to)| to.since(from));
        self.since.is_some() && self.until.is_some() && middle.is_some_and(|middle| middle < STRETCH_MIN)
    }

    fn holds(&self, o: &Observed) -> bool {
        let (first, last) = (self.attempts.first(), self.attempts.last());
        self.scope.as_ref().is_none_or(|scope| scope.holds(o))
            && first.is_none_or(|first| o.started_at >= first.started_at)
            && last.is_none_or(|last| o.started_at <= last.started_at)
    }

    fn narrow_to_scope(&mut self, failed: impl Fn(&Observed) -> bool) {
        if let Some(hit) = who::find(&self.attempts, failed) {
            self.attempts.retain(|o| hit.scope.holds(o));
            self.scope = Some(hit.scope);
        }
    }

    fn narrow_to_time(&mut self, failed: impl Fn(&Observed) -> bool) {
        let Some(stretch) = when::find(&self.attempts, failed) else { return };
        let goes_on = stretch.to == self.attempts.len();
        let inside = self.attempts[stretch.from..stretch.to].to_vec();
        self.since = inside.first().filter(|_| stretch.from > 0).map(|o| o.started_at);
        self.until = inside.last().filter(|_| !goes_on).map(|o| o.started_at);
        self.attempts = inside;
    }
}
