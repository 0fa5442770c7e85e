//! The index as people ask it: pages of events and deliveries. Here is what filters mean, and which way a look takes
//! for each; the looking is `look`'s, the connections are `readers`'.

use hookhaven_core::{DeliveryId, DeliveryState, EventId, Time};
use rusqlite::{OptionalExtension, Row, ToSql, params_from_iter};

use super::{
    GONE, IndexError,
    look::{Found, Sought, Span, Way},
    readers::Reader,
    rows::{self, Indexed},
};
use crate::{
    position::Position,
    seam::{DeadLetter, DeliveryFilter, EventFilter, EventRow, Looked, Page},
};

/// Longest page, whatever is asked for.
pub(super) const PAGE_MAX: usize = 10_000;

/// Conditions joined by AND, with their values.
#[derive(Default)]
pub(super) struct Where {
    pub sql: String,
    pub values: Vec<Box<dyn ToSql>>,
    /// Those that the index gone by decides, spelt as it has them; they have no values.
    pub covered: String,
    /// How many values stand before these.
    before: usize,
}

impl Where {
    /// For [`Reader::look`], which has values of its own.
    fn of_rows(covered: &str) -> Self {
        let covered = format!(" WHERE {covered}");
        Where { sql: covered.clone(), covered, before: 3, ..Where::default() }
    }

    pub fn plain(&mut self, condition: &str) {
        self.sql.push_str(if self.sql.is_empty() { " WHERE " } else { " AND " });
        self.sql.push_str(condition);
    }

    /// `condition` ends where the value belongs.
    pub fn value(&mut self, condition: &str, value: Option<impl ToSql + 'static>) {
        if let Some(value) = value {
            self.values.push(Box::new(value));
            let number = self.before + self.values.len();
            self.plain(&format!("{condition} ?{number}"));
        }
    }

    /// A type, or all that a pattern stands for.
    fn event_type(&mut self, pattern: Option<&str>) {
        match pattern {
            // Of what is special in GLOB, only the star is special here.
            Some(pattern) if pattern.contains('*') => {
                self.value("event_type GLOB", Some(pattern.replace('[', "[[]").replace('?', "[?]")));
            }
            exact => self.value("event_type =", exact.map(str::to_owned)),
        }
    }
}

const ALL_ROWS: &str = "TRUE";
const EVENT_COLUMNS: &str = "id, source, event_type, idempotency_key, received_at, occurred_at, correlation_id, \
     matched_secret, remote, body_bytes, deliveries";
const UNROUTED: (&str, &str) = ("events INDEXED BY events_unrouted", "deliveries = 0");
const PENDING: (&str, &str) = ("deliveries INDEXED BY deliveries_pending", "state = 'pending'");
const IS_LETTER: &str = "state = 'dead' AND replaced_by IS NULL AND dismissed_at IS NULL";
const LETTERS: (&str, &str) = ("deliveries INDEXED BY deliveries_dead_letters", IS_LETTER);
const LETTERS_BY_AGE: &str = "deliveries INDEXED BY deliveries_dead_by_age";

fn looked<T, I>((rows, upto): Found<T>, id: impl FnOnce([u8; 16]) -> I) -> Looked<T, I> {
    Looked { rows, upto: upto.map(id) }
}

/// A state as rows have it.
fn state_of(state: DeliveryState) -> &'static str {
    if state == DeliveryState::Leased { DeliveryState::Pending.as_str() } else { state.as_str() }
}

impl Reader {
    pub fn events(&self, filter: &EventFilter, page: Page<EventId>) -> Result<Looked<EventRow, EventId>, IndexError> {
        let sought = self.sought_events(EVENT_COLUMNS, filter, page)?;
        let found = self.look(sought, |row| self.event_row(row))?;
        Ok(looked(found, EventId::from_bytes))
    }

    /// Where events lie that the filter lets through, newest first.
    pub fn places(
        &self,
        filter: &EventFilter,
        page: Page<EventId>,
    ) -> Result<Looked<(EventId, Position, u64), EventId>, IndexError> {
        let sought = self.sought_events("id, segment, offset, len, body_bytes", filter, page)?;
        let place = |row: &Row<'_>| Ok((EventId::from_bytes(row.get(0)?), rows::position(row, 1)?, row.get(4)?));
        Ok(looked(self.look(sought, place)?, EventId::from_bytes))
    }

    fn event_row(&self, row: &Row<'_>) -> Result<EventRow, IndexError> {
        Ok(EventRow {
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
        })
    }

