//! Jobs over the memory store, on a clock that stands still: nothing is waited for but what is in the store.

mod groups;
mod late;
mod runners;

use std::{sync::Arc, time::Duration};

use hookhaven_core::{DeliveryId, ErrorClass, EventId, Lane, event::ALERTS};
use hookhaven_store::{
    DeliveryFilter, DeliveryRow, NewDelivery, Next, Page, Routed, Store, StoreError,
    clock::Clock,
    faulty::{Faulty, Verb, When},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Act, Job, JobError, JobFilter, Jobs, Of, Order, Want, step, walk::Walk};
use crate::{
    api::fixture::{Scene, route},
    config::Config,
};

/// Far more turns than anything here needs.
const TURNS_MAX: usize = 200_000;

async fn payments(scene: &Scene, n: usize) -> Vec<EventId> {
    let mut events = Vec::new();
    for _ in 0..n {
        events.push(scene.accept("stripe", "payment.failed", b"{}").await);
    }
    events
}

async fn dead(n: usize) -> Scene {
    let scene = Scene::new();
    payments(&scene, n).await;
    assert_eq!(scene.kill("billing").await, n);
    scene
}

async fn ask(scene: &Scene, order: Value) -> String {
    let got = scene.post("/api/v1/jobs", order).await;
    assert_eq!(got.status, 201, "{}", got.json());
    got.json()["id"].as_str().unwrap().to_owned()
}

async fn until(scene: &Scene, id: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    for _ in 0..TURNS_MAX {
        last = scene.get(&format!("/api/v1/jobs/{id}")).await.json();
        if holds(&last) {
            return last;
        }
        tokio::task::yield_now().await;
    }
    panic!("waited in vain; it stays {last:#}");
}

async fn ended(scene: &Scene, id: &str) -> Value {
    until(scene, id, |job| !job["ended_at"].is_null()).await
}

async fn rows(scene: &Scene, filter: DeliveryFilter) -> Vec<DeliveryRow> {
    scene.store.deliveries(&filter, Page::first(10_000)).await.unwrap()
}

async fn pending(scene: &Scene, destination: &str) -> usize {
    let destination = Some(destination.to_owned());
    let state = Some(hookhaven_core::DeliveryState::Pending);
    rows(scene, DeliveryFilter { destination, state, ..DeliveryFilter::default() }).await.len()
}

async fn dead_letters(scene: &Scene) -> usize {
    rows(scene, DeliveryFilter { dead_letters: true, ..DeliveryFilter::default() }).await.len()
}

#[tokio::test]
async fn a_dry_run_counts_and_touches_nothing() {
    let scene = dead(7).await;
    scene.accept("stripe", "invoice.paid", b"{}").await;
    scene.kill("mail").await;
    let id = ask(&scene, json!({"act": "replay", "dry_run": true, "filter": {"type": "payment.*"}})).await;
    let job = ended(&scene, &id).await;
    assert_eq!((&job["state"], &job["matched"], &job["done"]), (&"done".into(), &7.into(), &0.into()));
    assert_eq!(dead_letters(&scene).await, 8);
}

#[tokio::test]
async fn dead_letters_are_replayed_once_and_what_dies_again_is_left() {
    let scene = dead(1_205).await;
    let id = ask(&scene, json!({"act": "replay", "filter": {"source": "stripe"}})).await;
    let job = ended(&scene, &id).await;
    assert_eq!((&job["matched"], &job["done"]), (&1_205.into(), &1_205.into()), "{job:#}");
    assert_eq!((pending(&scene, "billing").await, dead_letters(&scene).await), (1_205, 0));
    // The clock stands still: these died no later than the first did, and still nobody asked about them.
    scene.kill("billing").await;
    let job = super::kept::all(&*scene.store).await.unwrap().remove(0);
    let page = Walk::DeadLetters.page(&*scene.store, &job.spec, None, 500).await.unwrap();
    assert!(page.rows.iter().all(|row| row.items.is_empty()));
}

