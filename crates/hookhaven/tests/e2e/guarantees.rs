//! The guarantees of `docs/guarantees.md`, attacked from outside: a disk that hangs or fails, a store that
//! is full, everybody replaying at once, a crash in the middle of an attempt.
//!
//! What one part can show alone is shown there; the document names those tests too.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::hmac;
use hookhaven::config::{self, Config};
use hookhaven_core::DeliveryId;
use hookhaven_load::gateway::poll;
use hookhaven_store::{
    Store, StoreError,
    clock::{ManualClock, SeededEntropy},
    embedded::{
        EmbeddedOptions, EmbeddedStore,
        disk::{Disk, SimDisk},
    },
    faulty::{Faulty, Verb, When},
    memory::MemoryStore,
};
use serde_json::{Value, json};

use crate::support::{
    PATIENCE,
    clocked::{Clocked, SECRET},
    gateway::Gateway,
    handler::{Handler, Reply},
    soon,
};

const DOCUMENT: &str = include_str!("../../../../docs/guarantees.md");

fn config(handler: &Handler, route: &str) -> String {
    format!(
        "[worker]\nsession_ttl = \"1h\"\n\n\
         [sources.stripe]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\n\
         [destinations.billing]\nurl = \"{}\"\n\n\
         [[routes]]\nsource = \"stripe\"\nto = [\"billing\"]\n{route}\n",
        handler.url()
    )
}

fn on_disk(gateway: &Clocked, disk: &SimDisk) -> Arc<dyn Store> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let store = EmbeddedStore::open(EmbeddedOptions {
        dir: gateway.directory.path().join("simulated"),
        pending_max: 1_000,
        segment_bytes: 1 << 20,
        index_lag_bytes_max: 64 << 20,
        queue: Default::default(),
        space: Default::default(),
        disk,
        clock: Arc::new(gateway.clock.clone()),
        entropy: Arc::new(SeededEntropy::new(9)),
    });
    Arc::new(store.expect("a new store opens"))
}

fn in_memory(clock: &ManualClock) -> Arc<Faulty> {
    Arc::new(Faulty::over(Arc::new(MemoryStore::new(Arc::new(clock.clone()), Arc::new(SeededEntropy::new(9))))))
}

