//! Accepting what one statement cannot decide: events whose bytes are watched, deliveries that stand in lines, requests
//! that hold several events. One transaction for the whole batch: the lines are locked, then all keys are taken, then
//! it is decided who is new, and only they are stored.
//!
//! As everywhere, the unique index on keys is what decides between nodes: who takes a key that another is just taking
//! waits for that commit. That holds for the keys of bytes too, so that of two that refuse to be replays one is stored.
//!
//! Not here: answers, and what is revived (`accept`). What the rules are stands in [`crate::rules`].

use std::collections::{BTreeMap, HashMap};

use hookhaven_core::{EventId, LineId, Time, event::BodyDigest};
use tokio_postgres::{Row, types::Type};

use super::{
    Shared,
    events::Events,
    lines::Lines,
    offer::{Fate, Offer, of_bytes},
    pool::{Args, Lent, Mode},
    rows::{At, Uuid},
    trouble::{Kind, Trouble},
};
use crate::{
    history::{KeyDigest, KeyHeld},
    seam::NewEvent,
};

/// How often keys are tried that were held when they were taken, and by nobody when their holder was looked for; and
/// once more for those that go on under a key of their own.
const ROUNDS: usize = 5;

/// In the order of [`held`].
pub(super) const HELD: &str = "SELECT digest, event, body FROM hookhaven.keys WHERE digest = ANY($1) AND until > $2";

pub(super) fn held(rows: &[Row]) -> Result<HashMap<KeyDigest, KeyHeld>, Trouble> {
    let read = |row: &Row| {
        let (digest, event): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
        let body = row.try_get::<_, Option<Uuid>>(2)?.map(|body| body.0);
        Ok((KeyDigest(digest.0), KeyHeld { event: event.event(), body }))
    };
    rows.iter().map(read).collect()
}

/// Whether an event's bytes are known to be others than those of a key's holder.
pub(super) fn differ(held: &KeyHeld, digest: Option<BodyDigest>) -> bool {
    matches!((held.body, digest), (Some(first), Some(this)) if first != this.bytes)
}

/// An event on trial.
#[derive(Debug)]
struct Candidate<'a> {
    new: &'a NewEvent,
    /// Which request it came in.
    offer: usize,
    key: KeyDigest,
    /// The same under a key of its own, which it has because of its bytes.
    renamed: Option<NewEvent>,
    fate: Option<Fate>,
}

impl Candidate<'_> {
    fn id(&self) -> EventId {
        self.new.event.id
    }

    /// The keys it wants, each with what it says of its holder.
    fn wants(&self) -> impl Iterator<Item = (KeyDigest, Wish)> {
        let (event, until) = (self.id(), self.new.key_until);
        let body = self.new.event.digest.map(|digest| digest.bytes);
        let wish = move |body| Wish { held: KeyHeld { event, body }, until };
        std::iter::once((self.key, wish(body))).chain(of_bytes(self.new).map(|key| (key, wish(None))))
    }

    fn judge(&mut self, held: &HashMap<KeyDigest, KeyHeld>) {
        let Some(holder) = held.get(&self.key) else { return };
        if holder.event == self.id() {
            self.fate = Some(Fate::New { twin: None });
            return;
        }
        let other_bytes = self.renamed.is_none() && differ(holder, self.new.event.digest);
        match self.new.event.digest.filter(|digest| other_bytes && digest.watched) {
            None => self.fate = Some(Fate::Known { event: holder.event, other_bytes }),
            Some(digest) => {
                let mut renamed = self.new.clone();
                renamed.event.idempotency_key = digest.own_key(&renamed.event.idempotency_key).into();
                self.key = KeyDigest::of(&renamed.event.source, &renamed.event.idempotency_key);
                self.renamed = Some(renamed);
            }
        }
    }

    fn is_new(&self) -> bool {
        matches!(self.fate, Some(Fate::New { .. }))
    }
}

#[derive(Debug)]
struct Wish {
    held: KeyHeld,
    until: Time,
}

impl Shared {
    /// What became of each event of each offer.
    pub(super) async fn judge(&self, offers: &[Offer]) -> Result<Vec<Vec<Fate>>, Trouble> {
        let now = self.now();
        let mut connection = self.work.get().await?;
        connection.begin(Mode::Write).await?;
        let mut lines = Lines::lock(&connection, lines_of(offers), now).await?;
        let mut candidates = candidates(offers);
        let held = take_keys(&connection, &mut candidates, now).await?;
        look_for_twins(&mut candidates, &held);
        give_up_keys(&connection, &candidates, &held).await?;
        let new: Vec<_> = candidates
            .iter()
            .filter(|candidate| candidate.is_new())
            .map(|candidate| (candidate.key, candidate.renamed.as_ref().unwrap_or(candidate.new)))
            .collect();
        if !new.is_empty() {
            Events::of(&new, now).store_decided(&connection, &mut lines).await?;
        }
        let arranged = lines.arrange(&connection).await?;
        connection.commit().await?;
        let stored = new.iter().map(|(_, new)| new.event.id).collect();
        self.note_stored(new.into_iter().map(|(_, new)| new), stored);
        self.note_arranged(&arranged);
        let mut fates: Vec<Vec<Fate>> = offers.iter().map(|_| Vec::new()).collect();
        for candidate in candidates {
            fates[candidate.offer].push(candidate.fate.unwrap_or(Fate::Lost));
        }
        Ok(fates)
    }
}

