//! `hookhaven copy`, the real one: killed with SIGKILL between pages and within them, and given again; then neither
//! the old side nor the new one is used by mistake.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::{Output, Stdio},
};

use hookhaven_load::gateway::poll;
use hookhaven_testbed::Databases;
use serde_json::Value;
use tokio::process::Command;

use crate::support::{
    PATIENCE,
    gateway::{Gateway, TOKEN},
    handler::Handler,
    load::Stripe,
    soon,
};

const SECRET: &str = "whsec_to_be_moved";
const EVENTS: u64 = 2_500;

/// `done` takes everything, `later` is paused before anything comes.
fn config(done: &Handler, later: &Handler) -> String {
    format!(
        "[sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\n\
         [[routes]]\nsource = \"shop\"\nto = [\"done\", \"later\"]\n\n\
         [destinations.done]\nurl = \"{}\"\n\n[destinations.later]\nurl = \"{}\"\n",
        done.url(),
        later.url()
    )
}

/// A stopped gateway with so many events, each delivered to one destination and waiting for the other.
async fn with_a_past(done: &Handler, later: &Handler) -> Gateway {
    let mut gateway = Gateway::start(&config(done, later)).await;
    let paused = gateway.ask(&["destinations", "pause", "later"]).await;
    assert!(paused.status.success(), "{paused:?}");
    let load = Stripe::new("shop", SECRET);
    load.send(gateway.ingest(), 16, EVENTS).await;
    assert_eq!(load.acknowledged().len() as u64, EVENTS);
    let pending = |status: &Value| status.pointer("/store/pending") == Some(&EVENTS.into());
    gateway.until("/api/v1/status", pending).await;
    assert!(gateway.terminate().await.success());
    gateway
}

fn copy(gateway: &Gateway, url: &str) -> Command {
    let mut command = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_hookhaven")));
    command.args(["copy", "--json", "--to", url, "--from"]).arg(format!("file:{}", gateway.data().display()));
    // What is encrypted is kept under the token of the node to be.
    let token = gateway.directory().join("token-of-nodes");
    std::fs::write(&token, TOKEN).expect("the token can be written");
    command.arg("--admin-token").arg(format!("file:{}", token.display()));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn ended(mut command: Command) -> Output {
    soon("the end of the copy", command.output()).await.expect("the binary runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Rows of a table of the new store; 0 before there is one.
fn rows(databases: &Databases, url: &str, table: &str) -> u64 {
    let counted = databases.sql_at(url, &format!("SELECT count(*) FROM hookhaven.{table}"));
    counted.ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_killed_again_and_again_ends_with_everything_once() {
    let databases = hookhaven_testbed::shared().expect("a server");
    let url = databases.create().expect("a database");
    let (done, later) = (Handler::answering(200).await, Handler::answering(200).await);
    let mut gateway = with_a_past(&done, &later).await;

    let mut kills = 0;
    while kills < 4 {
        let before = rows(databases, &url, "events");
        let mut running = copy(&gateway, &url).spawn().expect("the binary runs");
        let further = poll(PATIENCE, async || {
            let gone = running.try_wait().expect("a process of ours").is_some();
            (gone || rows(databases, &url, "events") > before).then_some(gone)
        });
        if further.await.unwrap_or_else(|| panic!("it does not get any further")) {
            break;
        }
        // Wherever in a next page that is: it took us a while to see.
        running.kill().await.expect("a process of ours can be killed");
        kills += 1;
    }
    assert!(kills >= 2, "{kills} kills");

    // Until it has ended, neither side serves.
    let refused = gateway.cli(&["serve"]).await;
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let output = ended(copy(&gateway, &url)).await;
    assert!(output.status.success(), "{}", said(&output));
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    assert_eq!((&told["state"], &told["differences"]), (&"ended".into(), &serde_json::json!([])), "{told}");
    for (what, count) in [("events", EVENTS), ("pending", EVENTS), ("delivered", EVENTS), ("keys", EVENTS)] {
        assert_eq!(told["counts"][what], count, "{what}");
    }
    // The catalog: who is paused, who paused it, the signing keys, the key of fingerprints, when the one secret was
    // used, and the mark of the gateway's start; and figures of as many minutes as it took.
    let figures = rows(databases, &url, "catalog WHERE kind LIKE 'stats-%'");
    assert!(figures > 0);
    assert_eq!(told["counts"]["catalog"], 6 + figures);
    for (table, count) in [("events", EVENTS), ("live", EVENTS), ("ended", EVENTS), ("attempts", EVENTS)] {
        assert_eq!(rows(databases, &url, table), count, "{table}");
    }
    let again = ended(copy(&gateway, &url)).await;
    assert!(again.status.success(), "{}", said(&again));
    assert!(String::from_utf8_lossy(&again.stdout).contains("ended_before"), "{again:?}");

    // What waited goes on there, once each; what was done stays done, and what was known is known.
    let mut node = Gateway::node(&url, "all", &config(&done, &later));
    node.serve().await;
    let resumed = node.ask(&["destinations", "resume", "later", "--token", node.admin().token.as_str()]).await;
    assert!(resumed.status.success(), "it was not paused: {resumed:?}");
    node.until_drained().await;
    let load = Stripe::new("shop", SECRET);
    load.send(node.ingest(), 16, EVENTS).await;
    assert_eq!(load.acknowledged().len() as u64, EVENTS);
    node.until_drained().await;
    assert_eq!(rows(databases, &url, "events"), EVENTS, "all of them were duplicates");
    for (name, handler) in [("done", &done), ("later", &later)] {
        let received = handler.received();
        let ids: BTreeSet<_> = received.iter().map(|one| one.header("webhook-id").to_owned()).collect();
        assert_eq!((received.len() as u64, ids.len() as u64), (EVENTS, EVENTS), "at {name}");
    }
    assert!(node.terminate().await.success());

    let refused = gateway.cli(&["serve"]).await;
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(said(&refused).contains("is sealed") && said(&refused).contains("--unseal"), "{refused:?}");
    gateway.unseal().await;
    assert_eq!(gateway.get("/api/v1/status").await.pointer("/store/pending"), Some(&EVENTS.into()));
    gateway.until_logged("the seal is broken").await;
    gateway.terminate().await;
}

#[tokio::test]
async fn what_cannot_be_copied_is_refused_in_words() {
    let gateway = Gateway::start("").await;
    let url = hookhaven_testbed::shared().and_then(Databases::create).expect("a database");
    let output = ended(copy(&gateway, &url)).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("stop it first"), "{output:?}");
    for (to, code, wanted) in [
        ("postgres://nobody@127.0.0.1:9/none", 1, "PostgreSQL"),
        ("mysql://somewhere", 2, "postgres://user@host/database"),
        ("env:HOOKHAVEN_NO_SUCH", 2, "HOOKHAVEN_NO_SUCH"),
    ] {
        let directory = tempfile::TempDir::new().expect("a directory");
        let mut command = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_hookhaven")));
        command.args(["copy", "--to", to, "--from"]).arg(format!("file:{}", directory.path().display()));
        let output = ended(command).await;
        assert_eq!(output.status.code(), Some(code), "{to}: {output:?}");
        let known = said(&output).contains(wanted) || said(&output).contains("is no Hookhaven data directory");
        assert!(known, "{to}: {output:?}");
    }
}
