//! Everything that happened, in plain maps: the reference for every index.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use hookhaven_core::{
    Attempt, Delivery, DeliveryId, DeliveryState, Event, EventId, LineId, Time, Version, event::PUBLISHED, glob,
};

use crate::{
    history::{History, KeyDigest, KeyHeld, Past, PastEvent, keys_of},
    live::Live,
    position::Position,
    record::Record,
    seam::{
        AttemptAt, AttemptRow, DeadLetter, DeliveryFilter, DeliveryRow, EventFilter, EventRow, Hit, LastAttempt,
        Needle, NewDelivery, Page, STRETCH_BYTES_MAX, STRETCH_EVENTS_MAX, Searched, Step, StepFilter, StepKind,
        StoreError,
    },
};

#[derive(Debug, Default)]
pub(super) struct Maps {
    events: BTreeMap<EventId, Arc<Event>>,
    keys: HashMap<KeyDigest, (KeyHeld, Time)>,
    versions: HashMap<LineId, Version>,
    deliveries: BTreeMap<DeliveryId, Delivery>,
    of_event: HashMap<EventId, Vec<DeliveryId>>,
    attempts: HashMap<DeliveryId, Vec<Attempt>>,
    steps: VecDeque<Step>,
    last_step: u64,
}

impl Maps {
    /// After `live` has applied it.
    pub fn apply(&mut self, record: &Record, live: &Live) {
        match record {
            Record::Accepted { event, key_until, deliveries } => {
                for (key, held) in keys_of(event) {
                    self.keys.insert(key, (held, *key_until));
                }
                self.events.insert(event.id, event.clone());
                for d in deliveries {
                    self.raise(d);
                    self.refresh(d.id, live);
                    self.step(d.id, event.received_at, StepKind::Accepted);
                }
            }
            Record::Settled(settled) => {
                if let Some(attempt) = &settled.attempt {
                    self.attempts.entry(settled.delivery).or_default().push(Attempt::clone(attempt));
                }
                self.refresh(settled.delivery, live);
                let kind = settled.attempt.as_ref().map_or(StepKind::Ended, |a| StepKind::Attempted(a.number));
                self.step(settled.delivery, settled.at, kind);
            }
            Record::CancelAsked { at, delivery } => {
                self.refresh(*delivery, live);
                self.step(*delivery, *at, StepKind::CancelAsked);
            }
            Record::Redelivered { at, replaces, delivery, .. } => {
                self.refresh(delivery.id, live);
                self.step(delivery.id, *at, StepKind::Accepted);
                if let Some(old) = replaces {
                    self.refresh(*old, live);
                }
            }
            Record::Dismissed { delivery, .. } => self.refresh(*delivery, live),
            Record::CatalogPut { .. } | Record::CatalogDeleted { .. } => {}
            // Nothing here has a place that it could be moved from.
            Record::Carried(_) | Record::CarriedKeys { .. } | Record::Removed(_) => {}
        }
    }

    fn raise(&mut self, delivery: &NewDelivery) {
        let Some(order) = &delivery.order else { return };
        if let Some(version) = order.version() {
            let newest = self.versions.entry(order.line(&delivery.destination)).or_insert(version);
            *newest = version.max(*newest);
        }
    }

    /// Of a published delivery.
    fn step(&mut self, delivery: DeliveryId, at: Time, kind: StepKind) {
        if self.deliveries.get(&delivery).is_some_and(|d| &*d.source == PUBLISHED) {
            self.last_step += 1;
            self.steps.push_back(Step { number: self.last_step, at, delivery, kind });
        }
    }

    pub fn steps(&self, filter: &StepFilter, page: Page<u64>) -> Vec<Step> {
        let wanted = |step: &&Step| {
            filter.since.is_none_or(|since| step.at >= since) && filter.until.is_none_or(|until| step.at < until)
        };
        let steps = self.steps.iter().filter(wanted);
        page_of(steps, page, |step| step.number).copied().collect()
    }

    fn refresh(&mut self, id: DeliveryId, live: &Live) {
        let now = live.pending(id).or_else(|| live.recent_past(id).map(|past| past.delivery.clone()));
        let Some(delivery) = now else { return };
        let event = delivery.event;
        if self.deliveries.insert(id, delivery).is_none() {
            self.of_event.entry(event).or_default().push(id);
        }
    }

    pub fn oldest_event(&self) -> Option<Time> {
        self.events.values().next().map(|e| e.received_at)
    }

    /// Dead letters that died before then.
    pub fn dead_letters_before(&self, before: Time) -> Vec<DeliveryId> {
        let old = |d: &&Delivery| d.is_dead_letter() && d.ended_at.is_some_and(|at| at < before);
        self.deliveries.values().filter(old).map(|d| d.id).collect()
    }

    /// Those that died last, the latest first.
    pub fn newest_dead_letters(&self, limit: usize) -> Vec<DeadLetter> {
        let letters = self.deliveries.values().filter(|d| d.is_dead_letter());
        let mut all: Vec<_> =
            letters.filter_map(|d| d.ended_at.map(|died_at| DeadLetter { id: d.id, died_at })).collect();
        all.sort_unstable_by_key(|letter| Reverse((letter.died_at, letter.id)));
        all.truncate(limit);
        all
    }

