//! `hookhaven migrate`: brings the schema of a PostgreSQL store up to date, and does nothing else: for those
//! who let only one user change schemas, or want to see it done before they start nodes.

use std::process::ExitCode;

use hookhaven_store::postgres::examine;

use super::{Context, UsageError, args::MigrateArgs};
use crate::config::Place;

pub async fn run(_: MigrateArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.load()?.config;
    let Place::Database(database) = &config.store.place else {
        return Err(UsageError("store.url names no database; other stores need no migration".to_owned()).into());
    };
    let (from, to) = examine::migrate(&database.address).await?;
    match from {
        _ if from >= to => println!("The schema is up to date, at version {to}."),
        0 => println!("The schema was made, at version {to}."),
        _ => println!("The schema was brought from version {from} to {to}."),
    }
    Ok(ExitCode::SUCCESS)
}
