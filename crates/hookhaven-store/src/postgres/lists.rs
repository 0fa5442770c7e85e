//! Lists: pages of events and deliveries, and single ones. Read in one statement each, so that a delivery that
//! is just moving from `live` to `ended` is seen in exactly one of them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use hookhaven_core::{
    Attempt, DeliveryId, DeliveryState, Event, EventId, Lane,
    event::{BodyDigest, Part},
};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use super::{
    Shared,
    events::key_hash,
    pool::{Args, Mode},
    rows::{At, ENDED_COLUMNS, LIVE_COLUMNS, Stored, Uuid, text, time, to_text},
    slices,
    trouble::Trouble,
};
use crate::{
    codec,
    seam::{DeliveryFilter, DeliveryRow, EventFilter, EventRow, LastAttempt, Page, StoreError},
};

/// Conditions, each with its value.
#[derive(Default)]
pub(super) struct Where {
    conditions: Vec<String>,
    values: Vec<(Box<dyn ToSql + Sync + Send>, Type)>,
}

impl Where {
    /// `condition` has `?` where the value stands.
    pub fn add(&mut self, condition: &str, value: impl ToSql + Sync + Send + 'static, of: Type) {
        self.values.push((Box::new(value), of));
        self.conditions.push(condition.replace('?', &format!("${}", self.values.len())));
    }

    fn text(&mut self, column: &str, wanted: Option<&str>) {
        if let Some(wanted) = wanted {
            self.add(&format!("{column} = ?"), to_text(wanted).into_owned(), Type::TEXT);
        }
    }

    /// What comes behind the last id of the page before; answers the order that the page is in.
    fn page<I: Into<Uuid>>(&mut self, column: &str, page: Page<I>) -> &'static str {
        let (beyond, order) = if page.oldest_first { (">", "ASC") } else { ("<", "DESC") };
        if let Some(after) = page.after {
            self.add(&format!("{column} {beyond} ?"), after.into(), Type::UUID);
        }
        order
    }

    fn plain(&mut self, condition: &str) {
        self.conditions.push(condition.to_owned());
    }

    pub fn sql(&self) -> String {
        if self.conditions.is_empty() { String::new() } else { format!("WHERE {}", self.conditions.join(" AND ")) }
    }

    pub fn args(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        self.values.iter().map(|(value, of)| (&**value as &(dyn ToSql + Sync), of.clone())).collect()
    }
}

/// How often an event is read whose body just went.
const WHOLE_TRIES: usize = 3;

const EVENT_COLUMNS: &str = "id, source, event_type, idempotency_key, received_at, head, digest, \
     watched, body_of, body_from, body_len";

impl Shared {
    pub(super) async fn events(&self, filter: &EventFilter, page: Page<EventId>) -> Result<Vec<EventRow>, StoreError> {
        let mut wanted = Where::default();
        wanted.text("e.source", filter.source.as_deref());
        wanted.text("e.event_type", filter.event_type.as_deref());
        if let Some(key) = &filter.idempotency_key {
            wanted.add("e.key_hash = ?", key_hash(key), Type::INT8);
        }
        wanted.text("e.idempotency_key", filter.idempotency_key.as_deref());
        // An id is minted as the event comes in; a day of grace is plenty.
        if let Some(since) = filter.since {
            wanted.add("e.received_at >= ?", At(since), Type::TIMESTAMPTZ);
            wanted.add("(e.slice = 0 OR e.slice >= ?)", slices::of_time(since) - 1, Type::INT4);
        }
        if let Some(until) = filter.until {
            wanted.add("e.received_at < ?", At(until), Type::TIMESTAMPTZ);
            wanted.add("e.slice <= ?", slices::of_time(until) + 1, Type::INT4);
        }
        if filter.unrouted {
            wanted.plain("NOT e.routed AND NOT EXISTS (SELECT FROM hookhaven.live l WHERE l.event = e.id)");
            wanted.plain("NOT EXISTS (SELECT FROM hookhaven.ended d WHERE d.event = e.id AND d.slice = e.slice)");
        }
        let order = wanted.page("e.id", page);
        let sql = format!(
            "SELECT {EVENT_COLUMNS}, coalesce(body_len, octet_length(body)) FROM hookhaven.events e {} ORDER BY e.id {order} LIMIT {}",
            wanted.sql(),
            page.limit
        );
        let rows = self.reads.once(Mode::Read, &sql, &wanted.args()).await?;
        let mut events = rows.iter().map(event_row).collect::<Result<Vec<_>, _>>()?;
        let counts = self.delivery_counts(events.iter().map(|event| event.id)).await?;
        for event in &mut events {
            event.deliveries = counts.get(&event.id).copied().unwrap_or(0);
        }
        Ok(events)
    }

