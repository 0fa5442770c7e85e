//! The schema's versions. Each migration is a file, run once, in order, in one transaction under a lock
//! that all nodes share; a node that waits for it finds the work done.
//!
//! A migration says which is the oldest version whose binaries can still work with what it leaves behind:
//! first expand, and contract a release later, so that nodes of both stand beside each other meanwhile.

use super::{
    pool::{Mode, Pool},
    trouble::Trouble,
};
use crate::seam::StoreError;

struct Migration {
    version: i32,
    /// Binaries of this schema version and later work with the result.
    oldest: i32,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[Migration { version: 1, oldest: 1, sql: include_str!("migrations/0001_begin.sql") }];

/// What this binary knows. A test holds it to the list.
pub(super) const LATEST: i32 = 1;

/// An advisory lock is a number: "hookhave" in ASCII.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7525356076397377125)";

/// Brings the schema up to what this binary knows, or finds that somebody has.
pub(super) async fn migrate(pool: &Pool) -> Result<(), StoreError> {
    if found(pool).await? >= LATEST {
        return Ok(());
    }
    let mut connection = pool.get().await?;
    connection.begin_patiently().await?;
    connection.batch(LOCK).await?;
    connection
        .batch(
            "CREATE SCHEMA IF NOT EXISTS hookhaven; SET LOCAL search_path = hookhaven; \
             CREATE TABLE IF NOT EXISTS schema_version \
             (version int PRIMARY KEY, oldest int NOT NULL, at timestamptz NOT NULL DEFAULT now())",
        )
        .await?;
    let rows = connection.query("SELECT coalesce(max(version), 0) FROM schema_version", &[]).await?;
    let done: i32 = first(&rows)?;
    for migration in MIGRATIONS.iter().filter(|m| m.version > done) {
        let Migration { version, oldest, sql } = migration;
        let failed = |Trouble { kind, text }| Trouble { kind, text: format!("migration {version} failed: {text}") };
        connection.batch(sql).await.map_err(failed)?;
        let note = format!("INSERT INTO schema_version (version, oldest) VALUES ({version}, {oldest})");
        connection.batch(&note).await?;
    }
    connection.commit().await?;
    Ok(())
}

/// The schema's version; 0 if there is none yet.
///
/// # Errors
/// [`StoreError::Incompatible`] if binaries as old as this one must not touch it.
pub(super) async fn found(pool: &Pool) -> Result<i32, StoreError> {
    let rows = pool.once(Mode::Read, "SELECT to_regclass('hookhaven.schema_version') IS NOT NULL", &[]).await?;
    if !first::<bool>(&rows)? {
        return Ok(0);
    }
    let newest = "SELECT version, oldest FROM hookhaven.schema_version ORDER BY version DESC LIMIT 1";
    let rows = pool.once(Mode::Read, newest, &[]).await?;
    let Some(row) = rows.first() else { return Ok(0) };
    let (version, oldest): (i32, i32) =
        (row.try_get(0).map_err(Trouble::from)?, row.try_get(1).map_err(Trouble::from)?);
    if oldest > LATEST {
        return Err(StoreError::Incompatible(format!(
            "the database has schema version {version}, which works with version {oldest} and later; this \
             binary knows version {LATEST}: use the newer Hookhaven"
        )));
    }
    Ok(version)
}

fn first<T: tokio_postgres::types::FromSqlOwned>(rows: &[tokio_postgres::Row]) -> Result<T, Trouble> {
    let row = rows.first().ok_or_else(|| Trouble::failed("the server answered nothing"))?;
    Ok(row.try_get(0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_stand_in_order_and_none_locks_out_more_than_exist() {
        let numbers: Vec<_> = MIGRATIONS.iter().map(|m| m.version).collect();
        assert_eq!(numbers, (1..=LATEST).collect::<Vec<_>>());
        assert!(MIGRATIONS.iter().all(|m| m.oldest <= m.version && m.oldest >= 1));
    }
}
