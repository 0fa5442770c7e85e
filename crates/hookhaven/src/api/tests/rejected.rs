//! Rejected requests: what is shown of them, what is masked, and what a release answers.

use std::time::Duration;

use hookhaven_core::{Rejected, RejectedId, sender::Rejection};
use hookhaven_store::{
    Store,
    quarantine::{Bounds, Quarantine},
};
use serde_json::{Value, json};

use crate::api::fixture::{START, Scene};

fn rejected(source: &str, n: u8) -> Rejected {
    let at = START.plus(Duration::from_secs(u64::from(n)));
    Rejected {
        id: RejectedId::mint(at, [n; 10]),
        received_at: at,
        source: source.into(),
        reason: if n.is_multiple_of(2) { Rejection::SignatureMismatch } else { Rejection::TimestampStale },
        method: http::Method::POST,
        target: format!("/webhooks/{source}?token=canary-query&plain").into(),
        headers: vec![
            ("authorization".into(), "Bearer canary-header".into()),
            ("x-gitlab-token".into(), "canary-token".into()),
            ("x-signature".into(), "shown".into()),
        ],
        body: format!("{{\"id\":\"evt_{n}\",\"state\":\"source-s3cret\"}}").into(),
        body_bytes: 40,
        remote: "203.0.113.7".into(),
    }
}

/// Four of one source, whose test sender takes anything by now, and one of a source that is gone.
async fn scene() -> Scene {
    let scene = Scene::new();
    let whole = |it: Rejected| Rejected { body_bytes: it.body.len() as u64, ..it };
    let all = (1..=4).map(|n| whole(rejected("stripe", n))).collect();
    scene.quarantine.put(&"stripe".into(), all, Bounds::default()).await.unwrap();
    scene.quarantine.put(&"gone".into(), vec![rejected("gone", 9)], Bounds::default()).await.unwrap();
    scene.clock.advance(Duration::from_secs(60));
    scene
}

#[tokio::test]
async fn they_are_listed_by_source_reason_and_time() {
    let scene = scene().await;
    let since = START.plus(Duration::from_secs(3));
    for (query, count) in [
        ("", 5),
        ("?source=stripe", 4),
        ("?source=stripe&reason=signature_mismatch", 2),
        (&format!("?since={since}"), 3),
        ("?released=true", 0),
    ] {
        assert_eq!(scene.get(&format!("/api/v1/rejected{query}")).await.ids().len(), count, "{query}");
    }
    let first = scene.get("/api/v1/rejected?limit=3").await.json();
    let next = first["next"].as_str().unwrap();
    assert_eq!(scene.get(&format!("/api/v1/rejected?limit=3&after={next}")).await.ids().len(), 2);
    assert_eq!(scene.get("/api/v1/rejected?reason=nonsense").await.code(), "bad_query");
    let unknown = RejectedId::from_bytes([1; 16]);
    assert_eq!(scene.get(&format!("/api/v1/rejected/{unknown}")).await.code(), "rejected_not_found");
}

#[tokio::test]
async fn nothing_that_may_be_a_credential_is_shown() {
    let scene = scene().await;
    let id = rejected("stripe", 2).id;
    let shown = scene.get(&format!("/api/v1/rejected/{id}")).await.json();
    assert_eq!(shown["target"], "/webhooks/stripe?token=[redacted]&[redacted]");
    assert_eq!(shown["headers"][2], json!({"name": "x-signature", "value": "shown"}));
    assert_eq!(shown["diagnosis"]["may_be_released"], true);
    assert!(!shown.to_string().contains("canary"), "{shown}");
    let body = scene.get(&format!("/api/v1/rejected/{id}/body")).await;
    assert_eq!(String::from_utf8_lossy(&body.body), r#"{"id":"evt_2","state":"[redacted]"}"#);
}

#[tokio::test]
async fn a_release_is_counted_first_and_then_done_once() {
    let scene = scene().await;
    let release = async |body: Value| scene.post("/api/v1/rejected/release", body).await.json();
    let counts =
        |answer: &Value| ["matched", "released", "already", "refused"].map(|key| answer[key].as_u64().unwrap());
    let dry = release(json!({"filter": {}, "dry_run": true})).await;
    assert_eq!(counts(&dry), [5, 4, 0, 1], "{dry:#}");
    assert_eq!(scene.store.stats().await.unwrap().pending, 0);
    let done = release(json!({"filter": {"reason": "timestamp_stale"}})).await;
    assert_eq!(counts(&done), [3, 2, 0, 1], "{done:#}");
    assert_eq!(done["items"][0]["id"], rejected("stripe", 1).id.to_string(), "the oldest first");
    let ids = [rejected("stripe", 1).id, rejected("stripe", 2).id, RejectedId::from_bytes([1; 16])];
    let by_id = release(json!({"ids": ids})).await;
    assert_eq!((counts(&by_id), &by_id["unknown"]), ([2, 1, 1, 0], &1.into()), "{by_id:#}");
    assert_eq!(scene.get("/api/v1/events").await.ids().len(), 3);
    for wrong in [json!({}), json!({"ids": [], "filter": {}}), json!({"ids": [], "after": ids[0]})] {
        assert_eq!(scene.post("/api/v1/rejected/release", wrong).await.code(), "bad_body");
    }
}
