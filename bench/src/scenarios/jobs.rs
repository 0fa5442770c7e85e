//! Bulk replay of 100,000 dead letters, on either store: how fast they are counted and replayed, with the gateway that
//! does it killed on the way and started again, and whether anything is replayed twice.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hookhaven_load::gateway::{Home, Running, poll};
use hookhaven_testbed::{Cluster, ClusterOptions};
use serde_json::{Value, json};

use super::{Bench, Figure, Figures, SECRET, load, sides::pending};
use crate::process::{Server, usage};

const LETTERS: u64 = 100_000;
const KILLS: u64 = 3;
const PATIENCE: Duration = Duration::from_secs(600);
const TOKEN: &str = "the-token-of-the-bench";

pub async fn run(bench: &Bench) -> Result<Figures> {
    let mut figures = Figures::default();
    one_store(bench, None, "embedded", &mut figures).await?;
    let cluster = Cluster::start(ClusterOptions::default())?;
    one_store(bench, Some(cluster.databases().create()?), "postgres", &mut figures).await?;
    Ok(figures)
}

async fn one_store(bench: &Bench, database: Option<String>, name: &str, figures: &mut Figures) -> Result<()> {
    let (refusing, sink) = (Server::start(&["sink", "--refuse"]).await?, Server::start(&["sink"]).await?);
    let directory = bench.directory()?;
    let shared = database.is_some();
    let home = Home { shared, ..Home::new(bench.gateway.clone(), directory.path().to_owned()) };
    let store = database.unwrap_or_else(|| format!("file:{}", home.data().display()));
    if shared {
        std::fs::write(home.token(), TOKEN)?;
    }
    println!("jobs: {LETTERS} dead letters, {name}");
    home.write_config(&config(&store, shared, &refusing))?;
    let gateway = home.serve().await?;
    let count = LETTERS.to_string();
    let report = load(gateway.ingest, "jobs", &["--count", &count, "--seconds", "600"]).await?;
    ensure!(report.answered(200) == LETTERS, "not every event was acknowledged: {report:?}");
    until_pending(&gateway, 0).await?;
    ensure!(gateway.terminate().await?.success(), "it does not stop");

    // Nothing is attempted while it is killed, so whatever comes twice was made twice.
    home.write_config(&config(&store, shared, &sink))?;
    let mut gateway = home.serve().await?;
    gateway.admin.post("/api/v1/destinations/sink/pause", &json!({})).await?;
    let began = Instant::now();
    let dry = job(&gateway, json!({"act": "replay", "dry_run": true})).await?;
    let dry = until(&gateway, &dry, |job| !job["ended_at"].is_null()).await?;
    let counted_after = began.elapsed().as_secs_f64();
    ensure!(dry["matched"] == LETTERS, "it counts {}", dry["matched"]);

    println!("jobs: replayed, {KILLS} times killed, {name}");
    let began = Instant::now();
    let id = job(&gateway, json!({"act": "replay"})).await?;
    let mut kills = 0;
    for part in 1..=KILLS {
        let state = until(&gateway, &id, |job| {
            job["done"].as_u64() >= Some(LETTERS * part / (KILLS + 1)) || !job["ended_at"].is_null()
        });
        if !state.await?["ended_at"].is_null() {
            break;
        }
        gateway.kill().await?;
        kills += 1;
        gateway = home.serve().await?;
    }
    let ended = until(&gateway, &id, |job| !job["ended_at"].is_null()).await?;
    let took = began.elapsed().as_secs_f64();
    let peak = gateway.pid().and_then(usage).map_or(0, |usage| usage.peak_bytes);
    let waiting = pending(&gateway.admin).await?;

    let began = Instant::now();
    gateway.admin.post("/api/v1/destinations/sink/resume", &json!({})).await?;
    until_pending(&gateway, 0).await?;
    let delivered_after = began.elapsed().as_secs_f64();
    let stats = sink.stats().await?;
    ensure!(gateway.terminate().await?.success(), "it does not stop");

    let add = |what: &str, value: f64, unit| Figure::new(format!("{name}: {what}"), value, unit);
    figures.add(add("counted after", counted_after, "s").at_most(30.0));
    figures.add(add("replayed a second, restarts included", LETTERS as f64 / took, "/s"));
    figures.add(add("killed with SIGKILL meanwhile", kills as f64, "times").at_least(1.0));
    let done = ended["done"].as_u64().unwrap_or(0);
    figures.add(add("done, as the job counts", done as f64, "").at_least(LETTERS as f64).at_most(LETTERS as f64));
    figures.add(add("deliveries made", waiting as f64, "").at_least(LETTERS as f64).at_most(LETTERS as f64));
    figures.add(add("delivered after", delivered_after, "s"));
    figures.add(add("events at the handler", stats.distinct as f64, "").at_least(LETTERS as f64));
    figures.add(add("that came twice", stats.received.saturating_sub(stats.distinct) as f64, "").at_most(0.0));
    figures.add(add("memory at most", peak as f64 / 1e6, "MB"));
    refusing.end().await?;
    sink.end().await
}

fn config(store: &str, shared: bool, sink: &Server) -> String {
    let token = if shared { "admin_token = \"file:admin-token\"\n" } else { "" };
    format!(
        "[server]\ningest = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n{token}[store]\nurl = {store:?}\n\
         [sources.stripe]\nsender = \"stripe\"\nsecrets = [{SECRET:?}]\n\
         [[routes]]\nsource = \"stripe\"\nto = [\"sink\"]\nretry = {{ attempts = 1 }}\n\
         [destinations.sink]\nurl = \"http://{}/\"\nconcurrency = 64\n",
        sink.address
    )
}

async fn job(gateway: &Running, order: Value) -> Result<String> {
    let made = gateway.admin.post("/api/v1/jobs", &order).await?;
    Ok(made["id"].as_str().context("a job without an id")?.to_owned())
}

async fn until(gateway: &Running, id: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
    let path = format!("/api/v1/jobs/{id}");
    let found = poll(PATIENCE, async || gateway.admin.get(&path).await.ok().filter(|job| holds(job)));
    found.await.context("the job does not get on")
}

async fn until_pending(gateway: &Running, count: u64) -> Result<()> {
    let reached = poll(PATIENCE, async || (pending(&gateway.admin).await.ok()? == count).then_some(()));
    reached.await.with_context(|| format!("it does not come to {count} pending deliveries"))
}
