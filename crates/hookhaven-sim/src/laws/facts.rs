//! What is in the store when all has come to rest, read as the API reads it.

use std::{collections::BTreeMap, sync::Arc};

use hookhaven_core::{Attempt, Delivery, DeliveryId, Event, EventId};
use hookhaven_store::{DeliveryFilter, DeliveryRow, EventFilter, EventRow, Page, Stats, Store, StoreError};

/// Longest list a run can have.
const ALL: usize = 10_000;

#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Oldest first.
    pub events: Vec<EventRow>,
    pub bodies: BTreeMap<EventId, Arc<Event>>,
    /// Oldest first.
    pub deliveries: Vec<DeliveryRow>,
    pub attempts: BTreeMap<DeliveryId, Vec<Attempt>>,
    pub dead_letters: usize,
    pub stats: Stats,
}

impl Facts {
    /// Everything there is.
    pub async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let mut events = store.events(&EventFilter::default(), Page::first(ALL)).await?;
        let mut deliveries = store.deliveries(&DeliveryFilter::default(), Page::first(ALL)).await?;
        events.reverse();
        deliveries.reverse();
        let (mut bodies, mut attempts) = (BTreeMap::new(), BTreeMap::new());
        for row in &events {
            if let Some(event) = store.event(row.id).await? {
                bodies.insert(row.id, event);
            }
        }
        for row in &deliveries {
            attempts.insert(row.delivery.id, store.attempts(row.delivery.id).await?);
        }
        let dead = DeliveryFilter { dead_letters: true, ..DeliveryFilter::default() };
        let dead_letters = store.deliveries(&dead, Page::first(ALL)).await?.len();
        // Pending, dead letters and what is due are history; the rest is of the process and its files, as is what
        // stands at naught.
        let Stats { depths, oldest_due, pending, .. } = store.stats().await?;
        let mut stats = Stats { depths, oldest_due, pending, ..Stats::default() };
        stats.depths.retain(|d| d.pending + d.leased + d.dead_letters + d.dead_letters_critical > 0);
        stats.depths.sort_by(|a, b| (&a.source, &a.destination).cmp(&(&b.source, &b.destination)));
        Ok(Facts { events, bodies, deliveries, attempts, dead_letters, stats })
    }

    /// What is not the same in the other, in words.
    pub fn differences(&self, other: &Facts) -> Vec<String> {
        let (mut differences, ours, theirs) = (Vec::new(), self.deliveries.iter(), other.deliveries.iter());
        let rows = ours.zip(theirs).filter(|(a, b)| a != b);
        differences.extend(rows.map(|(a, b)| format!("a delivery was {a:?} and is {b:?}")));
        for (id, attempts) in self.attempts.iter().filter(|(id, all)| other.attempts.get(id) != Some(all)) {
            differences.push(format!("the {} attempts of {id} are {:?}", attempts.len(), other.attempts.get(id)));
        }
        if self.stats != other.stats {
            differences.push(format!("the figures were {:?} and are {:?}", self.stats, other.stats));
        }
        let counts = |f: &Facts| (f.events.len(), f.bodies.len(), f.deliveries.len(), f.dead_letters);
        if counts(self) != counts(other) || self.events != other.events || self.bodies != other.bodies {
            differences.push(format!("there were {:?} and are {:?}", counts(self), counts(other)));
        }
        differences
    }

    pub fn all(&self) -> impl Iterator<Item = (&Delivery, &[Attempt])> {
        let attempts = |d: &Delivery| self.attempts.get(&d.id).map_or(&[][..], Vec::as_slice);
        self.deliveries.iter().map(move |row| (&row.delivery, attempts(&row.delivery)))
    }

    pub fn delivery(&self, id: DeliveryId) -> Option<&Delivery> {
        self.deliveries.iter().map(|row| &row.delivery).find(|d| d.id == id)
    }
}