    /// Drops events received before then of which everything is over, with all that became of them.
    pub fn forget_events(&mut self, before: Time) -> u64 {
        let over = |d: &Delivery| d.state.is_final() && !d.is_dead_letter();
        let all_over = |id| self.ids_of(id).iter().filter_map(|d| self.deliveries.get(d)).all(over);
        let old: Vec<_> = self.events.values().filter(|e| e.received_at < before).map(|e| e.id).collect();
        let gone: Vec<_> = old.into_iter().filter(|id| all_over(*id)).collect();
        for id in &gone {
            self.events.remove(id);
            for delivery in self.of_event.remove(id).unwrap_or_default() {
                self.deliveries.remove(&delivery);
                self.attempts.remove(&delivery);
            }
        }
        let oldest = self.oldest_event().map_or(before, |at| at.min(before));
        while self.steps.front().is_some_and(|step| step.at < oldest) {
            self.steps.pop_front();
        }
        gone.len() as u64
    }

    pub fn forget_keys(&mut self, now: Time) -> u64 {
        let before = self.keys.len();
        self.keys.retain(|_, (_, until)| *until > now);
        (before - self.keys.len()) as u64
    }

    fn ids_of(&self, event: EventId) -> &[DeliveryId] {
        self.of_event.get(&event).map(Vec::as_slice).unwrap_or_default()
    }

    pub fn event(&self, id: EventId) -> Option<Arc<Event>> {
        self.events.get(&id).cloned()
    }

    pub fn events(&self, filter: &EventFilter, page: Page<EventId>, live: &Live) -> Vec<EventRow> {
        self.sought(filter, page, live).map(|e| self.event_row(e)).collect()
    }

    fn sought<'a>(
        &'a self,
        filter: &'a EventFilter,
        page: Page<EventId>,
        live: &'a Live,
    ) -> impl Iterator<Item = &'a Arc<Event>> {
        let wanted = move |e: &&Arc<Event>| event_matches(e, filter) && self.deliveries_match(e.id, filter, live);
        page_of(self.events.values().filter(wanted), page, |e| e.id)
    }

    fn deliveries_match(&self, event: EventId, filter: &EventFilter, live: &Live) -> bool {
        let ids = self.ids_of(event);
        let is_meant = |d: &Delivery| {
            is(&filter.destination, &d.destination) && filter.state.is_none_or(|s| waiting(d.state) == waiting(s))
        };
        let any = || ids.iter().filter_map(|id| self.row(*id, live)).any(|row| is_meant(&row.delivery));
        (!filter.unrouted || ids.is_empty()) && (filter.destination.is_none() && filter.state.is_none() || any())
    }

    /// The next stretch of a search.
    pub fn search(&self, text: &Needle, filter: &EventFilter, after: Option<EventId>, live: &Live) -> Searched {
        let mut searched = Searched::default();
        let mut last = None;
        for event in self.sought(filter, Page { after, limit: usize::MAX, oldest_first: false }, live) {
            if searched.events == STRETCH_EVENTS_MAX as u64 || searched.bytes >= STRETCH_BYTES_MAX {
                searched.upto = last;
                break;
            }
            searched.events += 1;
            searched.bytes += event.body.len() as u64;
            last = Some(event.id);
            let hit = text.seek(&event.body).map(|place| Hit { event: self.event_row(event), place });
            searched.hits.extend(hit);
        }
        searched
    }

    fn event_row(&self, e: &Event) -> EventRow {
        EventRow::of(e, u32::try_from(self.ids_of(e.id).len()).unwrap_or(u32::MAX))
    }

    pub fn deliveries(&self, filter: &DeliveryFilter, page: Page<DeliveryId>, live: &Live) -> Vec<DeliveryRow> {
        let rows = self.deliveries.keys().filter_map(|id| self.row(*id, live));
        let key = |row: &DeliveryRow| self.events.get(&row.delivery.event).map(|e| e.idempotency_key.clone());
        let wanted = |row: &DeliveryRow| delivery_matches(row, || key(row), filter);
        page_of(rows.filter(wanted), page, |row| row.delivery.id).collect()
    }

    pub fn row(&self, id: DeliveryId, live: &Live) -> Option<DeliveryRow> {
        let delivery = live.pending(id).or_else(|| self.deliveries.get(&id).cloned())?;
        let last = self.attempts.get(&id).and_then(|all| all.last()).map(|a| LastAttempt {
            at: a.started_at,
            class: a.class,
            status: a.status,
            error: a.error.clone(),
        });
        Some(DeliveryRow { delivery, last })
    }

    pub fn attempts(&self, id: DeliveryId) -> Vec<Attempt> {
        self.attempts.get(&id).cloned().unwrap_or_default()
    }

    pub fn attempts_after(&self, after: AttemptAt, limit: usize, live: &Live) -> Vec<AttemptRow> {
        let all = self.attempts.values().flatten().map(|a| (AttemptAt::of(a), a));
        let later: BTreeMap<AttemptAt, &Attempt> = all.filter(|(at, _)| *at > after).collect();
        let row = |a: &Attempt| self.row(a.delivery, live).map(|row| AttemptRow::of(a, row.delivery));
        later.into_values().filter_map(row).take(limit).collect()
    }
}

