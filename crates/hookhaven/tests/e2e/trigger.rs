//! `hookhaven trigger` against a real gateway: chains, disorder, duplicates, rates, an intake's volumes; what it says of
//! what was refused, died or came too late.

use std::{collections::BTreeSet, path::Path, process::Output};

use hookhaven_architect::{
    Plan, config as architect,
    intake::{Given, read},
};
use hookhaven_load::written;
use serde_json::Value;

use crate::support::{
    chance::Chance,
    follow::Running,
    gateway::Gateway,
    handler::{Handler, Received, Reply},
    output::{failed, stdout, well},
    soon,
};

const SECRET: &str = "whsec_trigger";
const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn config(handler: &Handler, route: &str) -> String {
    format!(
        "[sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\n[destinations.app]\nurl = \"{}\"\n\n\
         [[routes]]\nsource = \"shop\"\nto = [\"app\"]\n{route}\n",
        handler.url()
    )
}

async fn trigger(gateway: &Gateway, line: &[&str]) -> Output {
    let (to, url) = (gateway.ingest().to_string(), format!("http://{}", gateway.admin().address));
    let follow: &[&str] = if line.contains(&"--follow") { &["--url", &url] } else { &[] };
    gateway.cli(&[&["trigger"], line, &["--to", &to], follow].concat()).await
}

