//! What is copied as rows: which column holds what, and how much of everything there is.

use hookhaven_core::{Delivery, LineId, Time};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use crate::{
    codec,
    copy::{Content, Counts, Family, FamilyDelivery},
    live::DUE_AT_ONCE_US,
    postgres::{
        births::place,
        events::{Pieces, key_hash},
        lines::Lines,
        pool::Lent,
        rows::{At, LINE, NOBODY, Uuid, number, to_text},
        slices,
        trouble::Trouble,
    },
    record::CarriedKey,
    seam::{AttemptAt, CatalogEntry, Step},
};

/// Rows for a table, column by column, in one statement.
pub(super) struct Insert<'a> {
    table: &'static str,
    rows: usize,
    names: Vec<&'static str>,
    values: Vec<(Box<dyn ToSql + Sync + Send + 'a>, Type)>,
}

impl<'a> Insert<'a> {
    fn into(table: &'static str, rows: usize) -> Self {
        Insert { table, rows, names: Vec::new(), values: Vec::new() }
    }

    /// As many values as there are rows.
    fn column<T: ToSql + Sync + Send + 'a>(
        mut self,
        name: &'static str,
        of: Type,
        values: impl Iterator<Item = T>,
    ) -> Self {
        let values: Vec<T> = values.collect();
        debug_assert_eq!(values.len(), self.rows, "{name}");
        self.names.push(name);
        self.values.push((Box::new(values), of));
        self
    }

    pub async fn run(&self, connection: &Lent<'_>) -> Result<(), Trouble> {
        if self.rows == 0 {
            return Ok(());
        }
        let names = self.names.join(", ");
        let numbers: Vec<String> = (1..=self.names.len()).map(|n| format!("${n}")).collect();
        let sql =
            format!("INSERT INTO hookhaven.{} ({names}) SELECT * FROM unnest({})", self.table, numbers.join(", "));
        let args: Vec<(&(dyn ToSql + Sync), Type)> =
            self.values.iter().map(|(values, of)| (&**values as &(dyn ToSql + Sync), of.clone())).collect();
        connection.run(&sql, &args).await.map(drop)
    }
}

/// All that a page puts in.
pub(super) fn inserts(content: &Content) -> Vec<Insert<'_>> {
    match content {
        Content::Families(families) => {
            let of = |family: &'_ Family| slices::of_event(family.id);
            let (mut live, mut ended) = (Vec::new(), Vec::new());
            for family in families {
                for one in &family.deliveries {
                    if one.delivery.state.is_final() { &mut ended } else { &mut live }.push((of(family), one));
                }
            }
            vec![events(families), waiting(&live), over(&ended), attempts(families)]
        }
        Content::Keys(some) => vec![keys(some)],
        Content::Steps(some) => vec![steps(some)],
        Content::Catalog(entries) => vec![catalog(entries)],
    }
}

fn events(families: &[Family]) -> Insert<'_> {
    let whole: Vec<_> = families.iter().filter_map(|family| Some((family, family.event.as_deref()?))).collect();
    let all = || whole.iter().map(|(_, event)| *event);
    let mut bodies: Vec<_> = all().map(|e| &e.body[..]).collect();
    let pieces = Pieces::of(all(), &mut bodies);
    Insert::into("events", whole.len())
        .column("slice", Type::INT4_ARRAY, all().map(|e| slices::of_event(e.id)))
        .column("id", Type::UUID_ARRAY, all().map(|e| Uuid::from(e.id)))
        .column("source", Type::TEXT_ARRAY, all().map(|e| to_text(&e.source)))
        .column("event_type", Type::TEXT_ARRAY, all().map(|e| to_text(&e.event_type)))
        .column("idempotency_key", Type::TEXT_ARRAY, all().map(|e| to_text(&e.idempotency_key)))
        .column("key_hash", Type::INT8_ARRAY, all().map(|e| key_hash(&e.idempotency_key)))
        .column("received_at", Type::TIMESTAMPTZ_ARRAY, all().map(|e| At(e.received_at)))
        .column("routed", Type::BOOL_ARRAY, whole.iter().map(|(family, _)| !family.deliveries.is_empty()))
        .column("head", Type::BYTEA_ARRAY, all().map(codec::encode_head))
        .column("body", Type::BYTEA_ARRAY, bodies.into_iter())
        .column("digest", Type::UUID_ARRAY, all().map(|e| e.digest.map(|digest| Uuid(digest.bytes))))
        .column("watched", Type::BOOL_ARRAY, all().map(|e| e.digest.map(|digest| digest.watched)))
        .column("body_of", Type::UUID_ARRAY, pieces.of.into_iter())
        .column("body_from", Type::INT4_ARRAY, pieces.from.into_iter())
        .column("body_len", Type::INT4_ARRAY, pieces.len.into_iter())
}

