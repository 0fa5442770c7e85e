//! Accepting: events gather while others are committed, and go to the database together, each with its key
//! and its deliveries, in one statement that is one transaction (I1).
//!
//! The key's unique index is what decides, on any number of nodes: who inserts it has the event, and who
//! meets a key that somebody is just inserting waits for that commit. Keys are sorted, so that two batches
//! cannot wait for each other. An expired key is taken over in place. What lost is a duplicate, and is looked
//! at afterwards, in a statement that sees the commit it lost to.
//!
//! A batch in which something must be judged before it is stored takes a few statements more (`judge`).

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use hookhaven_core::{DeliveryId, EventId};
use tokio_postgres::types::Type;

use super::{
    Shared,
    events::Events,
    judge,
    offer::{Fate, Offer, apart},
    pool::{Args, Mode},
    rows::{At, Uuid},
    slices,
    trouble::{Kind, Trouble},
};
use crate::{
    history::{KeyDigest, KeyHeld},
    live::counted_as,
    seam::{Accepted, NewEvent, Replayed, StoreError},
};

/// How often a batch is tried that was undone for the sake of another.
const TRIES: usize = 4;
/// Between the beginnings of batches: a sender waits for it.
pub(super) const APART: Duration = Duration::from_millis(1);

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
        let (mut batch, mut later) = apart(offers);
        let without = self.without_room(&mut batch);
        let lost = |offer: Offer| (vec![Fate::Lost; offer.events.len()], offer);
        let mut known: Vec<_> = without.into_iter().map(lost).collect();
        match self.store(&batch).await {
            Ok(fates) => known.extend(self.tell_fates(batch, fates)),
            Err(trouble) if trouble.kind == Kind::Failed && batch.len() > 1 => {
                // One of them cannot be stored; the others must not suffer for it, nor the order: as given in lines,
                // as their ids have it in queues.
                if !batch.iter().any(Offer::must_be_judged) {
                    let first = |offer: &Offer| offer.events.first()?.deliveries.first().map(|delivery| delivery.id);
                    batch.sort_unstable_by_key(first);
                }
                for offer in batch {
                    match self.store(std::slice::from_ref(&offer)).await {
                        Ok(fates) => known.extend(self.tell_fates(vec![offer], fates)),
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
        later.extend(self.answer_duplicates(known).await);
        later
    }

    /// Answers those of which everything is said, and gives back the others.
    fn tell_fates(&self, batch: Vec<Offer>, fates: Vec<Vec<Fate>>) -> Vec<(Vec<Fate>, Offer)> {
        let mut made = 0;
        let mut known = Vec::new();
        for (offer, fates) in batch.into_iter().zip(fates) {
            let new = offer.events.iter().zip(&fates).filter(|(_, fate)| matches!(fate, Fate::New { .. }));
            made += new.map(|(new, _)| new.deliveries.len()).sum::<usize>();
            let said: Option<Vec<_>> = fates.iter().map(|fate| fate.said()).collect();
            match said {
                Some(said) => offer.tell(Ok(said)),
                None => known.push((fates, offer)),
            }
        }
        if made > 0 {
            self.wake.more();
        }
        known
    }

    /// Takes out of a batch what there is no room for. A duplicate needs none.
    fn without_room(&self, batch: &mut Vec<Offer>) -> Vec<Offer> {
        let mut room = self.pending.room();
        let (fits, without) = std::mem::take(batch).into_iter().partition(|offer: &Offer| {
            let wanted = offer.deliveries();
            let fits = wanted <= room;
            room -= if fits { wanted } else { 0 };
            fits
        });
        *batch = fits;
        without
    }

    /// What became of each event.
    async fn store(&self, batch: &[Offer]) -> Result<Vec<Vec<Fate>>, Trouble> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let days = || batch.iter().flat_map(|offer| &offer.events).map(|new| slices::of_event(new.event.id));
        self.slices.ensure(&self.work, days()).await?;
        let judged = batch.iter().any(Offer::must_be_judged);
        let mut tries = 1;
        loop {
            let done = if judged { self.judge(batch).await } else { self.store_plain(batch).await };
            match done {
                Err(trouble) if trouble.kind == Kind::NoSlice && tries < TRIES => {
                    self.slices.forget();
                    self.slices.ensure(&self.work, days()).await?;
                }
                Err(trouble) if trouble.kind == Kind::Again && tries < TRIES => {}
                done => return done,
            }
            tries += 1;
        }
    }

    /// In one statement: each offer is one event.
    async fn store_plain(&self, batch: &[Offer]) -> Result<Vec<Vec<Fate>>, Trouble> {
        let each = batch.iter().flat_map(|offer| offer.keys.iter().copied().zip(&offer.events));
        let mut sorted: Vec<_> = each.collect();
        sorted.sort_unstable_by_key(|(key, _)| *key);
        let stored = Events::of(&sorted, self.now()).store(&mut self.work.get().await?).await?;
        let stored = self.note_stored(batch.iter().flat_map(|offer| &offer.events), stored);
        let fate = |new: &NewEvent| match stored.contains(&new.event.id) {
            true => Fate::New { twin: None },
            false => Fate::Lost,
        };
        Ok(batch.iter().map(|offer| offer.events.iter().map(fate).collect()).collect())
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
    async fn answer_duplicates(&self, offers: Vec<(Vec<Fate>, Offer)>) -> Vec<Offer> {
        if offers.is_empty() {
            return Vec::new();
        }
        let looked = async {
            let holders = self.holders(&offers).await?;
            let known = offers.iter().flat_map(|(fates, _)| fates).filter_map(|fate| fate.event());
            let events: HashSet<_> = known.chain(holders.values().map(|held| held.event)).collect();
            Ok::<_, Trouble>((holders, self.dead_letters(events.into_iter()).await?))
        };
        let (holders, dead) = match looked.await {
            Ok(found) => found,
            Err(trouble) => {
                for (_, offer) in offers {
                    offer.tell(Err(trouble.clone().into()));
                }
                return Vec::new();
            }
        };
        let mut free = Vec::new();
        for (fates, offer) in offers {
            let fate = |(n, fate): (usize, &Fate)| match fate {
                Fate::Lost => offer.known(n, &holders),
                fate => Some(*fate),
            };
            match fates.iter().enumerate().map(fate).collect::<Option<Vec<_>>>() {
                Some(fates) => {
                    let answers = self.answers(&offer, &fates, &dead).await;
                    offer.tell(answers);
                }
                None if self.pending.room() < offer.deliveries() => {
                    let full = self.pending.full();
                    offer.tell(Err(full));
                }
                None => free.push(offer),
            }
        }
        free
    }

    async fn answers(
        &self,
        offer: &Offer,
        fates: &[Fate],
        dead: &HashMap<EventId, Vec<DeliveryId>>,
    ) -> Result<Vec<Accepted>, StoreError> {
        let mut answers = Vec::with_capacity(fates.len());
        for (new, fate) in offer.events.iter().zip(fates) {
            answers.push(match *fate {
                Fate::New { twin } => Accepted::New { twin },
                Fate::Refused { twin } => Accepted::Refused { twin },
                Fate::Known { event, other_bytes } => {
                    let letters = dead.get(&event).filter(|_| new.revives).map_or(&[][..], Vec::as_slice);
                    Accepted::Duplicate { event, revived: self.revive(letters).await?, other_bytes }
                }
                Fate::Lost => return Err(StoreError::Unavailable("an event was neither stored nor known".into())),
            });
        }
        Ok(answers)
    }

    /// Who holds the keys that were taken.
    async fn holders(&self, offers: &[(Vec<Fate>, Offer)]) -> Result<HashMap<KeyDigest, KeyHeld>, Trouble> {
        let lost = |(fates, offer): &(Vec<Fate>, Offer)| {
            let lost = offer.keys.iter().zip(fates).filter(|(_, fate)| **fate == Fate::Lost);
            lost.map(|(key, _)| Uuid(key.0)).collect::<Vec<_>>()
        };
        let digests: Vec<Uuid> = offers.iter().flat_map(lost).collect();
        if digests.is_empty() {
            return Ok(HashMap::new());
        }
        let args: Args<'_> = &[(&digests, Type::UUID_ARRAY), (&At(self.now()), Type::TIMESTAMPTZ)];
        judge::held(&self.work.once(Mode::Read, judge::HELD, args).await?)
    }

    async fn dead_letters(
        &self,
        events: impl Iterator<Item = EventId>,
    ) -> Result<HashMap<EventId, Vec<DeliveryId>>, Trouble> {
        let events: Vec<Uuid> = events.map(Uuid::from).collect();
        let mut dead: HashMap<EventId, Vec<DeliveryId>> = HashMap::new();
        if events.is_empty() {
            return Ok(dead);
        }
        let slices = slices::of_events(events.iter().map(|event| event.event()));
        let sql = "SELECT event, id FROM hookhaven.ended WHERE event = ANY($1) AND slice = ANY($2) \
            AND state = 3 AND replaced_by IS NULL AND dismissed_at IS NULL";
        let args: Args<'_> = &[(&events, Type::UUID_ARRAY), (&slices, Type::INT4_ARRAY)];
        for row in &self.work.once(Mode::Read, sql, args).await? {
            let (event, id): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
            dead.entry(event.event()).or_default().push(id.delivery());
        }
        Ok(dead)
    }

    async fn revive(&self, dead: &[DeliveryId]) -> Result<Vec<DeliveryId>, StoreError> {
        if dead.is_empty() {
            return Ok(Vec::new());
        }
        let dead: Vec<_> = dead.iter().map(|id| (*id, None)).collect();
        let replayed = self.replay(&dead).await?;
        let new = |replayed: Replayed| match replayed {
            Replayed::New(id) => Some(id),
            _ => None,
        };
        Ok(replayed.into_iter().filter_map(new).collect())
    }
}
