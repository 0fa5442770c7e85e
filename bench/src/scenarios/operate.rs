//! Looking at a full gateway: a million events of thirty days, on each store. How soon the first page of each list
//! comes with each filter, how fast text is searched, and what senders notice of somebody who does all that while
//! 1,000 events a second come in.

pub mod past;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hookhaven_load::gateway::{Admin, Home, Running, poll};
use hookhaven_store::{
    Store,
    clock::{OsEntropy, SystemClock},
    embedded::{EmbeddedOptions, EmbeddedStore, disk::RealDisk},
};
use hookhaven_testbed::{Cluster, ClusterOptions};

use self::past::{Known, SEARCHED};
use super::{Bench, Figure, Figures, SECRET, config, load, median, postgres::open_fresh};
use crate::process::Server;

/// First pages are asked for so often; what counts is the slowest but one, which leaves out a start.
const ROUNDS: usize = 4;
const PAGE_MS: f64 = 200.0;
const SEARCH_S: f64 = 2.0;
const ANSWER_P99_MS: f64 = 20.0;
const LOAD: [&str; 4] = ["--per-second", "1000", "--count", "15000"];
const TOKEN: &str = "the-token-of-the-bench-0123456789";
const CAUGHT_UP: Duration = Duration::from_secs(600);

pub async fn run(bench: &Bench) -> Result<Figures> {
    let mut figures = Figures::default();
    on_embedded(bench, async |gateway, known| look(gateway, known, "embedded", &mut figures).await).await?;
    on_postgres(bench, async |gateway, known| look(gateway, known, "postgres", &mut figures).await).await?;
    Ok(figures)
}

/// A gateway with a past on the embedded store, for as long as somebody looks at it.
pub async fn on_embedded(bench: &Bench, look: impl AsyncFnOnce(&Running, &Known) -> Result<()>) -> Result<()> {
    let (sink, directory) = (Server::start(&["sink"]).await?, bench.directory()?);
    let home = Home::new(bench.gateway.clone(), directory.path().to_owned());
    home.write_config(&config(&home.data(), &[("sink", format!("http://{}/", sink.address))]))?;
    println!("making a past on the embedded store");
    let (data, began) = (home.data(), Instant::now());
    let known = in_own_runtime(async move {
        let store: Arc<dyn Store> = Arc::new(open_embedded(&data)?);
        let known = past::make(&store).await;
        store.close().await;
        known
    });
    let known = known.await?;
    println!("that took {:.0} s", began.elapsed().as_secs_f64());
    let gateway = home.serve().await?;
    caught_up(&gateway).await?;
    look(&gateway, &known).await?;
    gateway.terminate().await?;
    sink.end().await
}

fn open_embedded(data: &Path) -> Result<EmbeddedStore> {
    Ok(EmbeddedStore::open(EmbeddedOptions {
        dir: data.to_owned(),
        pending_max: 10_000_000,
        segment_bytes: 64 << 20,
        // The past is made faster than anybody indexes it.
        index_lag_bytes_max: 1 << 40,
        queue: Default::default(),
        space: Default::default(),
        disk: Arc::new(RealDisk),
        clock: Arc::new(SystemClock::start()),
        entropy: Arc::new(OsEntropy),
    })?)
}

/// The same on PostgreSQL.
pub async fn on_postgres(bench: &Bench, look: impl AsyncFnOnce(&Running, &Known) -> Result<()>) -> Result<()> {
    let (sink, directory) = (Server::start(&["sink"]).await?, bench.directory()?);
    // As `docs/nodes.md` says that it should be set.
    let settings = [("max_wal_size", "4GB"), ("wal_compression", "lz4"), ("shared_buffers", "512MB")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let cluster = Arc::new(Cluster::start(ClusterOptions { settings, ..ClusterOptions::default() })?);
    println!("making a past on PostgreSQL");
    let (began, server) = (Instant::now(), cluster.clone());
    let made = in_own_runtime(async move {
        let (url, store) = open_fresh(&server, |options| options).await?;
        let known = past::make(&store).await?;
        store.close().await;
        // As after thirty days: not a database that has just been filled, and is still busy with that. A queue that a
        // million deliveries went through within a minute is mostly pages of nothing; in thirty days of one event in
        // three seconds it never grew.
        server.databases().sql_at(&url, "VACUUM FULL hookhaven.live")?;
        server.databases().sql_at(&url, "VACUUM ANALYZE")?;
        server.databases().sql_at(&url, "CHECKPOINT")?;
        Ok((url, known))
    });
    let (url, known) = made.await?;
    println!("that took {:.0} s", began.elapsed().as_secs_f64());
    let home = Home { shared: true, ..Home::new(bench.gateway.clone(), directory.path().to_owned()) };
    std::fs::write(home.token(), TOKEN)?;
    home.write_config(&format!(
        "[server]\ningest = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nadmin_token = \"file:admin-token\"\n\
         [store]\nurl = {url:?}\n[sources.stripe]\nsender = \"stripe\"\nsecrets = [{SECRET:?}]\n\
         [[routes]]\nsource = \"stripe\"\nto = [\"sink\"]\n[destinations.sink]\nurl = \"http://{}/\"\n",
        sink.address
    ))?;
    let gateway = home.serve().await?;
    caught_up(&gateway).await?;
    look(&gateway, &known).await?;
    gateway.terminate().await?;
    sink.end().await
}

async fn in_own_runtime<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(work)
    });
    done.await?
}

