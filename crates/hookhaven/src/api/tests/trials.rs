//! Trying things out: test requests to destinations, sample events to sources; and what destinations and sources say of
//! what went on lately.

use std::{sync::Arc, time::Duration};

use hookhaven_core::{ErrorClass, Time};
use hookhaven_store::clock::Clock;
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    api::fixture::{Scene, Scripted},
    sample::NoAnswer,
    stats::{Recorder, keep::Keep},
    trials::NotBrought,
};

fn scene_with(scripted: Scripted) -> (Scene, Arc<Scripted>) {
    let scripted = Arc::new(scripted);
    (Scene::with_trials(scripted.clone()), scripted)
}

async fn tried(destination: Result<StatusCode, (ErrorClass, &'static str)>) -> Value {
    let (scene, _) = scene_with(Scripted { destination, ..Scripted::default() });
    let got = scene.post("/api/v1/destinations/billing/test", json!({})).await;
    assert_eq!(got.status, StatusCode::OK);
    assert!(!String::from_utf8_lossy(&got.body).contains("s3cret"));
    assert!(!String::from_utf8_lossy(&got.body).contains("hunter2"));
    got.json()
}

#[tokio::test]
async fn a_destination_that_answers_is_fine_with_phases_and_answer() {
    let view = tried(Ok(StatusCode::NO_CONTENT)).await;
    assert_eq!((&view["ok"], &view["status"], &view["class"]), (&json!(true), &json!(204), &json!("ok")));
    assert_eq!(
        (&view["mend"], &view["signed"], &view["response_excerpt"]),
        (&json!(null), &json!(true), &json!("thanks"))
    );
    assert_eq!((&view["phases"]["connect_us"], &view["duration_us"]), (&json!(80), &json!(12_000)));
    assert_eq!(view["url"], "http://127.0.0.1:3000/billing?…");
}

#[tokio::test]
async fn whatever_goes_wrong_has_a_class_and_a_mend() {
    for (result, class, said) in [
        (Err((ErrorClass::Connect, "connection refused")), "connect", "start the handler"),
        (Err((ErrorClass::Timeout, "no answer")), "timeout", "timeout = \"10s\""),
        (Err((ErrorClass::Dns, "unknown")), "dns", "host in url under [destinations.billing]"),
        (Ok(StatusCode::UNAUTHORIZED), "http_4xx", "verify the signature"),
        (Ok(StatusCode::NOT_FOUND), "http_4xx", "correct the path"),
        (Ok(StatusCode::FOUND), "http_3xx", "redirects are never followed"),
        (Ok(StatusCode::TOO_MANY_REQUESTS), "rate_limited", "rate = "),
        (Ok(StatusCode::BAD_GATEWAY), "http_5xx", "handler's own log"),
    ] {
        let view = tried(result).await;
        assert_eq!((&view["ok"], &view["class"]), (&json!(false), &json!(class)));
        assert!(view["mend"].as_str().unwrap().contains(said), "{view}");
        assert!(!view["error"].as_str().unwrap().is_empty(), "{view}");
    }
}

#[tokio::test]
async fn what_is_tried_is_known_has_a_limit_and_is_written_down() {
    let (scene, _) = scene_with(Scripted::default());
    let test = async || scene.post("/api/v1/destinations/billing/test", json!({})).await;
    assert_eq!(scene.post("/api/v1/destinations/no/test", json!({})).await.code(), "destination_not_found");
    for _ in 0..30 {
        assert_eq!(test().await.status, StatusCode::OK);
    }
    let refused = test().await;
    assert_eq!((refused.code().as_str(), &refused.headers["retry-after"]), ("too_many_trials", &"60".parse().unwrap()));
    scene.clock.advance(Duration::from_secs(60));
    assert_eq!(test().await.status, StatusCode::OK);
    let audit = scene.get("/api/v1/audit?action=destinations.test&subject=billing").await.json();
    assert_eq!(audit["items"][0]["after"], json!({ "ok": true, "status": 200, "class": "ok" }));
    let bare = Scene::new();
    assert_eq!(bare.post("/api/v1/destinations/billing/test", json!({})).await.code(), "no_gateway");
    assert_eq!(bare.post("/api/v1/sources/stripe/sample", json!({})).await.code(), "no_gateway");
}

#[tokio::test]
async fn a_sample_is_signed_brought_and_found_again_as_an_event() {
    let (scene, scripted) = scene_with(Scripted::default());
    let got = scene.post("/api/v1/sources/stripe/sample", json!({ "type": "payment.paid" })).await.json();
    let (source, signed) = scripted.brought.lock().unwrap().remove(0);
    assert_eq!((source.as_str(), signed.headers[0].1.starts_with("source-s3cret:")), ("stripe", true));
    assert!(String::from_utf8_lossy(&signed.body).contains("\"payment.paid\""));
    assert_eq!(
        (&got["ok"], &got["status"], &got["event"]),
        (&json!(true), &json!(200), &json!(null)),
        "nobody stored it"
    );
    // Found again by the id that the sender put into the body.
    let body: Value = serde_json::from_slice(&signed.body).unwrap();
    assert!(body["id"].as_str().is_some_and(|id| !id.is_empty()), "{body}");
    assert_eq!(got["idempotency_key"], body["id"]);
}

#[tokio::test]
async fn a_sample_that_is_refused_says_the_mend() {
    for (source, status, said) in [
        (Ok(StatusCode::UNAUTHORIZED), json!(401), "rejected list --source stripe"),
        (Ok(StatusCode::SERVICE_UNAVAILABLE), json!(503), "/readyz"),
        (Err(NotBrought::NoAnswer(NoAnswer::Nobody("http://h/".into()))), json!(null), "ingest address"),
    ] {
        let (scene, _) = scene_with(Scripted { source, ..Scripted::default() });
        let got = scene.post("/api/v1/sources/stripe/sample", json!({})).await.json();
        assert_eq!((&got["ok"], &got["status"]), (&json!(false), &status));
        assert!(got["mend"].as_str().unwrap().contains(said), "{got}");
    }
    let (scene, _) = scene_with(Scripted { source: Err(NotBrought::NoDoor), ..Scripted::default() });
    let sample = async |of: &str, body: Value| scene.post(&format!("/api/v1/sources/{of}/sample"), body).await.code();
    assert_eq!(sample("stripe", json!({})).await, "no_ingest");
    assert_eq!(sample("strip", json!({})).await, "source_not_found");
    assert_eq!(sample("stripe", json!({ "type": " " })).await, "bad_body");
    assert_eq!(sample("stripe", json!({ "type": "x".repeat(129) })).await, "bad_body");
}

#[tokio::test]
async fn senders_that_only_themselves_can_sign_are_said_to_be_so() {
    let (scene, scripted) = scene_with(Scripted::default());
    let mut config = crate::api::fixture::config();
    let mut source = (*config.sources["stripe"]).clone();
    let known = hookhaven_core::senders::find("sendgrid").unwrap();
    source.sender = known.build(&Default::default()).unwrap();
    config.sources.insert("stripe".into(), Arc::new(source));
    scene.config.store(Arc::new(config));
    let got = scene.post("/api/v1/sources/stripe/sample", json!({})).await;
    assert_eq!(got.code(), "cannot_sign");
    let detail = got.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("only the sender can sign") && detail.contains("hookhaven senders sendgrid"), "{detail}");
    assert!(scripted.brought.lock().unwrap().is_empty());
}

