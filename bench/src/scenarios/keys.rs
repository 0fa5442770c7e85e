//! Ten million idempotency keys in PostgreSQL, half of them expired: how fast they are swept, in the small
//! steps that retention takes, and what accepting loses meanwhile. Accepting is measured in turns, with the
//! sweep and without.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use hookhaven_core::Time;
use hookhaven_store::{Retention, Store};
use hookhaven_testbed::{Cluster, ClusterOptions};

use super::{
    Bench, Figure, Figures, median,
    postgres::{callers, in_own_runtime, open_fresh},
};

const KEYS: u64 = 10_000_000;
const ROUNDS: usize = 3;
const WATCH: Duration = Duration::from_secs(10);
/// What a gateway at 1,000 events a second has to sweep.
const EXPIRING_PER_SECOND: f64 = 1_000.0;

pub async fn run(_: &Bench) -> Result<Figures> {
    in_own_runtime(measure()).await
}

async fn measure() -> Result<Figures> {
    let cluster = Cluster::start(ClusterOptions::default())?;
    let (url, store) = open_fresh(&cluster, |options| options).await?;
    println!("keys: writing {KEYS}");
    let began = Instant::now();
    let sql = format!(
        "INSERT INTO hookhaven.keys SELECT gen_random_uuid(), gen_random_uuid(), \
         CASE n % 2 WHEN 0 THEN now() - interval '1 hour' ELSE now() + interval '7 days' END \
         FROM generate_series(1, {KEYS}) n; ANALYZE hookhaven.keys"
    );
    cluster.databases().sql_at(&url, &sql)?;
    println!("keys: {:.0} s; accepting, with the sweep and without", began.elapsed().as_secs_f64());
    let (mut alone, mut beside, mut swept) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(accepting(&store).await?);
        let stop = Arc::<AtomicBool>::default();
        let sweep = tokio::spawn(sweep(store.clone(), stop.clone()));
        beside.push(accepting(&store).await?);
        stop.store(true, Ordering::Relaxed);
        swept.push(sweep.await??);
    }
    let idle = Arc::<AtomicBool>::default();
    let sweep = tokio::spawn(sweep(store.clone(), idle.clone()));
    tokio::time::sleep(WATCH).await;
    idle.store(true, Ordering::Relaxed);
    let undisturbed = sweep.await??;
    store.close().await;

    let ratio = median(beside.iter().zip(&alone).map(|(beside, alone)| beside / alone).collect());
    let mut figures = Figures::default();
    figures.add(Figure::new("accepted, no sweep", median(alone), "events/s"));
    figures.add(Figure::new("accepted beside the sweep", median(beside), "events/s"));
    figures.add(Figure::new("ratio", ratio, ""));
    figures.add(Figure::new("swept beside that", median(swept), "keys/s").at_least(EXPIRING_PER_SECOND));
    figures.add(Figure::new("swept, nothing else to do", undisturbed, "keys/s"));
    Ok(figures)
}

async fn accepting(store: &Arc<dyn Store>) -> Result<f64> {
    let (began, count) = (Instant::now(), Arc::<AtomicU64>::default());
    for caller in callers(store, began + WATCH, &count) {
        caller.await??;
    }
    Ok(count.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64())
}

/// Keys a second, until told to stop.
async fn sweep(store: Arc<dyn Store>, stop: Arc<AtomicBool>) -> Result<f64> {
    let (began, mut keys) = (Instant::now(), 0);
    while !stop.load(Ordering::Relaxed) {
        let retained = store.retain(Retention { before: Time::EPOCH, dead_before: None }).await?;
        keys += retained.keys;
    }
    Ok(keys as f64 / began.elapsed().as_secs_f64())
}