impl History for Maps {
    fn key(&self, key: KeyDigest, now: Time) -> Result<Option<KeyHeld>, StoreError> {
        Ok(self.keys.get(&key).filter(|(_, until)| *until > now).map(|(held, _)| *held))
    }

    fn newest(&self, line: LineId) -> Result<Option<Version>, StoreError> {
        Ok(self.versions.get(&line).copied())
    }

    fn delivery(&self, id: DeliveryId) -> Result<Option<Past>, StoreError> {
        let past = |d: &Delivery| Past { delivery: d.clone(), event_at: Position::NONE };
        Ok(self.deliveries.get(&id).map(past))
    }

    fn dead_letters_of(&self, event: EventId) -> Result<Vec<Past>, StoreError> {
        let all = self.ids_of(event).iter().filter_map(|id| self.deliveries.get(id));
        let dead = all.filter(|d| d.is_dead_letter());
        Ok(dead.map(|d| Past { delivery: d.clone(), event_at: Position::NONE }).collect())
    }

    fn event(&self, id: EventId) -> Result<Option<PastEvent>, StoreError> {
        let past = |e: &Arc<Event>| PastEvent {
            source: e.source.clone(),
            event_type: e.event_type.clone(),
            event_at: Position::NONE,
        };
        Ok(self.events.get(&id).map(past))
    }

    fn destinations_of(&self, event: EventId) -> Result<Vec<Arc<str>>, StoreError> {
        let all = self.ids_of(event).iter().filter_map(|id| self.deliveries.get(id));
        Ok(all.map(|d| d.destination.clone()).collect())
    }
}

/// A page of what comes in the order of its ids.
fn page_of<'a, T: 'a, I: Ord + Copy + 'a>(
    rows: impl DoubleEndedIterator<Item = T> + 'a,
    page: Page<I>,
    id: impl Fn(&T) -> I + 'a,
) -> Box<dyn Iterator<Item = T> + 'a> {
    let beyond = move |row: &T| match (page.after, page.oldest_first) {
        (None, _) => true,
        (Some(after), true) => id(row) > after,
        (Some(after), false) => id(row) < after,
    };
    match page.oldest_first {
        true => Box::new(rows.filter(beyond).take(page.limit)),
        false => Box::new(rows.rev().filter(beyond).take(page.limit)),
    }
}

fn is(wanted: &Option<String>, value: &str) -> bool {
    wanted.as_deref().is_none_or(|w| w == value)
}

/// As stores that seek by id have it.
const MINTED_WITHIN: Duration = Duration::from_secs(2);

fn is_type(wanted: &Option<String>, value: &str) -> bool {
    wanted.as_deref().is_none_or(|pattern| glob::matches(pattern, value))
}

fn waiting(state: DeliveryState) -> DeliveryState {
    if state == DeliveryState::Leased { DeliveryState::Pending } else { state }
}

fn event_matches(e: &Event, f: &EventFilter) -> bool {
    f.id.is_none_or(|id| e.id == id)
        && is(&f.source, &e.source)
        && is_type(&f.event_type, &e.event_type)
        && is(&f.idempotency_key, &e.idempotency_key)
        && f.since.is_none_or(|t| e.received_at >= t)
        && f.until.is_none_or(|t| e.received_at < t)
}

fn delivery_matches(row: &DeliveryRow, key: impl FnOnce() -> Option<Arc<str>>, f: &DeliveryFilter) -> bool {
    let d = &row.delivery;
    let at = if f.dead_letters { d.ended_at.unwrap_or(d.accepted_at) } else { d.accepted_at };
    f.event.is_none_or(|id| d.event == id)
        && is(&f.source, &d.source)
        && is(&f.destination, &d.destination)
        && is(&f.route, &d.route)
        && f.lane.as_ref().is_none_or(|lane| d.lane == *lane)
        && is_type(&f.event_type, &d.event_type)
        && f.state.is_none_or(|s| waiting(d.state) == waiting(s))
        && (!f.dead_letters || d.is_dead_letter())
        && f.class.is_none_or(|class| row.last.as_ref().is_some_and(|last| last.class == class))
        && f.status.is_none_or(|status| row.last.as_ref().is_some_and(|last| last.status == Some(status)))
        && f.since.is_none_or(|t| at >= t)
        && (f.dead_letters || f.minted_since.or(f.since).is_none_or(|t| d.id.minted_at() >= t.minus(MINTED_WITHIN)))
        && f.until.is_none_or(|t| at < t)
        && f.idempotency_key.as_deref().is_none_or(|wanted| key().is_some_and(|key| &*key == wanted))
}
