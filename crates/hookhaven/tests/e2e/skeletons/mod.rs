//! Handler skeletons, as the architect writes them: each is started behind a gateway, which runs the config file that was
//! written with it, and sent what senders send at their worst; and each one's own test is run by its own runner.
//!
//! Not here: the text of the files (`hookhaven-architect/tests/skeletons.rs`); the own test of the project for axum, which
//! is a member of the workspace and so a suite of its own.

mod project;
mod stage;

use std::collections::{BTreeMap, BTreeSet};

use hookhaven_architect::intake::Framework;
use serde_json::{Value, json};

use self::{
    project::Project,
    stage::{GITHUB_SECRET, SLACK_SECRET, STRIPE_SECRET, Stage},
};
use crate::support::{chance::Chance, sign};

/// Subscriptions, and how often each changed.
const OBJECTS: usize = 8;
const VERSIONS: usize = 6;
const PUSHES: usize = 10;

#[tokio::test]
async fn fastify_ends_in_the_right_state() {
    ends_in_the_right_state(Framework::Fastify).await;
}

#[tokio::test]
async fn express_ends_in_the_right_state() {
    ends_in_the_right_state(Framework::Express).await;
}

#[tokio::test]
async fn next_ends_in_the_right_state() {
    ends_in_the_right_state(Framework::Next).await;
}

#[tokio::test]
async fn fastapi_ends_in_the_right_state() {
    ends_in_the_right_state(Framework::FastApi).await;
}

#[tokio::test]
async fn django_ends_in_the_right_state() {
    ends_in_the_right_state(Framework::Django).await;
}

#[tokio::test]
async fn axum_ends_in_the_right_state() {
    ends_in_the_right_state(Framework::Axum).await;
}

#[tokio::test]
async fn their_own_tests_pass() {
    let all = [Framework::Fastify, Framework::Express, Framework::Next, Framework::FastApi, Framework::Django];
    for framework in all {
        Project::write(framework).passes_its_own_test().await;
    }
}

/// What a subscription was like after its so-manieth change.
fn changed(object: usize, version: usize) -> (String, Vec<u8>) {
    let id = format!("evt_{object}_{version}");
    // An hour apart, so that the order is Stripe's to tell and not that of arrival.
    let created = 1_767_225_600 + 3_600 * version;
    let event_type =
        if version == VERSIONS - 1 { "customer.subscription.deleted" } else { "customer.subscription.updated" };
    let body = json!({ "id": id, "object": "event", "type": event_type, "created": created,
                       "data": { "object": { "id": format!("sub_{object}"), "version": version } } });
    (id, body.to_string().into_bytes())
}

/// Out of order, some of it twice, some while the database is away, then replayed whole: each effect is there once, and
/// the newest state.
async fn ends_in_the_right_state(framework: Framework) {
    let (_, chance) = Chance::new();
    let stage = Stage::start(framework).await;
    let mut events: Vec<(usize, usize)> = (0..OBJECTS).flat_map(|o| (0..VERSIONS).map(move |v| (o, v))).collect();
    for n in (1..events.len()).rev() {
        events.swap(n, usize::try_from(chance.below(n as u64 + 1)).expect("it is small"));
    }
    let [first, while_away, rest @ ..] = &events[..] else { panic!("some events") };
    change(&stage, first).await;
    stage.gateway.until_drained().await;
    stage.outbox_performed().await;
    stage.database_is_away(true);
    change(&stage, while_away).await;
    let failed = |list: &Value| list["items"][0]["attempt_count"].as_u64() >= Some(1);
    stage.gateway.until("/api/v1/deliveries?state=pending", failed).await;
    stage.database_is_away(false);
    stage.gateway.until_drained().await;

    for event in rest {
        // Stripe itself sends one in four twice.
        for _ in 0..if chance.below(4) == 0 { 2 } else { 1 } {
            change(&stage, event).await;
        }
    }
    for n in 0..PUSHES {
        let body = json!({ "ref": "refs/heads/main", "repository": { "id": n } }).to_string().into_bytes();
        let headers = sign::github(GITHUB_SECRET, Some("push"), Some(&format!("delivery-{n}")), &body);
        assert_eq!(stage.gateway.post("/webhooks/github", &headers, &body).await.status, 200);
    }
    // Rightly signed by Stripe, and still nothing that anybody can handle.
    let broken = b"{\"id\": \"evt_broken\", \"type\": \"invoice.payment_failed\", \"data\": \"\\u0000\"}";
    stage.gateway.post("/webhooks/stripe", &sign::stripe(STRIPE_SECRET, broken), broken).await;
    command_is_answered(&stage).await;
    stage.gateway.until_drained().await;
    stage.replay_everything_delivered().await;
    stage.outbox_performed().await;

    let stripe_events = OBJECTS * VERSIONS;
    check_inbox(&stage, stripe_events);
    check_state(&stage);
    check_effects(&stage, stripe_events);
    check_dead_letter(&stage).await;
    stage.end().await;
}

