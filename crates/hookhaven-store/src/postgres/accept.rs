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

use hookhaven_core::{DeliveryId, EventId, Time};
use tokio::sync::oneshot;
use tokio_postgres::types::Type;

use super::{
    Shared,
    births::{Births, insert_live},
    pool::{Lent, Mode},
    queue::{self, Job},
    rows::{At, Uuid, to_text},
    slices,
    trouble::{Kind, Trouble},
};
use crate::{
    codec,
    history::KeyDigest,
    seam::{Accepted, NewEvent, Replayed, StoreError},
};

/// How often a batch is tried that was undone for the sake of another.
const TRIES: usize = 4;

/// An event and who waits for what became of it.
#[derive(Debug)]
pub(super) struct Offer {
    pub new: NewEvent,
    pub digest: KeyDigest,
    pub answer: oneshot::Sender<Result<Accepted, StoreError>>,
}

impl Job for Offer {
    fn bytes(&self) -> usize {
        self.new.event.body.len()
    }
}

impl Offer {
    pub fn new(new: NewEvent) -> (Self, oneshot::Receiver<Result<Accepted, StoreError>>) {
        let (answer, answered) = oneshot::channel();
        let digest = KeyDigest::of(&new.event.source, &new.event.idempotency_key);
        (Offer { new, digest, answer }, answered)
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
                        offer.tell(Ok(Accepted::New));
                    } else {
                        lost.push(offer);
                    }
                }
                if made > 0 {
                    self.wake.more();
                }
            }
            Err(trouble) if trouble.kind == Kind::Failed && batch.len() > 1 => {
                // One of them cannot be stored; the others must not suffer for it.
                for offer in batch {
                    match self.store(std::slice::from_ref(&offer)).await {
                        Ok(stored) if stored.is_empty() => lost.push(offer),
                        Ok(_) => {
                            self.wake.more();
                            offer.tell(Ok(Accepted::New));
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
        let columns = Columns::of(batch);
        let now = self.now();
        for _ in 1..TRIES {
            let mut connection = self.work.get().await?;
            match columns.insert(&mut connection, now).await {
                Err(trouble) if trouble.kind == Kind::NoSlice => {
                    drop(connection);
                    self.slices.forget();
                    self.slices.ensure(&self.work, days()).await?;
                }
                Err(trouble) if trouble.kind == Kind::Again => {}
                done => return self.stored(batch, done?),
            }
        }
        let done = columns.insert(&mut self.work.get().await?, now).await?;
        self.stored(batch, done)
    }

    fn stored(&self, batch: &[Offer], ids: HashSet<EventId>) -> Result<HashSet<EventId>, Trouble> {
        for offer in batch.iter().filter(|offer| ids.contains(&offer.new.event.id)) {
            self.pending.add(offer.new.deliveries.len());
            for delivery in &offer.new.deliveries {
                self.seen.note(&offer.new.event.source, &delivery.destination);
                self.heads().add(&delivery.lane, delivery.due_at);
            }
        }
        Ok(ids)
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
                    let revived = self.revive(dead).await;
                    offer.tell(revived.map(|revived| Accepted::Duplicate { event: *event, revived }));
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

/// A batch, column by column.
struct Columns<'a> {
    digests: Vec<Uuid>,
    untils: Vec<At>,
    slices: Vec<i32>,
    events: Vec<Uuid>,
    sources: Vec<std::borrow::Cow<'a, str>>,
    types: Vec<std::borrow::Cow<'a, str>>,
    keys: Vec<std::borrow::Cow<'a, str>>,
    hashes: Vec<i64>,
    received: Vec<At>,
    routed: Vec<bool>,
    heads: Vec<Vec<u8>>,
    bodies: Vec<&'a [u8]>,
    births: Births<'a>,
}

impl<'a> Columns<'a> {
    /// The batch is sorted by digest.
    fn of(batch: &'a [Offer]) -> Self {
        let mut births = Births::default();
        for NewEvent { event, deliveries, .. } in batch.iter().map(|offer| &offer.new) {
            let slice = slices::of_event(event.id);
            for delivery in deliveries {
                births.push(delivery, event.id, slice, &event.source, &event.event_type, event.received_at, None);
            }
        }
        let events = || batch.iter().map(|offer| &offer.new.event);
        Columns {
            digests: batch.iter().map(|offer| Uuid(offer.digest.0)).collect(),
            untils: batch.iter().map(|offer| At(offer.new.key_until)).collect(),
            slices: events().map(|e| slices::of_event(e.id)).collect(),
            events: events().map(|e| e.id.into()).collect(),
            sources: events().map(|e| to_text(&e.source)).collect(),
            types: events().map(|e| to_text(&e.event_type)).collect(),
            keys: events().map(|e| to_text(&e.idempotency_key)).collect(),
            hashes: events().map(|e| key_hash(&e.idempotency_key)).collect(),
            received: events().map(|e| At(e.received_at)).collect(),
            routed: batch.iter().map(|offer| !offer.new.deliveries.is_empty()).collect(),
            heads: events().map(codec::encode_head).collect(),
            bodies: events().map(|e| &e.body[..]).collect(),
            births,
        }
    }

    async fn insert(&self, connection: &mut Lent<'_>, now: Time) -> Result<HashSet<EventId>, Trouble> {
        let insert = insert_live(14);
        let sql = format!(
            "WITH taken AS ( \
                INSERT INTO hookhaven.keys AS k (digest, event, until) \
                SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) \
                ON CONFLICT (digest) DO UPDATE SET event = excluded.event, until = excluded.until WHERE k.until <= $4 \
                RETURNING event), \
             stored AS ( \
                INSERT INTO hookhaven.events \
                    (slice, id, source, event_type, idempotency_key, key_hash, received_at, routed, head, body) \
                SELECT e.* FROM unnest($5, $2, $6, $7, $8, $9, $10, $11, $12, $13) \
                    AS e(slice, id, source, event_type, idempotency_key, key_hash, received_at, routed, head, body) \
                WHERE e.id IN (SELECT event FROM taken)), \
             made AS ({insert} WHERE b.event IN (SELECT event FROM taken)) \
             SELECT event FROM taken"
        );
        let b = &self.births;
        let now = At(now);
        let mut args: Vec<(&(dyn tokio_postgres::types::ToSql + Sync), Type)> = vec![
            (&self.digests, Type::UUID_ARRAY),
            (&self.events, Type::UUID_ARRAY),
            (&self.untils, Type::TIMESTAMPTZ_ARRAY),
            (&now, Type::TIMESTAMPTZ),
            (&self.slices, Type::INT4_ARRAY),
            (&self.sources, Type::TEXT_ARRAY),
            (&self.types, Type::TEXT_ARRAY),
            (&self.keys, Type::TEXT_ARRAY),
            (&self.hashes, Type::INT8_ARRAY),
            (&self.received, Type::TIMESTAMPTZ_ARRAY),
            (&self.routed, Type::BOOL_ARRAY),
            (&self.heads, Type::BYTEA_ARRAY),
            (&self.bodies, Type::BYTEA_ARRAY),
        ];
        args.extend(b.args());
        let rows = connection.once(Mode::Write, &sql, &args).await?;
        rows.iter().map(|row| Ok(row.try_get::<_, Uuid>(0)?.event())).collect()
    }
}

/// What `events.key_hash` holds.
pub(super) fn key_hash(key: &str) -> i64 {
    let KeyDigest(bytes) = KeyDigest::of("", key);
    let mut first = [0; 8];
    first.copy_from_slice(&bytes[..8]);
    i64::from_be_bytes(first)
}
