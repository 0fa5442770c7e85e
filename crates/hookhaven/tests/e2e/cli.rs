//! The commands, through the real binary on a gateway with a history: filters and pages, dead letters put
//! right, hostile text on the screen, and the same answers with the gateway stopped. What each command
//! says in detail is tested beside it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{
    gateway::Gateway,
    handler::{Handler, Reply},
    output::{failed, id, items, well},
    sign,
};

const SECRET: &str = "whsec_cli";

/// Two destinations that refuse whatever the handler's script refuses, at once and for good.
fn two_destinations(handler: &Handler) -> String {
    let url = handler.url();
    let route = "retry = { attempts = 1 }";
    format!(
        "[sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\n\
         [sources.code]\nsender = \"github\"\nsecrets = [\"{SECRET}\"]\n\n\
         [destinations.billing]\nurl = \"{url}\"\n\n[destinations.builds]\nurl = \"{url}\"\n\n\
         [[routes]]\nsource = \"shop\"\nevents = [\"invoice.*\"]\nto = [\"billing\"]\ncritical = true\n{route}\n\n\
         [[routes]]\nsource = \"code\"\nto = [\"builds\"]\n{route}\n"
    )
}

async fn post(gateway: &Gateway, source: &str, id: &str, event_type: &str) {
    let body = format!(r#"{{"id":"{id}","type":"{event_type}"}}"#).into_bytes();
    let headers = match source {
        "code" => sign::github(SECRET, Some(event_type), Some(id), &body),
        _ => sign::stripe(SECRET, &body),
    };
    assert_eq!(gateway.post(&format!("/webhooks/{source}"), &headers, &body).await.status, 200);
}

async fn says(gateway: &Gateway, arguments: &[&str]) -> String {
    well(arguments, gateway.ask(arguments).await)
}

async fn json(gateway: &Gateway, arguments: &[&str]) -> Value {
    let arguments = [arguments, &["--json"]].concat();
    serde_json::from_str(&says(gateway, &arguments).await).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

async fn count(gateway: &Gateway, arguments: &[&str]) -> usize {
    items(&json(gateway, arguments).await).len()
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(&two_destinations(&handler)).await;
    for (source, id, event_type) in [
        ("shop", "evt_1", "invoice.paid"),
        ("shop", "evt_2", "invoice.voided"),
        ("shop", "evt_3", "customer.created"),
        ("code", "d-1", "push"),
        ("code", "d-2", "push"),
    ] {
        post(&gateway, source, id, event_type).await;
    }
    gateway.until_drained().await;
    for (filter, events) in [
        (&[][..], 5),
        (&["--source", "shop"], 3),
        (&["--type", "push"], 2),
        (&["--key", "evt_2"], 1),
        (&["--source", "code", "--key", "evt_2"], 0),
        (&["--unrouted"], 1),
        (&["--since", "1h"], 5),
        (&["--until", "1h"], 0),
        (&["--since", "2020-01-01T00:00:00Z", "--limit", "2"], 2),
    ] {
        assert_eq!(count(&gateway, &[&["events", "list"], filter].concat()).await, events, "{filter:?}");
    }
    for (filter, deliveries) in [
        (&[][..], 4),
        (&["--destination", "billing"], 2),
        (&["--source", "code"], 2),
        (&["--type", "invoice.paid"], 1),
        (&["--state", "delivered"], 4),
        (&["--state", "dead"], 0),
        (&["--since", "1h"], 4),
        (&["--until", "1h"], 0),
    ] {
        assert_eq!(count(&gateway, &[&["deliveries", "list"], filter].concat()).await, deliveries, "{filter:?}");
    }
    let (mut seen, mut after) = (BTreeSet::new(), None);
    for _ in 0..3 {
        let mut arguments = vec!["events", "list", "--limit", "2"];
        arguments.extend(after.iter().flat_map(|after: &String| ["--after", after]));
        let page = json(&gateway, &arguments).await;
        seen.extend(items(&page).iter().map(|event| id(event).to_owned()));
        after = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!((seen.len(), after), (5, None), "three pages hold all, each once");
    for wrong in [&["events", "list", "--since", "yesterday"][..], &["deliveries", "list", "--state", "lost"]] {
        failed(&gateway.ask(wrong).await, 2);
    }
}

#[tokio::test]
async fn dead_letters_are_put_right_one_or_many() {
    let handler = Handler::answering(500).await;
    let mut gateway = Gateway::start(&two_destinations(&handler)).await;
    for (source, id, event_type) in [
        ("shop", "evt_1", "invoice.paid"),
        ("shop", "evt_2", "invoice.voided"),
        ("shop", "evt_3", "invoice.paid"),
        ("code", "d-1", "push"),
        ("code", "d-2", "fork"),
    ] {
        post(&gateway, source, id, event_type).await;
    }
    gateway.until_drained().await;
    for (filter, letters) in [
        (&[][..], 5),
        (&["--source", "code"], 2),
        (&["--destination", "billing"], 3),
        (&["--type", "invoice.paid"], 2),
        (&["--class", "http_5xx"], 5),
        (&["--class", "timeout"], 0),
        (&["--since", "1h"], 5),
        (&["--until", "1h"], 0),
    ] {
        assert_eq!(count(&gateway, &[&["dlq", "list"], filter].concat()).await, letters, "{filter:?}");
    }
    let first = json(&gateway, &["dlq", "list", "--type", "invoice.voided"]).await;
    let first = id(&items(&first)[0]).to_owned();
    let shown = says(&gateway, &["dlq", "show", &first]).await;
    for part in ["stripe (source shop)", "evt_2", "invoice.voided", "500", "failed at", r#"{"id":"evt_2""#] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    let shown = json(&gateway, &["dlq", "show", &first]).await;
    assert_eq!(
        (&shown["sender"], &shown["payload"]),
        (&"stripe".into(), &r#"{"id":"evt_2","type":"invoice.voided"}"#.into())
    );

    // Nothing is done to many unless somebody says so, and nobody is there to ask.
    let refused = failed(&gateway.ask(&["dlq", "replay", "--all"]).await, 2);
    assert!(refused.contains("Replay 5 dead letters?") && refused.contains("--yes"), "{refused}");
    failed(&gateway.ask(&["dlq", "replay"]).await, 2);
    failed(&gateway.ask(&["dlq", "dismiss", "--type", "push", &first]).await, 2);
    assert_eq!(handler.received().len(), 5, "nothing was tried again");

    assert_eq!(
        says(&gateway, &["dlq", "dismiss", "--source", "code", "--type", "fork", "--yes"]).await,
        "1 dead letter dismissed.\n"
    );
    handler.change(|_| Reply::Status(200));
    assert_eq!(says(&gateway, &["dlq", "replay", &first]).await, "1 dead letter replayed.\n");
    assert_eq!(&handler.nth(6).await.body[..], br#"{"id":"evt_2","type":"invoice.voided"}"#);
    let again = json(&gateway, &["dlq", "replay", &first]).await;
    assert_eq!((&again["done"], &again["already"]), (&0.into(), &1.into()), "a replay happens once");
    let unknown = failed(&gateway.ask(&["dlq", "replay", &first.replace("dlv_0", "dlv_1")]).await, 1);
    assert!(unknown.contains("unknown"), "{unknown}");
    let bulk = json(&gateway, &["dlq", "replay", "--destination", "billing", "--yes"]).await;
    assert_eq!((&bulk["matched"], &bulk["done"]), (&2.into(), &2.into()));
    gateway.until_drained().await;
    assert_eq!(handler.received().len(), 8);

    // The rest on a stopped gateway; the next start delivers.
    assert!(gateway.terminate().await.success());
    let stopped = gateway.cli(&["dlq", "replay", "--all", "--yes"]).await;
    assert_eq!(well(&[], stopped), "1 dead letter replayed.\n");
    gateway.serve().await;
    assert_eq!(handler.nth(9).await.header("x-github-delivery"), "d-1");
    gateway.until_drained().await;
    assert_eq!(count(&gateway, &["dlq", "list"]).await, 0);
    let dismissed = json(&gateway, &["deliveries", "list", "--state", "dead", "--type", "fork"]).await;
    assert!(items(&dismissed)[0]["dismissed_at"].is_string(), "dismissed is not gone");
}

#[tokio::test]
async fn a_paused_destination_gets_nothing_until_it_is_resumed() {
    let handler = Handler::answering(200).await;
    let mut gateway = Gateway::start(&two_destinations(&handler)).await;
    assert_eq!(says(&gateway, &["destinations", "pause", "billing"]).await, "billing is paused; 0 events waiting.\n");
    post(&gateway, "shop", "evt_1", "invoice.paid").await;
    gateway.restart().await; // a pause outlives the process
    post(&gateway, "shop", "evt_2", "invoice.paid").await;
    post(&gateway, "code", "d-1", "push").await;
    assert_eq!(handler.nth(1).await.header("hookhaven-source"), "code", "the other destination goes on");
    let waiting = json(&gateway, &["deliveries", "list", "--state", "pending"]).await;
    assert_eq!(items(&waiting).len(), 2);
    let event = items(&waiting)[0]["event"].as_str().expect("an id").to_owned();
    assert!(says(&gateway, &["why", &event]).await.contains("hookhaven destinations resume billing"));
    assert!(says(&gateway, &["destinations", "list"]).await.contains("paused"));

    let resumed = says(&gateway, &["destinations", "resume", "billing"]).await;
    assert_eq!(resumed, "billing is active; 2 events to be delivered.\n");
    handler.until(3).await;
    gateway.until_drained().await;
    assert!(failed(&gateway.ask(&["destinations", "pause", "nobody"]).await, 1).contains("nobody"));
}

#[tokio::test]
async fn a_stopped_gateway_answers_as_the_running_one_did() {
    let handler = Handler::start(|received| Reply::Status(if received.number == 1 { 500 } else { 200 })).await;
    let mut gateway = Gateway::start(&two_destinations(&handler)).await;
    post(&gateway, "shop", "evt_1", "invoice.paid").await;
    handler.until(1).await;
    post(&gateway, "shop", "evt_2", "customer.created").await;
    post(&gateway, "code", "d-1", "push").await;
    gateway.until_drained().await;

    let event = id(&items(&json(&gateway, &["events", "list"]).await)[2]).to_owned();
    let delivery = id(&items(&json(&gateway, &["dlq", "list"]).await)[0]).to_owned();
    let commands: [&[&str]; 9] = [
        &["events", "list", "--json"],
        &["events", "list", "--unrouted", "--json"],
        &["events", "show", &event, "--json"],
        &["events", "show", &event, "--body"],
        &["why", &event, "--json"],
        &["deliveries", "list", "--json"],
        &["deliveries", "show", &delivery, "--json"],
        &["dlq", "list", "--json"],
        &["dlq", "show", &delivery, "--json"],
    ];
    let mut running = Vec::new();
    for command in commands {
        running.push(says(&gateway, command).await);
    }
    assert!(gateway.terminate().await.success());
    for (command, expected) in commands.iter().zip(running) {
        let output = gateway.cli(command).await;
        let remark = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(remark.contains("No gateway is running"), "{command:?}: {remark}");
        assert_eq!(well(command, output), expected, "{command:?}");
    }
    let unknown = gateway.cli(&["events", "show", &event.replace("evt_0", "evt_1")]).await;
    assert!(failed(&unknown, 1).contains("there is no event"));
}

/// Bytes that act on a terminal if they get there.
fn acts(text: &str) -> Option<char> {
    text.chars()
        .find(|c| (c.is_control() && *c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

#[tokio::test]
async fn nothing_that_a_sender_or_handler_wrote_acts_on_the_terminal() {
    const EVIL: &str = "\\u001b[2J\\u001b]0;owned\\u0007\\u009b31m\\u202e\\r";
    let handler = Handler::start(|_| Reply::Full {
        status: 500,
        headers: vec![("x-evil", "\u{9b}2J\u{202e}".to_owned())],
        body: "\u{1b}[2J\u{1b}]8;;http://evil\u{7}\r\u{9b}31m\u{202e}".to_owned(),
    })
    .await;
    let gateway = Gateway::start(&two_destinations(&handler).replace("\"invoice.*\"", "\"*\"")).await;
    let stripe = format!(r#"{{"id":"evt_{EVIL}","type":"a{EVIL}"}}"#).into_bytes();
    let github = b"{\"action\":\"\\u001b[2Jx\\u202e\"}\x1b[2J\xc2\x9b31m\xff\x07".to_vec();
    let odd = |headers: sign::Headers| {
        let evil = [("x-evil", "\u{9b}2J\u{202e}"), ("x-request-id", "\u{9b}2J"), ("user-agent", "a\tb\u{202e}")];
        let evil = evil.map(|(name, value)| (name.to_owned(), value.to_owned()));
        [headers, evil.to_vec()].concat()
    };
    let event_and_id = [Some("push\u{9b}2J"), Some("d-\u{9b}2J\u{202e}")];
    for (path, headers, body) in [
        ("/webhooks/shop", sign::stripe(SECRET, &stripe), &stripe),
        ("/webhooks/code", sign::github(SECRET, event_and_id[0], event_and_id[1], &github), &github),
    ] {
        assert_eq!(gateway.post(path, &odd(headers), body).await.status, 200);
    }
    gateway.until_drained().await;

    let mut commands: Vec<Vec<String>> = Vec::new();
    let mut add = |words: &[&str]| commands.push(words.iter().map(|word| (*word).to_owned()).collect());
    for list in [["events", "list"], ["deliveries", "list"], ["dlq", "list"], ["destinations", "list"]] {
        add(&list);
    }
    for event in gateway.items("/api/v1/events").await {
        add(&["events", "show", id(&event)]);
        add(&["why", id(&event)]);
    }
    let dead = gateway.items("/api/v1/dead-letters").await;
    assert_eq!(dead.len(), 2);
    for delivery in &dead {
        add(&["deliveries", "show", id(delivery)]);
        add(&["dlq", "show", id(delivery)]);
    }
    for command in &commands {
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let text = says(&gateway, &command).await;
        assert_eq!(acts(&text), None, "{command:?}: {text:?}");
        let json_text = says(&gateway, &[&command[..], &["--json"]].concat()).await;
        assert_eq!(acts(&json_text), None, "{command:?} --json: {json_text:?}");
        assert!(serde_json::from_str::<Value>(&json_text).is_ok(), "{command:?} --json: {json_text}");
    }
    // The escape is shown, not swallowed: somebody wants to see what was sent.
    let event = dead[0]["event"].as_str().expect("an id");
    let shown = says(&gateway, &["events", "show", event]).await;
    assert!(shown.contains("\\u{9b}2J") && shown.contains("\\u{1b}[2J"), "{shown}");
    assert_eq!(acts(&gateway.log()), None, "the log is read on terminals too");
}