async fn change(stage: &Stage, (object, version): &(usize, usize)) {
    let (_, body) = changed(*object, *version);
    let answer = stage.gateway.post("/webhooks/stripe", &sign::stripe(STRIPE_SECRET, &body), &body).await;
    assert_eq!(answer.status, 200);
}

/// Slack shows the answer to the person who typed the command: to whom it is nothing that it was `handled`.
async fn command_is_answered(stage: &Stage) {
    let body = b"command=%2Fdeploy&text=web&trigger_id=1.2.3";
    let answer = stage.gateway.post("/webhooks/slack", &sign::slack(SLACK_SECRET, body), body).await;
    assert_eq!((answer.status, String::from_utf8_lossy(&answer.body).as_ref()), (200, ""));
}

fn check_inbox(stage: &Stage, stripe_events: usize) {
    let inbox = stage.rows("SELECT source, count(*) FROM webhook_inbox GROUP BY source ORDER BY source");
    assert_eq!(inbox, [format!("github|{PUSHES}"), "slack|1".to_owned(), format!("stripe|{stripe_events}")]);
}

/// The last change of each, which is its deletion; GitHub's handlers keep no state.
fn check_state(stage: &Stage) {
    let state = stage.rows(
        "SELECT object_id, event_type, body -> 'data' -> 'object' ->> 'version' FROM webhook_state ORDER BY object_id",
    );
    let newest = |object| format!("sub_{object}|customer.subscription.deleted|{}", VERSIONS - 1);
    assert_eq!(state, (0..OBJECTS).map(newest).collect::<Vec<_>>());
}

/// Each under a key of its own, and never twice; access follows the newest state, and never goes back.
fn check_effects(stage: &Stage, stripe_events: usize) {
    let mut performed: BTreeMap<String, usize> = BTreeMap::new();
    let mut keys = BTreeSet::new();
    let mut granted: BTreeMap<String, i64> = BTreeMap::new();
    for call in stage.effects.received() {
        let effect = call.path.trim_start_matches('/').to_owned();
        let key = call.header("idempotency-key");
        assert!(key.ends_with(&format!(":{effect}")) && keys.insert(key.to_owned()), "{key} came twice");
        *performed.entry(effect.clone()).or_default() += 1;
        let payload: Value = serde_json::from_slice(&call.body).expect("a payload");
        if effect == "fulfilment" {
            let object = &payload["body"]["data"]["object"];
            let (id, version) = (object["id"].as_str().expect("an id"), object["version"].as_i64().expect("a version"));
            let before = granted.insert(id.to_owned(), version);
            assert!(before < Some(version), "{id}: {version} after {before:?}");
        }
    }
    let fulfilled = performed.remove("fulfilment").unwrap_or_default();
    assert!(
        (OBJECTS..stripe_events).contains(&fulfilled),
        "{fulfilled}: not by what came late, nor by what was overtaken"
    );
    assert!(granted.len() == OBJECTS && granted.values().all(|v| *v == VERSIONS as i64 - 1), "{granted:?}");
    let expected = [("build", PUSHES + 1), ("mail", stripe_events), ("message", 1), ("record", stripe_events)];
    assert_eq!(performed, expected.map(|(effect, n)| (effect.to_owned(), n)).into());
}

/// What can never succeed was tried once.
async fn check_dead_letter(stage: &Stage) {
    let dead = stage.gateway.items("/api/v1/dead-letters").await;
    assert_eq!(dead.len(), 1, "{dead:?}");
    let id = dead[0]["id"].as_str().expect("an id");
    let delivery = stage.gateway.get(&format!("/api/v1/deliveries/{id}")).await;
    let attempts = delivery["attempts"].as_array().map(Vec::len);
    assert_eq!((&delivery["state"], attempts), (&"dead".into(), Some(1)), "{delivery:#}");
}
