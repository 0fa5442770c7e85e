//! One step of a job: a few of what it is about, done and counted. Safe to take twice.

use std::sync::Arc;

use hookhaven_core::{
    DeliveryId, EventId, Lane, Policy, Time, destination::DestinationState, job::Mark, retry::RetryPolicy,
};
use hookhaven_store::{
    Cancelled, DeliveryFilter, Dismissed, NewDelivery, Page, Redelivered, Redelivery, ReplayAs, Replayed, Store,
    StoreError,
};

use super::{
    is_own,
    kept::Counts,
    spec::Spec,
    walk::{Item, ROWS_MAX},
};
use crate::config::{
    Config,
    parse::{DEADLINE, MAX_AGE},
};

/// What a step came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stepped {
    pub counts: Counts,
    /// The first delivery that this job made, in this step or when it took it before.
    pub first: Option<DeliveryId>,
}

/// Does these, all of one kind or of several.
///
/// What the job itself had done before, cut off by a crash, is not counted again: see [`made`].
pub async fn act(
    store: &dyn Store,
    config: &Config,
    spec: &Spec,
    items: &[Item],
    now: Time,
) -> Result<Stepped, StoreError> {
    let mut stepped = Stepped::default();
    let (mut replays, mut sends, mut dismissals, mut cancels) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for item in items {
        match item {
            Item::Replay(id) => replays.push(ReplayAs { delivery: *id, new: spec.id.replay_of(*id) }),
            Item::Send { event, source } => {
                if let Some(delivery) = sent(config, spec, *event, source, now) {
                    sends.push(Redelivery { event: *event, delivery });
                }
            }
            Item::Dismiss(id) => dismissals.push(*id),
            Item::Cancel(id) => cancels.push(*id),
        }
    }
    if !replays.is_empty() {
        let answers = store.replay_as(&replays).await?;
        replays.iter().zip(answers).for_each(|(replay, answer)| stepped.replayed(replay, &answer));
    }
    if !sends.is_empty() {
        let ids: Vec<_> = sends.iter().map(|send| send.delivery.id).collect();
        for (id, answer) in ids.into_iter().zip(store.redeliver(sends).await?) {
            match answer {
                Redelivered::New => stepped.counts.done += 1,
                Redelivered::Already => {}
                Redelivered::Unknown => stepped.counts.unknown += 1,
            }
            if answer != Redelivered::Unknown {
                stepped.first.get_or_insert(id);
            }
        }
    }
    if !dismissals.is_empty() {
        for answer in store.dismiss(&dismissals).await? {
            *match answer {
                Dismissed::Done => &mut stepped.counts.done,
                Dismissed::NotDeadLetter => &mut stepped.counts.already,
                Dismissed::Unknown => &mut stepped.counts.unknown,
            } += 1;
        }
    }
    if !cancels.is_empty() {
        for answer in store.cancel(&cancels).await? {
            *match answer {
                Cancelled::Done | Cancelled::Asked => &mut stepped.counts.done,
                Cancelled::Before => &mut stepped.counts.already,
                Cancelled::Unknown => &mut stepped.counts.unknown,
            } += 1;
        }
    }
    Ok(stepped)
}

impl Stepped {
    /// The same with what a further step came to.
    pub fn add(&mut self, more: Stepped) {
        self.counts.add(more.counts);
        self.first = self.first.or(more.first);
    }

    fn replayed(&mut self, replay: &ReplayAs, answer: &Replayed) {
        match answer {
            Replayed::New(_) => self.counts.done += 1,
            Replayed::Already(by) if *by == replay.new => {}
            Replayed::Already(_) => self.counts.already += 1,
            Replayed::NotEnded => self.counts.refused += 1,
            Replayed::Unknown => self.counts.unknown += 1,
        }
        if matches!(answer, Replayed::New(by) | Replayed::Already(by) if *by == replay.new) {
            self.first.get_or_insert(replay.new);
        }
    }
}

/// Whether a job's destination takes deliveries now; if not, why.
pub fn destination_works(config: &Config, spec: &Spec) -> Result<(), String> {
    let Some(to) = &spec.order.to else { return Ok(()) };
    match config.destinations.get(&**to) {
        None => Err(format!("the destination {to:?} is not in the configuration any more")),
        Some(d) if d.state == DestinationState::Disabled => Err(format!("the destination {to:?} is disabled")),
        Some(_) => Ok(()),
    }
}

/// A delivery of an event to the job's destination. Not in a line: whoever sends old events elsewhere wants all of
/// them there.
fn sent(config: &Config, spec: &Spec, event: EventId, source: &Arc<str>, now: Time) -> Option<NewDelivery> {
    let to = spec.order.to.as_deref()?;
    Some(NewDelivery {
        id: spec.id.delivery_of(event, to),
        destination: to.into(),
        lane: Lane::of_destination(to),
        route: Mark { job: spec.id, new_key: spec.order.new_key }.route(),
        policy: policy(config, source, to),
        due_at: now,
        order: None,
    })
}

/// Of the first route from that source to that destination; else what routes have unless they say otherwise.
fn policy(config: &Config, source: &str, to: &str) -> Arc<Policy> {
    let route = config.routes.iter().find(|route| &*route.source == source && route.to.iter().any(|d| &**d == to));
    let default = || Policy { retry: RetryPolicy::default(), deadline: DEADLINE, max_age: MAX_AGE, critical: false };
    route.map_or_else(|| Arc::new(default()), |route| route.policy.clone())
}

/// How many deliveries the job has made by now, whoever ran it, and one of them: what a crash kept from being written
/// down.
pub async fn made(store: &dyn Store, spec: &Spec) -> Result<(u64, Option<DeliveryId>), StoreError> {
    let (mut after, mut made, mut one) = (spec.id.before_its_own(), 0, None);
    let filter = DeliveryFilter { destination: spec.order.to.clone(), ..DeliveryFilter::default() };
    loop {
        let page = Page { after: Some(after), limit: ROWS_MAX, oldest_first: true };
        let rows = store.deliveries(&filter, page).await?;
        for row in rows.iter().filter(|row| is_own(spec.id, &row.delivery)) {
            made += 1;
            one = one.or(Some(row.delivery.id));
        }
        let last = rows.last().filter(|_| rows.len() == ROWS_MAX).map(|row| row.delivery.id);
        match last {
            Some(last) if spec.id.may_have_made(last) => after = last,
            _ => return Ok((made, one)),
        }
    }
}
