//! What one node refused, any other shows and releases; all of them at once make one event.

use crate::support::{
    handler::Handler,
    output::{id, items},
    sign,
};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_refused_all_may_release_and_it_is_one_event() {
    let handler = Handler::answering(200).await;
    let (database, config) = (database(), config(&handler, ""));
    let [ingest, worker, other] = nodes(&database, ["ingest", "worker", "all"], &config).await;
    let body = br#"{"id":"evt_1","type":"invoice.paid"}"#;
    let changed = [&body[..], b"\r\n"].concat();
    let answer = ingest.post("/webhooks/shop", &sign::stripe(SECRET, body), &changed).await;
    assert_eq!(answer.status, 401);
    let list = worker.until("/api/v1/rejected", |list| !items(list).is_empty()).await;
    let rejected = id(&items(&list)[0]).to_owned();
    let command = ["rejected", "release", &rejected, "--json"];
    let answers = tokio::join!(ingest.ask(&command), worker.ask(&command), other.ask(&command));
    for output in [answers.0, answers.1, answers.2] {
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let event = &answer["items"][0]["event"];
        assert!(event.is_string() && answer["refused"] == 0, "{answer:#}");
    }
    other.until_drained().await;
    assert_eq!(handler.received().len(), 1);
    assert_eq!(handler.received()[0].body, &body[..]);
    let events = other.items("/api/v1/events").await;
    assert_eq!(events.len(), 1);
    assert_eq!(other.items("/api/v1/rejected").await[0]["event"], events[0]["id"]);
    // Which secret signed it, all know once it is written down.
    let secrets = worker.items("/api/v1/secrets").await;
    assert!(secrets[0]["fingerprint"].is_string(), "{secrets:?}");
    assert_eq!(secrets[0]["fingerprint"], ingest.items("/api/v1/secrets").await[0]["fingerprint"]);
}
