//! What publishers made, looked at and managed by people: messages, queues, schedules, URL groups, flow control. It is
//! made as publishers make it, through their own API.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use axum::body::Body;
use bytes::Bytes;
use hookhaven_core::{Lane, Secret, Time};
use hookhaven_store::{LaneRoom, Store, clock::Clock};
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::{
    api::fixture::{Got, START, Scene},
    config::{Config, SigningKeys},
    metrics::Metrics,
    publications::Emptied,
    publish::{
        api::{PublishParts, PublishService},
        keys::Keys,
        scheduler::{Scheduler, SchedulerParts},
    },
    server::Peer,
};

const TO: &str = "https://a.example/x";

impl Scene {
    fn publisher(&self) -> PublishService {
        let mut config = Config::default();
        config.publish.tokens = Secret::new("full").into_iter().collect();
        let config = Arc::new(ArcSwap::from_pointee(config));
        let key = |text: &str| Secret::new(text).unwrap();
        let keys = SigningKeys { current: key("sig_current"), next: key("sig_next") };
        PublishService::new(PublishParts {
            tracer: Default::default(),
            store: self.store.clone(),
            clock: Arc::new(self.clock.clone()),
            entropy: self.entropy.clone(),
            config: config.clone(),
            metrics: Arc::new(Metrics::new(10, START, Arc::default())),
            budget: Arc::default(),
            book: self.book.clone(),
            keys: Arc::new(Keys::new(config, keys)),
            tokens: Arc::default(),
            failures: Arc::default(),
            audit: None,
            traffic: None,
        })
    }

    /// Calls the publishing API, a millisecond after the call before.
    pub(crate) async fn call(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Value {
        use http_body_util::BodyExt;
        self.clock.advance(Duration::from_millis(1));
        let mut request = Request::builder().method(method).uri(target).header("authorization", "Bearer full");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
        let peer = Peer(std::net::SocketAddr::from(([203, 0, 113, 9], 4_000)));
        let answer = self.publisher().call(request, peer).await;
        assert!(answer.status().is_success(), "{method} {target}: {}", answer.status());
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&body).unwrap_or(Value::Null)
    }

    /// Publishes, and answers what the publisher is.
    pub(crate) async fn publish(&self, target: &str, headers: &[(&str, &str)]) -> Value {
        self.call("POST", target, headers, "{\"n\":1}").await
    }

    async fn delete(&self, path: &str) -> Got {
        self.send("DELETE", path, &[], Body::empty()).await
    }

    /// A list's items, by one of their fields.
    async fn listed(&self, path: &str, field: &str) -> Vec<String> {
        let list = self.get(path).await.json();
        list["items"].as_array().unwrap().iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
    }

    /// Makes the ticks that have come.
    pub(crate) async fn tick(&self) {
        let mut scheduler = Scheduler::new(SchedulerParts {
            store: self.store.clone(),
            clock: Arc::new(self.clock.clone()),
            entropy: self.entropy.clone(),
            book: self.book.clone(),
        });
        scheduler.tick(self.clock.now()).await.unwrap();
    }
}

fn after(seconds: u64) -> Time {
    START.plus(Duration::from_secs(seconds))
}

#[tokio::test]
async fn a_message_is_found_by_the_id_its_publisher_got() {
    let scene = Scene::new();
    let headers = [
        ("upstash-label", "welcome,mail"),
        ("upstash-retries", "7"),
        ("upstash-delay", "1h"),
        ("upstash-callback", "https://c.example/done"),
        ("upstash-forward-x-secret", "hunter2"),
    ];
    let answer = scene.publish(&format!("/v2/enqueue/emails/{TO}"), &headers).await;
    let id = answer["messageId"].as_str().unwrap();
    let got = scene.get(&format!("/api/v1/messages/{id}")).await;
    assert!(!String::from_utf8_lossy(&got.body).contains("hunter2"), "headers are for the destination");
    let message = got.json();
    assert_eq!((&message["message_id"], &message["queue"]), (&json!(id), &json!("emails")));
    assert_eq!((&message["destination"], &message["state"]), (&json!(TO), &json!("pending")));
    assert_eq!((&message["label"], &message["attempts"]), (&json!("welcome"), &json!([])));
    let settings = &message["settings"];
    assert_eq!((&settings["labels"], &settings["retries"]), (&json!(["welcome", "mail"]), &json!(7)));
    assert_eq!((&settings["callback_url"], &settings["method"]), (&json!("https://c.example/done"), &json!("POST")));
    assert_eq!((&settings["not_before"], &settings["caller"]), (&message["due_at"], &json!("203.0.113.9")));
    let delivery = message["id"].as_str().unwrap();
    assert_eq!(scene.get(&format!("/api/v1/messages/{delivery}")).await.json(), message);

    scene.accept("stripe", "payment.failed", b"{}").await;
    let other = &scene.get("/api/v1/deliveries?source=stripe").await.ids()[0];
    assert_eq!(scene.get(&format!("/api/v1/messages/{other}")).await.code(), "message_not_found");
    let nobody = delivery.replace("dlv_0", "msg_1");
    assert_eq!(scene.get(&format!("/api/v1/messages/{nobody}")).await.code(), "message_not_found");
    assert_eq!(scene.get("/api/v1/messages/evt_1").await.code(), "bad_id");
}