    async fn delivery_counts(&self, events: impl Iterator<Item = EventId>) -> Result<HashMap<EventId, u32>, Trouble> {
        let ids: Vec<Uuid> = events.map(Uuid::from).collect();
        let slices = slices::of_events(ids.iter().map(|id| id.event()));
        let sql = "SELECT event, count(*) FROM ( \
              SELECT event FROM hookhaven.live WHERE event = ANY($1) \
              UNION ALL SELECT event FROM hookhaven.ended WHERE event = ANY($1) AND slice = ANY($2)) d GROUP BY event";
        let args: Args<'_> = &[(&ids, Type::UUID_ARRAY), (&slices, Type::INT4_ARRAY)];
        let mut counts = HashMap::new();
        for row in &self.reads.once(Mode::Read, sql, args).await? {
            let count: i64 = row.try_get(1)?;
            counts.insert(row.try_get::<_, Uuid>(0)?.event(), u32::try_from(count).unwrap_or(u32::MAX));
        }
        Ok(counts)
    }

    /// Whole events, those that are there.
    pub(super) async fn read_events(
        &self,
        ids: impl Iterator<Item = EventId>,
    ) -> Result<HashMap<EventId, Arc<Event>>, Trouble> {
        let ids: BTreeSet<EventId> = ids.collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        for _ in 1..WHOLE_TRIES {
            if let Some(events) = self.read_whole(&ids).await? {
                return Ok(events);
            }
        }
        Ok(self.read_whole(&ids).await?.unwrap_or_default())
    }

    /// `None`: a body went while it was read; its pieces have bodies of their own by now.
    async fn read_whole(&self, ids: &BTreeSet<EventId>) -> Result<Option<HashMap<EventId, Arc<Event>>>, Trouble> {
        let sql = format!("SELECT {EVENT_COLUMNS}, body FROM hookhaven.events WHERE id = ANY($1) AND slice = ANY($2)");
        let rows = self.read_by_id(&sql, ids).await?;
        let (mut bodies, mut others) = (HashMap::new(), BTreeSet::new());
        for row in &rows {
            let (id, of): (Uuid, Option<Uuid>) = (row.try_get(0)?, row.try_get(8)?);
            if of == Some(id) {
                bodies.insert(id.event(), Bytes::copy_from_slice(row.try_get(11)?));
            } else if let Some(of) = of {
                others.insert(of.event());
            }
        }
        others.retain(|id| !bodies.contains_key(id));
        if !others.is_empty() {
            let sql = "SELECT id, body FROM hookhaven.events WHERE id = ANY($1) AND slice = ANY($2)";
            for row in &self.read_by_id(sql, &others).await? {
                bodies.insert(row.try_get::<_, Uuid>(0)?.event(), Bytes::copy_from_slice(row.try_get(1)?));
            }
        }
        let mut events = HashMap::new();
        for row in &rows {
            let Some(event) = whole_event(row, &bodies)? else { return Ok(None) };
            events.insert(event.id, Arc::new(event));
        }
        Ok(Some(events))
    }

