//! What becomes of rows of `live`, column by column: one statement moves what ended to `ended`, puts back what goes
//! on, and records the attempts.
//!
//! Each row is matched by delivery, session and fence, and its session must stand: whatever else happened to a
//! lease, a settle by an earlier holder finds no row (I3).

use std::collections::HashSet;

use hookhaven_core::{Attempt, DeliveryId, DeliveryState, EndReason, Lane, Order, Time};
use tokio_postgres::{Row, types::Type};

use super::{
    births::Values,
    claim::{fence, number},
    pool::{Lent, Mode},
    rows::{At, Uuid, from_text, number as int, state},
    slices, steps,
    trouble::Trouble,
};
use crate::{
    codec,
    live::{Counted, LostInARow},
    record::SettledTo,
    seam::{AttemptAt, Next, SessionId, Settlement},
};

/// What becomes of one row of `live`.
#[derive(Debug)]
pub(super) struct Ending {
    pub delivery: DeliveryId,
    session: Option<i64>,
    fence: i64,
    /// `None`: released, as if never claimed.
    pub to: Option<SettledTo>,
    counted: Counted,
    attempt: Option<Tried>,
    /// What its order becomes, if that changes.
    ordering: Option<Vec<u8>>,
}

/// An attempt as it is recorded.
#[derive(Debug)]
struct Tried {
    number: i32,
    class: i16,
    /// 0: it came to none.
    status: i16,
    body: Vec<u8>,
    ended_at: Time,
}

/// Which rows a settlement may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Those that stand in no line.
    Plain,
    /// Any: whoever asks has locked the lines.
    Lined,
}

impl Ending {
    /// Without an attempt.
    pub fn new(delivery: DeliveryId, session: Option<i64>, fence: i64, to: SettledTo) -> Self {
        Ending { delivery, session, fence, to: Some(to), counted: to.counted(false), attempt: None, ordering: None }
    }

    /// Back to its lane, as if never claimed.
    pub fn released(delivery: DeliveryId, session: Option<i64>, fence: i64) -> Self {
        Ending { delivery, session, fence, to: None, counted: Counted::default(), attempt: None, ordering: None }
    }

    pub fn with(self, attempt: &Attempt) -> Self {
        let recorded = Tried {
            number: int(attempt.number),
            class: i16::from(codec::class_number(attempt.class)),
            status: attempt.status.and_then(|status| i16::try_from(status).ok()).unwrap_or(0),
            body: codec::encode_attempt(attempt),
            ended_at: AttemptAt::of(attempt).ended_at,
        };
        let counted = self.to.map_or(self.counted, |to| to.counted(true));
        Ending { counted, attempt: Some(recorded), ..self }
    }

    pub fn with_order(self, order: &Order) -> Self {
        Ending { ordering: Some(codec::encode_order(order)), ..self }
    }

    pub fn of(session: SessionId, settlement: &Settlement) -> Self {
        let to = match settlement.next {
            Next::Delivered => SettledTo::Delivered,
            Next::Retry { due_at } => SettledTo::Retry { due_at },
            Next::Dead(reason) => SettledTo::Dead(reason),
            Next::Release => {
                return Ending::released(settlement.delivery, Some(number(session)), fence(settlement.fence));
            }
        };
        let ending = Ending::new(settlement.delivery, Some(number(session)), fence(settlement.fence), to);
        match &settlement.attempt {
            Some(attempt) => ending.with(attempt),
            None => ending,
        }
    }

    fn ends(&self) -> bool {
        self.state().is_final()
    }

    fn state(&self) -> DeliveryState {
        match self.to {
            Some(SettledTo::Delivered) => DeliveryState::Delivered,
            Some(SettledTo::Dead(_)) => DeliveryState::Dead,
            Some(SettledTo::Cancelled | SettledTo::Superseded) => DeliveryState::Cancelled,
            _ => DeliveryState::Pending,
        }
    }

