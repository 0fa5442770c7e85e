//! What a start makes for those who publish, and says once: token and signing keys; and the development
//! server, which brings those that everybody knows.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Output, Stdio},
};

use hookhaven_load::gateway::poll;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    PATIENCE,
    dev::{Dev, TOKEN, command, lines, value},
    gateway::Gateway,
    output::well,
    soon,
};

const KEY: &str = "sig_0123456789abcdefghijklmnopqr";

async fn said(gateway: &Gateway, arguments: &[&str]) -> String {
    well(arguments, gateway.ask(arguments).await)
}

#[tokio::test]
async fn a_token_and_keys_are_made_and_printed_once() {
    let mut gateway = Gateway::start("").await;
    // Printed after it listens.
    let printed = poll(PATIENCE, async || Some(lines(&gateway.printed())).filter(|lines| lines.len() == 4));
    let printed = printed.await.unwrap_or_else(|| panic!("{}", gateway.log()));
    assert_eq!(value(&printed, "QSTASH_URL"), "https://hooks.example.test");

    let file = gateway.data().join("publish-token");
    let kept = std::fs::read_to_string(&file).expect("the token's file");
    assert_eq!(kept.trim(), value(&printed, "QSTASH_TOKEN"));
    assert_eq!(file.metadata().expect("its mode").permissions().mode() & 0o777, 0o600);
    let admin = std::fs::read_to_string(gateway.data().join("admin-token")).expect("the admin token's file");
    assert_ne!(admin, kept);

    assert_eq!(lines(&said(&gateway, &["keys", "show"]).await), printed[2..]);
    let next = value(&printed, "QSTASH_NEXT_SIGNING_KEY");
    assert!(next.len() == 32 && next.starts_with("sig_"), "{next}");
    let rotated = lines(&said(&gateway, &["keys", "rotate"]).await);
    assert_eq!(value(&rotated, "QSTASH_CURRENT_SIGNING_KEY"), next);

    // Killed, not stopped: what was printed had been stored.
    gateway.restart().await;
    assert_eq!(lines(&said(&gateway, &["keys", "show"]).await), rotated);
    assert_eq!(std::fs::read_to_string(&file).expect("the token's file"), kept);
    assert!(gateway.terminate().await.success());
    assert_eq!(lines(&gateway.printed()), printed, "nothing is printed a second time");
    let secrets =
        ["QSTASH_TOKEN", "QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY"].map(|name| value(&printed, name));
    assert!(secrets.iter().all(|secret| !gateway.log().contains(secret)), "{}", gateway.log());
    // A stopped gateway's keys are known, too.
    let offline = well(&["keys", "show"], gateway.cli(&["keys", "show"]).await);
    assert_eq!(lines(&offline), rotated);
}

#[tokio::test]
async fn what_the_configuration_gives_is_neither_made_nor_printed() {
    let config =
        format!("[publish]\ntokens = [\"{TOKEN}\"]\ncurrent_signing_key = \"{KEY}\"\nnext_signing_key = \"{KEY}2\"\n");
    let gateway = Gateway::start(&config).await;
    let shown: Value = serde_json::from_str(&said(&gateway, &["keys", "show", "--json"]).await).expect("JSON");
    assert_eq!((&shown["current"], &shown["configured"]), (&Value::from(KEY), &Value::from(true)));
    let rotate = gateway.ask(&["keys", "rotate"]).await;
    let why = String::from_utf8_lossy(&rotate.stderr).into_owned();
    assert!(rotate.status.code() == Some(1) && why.contains("the configuration gives the signing keys"), "{why}");
    assert!(!gateway.data().join("publish-token").exists());
    let said = gateway.log() + &gateway.printed();
    assert!(lines(&said).is_empty() && !said.contains(TOKEN) && !said.contains(KEY), "{said}");
}

#[tokio::test]
async fn on_a_shared_store_nobody_publishes_until_a_token_is_given() {
    let databases = hookhaven_testbed::shared().unwrap_or_else(|error| panic!("{error:#}"));
    let database = databases.create().unwrap_or_else(|error| panic!("{error:#}"));
    let mut nodes = [(); 2].map(|()| Gateway::node(&database, "all", ""));
    let [one, two] = &mut nodes;
    // At once: both may find no keys, and both make some.
    tokio::join!(one.serve(), two.serve());
    let off = |gateway: &Gateway| gateway.log().lines().filter(|line| line.contains("nobody may publish")).count();
    let told = poll(PATIENCE, async || (off(one) == 1 && off(two) == 1).then_some(()));
    told.await.unwrap_or_else(|| panic!("{}", one.log()));
    assert!(one.printed().is_empty() && two.printed().is_empty());

    let shown = said(one, &["keys", "show"]).await;
    assert_eq!(said(two, &["keys", "show"]).await, shown);
    let rotated = said(two, &["keys", "rotate"]).await;
    assert_eq!(lines(&said(one, &["keys", "show"]).await), lines(&rotated));
}

#[tokio::test]
async fn the_development_server_has_the_credentials_that_everybody_knows_and_keeps_nothing() {
    let directory = TempDir::new().expect("a directory");
    let dev = Dev::start(directory.path()).await;
    let lines = lines(&dev.printed);
    assert_eq!(
        value(&lines, "QSTASH_TOKEN"),
        "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0="
    );
    assert_eq!(value(&lines, "QSTASH_CURRENT_SIGNING_KEY"), "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r");
    assert_eq!(value(&lines, "QSTASH_NEXT_SIGNING_KEY"), "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs");
    assert!(value(&lines, "QSTASH_URL").starts_with("http://127.0.0.1:"), "{lines:?}");
    assert!(dev.printed.contains("nothing is kept"), "{}", dev.printed);
    assert!(!dev.printed.contains(TOKEN));
    drop(dev);
    let left = std::fs::read_dir(directory.path()).expect("a directory of our own").count();
    assert_eq!(left, 0, "it left something behind");
}

async fn refused(directory: &Path, arguments: &[&str]) -> String {
    let output: Output =
        soon("its end", command(directory, arguments).stdin(Stdio::null()).output()).await.expect("it runs");
    assert_eq!((output.status.code(), &*output.stdout), (Some(2), &b""[..]));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn the_development_server_is_refused_where_others_could_reach_it() {
    let directory = TempDir::new().expect("a directory");
    let said = refused(directory.path(), &["--data", "data"]).await;
    assert!(said.starts_with("--data: --dev keeps nothing"), "{said}");
    let config = "[server]\ningest = \"0.0.0.0:0\"\n[publish]\ntokens = [\"mine\"]\n";
    std::fs::write(directory.path().join("hookhaven.toml"), config).expect("a file of our own");
    let said = refused(directory.path(), &[]).await;
    for line in
        ["hookhaven.toml:2:10: server.ingest: --dev listens on loopback only", "publish.tokens: --dev brings its own"]
    {
        assert!(said.contains(line), "no {line} in\n{said}");
    }
}