/// Counts into the store what went on in the last two minutes.
async fn count(scene: &Scene, minutes: usize, each: impl Fn(&Recorder)) {
    let recorder = Arc::new(Recorder::default());
    let keep = Keep::new(recorder.clone(), scene.store.clone(), Arc::new(scene.clock.clone()), &*scene.entropy);
    for _ in 0..minutes {
        each(&recorder);
        keep.note().await;
        scene.clock.advance(Duration::from_secs(60));
    }
}

#[tokio::test]
async fn a_destination_says_how_fast_it_is_and_when_its_backlog_is_gone() {
    let scene = Scene::new();
    count(&scene, 2, |recorder| {
        for _ in 0..60 {
            recorder.attempt("stripe", "billing", "delivered", Duration::from_millis(20));
        }
    })
    .await;
    for _ in 0..12 {
        scene.accept("stripe", "payment.paid", b"{}").await;
    }
    let view = scene.get("/api/v1/destinations/billing").await.json();
    assert_eq!((&view["depth"], &view["drain_s"]), (&json!(12), &json!(12)));
    let hour = &view["last_hour"];
    assert_eq!((&hour["attempts"], &hour["delivered"], &hour["ended_per_s"]), (&json!(120), &json!(120), &json!(1.0)));
    assert!(hour["p99_ms"].as_f64().is_some_and(|ms| (18.0..22.0).contains(&ms)), "{hour}");
    assert_eq!((&view["signed"], &view["breaker_failures"], &view["rate"]), (&json!(true), &json!(10), &json!(null)));
    let idle = scene.get("/api/v1/destinations/mail").await.json();
    assert_eq!((&idle["drain_s"], &idle["last_hour"]["p50_ms"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn a_source_says_where_to_post_how_to_set_it_up_and_what_came_lately() {
    let scene = Scene::new();
    count(&scene, 1, |recorder| {
        recorder.received("stripe", Duration::from_millis(3));
        recorder.rejected("stripe");
    })
    .await;
    for event_type in ["b.one", "a.two", "a.two"] {
        scene.accept("stripe", event_type, b"{}").await;
    }
    let last: Time = scene.clock.now();
    let view = scene.get("/api/v1/sources/stripe").await.json();
    assert_eq!(
        (&view["url"], &view["url_is_public"]),
        (&json!("http://127.0.0.1:8080/webhooks/stripe"), &json!(false))
    );
    assert_eq!((&view["last_event_at"], &view["setup"]), (&json!(last), &json!(null)), "a sender of the tests");
    assert_eq!((&view["last_hour"]["received"], &view["last_hour"]["rejected"]), (&json!(1), &json!(1)));
    let types: Vec<_> =
        view["types"].as_array().unwrap().iter().map(|t| (t["type"].clone(), t["count"].clone())).collect();
    assert_eq!(types, [(json!("a.two"), json!(2)), (json!("b.one"), json!(1))]);
    let list = scene.get("/api/v1/sources").await.json();
    let of = |n: usize| (list["items"][n]["name"].clone(), list["items"][n]["last_event_at"].clone());
    assert_eq!([of(0), of(1)], [(json!("github"), json!(null)), (json!("stripe"), json!(last))]);
}
