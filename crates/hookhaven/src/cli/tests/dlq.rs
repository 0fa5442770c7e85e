//! Dead letters, and what asks before it acts.

use super::typed;
use crate::{
    api::fixture::{Scene, route},
    cli::UsageError,
};

/// Three dead letters at `billing`, one at `mail`.
async fn four_dead() -> Scene {
    let scene = Scene::new();
    for _ in 0..3 {
        scene.accept("stripe", "payment.failed", b"{\"amount\": 12}").await;
    }
    scene.accept("stripe", "invoice.paid", b"{}").await;
    assert_eq!(scene.kill("billing").await + scene.kill("mail").await, 4);
    scene
}

async fn left(scene: &Scene) -> usize {
    scene.get("/api/v1/dead-letters").await.ids().len()
}

#[tokio::test]
async fn a_dead_letter_is_listed_and_shown_with_what_a_person_needs() {
    let scene = four_dead().await;
    let out = typed(&scene, "dlq list --destination billing", None).await.done();
    assert_eq!(out.lines().count(), 4, "a head and three: {out}");
    assert!(out.contains("it said \\u{1b}[31mno"), "{out}");
    let list = typed(&scene, "dlq list --json --type payment.failed --limit 1", None).await.json();
    let letter = &list["items"][0];
    let (id, event) = (letter["id"].as_str().unwrap(), letter["event"].as_str().unwrap());
    let out = typed(&scene, &format!("dlq show {id}"), None).await.done();
    for want in [
        "sender         test-sender (source stripe)",
        &format!("event          {event}"),
        "type           payment.failed",
        "last error     503 it said \\u{1b}[31mno",
        "failed at      2026-09-21T14:13:20Z (now)",
        "{\"amount\": 12}",
    ] {
        assert!(out.contains(want), "{want}: {out}");
    }
    let json = typed(&scene, &format!("dlq show {id} --json"), None).await.json();
    assert_eq!((&json["sender"], &json["payload"]), (&"test-sender".into(), &"{\"amount\": 12}".into()));
}

#[tokio::test]
async fn by_filter_it_says_how_many_and_asks() {
    let scene = four_dead().await;
    let no = typed(&scene, "dlq replay --destination billing", Some(false)).await;
    assert_eq!((no.code.unwrap(), left(&scene).await), (1, 4));

    let nobody = typed(&scene, "dlq replay --destination billing", None).await.code.unwrap_err();
    assert!(nobody.is::<UsageError>(), "exit code 2");
    assert!(nobody.to_string().contains("Replay 3 dead letters?") && nobody.to_string().contains("--yes"));
    assert_eq!(left(&scene).await, 4);

    let out = typed(&scene, "dlq replay --destination billing", Some(true)).await.done();
    assert_eq!((out.as_str(), left(&scene).await), ("3 dead letters replayed.\n", 1));
    let out = typed(&scene, "dlq dismiss --all --yes", None).await.done();
    assert_eq!((out.as_str(), left(&scene).await), ("1 dead letter dismissed.\n", 0));
    let none = typed(&scene, "dlq dismiss --all", None).await;
    assert_eq!((none.code.unwrap(), none.err.as_str()), (0, "No dead letter matches; nothing was done.\n"));
}

#[tokio::test]
async fn by_filter_it_goes_on_past_one_request() {
    let scene = Scene::new();
    for _ in 0..crate::api::BULK_DELIVERIES_MAX + 3 {
        scene.accept("stripe", "payment.failed", b"{}").await;
    }
    scene.kill("billing").await;
    let got = typed(&scene, "dlq dismiss --all --yes --json", None).await.json();
    assert_eq!((got["done"].as_u64(), left(&scene).await), (Some(5_003), 0));
}

#[tokio::test]
async fn by_id_it_does_not_ask() {
    let scene = four_dead().await;
    let ids = scene.get("/api/v1/dead-letters").await.ids();
    let out = typed(&scene, &format!("dlq replay {} {}", ids[0], ids[1]), None).await.done();
    assert_eq!((out.as_str(), left(&scene).await), ("2 dead letters replayed.\n", 2));
    let ran = typed(&scene, &format!("dlq dismiss {} dlv_00000000000000000000000000", ids[0]), None).await;
    assert_eq!(ran.code.unwrap(), 1);
    assert!(ran.err.contains("1: had been replayed or dismissed before.") && ran.err.contains("1: unknown."));
}

#[tokio::test]
async fn groups_are_shown_and_one_of_them_is_acted_on() {
    let scene = Scene::new();
    let none = typed(&scene, "dlq groups", None).await;
    assert_eq!((none.code.unwrap(), none.err.as_str()), (0, "None.\n"));
    for (answer, n) in [("no such order 1", 2), ("out of memory", 1)] {
        for _ in 0..n {
            scene.accept("stripe", "payment.failed", b"{}").await;
        }
        scene.kill_saying(answer, "billing").await;
    }
    let out = typed(&scene, "dlq groups --destination billing", None).await.done();
    assert_eq!(out.lines().count(), 3, "a head and two: {out}");
    let orders = out.lines().nth(1).unwrap();
    assert!(orders.contains("2 (critical)") && orders.contains("no such order …"), "{out}");
    let group = orders.split_whitespace().next().unwrap();
    let json = typed(&scene, "dlq groups --json --limit 1", None).await.json();
    assert_eq!((&json["items"][0]["id"], &json["group_count"]), (&group.into(), &2.into()));
    let listed = typed(&scene, &format!("dlq list --group {group} --json"), None).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let asked = typed(&scene, &format!("dlq replay --group {group}"), None).await.code.unwrap_err();
    assert!(asked.to_string().contains("Replay 2 dead letters?"), "{asked}");
    let out = typed(&scene, &format!("dlq dismiss --group {group} --yes"), None).await.done();
    assert_eq!((out.as_str(), left(&scene).await), ("2 dead letters dismissed.\n", 1));
}

#[tokio::test]
async fn deliveries_replay_by_filter_is_for_dead_ones() {
    let scene = four_dead().await;
    scene.accept("stripe", "payment.failed", b"{}").await;
    let out = typed(&scene, "deliveries replay --destination billing --yes", None).await.done();
    assert_eq!((out.as_str(), left(&scene).await), ("3 dead letters replayed.\n", 1));
}

#[tokio::test]
async fn events_are_replayed_by_id_and_by_filter() {
    let scene = four_dead().await;
    let push = scene.accept("github", "push", b"{}").await;
    let ran = typed(&scene, &format!("events replay {push}"), None).await;
    assert_eq!(ran.code.unwrap(), 1);
    assert!(ran.err.contains("no route of source"), "{}", ran.err);

    let mut config = (**scene.config.load()).clone();
    config.routes.push(route("github#1", "github", "*", "mail", false));
    scene.config.store(config.into());
    let out = typed(&scene, "events replay --unrouted --yes", None).await.done();
    assert_eq!(out, "0 dead letters replayed, 1 delivery made for unrouted events.\n");

    let asked = typed(&scene, "events replay --source stripe", None).await.code.unwrap_err();
    assert!(asked.is::<UsageError>() && asked.to_string().contains("4 events"), "{asked}");
    let got = typed(&scene, "events replay --source stripe --yes --json", None).await.json();
    assert_eq!((&got["replayed"], left(&scene).await), (&4.into(), 0));
}