fn lines_of(offers: &[Offer]) -> impl Iterator<Item = LineId> {
    let deliveries = offers.iter().flat_map(|offer| &offer.events).flat_map(|new| &new.deliveries);
    deliveries.filter_map(|delivery| Some(delivery.order.as_ref()?.line(&delivery.destination)))
}

/// In the order in which they came.
fn candidates(offers: &[Offer]) -> Vec<Candidate<'_>> {
    let mut candidates = Vec::new();
    for (n, offer) in offers.iter().enumerate() {
        for new in &offer.events {
            let key = KeyDigest::of(&new.event.source, &new.event.idempotency_key);
            candidates.push(Candidate { new, offer: n, key, renamed: None, fate: None });
        }
    }
    candidates
}

/// Takes all keys that are free, until it is known of each candidate whether it has its own. Answers who holds them,
/// we included.
async fn take_keys(
    connection: &Lent<'_>,
    candidates: &mut [Candidate<'_>],
    now: Time,
) -> Result<HashMap<KeyDigest, KeyHeld>, Trouble> {
    let mut held = HashMap::new();
    for _ in 0..ROUNDS {
        let mut wanted = BTreeMap::new();
        for candidate in candidates.iter().filter(|candidate| candidate.fate.is_none()) {
            for (key, wish) in candidate.wants().filter(|(key, _)| !held.contains_key(key)) {
                wanted.entry(key).or_insert(wish);
            }
        }
        if !wanted.is_empty() {
            take(connection, &wanted, &mut held, now).await?;
        }
        candidates.iter_mut().filter(|candidate| candidate.fate.is_none()).for_each(|one| one.judge(&held));
        if candidates.iter().all(|candidate| candidate.fate.is_some()) {
            return Ok(held);
        }
    }
    Err(Trouble { kind: Kind::Again, text: "keys were taken and let go again and again".into(), code: None })
}

/// Keys in order, so that two batches cannot wait for each other.
async fn take(
    connection: &Lent<'_>,
    wanted: &BTreeMap<KeyDigest, Wish>,
    held: &mut HashMap<KeyDigest, KeyHeld>,
    now: Time,
) -> Result<(), Trouble> {
    let digests: Vec<Uuid> = wanted.keys().map(|key| Uuid(key.0)).collect();
    let events: Vec<Uuid> = wanted.values().map(|wish| wish.held.event.into()).collect();
    let untils: Vec<At> = wanted.values().map(|wish| At(wish.until)).collect();
    let bodies: Vec<Option<Uuid>> = wanted.values().map(|wish| wish.held.body.map(Uuid)).collect();
    let sql = "INSERT INTO hookhaven.keys AS k (digest, event, until, body) \
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[]) \
        ON CONFLICT (digest) DO UPDATE SET event = excluded.event, until = excluded.until, body = excluded.body \
        WHERE k.until <= $5 RETURNING digest, event, body";
    let args: Args<'_> = &[
        (&digests, Type::UUID_ARRAY),
        (&events, Type::UUID_ARRAY),
        (&untils, Type::TIMESTAMPTZ_ARRAY),
        (&bodies, Type::UUID_ARRAY),
        (&At(now), Type::TIMESTAMPTZ),
    ];
    let taken = self::held(&connection.query(sql, args).await?)?;
    let others: Vec<Uuid> = wanted.keys().filter(|key| !taken.contains_key(key)).map(|key| Uuid(key.0)).collect();
    held.extend(taken);
    if !others.is_empty() {
        let args: Args<'_> = &[(&others, Type::UUID_ARRAY), (&At(now), Type::TIMESTAMPTZ)];
        held.extend(self::held(&connection.query(HELD, args).await?)?);
    }
    Ok(())
}

/// The other events of a request are no replays of each other.
fn look_for_twins(candidates: &mut [Candidate<'_>], held: &HashMap<KeyDigest, KeyHeld>) {
    let offer_of: HashMap<EventId, usize> = candidates.iter().map(|one| (one.id(), one.offer)).collect();
    for candidate in candidates.iter_mut().filter(|candidate| candidate.is_new()) {
        let holder = of_bytes(candidate.new).and_then(|key| held.get(&key)).map(|held| held.event);
        let Some(twin) = holder.filter(|holder| offer_of.get(holder) != Some(&candidate.offer)) else { continue };
        let refuses = candidate.new.refuses_replay;
        candidate.fate = Some(if refuses { Fate::Refused { twin } } else { Fate::New { twin: Some(twin) } });
    }
}

/// What is not stored holds no key.
async fn give_up_keys(
    connection: &Lent<'_>,
    candidates: &[Candidate<'_>],
    held: &HashMap<KeyDigest, KeyHeld>,
) -> Result<(), Trouble> {
    let of = |candidate: &Candidate<'_>| {
        let id = candidate.id();
        let keys = std::iter::once(candidate.key).chain(of_bytes(candidate.new));
        let ours = keys.filter(|key| held.get(key).is_some_and(|held| held.event == id));
        ours.map(|key| Uuid(key.0)).collect::<Vec<_>>()
    };
    let unused: Vec<Uuid> = candidates.iter().filter(|candidate| !candidate.is_new()).flat_map(of).collect();
    if unused.is_empty() {
        return Ok(());
    }
    let sql = "DELETE FROM hookhaven.keys WHERE digest = ANY($1)";
    connection.run(sql, &[(&unused, Type::UUID_ARRAY)]).await.map(drop)
}
