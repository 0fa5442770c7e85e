//! `hookhaven listen`: a gateway's events come to a local server, which may be down; in order, signed, whole, each once.

use std::{collections::HashSet, time::Duration};

use hookhaven_core::{Secret, Time, sign};
use hookhaven_load::gateway::poll;
use serde_json::Value;

use crate::support::{
    PATIENCE,
    chance::Chance,
    follow::Running,
    gateway::Gateway,
    handler::{Gate, Handler, Received, Reply},
    relay::Relay,
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

/// In the gateway's order, which is that of their arrival to the microsecond.
async fn in_order(gateway: &Gateway) -> Vec<String> {
    let events = gateway.items("/api/v1/events?limit=500").await;
    events.iter().rev().map(|event| event["idempotency_key"].to_string()).collect()
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
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
    handler.stop().await;
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
    assert_eq!(ids(&received), in_order(&gateway).await);
    assert_eq!(sorted(ids(&received)), expected(0..10));
    assert!(received.iter().all(is_signed));
    assert!(received.iter().any(|r| &r.body[..] == b"{\"id\":\"evt_0\",  \"type\":\"invoice.paid\"}\n"));
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
    assert_eq!(sorted(ids(&handler.received())[10..].to_vec()), expected(10..15));
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
    post(&gateway, 0).await;
    listening.until("a line", |lines| !lines.is_empty()).await;
    post(&gateway, 1).await;
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

/// The same source, with a destination of its own.
fn with_production(handler: &Handler) -> String {
    format!(
        "{CONFIG}\n[destinations.app]\nurl = \"{}\"\n\n[[routes]]\nsource = \"shop\"\nto = [\"app\"]\n",
        handler.url()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_does_not_come_again_however_the_command_ends() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(CONFIG).await;
    let state = gateway.directory().join("listen.json");
    let arguments = ["--since", "1h", "--in-flight", "3", "--state", state.to_str().expect("a path in UTF-8")];
    for round in 1..=4 {
        let listening = listen(&gateway, &handler, &arguments);
        for number in 0..5 {
            post(&gateway, round * 10 + number).await;
        }
        listening.until("five lines", |lines| lines.len() >= 5).await;
        if round > 1 {
            listening.until_remarked("--since is for a beginning").await;
        }
        listening.kill().await;
    }
    let received = handler.received();
    assert_eq!(received.len(), 20, "{:?}", ids(&received));
    assert!(received.iter().all(|received| received.header("hookhaven-attempt") == "1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_under_way_when_the_command_is_killed_comes_again_and_says_so() {
    let gate = Gate::closed();
    let waiting = gate.clone();
    let first = move |received: &Received| match received.number {
        1 => Reply::After(waiting.clone(), 200),
        _ => Reply::Status(200),
    };
    let handler = Handler::start(first).await;
    let gateway = Gateway::start(CONFIG).await;
    let state = gateway.directory().join("listen.json");
    let arguments = ["--since", "1h", "--state", state.to_str().expect("a path in UTF-8")];
    let listening = listen(&gateway, &handler, &arguments);
    post(&gateway, 1).await;
    handler.until(1).await;
    post(&gateway, 2).await;
    assert!(listening.kill().await.is_empty(), "it was not answered");
    gate.open();
    let listening = listen(&gateway, &handler, &arguments);
    listening.until("both lines", |lines| lines.len() >= 2).await;
    listening.until_remarked("may have come before").await;
    let received = handler.received();
    assert_eq!(ids(&received), ["\"evt_1\"", "\"evt_1\"", "\"evt_2\""]);
    let of = |name: &str| received.iter().map(|r| r.header(name).to_owned()).collect::<Vec<_>>();
    assert_eq!(of("hookhaven-attempt"), ["1", "2", "1"]);
    assert_eq!(of("webhook-id")[0], of("webhook-id")[1], "a handler can tell");
    assert!(listening.interrupt().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_does_not_wait_for_a_server_that_does_not_answer() {
    let handler = Handler::start(|r| if r.number <= 8 { Reply::Hang } else { Reply::Status(200) }).await;
    let gateway = Gateway::start(CONFIG).await;
    let state = gateway.directory().join("listen.json");
    let state = state.to_str().expect("a path in UTF-8");
    let listening = listen(&gateway, &handler, &["--since", "1h", "--state", state, "--in-flight", "8"]);
    for number in 0..8 {
        post(&gateway, number).await;
    }
    handler.until(8).await;
    assert!(listening.interrupt().await.success());
    let listening = listen(&gateway, &handler, &["--state", state, "--in-flight", "8"]);
    listening.until("all lines", |lines| lines.len() >= 8).await;
    let attempts: Vec<_> = handler.received()[8..].iter().map(|r| r.header("hookhaven-attempt").to_owned()).collect();
    assert_eq!(attempts, vec!["2"; 8], "nobody knows whether they were handled");
    assert!(listening.interrupt().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_and_headers_are_those_of_a_delivery_and_production_is_left_alone() {
    let (production, local) = (Handler::answering(200).await, Handler::answering(500).await);
    let config =
        format!("{}\n[sources.other]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n", with_production(&production));
    let gateway = Gateway::start(&config).await;
    let body = b"{\"id\": \"evt_odd\",\t\"type\":\"invoice.paid\", \"n\": 1.50e+2, \"t\": \"\\u00e9 \xc3\xa9\"}\r\n ";
    let mut headers = signed::stripe(SECRET, body);
    headers.extend(
        [("user-agent", "Sender/1.0 (odd)"), ("x-of-the-sender", "a  b;c"), ("x-of-the-sender", "twice")]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    assert_eq!(gateway.post("/webhooks/shop", &headers, body).await.status, 200);
    let other = br#"{"id":"evt_other","type":"invoice.paid"}"#;
    assert_eq!(gateway.post("/webhooks/other", &signed::stripe(SECRET, other), other).await.status, 200);
    production.until(1).await;
    gateway.until_drained().await;
    let before = gateway.get("/api/v1/deliveries").await;

    let listening = listen(&gateway, &local, &["--since", "1h", "--source", "shop"]);
    let lines = listening.until("a line", |lines| !lines.is_empty()).await;
    assert!(lines[0].contains("  500  ") && lines[0].contains("shop  invoice.paid"), "{lines:?}");
    let (delivered, brought) = (production.nth(1).await, local.nth(1).await);
    assert_eq!((&brought.body[..], &delivered.body[..]), (&body[..], &body[..]));
    let own = ["host", "webhook-timestamp", "webhook-signature", "traceparent"];
    let of_sender = |received: &Received| {
        let all = received.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
        let mut all: Vec<_> = all.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
        all.sort();
        all
    };
    assert_eq!(of_sender(&brought), of_sender(&delivered));
    let sent = headers.iter().filter(|(name, _)| name.starts_with("x-") || name.starts_with("stripe"));
    for (name, value) in sent {
        let values: Vec<_> = brought.headers.get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect();
        assert!(values.contains(&value.as_bytes().to_vec()), "{name}: {values:?}");
    }
    assert!(listening.interrupt().await.success());
    assert_eq!(gateway.get("/api/v1/deliveries").await, before, "nothing became of it there");
    assert_eq!((production.received().len(), local.received().len()), (1, 1), "the other source's is not brought");
}

/// Whatever happens to the listener, the gateway, the server, in whatever order and moment: each event comes, and none
/// twice but those that were under way when somebody was killed, which say so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_missing_or_doubled_over_kills_suspensions_and_restarts() {
    let (_, chance) = Chance::new();
    let (production, mut local) = (Handler::answering(200).await, Handler::answering(200).await);
    let mut gateway = Gateway::start(&with_production(&production)).await;
    let relay = Relay::to(gateway.admin().address).await;
    let state = gateway.directory().join("listen.json");
    let state = state.to_str().expect("a path in UTF-8").to_owned();
    let (url, admin) = (local.url(), format!("http://{}", relay.address));
    let start = |gateway: &Gateway| {
        let arguments = ["--since", "1h", "--state", &state, "--in-flight", "2", "--url", &admin];
        let fixed = ["listen", "--forward-to", &url, "--secret", LOCAL_SECRET];
        Running::start(gateway.command(&[&fixed[..], &arguments].concat()))
    };
    let mut listening = start(&gateway);
    post(&gateway, 0).await;
    local.until(1).await;
    let (mut posted, mut cut) = (1, 0);
    for _ in 0..14 {
        let act = chance.below(5);
        match act {
            1 => local.stop().await,
            2 => listening.signal("STOP").await,
            _ => {}
        }
        for _ in 0..1 + chance.below(6) {
            post(&gateway, posted).await;
            posted += 1;
        }
        // So that what follows hits it anywhere in its work.
        let come = chance.below(posted + 1);
        if act == 0 || act == 3 {
            let _ = poll(Duration::from_millis(chance.below(900)), async || {
                (local.received().len() as u64 >= come).then_some(())
            })
            .await;
        }
        match act {
            0 => {
                listening.kill().await;
                cut += 2;
                listening = start(&gateway);
            }
            1 => {
                cut += 2;
                local.revive().await;
            }
            2 => listening.signal("CONT").await,
            3 => {
                gateway.restart().await;
                relay.point(gateway.admin().address);
            }
            _ => {
                assert!(gateway.terminate().await.success());
                gateway.serve().await;
                relay.point(gateway.admin().address);
            }
        }
    }
    let all = expected(0..posted);
    let missing = || {
        let come: HashSet<String> = ids(&local.received()).into_iter().collect();
        all.iter().filter(|id| !come.contains(*id)).cloned().collect::<Vec<_>>()
    };
    let whole = poll(PATIENCE * 2, async || missing().is_empty().then_some(())).await;
    assert!(whole.is_some(), "missing {:?}\n{}", missing(), listening.remarks());
    assert!(listening.interrupt().await.success());

    let received = local.received();
    let (mut seen, mut doubled) = (HashSet::new(), 0);
    for one in &received {
        let id = one.header("webhook-id").to_owned();
        if !seen.insert(id.clone()) {
            doubled += 1;
            assert_ne!(one.header("hookhaven-attempt"), "1", "{id} came twice and does not say so");
        }
    }
    assert_eq!(seen.len() as u64, posted);
    assert!(doubled <= cut, "{doubled} doubled, where {cut} at most were cut off");
    gateway.until_drained().await;
    assert_eq!(gateway.items("/api/v1/deliveries?limit=500").await.len() as u64, posted, "one each, for production");
}