    async fn read_by_id(&self, sql: &str, ids: &BTreeSet<EventId>) -> Result<Vec<Row>, Trouble> {
        let slices = slices::of_events(ids.iter().copied());
        let ids: Vec<Uuid> = ids.iter().map(|id| Uuid::from(*id)).collect();
        let args: Args<'_> = &[(&ids, Type::UUID_ARRAY), (&slices, Type::INT4_ARRAY)];
        self.work.once(Mode::Read, sql, args).await
    }

    pub(super) async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        Ok(self.read_events([id].into_iter()).await?.remove(&id))
    }

    pub(super) async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page<DeliveryId>,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let waits = |state| matches!(state, DeliveryState::Pending | DeliveryState::Leased);
        let (in_live, in_ended) = match filter.state {
            _ if filter.dead_letters => (false, true),
            None => (true, true),
            Some(state) => (waits(state), !waits(state)),
        };
        let mut wanted = Where::default();
        if let Some(event) = filter.event {
            wanted.add("event = ?", Uuid::from(event), Type::UUID);
        }
        wanted.text("source", filter.source.as_deref());
        wanted.text("destination", filter.destination.as_deref());
        wanted.text("lane", filter.lane.as_ref().map(Lane::as_str));
        wanted.text("event_type", filter.event_type.as_deref());
        if let Some(class) = filter.class {
            wanted.add("last_class = ?", i16::from(codec::class_number(class)), Type::INT2);
        }
        let at = if filter.dead_letters { "ended_at" } else { "accepted_at" };
        if let Some(since) = filter.since {
            wanted.add(&format!("{at} >= ?"), At(since), Type::TIMESTAMPTZ);
        }
        if let Some(until) = filter.until {
            wanted.add(&format!("{at} < ?"), At(until), Type::TIMESTAMPTZ);
        }
        let order = wanted.page("id", page);
        let (shared, limit) = (wanted.sql(), page.limit);
        let mut parts = Vec::new();
        if in_live {
            parts.push(format!(
                "(SELECT {LIVE_COLUMNS} FROM hookhaven.live {shared} ORDER BY id {order} LIMIT {limit})"
            ));
        }
        if in_ended {
            if let Some(state) = filter.state {
                wanted.add("state = ?", i16::from(codec::state_number(state)), Type::INT2);
            }
            if filter.dead_letters {
                wanted.plain("state = 3 AND replaced_by IS NULL AND dismissed_at IS NULL");
            }
            if let Some(event) = filter.event {
                wanted.add("slice = ANY(?)", slices::of_events([event]), Type::INT4_ARRAY);
            }
            let sql = wanted.sql();
            parts
                .push(format!("(SELECT {ENDED_COLUMNS} FROM hookhaven.ended {sql} ORDER BY id {order} LIMIT {limit})"));
        }
        let sql = format!("SELECT * FROM ({}) found ORDER BY id {order} LIMIT {limit}", parts.join(" UNION ALL "));
        let rows = self.reads.once(Mode::Read, &sql, &wanted.args()).await?;
        self.with_last_attempts(&rows).await
    }

    pub(super) async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryRow>, StoreError> {
        let sql = format!(
            "SELECT {LIVE_COLUMNS} FROM hookhaven.live WHERE id = $1 \
             UNION ALL SELECT {ENDED_COLUMNS} FROM hookhaven.ended WHERE id = $1"
        );
        let rows = self.reads.once(Mode::Read, &sql, &[(&Uuid::from(id), Type::UUID)]).await?;
        Ok(self.with_last_attempts(&rows).await?.pop())
    }

    async fn with_last_attempts(&self, rows: &[Row]) -> Result<Vec<DeliveryRow>, StoreError> {
        let stored: Vec<Stored> = rows.iter().map(Stored::read).collect::<Result<_, _>>()?;
        let tried = || stored.iter().filter(|stored| stored.delivery.tries > 0);
        let ids: Vec<Uuid> = tried().map(|stored| stored.delivery.id.into()).collect();
        let slices = slices::of_events(tried().map(|stored| stored.delivery.event));
        let mut last = HashMap::new();
        if !ids.is_empty() {
            let sql = "SELECT DISTINCT ON (delivery) delivery, body FROM hookhaven.attempts \
                WHERE delivery = ANY($1) AND slice = ANY($2) ORDER BY delivery, number DESC";
            let args: Args<'_> = &[(&ids, Type::UUID_ARRAY), (&slices, Type::INT4_ARRAY)];
            for row in &self.reads.once(Mode::Read, sql, args).await? {
                let (id, attempt) = (row.try_get::<_, Uuid>(0).map_err(Trouble::from)?.delivery(), attempt(row, 1)?);
                let shown = LastAttempt {
                    at: attempt.started_at,
                    class: attempt.class,
                    status: attempt.status,
                    error: attempt.error,
                };
                last.insert(id, shown);
            }
        }
        let row = |stored: Stored| DeliveryRow { last: last.remove(&stored.delivery.id), delivery: stored.delivery };
        Ok(stored.into_iter().map(row).collect())
    }

    pub(super) async fn attempts(&self, delivery: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        let sql = "SELECT body FROM hookhaven.attempts WHERE delivery = $1 ORDER BY number";
        let rows = self.reads.once(Mode::Read, sql, &[(&Uuid::from(delivery), Type::UUID)]).await?;
        Ok(rows.iter().map(|row| attempt(row, 0)).collect::<Result<_, _>>()?)
    }
}

