//! Lists: pages of events and deliveries. Read in one statement each, so that a delivery that
//! is just moving from `live` to `ended` is seen in exactly one of them. What kinds of deliveries have ended is asked
//! before, and once more afterwards.

use std::collections::HashMap;

use bytes::Bytes;
use hookhaven_core::{DeliveryId, DeliveryState, ErrorClass, EventId, glob};
use tokio_postgres::{Row, types::Type};

use super::{
    Shared,
    conditions::{delivery_conditions, kind_conditions, small, times, wanted},
    events::key_hash,
    look::{List, Pairs, Part, STRETCH_ROWS, Span, Values, body_bytes, of_days},
    pool::{Args, Mode},
    rows::{At, ENDED_COLUMNS, LIVE_COLUMNS, Uuid, time, to_text},
    slices,
    trouble::Trouble,
    whole::event,
};
use crate::{
    codec,
    seam::{DeadLetter, DeliveryFilter, DeliveryRow, EventFilter, EventRow, Looked, Page, StoreError},
};

/// How often a list is looked at anew because kinds of deliveries came to be meanwhile.
const LOOKS_AGAIN_MAX: usize = 3;

/// Without the body, but with its length.
const EVENT_ROW_COLUMNS: &str = "id, source, event_type, idempotency_key, received_at, head, digest, \
     watched, body_of, body_from, body_len, coalesce(body_len, octet_length(body)) AS body_bytes";

pub(super) const IS_LETTER: &str = "x.state = 3 AND x.replaced_by IS NULL AND x.dismissed_at IS NULL";

impl Shared {
    pub(super) async fn look_events(
        &self,
        filter: &EventFilter,
        page: Page<EventId>,
    ) -> Result<Looked<EventRow, EventId>, StoreError> {
        let (rows, upto) = self.rows_of_events(EVENT_ROW_COLUMNS, filter, page, None).await?;
        let mut events = rows.iter().map(event_row).collect::<Result<Vec<_>, _>>()?;
        let counts = self.delivery_counts(events.iter().map(|event| event.id)).await?;
        for event in &mut events {
            event.deliveries = counts.get(&event.id).copied().unwrap_or(0);
        }
        Ok(Looked { rows: events, upto: upto.map(Uuid::event) })
    }

    /// A page, or the rows before one that comes to more bytes; the second is up to where, if there may be more. Of the
    /// newest, those of the last days are sought by themselves: mostly they fill it.
    pub(super) async fn rows_of_events(
        &self,
        columns: &'static str,
        filter: &EventFilter,
        page: Page<EventId>,
        bytes_max: Option<i64>,
    ) -> Result<(Vec<Row>, Option<Uuid>), Trouble> {
        let span = filter.id.map_or_else(|| Span::of_times(filter.since, filter.until), Span::one);
        let span = span.beyond(page.after.map(Uuid::from), page.oldest_first);
        let spans = match page.oldest_first || filter.idempotency_key.is_some() {
            true => [span, Span::NONE],
            false => span.newest_first(slices::of_time(self.now())),
        };
        let (mut rows, mut bytes_left) = (Vec::new(), bytes_max);
        for span in spans.into_iter().filter(|span| !span.is_empty()) {
            let page = Page { limit: page.limit - rows.len(), ..page };
            let list = List { bytes_max: bytes_left, ..self.list_of_events(columns, filter, page, span).await? };
            let (found, upto) = self.look(&list).await?;
            let is_full = list.is_full(&found)?;
            if let Some(left) = &mut bytes_left {
                *left -= body_bytes(&found)?;
            }
            rows.extend(found);
            if is_full {
                let last = rows.last().map(|row| row.try_get::<_, Uuid>(0)).transpose()?;
                return Ok((rows, bytes_max.and(last)));
            }
            if upto.is_some() {
                return Ok((rows, upto));
            }
        }
        Ok((rows, None))
    }

