//! Settling: attempts gather while others are committed, and go to the database together. One statement moves
//! what ended from `live` to `ended`, puts back what goes on, and records the attempts.
//!
//! Each row is matched by delivery, session and fence, and its session must stand: whatever else happened to a
//! lease, a settle by an earlier holder finds no row (I3).

use std::{collections::HashSet, sync::Arc};

use hookhaven_core::{Attempt, DeliveryId, DeliveryState, Time};
use tokio::sync::oneshot;
use tokio_postgres::types::{ToSql, Type};

use super::{
    Shared,
    claim::{fence, number},
    pool::{Lent, Mode},
    queue::{self, Job},
    rows::{At, Uuid, number as int},
    trouble::{Kind, Trouble},
};
use crate::{
    codec,
    live::{Counted, LostInARow},
    record::SettledTo,
    seam::{Next, SessionId, Settled, Settlement, StoreError},
};

const TRIES: usize = 4;

/// A settlement and who waits for it.
#[derive(Debug)]
pub(super) struct Report {
    session: SessionId,
    settlement: Settlement,
    answer: oneshot::Sender<Result<Settled, StoreError>>,
}

impl Job for Report {
    fn bytes(&self) -> usize {
        self.settlement.attempt.as_ref().map_or(0, |attempt| attempt.response_excerpt.len())
    }
}

impl Report {
    pub fn new(session: SessionId, settlement: Settlement) -> (Self, oneshot::Receiver<Result<Settled, StoreError>>) {
        let (answer, answered) = oneshot::channel();
        (Report { session, settlement, answer }, answered)
    }
}

/// What becomes of one row of `live`.
#[derive(Debug)]
pub(super) struct Ending {
    pub delivery: DeliveryId,
    session: Option<i64>,
    fence: i64,
    /// `None`: released, as if never claimed.
    to: Option<SettledTo>,
    counted: Counted,
    attempt: Option<(i32, i16, Vec<u8>)>,
}

impl Ending {
    /// Without an attempt.
    pub fn new(delivery: DeliveryId, session: Option<i64>, fence: i64, to: SettledTo) -> Self {
        Ending { delivery, session, fence, to: Some(to), counted: to.counted(false), attempt: None }
    }

    pub fn with(self, attempt: &Attempt) -> Self {
        let recorded =
            (int(attempt.number), i16::from(codec::class_number(attempt.class)), codec::encode_attempt(attempt));
        let counted = self.to.map_or(self.counted, |to| to.counted(true));
        Ending { counted, attempt: Some(recorded), ..self }
    }

    fn of(session: SessionId, settlement: &Settlement) -> Self {
        let to = match settlement.next {
            Next::Delivered => SettledTo::Delivered,
            Next::Retry { due_at } => SettledTo::Retry { due_at },
            Next::Dead(reason) => SettledTo::Dead(reason),
            Next::Release => {
                let (session, fence) = (Some(number(session)), fence(settlement.fence));
                let counted = Counted::default();
                return Ending { delivery: settlement.delivery, session, fence, to: None, counted, attempt: None };
            }
        };
        let ending = Ending::new(settlement.delivery, Some(number(session)), fence(settlement.fence), to);
        match &settlement.attempt {
            Some(attempt) => ending.with(attempt),
            None => ending,
        }
    }

    pub fn ends(&self) -> bool {
        matches!(self.to, Some(SettledTo::Delivered | SettledTo::Dead(_)))
    }

    fn state(&self) -> DeliveryState {
        match self.to {
            Some(SettledTo::Delivered) => DeliveryState::Delivered,
            Some(SettledTo::Dead(_)) => DeliveryState::Dead,
            _ => DeliveryState::Pending,
        }
    }

