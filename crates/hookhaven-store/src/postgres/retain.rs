//! Retention: a day goes by dropping its partitions, once all of it is old. What of it is not over
//! (pending, or a dead letter) is moved to the slice of the kept first, each event with all its deliveries
//! and attempts in one transaction, and its rows in `live` are told of the new place. The kept ones go row by
//! row when they are over, and so do expired keys: in small bounded steps, the only deletes there are.
//!
//! One node works at a time; the others find the lock taken and have nothing to do.
//!
//! A settle that is under way while its event is moved either commits first, and what it wrote is moved too, or
//! finds the new slice in the row it changes. A replay that is under way holds a lock on the partition it
//! read from; the drop waits for it, looks again, and finds what it began.

use hookhaven_core::Time;
use tokio_postgres::types::Type;

use super::{
    Shared, lines_upkeep,
    pool::{Args, Lent, Mode},
    rows::{At, Uuid},
    slices::{self, KEPT, PARENTS},
    trouble::{Kind, Trouble},
};
use crate::seam::{Retained, Retention, StoreError};

/// Per step.
const DISMISS_MAX: i64 = 1_000;
const KEYS_MAX: i64 = 5_000;
const LINES_MAX: i64 = 5_000;
const MOVE_MAX: i64 = 200;
const KEPT_LOOK_MAX: i64 = 1_000;
/// Events of a day are counted exactly up to here; beyond, the server's estimate will do.
const COUNT_MAX: i64 = 2_000_000;

const ONE_AT_A_TIME: &str = "SELECT pg_try_advisory_xact_lock(7525356076397377127)";

/// Where the last step stopped.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// Of the day that is being cleared: events up to this one were looked at.
    moved_to: Option<(i32, Uuid)>,
    /// Of the kept ones.
    kept_to: Option<Uuid>,
}

impl Shared {
    pub(super) async fn retain(&self, retention: Retention) -> Result<Retained, StoreError> {
        let mut memo = self.retaining.lock().await;
        let now = self.now();
        let today = slices::of_time(now);
        self.slices.ensure(&self.work, [today, today + 1]).await?;
        let mut retained = Retained::default();
        match self.retain_step(retention, now, &mut memo, &mut retained).await {
            // Somebody was in the way: the next run goes on.
            Err(trouble) if trouble.kind == Kind::Again => {}
            done => done?,
        }
        Ok(retained)
    }

    async fn retain_step(
        &self,
        retention: Retention,
        now: Time,
        memo: &mut Memo,
        retained: &mut Retained,
    ) -> Result<(), Trouble> {
        let mut connection = self.work.get().await?;
        if let Some(before) = retention.dead_before {
            retained.dismissed = self.dismiss_old(&mut connection, before, now).await?;
        }
        retained.keys = forget_keys(&mut connection, now).await?;
        let full = |n: u64, max: i64| n >= max.unsigned_abs();
        retained.more = full(retained.dismissed, DISMISS_MAX) || full(retained.keys, KEYS_MAX);
        let days = slices::all(&self.reads).await?;
        match days.into_iter().find(|slice| slices::end(*slice) <= retention.before) {
            Some(slice) => {
                // Whatever else made this day may not have made all of it.
                self.slices.ensure(&self.work, [slice]).await?;
                self.clear(&mut connection, slice, memo, retained).await?;
                retained.more = true;
            }
            None => {
                retained.more |= self.clear_kept(&mut connection, retention.before, memo, retained).await?;
                let day = slices::of_time(retention.before);
                retained.more |= full(lines_upkeep::forget(&mut connection, day, now, LINES_MAX).await?, LINES_MAX);
            }
        }
        Ok(())
    }

    async fn dismiss_old(&self, connection: &mut Lent<'_>, before: Time, now: Time) -> Result<u64, Trouble> {
        let sql = "WITH old AS (SELECT id, slice FROM hookhaven.ended WHERE state = 3 AND replaced_by IS NULL \
               AND dismissed_at IS NULL AND ended_at < $1 ORDER BY ended_at LIMIT $3 FOR UPDATE SKIP LOCKED) \
            UPDATE hookhaven.ended e SET dismissed_at = $2 FROM old \
            WHERE e.id = old.id AND e.slice = old.slice AND e.dismissed_at IS NULL RETURNING e.id, e.line";
        let args: Args<'_> =
            &[(&At(before), Type::TIMESTAMPTZ), (&At(now), Type::TIMESTAMPTZ), (&DISMISS_MAX, Type::INT8)];
        let rows = connection.once(Mode::Write, sql, args).await?;
        let dismissed = rows.len() as u64;
        self.dismissed_by_age.fetch_add(dismissed, std::sync::atomic::Ordering::Relaxed);
        let mut in_lines = Vec::new();
        for row in &rows {
            if let Some(line) = row.try_get::<_, Option<Uuid>>(1)? {
                in_lines.push((line.line(), row.try_get::<_, Uuid>(0)?.delivery()));
            }
        }
        self.unpark(&in_lines).await?;
        Ok(dismissed)
    }

