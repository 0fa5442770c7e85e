//! From a team's answers to events in its handlers: the worked intake in an empty directory, by what the command says next.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    newcomer::{Shell, port},
    support::{
        handler::Handler,
        output::{failed, items},
    },
};

const WORKED: &str = include_str!("../../../hookhaven-architect/tests/intakes/worked.toml");
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The worked intake with its handlers at this address, and as few events as a test has time for.
fn small(handlers: &str) -> String {
    let text = WORKED
        .replace("per_day = 5000, peak_day = 20000", "per_day = 50, peak_day = 200")
        .replace("per_day = 500 }", "per_day = 20 }")
        .replace("per_day = 1000 }", "per_day = 30 }");
    let text = text.replace("hosting =", &format!("handler_url = \"{handlers}\"\nhosting ="));
    assert!(text.contains(handlers) && text.contains("peak_day = 200 }"), "{text}");
    text
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut next = vec![directory.to_owned()];
    while let Some(at) = next.pop() {
        for entry in fs::read_dir(at).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                next.push(path);
            } else {
                let name = path.strip_prefix(directory).expect("below it").display().to_string();
                all.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    all
}

/// What stands in `.env.example`, by name.
fn variables(text: &str) -> Vec<String> {
    let names = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    names.map(|(name, _)| name.to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_teams_answers_to_its_busiest_hour_in_its_handlers() {
    let handler = Handler::answering(200).await;
    let mut shell = Shell { directory: TempDir::new().expect("a directory"), variables: Vec::new() };
    let at = shell.directory.path().to_owned();
    let handlers = handler.url();
    fs::write(at.join("mine.toml"), small(handlers.trim_end_matches("/hook"))).expect("an intake");
    let said = shell.says(&["architect", "mine.toml", "--out", "hooks"]).await;
    for part in
        ["several senders", "embedded", "hookhaven.toml, .env.example", "hookhaven check --config hooks/hookhaven.toml"]
    {
        assert!(said.contains(part), "{part}\n{said}");
    }
    shell.says(&["architect", "mine.toml", "--out", "again"]).await;
    assert_eq!(files(&at.join("hooks")), files(&at.join("again")), "the same answers, the same bytes");

    let config = at.join("hooks/hookhaven.toml");
    let check = ["check", "--offline", "--config", "hooks/hookhaven.toml"];
    let unset = shell.run(&check).await;
    failed(&unset, 2);
    let unset = String::from_utf8(unset.stdout).expect("UTF-8");
    for name in variables(&fs::read_to_string(at.join("hooks/.env.example")).expect("it was written")) {
        assert!(unset.contains(&name), "{name}\n{unset}");
        shell.variables.push((name, SECRET.to_owned()));
    }
    let text = fs::read_to_string(&config).expect("it was written");
    let text = text.replace("127.0.0.1:8080", &format!("127.0.0.1:{}", port()));
    fs::write(&config, text.replace("127.0.0.1:8081", &format!("127.0.0.1:{}", port()))).expect("it can be edited");
    let checked = shell.says(&check).await;
    assert!(checked.contains("fine (3 sources, 3 destinations, 6 routes)"), "{checked}");

    let _gateway = shell.serve(&["--config", "hooks/hookhaven.toml"]).await;
    let profile = [
        "trigger",
        "--config",
        "hooks/hookhaven.toml",
        "--profile",
        "hooks/intake.toml",
        "--for",
        "1s",
        "--burst",
        "0x",
    ];
    let report: Value = shell.json(&[&profile[..], &["--json"]].concat()).await;
    let sent = usize::try_from(report["sent"].as_u64().expect("a number")).expect("few");
    assert!(sent >= 50 && report["accepted"] == report["sent"], "{report:#}");
    handler.until(sent).await;
    let received = handler.received();
    let ids: BTreeSet<&str> = received.iter().map(|attempt| attempt.header("webhook-id")).collect();
    assert_eq!(ids.len(), sent, "each once, and none missing");
    for source in ["stripe", "github", "slack"] {
        let of = received.iter().filter(|attempt| attempt.header("hookhaven-source") == source);
        assert!(
            of.clone().count() > 0 && of.clone().all(|attempt| attempt.path == format!("/webhooks/{source}")),
            "{source}"
        );
    }
    let dead = shell.json(&["dlq", "list", "--config", "hooks/hookhaven.toml", "--json"]).await;
    assert!(items(&dead).is_empty(), "{dead:#}");
}

#[tokio::test]
async fn without_a_terminal_what_is_missing_is_listed_and_a_mistake_is_named() {
    let shell = Shell { directory: TempDir::new().expect("a directory"), variables: Vec::new() };
    let at = shell.directory.path().to_owned();
    let missing = failed(&shell.run(&["architect", "--out", "hooks"]).await, 2);
    assert!(
        missing.contains("4 answers are missing") && missing.contains("senders = [\"stripe\", \"github\"]"),
        "{missing}"
    );
    fs::write(at.join("mine.toml"), WORKED.replace("[latency]", "[latancy]")).expect("an intake");
    let wrong = failed(&shell.run(&["architect", "mine.toml", "--out", "hooks"]).await, 2);
    assert!(wrong.contains("mine.toml:30:2: latancy: unknown key; did you mean \"latency\"?"), "{wrong}");
    failed(&shell.run(&["architect", "mine.toml"]).await, 2);
    assert!(!at.join("hooks").exists(), "nothing was written");
    let example = shell.says(&["architect", "--example"]).await;
    fs::write(at.join("example.toml"), example).expect("an intake");
    let explained = shell.says(&["architect", "example.toml", "--explain"]).await;
    assert!(explained.contains("Choices") && !at.join("hooks").exists(), "{explained}");
}