    fn reason(&self) -> Option<i16> {
        match self.to {
            Some(SettledTo::Dead(reason)) => Some(i16::from(codec::reason_number(reason))),
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

/// Commits batch after batch until the queue is closed.
pub(super) async fn committer(shared: Arc<Shared>) {
    let mut left = Vec::new();
    while let Some(batch) = shared.settles.take(std::mem::take(&mut left)).await {
        left = shared.commit_reports(batch).await;
    }
}

impl Shared {
    /// Answers the reports, and gives back those that have to wait: the same delivery again.
    async fn commit_reports(&self, reports: Vec<Report>) -> Vec<Report> {
        let (batch, later) = queue::once_each(reports, |report| report.settlement.delivery);
        let endings: Vec<Ending> = batch.iter().map(|report| Ending::of(report.session, &report.settlement)).collect();
        let settled = self.settle_endings(&endings).await;
        if let Ok(settled) = &settled {
            self.note_ended(&endings, settled);
            if endings.iter().any(|ending| ending.to.is_none()) {
                self.wake.more();
            }
        }
        let settled = settled.map(|ids| ids.into_iter().collect::<HashSet<_>>());
        for report in batch {
            let id = report.settlement.delivery;
            let answer = match &settled {
                Ok(done) => {
                    self.held.forget(report.session, id);
                    Ok(if done.contains(&id) { Settled::Done } else { Settled::LeaseLost })
                }
                Err(trouble) => Err(trouble.clone().into()),
            };
            // Whoever waited may have gone.
            let _ = report.answer.send(answer);
        }
        later
    }

    async fn settle_endings(&self, endings: &[Ending]) -> Result<Vec<DeliveryId>, Trouble> {
        let now = self.now();
        let mut last = Ok(Vec::new());
        for _ in 0..TRIES {
            let mut connection = self.work.get().await?;
            last = settle_once(&mut connection, endings, now).await;
            match &last {
                Err(trouble) if trouble.kind == Kind::NoSlice => {
                    drop(connection);
                    self.make_slices_of(endings).await?;
                }
                Err(trouble) if trouble.kind == Kind::Again => {}
                _ => break,
            }
        }
        last
    }

    /// A day's partition is there as long as something of it lives; this is for one dropped by hand.
    async fn make_slices_of(&self, endings: &[Ending]) -> Result<(), Trouble> {
        let ids: Vec<Uuid> = endings.iter().map(|ending| ending.delivery.into()).collect();
        let sql = "SELECT DISTINCT slice FROM hookhaven.live WHERE id = ANY($1)";
        let rows = self.work.once(Mode::Read, sql, &[(&ids, Type::UUID_ARRAY)]).await?;
        let slices: Result<Vec<i32>, _> = rows.iter().map(|row| row.try_get(0)).collect();
        self.slices.forget();
        self.slices.ensure(&self.work, slices?).await
    }
}

/// Settles within a transaction; answers which were settled. `fenced`: only by sessions that stand.
pub(super) async fn settle_rows(
    connection: &Lent<'_>,
    endings: &[Ending],
    now: Time,
    fenced: bool,
) -> Result<Vec<DeliveryId>, Trouble> {
    if endings.is_empty() {
        return Ok(Vec::new());
    }
    let columns = Columns::of(endings, now, fenced);
    ids(&connection.query(SETTLE, &columns.args()).await?)
}

async fn settle_once(connection: &mut Lent<'_>, endings: &[Ending], now: Time) -> Result<Vec<DeliveryId>, Trouble> {
    let columns = Columns::of(endings, now, true);
    ids(&connection.once(Mode::Write, SETTLE, &columns.args()).await?)
}

fn ids(rows: &[tokio_postgres::Row]) -> Result<Vec<DeliveryId>, Trouble> {
    rows.iter().map(|row| Ok(row.try_get::<_, Uuid>(0)?.delivery())).collect()
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
    bodies: Vec<Option<&'a [u8]>>,
    now: At,
    fenced: bool,
}

impl<'a> Columns<'a> {
    fn of(endings: &'a [Ending], now: Time, fenced: bool) -> Self {
        let lost = |ending: &Ending| match ending.counted.lost {
            LostInARow::AsItWas => None,
            LostInARow::OneMore => Some(-1),
            LostInARow::Is(n) => Some(int(n)),
        };
        let attempt = |ending: &'a Ending| ending.attempt.as_ref();
        Columns {
            ids: endings.iter().map(|e| e.delivery.into()).collect(),
            sessions: endings.iter().map(|e| e.session).collect(),
            fences: endings.iter().map(|e| e.fence).collect(),
            states: endings.iter().map(|e| i16::from(codec::state_number(e.state()))).collect(),
            reasons: endings.iter().map(Ending::reason).collect(),
            due: endings.iter().map(|e| e.due_at().map(At)).collect(),
            attempts: endings.iter().map(|e| int(e.counted.attempts)).collect(),
            tries: endings.iter().map(|e| int(e.counted.tries)).collect(),
            lost: endings.iter().map(lost).collect(),
            numbers: endings.iter().map(|e| attempt(e).map(|a| a.0)).collect(),
            classes: endings.iter().map(|e| attempt(e).map(|a| a.1)).collect(),
            bodies: endings.iter().map(|e| attempt(e).map(|a| &a.2[..])).collect(),
            now: At(now),
            fenced,
        }
    }

    fn args(&self) -> [(&(dyn ToSql + Sync), Type); 14] {
        [
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
        ]
    }
}

/// State 1 is pending: the row stays. What a row becomes is told by the row as it then stands, its slice
/// too, which retention may have changed a moment ago.
const SETTLE: &str = "WITH input AS MATERIALIZED ( \
       SELECT i.* FROM unnest($1::uuid[], $2::int8[], $3::int8[], $4::int2[], $5::int2[], $6::timestamptz[], \
          $7::int4[], $8::int4[], $9::int4[], $10::int4[], $11::int2[], $12::bytea[]) AS i(id, session, fence, state, \
          reason, due_at, attempts, tries, lost, number, class, body) \
       WHERE NOT $14 OR i.session IN (SELECT s.id FROM hookhaven.sessions s WHERE s.until > $13)), \
    stayed AS ( \
       UPDATE hookhaven.live l SET session = NULL, due_at = coalesce(i.due_at, l.due_at), \
          attempts = l.attempts + i.attempts, tries = l.tries + i.tries, \
          lost = CASE i.lost WHEN -1 THEN l.lost + 1 ELSE coalesce(i.lost, l.lost) END, \
          last_class = coalesce(i.class, l.last_class) \
       FROM input i WHERE i.state = 1 AND l.id = i.id AND l.fence = i.fence AND l.session IS NOT DISTINCT FROM i.session \
       RETURNING l.id, l.slice, i.number, i.body), \
    gone AS ( \
       DELETE FROM hookhaven.live l USING input i \
       WHERE i.state > 1 AND l.id = i.id AND l.fence = i.fence AND l.session IS NOT DISTINCT FROM i.session \
       RETURNING l.*, i.state AS state, i.reason AS reason, i.attempts AS more_attempts, i.tries AS more_tries, \
          i.lost AS now_lost, i.class AS class, i.number AS number, i.body AS body), \
    history AS ( \
       INSERT INTO hookhaven.ended (slice, id, event, state, reason, ended_at, due_at, accepted_at, attempts, tries, \
          lost, last_class, critical, replaces, lane, source, event_type, destination, route, policy) \
       SELECT slice, id, event, state, reason, $13, due_at, accepted_at, attempts + more_attempts, tries + more_tries, \
          CASE now_lost WHEN -1 THEN lost + 1 ELSE coalesce(now_lost, lost) END, coalesce(class, last_class), critical, \
          replaces, lane, source, event_type, destination, route, policy FROM gone), \
    tried AS ( \
       INSERT INTO hookhaven.attempts (slice, delivery, number, body) \
       SELECT slice, id, number, body FROM stayed WHERE body IS NOT NULL \
       UNION ALL SELECT slice, id, number, body FROM gone WHERE body IS NOT NULL) \
    SELECT id FROM stayed UNION ALL SELECT id FROM gone";
