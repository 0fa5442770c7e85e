//! The scenarios, and what they share: a gateway in a fresh directory, a sink, a load.
//!
//! A scenario is one file and one line in `SCENARIOS`. Whatever it compares, it measures in turns within
//! one run, so that a machine that is busy for a while is busy for both sides.

mod backlog;
mod burst;
mod closed;
mod copy;
mod dashboard;
mod figures;
mod isolation;
mod jobs;
mod keys;
mod nodes;
mod operate;
mod postgres;
mod profile;
mod publish;
mod sides;
mod steady;
mod sustained;

use std::{
    fs,
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
};

use anyhow::{Context as _, Result, bail};
use hookhaven_load::{
    gateway::{Home, Running},
    load::Report,
};
use tempfile::TempDir;

pub use figures::{Figure, Figures};

use crate::process;

type Scenario = for<'a> fn(&'a Bench) -> Pin<Box<dyn Future<Output = Result<Figures>> + 'a>>;

const SCENARIOS: &[(&str, Scenario)] = &[
    ("closed", |bench| Box::pin(closed::run(bench))),
    ("steady", |bench| Box::pin(steady::run(bench))),
    ("sustained", |bench| Box::pin(sustained::run(bench))),
    ("burst", |bench| Box::pin(burst::run(bench))),
    ("isolation", |bench| Box::pin(isolation::run(bench))),
    ("backlog", |bench| Box::pin(backlog::run(bench))),
    ("nodes", |bench| Box::pin(nodes::run(bench))),
    ("postgres", |bench| Box::pin(postgres::run(bench))),
    ("publish", |bench| Box::pin(publish::run(bench))),
    ("keys", |bench| Box::pin(keys::run(bench))),
    ("copy", |bench| Box::pin(copy::run(bench))),
    ("operate", |bench| Box::pin(operate::run(bench))),
    ("jobs", |bench| Box::pin(jobs::run(bench))),
    ("dashboard", |bench| Box::pin(dashboard::run(bench))),
    ("profile", |bench| Box::pin(profile::run(bench))),
];

pub const SECRET: &str = "whsec_only_for_the_bench";
/// Opens the publishing API of a bench's gateway.
const TOKEN: &str = "a-token-only-for-the-bench";
const PATH: &str = "/webhooks/stripe";
const RESULTS: &str = "target/bench";

/// Runs the named scenarios, or all; prints a table of each and writes its figures to `target/bench/`.
pub async fn run(gateway: PathBuf, names: &[String]) -> Result<()> {
    if let Some(name) = names.iter().find(|name| SCENARIOS.iter().all(|(known, _)| known != *name)) {
        let known: Vec<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
        bail!("there is no scenario {name:?}; there are {}", known.join(", "));
    }
    let results = PathBuf::from(RESULTS);
    fs::create_dir_all(&results)?;
    let bench = Bench::new(&gateway, &results)?;
    for (name, scenario) in SCENARIOS.iter().filter(|(name, _)| names.is_empty() || names.iter().any(|n| n == name)) {
        let figures = scenario(&bench).await.with_context(|| format!("scenario {name}"))?;
        println!("\n{name}\n{figures}");
        fs::write(bench.results.join(name).with_extension("json"), serde_json::to_vec_pretty(&figures)?)?;
    }
    Ok(())
}

/// What scenarios are run with.
#[derive(Debug)]
pub struct Bench {
    gateway: PathBuf,
    /// On the disk that is measured, under the build's directory.
    results: PathBuf,
}

/// A running gateway with its directory, which goes when this does.
pub struct Stage {
    pub gateway: Running,
    _directory: TempDir,
}

impl Bench {
    /// With a directory for what runs leave.
    pub fn new(gateway: &Path, results: &Path) -> Result<Self> {
        let gateway = fs::canonicalize(gateway).with_context(|| format!("no gateway at {}", gateway.display()))?;
        Ok(Bench { gateway, results: fs::canonicalize(results)? })
    }

    pub fn directory(&self) -> Result<TempDir> {
        Ok(tempfile::Builder::new().prefix("run-").tempdir_in(&self.results)?)
    }

    /// A gateway with a fresh store and one source, whose events go to these destinations.
    pub async fn gateway(&self, destinations: &[(&str, String)]) -> Result<Stage> {
        let directory = self.directory()?;
        let home = Home::new(self.gateway.clone(), directory.path().to_owned());
        home.write_config(&config(&home.data(), destinations))?;
        Ok(Stage { gateway: home.serve().await?, _directory: directory })
    }
}

fn config(data: &Path, destinations: &[(&str, String)]) -> String {
    let names: Vec<String> = destinations.iter().map(|(name, _)| format!("{name:?}")).collect();
    let tables = destinations.iter().map(|(name, url)| {
        format!("[destinations.{name}]\nurl = {url:?}\nconcurrency = 64\nsecret = \"whsec_b25seSBmb3IgdGhlIGJlbmNoLCAyNCBieXRlcw==\"\n\n")
    });
    format!(
        "[server]\ningest = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\n[store]\nurl = \"file:{}\"\n\n\
         [publish]\ntokens = [{TOKEN:?}]\n\n[net]\nallow = [\"127.0.0.1\"]\n\n\
         [sources.stripe]\nsender = \"stripe\"\nsecrets = [{SECRET:?}]\n\n{}[[routes]]\nsource = \"stripe\"\nto = [{}]\n",
        data.display(),
        tables.collect::<String>(),
        names.join(", "),
    )
}

/// A load of Stripe events on an address; `run` keeps its events apart from other loads'.
pub async fn load(to: std::net::SocketAddr, run: &str, more: &[&str]) -> Result<Report> {
    let to = to.to_string();
    process::load(&[&["--to", &to, "--path", PATH, "--secret", SECRET, "--run", run], more].concat()).await
}

/// The middle of some measurements; of an even number the lower one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![5.0, 1.0, 3.0]), 3.0);
        assert_eq!(median(vec![4.0, 1.0]), 1.0);
        assert!(median(Vec::new()).is_nan());
    }
}
