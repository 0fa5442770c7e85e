//! Looking at a database without working on it, for those who set one up: can it be reached, would it do, which
//! schema does it have; and bringing the schema up to date, alone.

use std::{sync::Arc, time::Duration};

use tokio_postgres::error::SqlState;

pub use super::migrate::Migration;
use super::{
    PostgresAddress, check_server,
    health::Health,
    migrate,
    pool::{Mode, Pool},
    target::Target,
    trouble::{Kind, Trouble},
};
use crate::seam::StoreError;

/// For each question; a migration may take longer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const MIGRATE_TIMEOUT: Duration = Duration::from_secs(3_600);

/// A database that will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The schema's version; 0: there is none yet.
    pub schema: i32,
    /// What this binary brings it to.
    pub latest: i32,
    /// Whether the user may do that.
    pub may_migrate: bool,
}

/// Why a database will not do, and how to mend that; the mend is empty where the rest says it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Unfit {
    pub what: String,
    pub mend: &'static str,
}

impl From<StoreError> for Unfit {
    fn from(error: StoreError) -> Self {
        Unfit { what: error.to_string(), mend: "" }
    }
}

/// Looks, and leaves everything as it is.
pub async fn examine(address: &PostgresAddress) -> Result<Examined, Unfit> {
    let target = Arc::new(Target::parse(address, ANSWER_TIMEOUT)?);
    // By itself first, for the server's own word on why it would not have us.
    let (client, _) = target.connect(None).await.map_err(|trouble| unfit(&trouble))?;
    drop(client);
    let pool = Pool::new(target, Arc::<Health>::default(), 1, ANSWER_TIMEOUT);
    check_server(&pool).await?;
    let schema = migrate::found(&pool).await?;
    let may = "SELECT CASE WHEN to_regnamespace('hookhaven') IS NULL \
        THEN has_database_privilege(current_database(), 'CREATE') \
        ELSE has_schema_privilege('hookhaven', 'CREATE') END";
    let rows = pool.once(Mode::Read, may, &[]).await.map_err(|trouble| unfit(&trouble))?;
    let may_migrate = rows.first().is_some_and(|row| row.get(0));
    Ok(Examined { schema, latest: migrate::LATEST, may_migrate })
}

/// Brings the schema up to date, once, whoever else does so at the same time. Answers from which version
/// to which.
///
/// # Errors
/// As [`super::PostgresStore::open`].
pub async fn migrate(address: &PostgresAddress) -> Result<(i32, i32), StoreError> {
    migrate_by(address, migrate::MIGRATIONS).await
}

/// The same, by these migrations: what a later version would do, so that a test can stand nodes of this one
/// beside it.
///
/// # Errors
/// As [`super::PostgresStore::open`].
pub async fn migrate_by(address: &PostgresAddress, migrations: &[Migration]) -> Result<(i32, i32), StoreError> {
    let target = Arc::new(Target::parse(address, ANSWER_TIMEOUT)?);
    let pool = Pool::new(target, Arc::<Health>::default(), 1, MIGRATE_TIMEOUT);
    check_server(&pool).await?;
    let from = migrate::found(&pool).await?;
    migrate::migrate_by(&pool, migrations).await?;
    Ok((from, migrate::found(&pool).await?))
}

fn unfit(trouble: &Trouble) -> Unfit {
    let what = format!("PostgreSQL: {}", trouble.text);
    let mend = match &trouble.code {
        Some(code) if code.code().starts_with("28") => {
            "check the user in store.url, store.password, and what pg_hba.conf lets in"
        }
        Some(code) if *code == SqlState::INVALID_CATALOG_NAME => "create it: CREATE DATABASE … ENCODING 'UTF8'",
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => "grant the user what it lacks",
        Some(code) if *code == SqlState::TOO_MANY_CONNECTIONS => "raise max_connections, or put a pooler before it",
        _ if trouble.kind == Kind::Lost => "check host and port in store.url, and that the database is up",
        _ => "",
    };
    Unfit { what, mend }
}
