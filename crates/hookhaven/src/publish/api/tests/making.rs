//! What callers make: queues, groups, schedules, flow-control keys.

use serde_json::json;

use super::*;
use crate::publish::scheduler::{Scheduler, SchedulerParts};

#[tokio::test]
async fn queues() {
    let api = Api::new();
    let put = |body: &'static str| api.call("POST", "/v2/queues", &[], body);
    assert_eq!(put(r#"{"queueName":"q","parallelism":3,"paused":true}"#).await.status, 200);
    let queue = api.get("/v2/queues/q").await.json();
    let ms = NOW.as_ms();
    let expected = json!({"name": "q", "parallelism": 3, "createdAt": ms, "updatedAt": ms, "lag": 0, "paused": true});
    assert_eq!(queue, expected);
    let width = api.store().catalog(hookhaven_store::LANE_WIDTH_KIND).await.unwrap();
    assert_eq!((&*width[0].name, &*width[0].value), ("q:q", &b"3"[..]));
    api.clock.advance(Duration::from_secs(1));
    put(r#"{"queueName":"q","parallelism":1}"#).await;
    let queue = api.get("/v2/queues/q").await.json();
    assert_eq!((&queue["paused"], &queue["createdAt"]), (&json!(true), &json!(ms)));
    assert_eq!(queue["updatedAt"], ms + 1_000);
    assert_eq!(&*api.store().catalog(hookhaven_store::LANE_WIDTH_KIND).await.unwrap()[0].value, b"1");
    for (call, paused) in [("resume", false), ("resume", false), ("pause", true)] {
        let answered = api.call("POST", &format!("/v2/queues/q/{call}"), &[], "").await;
        assert_eq!((answered.status, &*answered.text), (200, ""));
        assert_eq!(api.get("/v2/queues/q").await.json()["paused"], paused);
    }
    let bad = [r#"{"queueName":"q","parallelism":0}"#, r#"{"queueName":"a/b","parallelism":1}"#, "{}", "?"];
    for body in bad {
        assert_eq!(api.call("POST", "/v2/queues", &[], body).await.status, 400, "{body}");
    }
    api.publish("/v2/enqueue/new/https://a.example/", &[("upstash-delay", "1h")]).await;
    let message = api.publish("/v2/enqueue/new/https://a.example/", &[]).await;
    assert_eq!(api.get("/v2/queues").await.json().as_array().unwrap().len(), 2);
    assert_eq!(api.get("/v2/queues/new").await.json()["lag"], 2);
    assert_eq!(api.call("DELETE", "/v2/queues/new", &[], "").await.status, 200);
    assert_eq!(api.call("DELETE", "/v2/queues/new", &[], "").await.status, 200, "also if it does not exist");
    assert_eq!(api.get("/v2/queues/new").await.status, 404);
    assert_eq!(api.call("DELETE", &format!("/v2/messages/{message}"), &[], "").await.status, 404, "it went along");
    assert_eq!(api.call("POST", "/v2/queues/none/pause", &[], "").await.status, 404);
}

#[tokio::test]
async fn url_groups() {
    let api = Api::new();
    let put = |body: &'static str| api.call("POST", "/v2/topics/g/endpoints", &[], body);
    put(r#"{"endpoints":[{"name":"e","url":"https://a.example/"},{"url":"https://b.example/"}]}"#).await;
    put(r#"{"endpoints":[{"name":"e","url":"https://a2.example/"},{"url":"https://b.example/"}]}"#).await;
    let group = api.get("/v2/topics/g").await.json();
    assert_eq!(group["endpoints"], json!([{"name": "e", "url": "https://a2.example/"}, {"url": "https://b.example/"}]));
    let published = api.call("POST", "/v2/publish/g", &[("upstash-deduplication-id", "d")], "x").await.json();
    let ids: Vec<_> =
        published.as_array().unwrap().iter().map(|m| m["messageId"].as_str().unwrap().to_owned()).collect();
    let first = api.get(&format!("/v2/messages/{}", ids[0])).await.json();
    assert_eq!((&first["topicName"], &first["endpointName"]), (&json!("g"), &json!("e")));
    put(r#"{"endpoints":[{"url":"https://c.example/"}]}"#).await;
    let again = api.call("POST", "/v2/publish/g", &[("upstash-deduplication-id", "d")], "x").await;
    assert_eq!(again.status, 200, "one of the three is new");
    let known: Vec<_> = again.json().as_array().unwrap().iter().map(|m| m["deduplicated"] == true).collect();
    assert_eq!((known, &again.json()[1]["messageId"]), (vec![true, true, false], &json!(ids[1])));
    let defaults = r#"{"headers":{"Upstash-Retries":"7","Upstash-Header-Forward":["true"]}}"#;
    assert_eq!(api.call("PATCH", "/v2/topics/g", &[], defaults).await.status, 200);
    let published = api.call("POST", "/v2/publish/g", &[("x-a", "1")], "x").await.json();
    let message = api.get(&format!("/v2/messages/{}", published[0]["messageId"].as_str().unwrap())).await.json();
    assert_eq!((&message["maxRetries"], &message["header"]), (&json!(7), &json!({"X-A": ["1"]})));
    let remove = |body: &'static str| api.call("DELETE", "/v2/topics/g/endpoints", &[], body);
    assert_eq!(remove(r#"{"endpoints":[{}]}"#).await.status, 400);
    remove(r#"{"endpoints":[{"name":"e"},{"url":"https://b.example/"}]}"#).await;
    assert_eq!(api.get("/v2/topics").await.json()[0]["endpoints"], json!([{"url": "https://c.example/"}]));
    remove(r#"{"endpoints":[{"url":"https://c.example/"}]}"#).await;
    assert_eq!(api.get("/v2/topics/g").await.status, 404, "with the last endpoint goes the group");
    assert_eq!(remove(r#"{"endpoints":[{"name":"e"}]}"#).await.status, 404);
    assert_eq!(api.call("DELETE", "/v2/topics/g", &[], "").await.status, 200);
    for bad in [r#"{"endpoints":[{"url":"ftp://a"}]}"#, r#"{"endpoints":[{"name":"x"}]}"#, r#"{"endpoints":[]}"#, "[]"]
    {
        assert_eq!(api.call("POST", "/v2/topics/g/endpoints", &[], bad).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn flow_control() {
    let api = Api::new();
    let key = || async { api.get("/v2/flowControl/a%20key").await };
    assert_eq!(key().await.status, 404);
    let flow =
        [("upstash-flow-control-key", "a key"), ("upstash-flow-control-value", "parallelism=5, rate=10, period=1m")];
    api.publish("/v2/publish/https://a.example/", &flow).await;
    let expected = json!({
        "flowControlKey": "a key", "waitListSize": 1, "parallelismMax": 5, "parallelismCount": 0, "rateMax": 10,
        "rateCount": 0, "ratePeriod": 60, "ratePeriodStart": 0, "isPaused": false, "isPinnedParallelism": false,
        "isPinnedRate": false,
    });
    assert_eq!(key().await.json(), expected);
    let act = |action: &'static str| api.call("POST", action, &[], "");
    act("/v2/flowControl/a%20key/pause").await;
    act("/v2/flowControl/a%20key/pin?parallelism=3&period=120").await;
    let pinned = key().await.json();
    assert_eq!(
        (&pinned["isPaused"], &pinned["parallelismMax"], &pinned["ratePeriod"]),
        (&json!(true), &json!(3), &json!(120))
    );
    api.publish("/v2/publish/https://a.example/", &flow).await;
    assert_eq!(key().await.json()["parallelismMax"], 3, "a message does not change what is pinned");
    act("/v2/flowControl/a%20key/unpin?parallelism=true").await;
    let unpinned = key().await.json();
    assert_eq!((&unpinned["isPinnedParallelism"], &unpinned["isPinnedRate"]), (&json!(false), &json!(true)));
    assert_eq!(unpinned["parallelismMax"], 3);
    api.publish("/v2/publish/https://a.example/", &flow).await;
    assert_eq!(key().await.json()["parallelismMax"], 5);
    act("/v2/flowControl/a%20key/resetRate").await;
    assert_eq!(key().await.json()["ratePeriodStart"], NOW.as_s());
    assert_eq!(act("/v2/flowControl/with/slash/pause").await.status, 200, "an unknown key too");
    assert_eq!(api.get("/v2/flowControl?search=slash").await.json()[0]["flowControlKey"], "with/slash");
    for bad in ["pin?rate=0", "pin?rate=x", "pin?speed=1", "unpin?rate=maybe"] {
        assert_eq!(api.call("POST", &format!("/v2/flowControl/k/{bad}"), &[], "").await.status, 400, "{bad}");
    }
    let global = api.get("/v2/globalParallelism").await.json();
    assert!(global["parallelismMax"].as_u64().unwrap() > 0 && global["parallelismCount"] == 0);
}

#[tokio::test]
async fn schedules_and_their_ticks() {
    let api = Api::new();
    let headers = [
        ("upstash-cron", " CRON_TZ=America/New_York */5 * * * * "),
        ("upstash-schedule-id", "s"),
        ("upstash-label", "l"),
    ];
    let made = api.call("POST", "/v2/schedules/https://a.example/?x=1", &headers, "body").await;
    assert_eq!((made.status, made.json()), (200, json!({"scheduleId": "s"})));
    let schedule = api.get("/v2/schedules/s").await.json();
    let expected = json!({
        "scheduleId": "s", "destination": "https://a.example/?x=1", "cron": "CRON_TZ=America/New_York */5 * * * *",
        "createdAt": NOW.as_ms(), "method": "POST", "retries": 3, "isPaused": false, "body": "body", "label": "l",
        "labels": ["l"], "nextScheduleTime": 1_700_000_100_000_i64, "callerIP": "203.0.113.9",
    });
    assert_eq!(schedule, expected);
    let mut scheduler = scheduler(&api);
    let tick = async |scheduler: &mut Scheduler| scheduler_tick(scheduler, api.clock.now()).await;
    assert_eq!(tick(&mut scheduler).await, 1_700_000_100);
    api.clock.advance(Duration::from_secs(100));
    // Two nodes, and one of them twice.
    let mut other = self::scheduler(&api);
    for scheduler in [&mut scheduler, &mut other] {
        tick(scheduler).await;
        tick(scheduler).await;
    }
    let shown = api.get("/v2/schedules/s").await.json();
    assert_eq!(shown["lastScheduleTime"], 1_700_000_100_000_i64);
    let states = shown["lastScheduleStates"].as_object().unwrap();
    assert_eq!(states.values().collect::<Vec<_>>(), ["IN_PROGRESS"]);
    let message = api.get(&format!("/v2/messages/{}", states.keys().next().unwrap())).await.json();
    assert_eq!(
        (&message["scheduleId"], &message["label"], &message["body"]),
        (&json!("s"), &json!("l"), &json!("body"))
    );
    assert_eq!(api.attempt_all(true).await, 1);
    assert!(api.get("/v2/schedules/s").await.json()["lastScheduleStates"].to_string().contains("SUCCESS"));
    // Three ticks missed while nobody ran: the latest is made up.
    api.clock.advance(Duration::from_secs(900));
    tick(&mut self::scheduler(&api)).await;
    assert_eq!(api.attempt_all(true).await, 1);
    for (method, call, paused) in [("PATCH", "pause", true), ("POST", "pause", true), ("POST", "resume", false)] {
        assert_eq!(api.call(method, &format!("/v2/schedules/s/{call}"), &[], "").await.status, 200);
        assert_eq!(api.get("/v2/schedules/s").await.json()["isPaused"], paused);
        api.clock.advance(Duration::from_secs(if paused { 300 } else { 0 }));
        tick(&mut scheduler).await;
        assert_eq!(api.attempt_all(true).await, 0, "what would have ticked is not made up");
    }
    api.call("POST", "/v2/schedules/gone-group", &headers[..1], "").await;
    let replaced = api.call("POST", "/v2/schedules/https://b.example/", &headers[..2], "").await;
    assert_eq!(replaced.json()["scheduleId"], "s");
    let schedule = api.get("/v2/schedules").await.json()[0].clone();
    assert!(schedule.get("body").is_none() && schedule.get("label").is_none());
    assert_eq!(schedule["createdAt"], NOW.as_ms());
    assert_eq!(api.call("DELETE", "/v2/schedules/s", &[], "").await.status, 200);
    assert_eq!(api.call("DELETE", "/v2/schedules/s", &[], "").await.status, 404);
    for bad in [&[("upstash-cron", "* * *")][..], &[], &[("upstash-cron", "* * * * *"), ("upstash-schedule-id", "a/b")]]
    {
        assert_eq!(api.call("POST", "/v2/schedules/https://a.example/", bad, "").await.status, 400);
    }
}

#[tokio::test]
async fn a_schedule_whose_group_is_gone_says_so_and_goes_on() {
    let api = Api::new();
    api.call("POST", "/v2/topics/g/endpoints", &[], r#"{"endpoints":[{"url":"https://a.example/"}]}"#).await;
    let made = api.call("POST", "/v2/schedules/g", &[("upstash-cron", "* * * * *")], "").await.json();
    let id = made["scheduleId"].as_str().unwrap().to_owned();
    assert!(id.starts_with("scd_"));
    api.call("DELETE", "/v2/topics/g", &[], "").await;
    let mut scheduler = scheduler(&api);
    api.clock.advance(Duration::from_secs(60));
    scheduler_tick(&mut scheduler, api.clock.now()).await;
    let schedule = api.get(&format!("/v2/schedules/{id}")).await.json();
    assert_eq!(schedule["error"], "the url group g does not exist");
    assert_eq!(schedule["lastScheduleStates"], json!({}));
    api.call("POST", "/v2/topics/g/endpoints", &[], r#"{"endpoints":[{"url":"https://a.example/"}]}"#).await;
    api.clock.advance(Duration::from_secs(60));
    scheduler_tick(&mut scheduler, api.clock.now()).await;
    assert_eq!(api.attempt_all(true).await, 1);
}

#[tokio::test]
async fn a_day_of_minutes_is_1440_messages_on_two_nodes_with_restarts() {
    let api = Api::new();
    api.call("POST", "/v2/schedules/https://a.example/", &[("upstash-cron", "* * * * *")], "").await;
    let mut nodes = [scheduler(&api), scheduler(&api)];
    let mut made = 0;
    for minute in 0..1_440 {
        api.clock.advance(Duration::from_secs(60));
        if minute % 97 == 0 {
            nodes[minute % 2] = scheduler(&api);
        }
        for node in &mut nodes {
            scheduler_tick(node, api.clock.now()).await;
        }
        made += api.attempt_all(true).await;
    }
    assert_eq!(made, 1_440);
}

fn scheduler(api: &Api) -> Scheduler {
    let PublishParts { store, clock, entropy, book, .. } = (*api.service.0).clone();
    Scheduler::new(SchedulerParts { store, clock, entropy, book })
}

/// Answers when the next tick comes, in seconds.
async fn scheduler_tick(scheduler: &mut Scheduler, now: Time) -> i64 {
    scheduler.tick(now).await.unwrap().map_or(0, Time::as_s)
}
