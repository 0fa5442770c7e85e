//! Lines over time: what is unparked, opened or forgotten when nobody has just put something in or settled it.

use hookhaven_core::{DeliveryId, LineId, Time};
use tokio_postgres::types::Type;

use super::{
    Shared,
    lines::Lines,
    pool::{Args, Lent, Mode},
    replay::again,
    rows::{At, Uuid},
    slices::KEPT,
    trouble::Trouble,
};

/// Lines set right in one transaction.
const MEND_BATCH: i64 = 1_000;

impl Shared {
    /// Unparks the lines that these parked, which are dead letters no more.
    pub(super) async fn unpark(&self, letters: &[(LineId, DeliveryId)]) -> Result<(), Trouble> {
        if letters.is_empty() {
            return Ok(());
        }
        again!(self.unpark_once(letters))
    }

    async fn unpark_once(&self, letters: &[(LineId, DeliveryId)]) -> Result<(), Trouble> {
        let mut connection = self.work.get().await?;
        connection.begin(Mode::Write).await?;
        let mut lines = Lines::lock(&connection, letters.iter().map(|(line, _)| *line), self.now()).await?;
        letters.iter().for_each(|(line, delivery)| lines.unpark(*line, *delivery));
        let arranged = lines.arrange(&connection).await?;
        connection.commit().await?;
        self.note_arranged(&arranged);
        Ok(())
    }

    /// Opens what nodes that know nothing of lines have left shut.
    pub(super) async fn mend_lines(&self) -> Result<(), Trouble> {
        let mut after = Uuid([0; 16]);
        loop {
            // Hopping from line to line, however many wait in each.
            let sql = "WITH RECURSIVE kept AS ( \
                  (SELECT line FROM hookhaven.live WHERE session = -1 AND line > $1 ORDER BY line LIMIT 1) \
                  UNION ALL SELECT n.line FROM kept k CROSS JOIN LATERAL ( \
                     SELECT line FROM hookhaven.live WHERE session = -1 AND line > k.line ORDER BY line LIMIT 1) n) \
                SELECT line, EXISTS (SELECT FROM hookhaven.live x WHERE x.line = k.line AND (x.session IS NULL OR x.session > 0)) \
                FROM (SELECT line FROM kept LIMIT $2) k";
            let args: Args<'_> = &[(&after, Type::UUID), (&MEND_BATCH, Type::INT8)];
            let rows = self.work.once(Mode::Read, sql, args).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.try_get(0)?;
            let mut shut = Vec::new();
            for row in &rows {
                if !row.try_get(1)? {
                    shut.push((row.try_get::<_, Uuid>(0)?.line(), DeliveryId::from_bytes([0; 16])));
                }
            }
            self.unpark(&shut).await?;
        }
    }
}

/// What outlives its day keeps the mark of its version, if that is its line's newest. Before its rows are moved.
pub(super) async fn keep(connection: &Lent<'_>, slice: i32, events: &[Uuid]) -> Result<(), Trouble> {
    let sql = "WITH kept AS ( \
          SELECT line, version FROM hookhaven.live WHERE event = ANY($1) AND version IS NOT NULL \
          UNION SELECT line, version FROM hookhaven.ended WHERE event = ANY($1) AND slice = $2 AND version IS NOT NULL), \
       marks AS (SELECT l.id FROM hookhaven.lines l WHERE l.day = $2 \
          AND EXISTS (SELECT FROM kept k WHERE k.line = l.id AND k.version = l.newest) ORDER BY l.id FOR UPDATE) \
       UPDATE hookhaven.lines SET day = $3 WHERE id IN (SELECT id FROM marks)";
    let args: Args<'_> = &[(&events, Type::UUID_ARRAY), (&slice, Type::INT4), (&KEPT, Type::INT4)];
    connection.run(sql, args).await.map(drop)
}

/// The kept events that go take the marks of their versions with them. Before their rows go.
pub(super) async fn forget_kept(connection: &Lent<'_>, events: &[Uuid]) -> Result<(), Trouble> {
    let sql = "WITH gone AS (SELECT line, version FROM hookhaven.ended \
          WHERE slice = 0 AND event = ANY($1) AND version IS NOT NULL), \
       marks AS (SELECT l.id FROM hookhaven.lines l WHERE l.day = 0 \
          AND EXISTS (SELECT FROM gone g WHERE g.line = l.id AND g.version = l.newest) ORDER BY l.id FOR UPDATE) \
       UPDATE hookhaven.lines SET day = 1 WHERE id IN (SELECT id FROM marks)";
    connection.run(sql, &[(&events, Type::UUID_ARRAY)]).await.map(drop)
}

/// Forgets lines of days before this one in which nothing is left, at most so many. Answers how many.
pub(super) async fn forget(connection: &mut Lent<'_>, before: i32, now: Time, limit: i64) -> Result<u64, Trouble> {
    connection.begin(Mode::Write).await?;
    let old = "SELECT id FROM hookhaven.lines l WHERE day > 0 AND day < $1 AND (parked_until IS NULL OR parked_until <= $2) \
           AND NOT EXISTS (SELECT FROM hookhaven.live x WHERE x.line = l.id) \
        ORDER BY day LIMIT $3 FOR UPDATE SKIP LOCKED";
    let args: Args<'_> = &[(&before, Type::INT4), (&At(now), Type::TIMESTAMPTZ), (&limit, Type::INT8)];
    let rows = connection.query(old, args).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    // Seen anew, now that nobody can join them.
    let gone = if ids.is_empty() {
        0
    } else {
        let sql = "DELETE FROM hookhaven.lines l WHERE l.id = ANY($1) AND l.day > 0 AND l.day < $2 \
            AND NOT EXISTS (SELECT FROM hookhaven.live x WHERE x.line = l.id)";
        connection.run(sql, &[(&ids, Type::UUID_ARRAY), (&before, Type::INT4)]).await?
    };
    connection.commit().await?;
    Ok(gone)
}