async fn reported(gateway: &Gateway, line: &[&str]) -> Value {
    let line = [line, &["--json"]].concat();
    let text = well(&line, trigger(gateway, &line).await);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn types(received: &[Received]) -> Vec<String> {
    received.iter().map(|received| received.header("hookhaven-event-type").to_owned()).collect()
}

const LIFE: [&str; 5] = [
    "customer.subscription.created",
    "customer.subscription.updated",
    "invoice.paid",
    "invoice.payment_failed",
    "customer.subscription.deleted",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriptions_life_reaches_the_handler_in_any_order_asked_for() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(&config(&handler, "")).await;
    let report = reported(&gateway, &["shop", "subscription", "--follow"]).await;
    assert_eq!((&report["sent"], &report["followed"]["delivered"]), (&5.into(), &5.into()), "{report:#}");
    let mut first = types(&handler.received());
    first.sort();
    let mut life = LIFE.map(str::to_owned).to_vec();
    life.sort();
    assert_eq!(first, life);

    // By arrival: ids of one millisecond are in any order.
    let listed = |page: &Value| {
        let mut items = page["items"].as_array().expect("a list").clone();
        items.sort_by_key(|event| event["received_at"].to_string());
        items.iter().map(|event| (event["type"].clone(), event["occurred_at"].clone())).collect::<Vec<_>>()
    };
    let in_order = listed(&gateway.get("/api/v1/events").await);
    assert_eq!(in_order.iter().map(|(t, _)| t.as_str().expect("a type")).collect::<Vec<_>>(), LIFE);
    assert!(in_order.is_sorted_by_key(|(_, at)| at.as_str().map(str::to_owned)), "{in_order:?}");
    let shuffle = ["shop", "subscription", "--out-of-order", "--duplicate", "--seed", "4", "--follow"];
    let report = reported(&gateway, &shuffle).await;
    assert_eq!(
        (&report["sent"], &report["duplicates"], &report["followed"]["events"]),
        (&10.into(), &5.into(), &5.into())
    );
    let all = listed(&gateway.get("/api/v1/events").await);
    let shuffled = &all[5..];
    assert_eq!(shuffled.len(), 5, "{all:?}");
    assert!(!shuffled.is_sorted_by_key(|(_, at)| at.as_str().map(str::to_owned)), "{shuffled:?}");
    let subscriptions: BTreeSet<String> = handler.received()[5..]
        .iter()
        .filter_map(|received| serde_json::from_slice::<Value>(&received.body).ok())
        .map(|body| body.pointer("/data/object/customer").expect("a customer").to_string())
        .collect();
    assert_eq!(subscriptions.len(), 1, "{subscriptions:?}");
    // The same seed, the same order.
    reported(&gateway, &shuffle).await;
    let again = listed(&gateway.get("/api/v1/events").await);
    let of = |events: &[(Value, Value)]| events.iter().map(|(t, _)| t.clone()).collect::<Vec<_>>();
    assert_eq!(of(&again[10..]), of(shuffled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_a_rate_with_duplicates_are_each_delivered_once() {
    let (_, chance) = Chance::new();
    let count = 50 + chance.below(150);
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(&config(&handler, "")).await;
    let count_text = count.to_string();
    let line = ["shop", "invoice.paid", "--count", &count_text, "--rate", "2000/s", "--duplicate", "--follow"];
    let report = reported(&gateway, &line).await;
    let numbers = ["sent", "accepted", "duplicates"].map(|name| report[name].as_u64().expect("a number"));
    assert_eq!(numbers, [2 * count, 2 * count, count]);
    let followed =
        ["events", "delivered", "lost", "dead"].map(|name| report["followed"][name].as_u64().expect("a number"));
    assert_eq!(followed, [count, count, 0, 0]);
    let ids: BTreeSet<_> = handler.received().iter().map(|r| r.header("webhook-id").to_owned()).collect();
    assert_eq!((handler.received().len() as u64, ids.len() as u64), (count, count));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_dies_or_comes_late_is_a_failure() {
    let handler = Handler::start(|r| Reply::Status(if r.header("hookhaven-attempt") == "1" { 500 } else { 200 })).await;
    // Half a second after a deadline of a tenth, at least.
    let retry = "deadline = \"100ms\"\nretry = { attempts = 2, initial = \"500ms\" }";
    let gateway = Gateway::start(&config(&handler, retry)).await;
    let late = trigger(&gateway, &["shop", "invoice.paid", "--follow"]).await;
    assert_eq!(late.status.code(), Some(1));
    let said = stdout(&late);
    assert!(
        said.contains("delivered   1, 1 of them retried") && said.contains("deadlines   1 delivery missed"),
        "{said}"
    );
    assert!(said.contains("shop#1: deadline 100 ms, 1 in all, 1 late"), "{said}");

    handler.change(|_| Reply::Status(500));
    let dead = stdout(&trigger(&gateway, &["shop", "invoice.paid", "--follow"]).await);
    assert!(dead.contains("dead        1") && dead.contains("events      1, 0 lost"), "{dead}");

    let stranger = Gateway::start(&config(&handler, "").replace(SECRET, "whsec_another")).await;
    let to = stranger.ingest().to_string();
    let refused =
        gateway.cli(&["trigger", "shop", "invoice.paid", "--count", "2", "--rate", "100/s", "--to", &to]).await;
    assert!(failed(&refused, 1).contains("2 of 2 refused"), "{refused:?}");
    assert!(stdout(&refused).contains("refused     2: 401"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_ends_it_with_the_report_so_far() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(&config(&handler, "")).await;
    let to = gateway.ingest().to_string();
    let line = ["trigger", "shop", "invoice.paid", "--count", "90", "--rate", "1/s", "--to", &to];
    let running = Running::start(gateway.command(&line));
    running.until("a line", |lines| !lines.is_empty()).await;
    running.signal("INT").await;
    let lines = running.until("the report", |lines| lines.iter().any(|line| line.starts_with("answers"))).await;
    assert!(lines.iter().any(|line| line.starts_with("sent ") && line.contains(" of 90, then stopped")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_ctrl_c_leaves_answers_that_do_not_come() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(&config(&handler, "")).await;
    let to = gateway.ingest().to_string();
    // The system takes the connection for it, and nobody answers.
    gateway.signal("STOP").await;
    let line = ["trigger", "shop", "invoice.paid", "--count", "3", "--out-of-order", "--seed", "1", "--to", &to];
    let running = Running::start(gateway.command(&line));
    running.until_remarked("Out of order").await;
    running.signal("INT").await;
    running.until_remarked("Ctrl-C again").await;
    running.signal("INT").await;
    let lines = running.until("the report", |lines| lines.iter().any(|line| line.starts_with("answers"))).await;
    assert!(lines.iter().any(|line| line.starts_with("sent        0 of 3, then stopped")), "{lines:?}");
    gateway.signal("CONT").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_gateway_that_goes_down_does_not_answer_is_counted() {
    let handler = Handler::answering(200).await;
    let mut gateway = Gateway::start(&config(&handler, "")).await;
    let (to, url) = (gateway.ingest().to_string(), format!("http://{}", gateway.admin().address));
    let line = ["trigger", "shop", "invoice.paid", "--count", "90", "--rate", "100/s", "--follow", "--url", &url];
    let mut command = gateway.command(&[&line[..], &["--to", &to, "--json"]].concat());
    let running = tokio::spawn(async move { command.output().await });
    handler.until(1).await;
    gateway.kill().await;
    let ended = soon("its end", running).await.expect("it does not panic").expect("the binary runs");
    assert_eq!(ended.status.code(), Some(1));
    // The report is printed although nobody can be asked any more.
    let report: Value = serde_json::from_str(&stdout(&ended)).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    let of = |name: &str| report[name].as_u64().expect("a number");
    assert!(of("sent") == 90 && of("accepted") > 0 && of("unanswered") > 0, "{report:#}");
    assert_eq!((of("accepted") + of("unanswered"), &report["followed"]), (90, &Value::Null), "{report:#}");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(said.contains("is the gateway still there?") || said.contains("asking the gateway"), "{said}");
}

/// The environment's `HOOKHAVEN_URL` is for all commands, and none of them is to stumble over it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_came_before_is_known_and_the_admin_address_may_stand_in_the_environment() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(&config(&handler, "")).await;
    let (to, url) = (gateway.ingest().to_string(), format!("http://{}", gateway.admin().address));
    let mut command = gateway.command(&["trigger", "shop", "invoice.paid", "--id", "evt_1", "--to", &to]);
    let sent = soon("its end", command.env("HOOKHAVEN_URL", &url).output()).await.expect("the binary runs");
    assert!(well(&["trigger"], sent).starts_with("200  evt_1"));
    let typed = gateway.cli(&["trigger", "shop", "invoice.paid", "--to", &to, "--url", &url]).await;
    assert!(failed(&typed, 2).contains("--to says where events go"), "{typed:?}");

    // What came more than a minute ago is not looked for again.
    let again = reported(&gateway, &["shop", "invoice.paid", "--id", "evt_1", "--count", "2", "--follow"]).await;
    let of = |name: &str| again["followed"][name].as_u64().expect("a number");
    assert_eq!((of("events") + of("known_before"), of("lost")), (1, 0), "{again:#}");
}

/// The events of a batch have keys of their own, and by these they are found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_taken_apart_is_followed_by_its_parts() {
    let handler = Handler::answering(200).await;
    let config = config(&handler, "").replace("sender = \"stripe\"", "sender = \"line\"\nsplit = true");
    let gateway = Gateway::start(&config).await;
    let file = gateway.directory().join("two.json");
    let body = r#"{"events":[{"type":"follow","webhookEventId":"01A"},{"type":"follow","webhookEventId":"01B"}]}"#;
    std::fs::write(&file, body).expect("a file");
    let file = file.to_str().expect("UTF-8");
    let report = reported(&gateway, &["shop", "follow", "--body", file, "--follow"]).await;
    let of = |name: &str| report["followed"][name].as_u64().expect("a number");
    assert_eq!((of("events"), of("delivered"), of("lost")), (2, 2, 0), "{report:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn types_and_chains_are_listed() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::prepare(&config(&handler, ""));
    let text = well(&["list"], gateway.cli(&["trigger", "shop", "--list"]).await);
    assert!(text.contains("shop (stripe)") && text.contains("\n  invoice.paid\n"), "{text}");
    assert!(text.contains("  subscription: ") && text.contains(&LIFE.join(" → ")), "{text}");
    let json: Value =
        serde_json::from_str(&well(&["list"], gateway.cli(&["trigger", "--list", "--json"]).await)).expect("JSON");
    assert_eq!(json["items"][0]["chains"][0]["types"], serde_json::json!(LIFE));
}

/// The worked intake with a hundredth of its volume or less, and the set-up that is designed for it.
const INTAKE: &str = include_str!("../../../hookhaven-architect/tests/intakes/worked.toml");

fn small() -> String {
    let smaller = [
        ("per_day = 5000, peak_day = 20000", "per_day = 50, peak_day = 100"),
        ("per_day = 500 ", "per_day = 20 "),
        ("per_day = 1000 ", "per_day = 30 "),
    ];
    smaller.into_iter().fold(INTAKE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

/// The gateway's file, as the architect writes it.
fn set_up(intake: &str, handler: &Handler) -> String {
    let read = read(Path::new("worked.toml"), intake, &Given::default());
    let mut intake = read.intake.unwrap_or_else(|| panic!("{:?} {:?}", read.problems, read.missing));
    intake.infrastructure.handler_url = format!("http://{}", handler.address);
    let files = architect::files(&Plan::of(intake));
    files.into_iter().find(|file| file.path == architect::FILE).expect("the config file").text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_worked_intake_at_its_peak_and_ten_times_its_burst_loses_nothing() {
    let handler = Handler::answering(200).await;
    let intake = small();
    let text = set_up(&intake, &handler);
    let secrets = written::variables(&text).into_iter().map(|name| (name, WHSEC.to_owned())).collect();
    let gateway = Gateway::start_written(&text, secrets).await;
    let file = gateway.directory().join("intake.toml");
    std::fs::write(&file, &intake).expect("a file");
    let line = ["--profile", file.to_str().expect("UTF-8"), "--for", "1s", "--burst", "10x", "--follow", "--seed", "1"];
    let ran = trigger(&gateway, &[&line[..], &["--json"]].concat()).await;
    let report: Value = serde_json::from_str(&stdout(&ran)).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    // A fifth of the busiest day in its hour, and ten times a tenth of it at once.
    let wanted = (20 + 4 + 6) + 10 * (10 + 2 + 3);
    let numbers = ["planned", "sent", "accepted"].map(|name| report[name].as_u64().expect("a number"));
    assert_eq!(numbers, [wanted; 3], "{report:#}");
    let of = |name: &str| report["followed"][name].as_u64().expect("a number");
    assert_eq!((of("events"), of("lost"), of("dead"), of("waiting")), (wanted, 0, 0, 0), "{report:#}");
    assert_eq!(of("unrouted"), 0, "what is named in an intake is sent as it arrives: {report:#}");
    assert_eq!((of("delivered"), handler.received().len() as u64), (wanted, wanted), "{report:#}");
    assert!(report["followed"]["routes"].as_array().is_some_and(|routes| routes.len() >= 3), "{report:#}");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(said.contains("3600.0 times as fast") && said.contains("  stripe: 20 in the hour"), "{said}");
    // 20 in the hour's second, and 100 in the five minutes that pass in a twelfth of it.
    assert!(
        said.contains("  stripe-handler: 1220.0/s at the worst; its rate of 10/s lets what is more wait"),
        "{said}"
    );
    let seen: BTreeSet<String> = types(&handler.received()).into_iter().collect();
    for named in ["payment_intent.succeeded", "charge.dispute.created", "push", "app_mention"] {
        assert!(seen.contains(named), "{seen:?}");
    }
}
