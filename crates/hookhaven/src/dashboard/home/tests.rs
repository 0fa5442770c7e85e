//! What the overview shows of an empty gateway, and of one where something fails; to whom it offers what.

use std::{sync::Arc, time::Duration};

use hookhaven_core::{ErrorClass, Time};
use hookhaven_store::{Next, clock::Clock as _};
use http::StatusCode;
use serde_json::Value;

use crate::{
    api::fixture::TOKEN,
    dashboard::tests::Browser,
    stats::{MINUTE, Recorder, keep::Keep},
};

fn now(browser: &Browser) -> Time {
    browser.scene.clock.now()
}

/// What the charts' script gets.
fn data(html: &str) -> Value {
    let from = html.split_once("id=\"charts-data\" data-live>").unwrap().1;
    serde_json::from_str(from.split_once("</script>").unwrap().0).unwrap()
}

/// A minute in which events came, and half of what went to a destination failed.
async fn minute(browser: &Browser, destination: &str) {
    let scene = &browser.scene;
    let recorder = Arc::new(Recorder::default());
    let clock = Arc::new(scene.clock.clone());
    let keep = Keep::new(recorder.clone(), scene.store.clone(), clock, &*scene.entropy);
    for _ in 0..300 {
        recorder.received("stripe", Duration::from_millis(4));
        recorder.attempt("stripe", destination, "delivered", Duration::from_millis(7));
        recorder.end_to_end("stripe", destination, Duration::from_millis(40));
        recorder.attempt("stripe", destination, "dead", Duration::from_secs(1));
    }
    keep.note().await;
    scene.clock.advance(MINUTE);
}

#[tokio::test]
async fn an_empty_gateway_shows_what_to_do_next() {
    let mut browser = Browser::new().await;
    let shown = browser.get("/").await;
    assert_eq!(shown.status, StatusCode::OK);
    for said in ["Nothing has come in yet", "hookhaven trigger github TYPE", "/webhooks/stripe", "Send a sample event"]
    {
        assert!(shown.html.contains(said), "{said}: {}", shown.html);
    }
    let mut config = crate::config::Config::clone(&browser.scene.config.load());
    config.sources.clear();
    browser.scene.config.store(Arc::new(config));
    let shown = browser.get("/").await;
    assert!(shown.html.contains("Nothing is set up yet") && shown.html.contains("[sources.stripe]"), "{}", shown.html);
    browser.scene.accept("stripe", "payment.succeeded", b"{}").await;
    assert!(!browser.get("/").await.html.contains("Nothing is set up yet"));
}

#[tokio::test]
async fn a_destination_that_fails_is_one_click_from_its_dead_letters() {
    let mut browser = Browser::new().await;
    minute(&browser, "billing").await;
    browser.scene.accept("stripe", "payment.succeeded", b"{}").await;
    assert_eq!(browser.scene.kill("billing").await, 1);
    browser.scene.accept("stripe", "invoice.paid", b"{}").await;
    let due_at = now(&browser).plus(Duration::from_secs(60));
    browser.scene.settle("mail", ErrorClass::Timeout, None, Next::Retry { due_at }).await;
    let shown = browser.get("/?range=1h").await;
    for said in [
        "href=\"/dead-letters?destination=billing\"",
        "href=\"/events?destination=billing&#38;range=1h\"",
        "50.0%",
        // Its breaker is open in the fixture.
        "<span class=\"badge bad\">breaker open</span>",
        "300 in this span",
    ] {
        assert!(shown.html.contains(said), "{said}: {}", shown.html);
    }
    let (billing, mail) = (shown.html.find("destination=billing"), shown.html.find("destination=mail"));
    assert!(billing < mail, "the worst comes first");
    assert!(!shown.html.contains("Nothing has come in yet"));
}

