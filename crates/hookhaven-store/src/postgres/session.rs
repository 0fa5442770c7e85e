//! Sessions: a node's right to hold leases, kept in a row with an epoch that never repeats. A session whose
//! row is gone has lapsed, whatever any clock says.

use std::time::Duration;

use hookhaven_core::Time;
use tokio_postgres::types::Type;

use super::{
    Shared,
    claim::{GIVE_BACK, number},
    pool::{Args, Mode},
    rows::{At, LIVE_COLUMNS, NOBODY, Stored},
    settle::{Ending, settle_rows},
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
        let id = number(session);
        let mut connection = self.work.get().await?;
        connection.begin(Mode::Write).await?;
        connection.run("DELETE FROM hookhaven.sessions WHERE id = $1", &[(&id, Type::INT8)]).await?;
        let given_back = connection.run(GIVE_BACK, &[(&id, Type::INT8)]).await?;
        connection.commit().await?;
        if given_back > 0 {
            self.wake.more();
        }
        Ok(())
    }

    pub(super) async fn release_lapsed(&self) -> Result<usize, StoreError> {
        let now = self.now();
        let any = "SELECT EXISTS (SELECT FROM hookhaven.sessions WHERE until <= $1) OR EXISTS ( \
            SELECT FROM hookhaven.live l WHERE session IS NOT NULL \
            AND NOT EXISTS (SELECT FROM hookhaven.sessions s WHERE s.id = l.session))";
        let rows = self.work.once(Mode::Read, any, &[(&At(now), Type::TIMESTAMPTZ)]).await?;
        if !rows.first().is_some_and(|row| row.get(0)) {
            return Ok(0);
        }
        self.make_today().await?;
        let mut released = 0;
        loop {
            let batch = self.release_batch(now).await?;
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
            "SELECT {LIVE_COLUMNS} FROM hookhaven.live l WHERE session IS NOT NULL \
             AND NOT EXISTS (SELECT FROM hookhaven.sessions s WHERE s.id = l.session) \
             ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED"
        );
        let rows = connection.query(&sql, &[(&RELEASE_BATCH, Type::INT8)]).await?;
        let lost: Vec<Stored> = rows.iter().map(Stored::read).collect::<Result<_, _>>()?;
        let endings = lost.iter().map(|stored| {
            if stored.session == Some(NOBODY) {
                return Ending::new(stored.delivery.id, stored.session, stored.fence, SettledTo::Cancelled);
            }
            let (attempt, to) = rules::lost(&stored.delivery, false, now, &*self.entropy);
            Ending::new(stored.delivery.id, stored.session, stored.fence, to).with(&attempt)
        });
        let endings: Vec<Ending> = endings.collect();
        let settled = settle_rows(&connection, &endings, now, false).await?;
        connection.commit().await?;
        self.note_settled(&settled);
        Ok(settled.len())
    }

    /// What became of deliveries that could not be attempted: dead, `expired`.
    pub(super) async fn expire(&self, lanes: &[hookhaven_core::Lane]) -> Result<usize, StoreError> {
        self.make_today().await?;
        let now = self.now();
        let lanes: Vec<_> = lanes.iter().map(|lane| super::rows::to_text(lane.as_str())).collect();
        let mut connection = self.work.get().await?;
        connection.begin(Mode::Write).await?;
        let sql = format!(
            "SELECT {LIVE_COLUMNS} FROM hookhaven.live WHERE lane = ANY($1) AND session IS NULL AND expires_at <= $2 \
             LIMIT $3 FOR UPDATE SKIP LOCKED"
        );
        let most = i64::try_from(rules::EXPIRE_BATCH).unwrap_or(i64::MAX);
        let args: Args<'_> = &[(&lanes, Type::TEXT_ARRAY), (&At(now), Type::TIMESTAMPTZ), (&most, Type::INT8)];
        let mut endings = Vec::new();
        for row in &connection.query(&sql, args).await? {
            let stored = Stored::read(row)?;
            let to = SettledTo::Dead(hookhaven_core::EndReason::Expired);
            endings.push(Ending::new(stored.delivery.id, None, stored.fence, to));
        }
        let settled = settle_rows(&connection, &endings, now, false).await?;
        connection.commit().await?;
        self.note_settled(&settled);
        Ok(settled.len())
    }
}
