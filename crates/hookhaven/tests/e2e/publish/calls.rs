//! Calls over real HTTP: targets that no router may touch, bodies that are too large, what a destination gets.

use crate::support::{
    gateway::Gateway,
    handler::Handler,
    publisher::{CONFIG, Publisher, TOKEN},
};

async fn start() -> (Gateway, Publisher) {
    let gateway = Gateway::start(CONFIG).await;
    let publisher = Publisher(gateway.ingest());
    (gateway, publisher)
}

#[tokio::test]
async fn the_target_arrives_byte_for_byte_and_the_headers_are_qstash_s() {
    let handler = Handler::answering(200).await;
    let (_gateway, publisher) = start().await;
    let (path, query) = ("/a//b/%7Euser/../c", "x=1&y=b%20c&z=https://e.example/?q");
    let url = format!("http://{}{path}?{query}", handler.address);
    let headers = [
        ("Upstash-Method", "PUT"),
        ("Upstash-Forward-X-Mine", "1"),
        ("Upstash-Telemetry-Sdk", "js"),
        ("Content-Type", "application/json"),
    ];
    let id = publisher.publish(&url, &headers, b"{}").await;
    handler.until(1).await;
    let received = handler.received().remove(0);
    assert_eq!((received.method.as_str(), &*received.path), ("PUT", path));
    assert_eq!(received.query.as_deref(), Some(query));
    assert_eq!((received.header("user-agent"), &received.body[..]), ("Upstash-QStash", &b"{}"[..]));
    assert_eq!((received.header("x-mine"), received.header("content-type")), ("1", "application/json"));
    assert_eq!((received.header("upstash-message-id"), received.header("webhook-id")), (&*id, &*id));
    assert_eq!(received.header("upstash-signature").split('.').count(), 3);
    let leaked = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        name.as_str().contains("telemetry") || name.as_str().contains("forward") || value.as_bytes() == TOKEN.as_bytes()
    };
    assert!(!received.headers.iter().any(leaked), "{:?}", received.headers);
    assert_eq!(publisher.get(&format!("/v2/messages/{id}")).await["url"], url);
}

#[tokio::test]
async fn too_large_a_body_gets_its_answer_and_not_a_reset() {
    let (_gateway, publisher) = start().await;
    let body = vec![b'x'; 3 << 20];
    let answer = publisher.call("POST", "/v2/publish/https://example.com/", &[], &body).await;
    assert_eq!(answer.status, 412);
    assert!(String::from_utf8_lossy(&answer.body).contains("quota maxMessageSize exceeded"));
}

#[tokio::test]
async fn what_is_sent_to_a_source_and_what_is_published_do_not_mix() {
    let (_gateway, publisher) = start().await;
    for (method, path, status) in
        [("GET", "/v2", 404), ("POST", "/v3/publish/https://a.example/", 404), ("GET", "/healthz", 200)]
    {
        assert_eq!(publisher.call(method, path, &[], b"").await.status, status, "{path}");
    }
    let absolute = "http://hooks.example.test/v2/publish/https://a.example//x?y";
    let answer = publisher.call("POST", absolute, &[("Upstash-Delay", "1h")], b"").await;
    assert_eq!(answer.status, 200);
    assert!(String::from_utf8_lossy(&answer.body).contains("\"url\":\"https://a.example//x?y\""));
}
