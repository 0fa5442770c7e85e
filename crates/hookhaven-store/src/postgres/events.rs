//! New events with their keys and deliveries, column by column: one statement stores them, each whole or not at
//! all (I1). Whose key is taken is left out.

use std::{borrow::Cow, collections::HashSet};

use hookhaven_core::{EventId, Time};
use tokio_postgres::{Row, types::Type};

use super::{
    births::{Births, Values},
    pool::{Lent, Mode},
    rows::{At, Uuid, to_text},
    slices,
    trouble::Trouble,
};
use crate::{codec, history::KeyDigest, seam::NewEvent};

/// New events, each with the digest of its key, sorted by these: so two batches cannot wait for each other.
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
        Events {
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
            bodies: events().map(|e| &e.body[..]).collect(),
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

    fn sql(&self) -> String {
        let made = self.births.inserts(14, "WHERE b.event IN (SELECT event FROM taken)");
        format!(
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
             {made} \
             SELECT event FROM taken"
        )
    }

    fn args(&self) -> Values<'_> {
        let mut args: Values<'_> = vec![
            (&self.digests, Type::UUID_ARRAY),
            (&self.events, Type::UUID_ARRAY),
            (&self.untils, Type::TIMESTAMPTZ_ARRAY),
            (&self.now, Type::TIMESTAMPTZ),
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
        args.extend(self.births.args());
        args
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
