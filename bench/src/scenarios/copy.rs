//! A team moves from the embedded store to PostgreSQL: 100,000 events that were delivered to one destination and
//! wait for another, a copy that is killed with SIGKILL again and again and given again, and a gateway that goes on
//! from it. How fast it is, what it needs, whether the counts are the same, and whether anything comes twice.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use hookhaven_load::gateway::{Home, Running, poll};
use hookhaven_testbed::{Cluster, ClusterOptions, Databases};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::{Bench, Figure, Figures, config, load};
use crate::process::{Server, usage};

const EVENTS: u64 = 100_000;
const KILLS: u64 = 6;
/// Until something that moves has come to its end.
const PATIENCE: Duration = Duration::from_secs(600);
const TOKEN: &str = "the-token-of-the-bench";

pub async fn run(bench: &Bench) -> Result<Figures> {
    let (done, later) = (Server::start(&["sink"]).await?, Server::start(&["sink"]).await?);
    let directory = bench.directory()?;
    let cluster = Cluster::start(ClusterOptions::default())?;
    let databases = cluster.databases();
    let destinations = [("done", format!("http://{}/", done.address)), ("later", format!("http://{}/", later.address))];
    let old = Home::new(bench.gateway.clone(), directory.path().join("old"));
    std::fs::create_dir(&old.directory)?;
    old.write_config(&config(&old.data(), &destinations))?;
    println!("copy: making {EVENTS} events with a past");
    make_past(&old, &done).await?;

    println!("copy: {KILLS} times killed");
    let killed = databases.create()?;
    let interrupted = interrupted(bench, &old, databases, &killed).await?;
    let moved = duplicates(bench, &old, directory.path(), &killed, &destinations, [&done, &later]).await?;

    println!("copy: once more, elsewhere and in one go");
    ensure!(unseal(&old).await?.terminate().await?.success(), "the old one does not stop");
    let whole = in_one_go(bench, &old, &databases.create()?).await?;

    let mut figures = Figures::default();
    figures.add(Figure::new("events a second, in one go", EVENTS as f64 / whole.seconds, "").at_least(1_000.0));
    figures.add(Figure::new("memory at most", whole.peak_bytes as f64 / 1e6, "MB").at_most(150.0));
    figures.add(Figure::new("interrupted by SIGKILL", interrupted.kills as f64, "times").at_least(3.0));
    figures.add(Figure::new("numbers that differ then", interrupted.differences as f64, "").at_most(0.0));
    figures.add(Figure::new("events there", interrupted.events as f64, "").at_least(EVENTS as f64));
    figures.add(Figure::new("delivered by the new gateway", moved.delivered as f64, "").at_least(EVENTS as f64));
    figures.add(Figure::new("deliveries that came twice", moved.twice as f64, "").at_most(0.0));
    Ok(figures)
}

/// Delivered to `done`, waiting for `later`, and stopped.
async fn make_past(old: &Home, done: &Server) -> Result<()> {
    let gateway = old.serve().await?;
    gateway.admin.post("/api/v1/destinations/later/pause", &json!({})).await?;
    let count = EVENTS.to_string();
    let report = load(gateway.ingest, "copy", &["--count", &count, "--seconds", "600"]).await?;
    ensure!(report.answered(200) == EVENTS, "not every event was acknowledged: {report:?}");
    until_pending(&gateway, EVENTS).await?;
    ensure!(done.stats().await?.distinct == EVENTS, "not everything was delivered");
    ensure!(gateway.terminate().await?.success(), "it does not stop");
    Ok(())
}

async fn until_pending(gateway: &Running, count: u64) -> Result<()> {
    let waiting = poll(PATIENCE, async || {
        let status = gateway.admin.get("/api/v1/status").await.ok()?;
        (status.pointer("/store/pending")?.as_u64()? == count).then_some(())
    });
    waiting.await.with_context(|| format!("it does not come to {count} pending deliveries"))
}