    fn reason(&self) -> Option<i16> {
        match self.to {
            Some(SettledTo::Dead(reason)) => Some(i16::from(codec::reason_number(reason))),
            Some(SettledTo::Cancelled) => Some(i16::from(codec::reason_number(EndReason::Cancelled))),
            Some(SettledTo::Superseded) => Some(i16::from(codec::reason_number(EndReason::Superseded))),
            _ => None,
        }
    }

    fn due_at(&self) -> Option<Time> {
        match self.to {
            Some(SettledTo::Retry { due_at } | SettledTo::Lost { due_at, .. }) => Some(due_at),
            _ => None,
        }
    }
}

/// What a row of `live` became.
#[derive(Debug)]
pub(super) struct Change {
    pub delivery: DeliveryId,
    pub state: DeliveryState,
    /// That it is in or beside.
    pub queue: Option<Lane>,
    pub superseded: bool,
}

impl Change {
    fn read(row: &Row) -> Result<Self, Trouble> {
        let queue = row.try_get::<_, Option<&str>>(2)?.map(|queue| Lane::from_text(&from_text(queue)));
        Ok(Change { delivery: row.try_get::<_, Uuid>(0)?.delivery(), state: state(row, 1)?, queue, superseded: false })
    }
}

/// Settles within a transaction; answers which were settled. `fenced`: only by sessions that stand.
pub(super) async fn settle_rows(
    connection: &Lent<'_>,
    endings: &[Ending],
    now: Time,
    fenced: bool,
    scope: Scope,
) -> Result<Vec<Change>, Trouble> {
    if endings.is_empty() {
        return Ok(Vec::new());
    }
    let (columns, sql) = (Columns::of(endings.iter(), now, fenced, scope), settle_sql(scope, endings));
    let mut changes = changes(&connection.query(&sql, &columns.args()).await?)?;
    let again = not_found(endings, &changes);
    if !again.is_empty() {
        let columns = Columns::of(again.into_iter(), now, fenced, scope);
        changes.extend(self::changes(&connection.query(&sql, &columns.args()).await?)?);
    }
    let superseded = |ending: &&Ending| ending.to == Some(SettledTo::Superseded);
    let superseded: HashSet<_> = endings.iter().filter(superseded).map(|ending| ending.delivery).collect();
    changes.iter_mut().for_each(|change| change.superseded = superseded.contains(&change.delivery));
    Ok(changes)
}

/// The same as a transaction of its own, of what stands in no line.
pub(super) async fn settle_once(
    connection: &mut Lent<'_>,
    endings: &[Ending],
    now: Time,
) -> Result<Vec<Change>, Trouble> {
    let (scope, sql) = (Scope::Plain, settle_sql(Scope::Plain, endings));
    let columns = Columns::of(endings.iter(), now, true, scope);
    let mut changes = changes(&connection.once(Mode::Write, &sql, &columns.args()).await?)?;
    let again = not_found(endings, &changes);
    if !again.is_empty() {
        let columns = Columns::of(again.into_iter(), now, true, scope);
        changes.extend(self::changes(&connection.once(Mode::Write, &sql, &columns.args()).await?)?);
    }
    Ok(changes)
}

/// Those to be looked at once more: a row that was to stay is not found either if its end was asked for while the
/// statement was on its way, and then it goes.
fn not_found<'a>(endings: &'a [Ending], changes: &[Change]) -> Vec<&'a Ending> {
    let found: HashSet<DeliveryId> = changes.iter().map(|change| change.delivery).collect();
    endings.iter().filter(|ending| !ending.ends() && !found.contains(&ending.delivery)).collect()
}

fn changes(rows: &[Row]) -> Result<Vec<Change>, Trouble> {
    rows.iter().map(Change::read).collect()
}

/// Endings, column by column.
struct Columns<'a> {
    ids: Vec<Uuid>,
    sessions: Vec<Option<i64>>,
    fences: Vec<i64>,
    states: Vec<i16>,
    reasons: Vec<Option<i16>>,
    due: Vec<Option<At>>,
    attempts: Vec<i32>,
    tries: Vec<i32>,
    /// What `lost` becomes; null: as it was, -1: one more.
    lost: Vec<Option<i32>>,
    numbers: Vec<Option<i32>>,
    classes: Vec<Option<i16>>,
    statuses: Vec<Option<i16>>,
    bodies: Vec<Option<&'a [u8]>>,
    ended: Vec<Option<At>>,
    now: At,
    fenced: bool,
    /// The slice of now.
    slice: i32,
    orderings: Vec<Option<&'a [u8]>>,
    scope: Scope,
}

