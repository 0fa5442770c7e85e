//! New events with their keys and deliveries, column by column: one statement stores them, each whole or not at
//! all (I1). Whose key is taken is left out, unless somebody has seen to the keys before.
//!
//! The body of a request that holds several events is kept with the first of them that is stored; the others say
//! which piece of it is theirs.

use std::{borrow::Cow, collections::HashSet};

use bytes::Bytes;
use hookhaven_core::{Event, EventId, Time};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use super::{
    births::{Births, Values},
    lines::Lines,
    pool::{Lent, Mode},
    rows::{At, Uuid, to_text},
    slices,
    trouble::Trouble,
};
use crate::{codec, history::KeyDigest, seam::NewEvent};

/// New events, each with the digest of its key, sorted by these: so two batches cannot wait for each other. Where the
/// keys have been seen to they stand in the order in which they came.
#[derive(Debug)]
pub(super) struct Events<'a> {
    now: At,
    digests: Vec<Uuid>,
    untils: Vec<At>,
    slices: Vec<i32>,
    events: Vec<Uuid>,
    sources: Vec<Cow<'a, str>>,
    types: Vec<Cow<'a, str>>,
    keys: Vec<Cow<'a, str>>,
    hashes: Vec<i64>,
    received: Vec<At>,
    routed: Vec<bool>,
    heads: Vec<Vec<u8>>,
    bodies: Vec<&'a [u8]>,
    key_bodies: Vec<Option<Uuid>>,
    watched: Vec<Option<bool>>,
    /// Of which event's body each is a piece, where it begins and how long it is.
    pieces: Pieces,
    births: Births<'a>,
}

impl<'a> Events<'a> {
    pub fn of(sorted: &[(KeyDigest, &'a NewEvent)], now: Time) -> Self {
        let mut births = Births::new(now);
        for (_, NewEvent { event, deliveries, .. }) in sorted {
            let slice = slices::of_event(event.id);
            for delivery in deliveries {
                births.push(delivery, event.id, slice, &event.source, &event.event_type, event.received_at, None);
            }
        }
        let events = || sorted.iter().map(|(_, new)| &new.event);
        let mut bodies: Vec<_> = events().map(|e| &e.body[..]).collect();
        Events {
            pieces: Pieces::of(events(), &mut bodies),
            key_bodies: events().map(|e| e.digest.map(|digest| Uuid(digest.bytes))).collect(),
            watched: events().map(|e| e.digest.map(|digest| digest.watched)).collect(),
            now: At(now),
            digests: sorted.iter().map(|(digest, _)| Uuid(digest.0)).collect(),
            untils: sorted.iter().map(|(_, new)| At(new.key_until)).collect(),
            slices: events().map(|e| slices::of_event(e.id)).collect(),
            events: events().map(|e| e.id.into()).collect(),
            sources: events().map(|e| to_text(&e.source)).collect(),
            types: events().map(|e| to_text(&e.event_type)).collect(),
            keys: events().map(|e| to_text(&e.idempotency_key)).collect(),
            hashes: events().map(|e| key_hash(&e.idempotency_key)).collect(),
            received: events().map(|e| At(e.received_at)).collect(),
            routed: sorted.iter().map(|(_, new)| !new.deliveries.is_empty()).collect(),
            heads: events().map(codec::encode_head).collect(),
            bodies,
            births: births.ready(),
        }
    }

    /// In a transaction of their own. Answers those that were stored.
    pub async fn store(&self, connection: &mut Lent<'_>) -> Result<HashSet<EventId>, Trouble> {
        stored(&connection.once(Mode::Write, &self.sql(), &self.args()).await?)
    }

    /// In a transaction that was begun.
    pub async fn store_within(&self, connection: &Lent<'_>) -> Result<HashSet<EventId>, Trouble> {
        stored(&connection.query(&self.sql(), &self.args()).await?)
    }

    /// In a transaction that has taken their keys, and holds locks of their lines.
    pub async fn store_decided(&mut self, connection: &Lent<'_>, lines: &mut Lines) -> Result<(), Trouble> {
        self.births.line_up(lines);
        let (columns, mut args) = self.columns(1, 2);
        args.insert(0, (&self.events, Type::UUID_ARRAY));
        let made = self.births.inserts(args.len() + 1, "");
        args.extend(self.births.args());
        let sql = format!("WITH stored AS ({}), {made} SELECT FROM made", insert(&columns));
        connection.query(&sql, &args).await.map(drop)
    }

    fn sql(&self) -> String {
        let (columns, _) = self.columns(2, 6);
        let body = if self.is_digested() { (", body", ", $5::uuid[]") } else { ("", "") };
        let last = 5 + columns.len();
        let made = self.births.inserts(last, "WHERE b.event IN (SELECT event FROM taken)");
        format!(
            "WITH taken AS ( \
                INSERT INTO hookhaven.keys AS k (digest, event, until{}) \
                SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]{}) \
                ON CONFLICT (digest) DO UPDATE SET event = excluded.event, until = excluded.until, body = excluded.body \
                WHERE k.until <= $4 \
                RETURNING event), \
             stored AS ({} WHERE e.id IN (SELECT event FROM taken)), \
             {made} \
             SELECT event FROM taken",
            body.0,
            body.1,
            insert(&columns)
        )
    }

    fn args(&self) -> Values<'_> {
        let mut args: Values<'_> = vec![
            (&self.digests, Type::UUID_ARRAY),
            (&self.events, Type::UUID_ARRAY),
            (&self.untils, Type::TIMESTAMPTZ_ARRAY),
            (&self.now, Type::TIMESTAMPTZ),
            (&self.key_bodies, Type::UUID_ARRAY),
        ];
        args.extend(self.columns(2, 6).1);
        args.extend(self.births.args());
        args
    }