fn attempt(row: &Row, column: usize) -> Result<Attempt, Trouble> {
    Ok(codec::decode_attempt(row.try_get(column)?)?)
}

/// Without the number of deliveries.
fn event_row(row: &Row) -> Result<EventRow, Trouble> {
    let body_bytes: i32 = row.try_get(11)?;
    let event = event(row, Bytes::new(), None)?;
    Ok(EventRow { body_bytes: u64::try_from(body_bytes).unwrap_or(0), ..EventRow::of(&event, 0) })
}

/// `None`: the body that it is a piece of is not there.
fn whole_event(row: &Row, bodies: &HashMap<EventId, Bytes>) -> Result<Option<Event>, Trouble> {
    let Some(of) = row.try_get::<_, Option<Uuid>>(8)? else {
        return event(row, Bytes::copy_from_slice(row.try_get(11)?), None).map(Some);
    };
    let Some(whole) = bodies.get(&of.event()) else { return Ok(None) };
    let (from, len): (Option<i32>, Option<i32>) = (row.try_get(9)?, row.try_get(10)?);
    let size = |n: Option<i32>| n.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let (from, len) = (size(from), size(len));
    match from.checked_add(len).filter(|end| *end <= whole.len()) {
        Some(end) => event(row, whole.slice(from..end), Some(whole.clone())).map(Some),
        None => Err(Trouble::failed("a piece of a request is not in its body")),
    }
}

fn event(row: &Row, body: Bytes, whole: Option<Bytes>) -> Result<Event, Trouble> {
    let head = codec::decode_head(row.try_get(5)?)?;
    let watched = row.try_get::<_, Option<bool>>(7)?.unwrap_or(false);
    let digest = row.try_get::<_, Option<Uuid>>(6)?.map(|Uuid(bytes)| BodyDigest { bytes, watched });
    Ok(Event {
        id: row.try_get::<_, Uuid>(0)?.event(),
        source: text(row, 1)?,
        event_type: text(row, 2)?,
        idempotency_key: text(row, 3)?,
        received_at: time(row, 4)?,
        occurred_at: head.occurred_at,
        correlation_id: head.correlation_id,
        matched_secret: head.matched_secret,
        remote: head.remote,
        headers: head.headers,
        body,
        part: head.part.map(|part| Part { whole, ..part }),
        digest,
    })
}