    /// Moves some of what lives out of a day, or drops the day if nothing is left to move.
    async fn clear(
        &self,
        connection: &mut Lent<'_>,
        slice: i32,
        memo: &mut Memo,
        retained: &mut Retained,
    ) -> Result<(), Trouble> {
        let after = memo.moved_to.filter(|(of, _)| *of == slice).map(|(_, event)| event);
        connection.begin(Mode::Write).await?;
        if !alone(connection).await? {
            return connection.commit().await;
        }
        let lives = living(connection, slice, after).await?;
        if !lives.is_empty() {
            retained.carried = move_out(connection, slice, &lives).await?;
            connection.commit().await?;
            memo.moved_to = lives.last().map(|last| (slice, *last));
            return Ok(());
        }
        connection.commit().await?;
        memo.moved_to = None;
        let events = count(connection, slice).await?;
        if self.drop_day(connection, slice).await? {
            retained.events = events;
            retained.segments = 1;
        }
        Ok(())
    }

    /// Looks once more, with everybody kept out for that moment. `false`: something came alive again.
    async fn drop_day(&self, connection: &mut Lent<'_>, slice: i32) -> Result<bool, Trouble> {
        connection.begin(Mode::Write).await?;
        // Waiting for this lock makes everybody behind us wait: not for long.
        connection.batch("SET LOCAL lock_timeout = 500").await?;
        if !alone(connection).await? {
            connection.commit().await?;
            return Ok(false);
        }
        let parents = PARENTS.map(|parent| format!("ONLY hookhaven.{parent}")).join(", ");
        let parts = PARENTS.map(|parent| format!("hookhaven.{}", slices::table(parent, slice))).join(", ");
        connection.batch(&format!("LOCK TABLE {parents}, {parts} IN ACCESS EXCLUSIVE MODE")).await?;
        if !living(connection, slice, None).await?.is_empty() {
            connection.commit().await?;
            return Ok(false);
        }
        connection.batch(&format!("DROP TABLE {parts}")).await?;
        connection.commit().await?;
        self.slices.forget();
        Ok(true)
    }

    /// Deletes some of the kept events of which everything is over. Whether there are more to look at.
    async fn clear_kept(
        &self,
        connection: &mut Lent<'_>,
        before: Time,
        memo: &mut Memo,
        retained: &mut Retained,
    ) -> Result<bool, Trouble> {
        connection.begin(Mode::Write).await?;
        if !alone(connection).await? {
            connection.commit().await?;
            return Ok(false);
        }
        let after = memo.kept_to.unwrap_or(Uuid([0; 16]));
        let look = "SELECT id FROM hookhaven.events WHERE slice = 0 AND id > $1 ORDER BY id LIMIT $2";
        let args: Args<'_> = &[(&after, Type::UUID), (&KEPT_LOOK_MAX, Type::INT8)];
        let seen = uuids(&connection.query(look, args).await?)?;
        let over = "SELECT e.id FROM hookhaven.events e WHERE e.slice = 0 AND e.id = ANY($1) AND e.received_at < $2 \
            AND NOT EXISTS (SELECT FROM hookhaven.live l WHERE l.event = e.id) \
            AND NOT EXISTS (SELECT FROM hookhaven.ended d WHERE d.slice = 0 AND d.event = e.id AND d.state = 3 \
                AND d.replaced_by IS NULL AND d.dismissed_at IS NULL) FOR UPDATE OF e";
        let args: Args<'_> = &[(&seen, Type::UUID_ARRAY), (&At(before), Type::TIMESTAMPTZ)];
        let over = uuids(&connection.query(over, args).await?)?;
        if !over.is_empty() {
            retained.events = delete_kept(connection, &over).await?;
        }
        connection.commit().await?;
        let more = seen.len() as u64 >= KEPT_LOOK_MAX.unsigned_abs();
        memo.kept_to = seen.last().copied().filter(|_| more);
        Ok(more)
    }
}

