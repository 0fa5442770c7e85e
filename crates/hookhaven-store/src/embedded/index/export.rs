//! The index as a copy to another store reads it: everything once, in the order of ids, page by page.
//!
//! Not here: bodies and attempts, which lie in the journal.

use hookhaven_core::{EventId, Time};
use rusqlite::{OptionalExtension, params};

use super::{IndexError, readers::Reader};
use crate::{copy::Counts, history::KeyDigest, position::Position, record::CarriedKey, seam::CatalogEntry};

/// Sorts before every id.
const NOTHING: &[u8] = &[];

impl Reader {
    /// The next events by id, and where each lies. Damage may have taken an event and left a delivery of it:
    /// then it has no place.
    pub fn families_after(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<(EventId, Option<Position>)>, IndexError> {
        let sql = "SELECT id FROM events WHERE id > ?1 UNION SELECT event FROM deliveries WHERE event > ?1
             ORDER BY 1 LIMIT ?2";
        let mut select = self.connection.prepare_cached(sql)?;
        let after = after.as_ref().map_or(NOTHING, |id| id.as_bytes());
        let found = select.query_map(params![after, limit as i64], |row| row.get(0))?;
        let ids = found.map(|id| Ok(EventId::from_bytes(id?)));
        ids.map(|id| id.and_then(|id| Ok((id, self.event_at(id)?)))).collect()
    }

    pub fn keys_after(&self, after: Option<KeyDigest>, limit: usize) -> Result<Vec<CarriedKey>, IndexError> {
        let sql = "SELECT digest, event, until, body FROM keys WHERE digest > ?1 AND until > 0
             ORDER BY digest LIMIT ?2";
        let mut select = self.connection.prepare_cached(sql)?;
        let after = after.as_ref().map_or(NOTHING, |digest| &digest.0);
        let key = |row: &rusqlite::Row<'_>| {
            let event = EventId::from_bytes(row.get(1)?);
            let (digest, until) = (KeyDigest(row.get(0)?), Time::from_us(row.get(2)?));
            Ok(CarriedKey { digest, event, until, body: row.get(3)? })
        };
        Ok(select.query_map(params![after, limit as i64], key)?.collect::<Result<_, _>>()?)
    }

    pub fn whole_catalog(&self) -> Result<Vec<CatalogEntry>, IndexError> {
        let mut select = self.connection.prepare_cached("SELECT kind, name, value FROM catalog ORDER BY kind, name")?;
        let entry =
            |row: &rusqlite::Row<'_>| Ok(CatalogEntry { kind: row.get(0)?, name: row.get(1)?, value: row.get(2)? });
        Ok(select.query_map([], entry)?.collect::<Result<_, _>>()?)
    }

    /// How many events come up to and with this one.
    pub fn events_upto(&self, id: EventId) -> Result<u64, IndexError> {
        self.number("SELECT count(*) FROM events WHERE id <= ?1", params![id.as_bytes()])
    }

    pub fn keys_upto(&self, digest: KeyDigest) -> Result<u64, IndexError> {
        self.number("SELECT count(*) FROM keys WHERE digest <= ?1 AND until > 0", params![digest.0])
    }

    pub fn counts(&self) -> Result<Counts, IndexError> {
        let of = |sql: &str| self.number(sql, params![]);
        let state = |state: &str| self.number("SELECT count(*) FROM deliveries WHERE state = ?1", params![state]);
        Ok(Counts {
            events: of("SELECT count(*) FROM events")?,
            body_bytes: of("SELECT coalesce(sum(body_bytes), 0) FROM events")?,
            pending: state("pending")?,
            delivered: state("delivered")?,
            dead: state("dead")?,
            cancelled: state("cancelled")?,
            dead_letters: of("SELECT count(*) FROM deliveries
                 WHERE state = 'dead' AND replaced_by IS NULL AND dismissed_at IS NULL")?,
            replays: of("SELECT count(*) FROM deliveries WHERE replaces IS NOT NULL")?,
            attempts: of("SELECT count(*) FROM attempts")?,
            keys: of("SELECT count(*) FROM keys WHERE until > 0")?,
            steps: of("SELECT count(*) FROM steps")?,
            catalog: of("SELECT count(*) FROM catalog")?,
        })
    }

    fn number(&self, sql: &str, values: impl rusqlite::Params) -> Result<u64, IndexError> {
        let found: Option<i64> = self.connection.query_row(sql, values, |row| row.get(0)).optional()?;
        Ok(found.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::index::Index;

    #[test]
    fn the_walk_over_all_events_needs_no_sort() {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::new(dir.path().join("index.sqlite"));
        let connection = rusqlite::Connection::open(dir.path().join("index.sqlite")).unwrap();
        connection.execute_batch(super::super::SCHEMA).unwrap();
        let reader = Reader::open(&index).unwrap();
        let sql = "EXPLAIN QUERY PLAN SELECT id FROM events WHERE id > ?1
             UNION SELECT event FROM deliveries WHERE event > ?1 ORDER BY 1 LIMIT 5";
        let mut plan = reader.connection.prepare(sql).unwrap();
        let steps: Vec<String> =
            plan.query_map(params![NOTHING], |row| row.get(3)).unwrap().collect::<Result<_, _>>().unwrap();
        assert!(steps.iter().all(|step| !step.contains("TEMP") && !step.contains("SCAN")), "{steps:?}");
    }
}