/// A delivery, with the slice of its event.
type Placed<'a> = (i32, &'a FamilyDelivery);

/// What `live` and `ended` both have.
fn delivery_columns<'a>(table: &'static str, placed: &[Placed<'a>]) -> Insert<'a> {
    let all = || placed.iter().map(|(_, one)| &one.delivery);
    let class = |one: &FamilyDelivery| one.last.as_ref().map(|last| i16::from(codec::class_number(last.class)));
    let status = |one: &FamilyDelivery| {
        let last = one.last.as_ref()?;
        Some(last.status.and_then(|status| i16::try_from(status).ok()).unwrap_or(0))
    };
    Insert::into(table, placed.len())
        .column("slice", Type::INT4_ARRAY, placed.iter().map(|(slice, _)| *slice))
        .column("id", Type::UUID_ARRAY, all().map(|d| Uuid::from(d.id)))
        .column("event", Type::UUID_ARRAY, all().map(|d| Uuid::from(d.event)))
        .column("due_at", Type::TIMESTAMPTZ_ARRAY, all().map(|d| At(d.due_at)))
        .column("accepted_at", Type::TIMESTAMPTZ_ARRAY, all().map(|d| At(d.accepted_at)))
        .column("attempts", Type::INT4_ARRAY, all().map(|d| number(d.attempts)))
        .column("tries", Type::INT4_ARRAY, all().map(|d| number(d.tries)))
        .column("lost", Type::INT4_ARRAY, all().map(|d| number(d.lost)))
        .column("last_class", Type::INT2_ARRAY, placed.iter().map(|(_, one)| class(one)))
        .column("last_status", Type::INT2_ARRAY, placed.iter().map(|(_, one)| status(one)))
        .column("critical", Type::BOOL_ARRAY, all().map(|d| d.policy.critical))
        .column("replaces", Type::UUID_ARRAY, all().map(|d| d.replaces.map(Uuid::from)))
        .column("lane", Type::TEXT_ARRAY, all().map(|d| to_text(d.lane.as_str())))
        .column("source", Type::TEXT_ARRAY, all().map(|d| to_text(&d.source)))
        .column("event_type", Type::TEXT_ARRAY, all().map(|d| to_text(&d.event_type)))
        .column("destination", Type::TEXT_ARRAY, all().map(|d| to_text(&d.destination)))
        .column("route", Type::TEXT_ARRAY, all().map(|d| to_text(&d.route)))
        .column("policy", Type::BYTEA_ARRAY, all().map(|d| codec::encode_policy(&d.policy)))
        .column("cancel_asked_at", Type::TIMESTAMPTZ_ARRAY, all().map(|d| d.cancel_asked_at.map(At)))
        .column("line", Type::UUID_ARRAY, all().map(|d| line(d).map(Uuid::from)))
        .column("version", Type::UUID_ARRAY, all().map(|d| d.order.as_ref()?.version().map(Uuid::from)))
        .column("ordering", Type::BYTEA_ARRAY, all().map(|d| d.order.as_deref().map(codec::encode_order)))
}

fn line(d: &Delivery) -> Option<LineId> {
    Some(d.order.as_ref()?.line(&d.destination))
}

/// What a page does to lines, once its rows are in: the first of each is opened.
pub(super) async fn restore_lines(connection: &Lent<'_>, content: &Content, now: Time) -> Result<(), Trouble> {
    let Content::Families(families) = content else { return Ok(()) };
    let of = |family: &'_ Family| slices::of_event(family.id);
    let all = families.iter().flat_map(|family| family.deliveries.iter().map(move |one| (of(family), &one.delivery)));
    let all: Vec<_> = all.filter(|(_, delivery)| delivery.order.is_some()).collect();
    let mut lines = Lines::lock(connection, all.iter().filter_map(|(_, delivery)| line(delivery)), now).await?;
    all.into_iter().for_each(|(day, delivery)| lines.restore(delivery, day));
    lines.arrange_restored(connection).await
}

fn waiting<'a>(placed: &[Placed<'a>]) -> Insert<'a> {
    let all = || placed.iter().map(|(_, one)| &one.delivery);
    let place = |d: &Delivery| place(&d.lane, d.id).unzip();
    let in_line = |d: &Delivery| d.order.as_ref().map(|_| LINE);
    let session = |d: &Delivery| d.cancel_asked_at.map(|_| NOBODY).or(in_line(d));
    let line_turn = |d: &Delivery| d.order.as_ref().map(|order| i64::try_from(order.turn).unwrap_or(i64::MAX));
    let deadline_us = |d: &Delivery| i64::try_from(d.policy.deadline.as_micros()).unwrap_or(i64::MAX);
    delivery_columns("live", placed)
        .column("fence", Type::INT8_ARRAY, placed.iter().map(|_| 0_i64))
        .column("session", Type::INT8_ARRAY, all().map(session))
        .column("queue", Type::TEXT_ARRAY, all().map(|d| place(d).0))
        .column("holder", Type::UUID_ARRAY, all().map(|d| place(d).1))
        .column("turn", Type::INT8_ARRAY, all().map(turn))
        .column("line_turn", Type::INT8_ARRAY, all().map(line_turn))
        .column("deadline_us", Type::INT8_ARRAY, all().map(deadline_us))
        .column("expires_at", Type::TIMESTAMPTZ_ARRAY, all().map(|d| At(d.accepted_at.plus(d.policy.max_age))))
}

