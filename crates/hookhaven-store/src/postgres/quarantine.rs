//! The quarantine of nodes that share a database: one table, kept within each source's bounds by whoever puts
//! something in. Commits of it wait for no sync, and it uses the connections of lists, so that a flood of bad
//! requests keeps no event waiting.
//!
//! Not here: the schema (`migrations/0003_rejected.sql`), what an entry is made of (`quarantine/entry`).

use std::sync::Arc;

use async_trait::async_trait;
use hookhaven_core::{Rejected, RejectedId, Time};
use tokio_postgres::{Row, types::Type};

use super::{
    PostgresStore, Shared,
    pool::{Args, Mode},
    rows::{At, Uuid, from_text, to_text},
    trouble::Trouble,
};
use crate::{
    quarantine::{
        Bounds, Marked, Quarantine, QuarantineCount, Quarantined, RejectedFilter, RejectedRow, Released, read_rejected,
        write_rejected,
    },
    seam::{Page, StoreError},
};

/// The quarantine of an open store.
#[derive(Clone, Debug)]
pub struct PostgresQuarantine(Arc<Shared>);

impl PostgresStore {
    pub fn quarantine(&self) -> PostgresQuarantine {
        PostgresQuarantine(self.shared.clone())
    }
}

/// Looks at `entry` last: what is too much goes by count and bytes, newest first.
const TRIM: &str = "DELETE FROM hookhaven.rejected WHERE id IN (SELECT id FROM ( \
    SELECT id, row_number() OVER newest AS n, sum(bytes) OVER newest AS total \
    FROM hookhaven.rejected WHERE source = $1 WINDOW newest AS (ORDER BY id DESC)) AS all_of_it \
    WHERE n > $2 OR total > $3)";

