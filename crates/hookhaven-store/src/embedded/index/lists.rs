//! The index as people ask it: pages of events and deliveries, newest first, each question with a limit
//! of time so that none can hold up checkpoints for ever.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hookhaven_core::{DeliveryId, DeliveryState, EventId, Time};
use rusqlite::{Connection, OptionalExtension, ToSql, params_from_iter};
use tokio::sync::Semaphore;

use super::{
    GONE, Index, IndexError,
    rows::{self, Indexed, Names},
};
use crate::{
    embedded::engine::Mode,
    position::Position,
    seam::{DeliveryFilter, EventFilter, EventRow, Page},
};

/// Questions answered at once; others wait for one of them to end.
const READERS_MAX: usize = 4;
/// How long one may take.
pub const READ_MAX: Duration = Duration::from_secs(5);
/// SQLite instructions between two looks at the clock.
const STEPS: i32 = 50_000;
/// Longest page, whatever is asked for.
pub(super) const PAGE_MAX: usize = 10_000;

/// Connections that read, opened as needed.
#[derive(Clone, Debug)]
pub struct Readers(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    index: Index,
    mode: Mode,
    permits: Semaphore,
    free: Mutex<Vec<Reader>>,
}

/// One connection, lent out for one question.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
    pub(super) names: Names,
    index: Index,
}

impl Readers {
    pub fn new(index: Index, mode: Mode) -> Self {
        Readers(Arc::new(Pool { index, mode, permits: Semaphore::new(READERS_MAX), free: Mutex::default() }))
    }

    /// Asks on a thread that may block.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Reader) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let ended = |e: &dyn std::fmt::Display| IndexError::Ended(e.to_string());
        let pool = self.0.clone();
        let _permit = self.0.permits.acquire().await.map_err(|e| ended(&e))?;
        let asked = self.0.mode.run(move || pool.answer(question));
        asked.await.map_err(|e| ended(&e))?
    }
}

impl Pool {
    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Reader>> {
        self.free.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn answer<T>(&self, question: impl FnOnce(&Reader) -> Result<T, IndexError>) -> Result<T, IndexError> {
        let free = self.free().pop();
        let mut reader = match free {
            Some(reader) => reader,
            None => Reader::open(&self.index)?,
        };
        let started = Instant::now();
        reader.connection.progress_handler(STEPS, Some(move || started.elapsed() > READ_MAX))?;
        let answer = question(&reader);
        // A connection that failed is not lent out again.
        if answer.is_ok() {
            self.free().push(reader);
        }
        answer
    }
}

/// Conditions joined by AND, with their values.
#[derive(Default)]
pub(super) struct Where {
    pub sql: String,
    pub values: Vec<Box<dyn ToSql>>,
}

impl Where {
    pub fn plain(&mut self, condition: &str) {
        self.sql.push_str(if self.sql.is_empty() { " WHERE " } else { " AND " });
        self.sql.push_str(condition);
    }

    /// `condition` ends where the value belongs.
    pub fn value(&mut self, condition: &str, value: Option<impl ToSql + 'static>) {
        if let Some(value) = value {
            self.values.push(Box::new(value));
            let number = self.values.len();
            self.plain(&format!("{condition} ?{number}"));
        }
    }
}

/// What is beyond the end of the page before, and the order.
fn direction(oldest_first: bool) -> (&'static str, &'static str) {
    if oldest_first { ("id >", "id") } else { ("id <", "id DESC") }
}

impl Reader {
    pub fn open(index: &Index) -> Result<Self, IndexError> {
        Ok(Reader { connection: index.reader()?, names: Names::default(), index: index.clone() })
    }

    pub fn events(&self, filter: &EventFilter, page: Page<EventId>) -> Result<Vec<EventRow>, IndexError> {
        let mut wanted = Where::default();
        let (beyond, order) = direction(page.oldest_first);
        wanted.plain(&format!("segment > {GONE}"));
        wanted.value(beyond, page.after.map(|id| *id.as_bytes()));
        wanted.value("source =", filter.source.clone());
        wanted.value("event_type =", filter.event_type.clone());
        wanted.value("idempotency_key =", filter.idempotency_key.clone());
        wanted.value("received_at >=", filter.since.map(|t| t.as_us()));
        wanted.value("received_at <", filter.until.map(|t| t.as_us()));
        if filter.unrouted {
            wanted.plain("deliveries = 0");
        }
        let Where { sql, values } = wanted;
        let mut select = self.connection.prepare_cached(&format!(
            "SELECT id, source, event_type, idempotency_key, received_at, occurred_at, correlation_id, matched_secret, \
             remote, body_bytes, deliveries FROM events{sql} ORDER BY {order} LIMIT {}",
            page.limit.min(PAGE_MAX)
        ))?;
        let mut found = select.query(params_from_iter(values))?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push(EventRow {
                id: EventId::from_bytes(row.get(0)?),
                source: self.names.text(rows::text(row, 1)?),
                event_type: self.names.text(rows::text(row, 2)?),
                idempotency_key: row.get(3)?,
                received_at: rows::time(row.get(4)?),
                occurred_at: row.get::<_, Option<i64>>(5)?.map(rows::time),
                correlation_id: row.get(6)?,
                matched_secret: row.get(7)?,
                remote: row.get(8)?,
                body_bytes: row.get(9)?,
                deliveries: row.get(10)?,
            });
        }
        Ok(rows)
    }