    async fn list_of_events(
        &self,
        columns: &'static str,
        filter: &EventFilter,
        page: Page<EventId>,
        span: Span,
    ) -> Result<List, Trouble> {
        let (mut values, mut by, mut pairs) = (Values::default(), vec![of_days("x")], None);
        let mut wanted = kind_conditions(&mut values, filter.source.as_deref(), filter.event_type.as_deref());
        let has_kind = !wanted.is_empty();
        wanted.extend(delivery_conditions(&mut values, filter));
        let mut stretch_rows = match filter.destination.is_some() || filter.state.is_some() {
            // Each is asked for its deliveries.
            true => Some(STRETCH_ROWS / 5),
            false => None,
        };
        if filter.id.is_some() {
            stretch_rows = None;
        } else if let Some(key) = &filter.idempotency_key {
            by.push(format!("x.key_hash = {}", values.add(key_hash(key), Type::INT8)));
            stretch_rows = None;
        } else if filter.unrouted {
            by.push("NOT x.routed".to_owned());
            stretch_rows = Some(STRETCH_ROWS / 5);
        } else if let Some(few) = self.few_events(&mut values, filter).await? {
            by.push(few);
            stretch_rows = None;
        } else if has_kind {
            let (source, pattern) = (filter.source.as_deref(), filter.event_type.as_deref());
            pairs = self.kinds("hookhaven.events", source, pattern, span, &mut values).await?;
            // Of many kinds, deliveries decide sooner.
            pairs = pairs.filter(|pairs| stretch_rows.is_none() || !pairs.are_common());
            stretch_rows = stretch_rows.or(pairs.is_none().then_some(STRETCH_ROWS));
        }
        if let Some(key) = &filter.idempotency_key {
            wanted.push(format!("x.idempotency_key = {}", values.add(to_text(key).into_owned(), Type::TEXT)));
        }
        if let Some(since) = filter.since {
            wanted.push(format!("x.received_at >= {}", values.add(At(since), Type::TIMESTAMPTZ)));
        }
        if let Some(until) = filter.until {
            wanted.push(format!("x.received_at < {}", values.add(At(until), Type::TIMESTAMPTZ)));
        }
        if filter.unrouted {
            wanted.push("NOT EXISTS (SELECT FROM hookhaven.live l WHERE l.event = x.id)".to_owned());
            let of_days = of_days("d");
            wanted.push(format!(
                "NOT EXISTS (SELECT FROM hookhaven.ended d WHERE d.event = x.id AND d.slice = x.slice AND {of_days})"
            ));
        }
        let parts = vec![Part { table: "hookhaven.events", columns, by, pairs, wanted }];
        Ok(List {
            parts,
            values,
            span,
            limit: page.limit,
            oldest_first: page.oldest_first,
            stretch_rows,
            bytes_max: None,
        })
    }

    /// The pairs of source and type that are meant and came in these days.
    async fn kinds(
        &self,
        table: &str,
        source: Option<&str>,
        pattern: Option<&str>,
        days: Span,
        values: &mut Values,
    ) -> Result<Option<Pairs>, Trouble> {
        let (source, pattern) = (source.map(to_text), pattern.map(to_text));
        let is_meant =
            |_: &str, event_type: &str| pattern.as_deref().is_none_or(|pattern| glob::matches(pattern, event_type));
        self.pairs(table, ["source", "event_type"], source.as_deref(), days, is_meant, values).await
    }

    /// Those of destination and route that are meant.
    async fn ways(&self, filter: &DeliveryFilter, values: &mut Values) -> Result<Option<Pairs>, Trouble> {
        let (destination, route) = (filter.destination.as_deref().map(to_text), filter.route.as_deref().map(to_text));
        let is_meant = |_: &str, found: &str| route.as_deref().is_none_or(|route| route == found);
        self.pairs("hookhaven.ended", ["destination", "route"], destination.as_deref(), Span::ALL, is_meant, values)
            .await
    }

    pub(super) async fn delivery_counts(
        &self,
        events: impl Iterator<Item = EventId>,
    ) -> Result<HashMap<EventId, u32>, Trouble> {
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

    pub(super) async fn look_deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page<DeliveryId>,
    ) -> Result<Looked<DeliveryRow, DeliveryId>, StoreError> {
        let mut list = self.list_of_deliveries(filter, page).await?;
        let mut looked = self.look(&list).await?;
        for _ in 0..LOOKS_AGAIN_MAX {
            let Some(before) = list.pairs_there() else { break };
            // What ended meanwhile as the first of its kind was in neither table: not waiting any more, not sought among
            // what has ended.
            let now = self.list_of_deliveries(filter, page).await?;
            if now.pairs_there().is_none_or(|there| there == before) {
                break;
            }
            looked = self.look(&now).await?;
            list = now;
        }
        let (rows, upto) = looked;
        let rows = self.with_last_attempts(&rows).await?.into_iter().map(|tried| tried.row).collect();
        Ok(Looked { rows, upto: upto.map(Uuid::delivery) })
    }

    /// What to follow of what has ended: kinds of deliveries, unless another index leads to what is meant through fewer
    /// rows. That of dead letters, and of whatever else was not delivered, does unless there are few of these kinds.
    async fn pairs_of_use(
        &self,
        filter: &DeliveryFilter,
        in_ended: bool,
        undelivered: bool,
        values: &mut Values,
    ) -> Result<Option<Pairs>, Trouble> {
        let has_way = filter.destination.is_some() || filter.route.is_some();
        let (source, pattern) = (filter.source.as_deref(), filter.event_type.as_deref());
        let found = match in_ended {
            true if has_way => self.ways(filter, values).await?,
            true if source.is_some() || pattern.is_some() => {
                self.kinds("hookhaven.ended", source, pattern, Span::ALL, values).await?
            }
            _ => None,
        };
        let Some(pairs) = found else { return Ok(None) };
        let of_use = match filter.dead_letters || undelivered {
            true => self.are_few_of(&pairs).await?,
            false => !pairs.are_common(),
        };
        Ok(of_use.then_some(pairs))
    }

