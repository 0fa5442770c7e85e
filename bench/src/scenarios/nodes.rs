//! Several nodes on one PostgreSQL, all of it on this machine: 1,000 events a second for a minute to two ingest
//! nodes, with a worker and an ingest node killed on the way; what three idle nodes ask of the database; and how
//! many events a second two nodes carry from answer to handler.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hookhaven_load::{
    event::Events,
    faithful::{Faithful, Plan},
    gateway::{Admin, Home, Running, poll},
};
use hookhaven_testbed::{Cluster, ClusterOptions};
use tempfile::TempDir;

use super::{Bench, Figure, Figures, PATH, SECRET, load, sides::pending};
use crate::process::{Server, usage};

const PER_SECOND: u64 = 1_000;
const SECONDS: u64 = 60;
const COUNT: u64 = PER_SECOND * SECONDS;
const DRAIN_PATIENCE: Duration = Duration::from_secs(120);
const IDLE: Duration = Duration::from_secs(60);
const LOAD: [&str; 6] = ["--connections", "128", "--seconds", "20", "--count", "100000000"];
const LOAD_SECONDS: f64 = 20.0;
const TOKEN: &str = "the-token-of-all-nodes-0123456789";

pub async fn run(bench: &Bench) -> Result<Figures> {
    let cluster = Cluster::start(ClusterOptions::default())?;
    let mut figures = Figures::default();
    killed(bench, &cluster, &mut figures).await?;
    idle(bench, &cluster, &mut figures).await?;
    through(bench, &cluster, &mut figures).await?;
    Ok(figures)
}

/// A node with its directory, which goes when this does.
struct Node {
    running: Running,
    _directory: TempDir,
}

/// What nodes have in common.
struct Scene<'a> {
    bench: &'a Bench,
    sink: Server,
    database: String,
    concurrency: usize,
}

impl<'a> Scene<'a> {
    async fn new(bench: &'a Bench, cluster: &Cluster, concurrency: usize) -> Result<Self> {
        let database = cluster.databases().create()?;
        Ok(Scene { bench, sink: Server::start(&["sink"]).await?, database, concurrency })
    }

    async fn node(&self, role: &str) -> Result<Node> {
        let directory = self.bench.directory()?;
        let home = Home { shared: true, ..Home::new(self.bench.gateway.clone(), directory.path().to_owned()) };
        std::fs::write(home.token(), TOKEN)?;
        home.write_config(&format!(
            "[server]\nrole = {role:?}\ningest = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\
             admin_token = \"file:admin-token\"\n[store]\nurl = {:?}\n\
             [sources.stripe]\nsender = \"stripe\"\nsecrets = [{SECRET:?}]\n[[routes]]\nsource = \"stripe\"\nto = [\"sink\"]\n\
             [destinations.sink]\nurl = \"http://{}/\"\nconcurrency = {}\n",
            self.database, self.sink.address, self.concurrency
        ))?;
        Ok(Node { running: home.serve().await?, _directory: directory })
    }
}

async fn drained(admin: &Admin) -> Result<f64> {
    let began = Instant::now();
    let empty = async || (pending(admin).await.ok()? == 0).then(|| began.elapsed());
    let after = poll(DRAIN_PATIENCE, empty).await.context("the queue is not empty, long after the load")?;
    Ok(after.as_secs_f64())
}