/// Before all numbers that are given here, and by due times among themselves, which tell their order.
fn turn(d: &Delivery) -> Option<i64> {
    (d.lane.is_queue() && d.due_at.as_us() - d.accepted_at.as_us() < DUE_AT_ONCE_US).then_some(0)
}

fn over<'a>(placed: &[Placed<'a>]) -> Insert<'a> {
    let all = || placed.iter().map(|(_, one)| &one.delivery);
    let reason = |d: &Delivery| d.end_reason.map(|reason| i16::from(codec::reason_number(reason)));
    delivery_columns("ended", placed)
        .column("state", Type::INT2_ARRAY, all().map(|d| i16::from(codec::state_number(d.state))))
        .column("reason", Type::INT2_ARRAY, all().map(reason))
        .column("ended_at", Type::TIMESTAMPTZ_ARRAY, all().map(|d| At(d.ended_at.unwrap_or(d.accepted_at))))
        .column("dismissed_at", Type::TIMESTAMPTZ_ARRAY, all().map(|d| d.dismissed_at.map(At)))
        .column("replaced_by", Type::UUID_ARRAY, all().map(|d| d.replaced_by.map(Uuid::from)))
}

fn attempts(families: &[Family]) -> Insert<'_> {
    let placed = |family: &'_ Family| slices::of_event(family.id);
    let of_family = |family| family_attempts(family).map(move |attempt| (placed(family), attempt));
    let all: Vec<_> = families.iter().flat_map(of_family).collect();
    Insert::into("attempts", all.len())
        .column("slice", Type::INT4_ARRAY, all.iter().map(|(slice, _)| *slice))
        .column("delivery", Type::UUID_ARRAY, all.iter().map(|(_, a)| Uuid::from(a.delivery)))
        .column("number", Type::INT4_ARRAY, all.iter().map(|(_, a)| number(a.number)))
        .column("body", Type::BYTEA_ARRAY, all.iter().map(|(_, a)| codec::encode_attempt(a)))
        .column("ended_at", Type::TIMESTAMPTZ_ARRAY, all.iter().map(|(_, a)| At(AttemptAt::of(a).ended_at)))
}

