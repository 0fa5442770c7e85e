//! What is new, what repeats, and what only looks like one of the two.

use std::time::Duration;

use hookhaven_core::sender::Signed;

use super::{
    edited, has,
    support::{Gateway, NOW, secret, sender, source},
};

/// A push of GitHub's with this id, which it does not sign.
fn push(id: &str, body: &str) -> Signed {
    let sample = hookhaven_core::sender::Sample {
        id: id.to_owned(),
        event_type: "push".to_owned(),
        body: body.as_bytes().to_vec(),
    };
    sender("github").sign(&sample, None, &secret("github"), NOW).unwrap()
}

/// An event of Stripe's, whose id is signed.
fn signed(body: &str) -> Signed {
    let sample =
        hookhaven_core::sender::Sample { id: String::new(), event_type: String::new(), body: body.as_bytes().to_vec() };
    sender("stripe").sign(&sample, None, &secret("stripe"), NOW).unwrap()
}

#[tokio::test]
async fn the_same_unsigned_id_with_other_bytes_is_an_event() {
    let gateway = Gateway::start(super::config());
    for (id, body, events) in
        [("a", "{\"n\":1}", 1), ("a", "{\"n\":1}", 1), ("a", "{\"n\":2}", 2), ("a", "{\"n\":2}", 2)]
    {
        assert_eq!(gateway.post("github", &push(id, body)).await.status, 200);
        assert_eq!(gateway.events().await.len(), events, "{id} {body}");
    }
    let text = gateway.exposition().await;
    has(&text, r#"webhook_duplicate_total{source="github"} 2"#);
    assert!(!text.contains("webhook_suspicious_total{"), "{text}");
}

#[tokio::test]
async fn the_same_bytes_under_another_unsigned_id_are_counted_or_refused() {
    let gateway = Gateway::start(edited(|c| {
        let mut strict = source("strict", "github");
        strict.refuses_replay = true;
        c.sources.insert("strict".into(), strict.into());
    }));
    for (source, second, events) in [("github", 200, 2), ("strict", 401, 3)] {
        assert_eq!(gateway.post(source, &push("a", "{}")).await.status, 200);
        let replayed = gateway.post(source, &push("b", "{}")).await;
        assert_eq!(replayed.status, second, "{source}");
        assert!(replayed.body.is_empty());
        assert_eq!(gateway.events().await.len(), events, "{source}");
        // The sender's own redelivery is as welcome as ever.
        assert_eq!(gateway.post(source, &push("a", "{}")).await.status, 200);
    }
    let text = gateway.exposition().await;
    has(&text, r#"webhook_suspicious_total{source="github",kind="suspected_replay"} 1"#);
    has(&text, r#"webhook_signature_invalid_total{source="strict",reason="replay_suspected"} 1"#);
}

#[tokio::test]
async fn a_signed_id_with_other_bytes_is_a_duplicate_and_counted() {
    let gateway = Gateway::start(super::config());
    for body in [r#"{"id":"evt_1","type":"a"}"#, r#"{"id":"evt_1","type":"a","more":1}"#] {
        assert_eq!(gateway.post("stripe", &signed(body)).await.status, 200);
    }
    assert_eq!(gateway.events().await.len(), 1);
    has(&gateway.exposition().await, r#"webhook_suspicious_total{source="stripe",kind="other_bytes"} 1"#);
}

#[tokio::test]
async fn an_old_event_is_counted_and_refused_only_where_a_limit_is_set() {
    let gateway = Gateway::start(edited(|c| {
        let mut strict = source("strict", "stripe");
        strict.age_max = Some(Duration::from_secs(3_600));
        c.sources.insert("strict".into(), strict.into());
    }));
    let made =
        |id: &str, age_s: i64| signed(&format!(r#"{{"id":"{id}","type":"a","created":{}}}"#, NOW.as_s() - age_s));
    let days = |n: i64| n * 86_400;
    for (source, age_s, status) in
        [("stripe", days(2), 200), ("stripe", days(4), 200), ("strict", 3_600, 200), ("strict", 3_601, 401)]
    {
        assert_eq!(
            gateway.post(source, &made(&format!("{source}{age_s}"), age_s)).await.status,
            status,
            "{source} {age_s}"
        );
    }
    let text = gateway.exposition().await;
    has(&text, r#"webhook_suspicious_total{source="stripe",kind="old"} 1"#);
    has(&text, r#"webhook_signature_invalid_total{source="strict",reason="event_too_old"} 1"#);
}