#[async_trait]
impl Quarantine for PostgresQuarantine {
    async fn put(&self, source: &Arc<str>, rejected: Vec<Rejected>, bounds: Bounds) -> Result<(), StoreError> {
        let source = to_text(source);
        let entries: Vec<_> = rejected.iter().map(write_rejected).collect();
        let ids: Vec<_> = rejected.iter().map(|it| Uuid(*it.id.as_bytes())).collect();
        let times: Vec<_> = rejected.iter().map(|it| At(it.received_at)).collect();
        let reasons: Vec<_> = rejected.iter().map(|it| it.reason.as_str()).collect();
        let bytes: Vec<_> = entries.iter().map(|entry| i32::try_from(entry.len()).unwrap_or(i32::MAX)).collect();
        let insert = "INSERT INTO hookhaven.rejected (id, source, received_at, reason, bytes, entry) \
            SELECT id, $1, at, reason, bytes, entry FROM unnest($2, $3, $4, $5, $6) AS t (id, at, reason, bytes, entry) \
            ON CONFLICT DO NOTHING";
        let args: Args<'_> = &[
            (&source, Type::TEXT),
            (&ids, Type::UUID_ARRAY),
            (&times, Type::TIMESTAMPTZ_ARRAY),
            (&reasons, Type::TEXT_ARRAY),
            (&bytes, Type::INT4_ARRAY),
            (&entries, Type::BYTEA_ARRAY),
        ];
        let mut connection = self.0.reads.get().await?;
        connection.begin(Mode::Write).await?;
        connection.batch("SET LOCAL synchronous_commit = off").await?;
        connection.run(insert, args).await?;
        let bytes_max = i64::try_from(bounds.bytes_max).unwrap_or(i64::MAX);
        let trim: Args<'_> =
            &[(&source, Type::TEXT), (&i64::from(bounds.count_max), Type::INT8), (&bytes_max, Type::INT8)];
        connection.query_and_commit(TRIM, trim).await?;
        Ok(())
    }

    async fn list(&self, filter: &RejectedFilter, page: Page<RejectedId>) -> Result<Vec<RejectedRow>, StoreError> {
        let sql = "SELECT entry, event, released_at FROM hookhaven.rejected \
            WHERE ($1::text IS NULL OR source = $1) AND ($2::text IS NULL OR reason = $2) \
            AND ($3::timestamptz IS NULL OR received_at >= $3) AND ($4::timestamptz IS NULL OR received_at < $4) \
            AND ($5::bool IS NULL OR (released_at IS NOT NULL) = $5) AND ($6::uuid IS NULL OR id < $6) \
            ORDER BY id DESC LIMIT $7";
        let source = filter.source.as_deref().map(to_text);
        let reason = filter.reason.map(|reason| reason.as_str());
        let (since, until) = (filter.since.map(At), filter.until.map(At));
        let after = page.after.map(|id| Uuid(*id.as_bytes()));
        let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
        let args: Args<'_> = &[
            (&source, Type::TEXT),
            (&reason, Type::TEXT),
            (&since, Type::TIMESTAMPTZ),
            (&until, Type::TIMESTAMPTZ),
            (&filter.released, Type::BOOL),
            (&after, Type::UUID),
            (&limit, Type::INT8),
        ];
        let rows = self.0.reads.once(Mode::Read, sql, args).await?;
        let all: Result<Vec<Quarantined>, Trouble> = rows.iter().map(quarantined).collect();
        Ok(all?.iter().map(|it| RejectedRow::of(&it.rejected, it.released)).collect())
    }

    async fn get(&self, id: RejectedId) -> Result<Option<Quarantined>, StoreError> {
        let sql = "SELECT entry, event, released_at FROM hookhaven.rejected WHERE id = $1";
        let rows = self.0.reads.once(Mode::Read, sql, &[(&Uuid(*id.as_bytes()), Type::UUID)]).await?;
        Ok(rows.first().map(quarantined).transpose()?)
    }

    async fn mark_released(&self, id: RejectedId, released: Released) -> Result<Marked, StoreError> {
        let sql = "UPDATE hookhaven.rejected SET event = $2, released_at = $3 \
            WHERE id = $1 AND released_at IS NULL RETURNING id";
        let event = Uuid(*released.event.as_bytes());
        let args: Args<'_> =
            &[(&Uuid(*id.as_bytes()), Type::UUID), (&event, Type::UUID), (&At(released.at), Type::TIMESTAMPTZ)];
        if !self.0.reads.once(Mode::Write, sql, args).await?.is_empty() {
            return Ok(Marked::Done);
        }
        let found = self.get(id).await?;
        Ok(found.and_then(|it| it.released).map_or(Marked::Unknown, Marked::Already))
    }

    async fn forget(&self, source: &str, before: Time) -> Result<(), StoreError> {
        let sql = "DELETE FROM hookhaven.rejected WHERE source = $1 AND received_at < $2";
        let args: Args<'_> = &[(&to_text(source), Type::TEXT), (&At(before), Type::TIMESTAMPTZ)];
        self.0.reads.once(Mode::Write, sql, args).await?;
        Ok(())
    }

    async fn counts(&self) -> Result<Vec<QuarantineCount>, StoreError> {
        let sql = "SELECT source, count(*), count(released_at), sum(bytes)::int8 FROM hookhaven.rejected \
            GROUP BY source ORDER BY source COLLATE \"C\"";
        let rows = self.0.reads.once(Mode::Read, sql, &[]).await?;
        let number = |row: &Row, column: usize| -> Result<u64, Trouble> {
            Ok(u64::try_from(row.try_get::<_, i64>(column)?).unwrap_or(0))
        };
        let count = |row: &Row| -> Result<QuarantineCount, Trouble> {
            let source = from_text(row.try_get(0)?);
            Ok(QuarantineCount { source, kept: number(row, 1)?, released: number(row, 2)?, bytes: number(row, 3)? })
        };
        Ok(rows.iter().map(count).collect::<Result<_, Trouble>>()?)
    }
}

fn quarantined(row: &Row) -> Result<Quarantined, Trouble> {
    let rejected = read_rejected(row.try_get(0)?).map_err(|bad| Trouble::failed(bad.to_string()))?;
    let (event, at): (Option<Uuid>, Option<At>) = (row.try_get(1)?, row.try_get(2)?);
    let released = event.zip(at).map(|(event, at)| Released { at: at.0, event: event.event() });
    Ok(Quarantined { rejected, released })
}
