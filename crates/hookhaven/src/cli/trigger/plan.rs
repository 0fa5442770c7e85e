//! What is sent, and when: events of one type, or chains of them, as many times as asked, in order or not.
//!
//! A plan is made as it is sent, row by row, so that a hundred thousand events need no memory. What is in one row waits
//! for one another; rows do not. Not here: the volumes of an intake (`profile`).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{
    Time,
    destination::Rate,
    sender::{CannotSign, Sample},
    senders::{Chain, Common, Step},
    source::Source,
};
use hookhaven_store::clock::{Clock, Entropy, SeededEntropy};

use super::{Stand, list::chains, read_body, source};
use crate::{
    cli::{UsageError, args::TriggerArgs},
    sample::fresh_id,
};

/// Under way at once where a rate asks for it.
pub(super) const IN_FLIGHT_MAX: usize = 256;
/// Between the times of two events that are to be out of order: what most senders can write.
const APART: Duration = Duration::from_secs(1);
/// All of them happened within this before they are sent: less than the tolerance of a signature.
const APART_IN_ALL: Duration = Duration::from_secs(200);

/// One request to be made.
#[derive(Clone, Debug)]
pub(super) struct Shot {
    pub source: Arc<Source>,
    /// After the beginning; zero: as soon as it can be.
    pub due: Duration,
    pub what: What,
    /// The event's; once it is made, with a body of one's own, what the gateway takes for it.
    pub id: Arc<str>,
    /// The same id was sent before.
    pub again: bool,
}

/// Of what it is a sample.
#[derive(Clone, Debug)]
pub(super) enum What {
    Type {
        event_type: Arc<str>,
        /// When it happened, if not now.
        at: Option<Time>,
        body: Option<Bytes>,
    },
    Step {
        step: &'static Step,
        common: Arc<Common>,
    },
}

impl Shot {
    pub fn sample(&self, now: Time) -> Result<Sample, CannotSign> {
        let sender = &*self.source.sender;
        match &self.what {
            What::Step { step, common } => step.sample(sender, &self.id, common),
            What::Type { event_type, at, body } => {
                let sample = sender.sample(event_type, &self.id, at.unwrap_or(now))?;
                Ok(match body {
                    Some(body) => Sample { body: body.to_vec(), ..sample },
                    None => sample,
                })
            }
        }
    }

    /// Whether somebody gave the body, which mostly says itself what the event's id is.
    pub fn has_own_body(&self) -> bool {
        matches!(self.what, What::Type { body: Some(_), .. })
    }

    pub fn event_type(&self) -> &str {
        match &self.what {
            What::Type { event_type, .. } => event_type,
            What::Step { step, .. } => step.event_type,
        }
    }
}

/// Those that wait for one another.
pub(super) type Row = Vec<Shot>;

pub(super) struct Plan<'a> {
    /// Requests in all.
    pub total: u64,
    /// Of them, those that no other one repeats.
    pub events: u64,
    pub rows: Box<dyn Iterator<Item = Row> + 'a>,
    /// Rows under way at once.
    pub in_flight: usize,
    /// Of events that belong together, or of several types.
    pub is_mixed: bool,
    /// Said before anything is sent.
    pub told: Vec<String>,
}

/// What the command line asks for.
///
/// # Errors
/// Of the kind [`UsageError`] if it does not fit together; a body that cannot be read.
pub(super) fn of<'a>(args: &TriggerArgs, stand: &Stand<'a>) -> anyhow::Result<Plan<'a>> {
    let (Some(name), Some(what)) = (&args.source, &args.what) else {
        return Err(UsageError("say which source and which type".to_owned()).into());
    };
    let source = source(stand.config, name)?.clone();
    let chain = chains(&source).iter().find(|chain| chain.name == what);
    let (order, told) = match args.out_of_order {
        true => {
            let seed = args.seed.unwrap_or_else(|| fresh_seed(stand.entropy));
            (Some(Shuffle::new(seed)), vec![format!("Out of order, by --seed {seed}.")])
        }
        false => (None, Vec::new()),
    };
    let times = 1 + args.duplicate.unwrap_or(0);
    let pace = Pace(args.rate);
    let in_flight = if args.rate.is_some() { IN_FLIGHT_MAX } else { 1 };
    let (count, clock, entropy) = (args.count, stand.clock, stand.entropy);
    if let Some(chain) = chain {
        if args.id.is_some() || args.body.is_some() {
            let why = format!("{what} is a chain of events, each with an id and a body of its own");
            return Err(UsageError(format!("{why}; leave out --id and --body")).into());
        }
        let events = u64::from(count) * chain.steps.len() as u64;
        let rows = chain_rows(Chained { source, chain, times, pace, order }, count, clock, entropy);
        let total = events * u64::from(times);
        return Ok(Plan { total, events, rows: Box::new(rows), in_flight, is_mixed: true, told });
    }
    let body = args.body.as_deref().map(read_body).transpose()?.map(Bytes::from);
    let kind = OneType { source, event_type: what.as_str().into(), body, id: args.id.as_deref().map(Into::into) };
    let events = if args.id.is_some() { 1 } else { u64::from(count) };
    let total = u64::from(count) * u64::from(times);
    let rows: Box<dyn Iterator<Item = Row>> = match order {
        Some(order) => Box::new(disordered(kind, count, times, pace, order, clock.now(), entropy)),
        None => Box::new(in_order(kind, count, times, pace, entropy)),
    };
    Ok(Plan { total, events, rows, in_flight, is_mixed: false, told })
}

pub(super) fn fresh_seed(entropy: &dyn Entropy) -> u64 {
    let mut bytes = [0; 4];
    entropy.fill(&mut bytes);
    u64::from(u32::from_le_bytes(bytes))
}