impl<'a> Columns<'a> {
    fn of(endings: impl Iterator<Item = &'a Ending> + Clone, now: Time, fenced: bool, scope: Scope) -> Self {
        let each = || endings.clone();
        let lost = |ending: &Ending| match ending.counted.lost {
            LostInARow::AsItWas => None,
            LostInARow::OneMore => Some(-1),
            LostInARow::Is(n) => Some(int(n)),
        };
        let attempt = |ending: &'a Ending| ending.attempt.as_ref();
        Columns {
            ids: each().map(|e| e.delivery.into()).collect(),
            sessions: each().map(|e| e.session).collect(),
            fences: each().map(|e| e.fence).collect(),
            states: each().map(|e| i16::from(codec::state_number(e.state()))).collect(),
            reasons: each().map(Ending::reason).collect(),
            due: each().map(|e| e.due_at().map(At)).collect(),
            attempts: each().map(|e| int(e.counted.attempts)).collect(),
            tries: each().map(|e| int(e.counted.tries)).collect(),
            lost: each().map(lost).collect(),
            numbers: each().map(|e| attempt(e).map(|a| a.number)).collect(),
            classes: each().map(|e| attempt(e).map(|a| a.class)).collect(),
            statuses: each().map(|e| attempt(e).map(|a| a.status)).collect(),
            bodies: each().map(|e| attempt(e).map(|a| &a.body[..])).collect(),
            ended: each().map(|e| attempt(e).map(|a| At(a.ended_at))).collect(),
            now: At(now),
            fenced,
            slice: slices::of_time(now),
            orderings: each().map(|e| e.ordering.as_deref()).collect(),
            scope,
        }
    }

    fn args(&self) -> Values<'_> {
        let mut args: Values<'_> = vec![
            (&self.ids, Type::UUID_ARRAY),
            (&self.sessions, Type::INT8_ARRAY),
            (&self.fences, Type::INT8_ARRAY),
            (&self.states, Type::INT2_ARRAY),
            (&self.reasons, Type::INT2_ARRAY),
            (&self.due, Type::TIMESTAMPTZ_ARRAY),
            (&self.attempts, Type::INT4_ARRAY),
            (&self.tries, Type::INT4_ARRAY),
            (&self.lost, Type::INT4_ARRAY),
            (&self.numbers, Type::INT4_ARRAY),
            (&self.classes, Type::INT2_ARRAY),
            (&self.bodies, Type::BYTEA_ARRAY),
            (&self.now, Type::TIMESTAMPTZ),
            (&self.fenced, Type::BOOL),
            (&self.slice, Type::INT4),
            (&self.statuses, Type::INT2_ARRAY),
            (&self.ended, Type::TIMESTAMPTZ_ARRAY),
        ];
        if self.scope == Scope::Lined {
            args.push((&self.orderings, Type::BYTEA_ARRAY));
        }
        args
    }
}