fn copy(bench: &Bench, old: &Home, url: &str) -> Command {
    let mut command = Command::new(&bench.gateway);
    command.args(["copy", "--json", "--to", url, "--from"]).arg(format!("file:{}", old.data().display()));
    // What is encrypted is kept under the token of the node to be.
    command.args(["--admin-token", "env:ADMIN_TOKEN"]).env("ADMIN_TOKEN", TOKEN);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    command
}

async fn ended(running: Child) -> Result<Value> {
    let output = running.wait_with_output().await?;
    let told: Value = serde_json::from_slice(&output.stdout).context("the copy says nothing")?;
    ensure!(output.status.success(), "the copy ended with {}: {told:#}", output.status);
    Ok(told)
}

struct Interrupted {
    kills: u64,
    differences: u64,
    events: u64,
}

/// Killed when a share of the events has gone over since the last time, wherever in a page that is.
async fn interrupted(bench: &Bench, old: &Home, databases: &Databases, url: &str) -> Result<Interrupted> {
    let gone_over = || {
        let counted = databases.sql_at(url, "SELECT count(*) FROM hookhaven.events");
        counted.ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
    };
    let mut kills = 0;
    while kills < KILLS {
        let until = gone_over() + EVENTS / (KILLS + 2);
        let mut running = copy(bench, old, url).spawn().context("the copy does not start")?;
        let far_enough = poll(PATIENCE, async || {
            let has_ended = running.try_wait().ok().flatten().is_some();
            (has_ended || gone_over() >= until).then_some(has_ended)
        });
        if far_enough.await.context("the copy does not get on")? {
            break;
        }
        running.kill().await?;
        kills += 1;
    }
    let told = ended(copy(bench, old, url).spawn()?).await?;
    let differences = told["differences"].as_array().context("no differences")?.len() as u64;
    Ok(Interrupted { kills, differences, events: told["counts"]["events"].as_u64().unwrap_or(0) })
}

struct Moved {
    delivered: u64,
    twice: u64,
}

/// A gateway on the database delivers what waited; both sinks have had everything once.
async fn duplicates(
    bench: &Bench,
    old: &Home,
    directory: &Path,
    url: &str,
    destinations: &[(&str, String)],
    [done, later]: [&Server; 2],
) -> Result<Moved> {
    let new = Home { shared: true, ..Home::new(bench.gateway.clone(), directory.join("new")) };
    std::fs::create_dir(&new.directory)?;
    std::fs::write(new.token(), TOKEN)?;
    let text = config(&old.data(), destinations);
    let text = text.replace(&format!("file:{}", old.data().display()), url);
    new.write_config(&text.replace("[server]\n", "[server]\nadmin_token = \"file:admin-token\"\n"))?;
    let gateway = new.serve().await?;
    gateway.admin.post("/api/v1/destinations/later/resume", &json!({})).await?;
    until_pending(&gateway, 0).await?;
    ensure!(gateway.terminate().await?.success(), "the new one does not stop");
    let (done, later) = (done.stats().await?, later.stats().await?);
    let twice = [&done, &later].map(|stats| stats.received - stats.distinct).iter().sum();
    Ok(Moved { delivered: later.distinct, twice })
}

async fn unseal(old: &Home) -> Result<Running> {
    old.start_with(&["--unseal"])?.listening().await
}

struct Whole {
    seconds: f64,
    peak_bytes: u64,
}

async fn in_one_go(bench: &Bench, old: &Home, url: &str) -> Result<Whole> {
    let began = Instant::now();
    let mut running = copy(bench, old, url).spawn()?;
    let mut peak_bytes = 0;
    let end = poll(PATIENCE, async || {
        peak_bytes = running.id().and_then(usage).map_or(peak_bytes, |now| now.peak_bytes.max(peak_bytes));
        running.try_wait().ok().flatten()
    });
    let Some(_) = end.await else { bail!("the copy does not end") };
    let seconds = began.elapsed().as_secs_f64();
    ended(running).await?;
    Ok(Whole { seconds, peak_bytes })
}