    async fn list_of_deliveries(&self, filter: &DeliveryFilter, page: Page<DeliveryId>) -> Result<List, Trouble> {
        let waits = |state| matches!(state, DeliveryState::Pending | DeliveryState::Leased);
        let (in_live, in_ended) = match filter.state {
            _ if filter.dead_letters => (false, true),
            None => (true, true),
            Some(state) => (waits(state), !waits(state)),
        };
        let mut values = Values::default();
        let (mut by, mut pairs, mut wanted) = (Vec::new(), None, wanted(&mut values, filter));
        // Beyond so few seconds, what its times leave out is more than hardly any.
        let is_open = wanted.is_empty() && filter.minted_since.is_none();
        let times = times(&mut values, filter);
        let mut span = match filter.dead_letters {
            // It was born before it died.
            true => Span::of_times(None, filter.until),
            false => Span::of_times(filter.minted_since.or(filter.since), filter.until),
        };
        wanted.extend_from_slice(&times);
        let mut stretch_rows = Some(STRETCH_ROWS);
        let mut by_ended = Vec::new();
        let undelivered = filter.state.filter(|state| !waits(*state) && *state != DeliveryState::Delivered);
        if let Some(events) = self.events_meant(filter).await? {
            by_ended.push(format!("x.slice = ANY({})", {
                let slices = slices::of_events(events.iter().map(|id| id.event()));
                values.add(slices, Type::INT4_ARRAY)
            }));
            by.push(format!("x.event = ANY({})", values.add(events, Type::UUID_ARRAY)));
            stretch_rows = None;
        } else if filter.dead_letters && self.are_few_letters(filter).await? {
            by_ended.push(IS_LETTER.to_owned());
            by_ended.extend(times);
            span = Span::ALL;
            stretch_rows = None;
        } else if let Some(class) = filter.class.filter(|class| *class != ErrorClass::Ok) {
            let class = values.add(i16::from(codec::class_number(class)), Type::INT2);
            by_ended.push(format!("x.last_class = {class} AND x.last_class <> 1"));
        } else if let Some(status) = filter.status.filter(|status| *status >= 300) {
            let status = values.add(small(status), Type::INT2);
            by_ended.push(format!("x.last_status = {status} AND x.last_class <> 1"));
        } else if let Some(found) = self.pairs_of_use(filter, in_ended, undelivered.is_some(), &mut values).await? {
            pairs = Some(found);
        } else if filter.dead_letters {
            by_ended.push(IS_LETTER.to_owned());
        } else if let Some(state) = undelivered {
            let state = values.add(i16::from(codec::state_number(state)), Type::INT2);
            by_ended.push(format!("x.state = {state} AND x.state <> 2"));
        } else if is_open && (!in_ended || filter.state.is_none()) {
            stretch_rows = None;
        }
        let mut parts = Vec::new();
        if in_live {
            let (by, wanted) = (by.clone(), wanted.clone());
            parts.push(Part { table: "hookhaven.live", columns: LIVE_COLUMNS, by, pairs: None, wanted });
        }
        if in_ended {
            if let Some(state) = filter.state {
                let state = values.add(i16::from(codec::state_number(state)), Type::INT2);
                wanted.push(format!("x.state = {state}"));
            }
            if filter.dead_letters {
                wanted.push(IS_LETTER.to_owned());
            }
            by.extend(by_ended);
            parts.push(Part { table: "hookhaven.ended", columns: ENDED_COLUMNS, by, pairs, wanted });
        }
        let span = span.beyond(page.after.map(Uuid::from), page.oldest_first);
        Ok(List {
            parts,
            values,
            span,
            limit: page.limit,
            oldest_first: page.oldest_first,
            stretch_rows,
            bytes_max: None,
        })
    }

    pub(super) async fn newest_dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql = format!(
            "SELECT x.id, x.ended_at FROM hookhaven.ended x WHERE {IS_LETTER} \
               ORDER BY x.ended_at DESC, x.id DESC LIMIT $1"
        );
        let rows = self.reads.once(Mode::Read, &sql, &[(&limit, Type::INT8)]).await?;
        let letter = |row: &Row| {
            Ok::<_, StoreError>(DeadLetter {
                id: row.try_get::<_, Uuid>(0).map_err(Trouble::from)?.delivery(),
                died_at: time(row, 1)?,
            })
        };
        rows.iter().map(letter).collect()
    }
}

/// Without the number of deliveries.
fn event_row(row: &Row) -> Result<EventRow, Trouble> {
    let body_bytes: i32 = row.try_get(11)?;
    let event = event(row, Bytes::new(), None)?;
    Ok(EventRow { body_bytes: u64::try_from(body_bytes).unwrap_or(0), ..EventRow::of(&event, 0) })
}
