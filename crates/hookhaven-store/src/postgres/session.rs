//! Sessions: a node's right to hold leases, kept in a row with an epoch that never repeats. A session whose
//! row is gone has lapsed, whatever any clock says.

use std::time::Duration;

use hookhaven_core::Time;
use tokio_postgres::types::Type;

use super::{
    Shared,
    claim::number,
    endings::Ending,
    lined::Endings,
    lines::{self, Lines},
    pool::{Args, Mode},
    replay::again,
    rows::{At, LIVE_COLUMNS, NOBODY, Stored, Uuid},
    trouble::Trouble,
};
use crate::{
    record::SettledTo,
    rules,
    seam::{Renewed, SessionId, StoreError},
};

/// Leases taken away in one transaction; the rest follows at once.
const RELEASE_BATCH: i64 = 500;

impl Shared {
    pub(super) async fn open_session(&self, ttl: Duration) -> Result<SessionId, StoreError> {
        let ttl_us = i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX);
        let sql = "INSERT INTO hookhaven.sessions (id, ttl_us, until) \
            VALUES (nextval('hookhaven.session_epoch'), $1, $2) RETURNING id";
        let args: Args<'_> = &[(&ttl_us, Type::INT8), (&At(self.now().plus(ttl)), Type::TIMESTAMPTZ)];
        let rows = self.work.once(Mode::Write, sql, args).await?;
        let row = rows.first().ok_or_else(|| StoreError::Failed("no session number came back".into()))?;
        let id: i64 = row.try_get(0).map_err(Trouble::from)?;
        let session = SessionId(id.unsigned_abs());
        self.sessions().insert(session, ttl);
        Ok(session)
    }

    pub(super) async fn renew_session(&self, session: SessionId) -> Result<Renewed, StoreError> {
        let now = self.now();
        let sql = "UPDATE hookhaven.sessions SET until = $2 + ttl_us * interval '1 microsecond' \
            WHERE id = $1 AND until > $2 RETURNING clock_timestamp()";
        let asked_at = std::time::Instant::now();
        let args: Args<'_> = &[(&number(session), Type::INT8), (&At(now), Type::TIMESTAMPTZ)];
        let rows = self.work.once(Mode::Write, sql, args).await?;
        let Some(row) = rows.first() else { return Ok(Renewed::Lapsed) };
        if let Some(clock) = &self.database_clock {
            clock.observe(row.try_get::<_, At>(0).map_err(Trouble::from)?.0, asked_at);
        }
        Ok(Renewed::Live)
    }

    pub(super) async fn close_session(&self, session: SessionId) -> Result<(), StoreError> {
        self.sessions().remove(&session);
        self.held.forget_session(session);
        again!(self.give_back(session, &[], true)).map_err(StoreError::from)
    }

    /// What a session holds goes back to its lanes, but for these; nobody's is what was to be cancelled. `close`: the
    /// session ends with it.
    pub(super) async fn give_back(&self, session: SessionId, but: &[Uuid], close: bool) -> Result<(), Trouble> {
        let (id, now) = (number(session), self.now());
        let mut connection = self.work.get().await?;
        connection.begin(Mode::Write).await?;
        if close {
            connection.run("DELETE FROM hookhaven.sessions WHERE id = $1", &[(&id, Type::INT8)]).await?;
        }
        let args: Args<'_> = &[(&id, Type::INT8), (&but, Type::UUID_ARRAY)];
        let of_lines = lines::of_live(&connection, "l.session = $1 AND l.id <> ALL($2)", args).await?;
        let mut lines = Lines::lock(&connection, of_lines, now).await?;
        // The next of a line is opened when it is arranged.
        let sql = "UPDATE hookhaven.live SET session = CASE WHEN cancel_asked_at IS NOT NULL THEN 0 \
              WHEN line IS NOT NULL THEN -1 END \
            WHERE session = $1 AND id <> ALL($2)";
        let given_back = connection.run(sql, args).await?;
        let arranged = lines.arrange(&connection).await?;
        connection.commit().await?;
        if given_back > 0 {
            self.wake.more();
        }
        self.note_arranged(&arranged);
        Ok(())
    }

    pub(super) async fn release_lapsed(&self) -> Result<usize, StoreError> {
        let now = self.now();
        let any = format!(
            "{LEFT_BEHIND} SELECT EXISTS (SELECT FROM hookhaven.sessions WHERE until <= $1) \
             OR EXISTS (SELECT FROM left_behind)"
        );
        let rows = self.work.once(Mode::Read, &any, &[(&At(now), Type::TIMESTAMPTZ)]).await?;
        if !rows.first().is_some_and(|row| row.get(0)) {
            return Ok(0);
        }
        self.make_today().await?;
        let mut released = 0;
        loop {
            let batch = again!(self.release_batch(now))?;
            released += batch;
            if batch == 0 {
                break;
            }
        }
        if released > 0 {
            self.wake.more();
        }
        Ok(released)
    }

    /// The rows of lapsed sessions go first: from then on no renewal can bring one back.
    async fn release_batch(&self, now: Time) -> Result<usize, Trouble> {
        let mut connection = self.work.get().await?;
        connection.begin(Mode::Write).await?;
        let lapse = "DELETE FROM hookhaven.sessions WHERE until <= $1";
        connection.run(lapse, &[(&At(now), Type::TIMESTAMPTZ)]).await?;
        let sql = format!(
            "{LEFT_BEHIND} SELECT l.id FROM left_behind p CROSS JOIN LATERAL ( \
               SELECT id FROM hookhaven.live WHERE lane = p.lane AND session = p.session LIMIT $1) l LIMIT $1"
        );
        let rows = connection.query(&sql, &[(&RELEASE_BATCH, Type::INT8)]).await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        if ids.is_empty() {
            connection.commit().await?;
            return Ok(0);
        }
        let mut lines = Lines::lock(&connection, lines::of_ids(&connection, &ids).await?, now).await?;
        let sql = format!(
            "SELECT {LIVE_COLUMNS} FROM hookhaven.live l WHERE id = ANY($1) AND session >= 0 \
             AND NOT EXISTS (SELECT FROM hookhaven.sessions s WHERE s.id = l.session) \
             ORDER BY l.id FOR UPDATE SKIP LOCKED"
        );
        let mut endings = Endings::default();
        for row in &connection.query(&sql, &[(&ids, Type::UUID_ARRAY)]).await? {
            let stored = Stored::read(row)?;
            let overtaken = stored.line().is_some_and(|(line, order)| lines.is_overtaken(line, order));
            if stored.session == Some(NOBODY) {
                let to = match stored.delivery.cancel_asked_at {
                    Some(_) => SettledTo::Cancelled,
                    None => SettledTo::Superseded,
                };
                endings.all.push(Ending::new(stored.delivery.id, stored.session, stored.fence, to));
            } else {
                let (attempt, to) = rules::lost(&stored.delivery, overtaken, now, &*self.entropy);
                let ending = Ending::new(stored.delivery.id, stored.session, stored.fence, to).with(&attempt);
                endings.push(&stored, ending, to, now);
            }
        }
        let settled = endings.settle(&connection, &mut lines, now, false).await?;
        let arranged = lines.arrange(&connection).await?;
        connection.commit().await?;
        self.note_settled(&settled);
        self.note_arranged(&arranged);
        Ok(settled.len() + arranged.ended.len())
    }

    /// What became of deliveries that could not be attempted: dead, `expired`.
    pub(super) async fn expire(&self, lanes: &[hookhaven_core::Lane]) -> Result<usize, StoreError> {
        self.make_today().await?;
        let now = self.now();
        let lanes: Vec<_> = lanes.iter().map(|lane| super::rows::to_text(lane.as_str())).collect();
        again!(self.expire_once(&lanes, now)).map_err(StoreError::from)
    }

    async fn expire_once(&self, lanes: &[std::borrow::Cow<'_, str>], now: Time) -> Result<usize, Trouble> {
        let mut connection = self.work.get().await?;
        connection.begin(Mode::Write).await?;
        let sql =
            "SELECT id FROM hookhaven.live WHERE lane = ANY($1) AND session IS NULL AND expires_at <= $2 LIMIT $3";
        let most = i64::try_from(rules::EXPIRE_BATCH).unwrap_or(i64::MAX);
        let args: Args<'_> = &[(&lanes, Type::TEXT_ARRAY), (&At(now), Type::TIMESTAMPTZ), (&most, Type::INT8)];
        let rows = connection.query(sql, args).await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let mut lines = Lines::lock(&connection, lines::of_ids(&connection, &ids).await?, now).await?;
        let sql = format!(
            "SELECT {LIVE_COLUMNS} FROM hookhaven.live l WHERE id = ANY($1) AND session IS NULL FOR UPDATE SKIP LOCKED"
        );
        let mut endings = Endings::default();
        for row in &connection.query(&sql, &[(&ids, Type::UUID_ARRAY)]).await? {
            let stored = Stored::read(row)?;
            let to = SettledTo::Dead(hookhaven_core::EndReason::Expired);
            let ending = Ending::new(stored.delivery.id, None, stored.fence, to);
            endings.push(&stored, ending, to, now);
        }
        let settled = endings.settle(&connection, &mut lines, now, false).await?;
        let arranged = lines.arrange(&connection).await?;
        connection.commit().await?;
        self.note_settled(&settled);
        self.note_arranged(&arranged);
        Ok(settled.len())
    }
}

/// Pairs of lane and session, of sessions that are gone, and of nobody's, found by hopping from one to the next: what
/// lines keep back costs no more than a hop for each lane.
const LEFT_BEHIND: &str = "WITH RECURSIVE pairs AS ( \
       (SELECT lane, session FROM hookhaven.live WHERE session IS NOT NULL ORDER BY lane, session LIMIT 1) \
       UNION ALL SELECT n.* FROM pairs p CROSS JOIN LATERAL ( \
          SELECT lane, session FROM hookhaven.live WHERE session IS NOT NULL AND (lane, session) > (p.lane, p.session) \
          ORDER BY lane, session LIMIT 1) n), \
    left_behind AS (SELECT lane, session FROM pairs p WHERE session >= 0 \
       AND NOT EXISTS (SELECT FROM hookhaven.sessions s WHERE s.id = p.session))";