#[tokio::test]
async fn messages_are_found_by_each_filter() {
    let scene = Scene::new();
    scene.accept("stripe", "payment.failed", b"{}").await;
    let endpoints =
        json!({"endpoints": [{"url": "https://e.example/1", "name": "one"}, {"url": "https://e.example/2"}]});
    scene.call("POST", "/v2/topics/signups/endpoints", &[], &endpoints.to_string()).await;
    let id = |answer: Value| answer["messageId"].as_str().unwrap().to_owned();
    let plain = id(scene.publish(&format!("/v2/publish/{TO}"), &[]).await);
    let queued = id(scene.publish("/v2/enqueue/q/https://b.example/", &[("upstash-label", "l1")]).await);
    let flow = [("upstash-flow-control-key", "k"), ("upstash-flow-control-value", "rate=1")];
    let limited = id(scene.publish("/v2/publish/https://b.example/", &flow).await);
    let grouped = scene.publish("/v2/publish/signups", &[]).await;
    let [one, two] = [0, 1].map(|n| grouped[n]["messageId"].as_str().unwrap().to_owned());
    let (all, first) = (vec![&two, &one, &limited, &queued, &plain], after(0));
    for (query, want) in [
        (String::new(), all.clone()),
        (format!("destination={TO}"), vec![&plain]),
        ("destination=https://b.example/".to_owned(), vec![&limited, &queued]),
        ("destination=https://b.example/&queue=q".to_owned(), vec![&queued]),
        ("queue=other".to_owned(), vec![]),
        ("flow_control=k".to_owned(), vec![&limited]),
        ("group=signups".to_owned(), vec![&two, &one]),
        ("group=signups&destination=https://e.example/1".to_owned(), vec![&one]),
        ("label=l*".to_owned(), vec![&queued]),
        ("state=pending".to_owned(), all.clone()),
        ("state=dead".to_owned(), vec![]),
        ("dead_letters=true".to_owned(), vec![]),
        (format!("until={first}"), vec![]),
        (format!("since={first}"), all),
    ] {
        let found = scene.listed(&format!("/api/v1/messages?{query}"), "message_id").await;
        assert_eq!(found.iter().collect::<Vec<_>>(), want, "{query}");
    }
    for (query, code) in [
        ("queue=q&flow_control=k", "bad_query"),
        ("group=signups&schedule=s", "bad_query"),
        ("group=nobody", "url_group_not_found"),
        ("schedule=nobody", "schedule_not_found"),
        ("qeue=q", "bad_query"),
        ("status=1", "bad_query"),
    ] {
        assert_eq!(scene.get(&format!("/api/v1/messages?{query}")).await.code(), code, "{query}");
    }
}

#[tokio::test]
async fn a_group_s_messages_page_over_its_endpoints() {
    let scene = Scene::new();
    let endpoints: Vec<_> = (0..4).map(|n| json!({"url": TO, "name": format!("e{n}")})).collect();
    scene.call("POST", "/v2/topics/g/endpoints", &[], &json!({ "endpoints": endpoints }).to_string()).await;
    let mut published = 0;
    for _ in 0..3 {
        published += scene.publish("/v2/publish/g", &[]).await.as_array().unwrap().len();
    }
    let (mut seen, mut query) = (Vec::new(), String::new());
    loop {
        let list = scene.get(&format!("/api/v1/messages?group=g&limit=5{query}")).await;
        seen.extend(list.ids());
        let Some(next) = list.json()["next"].as_str().map(str::to_owned) else { break };
        query = format!("&after={next}");
    }
    assert_eq!((seen.len(), published), (12, 12));
    assert!(seen.is_sorted_by(|a, b| a > b), "newest first, none twice: {seen:?}");
}

