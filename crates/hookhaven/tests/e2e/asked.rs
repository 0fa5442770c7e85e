//! Routes that ask for the handler's answer: it goes back to the sender if it comes in time; if not, the sender gets
//! its default answer, and the same attempt goes on.

use std::sync::Arc;

use async_trait::async_trait;
use hookhaven::{
    api::view::{DeliveryView, EventView},
    egress::{Egress, Outbound, Sent, To, Transport, TransportOptions},
};
use hookhaven_core::Time;
use hookhaven_load::{
    client::{Answer, post},
    now::unix_s,
};
use serde_json::{Value, json};

use crate::support::{
    clocked::{Clocked, START},
    gateway::{Gateway, PUBLIC_URL},
    handler::{Gate, Handler, Reply},
    sdk::{Sdk, ToSign},
    soon,
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// For these tests alone.
const ED25519_PRIVATE: &str = "MC4CAQAwBQYDK2VwBCIEIOnDUQrH107SIVXEW8d3M1EFiEMYZCLq+y1tKUIHC5Uk";
const ED25519_PUBLIC: &str = "6cc11f4999d855d834c4ccbce717b037f0e2d502e49541f83b26fa017cb852e8";

const JSON: &str = "application/json";
const RESPONSE_URL: &str = "https://hooks.slack.com/commands/T1/1/x";
const COMMAND: &str = "command=%2Fdeploy&text=web&trigger_id=1.2.3\
                       &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1%2F1%2Fx";

fn config(handler: &Handler, source: &str, secret: &str, route: &str, destination: &str) -> String {
    format!(
        "[sources.{source}]\nsender = \"{source}\"\nsecrets = [\"{secret}\"]\n\n\
         [[routes]]\nsource = \"{source}\"\nto = [\"app\"]\n{route}\n\n\
         [destinations.app]\nurl = \"{}\"\n{destination}\n",
        handler.url()
    )
}

fn slack(handler: &Handler, route: &str, destination: &str) -> String {
    config(handler, "slack", SECRET, route, destination)
}

/// A Slack request, signed by Slack's SDK.
async fn signed(sdk: &mut Sdk, body: &str, at: u64) -> Vec<u8> {
    let (sender, url) = ("slack", format!("{PUBLIC_URL}/webhooks/slack"));
    let what = ToSign { sender, secret: SECRET, body, url: &url, timestamp_s: at, id: "", event_type: "" };
    let signed = sdk.sign(&what).await;
    post("hooks.example.test", "/webhooks/slack", &signed.headers, body.as_bytes())
}

/// The command, as it is sent to a gateway on a clock of the test's own.
async fn command() -> Vec<u8> {
    signed(&mut Sdk::start(), COMMAND, START.as_s().unsigned_abs()).await
}

fn at_ms(ms: i64) -> Time {
    Time::from_us(START.as_us() + ms * 1_000)
}

fn told(answer: &Answer) -> (u16, Option<&str>, &str) {
    (answer.status, answer.header("content-type"), std::str::from_utf8(&answer.body).expect("text"))
}

async fn until_ready(gateway: &Gateway) {
    gateway.until("/readyz", |ready| ready["ready"] == true).await;
}

/// What Slack is told if the handler is not.
const DEFAULT: (u16, Option<&str>, &str) = (200, None, "");

#[tokio::test]
async fn a_slash_command_is_answered_by_the_handler() {
    let handler = Handler::start(|_| Reply::says(JSON, r#"{"text":"deploying"}"#)).await;
    // The usual limit: what Slack waits.
    let gateway = Gateway::start(&slack(&handler, "answer = \"handler\"", "")).await;
    until_ready(&gateway).await;
    let request = signed(&mut Sdk::start(), COMMAND, unix_s()).await;
    let answer = gateway.exchange(&request).await;
    assert_eq!(told(&answer), (200, Some(JSON), r#"{"text":"deploying"}"#));
    gateway.until_drained().await;
    let attempt = &handler.received()[0];
    assert_eq!((attempt.header("hookhaven-event-type"), &attempt.body[..]), ("/deploy", COMMAND.as_bytes()));
    // Asked again with the same event, Slack hears what it always does.
    assert_eq!(told(&gateway.exchange(&request).await), DEFAULT);
    assert_eq!(handler.received().len(), 1);
    let deliveries = gateway.items("/api/v1/deliveries").await;
    assert_eq!((deliveries.len(), &deliveries[0]["state"]), (1, &json!("delivered")));
    gateway.until_logged("\"heard\":\"handler\"").await;
}

#[tokio::test]
async fn twilio_and_discord_are_answered_by_the_handler() {
    let mut sdk = Sdk::start();
    let (text, discord) = ("<Response><Message>hi</Message></Response>", r#"{"type":4,"data":{"content":"pong"}}"#);
    let handler = Handler::start(move |received| match received.header("hookhaven-source") {
        "twilio" => Reply::says("text/xml", text),
        _ => Reply::Full { status: 201, headers: vec![("content-type", JSON.to_owned())], body: discord.to_owned() },
    })
    .await;
    let patient = "answer = { from = \"handler\", within = \"15s\" }";
    let discords = config(&handler, "discord", ED25519_PUBLIC, patient, "");
    let discords = discords.split("[destinations").next().expect("sources and routes");
    let gateway = Gateway::start(&(config(&handler, "twilio", SECRET, patient, "") + discords)).await;
    until_ready(&gateway).await;

    let body = "MessageSid=SM1&MessageStatus=received&Body=hi";
    let url = format!("{PUBLIC_URL}/webhooks/twilio");
    let what = ToSign { sender: "twilio", secret: SECRET, body, url: &url, timestamp_s: 0, id: "i", event_type: "" };
    let signed = sdk.sign(&what).await;
    let answer = gateway.post(&format!("/webhooks/twilio{}", signed.query), &signed.headers, body.as_bytes()).await;
    assert_eq!(told(&answer), (200, Some("text/xml"), text));

    let body = r#"{"id":"1","type":2,"data":{"name":"ping"}}"#;
    let signed = sdk.sign_as("discord", ED25519_PRIVATE, body, unix_s(), "1", &Value::Null).await;
    let answer = gateway.post("/webhooks/discord", &signed.headers, body.as_bytes()).await;
    assert_eq!(told(&answer), (201, Some(JSON), discord));
    gateway.until_drained().await;
    assert_eq!(handler.received().len(), 2);
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_asked_once_and_goes_on() {
    let gate = Gate::closed();
    let waiting = gate.clone();
    let handler = Handler::start(move |_| Reply::SaysAfter(waiting.clone(), "text/plain", String::new())).await;
    let gateway = Clocked::start(&slack(&handler, "answer = \"handler\"", "timeout = \"60s\"")).await;
    gateway.until_ready().await;
    let command = command().await;
    let waits = async {
        handler.until(1).await;
        // Slack, impatient, once more: it hears the default at once, and the handler nothing.
        assert_eq!(told(&gateway.exchange(&command).await), DEFAULT);
        gateway.advance_to(at_ms(2_500));
    };
    let (answer, ()) = tokio::join!(gateway.exchange(&command), waits);
    assert_eq!(told(&answer), DEFAULT);
    assert_eq!(gateway.metric("webhook_asked_total", "answer=\"default\"").await, 1.0);
    let id = gateway.deliveries().await[0].id;
    assert_eq!(gateway.delivery(id).await.delivery.state, "leased");
    // Past the time at which it would have fallen due.
    gateway.advance_to(at_ms(4_000));
    gate.open();
    let delivered = gateway.until_state(id, "delivered").await;
    assert_eq!((delivered.attempts.len(), handler.received().len()), (1, 1));
    assert_eq!(gateway.deliveries().await.len(), 1, "with nothing to say, nothing is posted to Slack");
}

#[tokio::test]
async fn a_crash_while_the_sender_waits_costs_nothing_but_the_answer() {
    let handler = Handler::start(|received| if received.number == 1 { Reply::Hang } else { Reply::Status(200) }).await;
    let patient = "answer = { from = \"handler\", within = \"1s\" }";
    let mut gateway = Gateway::start(&slack(&handler, patient, "")).await;
    until_ready(&gateway).await;
    let request = signed(&mut Sdk::start(), COMMAND, unix_s()).await;
    let address = gateway.ingest();
    let sender = tokio::spawn(async move {
        hookhaven_load::client::Connection::open(address).await?.exchange(&request).await.map(|answer| answer.status)
    });
    handler.until(1).await;
    gateway.kill().await;
    // The answer never comes, or came just before.
    assert!(!matches!(soon("the end", sender).await.expect("no panic"), Ok(status) if status != 200));
    gateway.serve().await;
    handler.until(2).await;
    gateway.until_drained().await;
    assert_eq!(handler.received().len(), 2, "exactly one more attempt");
    let deliveries = gateway.items("/api/v1/deliveries").await;
    assert_eq!((deliveries.len(), &deliveries[0]["state"]), (1, &json!("delivered")));
}

#[tokio::test]
async fn without_room_the_default_answer_goes_out_at_once() {
    let gate = Gate::closed();
    let waiting = gate.clone();
    let handler = Handler::start(move |_| Reply::SaysAfter(waiting.clone(), "text/plain", String::new())).await;
    // The clock stands still: whoever waited for anything would wait for ever.
    let gateway = Clocked::start(&slack(&handler, "answer = \"handler\"", "concurrency = 1\ntimeout = \"60s\"")).await;
    gateway.until_ready().await;
    let mut sdk = Sdk::start();
    let mut send = async |n: u32| {
        let body = COMMAND.replace("1.2.3", &format!("1.2.{n}"));
        let request = signed(&mut sdk, &body, START.as_s().unsigned_abs()).await;
        gateway.exchange(&request).await
    };
    gateway.admin().post("/api/v1/destinations/app/pause", &json!({})).await.expect("it can be paused");
    gateway.until_destination("app", |view| view.state == "paused").await;
    assert_eq!(told(&send(1).await), DEFAULT);
    gateway.admin().post("/api/v1/destinations/app/resume", &json!({})).await.expect("it can be resumed");
    // What waited has the one place now.
    handler.until(1).await;
    assert_eq!(told(&send(2).await), DEFAULT);
    assert_eq!(gateway.metric("webhook_asked_total", "answer=\"no_room\"").await, 2.0);
    gate.open();
    handler.until(2).await;
    for delivery in gateway.deliveries().await {
        gateway.until_state(delivery.id, "delivered").await;
    }
    assert_eq!(handler.received().len(), 2);
}

#[tokio::test]
async fn out_of_turn_the_default_answer_goes_out_at_once() {
    let gate = Gate::closed();
    let waiting = gate.clone();
    let handler = Handler::start(move |_| Reply::SaysAfter(waiting.clone(), "text/plain", String::new())).await;
    // All are of one key, since the clock stands still.
    let route = "answer = \"handler\"\nordering = { mode = \"fifo\", key = \"header:x-slack-request-timestamp\" }";
    let gateway = Clocked::start(&slack(&handler, route, "timeout = \"60s\"")).await;
    gateway.until_ready().await;
    let second = COMMAND.replace("1.2.3", "1.2.4");
    let second = signed(&mut Sdk::start(), &second, START.as_s().unsigned_abs()).await;
    let command = command().await;
    let waits = async {
        handler.until(1).await;
        assert_eq!(told(&gateway.exchange(&second).await), DEFAULT);
        gateway.advance_to(at_ms(2_500));
    };
    let (answer, ()) = tokio::join!(gateway.exchange(&command), waits);
    assert_eq!(told(&answer), DEFAULT);
    gate.open();
    gateway.advance_to(at_ms(3_000));
    handler.until(2).await;
    for delivery in gateway.deliveries().await {
        gateway.until_state(delivery.id, "delivered").await;
    }
    let commands: Vec<_> = handler.received().into_iter().map(|received| received.body).collect();
    assert_eq!(commands[0], COMMAND);
    assert_eq!(commands.len(), 2);
}

/// Leads what is for Slack's own host to a handler of the test's; everything else goes out as ever.
#[derive(Debug)]
struct SlackIs {
    address: url::Url,
    real: Transport,
}

#[async_trait]
impl Egress for SlackIs {
    async fn send(&self, outbound: Outbound) -> Sent {
        let to = match &outbound.to {
            To::Sender(url) if **url == *RESPONSE_URL => To::Configured(self.address.clone()),
            To::Configured(_) => outbound.to.clone(),
            other => panic!("nobody should call {other:?}"),
        };
        self.real.send(Outbound { to, ..outbound }).await
    }
}

async fn with_slack(handler: &Handler, slacks: &Handler) -> Clocked {
    let retry = "answer = \"handler\"\nretry = { attempts = 3, initial = \"10s\", factor = 1.0 }";
    let mut gateway = Clocked::prepare("", &slack(handler, retry, "timeout = \"60s\""));
    let address = slacks.url().parse().expect("a URL");
    let real = Transport::new(TransportOptions::default()).expect("TLS");
    gateway.egress = Some(Arc::new(SlackIs { address, real }));
    gateway.serve().await;
    gateway.until_ready().await;
    gateway
}

async fn of_source(gateway: &Clocked, source: &str) -> (EventView, DeliveryView) {
    let event = gateway.events().await.into_iter().find(|event| event.source == source).expect("its event");
    let delivery = gateway.deliveries().await.into_iter().find(|d| d.event == event.id).expect("its delivery");
    (event, delivery)
}

#[tokio::test]
async fn a_late_answer_is_posted_to_slacks_response_url() {
    let gate = Gate::closed();
    let waiting = gate.clone();
    let slacks = Handler::start(|received| Reply::Status(if received.number == 1 { 500 } else { 200 })).await;
    let handler = Handler::start(move |_| Reply::SaysAfter(waiting.clone(), "text/plain", "deployed".into())).await;
    let gateway = with_slack(&handler, &slacks).await;
    let waits = async {
        handler.until(1).await;
        gateway.advance_to(at_ms(2_500));
    };
    let command = command().await;
    let (answer, ()) = tokio::join!(gateway.exchange(&command), waits);
    assert_eq!(told(&answer), DEFAULT);
    gate.open();
    let posted = slacks.nth(1).await;
    assert_eq!((posted.method.as_str(), posted.header("content-type")), ("POST", JSON));
    assert_eq!(posted.body, r#"{"text":"deployed"}"#);
    assert_eq!(posted.header("webhook-id"), "", "it says no more than the handler did");

    let (event, delivery) = of_source(&gateway, "_answers").await;
    let due = gateway.attempted(delivery.id, 1).await.delivery.due_at.expect("it is tried again");
    gateway.advance_to(due);
    let detail = gateway.until_state(delivery.id, "delivered").await;
    let statuses: Vec<_> = detail.attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!((statuses, &*delivery.destination), (vec![Some(500), Some(200)], "hooks.slack.com"));
    let (first, asked) = of_source(&gateway, "slack").await;
    assert_eq!(event.correlation_id, first.correlation_id);
    assert_eq!(gateway.delivery(asked.id).await.attempts.len(), 1);
    assert_eq!((handler.received().len(), slacks.received().len()), (1, 2));
}

#[tokio::test]
async fn a_handler_that_refuses_is_tried_again_and_heard_late() {
    let slacks = Handler::answering(200).await;
    let handler = Handler::start(|received| match received.number {
        1 => Reply::Status(503),
        _ => Reply::says(JSON, r#"{"text":"at last"}"#),
    })
    .await;
    let gateway = with_slack(&handler, &slacks).await;
    // The clock stands still: the answer does not wait for the time limit.
    assert_eq!(told(&gateway.exchange(&command().await).await), DEFAULT);
    let (_, delivery) = of_source(&gateway, "slack").await;
    let due = gateway.attempted(delivery.id, 1).await.delivery.due_at.expect("it is tried again");
    assert_eq!(slacks.received().len(), 0);
    gateway.advance_to(due);
    assert_eq!(slacks.nth(1).await.body, r#"{"text":"at last"}"#);
    assert_eq!(gateway.until_state(delivery.id, "delivered").await.attempts.len(), 2);
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_passed_on() {
    let slacks = Handler::answering(200).await;
    let long = "x".repeat((64 << 10) + 1);
    let handler = Handler::start(move |_| Reply::says("text/plain", &long)).await;
    let gateway = with_slack(&handler, &slacks).await;
    assert_eq!(told(&gateway.exchange(&command().await).await), DEFAULT);
    let (_, delivery) = of_source(&gateway, "slack").await;
    gateway.until_state(delivery.id, "delivered").await;
    assert_eq!((gateway.events().await.len(), slacks.received().len()), (1, 0));
}
