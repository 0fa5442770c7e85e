//! Stores on a database, as many as a test wants.

use std::{sync::Arc, time::Duration};

use hookhaven_store::{
    Leave, Store, StoreError,
    clock::{ManualClock, OsEntropy},
    postgres::{PostgresOptions, PostgresStore},
};

use crate::bench::start;

/// A fresh database; its URL.
pub fn database() -> String {
    hookhaven_testbed::shared().unwrap().create().unwrap()
}

pub fn options(url: &str, clock: &ManualClock) -> PostgresOptions {
    // Patient: the machine may be busy with other tests.
    let (clock, answer_timeout) = (Some(Arc::new(clock.clone()) as _), Duration::from_secs(120));
    PostgresOptions { clock, answer_timeout, ..PostgresOptions::new(url, Arc::new(OsEntropy)) }
}

pub async fn try_open(options: PostgresOptions) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(PostgresStore::open(options).await?))
}

/// One more node.
pub async fn node(url: &str, clock: &ManualClock) -> Arc<dyn Store> {
    try_open(options(url, clock)).await.unwrap()
}

pub fn clock() -> ManualClock {
    ManualClock::at(start())
}

/// Waits until the store would accept. It says when the database is back.
pub async fn ready(store: &Arc<dyn Store>) {
    let wake = store.wake();
    while store.ready(Leave::NOTHING).is_err() {
        wake.notified().await;
    }
}