    fn sought_events(
        &self,
        columns: &'static str,
        filter: &EventFilter,
        page: Page<EventId>,
    ) -> Result<Sought, IndexError> {
        let mut span = Span::of_times(filter.since, filter.until);
        if let Some(id) = filter.id {
            let id = u128::from_be_bytes(*id.as_bytes());
            span = Span { first: span.first.max(id), last: span.last.min(id) };
        }
        let (mut from, covered) = if filter.unrouted { UNROUTED } else { ("events", ALL_ROWS) };
        let mut wanted = Where::of_rows(covered);
        wanted.value("source =", filter.source.clone());
        wanted.event_type(filter.event_type.as_deref());
        let by_deliveries = filter.destination.is_some() || filter.state.is_some();
        if by_deliveries {
            let mut of_event = Where { before: wanted.before + wanted.values.len(), ..Where::default() };
            of_event.value("d.destination =", filter.destination.clone());
            of_event.value("d.state =", filter.state.map(state_of));
            wanted.plain(&format!("EXISTS (SELECT 1 FROM deliveries d{} AND d.event = events.id)", of_event.sql));
            wanted.values.extend(of_event.values);
        }
        let is_open = wanted.values.is_empty();
        let is_pending = filter.state.map(state_of) == Some(DeliveryState::Pending.as_str());
        let way = if let Some(key) = &filter.idempotency_key {
            // Where nothing has the key, no row is sought, and SQLite has no use for an index that it is told to take.
            from = "events";
            self.only(&mut wanted, "id", self.events_of_key(key, filter.source.as_deref())?);
            Way::Straight
        } else if is_pending && self.are_few(PENDING.0, &covering(PENDING.1))? {
            wanted.plain(&format!("id IN (SELECT event FROM {} WHERE {})", PENDING.0, PENDING.1));
            Way::Straight
        } else if is_open || filter.id.is_some() || filter.unrouted && self.are_few(from, &covering(covered))? {
            Way::Straight
        } else {
            let mut kinds = Where::default();
            kinds.value("source =", filter.source.clone());
            kinds.event_type(filter.event_type.as_deref());
            kinds.value("destination =", filter.destination.clone());
            kinds.value("state =", filter.state.map(state_of));
            if !by_deliveries {
                kinds.plain("state = ''");
            }
            self.kinds(&kinds)?.map_or(Way::Stretches, Way::Moments)
        };
        // Exactly, where the time that an id was made at only says so nearly.
        wanted.value("received_at >=", filter.since.map(|t| t.as_us()));
        wanted.value("received_at <", filter.until.map(|t| t.as_us()));
        let span = span.beyond(page.after.as_ref().map(EventId::as_bytes), page.oldest_first);
        Ok(Sought { columns, from, wanted, span, way, limit: page.limit, oldest_first: page.oldest_first })
    }

    /// One of these ids.
    fn only(&self, wanted: &mut Where, column: &str, ids: Vec<[u8; 16]>) {
        let numbers: Vec<_> =
            (0..ids.len()).map(|n| format!("?{}", wanted.before + wanted.values.len() + n + 1)).collect();
        wanted.plain(&format!("{column} IN ({})", numbers.join(", ")));
        wanted.values.extend(ids.into_iter().map(|id| Box::new(id) as Box<dyn ToSql>));
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

    pub fn deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page<DeliveryId>,
    ) -> Result<Looked<Indexed, DeliveryId>, IndexError> {
        let sought = self.sought_deliveries(filter, page)?;
        let found = self.look(sought, |row| self.names.delivery(&self.connection, row))?;
        Ok(looked(found, DeliveryId::from_bytes))
    }

