//! Accepting: events gather while others are committed, and go to the database together, each with its key
//! and its deliveries, in one statement that is one transaction (I1).
//!
//! The key's unique index is what decides, on any number of nodes: who inserts it has the event, and who
//! meets a key that somebody is just inserting waits for that commit. Keys are sorted, so that two batches
//! cannot wait for each other. An expired key is taken over in place. What lost is a duplicate, and is looked
//! at afterwards, in a statement that sees the commit it lost to.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use hookhaven_core::{DeliveryId, EventId};
use tokio::sync::oneshot;
use tokio_postgres::types::Type;

use super::{
    Shared,
    events::Events,
    pool::Mode,
    queue::{self, Job},
    rows::{At, Uuid},
    slices,
    trouble::{Kind, Trouble},
};
use crate::{
    history::KeyDigest,
    live::counted_as,
    seam::{Accepted, NewEvent, Replayed, StoreError},
};

/// How often a batch is tried that was undone for the sake of another.
const TRIES: usize = 4;

/// An event and who waits for what became of it.
#[derive(Debug)]
pub(super) struct Offer {
    pub new: NewEvent,
    pub digest: KeyDigest,
    /// It is the next of the same call, which puts something into a queue: in their order.
    with_last: bool,
    pub answer: oneshot::Sender<Result<Accepted, StoreError>>,
}

impl Job for Offer {
    fn bytes(&self) -> usize {
        self.new.event.body.len()
    }

    fn with_last(&self) -> bool {
        self.with_last
    }
}

impl Offer {
    /// The offers of one call.
    pub fn all(events: Vec<NewEvent>) -> (Vec<Self>, Vec<oneshot::Receiver<Result<Accepted, StoreError>>>) {
        let together = events.iter().flat_map(|new| &new.deliveries).any(|delivery| delivery.lane.is_queue());
        let offer = |(n, new): (usize, NewEvent)| {
            let (answer, answered) = oneshot::channel();
            let digest = KeyDigest::of(&new.event.source, &new.event.idempotency_key);
            (Offer { new, digest, with_last: together && n > 0, answer }, answered)
        };
        events.into_iter().enumerate().map(offer).unzip()
    }

    /// Whoever waited may have gone.
    fn tell(self, what: Result<Accepted, StoreError>) {
        let _ = self.answer.send(what);
    }
}

/// Commits batch after batch until the queue is closed.
pub(super) async fn committer(shared: Arc<Shared>) {
    let mut left = Vec::new();
    while let Some(batch) = shared.accepts.take(std::mem::take(&mut left)).await {
        left = shared.commit_offers(batch).await;
    }
}

impl Shared {
    /// Answers what is offered, and gives back what has to wait for the next batch: the same key again.
    async fn commit_offers(&self, offers: Vec<Offer>) -> Vec<Offer> {
        let (mut batch, mut later) = queue::once_each(offers, |offer| offer.digest);
        batch.sort_unstable_by_key(|offer| offer.digest);
        let mut lost = self.without_room(&mut batch);
        match self.store(&batch).await {
            Ok(stored) => {
                let mut made = 0;
                for offer in batch {
                    if stored.contains(&offer.new.event.id) {
                        made += offer.new.deliveries.len();
                        offer.tell(Ok(Accepted::New { twin: None }));
                    } else {
                        lost.push(offer);
                    }
                }
                if made > 0 {
                    self.wake.more();
                }
            }
            Err(trouble) if trouble.kind == Kind::Failed && batch.len() > 1 => {
                // One of them cannot be stored; the others must not suffer for it, nor their order.
                batch.sort_unstable_by_key(|offer| offer.new.deliveries.first().map(|delivery| delivery.id));
                for offer in batch {
                    match self.store(std::slice::from_ref(&offer)).await {
                        Ok(stored) if stored.is_empty() => lost.push(offer),
                        Ok(_) => {
                            self.wake.more();
                            offer.tell(Ok(Accepted::New { twin: None }));
                        }
                        Err(trouble) => offer.tell(Err(trouble.into())),
                    }
                }
            }
            Err(trouble) => {
                for offer in batch {
                    offer.tell(Err(trouble.clone().into()));
                }
            }
        }
        later.extend(self.answer_duplicates(lost).await);
        later
    }

    /// Takes out of a batch what there is no room for. A duplicate needs none.
    fn without_room(&self, batch: &mut Vec<Offer>) -> Vec<Offer> {
        let mut room = self.pending.room();
        let (fits, without) = std::mem::take(batch).into_iter().partition(|offer: &Offer| {
            let wanted = offer.new.deliveries.len() as u64;
            let fits = wanted <= room;
            room -= if fits { wanted } else { 0 };
            fits
        });
        *batch = fits;
        without
    }

