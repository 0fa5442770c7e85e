//! One event's whole story.

use std::time::Duration;

use hookhaven_core::ErrorClass;
use hookhaven_store::{Next, clock::Clock};

use super::typed;
use crate::api::fixture::{Scene, route};

/// The places of these words, which must be there in this order.
fn in_order(text: &str, words: &[&str]) {
    let mut rest = text;
    for word in words {
        let at = rest.find(word).unwrap_or_else(|| panic!("{word:?} is missing or too early in:\n{text}"));
        rest = &rest[at + word.len()..];
    }
}

#[tokio::test]
async fn a_story_is_told_from_arrival_to_death_and_replay() {
    let scene = Scene::new();
    let id = scene.accept("stripe", "payment.failed", b"{}").await;
    let again = scene.clock.now().plus(Duration::from_secs(5));
    scene.settle("billing", ErrorClass::Timeout, None, Next::Retry { due_at: again }).await;
    let out = typed(&scene, &format!("why {id}"), None).await.done();
    in_order(&out, &["attempt 1: timeout", "planned 5 s later", "=> Attempt 2 of 5 is due in 5 s"]);

    scene.clock.advance(Duration::from_secs(5));
    scene.kill("billing").await;
    let out = typed(&scene, &format!("why {id}"), None).await.done();
    in_order(
        &out,
        &[
            "payment.failed",
            "2026-09-21T14:13:20.001Z  received from 192.0.2.7, 2 bytes",
            "sender test-sender",
            "verified with secret 1 of 1",
            "happened 3 s earlier",
            "route stripe#1 (payment.* to billing) takes it",
            "route stripe#2 (invoice.* to mail) does not take it",
            "to billing  dlv_",
            "by route stripe#1, critical",
            "attempt 1: timeout",
            "2026-09-21T14:13:25.001Z  attempt 2: 503",
            "dead (exhausted)",
            "=> A dead letter",
            "handler failed with 503",
            "handler's log",
            "hookhaven dlq replay dlv_",
        ],
    );
    typed(&scene, "dlq replay --all --yes", None).await.done();
    scene.settle("billing", ErrorClass::Ok, Some(200), Next::Delivered).await;
    let out = typed(&scene, &format!("why {id}"), None).await.done();
    in_order(&out, &["replayed since as dlv_", "made to replay dlv_", "attempt 1: 200", "=> Delivered"]);
}

#[tokio::test]
async fn a_paused_destination_is_named_with_its_mend() {
    let scene = Scene::new();
    let id = scene.accept("stripe", "payment.failed", b"{}").await;
    typed(&scene, "destinations pause billing", None).await.done();
    let out = typed(&scene, &format!("why {id}"), None).await.done();
    in_order(&out, &["=> It waits: billing is paused by operator", "hookhaven destinations resume billing"]);
}

#[tokio::test]
async fn an_unrouted_event_is_explained() {
    let scene = Scene::new();
    let id = scene.accept("stripe", "customer.created", b"{}").await;
    let out = typed(&scene, &format!("why {id}"), None).await.done();
    in_order(&out, &["no route took it", "stripe#1: payment.*", "events = [\"customer.created\"]"]);
    let mut config = (**scene.config.load()).clone();
    config.routes.push(route("new", "stripe", "customer.*", "mail", false));
    scene.config.store(config.into());
    let out = typed(&scene, &format!("why {id}"), None).await.done();
    in_order(&out, &["Now route new takes it, to mail.", &format!("hookhaven events replay {id}")]);
}

#[tokio::test]
async fn its_json_is_the_apis() {
    let scene = Scene::new();
    let id = scene.accept("stripe", "payment.failed", b"{}").await;
    let got = typed(&scene, &format!("why {id} --json"), None).await.json();
    assert_eq!(got, scene.get(&format!("/api/v1/events/{id}")).await.json());
}
