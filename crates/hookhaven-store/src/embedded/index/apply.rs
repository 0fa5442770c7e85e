//! The connection that writes the index: applies records in one large transaction a batch, which also
//! says how far it came, and gives start-up what it needs of the past.

use std::{cell::RefCell, collections::HashMap, sync::Arc, time::Duration};

use hookhaven_core::{Delivery, Version};
use rusqlite::{Connection, OptionalExtension, params};

use super::{GONE, IndexError, Reached, batch::Batch, kinds::Kinds, rows};
use crate::{
    embedded::journal::JournalReader, live::PendingImage, position::Position, record::Record, seam::CatalogEntry,
};

/// The one connection that writes the index.
#[derive(Debug)]
pub struct IndexWriter {
    pub(super) connection: Connection,
    reached: Option<Reached>,
    journal: JournalReader,
    policies: HashMap<Vec<u8>, i64>,
    pub(super) kinds: RefCell<Kinds>,
}

/// What start-up needs of the past.
#[derive(Debug, Default)]
pub struct Remembered {
    pub dead_letters: Vec<DeadLetters>,
    pub catalog: Vec<CatalogEntry>,
    /// Dead deliveries that may park their lines.
    pub parking: Vec<Delivery>,
}

/// How many dead letters there are of a kind.
#[derive(Debug, PartialEq, Eq)]
pub struct DeadLetters {
    pub source: Arc<str>,
    pub destination: Arc<str>,
    pub critical: bool,
    pub count: u64,
}

impl IndexWriter {
    pub(super) fn new(connection: Connection, reached: Option<Reached>, journal: JournalReader) -> Self {
        IndexWriter { connection, reached, journal, policies: HashMap::new(), kinds: RefCell::default() }
    }

    /// The last frame applied.
    pub fn reached(&self) -> Option<Position> {
        self.reached.map(|reached| reached.at)
    }

    /// Applies records in the order of the journal, all or none. Those that lie at or before what was
    /// reached are left out, so that applying again changes nothing.
    pub fn apply(&mut self, records: &[(Record, Position)]) -> Result<(), IndexError> {
        let news = records.partition_point(|(_, at)| self.reached.is_some_and(|reached| *at <= reached.at));
        let Some((_, last)) = records.last().filter(|_| news < records.len()) else { return Ok(()) };
        let salt = match self.reached {
            Some(reached) if reached.at.segment == last.segment => reached.salt,
            _ => self.journal.salt(last.segment).ok_or_else(|| IndexError::Malformed("no such segment".into()))?,
        };
        let transaction = self.connection.unchecked_transaction()?;
        let mut batch =
            Batch::new(&transaction, &mut self.policies, self.kinds.get_mut(), self.journal.first_segment());
        for (record, at) in &records[news..] {
            batch.take(record, *at)?;
        }
        batch.write()?;
        transaction.prepare_cached("INSERT OR REPLACE INTO reached VALUES (1, ?1, ?2, ?3, ?4)")?.execute(params![
            last.segment,
            last.offset,
            last.len,
            salt
        ])?;
        transaction.commit()?;
        self.reached = Some(Reached { at: *last, salt });
        Ok(())
    }

    /// Moves everything into the one file, if nobody reads just now: whoever copies a stopped gateway's
    /// index has it whole.
    pub fn settle_down(&self) {
        let moved = self.connection.busy_timeout(Duration::ZERO).and_then(|()| self.checkpoint());
        if let Err(e) = moved {
            tracing::debug!("the index keeps its second file: {e}");
        }
    }

    fn checkpoint(&self) -> rusqlite::Result<()> {
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    /// Ends it as one file, with nothing left beside it. Answers how many events and deliveries are in it.
    pub fn finish(self) -> Result<(u64, u64), IndexError> {
        let count = |sql| self.connection.query_row(sql, [], |row| row.get(0));
        let counts = (count("SELECT count(*) FROM events")?, count("SELECT count(*) FROM deliveries")?);
        self.checkpoint()?;
        self.connection.close().map_err(|(_, e)| e)?;
        Ok(counts)
    }

    /// Hands over every pending delivery, oldest first.
    pub fn pending(&self, mut take: impl FnMut(PendingImage)) -> Result<(), IndexError> {
        let names = rows::Names::default();
        let mut select = self.connection.prepare(&format!(
            "SELECT {} FROM deliveries WHERE state = 'pending' AND segment > {GONE} ORDER BY id",
            rows::DELIVERY_COLUMNS
        ))?;
        let mut found = select.query([])?;
        while let Some(row) = found.next()? {
            let indexed = names.delivery(&self.connection, row)?;
            let newest = self.newest_before(&indexed.delivery)?;
            take(PendingImage { delivery: indexed.delivery, event_at: indexed.event_at, newest });
        }
        Ok(())
    }

    /// The newest version of the line of a delivery that has one.
    fn newest_before(&self, delivery: &Delivery) -> Result<Option<Version>, IndexError> {
        let Some(order) = delivery.order.as_ref().filter(|order| order.version().is_some()) else { return Ok(None) };
        let mut select = self.connection.prepare_cached("SELECT version FROM versions WHERE line = ?1")?;
        let found = select.query_row([order.line(&delivery.destination).0], |row| row.get(0)).optional()?;
        Ok(found.map(Version::from_bytes))
    }

    /// What else start-up needs.
    pub fn remembered(&self) -> Result<Remembered, IndexError> {
        let mut select = self.connection.prepare(&format!(
            "SELECT source, destination, critical, count(*) FROM deliveries
             WHERE state = 'dead' AND replaced_by IS NULL AND dismissed_at IS NULL AND segment > {GONE}
             GROUP BY 1, 2, 3"
        ))?;
        let dead = select.query_map([], |row| {
            Ok(DeadLetters { source: row.get(0)?, destination: row.get(1)?, critical: row.get(2)?, count: row.get(3)? })
        })?;
        let mut entries = self.connection.prepare("SELECT kind, name, value FROM catalog")?;
        let catalog = entries
            .query_map([], |row| Ok(CatalogEntry { kind: row.get(0)?, name: row.get(1)?, value: row.get(2)? }))?;
        Ok(Remembered {
            dead_letters: dead.collect::<Result<_, _>>()?,
            catalog: catalog.collect::<Result<_, _>>()?,
            parking: self.parking()?,
        })
    }

    fn parking(&self) -> Result<Vec<Delivery>, IndexError> {
        let names = rows::Names::default();
        let mut select = self.connection.prepare(&format!(
            "SELECT {} FROM deliveries WHERE parks_until IS NOT NULL AND replaced_by IS NULL AND dismissed_at IS NULL
             AND segment > {GONE} ORDER BY parks_until",
            rows::DELIVERY_COLUMNS
        ))?;
        let (mut found, mut parking) = (select.query([])?, Vec::new());
        while let Some(row) = found.next()? {
            parking.push(names.delivery(&self.connection, row)?.delivery);
        }
        Ok(parking)
    }
}