#[tokio::test]
async fn an_event_goes_elsewhere_marked_as_the_jobs() {
    let scene = dead(3).await;
    let order = json!({"act": "replay", "of": "events", "to": "mail", "filter": {"type": "payment.*"}});
    let id = ask(&scene, order.clone()).await;
    assert_eq!(ended(&scene, &id).await["done"], 3);
    let sent = rows(&scene, DeliveryFilter { destination: Some("mail".into()), ..DeliveryFilter::default() }).await;
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|row| *row.delivery.route == format!("replay/{id}")));
    let shown = scene.get(&format!("/api/v1/deliveries/{}", sent[0].delivery.id)).await.json();
    assert_eq!(shown["job"], *id);
    // Another job is another wish.
    let again = ask(&scene, order).await;
    assert_eq!(ended(&scene, &again).await["done"], 3);
    assert_eq!(pending(&scene, "mail").await, 6);
    assert_eq!(dead_letters(&scene).await, 3, "they are not replaced by what goes elsewhere");
}

#[tokio::test]
async fn events_are_replayed_where_they_were_delivered_or_died() {
    let scene = Scene::new();
    payments(&scene, 2).await;
    scene.settle("billing", ErrorClass::Ok, Some(200), Next::Delivered).await;
    payments(&scene, 1).await;
    scene.kill("billing").await;
    let waits = payments(&scene, 1).await;
    scene.accept("github", "push", b"{}").await;
    let order = json!({"act": "replay", "of": "events"});
    let first = ask(&scene, order.clone()).await;
    assert_eq!(ended(&scene, &first).await["done"], 3);
    let new = rows(&scene, DeliveryFilter::default()).await;
    let replays: Vec<_> = new.iter().filter(|row| row.delivery.replaces.is_some()).collect();
    assert!(replays.len() == 3 && replays.iter().all(|row| row.delivery.event != waits[0]));
    // The second time the replays are what was delivered last.
    scene.settle("billing", ErrorClass::Ok, Some(200), Next::Delivered).await;
    let second = ask(&scene, order).await;
    assert_eq!(ended(&scene, &second).await["done"], 4);
}

#[tokio::test]
async fn a_step_taken_twice_is_one() {
    let scene = dead(5).await;
    scene.stop_jobs.cancel();
    for (of, to) in [(Of::Events, Some("mail".to_owned())), (Of::DeadLetters, None)] {
        let order = Order { of: Some(of), to, ..Order::new(Act::Replay) };
        let jobs = scene.node(scene.store.clone(), "here");
        let (job, _) = jobs.make(order, None).await.unwrap();
        let (store, config, now) = (&*scene.store, scene.config.load(), scene.clock.now());
        let page = Walk::all(&job.spec)[0].page(store, &job.spec, None, 100).await.unwrap();
        let items: Vec<_> = page.rows.into_iter().flat_map(|row| row.items).collect();
        let first = step::act(store, &config, &job.spec, &items, now).await.unwrap();
        let second = step::act(store, &config, &job.spec, &items, now).await.unwrap();
        assert_eq!((first.counts.done, second.counts, second.first), (5, Default::default(), first.first));
        assert_eq!(step::made(store, &job.spec).await.unwrap().0, 5);
    }
}

#[tokio::test]
async fn one_first_stops_if_that_one_fails_and_goes_on_if_it_is_delivered() {
    let scene = dead(10).await;
    let order = json!({"act": "replay", "one_first": true});
    let id = ask(&scene, order.clone()).await;
    let job = until(&scene, &id, |job| !job["first"].is_null()).await;
    assert_eq!((&job["done"], pending(&scene, "billing").await), (&1.into(), 1));
    let later = scene.clock.now().plus(Duration::from_secs(60));
    scene.settle("billing", ErrorClass::Http5xx, Some(500), Next::Retry { due_at: later }).await;
    scene.clock.advance(Duration::from_secs(1));
    let job = ended(&scene, &id).await;
    assert_eq!((&job["state"], &job["done"]), (&"failed".into(), &1.into()));
    let error = job["error"].as_str().unwrap();
    assert!(error.contains("http_5xx 500: it said") && error.contains(job["first"].as_str().unwrap()), "{error}");
    assert_eq!(dead_letters(&scene).await, 9);

    let id = ask(&scene, order).await;
    until(&scene, &id, |job| !job["first"].is_null()).await;
    scene.settle("billing", ErrorClass::Ok, Some(200), Next::Delivered).await;
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(ended(&scene, &id).await["done"], 9);
}

