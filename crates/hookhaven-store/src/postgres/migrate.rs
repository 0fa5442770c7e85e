//! The schema's versions. Each migration is a file, run once, in order, in one transaction under a lock
//! that all nodes share; a node that waits for it finds the work done.
//!
//! A migration says which is the oldest version whose binaries can still work with what it leaves behind:
//! first expand, and contract a release later, so that nodes of both stand beside each other meanwhile.

use std::time::Duration;

use super::{
    pool::{Mode, Pool},
    trouble::{Kind, Trouble},
};
use crate::seam::StoreError;

/// From one version to the next.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    pub version: i32,
    /// Binaries of this schema version and later work with the result.
    pub oldest: i32,
    pub sql: &'static str,
}

/// How long it may stand in the way of nodes at work: less than after which the server looks for deadlocks and
/// ends one of those who wait.
const LOCK_TIMEOUT_MS: u32 = 500;
/// Until it is tried again after it gave way, and how often.
const AGAIN: Duration = Duration::from_millis(300);
const TRIES_MAX: u32 = 200;

pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, oldest: 1, sql: include_str!("migrations/0001_begin.sql") },
    Migration { version: 2, oldest: 1, sql: include_str!("migrations/0002_publish.sql") },
    Migration { version: 3, oldest: 1, sql: include_str!("migrations/0003_rejected.sql") },
    Migration { version: 4, oldest: 1, sql: include_str!("migrations/0004_lines.sql") },
    Migration { version: 5, oldest: 1, sql: include_str!("migrations/0005_lists.sql") },
    Migration { version: 6, oldest: 1, sql: include_str!("migrations/0006_ended_at.sql") },
];

/// What this binary knows. A test holds it to the list.
pub(super) const LATEST: i32 = 6;

/// An advisory lock is a number: "hookhave" in ASCII.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7525356076397377125)";

/// Brings the schema up to what this binary knows, or finds that somebody has.
pub(super) async fn migrate(pool: &Pool) -> Result<(), StoreError> {
    migrate_by(pool, MIGRATIONS).await
}

/// By these migrations. Gives way to nodes at work: none of them waits for it longer than [`LOCK_TIMEOUT_MS`].
pub(super) async fn migrate_by(pool: &Pool, migrations: &[Migration]) -> Result<(), StoreError> {
    let latest = migrations.last().map_or(0, |m| m.version);
    if found(pool).await? >= latest {
        return Ok(());
    }
    let mut tries = 1;
    loop {
        match migrate_once(pool, migrations).await {
            Err((_, trouble)) if trouble.kind == Kind::Again && tries < TRIES_MAX => {
                tries += 1;
                tokio::time::sleep(AGAIN).await;
            }
            Err((Some(version), Trouble { text, .. })) => {
                return Err(StoreError::Failed(format!("migration {version} failed: {text}")));
            }
            done => return Ok(done.map_err(|(_, trouble)| trouble)?),
        }
    }
}

/// What went wrong, and in which migration.
type Failed = (Option<i32>, Trouble);

async fn migrate_once(pool: &Pool, migrations: &[Migration]) -> Result<(), Failed> {
    let outside = |trouble: Trouble| (None, trouble);
    let mut connection = pool.get().await.map_err(outside)?;
    connection.begin_patiently().await.map_err(outside)?;
    connection.batch(LOCK).await.map_err(outside)?;
    let prepare = format!(
        "SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}; \
         CREATE SCHEMA IF NOT EXISTS hookhaven; SET LOCAL search_path = hookhaven; \
         CREATE TABLE IF NOT EXISTS schema_version \
         (version int PRIMARY KEY, oldest int NOT NULL, at timestamptz NOT NULL DEFAULT now())"
    );
    connection.batch(&prepare).await.map_err(outside)?;
    let rows = connection.query("SELECT coalesce(max(version), 0) FROM schema_version", &[]).await;
    let done: i32 = rows.and_then(|rows| first(&rows)).map_err(outside)?;
    for Migration { version, oldest, sql } in migrations.iter().filter(|m| m.version > done) {
        let failed = |trouble| (Some(*version), trouble);
        connection.batch(sql).await.map_err(failed)?;
        let note = format!("INSERT INTO schema_version (version, oldest) VALUES ({version}, {oldest})");
        connection.batch(&note).await.map_err(failed)?;
    }
    connection.commit().await.map_err(outside)
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
