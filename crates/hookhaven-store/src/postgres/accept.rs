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
};

use hookhaven_core::{DeliveryId, EventId};
use tokio::sync::oneshot;
use tokio_postgres::types::Type;

use super::{
    Shared,
    events::Events,
    judge,
    pool::{Args, Mode},
    queue::Job,
    rows::{At, Uuid},
    slices,
    trouble::{Kind, Trouble},
};
use crate::{
    history::{KeyDigest, KeyHeld},
    live::counted_as,
    seam::{Accepted, NewDelivery, NewEvent, Replayed, StoreError},
};

/// How often a batch is tried that was undone for the sake of another.
const TRIES: usize = 4;

/// The events of one request, or one alone, and who waits for what became of them. All of them in one commit.
#[derive(Debug)]
pub(super) struct Offer {
    /// No key twice.
    pub events: Vec<NewEvent>,
    /// Of their ids.
    keys: Vec<KeyDigest>,
    /// For each event as it came: which of those it is.
    places: Vec<usize>,
    /// It is the next of the same call, which puts something into a queue or a line: in their order.
    with_last: bool,
    pub answer: oneshot::Sender<Result<Vec<Accepted>, StoreError>>,
}

pub(super) type Answer = oneshot::Receiver<Result<Vec<Accepted>, StoreError>>;

/// What became of an event that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    New {
        twin: Option<EventId>,
    },
    Refused {
        twin: EventId,
    },
    Known {
        event: EventId,
        other_bytes: bool,
    },
    /// Its key was taken.
    Lost,
}

impl Job for Offer {
    fn bytes(&self) -> usize {
        self.events.iter().map(|new| new.event.body.len()).sum()
    }

    fn with_last(&self) -> bool {
        self.with_last
    }
}

impl Offer {
    /// The offers of one call, each for itself.
    pub fn all(events: Vec<NewEvent>) -> (Vec<Self>, Vec<Answer>) {
        let ordered = |delivery: &NewDelivery| delivery.lane.is_queue() || delivery.order.is_some();
        let in_order = events.iter().flat_map(|new| &new.deliveries).any(ordered);
        let offer = |(n, new)| Self::new(vec![new], in_order && n > 0);
        events.into_iter().enumerate().map(offer).unzip()
    }

    /// Of events that share a key the first is offered.
    pub fn together(events: Vec<NewEvent>) -> (Self, Answer) {
        Self::new(events, false)
    }

    fn new(events: Vec<NewEvent>, with_last: bool) -> (Self, Answer) {
        let (answer, answered) = oneshot::channel();
        let mut offer = Offer { events: Vec::new(), keys: Vec::new(), places: Vec::new(), with_last, answer };
        let mut known = HashMap::new();
        for new in events {
            let key = KeyDigest::of(&new.event.source, &new.event.idempotency_key);
            let place = *known.entry(key).or_insert(offer.events.len());
            offer.places.push(place);
            if place == offer.events.len() {
                offer.events.push(new);
                offer.keys.push(key);
            }
        }
        (offer, answered)
    }

    fn deliveries(&self) -> u64 {
        self.events.iter().map(|new| new.deliveries.len() as u64).sum()
    }

    /// Whether it takes more than one statement.
    fn must_be_judged(&self) -> bool {
        let judged = |new: &NewEvent| {
            let watched = new.event.digest.is_some_and(|digest| digest.watched);
            watched || new.event.part.is_some() || new.deliveries.iter().any(|delivery| delivery.order.is_some())
        };
        self.events.len() != 1 || self.events.iter().any(judged)
    }

    /// Whoever waited may have gone.
    fn tell(self, what: Result<Vec<Accepted>, StoreError>) {
        let in_places = |answers: Vec<Accepted>| {
            let mut told = HashSet::new();
            let again = |place: usize| match answers.get(place)? {
                Accepted::Duplicate { event, .. } => Some(*event),
                _ => self.events.get(place).map(|new| new.event.id),
            };
            let answer = |place: &usize| match told.insert(*place) {
                true => answers.get(*place).cloned(),
                false => again(*place).map(|event| Accepted::Duplicate { event, revived: vec![], other_bytes: false }),
            };
            self.places.iter().filter_map(answer).collect()
        };
        let _ = self.answer.send(what.map(in_places));
    }
}

/// The key of an event's bytes, if they are watched.
pub(super) fn of_bytes(new: &NewEvent) -> Option<KeyDigest> {
    let digest = new.event.digest.filter(|digest| digest.watched)?;
    Some(KeyDigest::of_bytes(&new.event.source, &digest.bytes))
}

/// Those that have no key in common, and the others, which have to wait for the next batch.
fn apart(offers: Vec<Offer>) -> (Vec<Offer>, Vec<Offer>) {
    let mut seen = HashSet::new();
    offers.into_iter().partition(|offer| {
        let keys: Vec<_> = offer.keys.iter().copied().chain(offer.events.iter().filter_map(of_bytes)).collect();
        let free = keys.iter().all(|key| !seen.contains(key));
        // Who has to wait keeps its place before those that come after it.
        seen.extend(keys);
        free
    })
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
        let (mut batch, mut later) = apart(offers);
        let without = self.without_room(&mut batch);
        let lost = |offer: Offer| (vec![Fate::Lost; offer.events.len()], offer);
        let mut known: Vec<_> = without.into_iter().map(lost).collect();
        match self.store(&batch).await {
            Ok(fates) => known.extend(self.tell_fates(batch, fates)),
            Err(trouble) if trouble.kind == Kind::Failed && batch.len() > 1 => {
                // One of them cannot be stored; the others must not suffer for it, nor their order.
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
        let replayed = self.replay(dead).await?;
        let new = |replayed: Replayed| match replayed {
            Replayed::New(id) => Some(id),
            _ => None,
        };
        Ok(replayed.into_iter().filter_map(new).collect())
    }
}

impl Fate {
    /// The answer, if there is nothing more to look for.
    fn said(&self) -> Option<Accepted> {
        match *self {
            Fate::New { twin } => Some(Accepted::New { twin }),
            Fate::Refused { twin } => Some(Accepted::Refused { twin }),
            Fate::Known { .. } | Fate::Lost => None,
        }
    }

    fn event(&self) -> Option<EventId> {
        match *self {
            Fate::Known { event, .. } => Some(event),
            _ => None,
        }
    }
}

impl Offer {
    /// What one of its events repeats; `None` if it may be an event of its own.
    fn known(&self, n: usize, holders: &HashMap<KeyDigest, KeyHeld>) -> Option<Fate> {
        let (held, digest) = (holders.get(self.keys.get(n)?)?, self.events.get(n)?.event.digest);
        let other_bytes = judge::differ(held, digest);
        let watched = digest.is_some_and(|digest| digest.watched);
        (!other_bytes || !watched).then_some(Fate::Known { event: held.event, other_bytes })
    }
}