async fn caught_up(gateway: &Running) -> Result<()> {
    let asked = poll(CAUGHT_UP, async || gateway.admin.get("/api/v1/events?limit=1").await.ok());
    asked.await.map(drop).context("the lists do not answer")
}

async fn look(gateway: &Running, known: &Known, store: &str, figures: &mut Figures) -> Result<()> {
    let admin = &gateway.admin;
    println!("operate: first pages on {store}");
    let lists = known.lists();
    for (list, holds) in &lists {
        let (took, rows) = first_page(admin, list).await?;
        ensure!(*holds == (rows > 0), "{list} shows {rows} rows");
        println!("  {took:7.1} ms  {}", known.shown(list));
        figures.add(Figure::new(format!("{store}: {}", known.shown(list)), took, "ms").at_most(PAGE_MS));
    }
    println!("operate: searching on {store}");
    let took = search(admin, known).await?;
    figures.add(Figure::new(format!("{store}: search of {SEARCHED} events"), took, "s").at_most(SEARCH_S));
    for looked_at in [false, true] {
        println!("operate: 1,000 events a second on {store}{}", if looked_at { ", and all that" } else { "" });
        let (stop, lists) = (Arc::<AtomicBool>::default(), lists.clone());
        let looking = looked_at.then(|| {
            let lookers = [lookers(admin.clone(), lists, stop.clone()), searchers(admin.clone(), known, stop.clone())];
            lookers.map(tokio::spawn)
        });
        let report = load(gateway.ingest, &format!("operate{store}{looked_at}"), &LOAD).await?;
        stop.store(true, Ordering::Relaxed);
        for looker in looking.into_iter().flatten() {
            let asked = looker.await??;
            ensure!(asked > 0, "nobody looked");
        }
        let name = if looked_at { "looked at" } else { "left alone" };
        let (p50, p99) = (f64::from(report.latency.p50_us) / 1e3, f64::from(report.latency.p99_us) / 1e3);
        figures.add(Figure::new(format!("{store}: 1,000/s, {name}: answer p50"), p50, "ms"));
        figures.add(Figure::new(format!("{store}: 1,000/s, {name}: answer p99"), p99, "ms").at_most(ANSWER_P99_MS));
        let lost = 15_000 - report.answered(200).min(15_000);
        figures.add(Figure::new(format!("{store}: 1,000/s, {name}: not answered"), lost as f64, "").at_most(0.0));
    }
    Ok(())
}

/// Milliseconds until its first page is there, and how many rows that has.
async fn first_page(admin: &Admin, list: &str) -> Result<(f64, usize)> {
    let (mut took, mut rows) = (Vec::new(), 0);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let page = admin.get(&format!("/api/v1/{list}")).await?;
        took.push(began.elapsed().as_secs_f64() * 1e3);
        rows = page["items"].as_array().map_or(0, Vec::len);
    }
    took.sort_unstable_by(f64::total_cmp);
    Ok((took[ROUNDS - 2], rows))
}

async fn search(admin: &Admin, known: &Known) -> Result<f64> {
    let mut took = Vec::new();
    for _ in 0..3 {
        let began = Instant::now();
        let answer = admin.send("GET", &format!("/api/v1/{}", known.search()), &[]).await?;
        took.push(began.elapsed().as_secs_f64());
        let last = answer.body.trim_ascii_end().rsplit(|b| *b == b'\n').next().unwrap_or_default();
        let last: serde_json::Value = serde_json::from_slice(last)?;
        let (scanned, hits) = (last["end"]["scanned_events"].as_u64(), last["end"]["hits"].as_u64());
        ensure!(scanned == Some(SEARCHED) && hits == Some(1), "the search says {last}");
    }
    Ok(median(took))
}

type Looking = std::pin::Pin<Box<dyn Future<Output = Result<u64>> + Send>>;

/// Somebody who asks for one list after the other.
fn lookers(admin: Admin, lists: Vec<(String, bool)>, stop: Arc<AtomicBool>) -> Looking {
    Box::pin(async move {
        let mut asked = 0;
        for (list, _) in lists.iter().cycle() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            admin.get(&format!("/api/v1/{list}")).await?;
            asked += 1;
        }
        Ok(asked)
    })
}

fn searchers(admin: Admin, known: &Known, stop: Arc<AtomicBool>) -> Looking {
    let path = format!("/api/v1/{}", known.search());
    Box::pin(async move {
        let mut asked = 0;
        while !stop.load(Ordering::Relaxed) {
            ensure!(admin.send("GET", &path, &[]).await?.status == 200, "a search is refused");
            asked += 1;
        }
        Ok(asked)
    })
}