async fn killed(bench: &Bench, cluster: &Cluster, figures: &mut Figures) -> Result<()> {
    println!("nodes: {PER_SECOND}/s for {SECONDS} s to two ingest nodes, three workers, one of each killed");
    let scene = Scene::new(bench, cluster, 64).await?;
    let (ingest, doomed_ingest) = (scene.node("ingest").await?, scene.node("ingest").await?);
    let (doomed, _second, _third) =
        (scene.node("worker").await?, scene.node("worker").await?, scene.node("worker").await?);
    let plan = Plan {
        events: Events { run: "nodes".into(), secret: SECRET.into(), body_bytes: 2_048 },
        path: PATH.into(),
        count: COUNT,
        connections: 64,
        per_second: Some(PER_SECOND),
        twice_percent: 5,
    };
    let sender = Faithful::new(plan, vec![ingest.running.ingest, doomed_ingest.running.ingest]);
    let sending = tokio::spawn(sender.clone().send());
    let mut acknowledged = sender.acknowledged();
    acknowledged.wait_for(|count| *count >= COUNT / 3).await?;
    doomed.running.kill().await?;
    acknowledged.wait_for(|count| *count >= COUNT * 2 / 3).await?;
    doomed_ingest.running.kill().await?;
    sending.await?;
    let after = drained(&ingest.running.admin).await?;
    let stats = scene.sink.stats().await?;
    let sql = "SELECT (SELECT count(*) FROM hookhaven.events), (SELECT count(DISTINCT key_hash) FROM hookhaven.events), \
               (SELECT count(*) FROM hookhaven.ended WHERE state = 2), (SELECT count(*) FROM hookhaven.live)";
    let counts = cluster.databases().sql_at(&scene.database, sql)?;
    let counts: Vec<f64> = counts.split('|').filter_map(|n| n.parse().ok()).collect();
    let [events, keys, delivered, live] = counts[..] else { anyhow::bail!("the database counts {counts:?}") };
    let latency = sender.latencies().summary();

    figures.add(Figure::new("events in the store", events, "events").at_least(COUNT as f64).at_most(COUNT as f64));
    figures.add(Figure::new("keys among them", keys, "keys").at_least(COUNT as f64));
    figures.add(Figure::new("deliveries delivered", delivered, "deliveries").at_least(COUNT as f64));
    figures.add(Figure::new("deliveries left", live, "deliveries").at_most(0.0));
    figures.add(Figure::new("events at the handler", stats.distinct as f64, "events").at_least(COUNT as f64));
    figures.add(Figure::new(
        "delivered more than once",
        stats.received.saturating_sub(stats.distinct) as f64,
        "events",
    ));
    figures.add(Figure::new("tries that the sender had to repeat", sender.failed() as f64, "tries"));
    figures.add(Figure::new("answer p50", f64::from(latency.p50_us) / 1e3, "ms"));
    figures.add(Figure::new("answer p99", f64::from(latency.p99_us) / 1e3, "ms"));
    figures.add(Figure::new("end to end p50", f64::from(stats.end_to_end.p50_us) / 1e3, "ms"));
    figures.add(Figure::new("end to end p99", f64::from(stats.end_to_end.p99_us) / 1e3, "ms"));
    figures.add(Figure::new("drained after the end", after, "s"));
    scene.sink.end().await
}

async fn idle(bench: &Bench, cluster: &Cluster, figures: &mut Figures) -> Result<()> {
    println!("nodes: three idle ones for {} s", IDLE.as_secs());
    let scene = Scene::new(bench, cluster, 16).await?;
    let nodes = [scene.node("ingest").await?, scene.node("worker").await?, scene.node("worker").await?];
    let cpu_ms = || -> u64 {
        let used = nodes.iter().filter_map(|node| usage(node.running.pid()?));
        used.map(|usage| usage.cpu_ms).sum()
    };
    let name = scene.database.rsplit('/').next().unwrap_or_default().to_owned();
    let asked = || -> Result<f64> {
        let sql = format!("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '{name}'");
        let count = cluster.databases().sql("postgres", &sql)?;
        count.parse().with_context(|| format!("{count:?} is no count"))
    };
    // What a start takes is over, and counted: the server's processes tell what they did up to ten seconds later.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let before = (cpu_ms(), asked()?);
    tokio::time::sleep(IDLE).await;
    let after = (cpu_ms(), asked()?);
    let seconds = IDLE.as_secs_f64();
    let share = (after.0 - before.0) as f64 / 10.0 / seconds;
    figures.add(Figure::new("idle: processor of three nodes", share, "% of a core").at_most(1.0));
    figures.add(Figure::new("idle: queries at the database", (after.1 - before.1) / seconds, "/s").at_most(5.0));
    ensure!(nodes.iter().all(|node| node.running.pid().is_some()), "a node ended");
    scene.sink.end().await
}

async fn through(bench: &Bench, cluster: &Cluster, figures: &mut Figures) -> Result<()> {
    println!("nodes: end to end for {LOAD_SECONDS} s, one ingest node and one worker");
    let scene = Scene::new(bench, cluster, 512).await?;
    let (ingest, _worker) = (scene.node("ingest").await?, scene.node("worker").await?);
    let report = load(ingest.running.ingest, "through", &LOAD).await?;
    let at_end = scene.sink.stats().await?;
    let after = drained(&ingest.running.admin).await?;
    let stats = scene.sink.stats().await?;
    let lost = report.answered(200).saturating_sub(stats.distinct) as f64;
    let rate = at_end.distinct as f64 / LOAD_SECONDS;
    figures.add(Figure::new("end to end: delivered meanwhile", rate, "events/s").at_least(4_000.0));
    figures.add(Figure::new("end to end: acknowledged", report.rate(), "events/s"));
    figures.add(Figure::new("end to end: drained after the end", after, "s"));
    figures.add(Figure::new("end to end: acknowledged and not delivered", lost, "events").at_most(0.0));
    scene.sink.end().await
}