    fn sought_deliveries(&self, filter: &DeliveryFilter, page: Page<DeliveryId>) -> Result<Sought, IndexError> {
        let state = filter.state.map(state_of);
        let is_pending = state == Some(DeliveryState::Pending.as_str());
        let (mut from, covered) = match filter.dead_letters {
            true => LETTERS,
            false if is_pending => PENDING,
            false => ("deliveries", ALL_ROWS),
        };
        let mut wanted = Where::of_rows(covered);
        wanted.value("source =", filter.source.clone());
        wanted.event_type(filter.event_type.as_deref());
        wanted.value("destination =", filter.destination.clone());
        wanted.value("route =", filter.route.clone());
        wanted.value("last_class =", filter.class.map(|class| class.as_str()));
        wanted.value("last_status =", filter.status);
        let has_kind = !wanted.values.is_empty() || !(filter.dead_letters || is_pending) && state.is_some();
        wanted.value("state =", state.filter(|_| !is_pending));
        wanted.value("lane =", filter.lane.as_ref().map(|lane| lane.as_str().to_owned()));
        // Beyond so few seconds, what its times leave out is more than hardly any.
        let is_open = wanted.values.is_empty() && filter.minted_since.is_none();
        let (mut span, at) = match filter.dead_letters {
            // It was born before it died.
            true => (Span::of_times(None, filter.until), "ended_at"),
            false => (Span::of_times(filter.minted_since.or(filter.since), filter.until), "accepted_at"),
        };
        let times = |wanted: &mut Where| {
            wanted.value(&format!("{at} >="), filter.since.map(|t| t.as_us()));
            wanted.value(&format!("{at} <"), filter.until.map(|t| t.as_us()));
        };
        let mut events = None;
        if let Some(key) = &filter.idempotency_key {
            events = Some(self.events_of_key(key, filter.source.as_deref())?);
        }
        if let Some(event) = filter.event {
            let event = *event.as_bytes();
            events = Some(events.map_or(vec![event], |of_key| of_key.into_iter().filter(|id| *id == event).collect()));
        }
        let mut by_age = covering(IS_LETTER);
        times(&mut by_age);
        let way = if let Some(events) = events {
            from = "deliveries INDEXED BY deliveries_of_event";
            self.only(&mut wanted, "event", events);
            Way::Straight
        } else if filter.dead_letters && !by_age.values.is_empty() && self.are_few(LETTERS_BY_AGE, &by_age)? {
            from = LETTERS_BY_AGE;
            span = Span::ALL;
            Way::Straight
        } else if is_open && !filter.dead_letters
            || (filter.dead_letters || is_pending) && self.are_few(from, &covering(covered))?
        {
            Way::Straight
        } else if has_kind {
            let mut kinds = Where::default();
            kinds.plain("state <> ''");
            kinds.value("source =", filter.source.clone());
            kinds.event_type(filter.event_type.as_deref());
            kinds.value("destination =", filter.destination.clone());
            kinds.value("route =", filter.route.clone());
            kinds.value("class =", filter.class.map(|class| class.as_str()));
            kinds.value("status =", filter.status);
            let state = if filter.dead_letters { Some(DeliveryState::Dead.as_str()) } else { state };
            kinds.value("state =", state);
            match self.kinds(&kinds)? {
                Some(kinds) => {
                    from = "deliveries";
                    Way::Moments(kinds)
                }
                None => Way::Stretches,
            }
        } else {
            Way::Stretches
        };
        times(&mut wanted);
        let span = span.beyond(page.after.as_ref().map(DeliveryId::as_bytes), page.oldest_first);
        let (columns, limit, oldest_first) = (rows::DELIVERY_COLUMNS, page.limit, page.oldest_first);
        Ok(Sought { columns, from, wanted, span, way, limit, oldest_first })
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

    /// Dead letters by their deaths, latest first. Only the index of them is read: one whose event went with damage
    /// is among them.
    pub fn newest_dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, IndexError> {
        let mut select = self.connection.prepare_cached(&newest_letters())?;
        let letter = |row: &Row<'_>| {
            Ok(DeadLetter { id: DeliveryId::from_bytes(row.get(0)?), died_at: rows::time(row.get(1)?) })
        };
        let found = select.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], letter)?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Dead letters that died before then.
    pub fn dead_before(&self, before: Time, limit: usize) -> Result<Vec<Indexed>, IndexError> {
        let mut wanted = Where::default();
        wanted.plain(IS_LETTER);
        wanted.value("ended_at <", Some(before.as_us()));
        self.select_deliveries_by("ended_at", wanted, limit)
    }

    /// Pending deliveries and dead letters of events that lie in segments up to this one.
    pub fn unended_upto(&self, segment: u32, limit: usize) -> Result<Vec<Indexed>, IndexError> {
        let mut left = Vec::new();
        for state in [PENDING.1, LETTERS.1] {
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

fn newest_letters() -> String {
    format!("SELECT id, ended_at FROM {LETTERS_BY_AGE} WHERE {IS_LETTER} ORDER BY ended_at DESC, id DESC LIMIT ?1")
}

/// What an index decides, by itself.
fn covering(condition: &str) -> Where {
    let mut wanted = Where::default();
    wanted.plain(condition);
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::index::Index;

    #[test]
    fn the_newest_dead_letters_are_read_from_an_index_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index.sqlite");
        rusqlite::Connection::open(&path).unwrap().execute_batch(super::super::SCHEMA).unwrap();
        let reader = Reader::open(&Index::new(path)).unwrap();
        let mut plan = reader.connection.prepare(&format!("EXPLAIN QUERY PLAN {}", newest_letters())).unwrap();
        let steps: Vec<String> = plan.query_map([9], |row| row.get(3)).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(steps, ["SCAN deliveries USING COVERING INDEX deliveries_dead_by_age"]);
    }
}