#[tokio::test]
async fn of_an_event_with_several_deliveries_one_goes_first_too() {
    let scene = Scene::new();
    let mut config = Config::clone(&scene.config.load());
    config.routes.push(route("stripe#3", "stripe", "payment.*", "mail", false));
    scene.config.store(Arc::new(config));
    payments(&scene, 2).await;
    assert_eq!((scene.kill("billing").await, scene.kill("mail").await), (2, 2));
    let order = json!({"act": "replay", "of": "events", "one_first": true});
    let made = async || pending(&scene, "billing").await + pending(&scene, "mail").await;
    let failing = ask(&scene, order.clone()).await;
    let job = until(&scene, &failing, |job| !job["first"].is_null()).await;
    assert_eq!((&job["matched"], &job["done"], made().await), (&4.into(), &1.into(), 1));
    for destination in ["billing", "mail"] {
        scene.kill(destination).await;
    }
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(ended(&scene, &failing).await["state"], "failed");
    assert_eq!((made().await, dead_letters(&scene).await), (0, 4), "nothing else was touched");

    let id = ask(&scene, order).await;
    until(&scene, &id, |job| !job["first"].is_null()).await;
    assert_eq!(made().await, 1);
    for destination in ["billing", "mail"] {
        scene.settle(destination, ErrorClass::Ok, Some(200), Next::Delivered).await;
    }
    scene.clock.advance(Duration::from_secs(1));
    let job = ended(&scene, &id).await;
    assert_eq!((&job["state"], &job["done"], &job["already"]), (&"done".into(), &4.into(), &0.into()), "{job:#}");
    assert_eq!((made().await, dead_letters(&scene).await), (3, 0));
}

