//! Lines: deliveries that are ordered against each other. Of a line at most one row of `live` may be claimed, the one
//! that is first; the others are the line's own (`session` -1) and in no index of what waits, so that lines cost
//! nothing where somebody looks for what is due, or claims.
//!
//! Whoever changes who is in a line, or who is first, holds a lock on its row in `lines` from before he looks until
//! his commit: accepting, settling, cancelling, replaying, giving back. So the numbers of a line are in the order of
//! commits. Before the commit the line is *arranged*: what a newer version has overtaken ends, and the first is opened.
//! Claims take no such lock; whoever arranges takes one of the open row first, so that a claim either came before or
//! finds it shut. Locks are taken in one order: lines by id, then rows of `live` or `ended`.
//!
//! Deliveries without an order have no part in this. Nodes that know nothing of lines settle without opening the next:
//! that is made good when somebody has to do with the line, and when a node starts.
//!
//! Not here: what a failure does to an order, which is the order's own; what is set right later (`lines_upkeep`).

use std::collections::{BTreeMap, BTreeSet};

use hookhaven_core::{Delivery, DeliveryId, Lane, LineId, Order, Time, Version};
use tokio_postgres::{Row, types::Type};

use super::{
    Shared,
    endings::{Change, Ending, Scope, settle_rows},
    pool::{Args, Lent},
    rows::{At, LINE, Uuid, maybe_time, text, time},
    slices,
    trouble::{Kind, Trouble},
};
use crate::record::SettledTo;

/// How often it is looked for a line that somebody has just forgotten.
const TRIES: usize = 4;

/// Lines that are locked until the end of the transaction.
#[derive(Debug)]
pub(super) struct Lines {
    now: Time,
    lines: BTreeMap<LineId, Line>,
}