    fn is_digested(&self) -> bool {
        self.key_bodies.iter().any(Option::is_some)
    }

    /// The columns of `events`, each with the number of its argument: of `id` the first, of the others from the second
    /// on; and those others.
    fn columns(&self, id: usize, first: usize) -> (Vec<(&'static str, usize)>, Values<'_>) {
        let mut all: Vec<(&'static str, &(dyn ToSql + Sync), Type)> = vec![
            ("slice", &self.slices, Type::INT4_ARRAY),
            ("source", &self.sources, Type::TEXT_ARRAY),
            ("event_type", &self.types, Type::TEXT_ARRAY),
            ("idempotency_key", &self.keys, Type::TEXT_ARRAY),
            ("key_hash", &self.hashes, Type::INT8_ARRAY),
            ("received_at", &self.received, Type::TIMESTAMPTZ_ARRAY),
            ("routed", &self.routed, Type::BOOL_ARRAY),
            ("head", &self.heads, Type::BYTEA_ARRAY),
            ("body", &self.bodies, Type::BYTEA_ARRAY),
        ];
        if self.is_digested() {
            all.push(("digest", &self.key_bodies, Type::UUID_ARRAY));
            all.push(("watched", &self.watched, Type::BOOL_ARRAY));
        }
        if self.pieces.any() {
            all.push(("body_of", &self.pieces.of, Type::UUID_ARRAY));
            all.push(("body_from", &self.pieces.from, Type::INT4_ARRAY));
            all.push(("body_len", &self.pieces.len, Type::INT4_ARRAY));
        }
        let others = all.iter().enumerate().map(|(n, (name, ..))| (*name, first + n));
        let columns = std::iter::once(("id", id)).chain(others).collect();
        (columns, all.into_iter().map(|(_, values, of)| (values, of)).collect())
    }
}

fn insert(columns: &[(&str, usize)]) -> String {
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    let numbers: Vec<_> = columns.iter().map(|(_, n)| format!("${n}")).collect();
    let (names, numbers) = (names.join(", "), numbers.join(", "));
    format!("INSERT INTO hookhaven.events ({names}) SELECT e.* FROM unnest({numbers}) AS e({names})")
}

/// Where the bodies of parts of requests are, column by column.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pub of: Vec<Option<Uuid>>,
    pub from: Vec<Option<i32>>,
    pub len: Vec<Option<i32>>,
}

impl Pieces {
    /// Puts the whole body in the place of the first one's, and nothing in that of the others of its slice.
    pub fn of<'a>(events: impl Iterator<Item = &'a Event>, bodies: &mut [&'a [u8]]) -> Self {
        let mut holders: Vec<(&Bytes, i32, EventId)> = Vec::new();
        // Bodies of one request mostly lie in one place; those that were read back do not.
        let same = |a: &Bytes, b: &Bytes| a.len() == b.len() && (a.as_ptr() == b.as_ptr() || a == b);
        let mut pieces = Pieces::default();
        let size = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        for (n, event) in events.enumerate() {
            let place = event.part.as_ref().and_then(|part| codec::place(part, event));
            let holder = place.map(|(whole, _)| {
                let slice = slices::of_event(event.id);
                let known = holders.iter().rfind(|(known, of, _)| *of == slice && same(known, whole));
                let holder = known.map_or(event.id, |(.., holder)| *holder);
                if holder == event.id {
                    holders.push((whole, slice, holder));
                }
                bodies[n] = if holder == event.id { whole } else { &[] };
                holder.into()
            });
            pieces.of.push(holder);
            pieces.from.push(place.map(|(_, from)| size(from)));
            pieces.len.push(place.map(|_| size(event.body.len())));
        }
        pieces
    }

    pub fn any(&self) -> bool {
        self.of.iter().any(Option::is_some)
    }
}

fn stored(rows: &[Row]) -> Result<HashSet<EventId>, Trouble> {
    rows.iter().map(|row| Ok(row.try_get::<_, Uuid>(0)?.event())).collect()
}

/// What `events.key_hash` holds.
pub(super) fn key_hash(key: &str) -> i64 {
    let KeyDigest(bytes) = KeyDigest::of("", key);
    let mut first = [0; 8];
    first.copy_from_slice(&bytes[..8]);
    i64::from_be_bytes(first)
}