    /// When the oldest event was received, and how large the index is.
    pub fn oldest_event_and_bytes(&self) -> Result<(Option<Time>, u64), IndexError> {
        let sql = "SELECT received_at FROM events ORDER BY id LIMIT 1";
        let oldest = self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
        Ok((oldest.map(rows::time), self.index.bytes()))
    }

    /// Where an event lies in the journal.
    pub fn event_at(&self, id: EventId) -> Result<Option<Position>, IndexError> {
        let sql = format!("SELECT segment, offset, len FROM events WHERE id = ?1 AND segment > {GONE}");
        let mut select = self.connection.prepare_cached(&sql)?;
        let mut found = select.query([id.as_bytes()])?;
        found.next()?.map(|row| rows::position(row, 0)).transpose()
    }

    pub fn deliveries(&self, filter: &DeliveryFilter, page: Page<DeliveryId>) -> Result<Vec<Indexed>, IndexError> {
        let mut wanted = Where::default();
        let (beyond, order) = direction(page.oldest_first);
        wanted.value(beyond, page.after.map(|id| *id.as_bytes()));
        wanted.value("event =", filter.event.map(|id| *id.as_bytes()));
        wanted.value("source =", filter.source.clone());
        wanted.value("destination =", filter.destination.clone());
        wanted.value("lane =", filter.lane.as_ref().map(|lane| lane.as_str().to_owned()));
        wanted.value("event_type =", filter.event_type.clone());
        wanted.value("last_class =", filter.class.map(|class| class.as_str()));
        match filter.state {
            // Spelt out, so that SQLite sees that the partial index covers it.
            Some(DeliveryState::Pending | DeliveryState::Leased) => wanted.plain("state = 'pending'"),
            state => wanted.value("state =", state.map(DeliveryState::as_str)),
        }
        let mut at = "accepted_at";
        if filter.dead_letters {
            wanted.plain("state = 'dead' AND replaced_by IS NULL AND dismissed_at IS NULL");
            at = "ended_at";
        }
        wanted.value(&format!("{at} >="), filter.since.map(|t| t.as_us()));
        wanted.value(&format!("{at} <"), filter.until.map(|t| t.as_us()));
        self.select_deliveries_by(order, wanted, page.limit)
    }

    pub fn delivery(&self, id: DeliveryId) -> Result<Option<Indexed>, IndexError> {
        let mut wanted = Where::default();
        wanted.value("id =", Some(*id.as_bytes()));
        Ok(self.select_deliveries(wanted, 1)?.pop())
    }

    /// All deliveries of an event.
    pub fn deliveries_of(&self, event: EventId) -> Result<Vec<Indexed>, IndexError> {
        let mut wanted = Where::default();
        wanted.value("event =", Some(*event.as_bytes()));
        self.select_deliveries(wanted, PAGE_MAX)
    }

    /// Dead letters that died before then.
    pub fn dead_before(&self, before: Time, limit: usize) -> Result<Vec<Indexed>, IndexError> {
        let mut wanted = Where::default();
        wanted.plain("state = 'dead' AND replaced_by IS NULL AND dismissed_at IS NULL");
        wanted.value("ended_at <", Some(before.as_us()));
        self.select_deliveries_by("ended_at", wanted, limit)
    }

    /// Pending deliveries and dead letters of events that lie in segments up to this one.
    pub fn unended_upto(&self, segment: u32, limit: usize) -> Result<Vec<Indexed>, IndexError> {
        let mut left = Vec::new();
        for state in ["state = 'pending'", "state = 'dead' AND replaced_by IS NULL AND dismissed_at IS NULL"] {
            let mut wanted = Where::default();
            wanted.plain(state);
            wanted.value("segment <=", Some(segment));
            left.extend(self.select_deliveries(wanted, limit - left.len())?);
        }
        Ok(left)
    }

    fn select_deliveries(&self, wanted: Where, limit: usize) -> Result<Vec<Indexed>, IndexError> {
        self.select_deliveries_by("id DESC", wanted, limit)
    }

    fn select_deliveries_by(&self, order: &str, mut wanted: Where, limit: usize) -> Result<Vec<Indexed>, IndexError> {
        wanted.plain(&format!("segment > {GONE}"));
        let mut select = self.connection.prepare_cached(&format!(
            "SELECT {} FROM deliveries{} ORDER BY {order} LIMIT {}",
            rows::DELIVERY_COLUMNS,
            wanted.sql,
            limit.min(PAGE_MAX)
        ))?;
        let mut found = select.query(params_from_iter(wanted.values))?;
        let mut deliveries = Vec::new();
        while let Some(row) = found.next()? {
            deliveries.push(self.names.delivery(&self.connection, row)?);
        }
        Ok(deliveries)
    }

    /// Where the attempts of a delivery lie in the journal, first to last.
    pub fn attempts_at(&self, delivery: DeliveryId) -> Result<Vec<Position>, IndexError> {
        let sql = "SELECT segment, offset, len FROM attempts WHERE delivery = ?1 ORDER BY number";
        let mut select = self.connection.prepare_cached(sql)?;
        let mut found = select.query([delivery.as_bytes()])?;
        let mut positions = Vec::new();
        while let Some(row) = found.next()? {
            positions.push(rows::position(row, 0)?);
        }
        Ok(positions)
    }
}
