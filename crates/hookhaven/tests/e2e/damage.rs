//! A damaged journal under the real binary: told by `doctor`, survived by the gateway, and the delivery
//! whose event is lost ends where a person sees it.

use std::{collections::BTreeSet, fs, os::unix::fs::FileExt};

use serde_json::Value;

use crate::support::{gateway::Gateway, handler::Handler};

fn config(handler: &Handler) -> String {
    format!(
        "[sources.plain]\nsender = \"unverified\"\nallow = [\"127.0.0.1\"]\n\n\
         [destinations.billing]\nurl = \"{}\"\n\n[[routes]]\nsource = \"plain\"\nto = [\"billing\"]\n",
        handler.url()
    )
}

async fn accept(gateway: &Gateway, body: &str) {
    let json = [("content-type".to_owned(), "application/json".to_owned())];
    assert_eq!(gateway.post("/webhooks/plain", &json, body.as_bytes()).await.status, 200);
}

/// Inverts a byte in the middle of the one place where the journal holds this.
fn damage(gateway: &Gateway, text: &str) {
    let path = gateway.data().join("journal/00000001.seg");
    let bytes = fs::read(&path).expect("the journal's first segment");
    let at =
        bytes.windows(text.len()).position(|w| w == text.as_bytes()).expect("the journal holds it") + text.len() / 2;
    let file = fs::OpenOptions::new().write(true).open(&path).expect("the segment");
    file.write_all_at(&[bytes[at] ^ 0xff], at as u64).expect("a byte is written");
}

fn said(output: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn a_damaged_event_is_named_gone_around_and_ends_as_a_dead_letter() {
    let handler = Handler::answering(200).await;
    let mut gateway = Gateway::start(&config(&handler)).await;
    assert!(gateway.ask(&["destinations", "pause", "billing"]).await.status.success());
    // Events of one millisecond are in no order: an event is known by when it appears.
    let mut ids: Vec<String> = Vec::new();
    for word in ["the first", "the unlucky", "the last"] {
        accept(&gateway, &format!("{{\"words\":\"{word}\"}}")).await;
        let events = gateway.items("/api/v1/events").await;
        let mut all = events.iter().map(|event| event["id"].as_str().expect("an id").to_owned());
        ids.push(all.find(|id| !ids.contains(id)).expect("a new one"));
    }
    let unlucky = ids[1].clone();
    let busy = gateway.cli(&["doctor"]).await;
    assert!(busy.status.code() == Some(2) && said(&busy).contains("stop it first"), "{}", said(&busy));
    assert!(gateway.terminate().await.success());
    let sound = gateway.cli(&["doctor"]).await;
    assert!(sound.status.success() && said(&sound).contains(": sound\n"), "{}", said(&sound));

    damage(&gateway, "the unlucky");
    let told = gateway.cli(&["doctor"]).await;
    let text = said(&told);
    assert_eq!(told.status.code(), Some(1), "{text}");
    assert!(text.contains(&unlucky) && text.contains("to billing: cannot be delivered"), "{text}");
    let json = gateway.cli(&["doctor", "--json"]).await;
    assert_eq!(json.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!((&report["sound"], &report["events"]), (&Value::from(false), &Value::from(2)));
    let damages = report["damages"].as_array().expect("a list");
    assert_eq!(damages.len(), 1);
    assert_eq!((&damages[0]["segment"], &damages[0]["events"][0]["id"]), (&Value::from(1), &Value::from(&*unlucky)));

    gateway.serve().await;
    assert!(gateway.ask(&["destinations", "resume", "billing"]).await.status.success());
    gateway.until_drained().await;
    let bodies: Vec<_> = handler.received().iter().map(|r| String::from_utf8_lossy(&r.body).into_owned()).collect();
    assert!(bodies.len() == 2 && bodies.iter().all(|body| !body.contains("unlucky")), "{bodies:?}");
    let dead = gateway.items("/api/v1/dead-letters").await;
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0]["event"].as_str(), dead[0]["end_reason"].as_str()), (Some(&*unlucky), Some("damaged")));
    let status = gateway.get("/api/v1/status").await;
    assert_eq!(status["store"]["damages"], 1);
    assert!(
        status["store"]["damage"][0].as_str().is_some_and(|words| words.starts_with("segment 1 is damaged at byte "))
    );
    let metrics = gateway.admin().send("GET", "/metrics", b"").await.expect("metrics");
    assert!(String::from_utf8_lossy(&metrics.body).contains("\nhookhaven_store_damages_total 1\n"));

    // An index made from the journal alone would know nothing of it: only if somebody insists.
    assert!(gateway.terminate().await.success());
    let refused = gateway.cli(&["reindex"]).await;
    assert!(refused.status.code() == Some(1) && said(&refused).contains("--force"), "{}", said(&refused));
    let made = gateway.cli(&["reindex", "--force"]).await;
    assert!(made.status.success() && said(&made).contains("a new index with 2 events"), "{}", said(&made));
    gateway.serve().await;
    let left = gateway.items("/api/v1/events").await;
    let left: BTreeSet<_> = left.iter().map(|event| event["id"].as_str().expect("an id")).collect();
    assert_eq!(left, BTreeSet::from([&*ids[0], &*ids[2]]));
}