async fn alone(connection: &Lent<'_>) -> Result<bool, Trouble> {
    let rows = connection.query(ONE_AT_A_TIME, &[]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

async fn forget_keys(connection: &mut Lent<'_>, now: Time) -> Result<u64, Trouble> {
    let sql = "WITH old AS (SELECT digest FROM hookhaven.keys WHERE until <= $1 ORDER BY until LIMIT $2 \
           FOR UPDATE SKIP LOCKED) \
        DELETE FROM hookhaven.keys k WHERE k.digest = ANY(ARRAY(SELECT digest FROM old)) AND k.until <= $1 RETURNING 1";
    let args: Args<'_> = &[(&At(now), Type::TIMESTAMPTZ), (&KEYS_MAX, Type::INT8)];
    Ok(connection.once(Mode::Write, sql, args).await?.len() as u64)
}

/// Events of a day that are pending or dead letters, in order.
async fn living(connection: &Lent<'_>, slice: i32, after: Option<Uuid>) -> Result<Vec<Uuid>, Trouble> {
    let (from, until) = slices::ids(slice);
    let from = after.map_or(Uuid::from(from), |after| after);
    let sql = "SELECT event FROM ( \
          SELECT event FROM hookhaven.live WHERE event >= $1 AND event < $2 AND slice = $3 \
          UNION SELECT event FROM hookhaven.ended WHERE slice = $3 AND state = 3 AND replaced_by IS NULL \
             AND dismissed_at IS NULL AND event >= $1) l ORDER BY event LIMIT $4";
    let args: Args<'_> =
        &[(&from, Type::UUID), (&Uuid::from(until), Type::UUID), (&slice, Type::INT4), (&MOVE_MAX, Type::INT8)];
    uuids(&connection.query(sql, args).await?)
}

/// The rows of `live` first: a settle that comes later then knows the new place. What is a piece of
/// another event's body gets its own.
async fn move_out(connection: &Lent<'_>, slice: i32, events: &[Uuid]) -> Result<u64, Trouble> {
    let args: Args<'_> = &[(&events, Type::UUID_ARRAY), (&slice, Type::INT4), (&KEPT, Type::INT4)];
    lines_upkeep::keep(connection, slice, events).await?;
    let tell = "UPDATE hookhaven.live SET slice = $3 WHERE event = ANY($1) AND slice = $2";
    connection.run(tell, args).await?;
    let attempts = "UPDATE hookhaven.attempts SET slice = $3 WHERE slice = $2 AND delivery IN ( \
        SELECT id FROM hookhaven.live WHERE event = ANY($1) \
        UNION ALL SELECT id FROM hookhaven.ended WHERE event = ANY($1) AND slice = $2)";
    connection.run(attempts, args).await?;
    let ended = "UPDATE hookhaven.ended SET slice = $3 WHERE slice = $2 AND event = ANY($1)";
    connection.run(ended, args).await?;
    let bodies = "UPDATE hookhaven.events e SET body = substring(w.body FROM e.body_from + 1 FOR e.body_len), \
           body_of = NULL, body_from = NULL, body_len = NULL FROM hookhaven.events w \
        WHERE e.slice = $2 AND e.id = ANY($1) AND e.body_of <> e.id AND w.id = e.body_of AND w.slice IN ($2, $3)";
    connection.run(bodies, args).await?;
    connection.run("UPDATE hookhaven.events SET slice = $3 WHERE slice = $2 AND id = ANY($1)", args).await
}

async fn delete_kept(connection: &Lent<'_>, events: &[Uuid]) -> Result<u64, Trouble> {
    let args: Args<'_> = &[(&events, Type::UUID_ARRAY)];
    lines_upkeep::forget_kept(connection, events).await?;
    let attempts = "DELETE FROM hookhaven.attempts WHERE slice = 0 AND delivery IN ( \
        SELECT id FROM hookhaven.ended WHERE slice = 0 AND event = ANY($1))";
    connection.run(attempts, args).await?;
    connection.run("DELETE FROM hookhaven.ended WHERE slice = 0 AND event = ANY($1)", args).await?;
    connection.run("DELETE FROM hookhaven.events WHERE slice = 0 AND id = ANY($1)", args).await
}

async fn count(connection: &mut Lent<'_>, slice: i32) -> Result<u64, Trouble> {
    let name = slices::table("events", slice);
    let sql = format!(
        "SELECT count(*), (SELECT greatest(reltuples, 0)::int8 FROM pg_class WHERE oid = 'hookhaven.{name}'::regclass) \
         FROM (SELECT FROM hookhaven.{name} LIMIT $1) part"
    );
    let rows = connection.once(Mode::Read, &sql, &[(&COUNT_MAX, Type::INT8)]).await?;
    let row = rows.first().ok_or_else(|| Trouble::failed("the server answered nothing"))?;
    let (counted, estimate): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    Ok(if counted < COUNT_MAX { counted } else { estimate.max(counted) }.unsigned_abs())
}

fn uuids(rows: &[tokio_postgres::Row]) -> Result<Vec<Uuid>, Trouble> {
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}
