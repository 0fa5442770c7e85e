//! The pages of events, through the router.

use hookhaven_core::{ErrorClass, redact::Redact};
use hookhaven_store::{Next, clock::Clock as _};
use http::{StatusCode, header};

use crate::dashboard::tests::Browser;

/// Texts that want to be more than text.
const HOSTILE: [&str; 5] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "\u{202e}evil\u{202d}",
    "<!--rows--><!--end-->",
    "{{ 7*7 }}</textarea></title><svg/onload=alert(1)>",
];

/// No markup of theirs, and every piece of foreign text in a place of its own.
fn is_text(html: &str) {
    for never in ["<script>", "<img src=x", "onerror=alert(1)>", "<svg/onload", "</textarea", " style=", "javascript:"]
    {
        assert!(!html.contains(never), "{never} in {html}");
    }
}

#[tokio::test]
async fn the_list_is_newest_first_filtered_and_says_where_deliveries_stand() {
    let mut browser = Browser::new().await;
    let paid = browser.scene.accept("stripe", "payment.ok", b"{}").await;
    let lost = browser.scene.accept("github", "push", b"{}").await;
    browser.scene.kill("billing").await;
    let shown = browser.get("/events").await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.html);
    let (first, second) = (shown.html.find(&lost.to_string()).unwrap(), shown.html.find(&paid.to_string()).unwrap());
    assert!(first < second);
    assert!(shown.html.contains(">dead</span>") && shown.html.contains(">unrouted</span>"), "{}", shown.html);
    for (query, there, gone) in [
        ("source=stripe", paid, lost),
        ("type=pay*", paid, lost),
        ("state=dead&destination=billing", paid, lost),
        ("state=unrouted", lost, paid),
        ("unrouted=true", lost, paid),
    ] {
        let shown = browser.get(&format!("/events?{query}")).await;
        assert!(shown.html.contains(&there.to_string()), "{query}");
        assert!(!shown.html.contains(&gone.to_string()), "{query}");
    }
    let shown = browser.get(&format!("/events?id={paid}")).await;
    assert_eq!(shown.headers[header::LOCATION], format!("/events/{paid}"));
    let shown = browser.get("/events?type=none").await;
    assert!(shown.html.contains("No such events"), "{}", shown.html);
    assert_eq!(browser.get("/events?state=odd").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn pages_of_the_list_follow_each_other_and_keep_what_was_asked() {
    let mut browser = Browser::new().await;
    for n in 0..51 {
        browser.scene.accept("stripe", "payment.ok", format!("{n}").as_bytes()).await;
    }
    let first = browser.get("/events?source=stripe&range=7d").await;
    assert_eq!(first.html.matches("href=\"/events/evt_").count(), 50);
    let older = first.html.split("href=\"").find(|part| part.contains("rel=\"next\"")).unwrap();
    let older = older.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    assert!(older.starts_with("/events?source=stripe&range=7d&after=evt_"), "{older}");
    let second = browser.get(&older).await;
    assert_eq!(second.html.matches("href=\"/events/evt_").count(), 1);
    assert!(second.html.contains("Newest"));
}

#[tokio::test]
async fn a_search_is_a_page_that_ends_with_how_far_it_looked() {
    let mut browser = Browser::new().await;
    let found = browser.scene.accept("stripe", "payment.ok", b"{\"who\":\"<b>needle</b> <!--end-->\"}").await;
    browser.scene.accept("stripe", "payment.ok", b"{}").await;
    let shown = browser.get("/events?text=NEEDLE&source=stripe").await;
    assert_eq!(
        (shown.status, &shown.headers[header::CONTENT_TYPE]),
        (StatusCode::OK, &"text/html; charset=utf-8".parse().unwrap())
    );
    assert!(shown.html.contains(&format!("/events/{found}")) && shown.html.contains("1 found."), "{}", shown.html);
    assert!(shown.html.contains("2 events") && shown.html.trim_end().ends_with("</html>"), "{}", shown.html);
    assert!(!shown.html.contains("<b>needle"), "{}", shown.html);
    // What a search does not know is looked at behind it.
    for (query, hits) in [("state=pending&destination=billing", true), ("state=dead", false), ("key=other", false)] {
        let shown = browser.get(&format!("/events?text=needle&{query}")).await;
        assert_eq!(shown.html.contains(&found.to_string()), hits, "{query}");
    }
    assert!(browser.get("/events?text=nowhere").await.html.contains("Nothing was found."));
}

#[tokio::test]
async fn one_event_shows_its_whole_story() {
    let mut browser = Browser::new().await;
    let id = browser.scene.accept("stripe", "payment.ok", br#"{"amount":42,"x":[1]}"#).await;
    let due_at = browser.scene.clock.now().plus(std::time::Duration::from_secs(30));
    browser.scene.settle("billing", ErrorClass::Http5xx, Some(503), Next::Retry { due_at }).await;
    let shown = browser.get(&format!("/events/{id}")).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.html);
    for told in [
        "holds with secret 1 of 1",
        "stripe#1",
        "takes it",
        "does not take this type",
        "&#34;amount&#34;: 42",
        ">503</span>",
        "<rect class=\"rest\"",
        "Attempt 2 of",
        "hx-trigger=\"every 2s\"",
        "curl -X POST",
        "http://127.0.0.1:3000/billing?REPLACE_ME",
        "down for",
        "[redacted]",
    ] {
        assert!(shown.html.contains(told), "{told} in {}", shown.html);
    }
    for secret in ["hunter2", "dest-s3cret"] {
        assert!(!shown.html.contains(secret), "{secret}");
    }
    let raw = browser.get(&format!("/events/{id}?body=raw")).await;
    assert!(raw.html.contains("{&#34;amount&#34;:42,"), "{}", raw.html);
    let file = browser.get(&format!("/events/{id}/body")).await;
    assert_eq!(file.html, r#"{"amount":42,"x":[1]}"#);
    assert_eq!(file.headers[header::CONTENT_DISPOSITION], format!("attachment; filename=\"{id}.body\""));
    assert_eq!(file.headers[header::CONTENT_TYPE], "application/octet-stream");
    assert_eq!(file.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(browser.get(&format!("/events/evt_{}", "0".repeat(26))).await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/events/nonsense").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_dead_letter_is_replayed_and_its_replay_cancelled_with_a_click() {
    let mut browser = Browser::new().await;
    let id = browser.scene.accept("stripe", "payment.ok", b"{}").await;
    browser.scene.kill("billing").await;
    let page = browser.get(&format!("/events/{id}")).await.html;
    assert!(page.contains("Replay dead letter"), "{page}");
    // What is to be done is named as it is done here.
    assert!(page.contains("<b>Replay, above</b>") && !page.contains("hookhaven dlq"), "{page}");
    let shown = browser.post(&format!("/events/{id}/replay"), "").await;
    let to = shown.headers[header::LOCATION].to_str().unwrap().to_owned();
    assert!(shown.status == StatusCode::SEE_OTHER && to.starts_with(&format!("/events/{id}#dlv_")), "{to}");
    let new = to.split('#').nth(1).unwrap();
    let page = browser.get(&format!("/events/{id}")).await.html;
    assert!(page.contains("One new delivery was made.") && page.contains("Replayed as"), "{page}");
    let shown = browser.get(&format!("/deliveries/{new}")).await;
    assert_eq!(shown.headers[header::LOCATION], to);
    browser.post(&format!("/deliveries/{new}/cancel"), "").await;
    let page = browser.get(&format!("/events/{id}")).await.html;
    assert!(page.contains("It is cancelled.") && !page.contains("every 2s"), "{page}");
    // Nothing is left that could be replayed as a dead letter.
    assert_eq!(browser.post(&format!("/events/{id}/replay"), "").await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn an_event_is_brought_to_another_destination() {
    let mut browser = Browser::new().await;
    let id = browser.scene.accept("stripe", "payment.ok", b"{}").await;
    browser.scene.accept("stripe", "payment.ok", b"{}").await;
    let page = browser.get(&format!("/events/{id}")).await.html;
    let key = page.split_once("name=\"key\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    // A second click, and a reload.
    for _ in 0..3 {
        let shown = browser.post(&format!("/events/{id}/send"), &format!("key={key}&to=mail")).await;
        assert_eq!(shown.status, StatusCode::SEE_OTHER, "{}", shown.html);
    }
    assert_eq!(browser.scene.get("/api/v1/jobs").await.json()["items"].as_array().unwrap().len(), 1);
    assert!(!browser.get(&format!("/events/{id}")).await.html.contains(&key), "a page shown anew is a new form");
    let made = async |browser: &mut Browser| {
        let listed = browser.scene.get("/api/v1/deliveries?destination=mail").await;
        listed.json()["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| d["event"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let mut all = made(&mut browser).await;
    while all.is_empty() {
        browser.scene.clock.advance(std::time::Duration::from_millis(100));
        tokio::task::yield_now().await;
        all = made(&mut browser).await;
    }
    assert_eq!(all, [id.to_string()]);
    // The same form for another destination is something else.
    let other = browser.post(&format!("/events/{id}/send"), &format!("key={key}&to=billing")).await;
    assert_eq!(other.status, StatusCode::SEE_OTHER, "{}", other.html);
    assert_eq!(browser.scene.get("/api/v1/jobs").await.json()["items"].as_array().unwrap().len(), 2);
    let refused = browser.post(&format!("/events/{id}/send"), "to=nowhere").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.html);
}

#[tokio::test]
async fn two_events_are_compared_with_the_last_delivered_one_by_default() {
    let mut browser = Browser::new().await;
    let good = browser.scene.accept("stripe", "payment.ok", br#"{"amount":1,"same":true}"#).await;
    browser.scene.settle("billing", ErrorClass::Ok, Some(200), Next::Delivered).await;
    let bad = browser.scene.accept("stripe", "payment.ok", br#"{"amount":"x","same":true}"#).await;
    let shown = browser.get(&format!("/events/{bad}/compare")).await;
    let to = shown.headers[header::LOCATION].to_str().unwrap().to_owned();
    assert_eq!(to, format!("/events/{bad}/compare?with={good}"));
    let shown = browser.get(&to).await;
    assert!(
        shown.html.contains("<bdi class=\"mono\">/amount</bdi>") && !shown.html.contains("/same"),
        "{}",
        shown.html
    );
    let lonely = browser.get(&format!("/events/{good}/compare")).await;
    assert_eq!(lonely.headers[header::LOCATION], format!("/events/{good}"));
}

#[tokio::test]
async fn what_senders_write_is_text_on_every_page() {
    let mut browser = Browser::new().await;
    for hostile in HOSTILE {
        let long = format!("payment.{hostile}{}", "x".repeat(8 << 10));
        let body = serde_json::json!({ hostile: hostile, "needle": 1 }).to_string();
        let id = browser.scene.accept("stripe", &long, body.as_bytes()).await;
        browser.scene.kill("billing").await;
        let hidden = url::form_urlencoded::byte_serialize(hostile.as_bytes()).collect::<String>();
        for path in [
            "/events".to_owned(),
            format!("/events?type={hidden}&source={hidden}&key={hidden}&destination={hidden}"),
            "/events?text=needle".to_owned(),
            format!("/events/{id}"),
            format!("/events/{id}?body=raw"),
            format!("/events/{id}?body=bytes"),
            format!("/events/{id}/compare?with={id}"),
            format!("/events/live?type={hidden}&source={hidden}"),
        ] {
            let shown = browser.get(&path).await;
            assert_eq!(shown.status, StatusCode::OK, "{path}");
            is_text(&shown.html);
            assert!(shown.html.trim_end().ends_with("</html>"), "{path}");
        }
    }
}

#[tokio::test]
async fn who_may_only_read_is_offered_nothing_and_refused() {
    let mut browser = Browser::new().await;
    let id = browser.scene.accept("stripe", "payment.ok", b"{}").await;
    browser.scene.kill("billing").await;
    let made = browser.scene.post("/api/v1/tokens", serde_json::json!({ "name": "eyes", "scopes": ["read"] })).await;
    let token = made.json()["token"].as_str().unwrap().to_owned();
    browser.post("/sign-out", "").await;
    browser.post("/sign-in", &format!("token={token}")).await;
    let page = browser.get(&format!("/events/{id}")).await;
    assert!(page.status == StatusCode::OK && !page.html.contains("method=\"post\" action=\"/events/"), "{}", page.html);
    assert!(!page.html.contains("hx-preserve action=\"/deliveries/"), "{}", page.html);
    assert_eq!(browser.post(&format!("/events/{id}/replay"), "").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn masked_fields_show_on_no_page() {
    let mut browser = Browser::new().await;
    let mut config = crate::api::fixture::config();
    let mut redact = Redact::default();
    redact.add("email").unwrap();
    config.redactions.everywhere = redact;
    browser.scene.config.store(config.into());
    let id = browser.scene.accept("stripe", "payment.ok", br#"{"email":"jane@example.com","n":7}"#).await;
    for path in [
        format!("/events/{id}"),
        format!("/events/{id}?body=raw"),
        format!("/events/{id}?body=bytes"),
        format!("/events/{id}/body"),
    ] {
        let shown = browser.get(&path).await.html;
        assert!(!shown.contains("jane") && !shown.contains("6a 61 6e 65"), "{path}: {shown}");
        assert!(shown.contains("redacted") || shown.contains("72 65 64"), "{path}: {shown}");
    }
    assert!(browser.get("/events?text=jane").await.html.contains("Nothing was found."));
}

#[tokio::test]
async fn the_live_page_names_its_stream_and_the_stream_begins() {
    let mut browser = Browser::new().await;
    let page = browser.get("/events/live?source=stripe&destination=billing").await;
    assert!(page.html.contains("data-stream=\"/events/live/stream?kind=attempt&#38;source=stripe"), "{}", page.html);
    let head = browser.head_of("/events/live/stream?source=stripe").await;
    assert_eq!((head.0, &head.1[header::CONTENT_TYPE]), (StatusCode::OK, &"text/event-stream".parse().unwrap()));
    assert_eq!(browser.get("/events/live/stream?after=odd").await.status, StatusCode::BAD_REQUEST);
}
