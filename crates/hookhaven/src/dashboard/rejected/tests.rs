//! The pages of rejected requests, through the router.

use std::time::Duration;

use hookhaven_core::{Rejected, RejectedId, sender::Rejection};
use hookhaven_store::quarantine::{Bounds, Quarantine as _};
use http::{StatusCode, header};

use crate::{api::fixture::START, dashboard::tests::Browser};

fn rejected(source: &str, n: u8) -> Rejected {
    let at = START.plus(Duration::from_secs(u64::from(n)));
    let body = format!("{{\"n\":{n},\"x\":\"<script>alert(1)</script>\"}}");
    Rejected {
        id: RejectedId::mint(at, [n; 10]),
        received_at: at,
        source: source.into(),
        reason: if n.is_multiple_of(2) { Rejection::SignatureMismatch } else { Rejection::TimestampStale },
        method: http::Method::POST,
        target: format!("/webhooks/{source}?token=canary-query").into(),
        headers: vec![("authorization".into(), "Bearer canary-header".into()), ("x-a".into(), "<b>bold</b>".into())],
        body_bytes: body.len() as u64,
        body: body.into(),
        remote: "203.0.113.7".into(),
    }
}

/// Three of a source whose test sender takes anything by now, and one of a source that is gone.
async fn browser() -> Browser {
    let browser = Browser::new().await;
    let all = (1..=3).map(|n| rejected("stripe", n)).collect();
    browser.scene.quarantine.put(&"stripe".into(), all, Bounds::default()).await.unwrap();
    browser.scene.quarantine.put(&"gone".into(), vec![rejected("gone", 9)], Bounds::default()).await.unwrap();
    browser.scene.clock.advance(Duration::from_secs(60));
    browser
}

#[tokio::test]
async fn they_are_listed_by_source_and_reason() {
    let mut browser = browser().await;
    for (query, count) in
        [("", 4), ("?source=stripe", 3), ("?source=stripe&reason=signature_mismatch", 1), ("?released=true", 0)]
    {
        let shown = browser.get(&format!("/rejected{query}")).await;
        assert_eq!(shown.html.matches("href=\"/rejected/rej_").count(), count, "{query}: {}", shown.html);
    }
    assert!(browser.get("/rejected?released=true").await.html.contains("No rejected requests"));
    assert_eq!(browser.get("/rejected?reason=odd").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn one_shows_its_diagnosis_and_no_credential_and_is_released_with_a_click() {
    let mut browser = browser().await;
    let id = rejected("stripe", 2).id;
    let shown = browser.get(&format!("/rejected/{id}")).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.html);
    for told in ["signature mismatch", "its signature holds", "token=[redacted]", "&#60;b&#62;bold"] {
        assert!(shown.html.contains(told), "{told} in {}", shown.html);
    }
    for never in ["canary", "<script>alert", "<b>bold"] {
        assert!(!shown.html.contains(never), "{never}");
    }
    let released = browser.post(&format!("/rejected/{id}/release"), "").await;
    let to = released.headers[header::LOCATION].to_str().unwrap().to_owned();
    assert!(to.starts_with("/events/evt_"), "{to}");
    assert!(browser.get(&to).await.html.contains("It was released as this event."));
    let shown = browser.get(&format!("/rejected/{id}")).await;
    assert!(shown.html.contains(&to) && !shown.html.contains(">Release</button>"), "{}", shown.html);
    let gone = browser.get(&format!("/rejected/{}", rejected("gone", 9).id)).await;
    assert!(gone.html.contains("not in the config file any more") && !gone.html.contains(">Release<"), "{}", gone.html);
}

#[tokio::test]
async fn a_release_of_many_shows_first_what_it_comes_to() {
    let mut browser = browser().await;
    let shown = browser.post("/rejected/release", "source=&reason=&since=&until=").await;
    assert!(shown.html.contains("<b>3</b> of 4") && shown.html.contains("Release 3"), "{}", shown.html);
    assert!(browser.get("/rejected?released=true").await.html.contains("No rejected requests"));
    let shown = browser.post("/rejected/release", "source=&reason=&since=&until=&sure=yes").await;
    assert!(shown.html.contains("<b>3</b> of 4 were released"), "{}", shown.html);
    assert!(shown.html.contains("Not released") && shown.html.contains(&rejected("gone", 9).id.to_string()));
    assert_eq!(browser.get("/rejected?released=true").await.html.matches("href=\"/rejected/rej_").count(), 3);
    assert_eq!(browser.post("/rejected/release", "since=yesterday").await.status, StatusCode::BAD_REQUEST);
}
