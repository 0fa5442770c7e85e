//! Publish, enqueue, batch; the doors and limits of all calls.

use serde_json::json;

use super::*;

const TO: &str = "/v2/publish/https://example.com/a//b?x=1&y=b%20c";

#[tokio::test]
async fn a_message_is_readable_as_soon_as_the_answer_is_out() {
    let api = Api::new();
    let headers = [("upstash-forward-test-header", "v"), ("content-type", "text/plain"), ("upstash-delay", "10s")];
    let answered = api.call("POST", TO, &headers, "hello").await;
    assert_eq!(
        (answered.status, &answered.headers["content-type"]),
        (200, &HeaderValue::from_static("application/json"))
    );
    let id = answered.json()["messageId"].as_str().unwrap().to_owned();
    assert_eq!(answered.json()["url"], "https://example.com/a//b?x=1&y=b%20c");
    let message = api.get(&format!("/v2/messages/{id}")).await.json();
    assert_eq!((&message["url"], &message["body"]), (&json!("https://example.com/a//b?x=1&y=b%20c"), &json!("hello")));
    assert_eq!(message["header"], json!({"Test-Header": ["v"], "Content-Type": ["text/plain"]}));
    assert_eq!(message["notBefore"].as_i64().unwrap() - message["createdAt"].as_i64().unwrap(), 10_000);
    assert_eq!(message["callerIP"], "203.0.113.9");
    assert_eq!(api.get("/v2/messages/msg_00000000000000000000000000").await.status, 404);
}

#[tokio::test]
async fn the_token_is_neither_stored_nor_sent() {
    let api = Api::new();
    let by_query = format!("{TO}&qstash_token=full&upstash-method=PUT");
    let headers = [("authorization", "Basic of-the-destination"), ("upstash-header-forward", "true")];
    let answered = api.call("POST", &by_query, &headers, "").await;
    assert_eq!(answered.json()["url"], "https://example.com/a//b?x=1&y=b%20c");
    let id = api.publish(TO, &[("upstash-header-forward", "true"), ("x-mine", "1")]).await;
    let (_, leased) = api.claim().await;
    let events: Vec<_> = leased.iter().map(|l| l.event.clone().unwrap()).collect();
    assert!(events.iter().flat_map(|e| &e.headers).all(|(_, value)| !value.windows(4).any(|w| w == b"full")));
    let message = api.get(&format!("/v2/messages/{id}")).await.json();
    assert_eq!(message["header"], json!({"X-Mine": ["1"]}));
}

#[tokio::test]
async fn doors() {
    let api = Api::new();
    let as_who = |token: &'static str| [("authorization", token)];
    for token in ["Bearer wrong", "", "full"] {
        let answered = api.call("POST", TO, &as_who(token), "").await;
        assert_eq!((answered.status, answered.error()), (401, "unable to authenticate: invalid token".into()));
    }
    assert_eq!(api.call("POST", TO, &as_who("Bearer read"), "").await.status, 403);
    assert_eq!(api.call("GET", "/v2/queues", &as_who("Bearer read"), "").await.status, 200);
    assert_eq!(api.call("GET", TO, &[], "").await.status, 405);
    assert_eq!(api.call("POST", "/v2/nothing", &[], "").await.status, 404);
    assert_eq!(api.call("POST", "/v2/publish/api/llm", &[], "").await.status, 501);
    assert_eq!(api.call("POST", TO, &[("upstash-workflow-init", "true")], "").await.status, 501);
    let elsewhere = api.call("GET", "/favicon.ico", &as_who(""), "").await;
    assert_eq!((elsewhere.status, &*elsewhere.text), (404, ""));
    let closed = Api::with(|config| config.publish.enabled = false);
    assert_eq!(closed.call("POST", TO, &[], "").await.status, 404);
}

