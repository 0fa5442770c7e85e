//! PostgreSQL stopped without a chance to tidy up, and started again: nodes say so, and go on by themselves.

use std::process::Stdio;

use hookhaven_testbed::{Cluster, ClusterOptions};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use super::*;
use crate::support::load::stripe_headers;

const COUNT: u64 = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_may_crash_and_come_back_and_nothing_has_to_be_restarted() {
    let mut cluster = Cluster::start(ClusterOptions::default()).unwrap_or_else(|error| panic!("{error:#}"));
    let database = cluster.databases().create().unwrap_or_else(|error| panic!("{error:#}"));
    let handler = Handler::answering(200).await;
    let config = config(&handler, "concurrency = 64");
    let [first, second, worker] = nodes(&database, ["ingest", "ingest", "worker"], &config).await;
    let pids = [first.pid(), second.pid(), worker.pid()];
    let sender = sender(&[&first, &second], COUNT);
    let sending = tokio::spawn(sender.clone().send());
    until_acknowledged(&sender, COUNT / 4).await;

    tokio::task::block_in_place(|| cluster.stop_immediate()).expect("it can be stopped");
    let body = b"{\"id\":\"evt_while_away\",\"type\":\"x\"}";
    let answer = first.post("/webhooks/shop", &stripe_headers(SECRET, body), body).await;
    assert_eq!(answer.status, 503);
    let again: u64 = answer.header("retry-after").and_then(|s| s.parse().ok()).expect("when to come again");
    assert!((1..=60).contains(&again), "{again}");
    let ready = first.admin().send("GET", "/readyz", b"").await.expect("an answer");
    assert_eq!(ready.status, 503, "{}", String::from_utf8_lossy(&ready.body));
    tokio::task::block_in_place(|| cluster.start_again()).expect("it starts again");

    soon("the sender's end", sending).await.expect("the sender does not panic");
    all_stored_once_and_delivered(&first, &handler, COUNT).await;
    assert!(sender.failed() > 0 && sender.rude() == 0, "{} failed, {} rude", sender.failed(), sender.rude());
    assert_eq!(pids, [first.pid(), second.pid(), worker.pid()]);
    for mut node in [first, second, worker] {
        assert!(node.terminate().await.success());
    }
}

#[tokio::test]
async fn a_node_that_waits_for_the_database_says_so_once_and_can_be_stopped() {
    let handler = Handler::answering(200).await;
    let nowhere = "postgres://hookhaven@127.0.0.1:1/db?sslmode=disable";
    let node = Gateway::node(nowhere, "all", &config(&handler, ""));
    let mut serve = Command::new(env!("CARGO_BIN_EXE_hookhaven"));
    serve.arg("serve").arg("--config").arg(node.config()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = serve.spawn().expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let mut log = lines.next_line().await.expect("a line").expect("it waits");
    assert!(log.contains("trying again"), "{log}");
    let pid = child.id().expect("it runs").to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().await.expect("kill runs").success());
    while let Some(line) = lines.next_line().await.expect("a line") {
        log += &line;
    }
    assert!(child.wait().await.expect("it ends").success());
    assert_eq!(log.matches("cannot be reached").count(), 1, "{log}");
    assert!(log.contains("stopped before it had started"), "{log}");
}
