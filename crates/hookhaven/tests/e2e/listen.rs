//! `hookhaven listen`: a gateway's events come to a local server, which may be down; in order, signed, whole, each once.

use hookhaven_core::{Secret, Time, sign};
use serde_json::Value;

use crate::support::{
    follow::Running,
    gateway::Gateway,
    handler::{Handler, Received, Reply},
    sign as signed, soon,
};

const SECRET: &str = "whsec_listen";
const LOCAL_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const CONFIG: &str = "[sources.shop]\nsender = \"stripe\"\nsecrets = [\"whsec_listen\"]\n";

async fn post(gateway: &Gateway, number: u64) {
    let body = format!("{{\"id\":\"evt_{number}\",  \"type\":\"invoice.paid\"}}\n").into_bytes();
    assert_eq!(gateway.post("/webhooks/shop", &signed::stripe(SECRET, &body), &body).await.status, 200);
}

fn listen(gateway: &Gateway, handler: &Handler, more: &[&str]) -> Running {
    let (url, admin) = (handler.url(), format!("http://{}", gateway.admin().address));
    let arguments = ["listen", "--forward-to", &url, "--secret", LOCAL_SECRET, "--url", &admin];
    Running::start(gateway.command(&[&arguments, more].concat()))
}

fn ids(received: &[Received]) -> Vec<String> {
    let id = |r: &Received| serde_json::from_slice::<Value>(&r.body).expect("JSON")["id"].to_string();
    received.iter().map(id).collect()
}

fn expected(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|number| format!("\"evt_{number}\"")).collect()
}

fn is_signed(received: &Received) -> bool {
    let secrets = [Secret::new(LOCAL_SECRET).expect("a secret")];
    let at = Time::from_s(received.header("webhook-timestamp").parse().expect("a time"));
    let id = received.header("webhook-id");
    let want = sign::sign(id, at, &received.body, &secrets).expect("a secret signs");
    want.signature == received.header("webhook-signature") && id == received.header("hookhaven-event-id")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_wait_for_a_server_that_is_down_and_come_in_order_each_once() {
    let mut handler = Handler::answering(200).await;
    handler.stop();
    let gateway = Gateway::start(CONFIG).await;
    for number in 0..10 {
        post(&gateway, number).await;
    }
    let state = gateway.directory().join("listen.json");
    let state = state.to_str().expect("a path in UTF-8");
    let listening = listen(&gateway, &handler, &["--since", "1h", "--state", state]);
    listening.until_remarked("waits: ").await;
    assert!(handler.received().is_empty() && listening.lines().is_empty());
    // The server's own mind is shown and goes nowhere.
    handler.change(|received| Reply::Status(if received.number == 4 { 500 } else { 200 }));
    handler.revive().await;
    let lines = listening.until("ten lines", |lines| lines.len() >= 10).await;
    assert!(lines[3].contains("  500  ") && lines[4].contains("  200  "), "{lines:#?}");
    let received = handler.received();
    assert_eq!(ids(&received), expected(0..10));
    assert!(received.iter().all(is_signed));
    assert_eq!(&received[0].body[..], b"{\"id\":\"evt_0\",  \"type\":\"invoice.paid\"}\n");
    assert_eq!(received[0].header("hookhaven-source"), "shop");
    assert!(received[0].header("stripe-signature").starts_with("t="), "the sender's own");
    assert!(listening.interrupt().await.success());

    // What comes meanwhile comes later, and nothing comes again.
    for number in 10..15 {
        post(&gateway, number).await;
    }
    let listening = listen(&gateway, &handler, &["--state", state, "--in-flight", "3", "--json"]);
    let lines = listening.until("the rest", |lines| lines.len() >= 5).await;
    assert!(lines.iter().all(|line| line.contains("\"status\":200")), "{lines:#?}");
    assert!(listening.interrupt().await.success());
    let mut rest = ids(&handler.received())[10..].to_vec();
    rest.sort();
    assert_eq!(rest, expected(10..15));
    let deliveries = gateway.items("/api/v1/deliveries").await;
    assert!(deliveries.is_empty(), "the gateway made none: {deliveries:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_breaks_off_is_asked_again_and_only_wanted_types_come() {
    let handler = Handler::start(|received| if received.number == 1 { Reply::Cut } else { Reply::Status(204) }).await;
    let gateway = Gateway::start(CONFIG).await;
    let listening = listen(&gateway, &handler, &["--since", "1h", "--type", "invoice.*"]);
    let other = br#"{"id":"evt_other","type":"charge.failed"}"#;
    assert_eq!(gateway.post("/webhooks/shop", &signed::stripe(SECRET, other), other).await.status, 200);
    for number in 0..2 {
        post(&gateway, number).await;
    }
    listening.until("two lines", |lines| lines.len() >= 2).await;
    assert_eq!(ids(&handler.received()), ["\"evt_0\"", "\"evt_0\"", "\"evt_1\""]);
    assert!(listening.interrupt().await.success());
}

#[tokio::test]
async fn a_secret_is_made_and_told_where_none_is_given() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(CONFIG).await;
    let (url, admin) = (handler.url(), format!("http://{}", gateway.admin().address));
    let arguments = ["listen", "--forward-to", &url, "--since", "1h", "--url", &admin];
    let listening = Running::start(gateway.command(&arguments));
    post(&gateway, 1).await;
    listening.until("a line", |lines| !lines.is_empty()).await;
    let remarks = listening.remarks();
    let secret = remarks.split_whitespace().find_map(|word| word.strip_suffix(';').filter(|w| w.starts_with("whsec_")));
    let secrets = [Secret::new(secret.expect("a secret is told")).expect("a secret")];
    let received = &handler.received()[0];
    let at = Time::from_s(received.header("webhook-timestamp").parse().expect("a time"));
    let want = sign::sign(received.header("webhook-id"), at, &received.body, &secrets).expect("a secret signs");
    assert_eq!(want.signature, received.header("webhook-signature"));
    soon("its end", listening.interrupt()).await;
}
