//! The live state: everything that is not yet over, as a pure function of the records applied.
//!
//! `Live` is at once the memory store's state, the result of replaying a journal, and what the writer
//! decides from. It holds every pending delivery (about 150 bytes each), idempotency keys and endings
//! that are not in the index yet, the lanes, the catalog and the counts that operators see. Event
//! bodies are not here: a delivery knows where its event lies.
//!
//! Records change it through [`Live::apply`], after they are durable and in journal order; applying one
//! twice changes nothing. Sessions and leases are not records: they die with the process, and what was
//! leased is pending again (I2, I3).
//!
//! Not here: what follows from a command (`rules`), time, files, threads.

mod apply;
mod depths;
mod lanes;
mod leases;
mod lines;
mod pending;
mod queues;
mod recent;
mod slab;
mod waiting;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use hookhaven_core::{Delivery, DeliveryId, EventId, Lane, LineId, Time, Version};

pub use self::{
    apply::{Counted, LostInARow, Recalled},
    leases::Claimed,
    pending::{Birth, BirthKind, PendingImage},
};
use self::{
    depths::Depths,
    lanes::Lanes,
    leases::Sessions,
    lines::Lines,
    pending::Pending,
    queues::{Queues, Turns},
    recent::Recent,
    slab::Slab,
};
pub(crate) use self::{depths::counted_as, waiting::DUE_AT_ONCE_US};
use crate::{
    history::{KeyDigest, KeyHeld, Past},
    position::Position,
    seam::{CatalogEntry, Depth, InLine, KeptBack, LANE_WIDTH_KIND, LaneSize},
};

/// Ids are random in their last bytes: no need to hash them again.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk::<8>() {
            self.0 = u64::from_le_bytes(*last).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn write_usize(&mut self, _: usize) {}
}

pub(crate) type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// The live state. See the module's text.
#[derive(Debug, Default)]
pub struct Live {
    pending: Slab<Pending>,
    by_id: IdMap<DeliveryId, u32>,
    lanes: Lanes,
    queues: Queues,
    lines: Lines,
    /// Deliveries whose end was asked for while they were in hand, and when.
    asked: HashMap<DeliveryId, Time>,
    /// Those of them that are in nobody's hand any more, and those that were overtaken: in no lane, to be ended.
    let_down: BTreeSet<u32>,
    sessions: Sessions,
    recent: Recent,
    depths: Depths,
    /// Deliveries that ended superseded since this began.
    superseded: u64,
    catalog: BTreeMap<(String, String), Vec<u8>>,
    kinds: Vec<Birth>,
    /// How many pending deliveries have their event in each segment.
    by_segment: BTreeMap<u32, u64>,
    /// The first segment that has not been removed.
    begins: u32,
    /// Segments up to this one are about to be removed.
    retiring: u32,
}

/// Whether something can still be done with an event, by where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Kept,
    /// Its segment is about to be removed, and it is not decided yet whether it is carried on.
    Retiring,
    Gone,
}