/// Gives an answer that leaves too early the time to arrive.
async fn others_are_answered(gateway: &Clocked) {
    for _ in 0..3 {
        assert_eq!(gateway.exchange(b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n").await.status, 200);
    }
}

/// A request whose body never comes.
async fn head_only(gateway: &Clocked) -> (u16, Option<String>) {
    let head = "POST /webhooks/stripe HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n\
                content-length: 900000\r\n\r\n";
    let answer = gateway.exchange(head.as_bytes()).await;
    (answer.status, answer.header("retry-after").map(str::to_owned))
}

#[tokio::test]
async fn i1_no_answer_leaves_while_the_sync_hangs() {
    let handler = Handler::answering(200).await;
    let mut gateway = Clocked::prepare("", &config(&handler, ""));
    let disk = SimDisk::new(1, gateway.directory.path());
    gateway.serve_on(on_disk(&gateway, &disk)).await;
    disk.stall_syncs(true);
    let mut answer = std::pin::pin!(gateway.post("stripe", 1));
    let hangs = poll(PATIENCE, async || (disk.syncs_waiting() == 1).then_some(()));
    tokio::select! {
        early = &mut answer => panic!("answered with {} before the sync", early.status),
        hangs = hangs => hangs.expect("the event is being synced"),
    }
    tokio::select! {
        early = &mut answer => panic!("answered with {} before the sync", early.status),
        () = others_are_answered(&gateway) => {}
    }
    assert_eq!(handler.received().len(), 0, "what is not durable is not delivered either");
    disk.stall_syncs(false);
    assert_eq!(answer.await.status, 200);
    handler.until(1).await;
}

#[tokio::test]
async fn i1_a_failed_sync_is_a_503_and_what_was_answered_200_outlasts_the_power() {
    for seed in 0..8 {
        let handler = Handler::answering(500).await;
        let mut gateway = Clocked::prepare("", &config(&handler, ""));
        let disk = SimDisk::new(seed, gateway.directory.path());
        let store = on_disk(&gateway, &disk);
        gateway.serve_on(store.clone()).await;
        // Nothing else may use up the failure.
        gateway.says(&["destinations", "pause", "billing"]).await;
        gateway.accept("stripe", 1).await;
        disk.fail_sync_after(0);
        let answer = gateway.post("stripe", 2).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
        // The store opens itself again; a sender comes again until it is taken.
        let taken = poll(PATIENCE, async || (gateway.post("stripe", 2).await.status == 200).then_some(()));
        taken.await.expect("it is taken in the end");
        assert_eq!(gateway.events().await.len(), 2);

        let after = disk.power_cut(seed);
        gateway.stop().await;
        gateway.serve_on(on_disk(&gateway, &after)).await;
        let mut kept: Vec<_> = gateway.events().await.into_iter().map(|e| e.idempotency_key).collect();
        kept.sort();
        assert_eq!(kept, ["evt_t000000000001", "evt_t000000000002"], "seed {seed}");
        assert_eq!(gateway.deliveries().await.len(), 2);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn i1_a_commit_of_unknown_fate_is_a_503_and_the_next_try_finds_it() {
    let handler = Handler::answering(200).await;
    let mut gateway = Clocked::prepare("", &config(&handler, ""));
    let store = in_memory(&gateway.clock);
    gateway.serve_on(store.clone()).await;
    store.fail(Verb::Accept, When::After, StoreError::Unavailable("the connection broke".into()), 1);
    assert_eq!(gateway.post("stripe", 1).await.status, 503);
    gateway.accept("stripe", 1).await;
    assert_eq!((gateway.events().await.len(), gateway.deliveries().await.len()), (1, 1));
    gateway.until_state(gateway.delivery_of(1).await, "delivered").await;
    assert_eq!(handler.received().len(), 1);
}

#[tokio::test]
async fn i3_a_settle_that_comes_too_late_changes_nothing() {
    let handler = Handler::start(|r| Reply::Status(if r.number == 1 { 200 } else { 500 })).await;
    let mut gateway = Clocked::prepare("", &config(&handler, "").replace("\"1h\"", "\"30s\""));
    let store = in_memory(&gateway.clock);
    gateway.serve_on(store.clone()).await;
    let held = store.hold(Verb::Settle, When::Before);
    gateway.accept("stripe", 1).await;
    held.reached(1).await;
    // The handler has answered 200, but the session lapses before that is recorded.
    gateway.clock.advance(Duration::from_secs(60));
    let delivery = gateway.delivery_of(1).await;
    handler.until(2).await;
    held.reached(2).await;
    held.release();
    let detail = gateway.attempted(delivery, 1).await;
    let told: Vec<_> = detail.attempts.iter().map(|a| (a.number, a.class.as_str())).collect();
    assert_eq!((told, &*detail.delivery.state), (vec![(1, "lost"), (2, "http_5xx")], "pending"));
}

#[test]
fn i4_every_limit_of_the_document_is_a_key_and_has_the_default_it_says() {
    let block = DOCUMENT.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the limits");
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("hookhaven.toml");
    std::fs::write(&file, block).expect("it can be written");
    let origin = config::Origin { file: Some(file), ..Default::default() };
    let loaded = config::load(origin, &config::Environment::default()).unwrap_or_else(|refused| panic!("{refused}"));
    let (mut written, default) = (loaded.config, Config::default());
    // It stands beside the file.
    written.store.place = default.store.place.clone();
    assert_eq!((&written.limits, &written.worker, &written.store), (&default.limits, &default.worker, &default.store));
    assert_eq!(written.publish, default.publish);
    assert_eq!(written.quarantine, default.quarantine);

    // None is left out: as many keys as there are fields.
    let keys = |section: &str| {
        let of = block.split(&format!("[{section}]\n")).nth(1).expect("the section").split("\n[").next();
        of.map(|lines| lines.lines().filter(|line| line.contains(" = ")).count())
    };
    let fields = |debug: String| {
        Some(debug.lines().filter(|line| line.starts_with("    ") && !line.starts_with("     ")))
            .map(|lines| lines.filter(|line| line.contains(": ")).count())
    };
    assert_eq!(keys("limits"), fields(format!("{:#?}", default.limits)));
    assert_eq!(keys("worker"), fields(format!("{:#?}", default.worker)));
    // Whether, and with which credentials, is no limit.
    assert_eq!(keys("publish").map(|keys| keys + 6), fields(format!("{:#?}", default.publish)));
    assert_eq!(keys("store"), fields(format!("{:#?}", default.store)));
}

#[tokio::test]
async fn i5_and_i11_a_crash_in_an_attempt_changes_neither_the_bytes_nor_the_key() {
    let handler = Handler::start(|received| match received.number {
        1 => Reply::Status(500),
        2 => Reply::Hang,
        _ => Reply::Status(200),
    })
    .await;
    let secret = "the secret of a hub";
    let mut gateway = Gateway::start(&format!(
        "[sources.github]\nsender = \"github\"\nsecrets = [\"{secret}\"]\n\n\
         [destinations.ci]\nurl = \"{}\"\ntimeout = \"60s\"\n\n\
         [[routes]]\nsource = \"github\"\nto = [\"ci\"]\nretry = {{ attempts = 9, initial = \"1ms\" }}\n",
        handler.url()
    ))
    .await;
    // All bytes there are, line ends of each kind, and no JSON.
    let body: Vec<u8> = (0..=255).chain(*b"\r\n\n\r  {\"a\":  1.0}\n").collect();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), &body);
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("x-github-event", "push".to_owned()),
        ("x-github-delivery", "d-1".to_owned()),
        ("x-hub-signature-256", format!("sha256={}", hex::encode(tag))),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    assert_eq!(gateway.post("/webhooks/github", &headers, &body).await.status, 200);
    handler.until(2).await;
    gateway.restart().await;
    handler.until(3).await;
    gateway.until_drained().await;

    let received = handler.received();
    assert_eq!(received.len(), 3);
    let event = received[0].header("webhook-id").to_owned();
    assert!(event.starts_with("evt_"), "{event:?}");
    for attempt in &received {
        assert_eq!((attempt.header("webhook-id"), &attempt.body[..]), (&*event, &body[..]));
        assert_eq!(attempt.header("content-type"), "application/json");
    }
    assert_eq!(gateway.ask(&["events", "show", &event, "--body"]).await.stdout, body);
}

/// Deliveries that ended, and the event, as history tells them: without what a replay may add.
async fn history(gateway: &Clocked, deliveries: &[DeliveryId]) -> Vec<Value> {
    let mut all = Vec::new();
    for id in deliveries {
        let mut detail: Value = gateway.get(&format!("/api/v1/deliveries/{id}")).await;
        let event: Value = gateway.get(&format!("/api/v1/events/{}", detail["event"].as_str().expect("an id"))).await;
        let path = format!("/api/v1/events/{}/body", detail["event"].as_str().expect("an id"));
        let body = gateway.admin().send("GET", &path, b"").await.expect("its body").body;
        for link in ["replaced_by", "dismissed_at", "dead_letter"] {
            detail.as_object_mut().expect("an object").remove(link);
        }
        let key = ["id", "idempotency_key", "received_at", "headers", "type"].map(|name| event[name].clone());
        all.push(json!([detail, key, body]));
    }
    all
}

#[tokio::test]
async fn i7_nothing_rewrites_what_has_ended() {
    let handler = Handler::start(|r| Reply::Status(if r.number == 1 { 200 } else { 422 })).await;
    let mut gateway = Clocked::start(&config(&handler, "retry = { attempts = 2 }")).await;
    gateway.accept("stripe", 1).await;
    let delivered = gateway.delivery_of(1).await;
    gateway.until_state(delivered, "delivered").await;
    let mut ended = vec![delivered];
    for number in 2..=4 {
        gateway.accept("stripe", number).await;
        let id = gateway.delivery_of(number).await;
        assert_eq!(gateway.exhaust(id).await.attempts.len(), 2);
        ended.push(id);
    }
    let before = history(&gateway, &ended).await;
    gateway.clock.advance(Duration::from_secs(600));
    gateway.says(&["deliveries", "replay", &ended[0].to_string()]).await;
    gateway.says(&["dlq", "replay", &ended[1].to_string()]).await;
    gateway.says(&["dlq", "dismiss", &ended[2].to_string()]).await;
    gateway.accept("stripe", 4).await;
    for id in [ended[0], ended[1], ended[3]] {
        let fresh = gateway.replays_of(id).await;
        assert_eq!(fresh.len(), 1);
        gateway.exhaust(fresh[0]).await;
    }
    assert_eq!(history(&gateway, &ended).await, before);
    gateway.restart().await;
    assert_eq!(history(&gateway, &ended).await, before);
    assert_eq!(gateway.deliveries().await.len(), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_everybody_replays_at_once_and_each_dead_letter_comes_back_once() {
    const EVENTS: u64 = 6;
    let handler = Handler::answering(404).await;
    let gateway = Clocked::start(&config(&handler, "retry = { attempts = 1 }")).await;
    let mut dead = Vec::new();
    for number in 0..EVENTS {
        gateway.accept("stripe", number).await;
        let id = gateway.delivery_of(number).await;
        gateway.until_state(id, "dead").await;
        dead.push(id);
    }
    handler.change(|_| Reply::Status(200));
    let ids: Vec<String> = dead.iter().map(ToString::to_string).collect();
    let by_id: Vec<&str> = ["dlq", "replay"].into_iter().chain(ids.iter().map(String::as_str)).collect();
    let (gateway, admin) = (&gateway, &gateway.admin());
    let api = dead.iter().flat_map(|id| {
        (0..4).map(move |_| async move {
            let path = format!("/api/v1/deliveries/{id}/replay");
            soon("an answer", admin.post(&path, &json!({}))).await.expect("it is replayed, now or before");
        })
    });
    let sender = (0..EVENTS).flat_map(|number| (0..4).map(move |_| gateway.accept("stripe", number)));
    let bulk = async || {
        let answer = admin.post("/api/v1/dead-letters/replay", &json!({ "filter": { "source": "stripe" } })).await;
        answer.expect("what is left is replayed");
    };
    tokio::join!(
        futures_util::future::join_all(api),
        futures_util::future::join_all(sender),
        gateway.says(&by_id),
        gateway.says(&["dlq", "replay", "--source", "stripe", "--yes"]),
        bulk(),
        bulk(),
    );
    for id in dead {
        let fresh = gateway.replays_of(id).await;
        assert_eq!(fresh.len(), 1, "{id} has one successor");
        gateway.until_state(fresh[0], "delivered").await;
    }
    assert_eq!(gateway.deliveries().await.len() as u64, 2 * EVENTS);
    assert_eq!(handler.received().len() as u64, 2 * EVENTS);
}

#[tokio::test]
async fn i9_a_full_store_says_so_before_the_body_and_takes_again_when_there_is_room() {
    let handler = Handler::answering(200).await;
    let gateway = {
        let mut gateway = Clocked::prepare("pending_max = 2", &config(&handler, ""));
        gateway.serve().await;
        gateway
    };
    gateway.says(&["destinations", "pause", "billing"]).await;
    gateway.accept("stripe", 1).await;
    gateway.accept("stripe", 2).await;
    assert_eq!(head_only(&gateway).await, (503, Some("5".to_owned())));
    assert_eq!(gateway.post("stripe", 3).await.status, 503);
    let ready = gateway.admin().send("GET", "/readyz", b"").await.expect("an answer");
    assert_eq!(ready.status, 503);
    assert!(String::from_utf8_lossy(&ready.body).contains("store.pending_max = 2"), "it names the limit");
    assert_eq!(gateway.events().await.len(), 2, "what was refused is not there");

    gateway.says(&["destinations", "resume", "billing"]).await;
    handler.until(2).await;
    let taken = poll(PATIENCE, async || (gateway.post("stripe", 3).await.status == 200).then_some(()));
    taken.await.expect("there is room again");
    handler.until(3).await;
}

#[tokio::test]
async fn i9_a_store_in_trouble_says_so_before_the_body_and_recovers() {
    let handler = Handler::answering(200).await;
    let mut gateway = Clocked::prepare("", &config(&handler, ""));
    let store = in_memory(&gateway.clock);
    gateway.serve_on(store.clone()).await;
    store.fail(Verb::Ready, When::Before, StoreError::Unavailable("no room on the disk".into()), usize::MAX);
    assert_eq!(head_only(&gateway).await, (503, Some("5".to_owned())));
    store.mend();
    gateway.accept("stripe", 1).await;
    handler.until(1).await;
    store.close().await;
    assert_eq!(head_only(&gateway).await, (503, Some("5".to_owned())));
}

#[test]
fn every_test_that_the_document_names_is_there() {
    let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut code, mut directories) = (String::new(), vec![crates]);
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("it can be read").flatten() {
            match entry.path() {
                path if path.is_dir() => directories.push(path),
                path if path.extension().is_some_and(|e| e == "rs") => {
                    code += &std::fs::read_to_string(path).expect("text");
                }
                _ => {}
            }
        }
    }
    let table = DOCUMENT.lines().filter(|line| line.starts_with("| **I"));
    let named = table.flat_map(|line| line.rsplit(" | ").next().unwrap_or_default().split('`').skip(1).step_by(2));
    let mut found = 0;
    for name in named.filter(|name| name.contains('_') && !name.contains(['.', '/', ' '])) {
        if !["sender_laws"].contains(&name) {
            assert!(code.contains(&format!("fn {name}(")), "the document names {name}");
            found += 1;
        }
    }
    assert!(found > 50, "{found} names are read");
}