/// When the nth request is due.
#[derive(Clone, Copy)]
struct Pace(Option<Rate>);

impl Pace {
    fn due(self, nth: u64) -> Duration {
        self.0.map_or(Duration::ZERO, |rate| rate.per.mul_f64(nth as f64 / f64::from(rate.count.get())))
    }
}

/// Another order, from a seed.
pub(super) struct Shuffle(SeededEntropy);

impl Shuffle {
    pub fn new(seed: u64) -> Self {
        Shuffle(SeededEntropy::new(seed))
    }

    /// From 0, and less than 1.
    pub fn share(&self) -> f64 {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }

    fn below(&self, bound: usize) -> usize {
        ((self.share() * bound as f64) as usize).min(bound.saturating_sub(1))
    }

    /// In any order but the one they are in, unless all are alike.
    fn disorder<T: Ord>(&self, all: &mut [T]) {
        for end in (1..all.len()).rev() {
            all.swap(end, self.below(end + 1));
        }
        if all.is_sorted() {
            all.rotate_left(1);
        }
    }
}

struct OneType {
    source: Arc<Source>,
    event_type: Arc<str>,
    body: Option<Bytes>,
    /// Of every one of them.
    id: Option<Arc<str>>,
}

impl OneType {
    fn shot(&self, id: Arc<str>, at: Option<Time>, due: Duration, again: bool) -> Shot {
        let what = What::Type { event_type: self.event_type.clone(), at, body: self.body.clone() };
        Shot { source: self.source.clone(), due, what, id, again }
    }
}

fn in_order(
    kind: OneType,
    count: u32,
    times: u32,
    pace: Pace,
    entropy: &dyn Entropy,
) -> impl Iterator<Item = Row> + use<'_> {
    (0..count).map(move |nth| {
        let id = kind.id.clone().unwrap_or_else(|| fresh_id(entropy).into());
        let first = nth == 0 || kind.id.is_none();
        let due = |time: u32| pace.due(u64::from(nth) * u64::from(times) + u64::from(time));
        (0..times).map(|time| kind.shot(id.clone(), None, due(time), time > 0 || !first)).collect()
    })
}

fn disordered(
    kind: OneType,
    count: u32,
    times: u32,
    pace: Pace,
    order: Shuffle,
    now: Time,
    entropy: &dyn Entropy,
) -> impl Iterator<Item = Row> + use<> {
    let ids: Vec<Arc<str>> = (0..count).map(|_| kind.id.clone().unwrap_or_else(|| fresh_id(entropy).into())).collect();
    let mut all: Vec<u32> = (0..count).flat_map(|nth| std::iter::repeat_n(nth, times as usize)).collect();
    order.disorder(&mut all);
    let apart = APART.min(APART_IN_ALL / count);
    let mut seen = vec![false; if kind.id.is_some() { 1 } else { count as usize }];
    all.into_iter().enumerate().map(move |(place, nth)| {
        let at = now.minus(apart * (count - 1 - nth));
        let one = if kind.id.is_some() { 0 } else { nth as usize };
        let again = std::mem::replace(&mut seen[one], true);
        vec![kind.shot(ids[nth as usize].clone(), Some(at), pace.due(place as u64), again)]
    })
}

struct Chained {
    source: Arc<Source>,
    chain: &'static Chain,
    times: u32,
    pace: Pace,
    order: Option<Shuffle>,
}

/// A row for each chain.
fn chain_rows<'a>(
    chained: Chained,
    count: u32,
    clock: &'a dyn Clock,
    entropy: &'a dyn Entropy,
) -> impl Iterator<Item = Row> + use<'a> {
    let mut nth = 0;
    (0..count).map(move |_| {
        let Chained { source, chain, times, pace, order } = &chained;
        // It has just ended: nothing of it is yet to come.
        let common = Arc::new(Common { id: fresh_id(entropy), began: clock.now().minus(chain.length()) });
        let ids: Vec<Arc<str>> = chain.steps.iter().map(|_| fresh_id(entropy).into()).collect();
        let mut steps: Vec<usize> =
            (0..chain.steps.len()).flat_map(|step| std::iter::repeat_n(step, *times as usize)).collect();
        if let Some(order) = order {
            order.disorder(&mut steps);
        }
        let mut seen = vec![false; chain.steps.len()];
        let shot = |step: usize| {
            let due = pace.due(nth);
            nth += 1;
            let what = What::Step { step: &chain.steps[step], common: common.clone() };
            let again = std::mem::replace(&mut seen[step], true);
            Shot { source: source.clone(), due, what, id: ids[step].clone(), again }
        };
        steps.into_iter().map(shot).collect()
    })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn a_seed_makes_the_same_disorder_and_it_is_never_the_order() {
        for seed in 0..50 {
            let shuffled = |seed| {
                let mut all: Vec<u32> = (0..4).collect();
                Shuffle::new(seed).disorder(&mut all);
                all
            };
            let mut all = shuffled(seed);
            assert_eq!(all, shuffled(seed));
            assert!(!all.is_sorted(), "{all:?}");
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2, 3]);
        }
        let mut one = [7];
        Shuffle::new(1).disorder(&mut one);
        assert_eq!(one, [7]);
    }

    #[test]
    fn a_rate_spreads_requests_evenly() {
        let rate = Rate { count: NonZeroU32::new(50).unwrap(), per: Duration::from_secs(1) };
        let due = |nth| Pace(Some(rate)).due(nth);
        assert_eq!((due(0), due(1), due(150)), (Duration::ZERO, Duration::from_millis(20), Duration::from_secs(3)));
        assert_eq!(Pace(None).due(1_000), Duration::ZERO);
    }
}