#[tokio::test]
async fn a_rate_holds_and_a_pause_too() {
    let scene = dead(40).await;
    let id = ask(&scene, json!({"act": "replay", "rate": "10/s"})).await;
    until(&scene, &id, |job| job["state"] == "running").await;
    let made = async |n: usize| {
        for _ in 0..TURNS_MAX {
            // At rest it sleeps until its next step.
            if pending(&scene, "billing").await == n && scene.clock.next_wake().is_some_and(|at| at > scene.clock.now())
            {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("{} were made, not {n}", pending(&scene, "billing").await);
    };
    made(2).await;
    for n in [4, 6, 8] {
        scene.clock.advance(Duration::from_millis(200));
        made(n).await;
    }
    scene.post(&format!("/api/v1/jobs/{id}/pause"), json!({})).await;
    assert_eq!(until(&scene, &id, |job| job["state"] == "paused" && job["done"] == 8).await["matched"], 40);
    scene.clock.advance(Duration::from_secs(60));
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(pending(&scene, "billing").await, 8);
    scene.post(&format!("/api/v1/jobs/{id}/resume"), json!({})).await;
    made(10).await;
    scene.post(&format!("/api/v1/jobs/{id}/cancel"), json!({})).await;
    let job = ended(&scene, &id).await;
    assert_eq!((&job["state"], &job["done"]), (&"cancelled".into(), &10.into()));
}

#[tokio::test]
async fn what_was_counted_waits_for_a_go_and_not_for_ever() {
    let scene = dead(3).await;
    let order = json!({"act": "dismiss", "ask": true});
    let id = ask(&scene, order.clone()).await;
    let job = until(&scene, &id, |job| job["state"] == "counted").await;
    assert_eq!((&job["matched"], dead_letters(&scene).await), (&3.into(), 3));
    scene.post(&format!("/api/v1/jobs/{id}/resume"), json!({})).await;
    assert_eq!((ended(&scene, &id).await["done"].as_u64(), dead_letters(&scene).await), (Some(3), 0));

    payments(&scene, 1).await;
    scene.kill("billing").await;
    let id = ask(&scene, order).await;
    until(&scene, &id, |job| job["state"] == "counted").await;
    scene.clock.advance(super::GO_PATIENCE);
    let job = ended(&scene, &id).await;
    assert_eq!((&job["state"], dead_letters(&scene).await), (&"cancelled".into(), 1));
    let late = scene.post(&format!("/api/v1/jobs/{id}/resume"), json!({})).await;
    assert_eq!((late.status.as_u16(), late.code()), (409, "job_ended".into()));
}

#[tokio::test]
async fn the_hour_for_a_go_begins_when_it_is_counted() {
    let scene = dead(3).await;
    scene.stop_jobs.cancel();
    let id = ask(&scene, json!({"act": "dismiss", "ask": true})).await;
    scene.clock.advance(super::GO_PATIENCE);
    let jobs = scene.node(scene.store.clone(), "here");
    tokio::spawn(jobs.clone().run(CancellationToken::new()));
    until(&scene, &id, |job| job["state"] != "counting").await;
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    let job = until(&scene, &id, |_| true).await;
    assert_eq!((&job["state"], &job["matched"]), (&"counted".into(), &3.into()), "{job:#}");
    scene.clock.advance(super::GO_PATIENCE);
    assert_eq!((&ended(&scene, &id).await["state"], dead_letters(&scene).await), (&"cancelled".into(), 3));
}

#[tokio::test]
async fn who_goes_on_while_it_counts_is_asked_all_the_same() {
    let scene = dead(3).await;
    scene.stop_jobs.cancel();
    let id = ask(&scene, json!({"act": "dismiss", "ask": true})).await;
    for want in ["pause", "resume"] {
        let got = scene.post(&format!("/api/v1/jobs/{id}/{want}"), json!({})).await;
        assert_eq!(got.status, 200, "{}", got.json());
    }
    let jobs = scene.node(scene.store.clone(), "here");
    tokio::spawn(jobs.clone().run(CancellationToken::new()));
    let job = until(&scene, &id, |job| job["state"] != "counting").await;
    assert_eq!((&job["state"], &job["matched"], dead_letters(&scene).await), (&"counted".into(), &3.into(), 3));
    jobs.want(id.parse().unwrap(), Want::Resume).await.unwrap();
    assert_eq!(ended(&scene, &id).await["done"], 3);
}

#[tokio::test]
async fn cancel_and_delete_leave_nothing_to_do() {
    let scene = dead(2).await;
    payments(&scene, 3).await;
    scene.accept("stripe", "invoice.paid", b"{}").await;
    let id = ask(&scene, json!({"act": "cancel", "filter": {"destination": "mail"}})).await;
    assert_eq!(ended(&scene, &id).await["done"], 1);
    let id = ask(&scene, json!({"act": "delete", "filter": {"source": "stripe"}})).await;
    let job = ended(&scene, &id).await;
    assert_eq!((&job["matched"], &job["done"]), (&5.into(), &5.into()));
    assert_eq!((dead_letters(&scene).await, pending(&scene, "billing").await), (0, 0));
    assert_eq!(rows(&scene, DeliveryFilter::default()).await.len(), 6, "history stays");
}

/// What tells a channel of an alert.
async fn telling(scene: &Scene) -> DeliveryId {
    let event = scene.accept(ALERTS, "alert.fired", b"{}").await;
    let now = scene.clock.now();
    let route = route("r", "s", "*", "channel:ops", false);
    let delivery = NewDelivery {
        id: DeliveryId::mint(now, scene.entropy.id_bytes()),
        destination: "channel:ops".into(),
        lane: Lane::of_destination("channel:ops"),
        route: "invalid_signatures".into(),
        policy: route.policy,
        due_at: now,
        order: None,
    };
    let id = delivery.id;
    assert_eq!(scene.store.route(event, vec![delivery]).await.unwrap(), Routed::Made(vec![id]));
    id
}

#[tokio::test]
async fn what_tells_people_of_alerts_is_left_alone_unless_it_is_named() {
    let scene = Scene::new();
    payments(&scene, 2).await;
    let page = telling(&scene).await;
    for act in ["cancel", "delete"] {
        let id = ask(&scene, json!({"act": act})).await;
        ended(&scene, &id).await;
    }
    assert_eq!((pending(&scene, "billing").await, pending(&scene, "channel:ops").await), (0, 1), "it is to arrive");
    scene.settle("channel:ops", ErrorClass::Ok, Some(200), Next::Delivered).await;
    for order in [json!({"act": "replay", "of": "events"}), json!({"act": "replay", "of": "events", "to": "mail"})] {
        let id = ask(&scene, order.clone()).await;
        ended(&scene, &id).await;
        assert_eq!(pending(&scene, "channel:ops").await, 0, "{order}: nobody is woken again");
        let sent = rows(&scene, DeliveryFilter { destination: Some("mail".into()), ..DeliveryFilter::default() }).await;
        assert!(sent.iter().all(|row| &*row.delivery.source != ALERTS), "{order}");
    }
    let of_alerts = json!({"act": "replay", "of": "events", "filter": {"source": ALERTS}});
    let id = ask(&scene, of_alerts).await;
    assert_eq!((&ended(&scene, &id).await["done"], pending(&scene, "channel:ops").await), (&1.into(), 1));
    let row = scene.store.delivery(page).await.unwrap().unwrap();
    assert!(row.delivery.replaced_by.is_some());
    let wrong = json!({"act": "replay", "of": "events", "to": "mail", "filter": {"source": ALERTS}});
    assert_eq!(scene.post("/api/v1/jobs", wrong).await.code(), "bad_job");
}

#[tokio::test]
async fn the_same_key_is_the_same_job() {
    let scene = dead(1).await;
    let post = async |key: &str, order: Value| {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        scene.send("POST", "/api/v1/jobs", &headers, order.to_string().into()).await
    };
    let order = || json!({"act": "replay", "filter": {"source": "stripe"}});
    let [first, second, other] = [post("k", order()).await, post("k", order()).await, post("k2", order()).await];
    assert_eq!([&first, &second, &other].map(|got| got.status.as_u16()), [201, 200, 201]);
    assert_eq!(first.json()["id"], second.json()["id"]);
    assert_ne!(first.json()["id"], other.json()["id"]);
    assert_eq!(post("k", json!({"act": "dismiss"})).await.code(), "key_in_use");
}

/// Both have looked and found none before either has made one.
#[tokio::test]
async fn of_two_nodes_asked_with_one_key_at_once_both_name_the_same_job() {
    let scene = dead(1).await;
    let faulty = Arc::new(Faulty::over(scene.store.clone()));
    let order = Order::new(Act::Replay);
    let ask = |node: &str| {
        let (node, order) = (scene.node(faulty.clone(), node), order.clone());
        tokio::spawn(async move { node.make(order, Some("k".to_owned())).await.unwrap() })
    };
    let held = faulty.hold(Verb::AddCatalog, When::Before);
    let (a, b) = (ask("a"), ask("b"));
    held.reached(2).await;
    held.release();
    let ((a, a_is_new), (b, b_is_new)) = (a.await.unwrap(), b.await.unwrap());
    assert_eq!(a.spec, b.spec);
    assert!(a_is_new != b_is_new);
    assert_eq!(scene.node(faulty, "c").all().await.unwrap().len(), 1);
}

/// The first node dies between the key and the job.
#[tokio::test]
async fn a_key_whose_job_was_never_made_makes_it_when_asked_again() {
    let scene = dead(1).await;
    let faulty = Arc::new(Faulty::over(scene.store.clone()));
    let node = scene.node(faulty.clone(), "a");
    let make = async |act| node.make(Order::new(act), Some("k".to_owned())).await;
    faulty.fail(Verb::AddCatalog, When::After, StoreError::Unavailable("gone".into()), 1);
    assert!(matches!(make(Act::Replay).await, Err(JobError::Store(_))));
    assert_eq!(node.all().await.unwrap(), []);
    let (made, _) = make(Act::Replay).await.unwrap();
    assert_eq!(make(Act::Replay).await.unwrap().0.spec, made.spec);
    assert!(matches!(make(Act::Dismiss).await, Err(JobError::KeyInUse(id)) if id == made.spec.id));
}

#[tokio::test]
async fn what_cannot_be_done_is_said_with_its_mend() {
    let scene = Scene::new();
    for (order, said) in [
        (json!({"act": "replay", "to": "maill"}), "did you mean \"mail\"?"),
        (json!({"act": "replay", "to": "old"}), "is disabled"),
        (json!({"act": "replay", "rate": "fast"}), "\"200/s\""),
        (json!({"act": "replay", "filter": {"type": "a|b"}}), "only * does"),
        (json!({"act": "replay", "filter": {"class": "500"}}), "rate_limited"),
        (json!({"act": "replay", "new_key": true}), "goes with to"),
        (json!({"act": "cancel", "to": "mail"}), "go with replay"),
        (json!({"act": "dismiss", "of": "events"}), "dismiss of dead_letters"),
        (json!({"act": "replay", "of": "events", "filter": {"class": "dns"}}), "not with events"),
        (json!({"act": "replay", "filter": {"sorce": "x"}}), "sorce"),
    ] {
        let got = scene.post("/api/v1/jobs", order.clone()).await;
        assert_eq!(got.status, 400, "{order}");
        assert!(got.json()["detail"].as_str().unwrap().contains(said), "{order}: {}", got.json());
    }
    let unknown = scene.get("/api/v1/jobs/job_00000000000000000000000000").await;
    assert_eq!(unknown.code(), "job_not_found");
}

#[tokio::test]
async fn no_more_jobs_than_may_be_open_and_old_ones_are_forgotten() {
    let scene = Scene::new();
    scene.stop_jobs.cancel();
    for _ in 0..super::OPEN_MAX {
        ask(&scene, json!({"act": "dismiss"})).await;
    }
    let one_more = scene.post("/api/v1/jobs", json!({"act": "dismiss"})).await;
    assert_eq!((one_more.status.as_u16(), one_more.code()), (409, "too_many_jobs".into()));
    let jobs = scene.node(scene.store.clone(), "here");
    tokio::spawn(jobs.clone().run(CancellationToken::new()));
    for _ in 0..super::KEPT_MAX {
        scene.clock.advance(Duration::from_millis(1));
        let (job, _) = retry(&jobs).await;
        until(&scene, &job.spec.id.to_string(), |job| job["state"] == "done").await;
    }
    let all = super::kept::all(&*scene.store).await.unwrap();
    assert_eq!(all.len(), super::KEPT_MAX);
    assert_eq!(scene.store.catalog("job-progress").await.unwrap().len(), super::KEPT_MAX);
}

/// As soon as there is room for it.
async fn retry(jobs: &Jobs) -> (Job, bool) {
    for _ in 0..TURNS_MAX {
        if let Ok(made) = jobs.make(Order::new(Act::Dismiss), None).await {
            return made;
        }
        tokio::task::yield_now().await;
    }
    panic!("there is never room for another job");
}

#[tokio::test]
async fn an_unknown_job_is_nobodys() {
    let scene = Scene::new();
    let jobs = scene.node(scene.store.clone(), "here");
    let (job, _) = jobs.make(Order { filter: JobFilter::default(), ..Order::new(Act::Dismiss) }, None).await.unwrap();
    let nobody = hookhaven_core::JobId::from_bytes([1; 16]);
    assert!(jobs.want(nobody, Want::Pause).await.is_err());
    assert!(jobs.want(job.spec.id, Want::Pause).await.is_ok());
}
