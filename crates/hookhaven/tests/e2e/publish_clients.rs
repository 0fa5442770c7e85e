//! QStash's own clients, unchanged, against the real binary: the scripts in `tests-clients/` call every method that
//! the clients have, with destinations of their own on loopback.
//!
//! Not here: what is checked. Each script prints a line a check.

use std::{process::Output, time::Duration};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{
    dev::{Dev, lines, value},
    gateway::Gateway,
    output::well,
    publisher::{CONFIG, TOKEN},
    script::script,
};

const READ_TOKEN: &str = "a-token-that-only-reads-0123456789";

/// How long a whole script may take: some ten seconds, on a machine that does nothing else.
const SCRIPT_PATIENCE: Duration = Duration::from_secs(300);

/// Every check must have held; what failed is told last, after the gateway's log.
async fn passes(mut command: Command, log: impl FnOnce() -> String) {
    let ran = tokio::time::timeout(SCRIPT_PATIENCE, command.output()).await;
    let Output { status, stdout, stderr } =
        ran.expect("the script ends").expect("its program runs: cargo xtask test installs it");
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let told: Vec<&str> = out.lines().filter(|line| !line.starts_with("ok ")).collect();
    assert!(status.success(), "{}\n{err}\n{status}\n{}", log(), told.join("\n"));
    assert!(out.contains(" checks passed, 0 failed"), "{out}");
}

/// As a user of the client sets it up: four variables.
async fn with_keys(command: &mut Command, gateway: &Gateway) {
    let arguments = ["keys", "show", "--json"];
    let keys: Value = serde_json::from_str(&well(&arguments, gateway.ask(&arguments).await)).expect("JSON");
    let key = |which: &str| keys[which].as_str().unwrap_or_else(|| panic!("no {which} key in {keys}")).to_owned();
    command
        .env("QSTASH_URL", format!("http://{}", gateway.ingest()))
        .env("QSTASH_TOKEN", TOKEN)
        .env("QSTASH_CURRENT_SIGNING_KEY", key("current"))
        .env("QSTASH_NEXT_SIGNING_KEY", key("next"))
        .env("READ_TOKEN", READ_TOKEN);
}

fn config() -> String {
    CONFIG.replace("[publish]\n", &format!("[publish]\nread_tokens = [\"{READ_TOKEN}\"]\n"))
}

async fn run(program: &str, name: &str) {
    run_on(&Gateway::start(&config()).await, program, name).await;
}

async fn run_on(gateway: &Gateway, program: &str, name: &str) {
    let mut command = script(program, name);
    with_keys(&mut command, gateway).await;
    passes(command, || gateway.log()).await;
}

#[tokio::test]
async fn every_method_of_the_client_for_javascript() {
    run("node", "qstash.mjs").await;
}

#[tokio::test]
async fn every_method_of_the_clients_for_python() {
    run(".venv/bin/python", "qstash_client.py").await;
}

#[tokio::test]
async fn every_method_on_postgres() {
    let databases = hookhaven_testbed::shared().unwrap_or_else(|error| panic!("{error:#}"));
    for (program, name) in [("node", "qstash.mjs"), (".venv/bin/python", "qstash_client.py")] {
        let database = databases.create().unwrap_or_else(|error| panic!("{error:#}"));
        let mut node = Gateway::node(&database, "all", &config());
        node.serve().await;
        run_on(&node, program, name).await;
    }
}

#[tokio::test]
async fn a_project_in_development_mode_works_unchanged() {
    let directory = TempDir::new().expect("a directory");
    let dev = Dev::start(directory.path()).await;
    let printed = lines(&dev.printed);
    let url = value(&printed, "QSTASH_URL");
    let port = url.rsplit(':').next().expect("a port");
    let mut command = script("node", "qstash_dev.mjs");
    command.env("QSTASH_DEV", "true").env("QSTASH_DEV_PORT", port);
    passes(command, || dev.printed.clone()).await;
}
