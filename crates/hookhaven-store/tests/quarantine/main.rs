//! What every quarantine must do, written once and run on each backend; and what only files can suffer.
#![allow(clippy::unwrap_used)]

mod contract;
mod torn;

use std::{sync::Arc, time::Duration};

use hookhaven_core::{Rejected, RejectedId, Time, sender::Rejection};
use hookhaven_store::{
    Store,
    clock::{ManualClock, SeededEntropy},
    embedded::disk::{Disk, RealDisk, SimDisk},
    postgres::{PostgresOptions, PostgresStore},
    quarantine::{Bounds, FileQuarantine, MemoryQuarantine, Quarantine},
};

/// A quarantine, and what has to live as long.
pub struct Bench {
    pub quarantine: Arc<dyn Quarantine>,
    _home: Box<dyn std::any::Any>,
}

impl Bench {
    async fn memory() -> Self {
        Bench { quarantine: Arc::new(MemoryQuarantine::default()), _home: Box::new(()) }
    }

    async fn files() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = files_in(dir.path(), Arc::new(RealDisk));
        Bench { quarantine: Arc::new(quarantine), _home: Box::new(dir) }
    }

    async fn simulated() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(SimDisk::new(7, dir.path()));
        Bench { quarantine: Arc::new(files_in(dir.path(), disk)), _home: Box::new(dir) }
    }

    async fn postgres() -> Self {
        let url = hookhaven_testbed::shared().unwrap().create().unwrap();
        let options = PostgresOptions {
            clock: Some(Arc::new(ManualClock::at(at(0)))),
            answer_timeout: Duration::from_secs(120),
            ..PostgresOptions::new(url, Arc::new(SeededEntropy::new(7)))
        };
        let store = PostgresStore::open(options).await.unwrap();
        let quarantine = Arc::new(store.quarantine());
        let store: Arc<dyn Store> = Arc::new(store);
        Bench { quarantine, _home: Box::new(store) }
    }
}

pub fn files_in(dir: &std::path::Path, disk: Arc<dyn Disk>) -> FileQuarantine {
    FileQuarantine::new(dir, disk, Arc::new(SeededEntropy::new(7)))
}

pub fn at(second: u32) -> Time {
    Time::from_s(1_790_000_000 + i64::from(second))
}

pub const BOUNDS: Bounds = Bounds { count_max: 80, bytes_max: 8 << 20, max_age: Duration::from_secs(86_400) };

/// The `second`th of a source; its id tells when it came.
pub fn rejected(source: &str, second: u32, body: &[u8]) -> Rejected {
    let mut random = [0; 10];
    random[4..8].copy_from_slice(&second.to_be_bytes());
    random[9] = source.as_bytes()[0];
    Rejected {
        id: RejectedId::mint(at(second), random),
        received_at: at(second),
        source: source.into(),
        reason: if second.is_multiple_of(2) { Rejection::SignatureMismatch } else { Rejection::TimestampStale },
        method: http::Method::POST,
        target: format!("/webhooks/{source}?n={second}").into(),
        headers: vec![("x-odd".into(), b"\xff\x01\"".to_vec().into())],
        body: body.to_vec().into(),
        body_bytes: body.len() as u64,
        remote: "203.0.113.7".into(),
    }
}

macro_rules! suite {
    ($($backend:ident),*) => {
        $(mod $backend { crate::cases! { $backend: comes_back_whole, lists_are_filtered_and_paged,
            count_and_bytes_are_bounded_and_the_newest_stay, a_flood_evicts_only_its_own,
            each_is_marked_released_once, what_is_old_is_forgotten, what_is_kept_is_counted } })*
    };
}

macro_rules! cases {
    ($backend:ident: $($case:ident),*) => {
        $(#[tokio::test]
        async fn $case() {
            crate::contract::$case(&*crate::Bench::$backend().await.quarantine).await;
        })*
    };
}
pub(crate) use cases;

suite!(memory, files, simulated, postgres);