fn family_attempts(family: &Family) -> impl Iterator<Item = &hookhaven_core::Attempt> {
    family.deliveries.iter().flat_map(|one| &one.attempts)
}

fn keys(some: &[CarriedKey]) -> Insert<'_> {
    Insert::into("keys", some.len())
        .column("digest", Type::UUID_ARRAY, some.iter().map(|key| Uuid(key.digest.0)))
        .column("event", Type::UUID_ARRAY, some.iter().map(|key| Uuid::from(key.event)))
        .column("until", Type::TIMESTAMPTZ_ARRAY, some.iter().map(|key| At(key.until)))
        .column("body", Type::UUID_ARRAY, some.iter().map(|key| key.body.map(Uuid)))
}

fn steps(some: &[Step]) -> Insert<'_> {
    let kind = |step: &Step| i32::try_from(codec::step_number(step.kind)).unwrap_or(i32::MAX);
    Insert::into("steps", some.len())
        .column("slice", Type::INT4_ARRAY, some.iter().map(|step| slices::of_time(step.at)))
        .column("number", Type::INT8_ARRAY, some.iter().map(|step| i64::try_from(step.number).unwrap_or(i64::MAX)))
        .column("at", Type::TIMESTAMPTZ_ARRAY, some.iter().map(|step| At(step.at)))
        .column("delivery", Type::UUID_ARRAY, some.iter().map(|step| Uuid::from(step.delivery)))
        .column("kind", Type::INT4_ARRAY, some.iter().map(kind))
}

/// Goes on from the last step's.
pub(super) const STEP_NUMBER: &str =
    "SELECT setval('hookhaven.step_number', (SELECT max(number) FROM hookhaven.steps))";

fn catalog(entries: &[CatalogEntry]) -> Insert<'_> {
    Insert::into("catalog", entries.len())
        .column("kind", Type::TEXT_ARRAY, entries.iter().map(|entry| to_text(&entry.kind)))
        .column("name", Type::TEXT_ARRAY, entries.iter().map(|entry| to_text(&entry.name)))
        .column("value", Type::BYTEA_ARRAY, entries.iter().map(|entry| &entry.value[..]))
}

/// In the order of [`counts`].
pub(super) const COUNTS: &str = "WITH over AS (SELECT count(*) FILTER (WHERE state = 2) AS delivered, \
      count(*) FILTER (WHERE state = 3) AS dead, count(*) FILTER (WHERE state = 4) AS cancelled, \
      count(*) FILTER (WHERE state = 3 AND replaced_by IS NULL AND dismissed_at IS NULL) AS letters, \
      count(replaces) AS replays FROM hookhaven.ended), \
   stored AS (SELECT count(*) AS events, coalesce(sum(coalesce(body_len, octet_length(body))), 0)::int8 AS bytes FROM hookhaven.events), \
   waiting AS (SELECT count(*) AS pending, count(replaces) AS replays FROM hookhaven.live) \
   SELECT events, bytes, pending, delivered, dead, cancelled, letters, over.replays + waiting.replays, \
      (SELECT count(*) FROM hookhaven.attempts), (SELECT count(*) FROM hookhaven.keys), \
      (SELECT count(*) FROM hookhaven.steps), (SELECT count(*) FROM hookhaven.catalog) \
   FROM over, stored, waiting";

pub(super) fn counts(row: &Row) -> Result<Counts, Trouble> {
    let whole =
        |column: usize| -> Result<u64, Trouble> { Ok(u64::try_from(row.try_get::<_, i64>(column)?).unwrap_or(0)) };
    Ok(Counts {
        events: whole(0)?,
        body_bytes: whole(1)?,
        pending: whole(2)?,
        delivered: whole(3)?,
        dead: whole(4)?,
        cancelled: whole(5)?,
        dead_letters: whole(6)?,
        replays: whole(7)?,
        attempts: whole(8)?,
        keys: whole(9)?,
        steps: whole(10)?,
        catalog: whole(11)?,
    })
}
