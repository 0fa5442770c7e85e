//! Fields that are named in `redact`: masked wherever the API shows a body or a piece of one, and nowhere else.

use bytes::Bytes;
use hookhaven_core::{
    Attempt, AttemptId, ErrorClass, Phases, Rejected, RejectedId, Time,
    filter::{Condition, Filter, Literal, Test},
    redact::Redact,
    sender::Rejection,
    senders::Place,
};
use hookhaven_store::{
    Store,
    quarantine::{Bounds, Quarantine},
};
use serde_json::Value;

use crate::api::{
    fixture::{self, START, Scene},
    masked,
};

const BODY: &str = r#"{"id":"in_1","customer":{"Email":"jane@example.com","card":"4242"},"n":1.0}"#;

fn scene() -> Scene {
    let scene = Scene::new();
    let mut config = fixture::config();
    for field in ["email", "json:/customer/card"] {
        config.redactions.everywhere.add(field).unwrap();
    }
    let mut none = Redact::default();
    none.add("nothing").unwrap();
    config.redactions.sources.insert("github".into(), none);
    scene.config.store(config.into());
    scene
}

#[tokio::test]
async fn bodies_are_shown_without_them_and_stored_with_them() {
    let scene = scene();
    let id = scene.accept("stripe", "payment.ok", BODY.as_bytes()).await;
    for path in ["body", "request"] {
        let got = scene.get(&format!("/api/v1/events/{id}/{path}")).await;
        let want = r#"{"id":"in_1","customer":{"Email":"[redacted]","card":"[redacted]"},"n":1.0}"#;
        assert_eq!(got.body, want, "{path}");
    }
    assert_eq!(scene.store.event(id).await.unwrap().unwrap().body, BODY);
    let other = scene.accept("github", "push", BODY.as_bytes()).await;
    assert_eq!(scene.get(&format!("/api/v1/events/{other}/body")).await.body, BODY);
}

#[tokio::test]
async fn a_search_finds_nothing_in_them_and_shows_nothing_of_them() {
    let scene = scene();
    let id = scene.accept("stripe", "payment.ok", BODY.as_bytes()).await;
    let lines = async |text: &str| -> Vec<Value> {
        let got = scene.get(&format!("/api/v1/search?text={text}")).await;
        got.body.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    };
    let found = lines("in_1").await;
    assert_eq!(found[0]["hit"]["event"]["id"], id.to_string());
    assert!(!found[0].to_string().contains("jane") && !found[0].to_string().contains("4242"), "{}", found[0]);
    for hidden in ["jane", "4242"] {
        let found = lines(hidden).await;
        assert_eq!((found.len(), &found[0]["end"]["hits"]), (1, &0.into()), "{hidden}");
    }
}

#[tokio::test]
async fn why_a_filter_holds_is_said_without_them() {
    let scene = scene();
    let mut config = (**scene.config.load()).clone();
    let place = "json:/customer/Email".parse::<Place>().unwrap();
    let is = Condition::At(place, vec![Test::In(vec![Literal::Text("jane@example.com".into())])]);
    config.routes[0].when = Some(Filter::new(vec![is]));
    scene.config.store(config.into());
    let id = scene.accept("stripe", "payment.ok", BODY.as_bytes()).await;
    let route = &scene.get(&format!("/api/v1/events/{id}/routes")).await.json()["routes"][0];
    assert_eq!((&route["takes"], &route["conditions"][0]["holds"]), (&true.into(), &true.into()));
    let seen = route["conditions"][0]["seen"].as_str().unwrap();
    assert!(seen.contains("[redacted]") && !seen.contains("jane"), "{seen}");
}

#[tokio::test]
async fn what_a_handler_answers_and_what_was_rejected_is_shown_without_them() {
    let scene = scene();
    let attempt = |excerpt: &'static str| Attempt {
        id: AttemptId::mint(START, [1; 10]),
        delivery: hookhaven_core::DeliveryId::mint(START, [1; 10]),
        number: 1,
        started_at: Time::EPOCH,
        duration_us: 1,
        phases: Phases::default(),
        status: Some(400),
        class: ErrorClass::Http4xx,
        error: "".into(),
        response_headers: vec![],
        response_excerpt: Bytes::from_static(excerpt.as_bytes()),
        next_attempt_at: None,
    };
    let config = scene.config.load();
    let shown = |excerpt| masked::attempt(&config, "stripe", attempt(excerpt)).response_excerpt;
    assert_eq!(shown(r#"{"error":"no","got":{"email":"ja"#), r#"{"error":"no","got":{"email":"[redacted]""#);
    assert_eq!(shown("no such email"), "no such email");
    let rejected = Rejected {
        id: RejectedId::mint(START, [7; 10]),
        received_at: START,
        source: "stripe".into(),
        reason: Rejection::SignatureMismatch,
        method: http::Method::POST,
        target: "/webhooks/stripe".into(),
        headers: vec![],
        body: BODY.into(),
        body_bytes: BODY.len() as u64,
        remote: "".into(),
    };
    let id = rejected.id;
    scene.quarantine.put(&"stripe".into(), vec![rejected], Bounds::default()).await.unwrap();
    let got = scene.get(&format!("/api/v1/rejected/{id}/body")).await;
    assert!(!String::from_utf8_lossy(&got.body).contains("jane"), "{:?}", got.body);
}
