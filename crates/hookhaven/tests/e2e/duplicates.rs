//! The same event many times at once: one event, one delivery, and every sender is told the same. Over
//! restarts too. What became of the first (dead, replayed) is not the subject here.

use std::sync::Arc;

use hookhaven_load::client::{Answer, Connection, post};
use tokio::{sync::Barrier, task::JoinSet};

use crate::support::{
    gateway::{Gateway, PUBLIC_URL},
    handler::Handler,
    sdk::{Sdk, ToSign},
    sign, soon,
};

const SECRET: &str = "whsec_duplicates";
const CONNECTIONS: usize = 64;
const REQUESTS: usize = 200;

fn config(handler: &Handler) -> String {
    let source = |name: &str, sender: &str| {
        format!(
            "[sources.{name}]\nsender = \"{sender}\"\nsecrets = [\"{SECRET}\"]\n\n\
             [[routes]]\nsource = \"{name}\"\nto = [\"app\"]\n\n"
        )
    };
    let sources = [source("one", "stripe"), source("two", "stripe"), source("texts", "twilio")].concat();
    format!("{sources}[destinations.app]\nurl = \"{}\"\n", handler.url())
}

/// The same bytes `REQUESTS` times, over connections that are all open before the first is sent.
async fn at_once(gateway: &Gateway, request: Vec<u8>) -> Vec<Answer> {
    let (request, open, address) = (Arc::new(request), Arc::new(Barrier::new(CONNECTIONS)), gateway.ingest());
    let mut senders = JoinSet::new();
    for sender in 0..CONNECTIONS {
        let (request, open) = (Arc::clone(&request), Arc::clone(&open));
        let share = REQUESTS / CONNECTIONS + usize::from(sender < REQUESTS % CONNECTIONS);
        senders.spawn(async move {
            let mut connection = Connection::open(address).await.expect("a connection");
            open.wait().await;
            let mut answers = Vec::new();
            for _ in 0..share {
                answers.push(connection.exchange(&request).await.expect("an answer"));
            }
            answers
        });
    }
    let answers = soon("all answers", senders.join_all()).await.concat();
    assert_eq!(answers.len(), REQUESTS);
    answers
}

/// What a sender is told, but for the time of day.
fn told(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let headers = answer.headers.iter().filter(|(name, _)| name != "date").cloned().collect();
    (answer.status, headers, String::from_utf8_lossy(&answer.body).into_owned())
}

#[tokio::test]
async fn two_hundred_at_once_are_one_event_and_stay_one_over_restarts() {
    let (handler, mut sdk) = (Handler::answering(200).await, Sdk::start());
    let mut gateway = Gateway::start(&config(&handler)).await;

    let body = br#"{"id":"evt_same","type":"invoice.paid"}"#;
    let stripe =
        |source: &str| post("hooks.example.test", &format!("/webhooks/{source}"), &sign::stripe(SECRET, body), body);
    let text = "MessageSid=SM1&MessageStatus=delivered";
    let signed = sdk
        .sign(&ToSign {
            sender: "twilio",
            secret: SECRET,
            body: text,
            url: &format!("{PUBLIC_URL}/webhooks/texts"),
            timestamp_s: 0,
            id: "",
            event_type: "",
        })
        .await;
    let twilio = post("hooks.example.test", "/webhooks/texts", &signed.headers, text.as_bytes());

    let mut first = Vec::new();
    for round in ["the first time", "after a restart", "after kill -9"] {
        let mut answers = Vec::new();
        for request in [stripe("one"), twilio.clone()] {
            let all = at_once(&gateway, request).await;
            let one = told(&all[0]);
            assert_eq!(one.0, 200, "{round}");
            assert!(all.iter().all(|answer| told(answer) == one), "{round}: each is told the same");
            answers.push(one);
        }
        assert_eq!((&*answers[0].2, &*answers[1].2), ("", "<Response/>"), "{round}");
        if first.is_empty() {
            first = answers;
        } else {
            assert_eq!(answers, first, "{round}: as the first time");
        }
        gateway.until_drained().await;
        for source in ["one", "texts"] {
            assert_eq!(gateway.items(&format!("/api/v1/events?source={source}")).await.len(), 1, "{round}");
            let deliveries = gateway.items(&format!("/api/v1/deliveries?source={source}")).await;
            assert_eq!(deliveries.len(), 1, "{round}");
            assert_eq!(deliveries[0]["state"], "delivered", "{round}");
        }
        assert_eq!(handler.received().len(), 2, "{round}: one attempt of each");
        match round {
            "the first time" => {
                assert!(gateway.terminate().await.success());
                gateway.serve().await;
            }
            "after a restart" => gateway.restart().await,
            _ => {}
        }
    }

    // An id is one sender's own: the same one at another source is another event.
    at_once(&gateway, stripe("two")).await;
    handler.until(3).await;
    gateway.until_drained().await;
    let events = gateway.items("/api/v1/events?key=evt_same").await;
    let sources: Vec<_> = events.iter().map(|event| event["source"].as_str().unwrap_or_default()).collect();
    assert_eq!(sources, ["two", "one"]);
    assert_eq!(handler.received().len(), 3);
}
