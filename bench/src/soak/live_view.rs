//! The dashboard's live view in a browser for ten minutes, beside a thousand events a second: the tab holds as many nodes
//! after all of it as after one minute, and as much memory as after half of it. Debian's Chromium, driven by the script that also tests the dashboard
//! (`tests-clients/`, whose packages `cargo xtask test` installs).

use std::{path::Path, process::Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;

use crate::scenarios::{Bench, Figure, Figures, load};
use crate::{process::Server, soak::Options};

const PER_SECOND: u64 = 1_000;
/// Of what comes the view tells, or says that it left it out.
const TOLD_MIN: f64 = 0.9;
const ROWS_MAX: f64 = 200.0;
/// Texts of rows differ, and the engine goes on compiling what runs for long: some tens of kilobytes of two megabytes.
const GROWTH_MAX: f64 = 1.1;
/// The load goes on until the browser is done.
const LONGER_S: u64 = 60;

/// What the script saw.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Seen {
    after_s: u64,
    told: f64,
    rows: f64,
    heap_bytes: f64,
    nodes: f64,
    listeners: f64,
}

pub async fn run(results: &Path, options: &Options) -> Result<Figures> {
    let gateway = options.gateway.as_deref().context("name the gateway's binary: --gateway PATH")?;
    let (bench, sink) = (Bench::new(gateway, results)?, Server::start(&["sink"]).await?);
    let stage = bench.gateway(&[("sink", format!("http://{}/", sink.address))]).await?;
    let (seconds, ingest) = (options.minutes * 60, stage.gateway.ingest);
    let count = ((seconds + LONGER_S) * PER_SECOND).to_string();
    let rate = PER_SECOND.to_string();
    let open_loop = ["--per-second", &*rate, "--count", &*count];
    let seen = tokio::select! {
        report = load(ingest, "live", &open_loop) => {
            report?;
            anyhow::bail!("the browser took longer than the load");
        }
        seen = follow(&stage.gateway.admin, results, options.minutes) => seen?,
    };
    stage.gateway.terminate().await?;
    sink.end().await?;
    figures(&seen, seconds)
}

/// Runs the browser; what it saw after a minute, after half of the time and after all of it.
async fn follow(admin: &hookhaven_load::gateway::Admin, results: &Path, minutes: u64) -> Result<Vec<Seen>> {
    let tell = json!({
        "admin": format!("http://{}", admin.address),
        "token": admin.token,
        "chromium": hookhaven_testbed::chromium::chromium()?,
        "screens": results.join("screens"),
        "look_after_s": [60, (minutes * 30).max(60), minutes * 60],
    });
    let mut node = Command::new("node");
    node.args(["tests-clients/browser.mjs", "live_soak"]).env("HOOKHAVEN_STAGE", tell.to_string());
    let output = node.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true).output().await;
    let output = output.context("Node.js could not be started")?;
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    ensure!(output.status.success(), "the browser's script ended with {}", output.status);
    said.lines().filter_map(|line| line.strip_prefix("seen ")).map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn figures(seen: &[Seen], seconds: u64) -> Result<Figures> {
    let (first, last) = (seen.first().context("nothing was seen")?, seen.last().context("nothing was seen")?);
    let mut figures = Figures::default();
    for Seen { after_s, heap_bytes, nodes, .. } in seen {
        figures.add(Figure::new(format!("script's memory after {after_s} s"), heap_bytes / 1e6, "MB"));
        figures.add(Figure::new(format!("nodes after {after_s} s"), *nodes, ""));
    }
    let settled = seen.get(1).unwrap_or(first);
    let memory = last.heap_bytes / settled.heap_bytes.max(1.0);
    figures.add(Figure::new("memory, at the end to that after half of the time", memory, "").at_most(GROWTH_MAX));
    let grown = |of: fn(&Seen) -> f64| of(last) / of(first).max(1.0);
    figures.add(Figure::new("nodes, last to first", grown(|seen| seen.nodes), "").at_most(GROWTH_MAX));
    figures.add(Figure::new("listeners, last to first", grown(|seen| seen.listeners), "").at_most(1.0));
    figures.add(Figure::new("rows at the end", last.rows, "").at_most(ROWS_MAX));
    let told = last.told / seconds as f64;
    figures.add(Figure::new("told or left out", told, "/s").at_least(TOLD_MIN * PER_SECOND as f64));
    Ok(figures)
}
