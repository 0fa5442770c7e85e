//! What is over but not yet in history: keys, ended deliveries, fresh routings. Each entry carries the
//! position of the record that made it and goes once history has reached that position.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use hookhaven_core::{DeliveryId, EventId, LineId, Time, Version};

use super::IdMap;
use crate::{
    history::{KeyDigest, KeyHeld, Past},
    position::Position,
    seam::NewDelivery,
};

#[derive(Debug, Default)]
pub(super) struct Recent {
    keys: IdMap<KeyDigest, (KeyHeld, Time, Position)>,
    versions: HashMap<LineId, (Version, Position)>,
    pasts: IdMap<DeliveryId, (Box<Past>, Position)>,
    pasts_of: IdMap<EventId, Vec<DeliveryId>>,
    destinations: HashMap<EventId, (Vec<Arc<str>>, Position)>,
    /// In the order of the records: what to look at when history moves on.
    queue: VecDeque<(Position, Entry)>,
}

#[derive(Debug)]
enum Entry {
    Key(KeyDigest),
    Version(LineId),
    Past(DeliveryId),
    Destinations(EventId),
}

impl Recent {
    pub fn add_key(&mut self, key: KeyDigest, held: KeyHeld, until: Time, at: Position) {
        // Of those that have the same bytes the first is remembered.
        if held.body.is_none() && self.keys.get(&key).is_some_and(|(_, known, _)| *known > until) {
            return;
        }
        self.keys.insert(key, (held, until, at));
        self.queue.push_back((at, Entry::Key(key)));
    }

    pub fn add_past(&mut self, past: Past, at: Position) {
        let (id, event) = (past.delivery.id, past.delivery.event);
        if self.pasts.insert(id, (Box::new(past), at)).is_none() {
            self.pasts_of.entry(event).or_default().push(id);
        }
        self.queue.push_back((at, Entry::Past(id)));
    }

    pub fn add_destination(&mut self, event: EventId, destination: Arc<str>, at: Position) {
        let entry = self.destinations.entry(event).or_default();
        entry.0.push(destination);
        entry.1 = at;
        self.queue.push_back((at, Entry::Destinations(event)));
    }

    /// The version of a new delivery, if it has one that is the newest of its line.
    pub fn add_version(&mut self, delivery: &NewDelivery, at: Position) {
        let Some(order) = &delivery.order else { return };
        let (Some(version), line) = (order.version(), order.line(&delivery.destination)) else { return };
        if self.newest(line).is_none_or(|newest| newest <= version) {
            self.versions.insert(line, (version, at));
            self.queue.push_back((at, Entry::Version(line)));
        }
    }

    pub fn newest(&self, line: LineId) -> Option<Version> {
        self.versions.get(&line).map(|(version, _)| *version)
    }

    pub fn key(&self, key: KeyDigest, now: Time) -> Option<KeyHeld> {
        self.keys.get(&key).filter(|(_, until, _)| *until > now).map(|(held, _, _)| *held)
    }

    pub fn past(&self, id: DeliveryId) -> Option<&Past> {
        self.pasts.get(&id).map(|(past, _)| &**past)
    }

    pub fn pasts_of(&self, event: EventId) -> impl Iterator<Item = &Past> {
        let ids = self.pasts_of.get(&event).map(Vec::as_slice).unwrap_or_default();
        ids.iter().filter_map(|id| self.past(*id))
    }

    pub fn destinations_of(&self, event: EventId) -> &[Arc<str>] {
        self.destinations.get(&event).map(|(d, _)| d.as_slice()).unwrap_or_default()
    }

    pub fn forget(&mut self, upto: Position) {
        while self.queue.front().is_some_and(|(at, _)| *at <= upto) {
            let Some((_, entry)) = self.queue.pop_front() else { return };
            match entry {
                Entry::Key(key) => {
                    if self.keys.get(&key).is_some_and(|(_, _, at)| *at <= upto) {
                        self.keys.remove(&key);
                    }
                }
                Entry::Version(line) => {
                    if self.versions.get(&line).is_some_and(|(_, at)| *at <= upto) {
                        self.versions.remove(&line);
                    }
                }
                Entry::Past(id) => self.forget_past(id, upto),
                Entry::Destinations(event) => {
                    if self.destinations.get(&event).is_some_and(|(_, at)| *at <= upto) {
                        self.destinations.remove(&event);
                    }
                }
            }
        }
    }

    fn forget_past(&mut self, id: DeliveryId, upto: Position) {
        if self.pasts.get(&id).is_none_or(|(_, at)| *at > upto) {
            return;
        }
        let Some((past, _)) = self.pasts.remove(&id) else { return };
        let event = past.delivery.event;
        if let Some(ids) = self.pasts_of.get_mut(&event) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.pasts_of.remove(&event);
            }
        }
    }
}
