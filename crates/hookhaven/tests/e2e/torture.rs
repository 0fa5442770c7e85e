//! `hookhaven torture` itself: it ends with a verdict that holds on this gateway, and finds out one that marks
//! keys before the commit. A store that skips its syncs is found out where power can be cut: in the store's
//! own tests (`crash`).

use std::{path::PathBuf, process::Stdio, sync::Arc};

use hookhaven::{
    app::{Gateway, Outside},
    cli::client::Client,
    config::{self, Environment, Origin},
    torture::{Verdict, field::Field},
};
use hookhaven_store::{
    Store,
    clock::{Clock, OsEntropy, SystemClock},
    memory::MemoryStore,
};
use hookhaven_testbed::{Cluster, ClusterOptions};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{io::AsyncReadExt as _, process::Command};

use crate::support::{chance::Chance, marks_first::MarksFirst, soon};

/// The real binary, so many kills.
fn torture(directory: &TempDir, seed: u64, kills: u64) -> Command {
    let mut command = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_hookhaven")));
    command.args(["torture", "--json", "--seed", &seed.to_string(), "--kills", &kills.to_string(), "--data"]);
    command.arg(directory.path()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn is_empty(directory: &TempDir) -> bool {
    std::fs::read_dir(directory.path()).expect("it is there").next().is_none()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_run_ends_with_a_verdict_that_holds() {
    let (seed, _) = Chance::new();
    let directory = TempDir::new().expect("a directory");
    // As long as its own bounds let it take: it ends by itself.
    let output = torture(&directory, seed, 6).output().await.expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "seed {seed}: {said}");
    let verdict: Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    let number = |pointer: &str| verdict.pointer(pointer).and_then(Value::as_u64);
    assert_eq!(verdict["holds"], true, "{verdict:#}");
    assert_eq!(
        (number("/lost/count"), number("/misjudged/count"), number("/strange/count")),
        (Some(0), Some(0), Some(0))
    );
    assert_eq!((number("/events_per_key_least"), number("/events_per_key_most")), (Some(1), Some(1)));
    assert_eq!(number("/acknowledged"), number("/delivered"));
    assert!(number("/acknowledged") > Some(50), "{verdict:#}");
    let kills = ["under_load", "at_start_up", "at_segment_roll"].map(|when| number(&format!("/kills/{when}")));
    assert_eq!(kills.into_iter().flatten().sum::<u64>(), 6);
    assert!(is_empty(&directory), "seed {seed}: it left something behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_interrupted_leaves_nothing_behind() {
    let directory = TempDir::new().expect("a directory");
    let mut running = torture(&directory, 1, 1_000_000).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut said = running.stderr.take().expect("piped");
    let mut first = [0; 4];
    soon("its first line", said.read_exact(&mut first)).await.expect("it says its seed");
    let pid = running.id().expect("it runs").to_string();
    Command::new("kill").args(["-s", "INT", &pid]).status().await.expect("a signal can be sent");
    assert_eq!(soon("its end", running.wait()).await.expect("it ends").code(), Some(1));
    assert!(is_empty(&directory));
}

/// A gateway in this process on a store of the test's; torture's own senders, handlers and ledger around it.
async fn verdict_on(seed: u64, store: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>) -> Verdict {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let field = Field::start(seed, clock.clone()).await.expect("handlers listen");
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("hookhaven.toml");
    std::fs::write(&file, field.config("memory:")).expect("the config file can be written");
    let environment = Environment::default();
    let loaded = config::load(Origin { file: Some(file), ..Default::default() }, &environment);
    let loaded = loaded.unwrap_or_else(|refused| panic!("{refused}"));
    let inner = Arc::new(MemoryStore::with_pending_max(clock.clone(), Arc::new(OsEntropy), 100_000));
    let outside =
        Outside { environment, clock, entropy: Arc::new(OsEntropy), egress: None, log_lines_dropped: Arc::default() };
    let gateway = Gateway::start_on(loaded, outside, store(inner)).await.expect("the gateway starts");

    field.aim(gateway.ingest_addr);
    let mut acknowledged = field.acknowledged();
    soon("some load", acknowledged.wait_for(|count| *count >= 300)).await.expect("the ledger lives");
    let api = Client::remote(&format!("http://{}", gateway.admin_addr), Some(gateway.admin_token.clone()));
    let verdict = field.settle(&api.expect("an address"), &|_| ()).await.expect("the API answers");
    gateway.stop().await;
    verdict
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_marks_keys_before_the_commit_is_found_out() {
    let (seed, _) = Chance::new();
    let sound = verdict_on(seed, |inner| inner).await;
    assert_eq!(sound.breaches(), Vec::<String>::new(), "seed {seed}: without the mistake all is well");

    let mut mistaken = None;
    let verdict = verdict_on(seed, |inner| mistaken.insert(Arc::new(MarksFirst::over(inner, 25))).clone()).await;
    let deaths = mistaken.expect("it was made").deaths();
    assert!(deaths > 5, "seed {seed}: {deaths}");
    assert_eq!(verdict.lost.count, deaths, "seed {seed}: each death lost the event it had marked");
    assert_eq!(verdict.events_per_key_least, 0);
    let told = verdict.breaches();
    assert!(told[0].starts_with("lost: unknown to the gateway (number "), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_on_postgres_are_killed_and_their_database_crashed_and_the_verdict_holds() {
    let (seed, _) = Chance::new();
    let directory = TempDir::new().expect("a directory");
    let cluster = Cluster::start(ClusterOptions::default()).expect("a server").kept_up();
    let url = cluster.databases().create().expect("a database");
    let run = |kills| {
        let mut command = torture(&directory, seed, kills);
        command.args(["--store", &url, "--store-restart", &cluster.crash()]);
        command
    };
    let output = run(8).output().await.expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "seed {seed}: {said}");
    let verdict: Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    let number = |pointer: &str| verdict.pointer(pointer).and_then(Value::as_u64);
    assert_eq!(verdict["holds"], true, "{verdict:#}");
    assert_eq!((number("/lost/count"), number("/strange/count")), (Some(0), Some(0)), "{verdict:#}");
    assert_eq!((number("/events_per_key_least"), number("/events_per_key_most")), (Some(1), Some(1)));
    assert_eq!(number("/acknowledged"), number("/delivered"), "{verdict:#}");
    let kills = ["under_load", "at_start_up", "of_workers", "of_store"].map(|when| number(&format!("/kills/{when}")));
    assert_eq!(kills.into_iter().flatten().sum::<u64>(), 8);
    assert!(is_empty(&directory), "seed {seed}: it left something behind");

    // What it left in the database is somebody's, for all that it knows.
    let output = run(1).output().await.expect("the binary runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("DROP SCHEMA hookhaven"), "{output:?}");
}
