//! Lists and single things.

use axum::body::Body;
use serde_json::json;

use super::{run, serve, typed};
use crate::{
    api::fixture::{Scene, TOKEN},
    cli::client::{Client, Refusal},
};

#[tokio::test]
async fn events_are_listed_with_their_filters() {
    let scene = Scene::new();
    let paid = scene.accept("stripe", "payment.paid", b"{}").await.to_string();
    let push = scene.accept("github", "push", b"{}").await.to_string();
    let out = typed(&scene, "events list", None).await.done();
    assert!(out.contains(&paid) && out.contains(&push), "{out}");
    let out = typed(&scene, "events list --unrouted --since 1h", None).await.done();
    assert!(!out.contains(&paid) && out.contains(&push) && out.contains("unrouted"), "{out}");
    let ran = typed(&scene, "events list --source nothing", None).await;
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", "No such events.\n"));
}

#[tokio::test]
async fn json_is_the_apis_and_spans_its_pages() {
    let scene = Scene::new();
    for _ in 0..620 {
        scene.accept("github", "push", b"{}").await;
    }
    let got = typed(&scene, "events list --json --limit 600", None).await.json();
    let items = got["items"].as_array().unwrap();
    assert_eq!(items.len(), 600);
    assert_eq!(got["next"], items[599]["id"]);
    let rest = format!("events list --json --limit 600 --after {}", got["next"].as_str().unwrap());
    let got = typed(&scene, &rest, None).await.json();
    assert_eq!((got["items"].as_array().unwrap().len(), &got["next"]), (20, &json!(null)));
}

#[tokio::test]
async fn what_a_sender_sent_cannot_act_on_the_terminal() {
    let scene = Scene::new();
    let id = scene.accept("github", "evil\u{1b}[2J\u{202e}\u{9b}", b"\x1b]0;owned\x07 \xff ok").await;
    for line in ["events list".to_owned(), format!("events show {id}"), format!("why {id}")] {
        for line in [line.clone(), format!("{line} --json")] {
            let out = typed(&scene, &line, None).await.done();
            assert!(out.contains("evil"), "{line}: {out}");
            let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!out.contains(acts), "{line}: {out:?}");
        }
    }
}

#[tokio::test]
async fn an_event_is_shown_and_its_body_comes_as_it_was() {
    let scene = Scene::new();
    let id = scene.accept("stripe", "payment.failed", b"{\"a\":\n 1}").await;
    scene.kill("billing").await;
    let out = typed(&scene, &format!("events show {id}"), None).await.done();
    for want in ["stripe (test-sender)", "payment.failed", "authorization: [redacted]", "9 bytes", "dead to billing"] {
        assert!(out.contains(want), "{want}: {out}");
    }
    let out = typed(&scene, &format!("events show {id} --body"), None).await.done();
    assert_eq!(out, "{\"a\":\n 1}");
    let ran = typed(&scene, "events show evt_00000000000000000000000000", None).await;
    assert!(ran.code.unwrap_err().downcast::<Refusal>().unwrap().0.code == "event_not_found");
}

#[tokio::test]
async fn an_event_is_found_by_the_id_its_sender_knows_it_by() {
    let scene = Scene::new();
    let id = scene.accept("stripe", "payment.failed", b"{}").await;
    scene.accept("stripe", "payment.failed", b"{\"other\":1}").await;
    let key = typed(&scene, &format!("events show {id} --json"), None).await.json()["idempotency_key"].clone();
    let key = key.as_str().unwrap();
    for line in [format!("events show {key}"), format!("why {key}")] {
        assert!(typed(&scene, &line, None).await.done().contains(&id.to_string()), "{line}");
    }
    let ran = typed(&scene, "why evt_nobody_knows", None).await;
    assert!(ran.code.unwrap_err().to_string().contains("there is no event evt_nobody_knows"));
}

#[tokio::test]
async fn a_delivery_is_shown_with_its_attempts_and_replayed() {
    let scene = Scene::new();
    scene.accept("stripe", "payment.failed", b"{}").await;
    scene.kill("billing").await;
    let list = typed(&scene, "deliveries list --json --state dead --class http_5xx", None).await.json();
    let id = list["items"][0]["id"].as_str().unwrap().to_owned();
    assert!(typed(&scene, "deliveries list --destination billing", None).await.done().contains("503"));
    let out = typed(&scene, &format!("deliveries show {id}"), None).await.done();
    for want in ["attempt 1: 503 after 12 ms", "it said \\u{1b}[31mno", "down for \\xff", "(exhausted)"] {
        assert!(out.contains(want), "{want}: {out}");
    }
    let out = typed(&scene, &format!("deliveries replay {id}"), None).await.done();
    assert!(out.contains("is replayed as dlv_"), "{out}");
    let out = typed(&scene, &format!("deliveries replay {id}"), None).await.done();
    assert!(out.contains("had been replayed before"), "{out}");
    let pending = typed(&scene, "deliveries list --json --state pending", None).await.json();
    let line = format!("deliveries replay {}", pending["items"][0]["id"].as_str().unwrap());
    let ran = typed(&scene, &line, None).await;
    assert_eq!(ran.code.unwrap(), 1);
    assert!(ran.err.contains("still to be delivered"), "{}", ran.err);
}

#[tokio::test]
async fn destinations_are_paused_and_resumed() {
    let scene = Scene::new();
    scene.accept("stripe", "payment.failed", b"{}").await;
    let out = typed(&scene, "destinations pause billing", None).await.done();
    assert_eq!(out, "billing is paused; 1 event waiting.\n");
    let out = typed(&scene, "destinations list", None).await.done();
    for want in ["paused by operator", "open, probe", "disabled", "http://127.0.0.1:3000/billing?…"] {
        assert!(out.contains(want), "{want}: {out}");
    }
    let out = typed(&scene, "destinations resume billing", None).await.done();
    assert_eq!(out, "billing is active; 1 event to be delivered.\n");
    let error = typed(&scene, "destinations resume ../../status", None).await.code.unwrap_err();
    assert!(error.to_string().contains("there is no destination"), "{error}");
}

#[tokio::test]
async fn the_token_goes_along_and_a_wrong_one_is_explained() {
    let scene = Scene::new();
    let served = serve(scene.router.clone()).await;
    let wrong = Client::remote(&served.url, hookhaven_core::Secret::new("wrong")).unwrap();
    let error = run(&wrong, &scene, "events list", None).await.code.unwrap_err().to_string();
    assert!(error.contains("refuses this token") && !error.contains("wrong\""), "{error}");
    let none = Client::remote(&served.url, None).unwrap();
    let error = run(&none, &scene, "events list", None).await.code.unwrap_err().to_string();
    assert!(error.contains("--token"), "{error}");
    assert_eq!(
        scene
            .send("GET", "/api/v1/events", &[("authorization", &format!("Bearer {TOKEN}"))], Body::empty())
            .await
            .status,
        200
    );
}
