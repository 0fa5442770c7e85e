//! What each sender is told, and what it must not be told.

use hookhaven_load::{client::Answer, now::unix_s};

use crate::support::{
    gateway::{Gateway, PUBLIC_URL},
    handler::Handler,
    sdk::{Sdk, ToSign},
    sign,
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn config(handler: &Handler) -> String {
    let source = |sender| {
        format!(
            "[sources.{sender}]\nsender = \"{sender}\"\nsecrets = [\"{SECRET}\"]\n\n\
             [[routes]]\nsource = \"{sender}\"\nto = [\"app\"]\n\n"
        )
    };
    let sources = ["stripe", "github", "slack", "twilio", "standard-webhooks"].map(source).concat();
    format!("{sources}[destinations.app]\nurl = \"{}\"\n", handler.url())
}

/// Signed by the sender's SDK, and sent.
async fn send(gateway: &Gateway, sdk: &mut Sdk, sender: &str, secret: &str, body: &str) -> Answer {
    let url = format!("{PUBLIC_URL}/webhooks/{sender}");
    let what = ToSign { sender, secret, body, url: &url, timestamp_s: unix_s(), id: "id-1", event_type: "ping" };
    let signed = sdk.sign(&what).await;
    gateway.post(&format!("/webhooks/{sender}{}", signed.query), &signed.headers, body.as_bytes()).await
}

#[tokio::test]
async fn slacks_url_verification_gets_its_challenge_back_and_is_no_event() {
    let (handler, mut sdk) = (Handler::answering(200).await, Sdk::start());
    let gateway = Gateway::start(&config(&handler)).await;
    let body = r#"{"token":"x","challenge":"3eZbrw1aB\u0021<b>","type":"url_verification"}"#;
    for _ in 0..2 {
        let answer = send(&gateway, &mut sdk, "slack", SECRET, body).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain")));
        assert_eq!(answer.body, b"3eZbrw1aB!<b>");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    let forged = send(&gateway, &mut sdk, "slack", "another", body).await;
    assert_eq!((forged.status, forged.body.len()), (401, 0), "whoever cannot sign gets nothing back");

    let certificate = send(&gateway, &mut sdk, "slack", SECRET, "ssl_check=1&token=x").await;
    assert_eq!((certificate.status, certificate.body.len()), (200, 0));

    assert_eq!(gateway.items("/api/v1/events").await.len(), 0, "a handshake is never stored");
    assert_eq!(handler.received().len(), 0);
}

#[tokio::test]
async fn githubs_ping_is_an_event_like_any_other() {
    let (handler, mut sdk) = (Handler::answering(200).await, Sdk::start());
    let gateway = Gateway::start(&config(&handler)).await;
    let body = r#"{"zen":"Keep it logically awesome.","hook_id":1,"hook":{"type":"Repository"}}"#;
    let answer = send(&gateway, &mut sdk, "github", SECRET, body).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    let attempt = handler.nth(1).await;
    assert_eq!((attempt.header("hookhaven-event-type"), &attempt.body[..]), ("ping", body.as_bytes()));
    assert_eq!(gateway.items("/api/v1/events").await[0]["type"], "ping");
}

#[tokio::test]
async fn a_duplicate_is_answered_as_the_first_time() {
    let (handler, mut sdk) = (Handler::answering(200).await, Sdk::start());
    let gateway = Gateway::start(&config(&handler)).await;
    let told = |answer: Answer| {
        let headers: Vec<_> = answer.headers.into_iter().filter(|(name, _)| name != "date").collect();
        (answer.status, headers, String::from_utf8(answer.body).expect("text"))
    };
    for (sender, body, expected) in [
        ("stripe", r#"{"id":"evt_1","type":"a"}"#, ""),
        ("github", r#"{"action":"opened"}"#, ""),
        ("slack", r#"{"type":"event_callback","event_id":"Ev1","event":{"type":"message"}}"#, ""),
        // Anything else would be sent to the customer as a message.
        ("twilio", "MessageSid=SM1&MessageStatus=received&Body=hi", "<Response/>"),
        ("standard-webhooks", r#"{"type":"user.created"}"#, ""),
    ] {
        let first = told(send(&gateway, &mut sdk, sender, SECRET, body).await);
        assert_eq!((first.0, &*first.2), (200, expected), "{sender}");
        let content_type = first.1.iter().find(|(name, _)| name == "content-type").map(|(_, value)| &**value);
        assert_eq!(content_type, (sender == "twilio").then_some("text/xml"), "{sender}");
        let again = told(send(&gateway, &mut sdk, sender, SECRET, body).await);
        assert_eq!(again, first, "{sender}");
        assert_eq!(gateway.items(&format!("/api/v1/events?source={sender}")).await.len(), 1, "{sender}");
    }
}

#[tokio::test]
async fn a_refusal_says_nothing_but_its_status() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(&config(&handler)).await;
    let body = br#"{"id":"evt_1","type":"a"}"#;
    let post = async |path: &str, headers: &[(String, String)]| gateway.post(path, headers, body).await;
    let signed = sign::stripe(SECRET, body);
    let forged = sign::stripe("another", body);
    let unsigned = [signed[0].clone()];
    let plain = [("content-type".to_owned(), "text/plain".to_owned()), signed[1].clone()];
    let refusals = [
        (401, post("/webhooks/stripe", &forged).await),
        (401, post("/webhooks/stripe", &unsigned).await),
        (415, post("/webhooks/stripe", &plain).await),
        (404, post("/webhooks/nobody", &signed).await),
        (404, post("/", &signed).await),
        (405, gateway.exchange(b"GET /webhooks/stripe HTTP/1.1\r\nhost: h\r\n\r\n").await),
    ];
    for (status, answer) in refusals {
        assert_eq!((answer.status, answer.body.len()), (status, 0), "{answer:?}");
        let names: Vec<_> = answer.headers.iter().map(|(name, _)| &**name).collect();
        let usual = ["content-length", "date", "allow", "connection"];
        assert!(names.iter().all(|name| usual.contains(name)), "{status}: {names:?}");
    }
    assert_eq!(gateway.items("/api/v1/events").await.len(), 0);
    // Why, is in the log: that is ours.
    for why in ["signature_mismatch", "signature_missing", "content_type", "unknown_source", "method"] {
        gateway.until_logged(&format!("rejected:{why}")).await;
    }
}