impl Live {
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts back dead letters that the index counts.
    pub fn restore_dead_letters(&mut self, source: &Arc<str>, destination: &Arc<str>, critical: bool, count: u64) {
        self.depths.add_dead(source, destination, critical, i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub fn restore_catalog(&mut self, entry: CatalogEntry) {
        if entry.kind == LANE_WIDTH_KIND {
            let width = std::str::from_utf8(&entry.value).ok().and_then(|text| text.parse().ok());
            self.set_width(&Lane::from_text(&entry.name), width);
        }
        self.catalog.insert((entry.kind, entry.name), entry.value);
    }

    /// Deliveries pending or leased.
    pub fn pending_len(&self) -> u64 {
        self.by_id.len() as u64
    }

    pub fn leased_len(&self) -> u64 {
        self.sessions.leased_len()
    }

    pub fn sessions_len(&self) -> u64 {
        self.sessions.len()
    }

    pub fn superseded(&self) -> u64 {
        self.superseded
    }

    pub fn depths(&self) -> Vec<Depth> {
        self.depths.all()
    }

    /// When the oldest delivery that is due fell due, by destination.
    pub fn oldest_due(&self, now: Time) -> Vec<(Arc<str>, Time)> {
        let mut oldest: BTreeMap<&Arc<str>, Time> = BTreeMap::new();
        for (due_at, slot) in self.lanes.due_heads(now) {
            let kind = &self.pending[slot].kind;
            let destination = counted_as(&kind.source, &kind.destination);
            let at = oldest.entry(destination).or_insert(due_at);
            *at = due_at.min(*at);
        }
        oldest.into_iter().map(|(d, at)| (d.clone(), at)).collect()
    }

    pub fn catalog(&self, kind: &str) -> Vec<CatalogEntry> {
        let from = (kind.to_owned(), String::new());
        let of_kind = self.catalog.range(from..).take_while(|((k, _), _)| k == kind);
        of_kind
            .map(|((kind, name), value)| CatalogEntry { kind: kind.clone(), name: name.clone(), value: value.clone() })
            .collect()
    }

    pub fn catalog_entry(&self, kind: &str, name: &str) -> Option<CatalogEntry> {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        let ((kind, name), value) = self.catalog.get_key_value(&(kind, name))?;
        Some(CatalogEntry { kind: kind.clone(), name: name.clone(), value: value.clone() })
    }

    /// A pending or leased delivery.
    pub fn pending(&self, id: DeliveryId) -> Option<Delivery> {
        self.by_id.get(&id).map(|slot| self.view(*slot))
    }

    fn view(&self, slot: u32) -> Delivery {
        let p = &self.pending[slot];
        Delivery { cancel_asked_at: self.asked.get(&p.id).copied(), ..p.view() }
    }

    /// How many of a lane there are, and how many of them are leased.
    pub fn lane_size(&self, name: &Lane) -> LaneSize {
        let Some(lane) = self.lanes.find(name) else { return LaneSize::default() };
        let leased = self.lanes.leased_in(lane);
        LaneSize { waiting: (self.lanes.members(lane) - leased) as u64, leased: leased as u64 }
    }

    /// Where a pending delivery stands in its line.
    pub fn in_line(&self, id: DeliveryId, now: Time) -> Option<InLine> {
        let p = &self.pending[*self.by_id.get(&id)?];
        let order = p.order.as_ref()?;
        let stands = self.lines.stands(order.line(&p.kind.destination), (order.turn, p.id), now)?;
        let behind = stands.behind.map(|slot| self.pending[slot].id).filter(|first| *first != id);
        Some(InLine { behind, ahead: if behind.is_some() { stands.ahead } else { 0 }, parked: stands.parked })
    }

    /// What lines keep back, by destination.
    pub fn kept_back(&self, now: Time) -> Vec<KeptBack> {
        let mut all: BTreeMap<&Arc<str>, KeptBack> = BTreeMap::new();
        for (member, kept, parked) in self.lines.kept_back(now) {
            let destination = &self.pending[member].kind.destination;
            let one = all.entry(destination).or_insert_with(|| KeptBack::none(destination.clone()));
            one.deliveries += kept;
            one.parked_lines += u64::from(parked);
        }
        all.into_values().collect()
    }

    /// The newest version of a line that is not in history yet, or has not ended.
    pub fn newest(&self, line: LineId) -> Option<Version> {
        self.lines.newest(line).max(self.recent.newest(line))
    }

    /// Where the event of a pending delivery lies.
    pub fn pending_event_at(&self, id: DeliveryId) -> Option<Position> {
        self.by_id.get(&id).map(|slot| self.pending[*slot].event_at)
    }

    /// All pending deliveries, in no order; for tests and checks.
    pub fn all_pending(&self) -> impl Iterator<Item = Delivery> + '_ {
        self.by_id.values().map(|slot| self.view(*slot))
    }

    /// The event that holds this key, if it was accepted too recently for history to know.
    pub fn recent_key(&self, key: KeyDigest, now: Time) -> Option<KeyHeld> {
        self.recent.key(key, now)
    }

    /// A delivery that ended, or changed after its end, too recently for history to know.
    pub fn recent_past(&self, id: DeliveryId) -> Option<&Past> {
        self.recent.past(id)
    }

    pub fn recent_pasts_of(&self, event: EventId) -> impl Iterator<Item = &Past> {
        self.recent.pasts_of(event)
    }

    /// Destinations the event got a delivery for, too recently for history to know.
    pub fn recent_destinations_of(&self, event: EventId) -> &[Arc<str>] {
        self.recent.destinations_of(event)
    }

    /// History knows everything up to and including `upto`: what only bridged the gap may go.
    pub fn forget(&mut self, upto: Position) {
        self.recent.forget(upto);
    }

    /// What lies before this segment has gone.
    pub fn set_begins(&mut self, segment: u32) {
        self.begins = self.begins.max(segment);
    }

    /// The first segment that has not been removed.
    pub fn begins(&self) -> u32 {
        self.begins
    }

    /// From now on nothing new begins with events in segments up to this one.
    pub fn retire(&mut self, upto: u32) {
        self.retiring = self.retiring.max(upto);
    }

    pub fn standing(&self, event_at: Position) -> Standing {
        // A store without a journal has everything in segment 0, and removes none.
        match event_at.segment {
            n if n < self.begins => Standing::Gone,
            n if n > 0 && n <= self.retiring => Standing::Retiring,
            _ => Standing::Kept,
        }
    }

    /// Pending deliveries whose events lie in segments up to this one.
    pub fn pending_upto(&self, segment: u32) -> u64 {
        self.by_segment.range(..=segment).map(|(_, n)| n).sum()
    }

    fn count_in(&mut self, segment: u32) {
        *self.by_segment.entry(segment).or_default() += 1;
    }

    fn discount_in(&mut self, segment: u32) {
        if let Some(n) = self.by_segment.get_mut(&segment) {
            *n -= 1;
            if *n == 0 {
                self.by_segment.remove(&segment);
            }
        }
    }
}