#[derive(Debug)]
struct Line {
    last_turn: u64,
    newest: Option<Version>,
    parked: Option<Parked>,
    day: i32,
    changed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Parked {
    by: DeliveryId,
    turn: u64,
    until: Time,
}

/// What came of arranging.
#[derive(Debug, Default)]
pub(super) struct Arranged {
    /// What ended superseded.
    pub ended: Vec<Change>,
    /// The lanes of those that are first now, and when they are due.
    pub opened: Vec<(Lane, Time)>,
}

impl Lines {
    /// Locks them, in a transaction that was begun; those that nobody knows yet begin. Nothing is sent for none.
    pub async fn lock(
        connection: &Lent<'_>,
        lines: impl IntoIterator<Item = LineId>,
        now: Time,
    ) -> Result<Self, Trouble> {
        let ids: BTreeSet<LineId> = lines.into_iter().collect();
        let ids: Vec<Uuid> = ids.into_iter().map(Uuid::from).collect();
        if ids.is_empty() {
            return Ok(Lines { now, lines: BTreeMap::new() });
        }
        let begin = "INSERT INTO hookhaven.lines (id, day) SELECT id, 1 FROM unnest($1::uuid[]) AS l(id) ORDER BY id \
            ON CONFLICT (id) DO NOTHING";
        let lock = "SELECT id, last_turn, newest, parked_by, parked_turn, parked_until, day FROM hookhaven.lines \
            WHERE id = ANY($1) ORDER BY id FOR UPDATE";
        for _ in 0..TRIES {
            connection.run(begin, &[(&ids, Type::UUID_ARRAY)]).await?;
            let rows = connection.query(lock, &[(&ids, Type::UUID_ARRAY)]).await?;
            if rows.len() == ids.len() {
                let lines = rows.iter().map(Line::read).collect::<Result<_, _>>()?;
                return Ok(Lines { now, lines });
            }
        }
        Err(Trouble { kind: Kind::Again, text: "a line was forgotten again and again".into(), code: None })
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// One more. Answers its turn: that of the one it replaces while that parks the line, or the last. `day` is the
    /// slice of its event.
    pub fn join(&mut self, id: LineId, version: Option<Version>, replaces: Option<DeliveryId>, day: i32) -> u64 {
        let now = self.now;
        let Some(line) = self.lines.get_mut(&id) else { return 0 };
        line.changed = true;
        if version.is_none() {
            line.day = slices::of_time(now);
        } else if version > line.newest {
            line.day = day;
        } else if version == line.newest {
            line.day = line.day.max(day);
        }
        line.newest = line.newest.max(version);
        let parked = line.parked.filter(|parked| Some(parked.by) == replaces && parked.until > now);
        parked.map_or_else(
            || {
                line.last_turn += 1;
                line.last_turn
            },
            |parked| parked.turn,
        )
    }

    pub fn is_overtaken(&self, id: LineId, order: &Order) -> bool {
        self.lines.get(&id).is_some_and(|line| order.is_overtaken_by(line.newest))
    }

    /// It has ended, and parks its line if the order says so.
    pub fn end(&mut self, id: LineId, delivery: DeliveryId, order: &Order) {
        if let (Some(line), Some(until)) = (self.lines.get_mut(&id), order.parks_until) {
            line.parked = Some(Parked { by: delivery, turn: order.turn, until });
            line.changed = true;
        }
    }

    /// What it parked goes on.
    pub fn unpark(&mut self, id: LineId, delivery: DeliveryId) {
        if let Some(line) = self.lines.get_mut(&id)
            && line.parked.take_if(|parked| parked.by == delivery).is_some()
        {
            line.changed = true;
        }
    }

    /// Ends what was overtaken and opens the first of each, at the end of the transaction.
    pub async fn arrange(&mut self, connection: &Lent<'_>) -> Result<Arranged, Trouble> {
        if self.lines.is_empty() {
            return Ok(Arranged::default());
        }
        self.save(connection).await?;
        let ids: Vec<Uuid> = self.lines.keys().map(|id| Uuid::from(*id)).collect();
        let lock = format!(
            "SELECT l.id, l.session, l.fence, l.line, l.version FROM hookhaven.live l \
             WHERE l.id = ANY({OPEN_OR_OVERTAKEN}) ORDER BY l.id FOR UPDATE"
        );
        let rows = connection.query(&lock, &[(&ids, Type::UUID_ARRAY)]).await?;
        let mut overtaken = Vec::new();
        for row in &rows {
            let (session, fence): (Option<i64>, i64) = (row.try_get(1)?, row.try_get(2)?);
            let (line, version): (Uuid, Option<Uuid>) = (row.try_get(3)?, row.try_get(4)?);
            let newest = self.lines.get(&line.line()).and_then(|line| line.newest);
            let version = version.map(Uuid::version);
            if session.is_none_or(|session| session == LINE) && version.is_some() && version < newest {
                let id = row.try_get::<_, Uuid>(0)?.delivery();
                overtaken.push(Ending::new(id, session, fence, SettledTo::Superseded));
            }
        }
        let ended = settle_rows(connection, &overtaken, self.now, false, Scope::Lined).await?;
        Ok(Arranged { ended, opened: self.open(connection, &ids).await? })
    }

    /// Takes over a delivery of another store.
    pub fn restore(&mut self, delivery: &Delivery, day: i32) {
        let Some(order) = &delivery.order else { return };
        let Some(line) = self.lines.get_mut(&order.line(&delivery.destination)) else { return };
        line.changed = true;
        line.last_turn = line.last_turn.max(order.turn);
        line.day = if order.version() > line.newest { day } else { line.day.max(day) };
        line.newest = line.newest.max(order.version());
        if let Some(until) = order.parks_until.filter(|_| delivery.is_dead_letter())
            && line.parked.is_none_or(|parked| parked.until < until)
        {
            line.parked = Some(Parked { by: delivery.id, turn: order.turn, until });
        }
    }

    /// As [`Self::arrange`], but that what was overtaken is left to the sweep.
    pub async fn arrange_restored(&mut self, connection: &Lent<'_>) -> Result<(), Trouble> {
        if self.lines.is_empty() {
            return Ok(());
        }
        self.save(connection).await?;
        let ids: Vec<Uuid> = self.lines.keys().map(|id| Uuid::from(*id)).collect();
        let let_down = format!(
            "UPDATE hookhaven.live l SET session = 0 FROM hookhaven.lines n \
             WHERE l.id = ANY({OPEN_OR_OVERTAKEN}) AND n.id = l.line AND l.version < n.newest"
        );
        connection.run(&let_down, &[(&ids, Type::UUID_ARRAY)]).await?;
        self.open(connection, &ids).await.map(drop)
    }

    async fn open(&self, connection: &Lent<'_>, ids: &[Uuid]) -> Result<Vec<(Lane, Time)>, Trouble> {
        let mut opened = Vec::new();
        for row in &connection.query(OPEN, &[(&ids, Type::UUID_ARRAY)]).await? {
            if row.try_get(2)? {
                opened.push((Lane::from_text(&text(row, 0)?), time(row, 1)?));
            }
        }
        Ok(opened)
    }

    async fn save(&mut self, connection: &Lent<'_>) -> Result<(), Trouble> {
        let taken = self.lines.iter_mut().map(|(id, line)| (*id, std::mem::take(&mut line.changed)));
        let changed: BTreeSet<LineId> = taken.filter(|(_, changed)| *changed).map(|(id, _)| id).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let each = || self.lines.iter().filter(|(id, _)| changed.contains(id)).map(|(_, line)| line);
        let ids: Vec<Uuid> = changed.iter().map(|id| Uuid::from(*id)).collect();
        let turns: Vec<i64> = each().map(|line| whole(line.last_turn)).collect();
        let newest: Vec<Option<Uuid>> = each().map(|line| line.newest.map(Uuid::from)).collect();
        let by: Vec<Option<Uuid>> = each().map(|line| line.parked.map(|parked| parked.by.into())).collect();
        let parked_turns: Vec<Option<i64>> = each().map(|line| line.parked.map(|parked| whole(parked.turn))).collect();
        let until: Vec<Option<At>> = each().map(|line| line.parked.map(|parked| At(parked.until))).collect();
        let days: Vec<i32> = each().map(|line| line.day).collect();
        let sql = "UPDATE hookhaven.lines l SET last_turn = s.last_turn, newest = s.newest, parked_by = s.by, \
               parked_turn = s.parked_turn, parked_until = s.until, day = s.day \
            FROM unnest($1::uuid[], $2::int8[], $3::uuid[], $4::uuid[], $5::int8[], $6::timestamptz[], $7::int4[]) \
               AS s(id, last_turn, newest, by, parked_turn, until, day) WHERE l.id = s.id";
        let args: Args<'_> = &[
            (&ids, Type::UUID_ARRAY),
            (&turns, Type::INT8_ARRAY),
            (&newest, Type::UUID_ARRAY),
            (&by, Type::UUID_ARRAY),
            (&parked_turns, Type::INT8_ARRAY),
            (&until, Type::TIMESTAMPTZ_ARRAY),
            (&days, Type::INT4_ARRAY),
        ];
        connection.run(sql, args).await.map(drop)
    }
}

impl Line {
    fn read(row: &Row) -> Result<(LineId, Self), Trouble> {
        let number = |column: usize| -> Result<u64, Trouble> {
            Ok(row.try_get::<_, Option<i64>>(column)?.unwrap_or(0).unsigned_abs())
        };
        let by = row.try_get::<_, Option<Uuid>>(3)?.map(Uuid::delivery);
        let parked = match (by, maybe_time(row, 5)?) {
            (Some(by), Some(until)) => Some(Parked { by, turn: number(4)?, until }),
            _ => None,
        };
        let newest = row.try_get::<_, Option<Uuid>>(2)?.map(Uuid::version);
        let line = Line { last_turn: number(1)?, newest, parked, day: row.try_get(6)?, changed: false };
        Ok((row.try_get::<_, Uuid>(0)?.line(), line))
    }
}

fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The open rows of lines, and those kept back that were overtaken. Once they are locked no claim comes between.
const OPEN_OR_OVERTAKEN: &str = "ARRAY( \
    SELECT o.id FROM hookhaven.live o WHERE o.line = ANY($1) AND o.session IS NULL \
    UNION ALL \
    SELECT k.id FROM (SELECT id, newest FROM hookhaven.lines WHERE id = ANY($1) AND newest IS NOT NULL) n \
       CROSS JOIN LATERAL (SELECT id FROM hookhaven.live WHERE line = n.id AND session = -1 AND version < n.newest \
          OFFSET 0) k)";

/// Opens the first of each line that nobody has in hand, due when the line is not parked any more, and shuts what is
/// open and not first. One that was asked to end is nobody's, and in nobody's way.
const OPEN: &str = "WITH head AS MATERIALIZED ( \
       SELECT h.id, n.parked_until FROM hookhaven.lines n \
       LEFT JOIN LATERAL (SELECT x.id FROM hookhaven.live x WHERE x.line = n.id AND x.session > 0 LIMIT 1) in_hand ON true \
       CROSS JOIN LATERAL ( \
          SELECT id FROM ( \
             (SELECT o.id, o.line_turn FROM hookhaven.live o WHERE o.line = n.id AND o.session IS NULL) \
             UNION ALL \
             (SELECT k.id, k.line_turn FROM hookhaven.live k WHERE k.line = n.id AND k.session = -1 \
                ORDER BY k.line_turn, k.id LIMIT 1)) c ORDER BY line_turn, id LIMIT 1) h \
       WHERE n.id = ANY($1) AND in_hand.id IS NULL), \
    goal AS ( \
       SELECT l.id, h.id IS NOT NULL AS first, coalesce(l.own_due_at, l.due_at) AS own, h.parked_until \
       FROM hookhaven.live l LEFT JOIN head h ON h.id = l.id WHERE l.id = ANY(ARRAY( \
          SELECT id FROM head UNION \
          SELECT o.id FROM hookhaven.live o WHERE o.line = ANY($1) AND o.session IS NULL))), \
    due AS (SELECT id, first, own, greatest(own, parked_until) AS at FROM goal) \
    UPDATE hookhaven.live l SET session = CASE WHEN d.first THEN NULL ELSE -1 END, due_at = d.at, \
       own_due_at = CASE WHEN d.at > d.own THEN d.own END \
    FROM due d WHERE l.id = d.id AND (d.first <> (l.session IS NULL) OR l.due_at <> d.at) \
    RETURNING l.lane, l.due_at, l.session IS NULL";

/// The lines of rows of `live` that a condition is true of, before anything is locked.
pub(super) async fn of_live(
    connection: &Lent<'_>,
    condition: &str,
    args: Args<'_>,
) -> Result<BTreeSet<LineId>, Trouble> {
    let sql = format!("SELECT DISTINCT line FROM hookhaven.live l WHERE line IS NOT NULL AND {condition}");
    let rows = connection.query(&sql, args).await?;
    rows.iter().map(|row| Ok(row.try_get::<_, Uuid>(0)?.line())).collect()
}

/// Which of these stand in lines, before anything is locked.
pub(super) async fn of_ids(connection: &Lent<'_>, ids: &[Uuid]) -> Result<BTreeSet<LineId>, Trouble> {
    of_live(connection, "l.id = ANY($1)", &[(&ids, Type::UUID_ARRAY)]).await
}

impl Shared {
    /// After the commit.
    pub(super) fn note_arranged(&self, arranged: &Arranged) {
        self.note_settled(&arranged.ended);
        if !arranged.opened.is_empty() {
            let mut heads = self.heads();
            arranged.opened.iter().for_each(|(lane, due_at)| heads.add(lane, *due_at));
            drop(heads);
            self.wake.more();
        }
    }
}