#[tokio::test]
async fn bad_destinations_and_settings_are_refused_in_the_shape_of_errors() {
    let api = Api::new();
    let scheme = "invalid destination url: endpoint has invalid scheme, add http:// or https://";
    for to in ["ftp://example.com", "https%3A%2F%2Fexample.com", "no-such-group", "", "example.com/path"] {
        let answered = api.call("POST", &format!("/v2/publish/{to}"), &[], "").await;
        assert_eq!((answered.status, answered.error()), (400, scheme.into()), "{to}");
    }
    for to in [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://[::1]:8081/",
        "http://localhost/",
        "http://169.254.169.254/",
    ] {
        assert_eq!(api.call("POST", &format!("/v2/publish/{to}"), &[], "").await.status, 400, "{to}");
        assert_eq!(api.call("POST", TO, &[("upstash-callback", to)], "").await.status, 400, "{to}");
    }
    assert_eq!(api.call("POST", TO, &[("upstash-retries", "x")], "").await.status, 400);
    assert_eq!(api.call("POST", TO, &[("upstash-retries", "4000000")], "").await.error(), "quota maxRetries exceeded");
    assert_eq!(api.call("POST", "/v2/enqueue/a:b/https://example.com/", &[], "").await.status, 400);
    let small = Api::with(|config| config.publish.body_bytes_max = 4);
    let large = small.call("POST", TO, &[], "hello").await;
    assert_eq!((large.status, large.error()), (412, "quota maxMessageSize exceeded, current limit: 4".into()));
    assert_eq!(
        small.call("POST", "/v2/batch", &[], r#"[{"destination":"https://a.example/","body":"hello"}]"#).await.status,
        412
    );
    assert_eq!(api.store().stats().await.unwrap().pending, 0);
}

#[tokio::test]
async fn a_duplicate_is_accepted_and_is_the_first() {
    let api = Api::new();
    let first = api.publish(TO, &[("upstash-deduplication-id", "d")]).await;
    assert_eq!(api.attempt_all(false).await, 1);
    let again = api.call("POST", "/v2/publish/https://other.example/", &[("upstash-deduplication-id", "d")], "").await;
    assert_eq!((again.status, &again.json()["deduplicated"]), (202, &json!(true)));
    assert_eq!(again.json()["messageId"], first.as_str());
    assert_eq!(api.get("/v2/dlq").await.json()["messages"].as_array().unwrap().len(), 1, "and revives nothing");
    api.clock.advance(Duration::from_secs(601));
    assert_ne!(api.publish(TO, &[("upstash-deduplication-id", "d")]).await, first);
    let by_content = [("upstash-content-based-deduplication", "True")];
    let first = api.publish(TO, &by_content).await;
    assert_eq!(api.call("POST", TO, &by_content, "hello").await.json()["messageId"], first.as_str());
    assert_eq!(api.call("POST", TO, &by_content, "other").await.status, 200);
    assert_ne!(api.publish(TO, &[]).await, api.publish(TO, &[]).await);
}

#[tokio::test]
async fn a_batch_is_all_or_nothing_and_keeps_its_shape() {
    let api = Api::new();
    let endpoints = r#"{"endpoints":[{"url":"https://a.example/"},{"name":"b","url":"https://b.example/"}]}"#;
    assert_eq!(api.call("POST", "/v2/topics/g/endpoints", &[], endpoints).await.status, 200);
    let entries = json!([
        {"destination": "https://example.com/?q=1&upstash-retries=0", "headers": {"Upstash-Forward-X": "1"}, "body": "é"},
        {"destination": "g", "body": null, "queue": null, "headers": null},
        {"destination": "https://example.com/", "queue": "q"},
    ]);
    let answered = api.call("POST", "/v2/batch", &[], &entries.to_string()).await.json();
    let [one, group, queued] = &answered.as_array().unwrap()[..] else { panic!("{answered}") };
    assert!(one["messageId"].is_string() && queued["messageId"].is_string());
    let urls: Vec<_> = group.as_array().unwrap().iter().map(|e| e["url"].as_str().unwrap()).collect();
    assert_eq!(urls, ["https://a.example/", "https://b.example/"]);
    let message = api.get(&format!("/v2/messages/{}", one["messageId"].as_str().unwrap())).await.json();
    assert_eq!((&message["url"], &message["maxRetries"]), (&json!("https://example.com/?q=1"), &json!(0)));
    let queued = api.get(&format!("/v2/messages/{}", queued["messageId"].as_str().unwrap())).await.json();
    assert_eq!(queued["queueName"], "q");
    let before = api.store().stats().await.unwrap().pending;
    for bad in [
        r#"[{"destination":"https://a.example/"},{"destination":"nowhere!"}]"#,
        r#"[{"destination":"https://a.example/"},{"destination":"https://b.example/","headers":{"Upstash-Forward-X":"a\r\nb"}}]"#,
        r#"{"destination":"https://a.example/"}"#,
        "?",
        r#"[{"destination":"https://a.example/","body":{"a":1}}]"#,
    ] {
        assert_eq!(api.call("POST", "/v2/batch", &[], bad).await.status, 400, "{bad}");
    }
    assert_eq!(api.store().stats().await.unwrap().pending, before);
    assert_eq!(api.call("POST", "/v2/batch", &[], "[]").await.json(), json!([]));
}

#[tokio::test]
async fn a_queue_keeps_the_order_of_a_batch() {
    let api = Api::new();
    let entries: Vec<_> =
        (0..50).map(|n| json!({"destination": "https://a.example/", "queue": "q", "body": n.to_string()})).collect();
    api.call("POST", "/v2/batch", &[], &Value::from(entries).to_string()).await;
    for n in 0..50 {
        let (session, leased) = api.claim().await;
        let [only] = &leased[..] else { panic!("{} at once", leased.len()) };
        assert_eq!(&only.event.as_ref().unwrap().body[..], n.to_string().as_bytes());
        api.store().settle(session, vec![settlement(&api, only, true)]).await.unwrap();
    }
}

#[tokio::test]
async fn keys_are_shown_and_rotated() {
    let api = Api::new();
    let shown = api.get("/v2/keys").await.json();
    assert_eq!(shown, json!({"current": "sig_current", "next": "sig_next"}));
    let rotated = api.call("POST", "/v2/keys/rotate", &[], "").await.json();
    assert_eq!(api.get("/v2/keys").await.json(), rotated);
    assert_ne!(rotated, shown);
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_accepted() {
    let api = Api::new();
    api.store().close().await;
    for target in [TO, "/v2/batch", "/v2/queues"] {
        let answered = api.call("POST", target, &[], "?").await;
        assert_eq!(
            (answered.status, &answered.headers["retry-after"]),
            (503, &HeaderValue::from_static("5")),
            "{target}"
        );
        assert!(answered.error().starts_with("the store cannot accept now"), "{}", answered.text);
    }
}