#[tokio::test]
async fn a_queue_is_looked_at_paused_and_deleted_with_what_waits() {
    let scene = Scene::new();
    scene.call("POST", "/v2/queues", &[], r#"{"queueName":"emails","parallelism":3}"#).await;
    for name in ["a", "b", "mails"] {
        scene.publish(&format!("/v2/enqueue/{name}/{TO}"), &[]).await;
    }
    for _ in 0..3 {
        scene.publish(&format!("/v2/enqueue/emails/{TO}"), &[]).await;
    }
    assert_eq!(scene.listed("/api/v1/queues", "name").await, ["a", "b", "emails", "mails"]);
    assert_eq!(scene.listed("/api/v1/queues?search=mail", "name").await, ["emails", "mails"]);
    let page = scene.get("/api/v1/queues?limit=2").await.json();
    assert_eq!(page["next"], "b");
    assert_eq!(scene.listed("/api/v1/queues?limit=2&after=b", "name").await, ["emails", "mails"]);
    let queue = scene.get("/api/v1/queues/emails").await.json();
    assert_eq!((&queue["parallelism"], &queue["paused"], &queue["waiting"]), (&json!(3), &json!(false), &json!(3)));

    let paused = scene.post("/api/v1/queues/emails/pause", json!({})).await.json();
    assert_eq!((&paused["paused"], &paused["waiting"]), (&json!(true), &json!(3)));
    assert_eq!(scene.call("GET", "/v2/queues/emails", &[], "").await["paused"], true);
    let written = scene.get("/api/v1/audit?action=queues.pause").await.json()["items"][0].clone();
    assert_eq!((&written["subject"], &written["before"]), (&json!("emails"), &json!({"paused": false})));
    assert_eq!(written["after"], json!({"paused": true}));
    assert_eq!(scene.post("/api/v1/queues/emails/resume", json!(null)).await.json()["paused"], false);

    let deleted = scene.delete("/api/v1/queues/emails").await.json();
    assert_eq!((&deleted["cancelled"], &deleted["more"]), (&json!(3), &json!(false)));
    assert_eq!(scene.listed("/api/v1/messages?state=cancelled", "queue").await, ["emails"; 3]);
    assert_eq!(scene.listed("/api/v1/queues", "name").await, ["a", "b", "mails"]);
    for got in [
        scene.get("/api/v1/queues/emails").await,
        scene.delete("/api/v1/queues/emails").await,
        scene.post("/api/v1/queues/emails/pause", json!({})).await,
        scene.post("/api/v1/queues/emails/resume", json!({})).await,
    ] {
        assert_eq!(got.code(), "queue_not_found");
    }
}

#[tokio::test]
async fn a_queue_with_very_much_in_it_is_emptied_step_by_step() {
    let scene = Scene::new();
    let entry = |n: u32| json!({"destination": TO, "queue": "q", "body": n.to_string()});
    let batch = Value::Array((0..600).map(entry).collect());
    scene.call("POST", "/v2/batch", &[], &batch.to_string()).await;
    let emptied = scene.book.delete_queue(&*scene.store, "q", 1).await.unwrap();
    assert_eq!(emptied, Emptied { cancelled: 500, more: true });
    assert_eq!(scene.get("/api/v1/queues/q").await.json()["waiting"], 100);
    assert_eq!(scene.delete("/api/v1/queues/q").await.json()["cancelled"], 100);
    assert_eq!(scene.get("/api/v1/queues/q").await.code(), "queue_not_found");
}

#[tokio::test]
async fn a_schedule_shows_its_next_ticks_and_what_became_of_the_last() {
    let scene = Scene::new();
    let headers = [("upstash-cron", "* * * * *"), ("upstash-schedule-id", "report"), ("upstash-label", "r")];
    scene.call("POST", &format!("/v2/schedules/{TO}"), &headers, "{}").await;
    let schedule = async || scene.get("/api/v1/schedules/report").await.json();
    let before = schedule().await;
    // The start is 20 s after a full minute.
    let next: Vec<_> = (0..5).map(|n| json!(after(40 + 60 * n))).collect();
    assert_eq!(before["next_at"], json!(next));
    assert_eq!((&before["zone"], &before["last_tick"]), (&json!("UTC"), &Value::Null));
    assert_eq!(
        (&before["destination"], &before["group"], &before["labels"]),
        (&json!(TO), &Value::Null, &json!(["r"]))
    );

    scene.clock.advance(after(40).since(scene.clock.now()));
    scene.tick().await;
    scene.clock.advance(Duration::from_secs(300));
    assert_eq!(schedule().await["overdue_since"], json!(after(100)));
    scene.tick().await;
    let ran = schedule().await;
    let tick = &ran["last_tick"];
    assert_eq!((&tick["at"], &tick["missed"], &ran["overdue_since"]), (&json!(after(340)), &json!(4), &Value::Null));
    assert_eq!((&tick["messages"][0]["state"], &tick["message_count"]), (&json!("pending"), &json!(1)));
    let messages = scene.get("/api/v1/messages?schedule=report").await;
    assert_eq!(messages.ids().len(), 2);
    assert_eq!(messages.ids()[0], tick["messages"][0]["id"]);
    let detail = scene.get(&format!("/api/v1/messages/{}", messages.ids()[0])).await.json();
    assert_eq!(detail["settings"]["schedule"], "report");

    let paused = scene.post("/api/v1/schedules/report/pause", json!({})).await.json();
    assert_eq!((&paused["paused"], &paused["next_at"]), (&json!(true), &json!([])));
    scene.clock.advance(Duration::from_secs(300));
    scene.tick().await;
    assert_eq!(scene.post("/api/v1/schedules/report/resume", json!({})).await.json()["paused"], false);
    scene.clock.advance(Duration::from_secs(60));
    scene.tick().await;
    assert_eq!(schedule().await["last_tick"]["missed"], 0, "what was paused was not missed");

    assert_eq!(scene.delete("/api/v1/schedules/report").await.json()["id"], "report");
    for got in [
        scene.get("/api/v1/schedules/report").await,
        scene.delete("/api/v1/schedules/report").await,
        scene.post("/api/v1/schedules/report/pause", json!({})).await,
        scene.post("/api/v1/schedules/report/resume", json!({})).await,
    ] {
        assert_eq!(got.code(), "schedule_not_found");
    }
    assert_eq!(scene.listed("/api/v1/messages?destination=https://a.example/x", "id").await.len(), 3);
}

#[tokio::test]
async fn a_schedule_s_messages_page_over_ticks_that_were_never_made() {
    let scene = Scene::new();
    let headers = [("upstash-cron", "* * * * *"), ("upstash-schedule-id", "s")];
    scene.call("POST", &format!("/v2/schedules/{TO}"), &headers, "{}").await;
    let mut made = 0;
    for minutes in [1, 1, 250, 1] {
        scene.clock.advance(Duration::from_secs(60 * minutes));
        scene.tick().await;
        made += 1;
    }
    let (mut seen, mut looks, mut query) = (Vec::new(), 0, String::new());
    loop {
        let list = scene.get(&format!("/api/v1/messages?schedule=s&limit=3{query}")).await;
        seen.extend(list.ids());
        looks += 1;
        assert!(looks < 10, "it ends");
        let Some(next) = list.json()["next"].as_str().map(str::to_owned) else { break };
        query = format!("&after={next}");
    }
    assert_eq!(seen.len(), made);
    assert!(seen.is_sorted_by(|a, b| a > b), "newest first, none twice: {seen:?}");
}

#[tokio::test]
async fn a_replay_stands_with_its_tick_on_whatever_page() {
    let scene = Scene::new();
    let headers = [("upstash-cron", "* * * * *"), ("upstash-schedule-id", "s")];
    scene.call("POST", &format!("/v2/schedules/{TO}"), &headers, "{}").await;
    for _ in 0..4 {
        scene.clock.advance(Duration::from_secs(60));
        scene.tick().await;
    }
    let first = scene.get("/api/v1/messages?schedule=s").await.ids();
    for act in ["cancel", "replay"] {
        let got = scene.post(&format!("/api/v1/deliveries/{}/{act}", first[2]), json!({})).await;
        assert_eq!(got.status, 200, "{}", got.json());
    }
    let whole = scene.get("/api/v1/messages?schedule=s").await.ids();
    assert_eq!((whole.len(), &whole[3]), (5, &first[2]), "{whole:?}");
    for limit in 1..=5 {
        let (mut seen, mut query) = (Vec::new(), String::new());
        while seen.len() <= whole.len() {
            let page = scene.get(&format!("/api/v1/messages?schedule=s&limit={limit}{query}")).await;
            seen.extend(page.ids());
            let Some(next) = page.json()["next"].as_str().map(str::to_owned) else { break };
            query = format!("&after={next}");
        }
        assert_eq!(seen, whole, "{limit} at a time");
    }
}

#[tokio::test]
async fn a_url_group_is_shown_and_deleted() {
    let scene = Scene::new();
    let endpoints =
        json!({"endpoints": [{"url": "https://e.example/1", "name": "one"}, {"url": "https://e.example/2"}]});
    scene.call("POST", "/v2/topics/signups/endpoints", &[], &endpoints.to_string()).await;
    let defaults = json!({"headers": {"Upstash-Retries": "1", "Upstash-Forward-Authorization": "Bearer hunter2"}});
    scene.call("PATCH", "/v2/topics/signups", &[], &defaults.to_string()).await;
    let got = scene.get("/api/v1/url-groups/signups").await;
    assert!(!String::from_utf8_lossy(&got.body).contains("hunter2"));
    let group = got.json();
    assert_eq!(group["endpoints"][0], json!({"name": "one", "url": "https://e.example/1"}));
    assert_eq!(group["endpoints"][1], json!({"name": null, "url": "https://e.example/2"}));
    assert_eq!(group["default_headers"], json!(["Authorization", "Upstash-Retries"]));
    assert_eq!(scene.get("/api/v1/url-groups").await.json()["items"], json!([group]));
    assert_eq!(scene.delete("/api/v1/url-groups/signups").await.json(), group);
    assert_eq!(scene.delete("/api/v1/url-groups/signups").await.code(), "url_group_not_found");
    assert_eq!(scene.get("/api/v1/url-groups/signups").await.code(), "url_group_not_found");
    assert_eq!(scene.get("/api/v1/url-groups").await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_flow_control_key_is_paused_pinned_and_counted_anew() {
    let scene = Scene::new();
    let flow = [("upstash-flow-control-key", "a/b"), ("upstash-flow-control-value", "parallelism=2,rate=5,period=1m")];
    for _ in 0..3 {
        scene.publish(&format!("/v2/publish/{TO}"), &flow).await;
    }
    let session = scene.store.open_session(Duration::from_secs(60)).await.unwrap();
    let room = LaneRoom { lane: Lane::of_flow("a/b"), room: 1, limit: None };
    assert_eq!(scene.store.claim(session, &[room], 1).await.unwrap().len(), 1);
    let key = scene.get("/api/v1/flow-control/a%2Fb").await.json();
    assert_eq!(scene.get("/api/v1/flow-control").await.json()["items"], json!([key]));
    assert_eq!((&key["name"], &key["waiting"], &key["leased"]), (&json!("a/b"), &json!(2), &json!(1)));
    assert_eq!((&key["parallelism"], &key["rate"], &key["period_ms"]), (&json!(2), &json!(5), &json!(60_000)));
    assert_eq!((&key["parallelism_pinned"], &key["reset_at"]), (&json!(false), &Value::Null));

    let act = async |action: &str, body: Value| scene.post(&format!("/api/v1/flow-control/a%2Fb/{action}"), body).await;
    assert_eq!(act("pause", json!({})).await.json()["paused"], true);
    assert_eq!(act("resume", json!({})).await.json()["paused"], false);
    assert_eq!(act("reset", json!({})).await.json()["reset_at"], json!(scene.clock.now()));
    let pinned = act("pin", json!({"parallelism": 9, "period_s": 10})).await.json();
    assert_eq!((&pinned["parallelism"], &pinned["parallelism_pinned"]), (&json!(9), &json!(true)));
    assert_eq!(
        (&pinned["rate"], &pinned["period_ms"], &pinned["rate_pinned"]),
        (&json!(5), &json!(10_000), &json!(true))
    );
    scene.publish(&format!("/v2/publish/{TO}"), &flow).await;
    assert_eq!(scene.get("/api/v1/flow-control/a%2Fb").await.json()["parallelism"], 9, "messages do not change it");
    assert_eq!(act("unpin", json!({})).await.json()["rate_pinned"], false);
    scene.publish(&format!("/v2/publish/{TO}"), &flow).await;
    assert_eq!(scene.get("/api/v1/flow-control/a%2Fb").await.json()["parallelism"], 2);
    for body in [json!({}), json!({"rate": 0}), json!({"period_s": 604_801}), json!({"parallelism": 1_000_001})] {
        assert_eq!(act("pin", body.clone()).await.code(), "bad_body", "{body}");
    }
    let nobody = "/api/v1/flow-control/nobody";
    assert_eq!(scene.get(nobody).await.code(), "flow_control_not_found");
    for (action, body) in [
        ("pause", json!({})),
        ("resume", json!({})),
        ("reset", json!({})),
        ("unpin", json!({})),
        ("pin", json!({"rate": 1})),
    ] {
        assert_eq!(scene.post(&format!("{nobody}/{action}"), body).await.code(), "flow_control_not_found");
    }
    assert_eq!(scene.get("/api/v1/flow-control").await.json()["items"].as_array().unwrap().len(), 1);
    let written = scene.get("/api/v1/audit?action=flow-control.pin").await.json();
    assert_eq!(written["items"].as_array().unwrap().last().unwrap()["subject"], "a/b");
}