/// State 1 is pending: the row stays, unless its end was asked for; then it goes as cancelled (4), as does
/// whatever was not delivered (2). What a row becomes is told by the row as it then stands, its slice too, which
/// retention may have changed a moment ago. Where all end, nothing is asked of rows that stay: the server plans the
/// statement anew each time, and that is most of what a small one costs.
fn settle_sql(scope: Scope, endings: &[Ending]) -> String {
    let lined = scope == Scope::Lined;
    let stay = endings.iter().any(|ending| !ending.ends());
    let either = |in_lines: &'static str, plain: &'static str| if lined { in_lines } else { plain };
    let orderings = either(", $18::bytea[]", "");
    let ordering = either(", ordering", "");
    let only = either("", "AND l.line IS NULL");
    let order_of_stayed = either(
        ", ordering = coalesce(i.ordering, l.ordering), \
         own_due_at = CASE WHEN i.due_at IS NULL THEN l.own_due_at END",
        "",
    );
    let gone = either(", i.ordering AS new_ordering", "");
    let columns = either(", line, version, ordering", "");
    let values = either(", line, version, coalesce(new_ordering, ordering)", "");
    let told = steps::of_settled("$13", "$15", stay);
    let (stayed, tried, settled) = match stay {
        false => Default::default(),
        true => (
            format!(
                "stayed AS ( \
                   UPDATE hookhaven.live l SET session = NULL, due_at = coalesce(i.due_at, l.due_at), \
                      attempts = l.attempts + i.attempts, tries = l.tries + i.tries, \
                      lost = CASE i.lost WHEN -1 THEN l.lost + 1 ELSE coalesce(i.lost, l.lost) END, \
                      last_class = coalesce(i.class, l.last_class), \
                      last_status = coalesce(i.status, l.last_status){order_of_stayed} \
                   FROM input i WHERE i.state = 1 AND l.cancel_asked_at IS NULL {only} \
                      AND l.id = i.id AND l.fence = i.fence AND l.session IS NOT DISTINCT FROM i.session \
                   RETURNING l.id, l.slice, l.source, l.queue, i.number, i.body, i.tried_until), "
            ),
            "SELECT slice, id, number, body, tried_until FROM stayed WHERE body IS NOT NULL UNION ALL",
            "SELECT id, 1::int2, queue FROM stayed UNION ALL",
        ),
    };
    format!(
        "WITH input AS MATERIALIZED ( \
           SELECT i.* FROM unnest($1::uuid[], $2::int8[], $3::int8[], $4::int2[], $5::int2[], $6::timestamptz[], \
              $7::int4[], $8::int4[], $9::int4[], $10::int4[], $11::int2[], $12::bytea[], $16::int2[], \
              $17::timestamptz[]{orderings}) AS i(id, session, fence, state, reason, due_at, attempts, tries, lost, \
              number, class, body, status, tried_until{ordering}) \
           WHERE NOT $14 OR i.session IN (SELECT s.id FROM hookhaven.sessions s WHERE s.until > $13)), \
        {stayed}gone AS ( \
           DELETE FROM hookhaven.live l USING input i WHERE (i.state > 1 OR l.cancel_asked_at IS NOT NULL) {only} \
              AND l.id = i.id AND l.fence = i.fence AND l.session IS NOT DISTINCT FROM i.session \
           RETURNING l.*, l.cancel_asked_at IS NOT NULL AND i.state <> 2 AS let_down, i.state AS state, \
              i.reason AS reason, i.attempts AS more_attempts, i.tries AS more_tries, i.lost AS now_lost, \
              i.class AS class, i.status AS status, i.number AS number, i.body AS body, \
              i.tried_until AS tried_until{gone}), \
        history AS ( \
           INSERT INTO hookhaven.ended (slice, id, event, state, reason, ended_at, due_at, accepted_at, attempts, tries, \
              lost, last_class, last_status, critical, replaces, lane, source, event_type, destination, route, policy, \
              cancel_asked_at{columns}) \
           SELECT slice, id, event, CASE WHEN let_down THEN 4 ELSE state END, CASE WHEN let_down THEN 6 ELSE reason END, \
              $13, due_at, accepted_at, attempts + more_attempts, tries + more_tries, \
              CASE WHEN let_down THEN lost WHEN now_lost = -1 THEN lost + 1 ELSE coalesce(now_lost, lost) END, \
              coalesce(class, last_class), coalesce(status, last_status), critical, replaces, lane, source, event_type, destination, route, policy, \
              cancel_asked_at{values} FROM gone), \
        tried AS ( \
           INSERT INTO hookhaven.attempts (slice, delivery, number, body, ended_at) \
           {tried} SELECT slice, id, number, body, tried_until FROM gone WHERE body IS NOT NULL){told} \
         {settled} SELECT id, CASE WHEN let_down THEN 4::int2 ELSE state END, queue FROM gone"
    )
}