#[tokio::test]
async fn charts_have_their_figures_in_the_page_and_as_tables() {
    let mut browser = Browser::new().await;
    minute(&browser, "billing").await;
    let shown = browser.get("/?range=1h").await;
    let data = data(&shown.html);
    let ids: Vec<_> = data["charts"].as_array().unwrap().iter().map(|chart| chart["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["arrivals", "attempts", "answers", "end-to-end", "waiting"]);
    for id in ids {
        assert!(shown.html.contains(&format!("data-chart=\"{id}\"")), "{id}");
    }
    let arrivals = &data["charts"][0];
    assert_eq!((&arrivals["unit"], &data["step"]), (&"/s".into(), &60.into()));
    let values = arrivals["lines"][0]["values"].as_array().unwrap();
    assert_eq!(values.iter().filter_map(Value::as_f64).fold(0.0, f64::max), 5.0);
    assert_eq!(values.last(), Some(&Value::Null), "of several nodes the minute under way is not known");
    let table = shown.html.split_once("class=\"figures\"").unwrap().1;
    let link = table.split("<tr><td><a href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
    assert!(link.starts_with("/events?since=2026-") && link.contains("&until=2026-"), "{link}");
}

#[tokio::test]
async fn what_has_just_happened_is_shown_in_the_first_minute() {
    let mut browser = Browser::new().await;
    let recorder = Recorder::default();
    for _ in 0..30 {
        recorder.received("stripe", Duration::from_millis(4));
        recorder.attempt("stripe", "billing", "dead", Duration::from_millis(7));
    }
    *browser.scene.signals.under_way.lock().unwrap() = Some(recorder.so_far());
    let shown = browser.get("/?range=1h").await;
    for said in ["30 in this span", "arrival to answer, p95", "100.0%"] {
        assert!(shown.html.contains(said), "{said}: {}", shown.html);
    }
    // Twenty seconds of it are over.
    let arrivals = &data(&shown.html)["charts"][0];
    assert_eq!((&arrivals["unit"], arrivals["lines"][0]["values"][60].as_f64()), (&"/min".into(), Some(90.0)));
}

#[tokio::test]
async fn dead_letters_are_led_to_whatever_span_is_looked_at() {
    let mut browser = Browser::new().await;
    browser.scene.accept("stripe", "payment.succeeded", b"{}").await;
    assert_eq!(browser.scene.kill("billing").await, 1);
    browser.scene.clock.advance(Duration::from_secs(20 * 86_400));
    // No session lasts for so long.
    assert_eq!(browser.post("/sign-in", &format!("token={TOKEN}")).await.status, StatusCode::SEE_OTHER);
    let now = now(&browser);
    let (since, until) = (now.minus(Duration::from_secs(600)), now.minus(Duration::from_secs(300)));
    for span in ["range=1h".to_owned(), format!("since={since}&until={until}")] {
        let shown = browser.get(&format!("/?{span}")).await;
        for link in ["href=\"/dead-letters\"", "href=\"/dead-letters?destination=billing\""] {
            assert!(shown.html.contains(link), "{link} with {span}: {}", shown.html);
        }
        let letters = browser.get("/dead-letters?destination=billing").await;
        assert!(letters.html.contains("payment.succeeded"), "with {span}: {}", letters.html);
    }
}

#[tokio::test]
async fn what_was_drawn_over_is_looked_at() {
    let mut browser = Browser::new().await;
    minute(&browser, "billing").await;
    let now = now(&browser);
    let (since, until) = (now.minus(Duration::from_secs(600)), now.minus(Duration::from_secs(300)));
    let shown = browser.get(&format!("/?since={since}&until={until}")).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert!(!shown.html.contains("aria-current=\"true\""), "no named span is chosen");
    assert!(shown.html.contains(&format!("href=\"/events?since={}", since.to_string().replace(':', "%3A"))));
    let long_ago = now.minus(Duration::from_secs(60 * 86_400));
    let shown = browser.get(&format!("/?since={long_ago}&until={now}")).await;
    assert_eq!(shown.status, StatusCode::BAD_REQUEST);
    assert!(shown.html.contains("35 days") && shown.html.contains("aria-label=\"Main\""), "{}", shown.html);
}

#[tokio::test]
async fn a_sample_event_is_seen_to_arrive_and_is_text_whatever_it_says() {
    let mut browser = Browser::new().await;
    let id = browser.scene.accept("stripe", "payment.<script>alert(1)</script>", b"{}").await;
    let shown = browser.get(&format!("/?sample={id}")).await;
    assert!(shown.html.contains("The sample event arrived") && shown.html.contains(&id.to_string()), "{}", shown.html);
    assert!(shown.html.contains("badge wait\">pending") && !shown.html.contains("<script>alert"), "{}", shown.html);
    for none in ["evt_00000000000000000000000000", "nonsense"] {
        let shown = browser.get(&format!("/?sample={none}")).await;
        assert!(shown.status == StatusCode::OK && !shown.html.contains("The sample event arrived"), "{none}");
    }
}

#[tokio::test]
async fn who_may_only_look_is_offered_no_sample() {
    let mut browser = Browser::signed_out();
    let made = serde_json::json!({ "name": "reader", "scopes": ["read"] });
    let made = browser.scene.post("/api/v1/tokens", made).await.json();
    let signed_in = browser.post("/sign-in", &format!("token={}", made["token"].as_str().unwrap())).await;
    assert_eq!(signed_in.status, StatusCode::SEE_OTHER);
    let shown = browser.get("/").await;
    assert!(
        shown.html.contains("Nothing has come in yet") && !shown.html.contains("Send a sample event<"),
        "{}",
        shown.html
    );
    assert_eq!(browser.post("/start/sample", "source=stripe").await.status, StatusCode::FORBIDDEN);
}