    /// The events of those that were stored: the others' keys are taken.
    async fn store(&self, batch: &[Offer]) -> Result<HashSet<EventId>, Trouble> {
        if batch.is_empty() {
            return Ok(HashSet::new());
        }
        let days = || batch.iter().map(|offer| slices::of_event(offer.new.event.id));
        self.slices.ensure(&self.work, days()).await?;
        let sorted: Vec<_> = batch.iter().map(|offer| (offer.digest, &offer.new)).collect();
        let events = Events::of(&sorted, self.now());
        for _ in 1..TRIES {
            let mut connection = self.work.get().await?;
            match events.store(&mut connection).await {
                Err(trouble) if trouble.kind == Kind::NoSlice => {
                    drop(connection);
                    self.slices.forget();
                    self.slices.ensure(&self.work, days()).await?;
                }
                Err(trouble) if trouble.kind == Kind::Again => {}
                done => return Ok(self.note_stored(batch.iter().map(|offer| &offer.new), done?)),
            }
        }
        let done = events.store(&mut self.work.get().await?).await?;
        Ok(self.note_stored(batch.iter().map(|offer| &offer.new), done))
    }

    pub(super) fn note_stored<'a>(
        &self,
        events: impl Iterator<Item = &'a NewEvent>,
        ids: HashSet<EventId>,
    ) -> HashSet<EventId> {
        for NewEvent { event, deliveries, .. } in events.filter(|new| ids.contains(&new.event.id)) {
            self.pending.add(deliveries.len());
            for delivery in deliveries {
                self.seen.note(&event.source, counted_as(&event.source, &delivery.destination));
                self.heads().add(&delivery.lane, delivery.due_at);
            }
        }
        ids
    }

    /// Tells each whose key is taken what it repeats, having revived what is dead of it (I8). Gives back
    /// those whose key is free again by now.
    async fn answer_duplicates(&self, offers: Vec<Offer>) -> Vec<Offer> {
        if offers.is_empty() {
            return offers;
        }
        let holders = match self.holders(&offers).await {
            Ok(holders) => holders,
            Err(trouble) => {
                for offer in offers {
                    offer.tell(Err(trouble.clone().into()));
                }
                return Vec::new();
            }
        };
        let mut free = Vec::new();
        for offer in offers {
            match holders.get(&offer.digest) {
                Some((event, dead)) => {
                    let revived = if offer.new.revives { self.revive(dead).await } else { Ok(Vec::new()) };
                    offer.tell(revived.map(|revived| Accepted::Duplicate {
                        event: *event,
                        revived,
                        other_bytes: false,
                    }));
                }
                None if self.pending.room() < offer.new.deliveries.len() as u64 => {
                    let full = self.pending.full();
                    offer.tell(Err(full));
                }
                None => free.push(offer),
            }
        }
        free
    }

    /// The events that hold these keys, with their dead letters.
    async fn holders(&self, offers: &[Offer]) -> Result<HashMap<KeyDigest, (EventId, Vec<DeliveryId>)>, Trouble> {
        let digests: Vec<Uuid> = offers.iter().map(|offer| Uuid(offer.digest.0)).collect();
        let sql = "SELECT digest, event FROM hookhaven.keys WHERE digest = ANY($1) AND until > $2";
        let args: super::pool::Args<'_> = &[(&digests, Type::UUID_ARRAY), (&At(self.now()), Type::TIMESTAMPTZ)];
        let rows = self.work.once(Mode::Read, sql, args).await?;
        let mut holders = HashMap::new();
        for row in &rows {
            let (digest, event): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
            holders.insert(KeyDigest(digest.0), (event.event(), Vec::new()));
        }
        let events: Vec<Uuid> = holders.values().map(|(event, _)| Uuid::from(*event)).collect();
        let slices = slices::of_events(events.iter().map(|event| event.event()));
        let sql = "SELECT event, id FROM hookhaven.ended WHERE event = ANY($1) AND slice = ANY($2) \
            AND state = 3 AND replaced_by IS NULL AND dismissed_at IS NULL";
        let args: super::pool::Args<'_> = &[(&events, Type::UUID_ARRAY), (&slices, Type::INT4_ARRAY)];
        let mut dead: HashMap<EventId, Vec<DeliveryId>> = HashMap::new();
        for row in &self.work.once(Mode::Read, sql, args).await? {
            let (event, id): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
            dead.entry(event.event()).or_default().push(id.delivery());
        }
        for (event, letters) in holders.values_mut() {
            *letters = dead.remove(event).unwrap_or_default();
        }
        Ok(holders)
    }

    async fn revive(&self, dead: &[DeliveryId]) -> Result<Vec<DeliveryId>, StoreError> {
        if dead.is_empty() {
            return Ok(Vec::new());
        }
        let replayed = self.replay(dead).await?;
        let new = |replayed: Replayed| match replayed {
            Replayed::New(id) => Some(id),
            _ => None,
        };
        Ok(replayed.into_iter().filter_map(new).collect())
    }
}
