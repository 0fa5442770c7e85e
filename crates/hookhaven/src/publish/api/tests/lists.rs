//! Cancelling, the dead letter queue, and logs.

use serde_json::json;

use super::*;

const TO: &str = "/v2/publish/https://a.example/x";

async fn cancelled(api: &Api, target: &str, body: &str) -> u64 {
    let answered = api.call("DELETE", target, &[], body).await;
    assert_eq!(answered.status, 200, "{}", answered.text);
    answered.json()["cancelled"].as_u64().unwrap()
}

#[tokio::test]
async fn cancelling_one() {
    let api = Api::new();
    let id = api.publish(TO, &[("upstash-delay", "1h")]).await;
    assert_eq!(cancelled(&api, &format!("/v2/messages/{id}"), "").await, 1);
    assert_eq!(api.call("DELETE", &format!("/v2/messages/{id}"), &[], "").await.status, 404);
    assert_eq!(api.call("DELETE", "/v2/messages/msg_x", &[], "").await.status, 404);
    assert_eq!(api.get(&format!("/v2/messages/{id}")).await.status, 200);
}

#[tokio::test]
async fn cancelling_many() {
    let api = Api::new();
    let mut ids = Vec::new();
    for n in 0..10 {
        let label = if n % 2 == 0 { "even" } else { "odd,second" };
        ids.push(api.publish(TO, &[("upstash-label", label), ("upstash-delay", "300d")]).await);
    }
    let some = json!({"messageIds": [&ids[0], &ids[1], &ids[1], "msg_unknown"]}).to_string();
    assert_eq!(cancelled(&api, "/v2/messages", &some).await, 2);
    assert_eq!(cancelled(&api, &format!("/v2/messages?messageIds={}&messageIds={}", ids[1], ids[2]), "").await, 1);
    assert_eq!(cancelled(&api, "/v2/messages", r#"{"messageIds":[]}"#).await, 0);
    assert_eq!(cancelled(&api, "/v2/messages?label=second&count=2", "").await, 2);
    assert_eq!(cancelled(&api, "/v2/messages?host=a.example&path=/x&label=odd&fromDate=0", "").await, 2);
    assert_eq!(api.call("DELETE", "/v2/messages?labeel=even", &[], "").await.status, 400);
    assert_eq!(cancelled(&api, "/v2/messages?count=1", "").await, 1);
    assert_eq!(cancelled(&api, "/v2/messages/", "").await, 2, "no selection at all is everything");
    assert_eq!(cancelled(&api, "/v2/messages", "").await, 0);
}

#[tokio::test]
async fn a_message_in_hand_ends_without_another_try() {
    let api = Api::new();
    let id = api.publish(TO, &[]).await;
    let (session, leased) = api.claim().await;
    assert_eq!(cancelled(&api, &format!("/v2/messages/{id}"), "").await, 1);
    let mut settlement = settlement(&api, &leased[0], false);
    settlement.next = Next::Retry { due_at: api.clock.now().plus(Duration::from_secs(12)) };
    api.store().settle(session, vec![settlement]).await.unwrap();
    assert_eq!(
        states(&api, &format!("/v2/events?messageId={id}&order=earliestFirst")).await.join(" "),
        "CREATED ACTIVE CANCEL_REQUESTED ERROR CANCELED"
    );
    assert_eq!(api.get("/v2/dlq").await.json(), json!({"messages": []}));
}

#[tokio::test]
async fn dead_letters_are_listed_retried_and_deleted() {
    let api = Api::new();
    for n in 0..5 {
        api.publish(TO, &[("upstash-retries", "0"), ("upstash-label", &format!("l{n}")), ("upstash-delay", "1s")])
            .await;
        api.clock.advance(Duration::from_secs(2));
        assert_eq!(api.attempt_all(false).await, 1);
    }
    let page = api.get("/v2/dlq?count=2").await.json();
    let letter = &page["messages"][0];
    assert_eq!(
        (&letter["label"], &letter["responseStatus"], &letter["responseBody"]),
        (&json!("l0"), &json!(500), &json!("oops"))
    );
    assert_eq!(letter["responseHeader"], json!({"X-Reply": ["r"]}));
    let (mut seen, mut cursor) = (2, page["cursor"].as_str().map(str::to_owned));
    while let Some(next) = cursor {
        let page = api.get(&format!("/v2/dlq?count=2&cursor={next}")).await.json();
        seen += page["messages"].as_array().unwrap().len();
        cursor = page.get("cursor").map(|c| c.as_str().unwrap().to_owned());
    }
    assert_eq!(seen, 5);
    let id = letter["dlqId"].as_str().unwrap();
    assert_eq!(api.get(&format!("/v2/dlq/{id}")).await.json()["messageId"], letter["messageId"]);
    assert_eq!(api.get("/v2/dlq?responseStatus=500&label=l3").await.json()["messages"].as_array().unwrap().len(), 1);
    assert_eq!(api.get("/v2/dlq?responseStatus=404").await.json(), json!({"messages": []}));
    let newest = api.get("/v2/dlq?order=latestFirst&count=1").await.json();
    assert_eq!(newest["messages"][0]["label"], "l4");

    let retried = api.call("POST", &format!("/v2/dlq/retry?dlqIds={id}"), &[], "").await;
    let new = retried.json()["responses"][0]["messageId"].as_str().unwrap().to_owned();
    assert_eq!((retried.status, new == letter["messageId"].as_str().unwrap()), (201, false));
    assert_eq!(api.get(&format!("/v2/dlq/{id}")).await.status, 404, "it has left");
    assert_eq!(api.call("POST", &format!("/v2/dlq/retry/{id}"), &[], "").await.status, 404);
    assert_eq!(api.call("POST", &format!("/v2/dlq/retry?dlqIds={id}"), &[], "").await.status, 404);
    let again = api.get(&format!("/v2/messages/{new}")).await.json();
    assert_eq!(
        (&again["label"], &again["url"], &again["maxRetries"]),
        (&json!("l0"), &json!("https://a.example/x"), &json!(0))
    );
    assert_eq!(api.attempt_all(true).await, 1, "at once, whatever its delay was");

    let deleted = api.call("DELETE", &format!("/v2/dlq?dlqIds={id}"), &[], "").await;
    assert_eq!((deleted.status, deleted.json()), (200, json!({"deleted": 0})));
    assert_eq!(api.call("DELETE", &format!("/v2/dlq/{id}"), &[], "").await.status, 404);
    let letters = api.get("/v2/dlq").await.json();
    let ids: Vec<_> = letters["messages"].as_array().unwrap().iter().map(|m| m["dlqId"].clone()).collect();
    assert_eq!(api.call("DELETE", &format!("/v2/dlq/{}", ids[0].as_str().unwrap()), &[], "").await.status, 200);
    let by_body = json!({"dlqIds": [ids[1]]}).to_string();
    assert_eq!(api.call("DELETE", "/v2/dlq", &[], &by_body).await.json(), json!({"deleted": 1}));
    assert_eq!(api.call("DELETE", "/v2/dlq?labeel=x", &[], "").await.status, 400);
    let first = api.call("DELETE", "/v2/dlq?count=1", &[], "").await.json();
    let rest =
        api.call("DELETE", &format!("/v2/dlq?count=1&cursor={}", first["cursor"].as_str().unwrap()), &[], "").await;
    assert_eq!(rest.json(), json!({"deleted": 1}));
    assert_eq!(api.call("POST", "/v2/dlq/retry?label=none", &[], "").await.json(), json!({"responses": []}));
}

#[tokio::test]
async fn all_are_retried_once_though_they_die_again_meanwhile() {
    let api = Api::new();
    for _ in 0..3 {
        api.publish(TO, &[("upstash-retries", "0")]).await;
        api.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(api.attempt_all(false).await, 3);
    let (mut retried, mut cursor) = (0, String::new());
    loop {
        api.clock.advance(Duration::from_secs(1));
        let page = api.call("POST", &format!("/v2/dlq/retry?count=1{cursor}"), &[], "").await.json();
        let news = page["responses"].as_array().unwrap().len();
        assert_eq!(api.attempt_all(false).await, news, "each is dead again at once");
        retried += news;
        let Some(next) = page["cursor"].as_str() else { break };
        assert!(retried <= 3, "over and over");
        cursor = format!("&cursor={next}");
    }
    assert_eq!(retried, 3);
    assert_eq!(api.get("/v2/dlq").await.json()["messages"].as_array().unwrap().len(), 3);
    for bad in ["x.y", "dlq_x.dlq_y", "."] {
        assert_eq!(api.call("POST", &format!("/v2/dlq/retry?cursor={bad}"), &[], "").await.status, 400, "{bad}");
    }
}

async fn states(api: &Api, target: &str) -> Vec<String> {
    let answered = api.get(target).await;
    assert_eq!(answered.status, 200, "{}", answered.text);
    answered.json()["events"].as_array().unwrap().iter().map(|e| e["state"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn logs_tell_what_happened() {
    let api = Api::new();
    let id = api
        .publish(TO, &[("upstash-retries", "0"), ("upstash-retry-delay", "1000"), ("upstash-redact-fields", "body")])
        .await;
    api.attempt_all(false).await;
    let all = ["FAILED", "ERROR", "ACTIVE", "CREATED"];
    for target in ["/v2/events".to_owned(), format!("/v2/logs?messageId={id}"), format!("/v2/events?messageIds={id}")] {
        assert_eq!(states(&api, &target).await, all, "{target}");
    }
    let error = api.get("/v2/events?state=ERROR").await.json()["events"][0].clone();
    assert_eq!(
        (&error["responseStatus"], &error["responseBody"], &error["error"]),
        (&json!(500), &json!("b29wcw=="), &json!("answered 500"))
    );
    assert_eq!((&error["retryDelayExpr"], &error["retryDelayExpression"]), (&json!("1000"), &json!("1000")));
    assert!(!error.to_string().contains("aGVsbG8="), "the body is hidden");
    assert_eq!(error["responseHeaders"], error["responseHeader"]);
    assert!(states(&api, "/v2/events?label=other").await.is_empty());
    assert_eq!(api.get("/v2/events?responseStatus=1").await.status, 400);
}

#[tokio::test]
async fn pages_of_logs_fit_together_while_more_happens() {
    let api = Api::new();
    for _ in 0..7 {
        api.publish(TO, &[]).await;
    }
    api.attempt_all(true).await;
    for (order, count) in [("latestFirst", 1), ("latestFirst", 4), ("earliestFirst", 3), ("earliestFirst", 21)] {
        let whole = api.get(&format!("/v2/events?order={order}&count=1000")).await.json();
        let whole = whole["events"].as_array().unwrap().clone();
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = api.get(&format!("/v2/events?order={order}&count={count}{cursor}")).await.json();
            seen.extend(page["events"].as_array().unwrap().clone());
            assert!(seen.len() <= whole.len(), "{order} {count}: entries come twice");
            if order == "latestFirst" {
                api.publish(TO, &[("upstash-delay", "1h")]).await;
            }
            match page.get("cursor") {
                Some(next) => cursor = format!("&cursor={}", next.as_str().unwrap()),
                None => break,
            }
        }
        assert_eq!(seen, whole, "{order} {count}");
    }
    let id = api.publish(TO, &[]).await;
    api.attempt_all(true).await;
    let first = api.get(&format!("/v2/events?messageId={id}&count=2")).await.json();
    let rest =
        states(&api, &format!("/v2/events?messageId={id}&count=2&cursor={}", first["cursor"].as_str().unwrap())).await;
    assert_eq!(rest, ["CREATED"]);
    assert!(states(&api, &format!("/v2/events?cursor={}", NOW.as_ms())).await.is_empty(), "older than a time");
    assert_eq!(api.get("/v2/events?cursor=x").await.status, 400);
}
