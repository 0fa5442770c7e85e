//! Requests that hold several events, of each sender that sends such.

use std::collections::BTreeSet;

use hookhaven_core::{Secret, Time, sender::Sample, senders::TABLE};
use hookhaven_store::EventFilter;
use http::StatusCode;

use super::{
    edited,
    support::{Gateway, NOW, secret, sender, source},
};

/// Bodies of two or three events: sender, body, and of each part its key, type and time in seconds.
type Part = (&'static str, &'static str, Option<i64>);
const BODIES: &[(&str, &str, &[Part])] = &[
    (
        "line",
        r#"{"destination":"U1","events":[{"type":"message","webhookEventId":"01H1","timestamp":1700000000000},
            {"type":"follow","webhookEventId":"01H2","timestamp":1700000001000}]}"#,
        &[("01H1", "message", Some(1_700_000_000)), ("01H2", "follow", Some(1_700_000_001))],
    ),
    (
        "meta",
        r#"{"object":"page","entry":[{"id":"1","time":1700000000,"changes":[{"field":"feed"}]},{"id":"2","time":1700000001}]}"#,
        &[("", "page.feed", Some(1_700_000_000)), ("", "page", Some(1_700_000_001))],
    ),
    (
        "asana",
        r#"{"events":[{"action":"added","created_at":"2024-01-01T00:00:00Z","resource":{"gid":"7","resource_type":"task"}},
            {"action":"changed","created_at":"2024-01-01T00:00:01Z","resource":{"gid":"7","resource_type":"task"}}]}"#,
        &[
            ("added:2024-01-01T00:00:00Z:7", "task.added", Some(1_704_067_200)),
            ("changed:2024-01-01T00:00:01Z:7", "task.changed", Some(1_704_067_201)),
        ],
    ),
];

/// What each sender of batches is tried with: a list of three, wherever its list stands.
#[tokio::test]
async fn every_sender_of_batches_is_taken_apart() {
    let senders: Vec<_> = TABLE.iter().filter(|d| d.batch.is_some()).map(|d| d.name).collect();
    assert!(senders.len() >= 10, "{senders:?}");
    for name in ["sendgrid", "hubspot", "line", "meta", "msgraph", "okta", "xero", "asana", "twilio"] {
        assert!(senders.contains(&name), "{name} sends batches");
    }
    for declared in TABLE.iter().filter(|d| d.batch.is_some()) {
        let list = r#"[{"n":1}, {"n":2} ,{"n":3}]"#;
        let segments = declared.batch.unwrap().split('/').filter(|s| !s.is_empty());
        let body = segments.rev().fold(list.to_owned(), |inside, name| format!("{{\"{name}\":{inside}}}"));
        let sender = sender(declared.name);
        let headers = http::HeaderMap::new();
        let request = hookhaven_core::sender::Request {
            method: &http::Method::POST,
            url: None,
            query: None,
            headers: &headers,
            body: body.as_bytes(),
        };
        let items = sender.items(&request, 100).unwrap_or_else(|| panic!("{}", declared.name));
        let bytes: Vec<_> = items.iter().map(|item| item.bytes).collect();
        assert_eq!(bytes, [&b"{\"n\":1}"[..], b"{\"n\":2}", b"{\"n\":3}"], "{}", declared.name);
    }
}

#[tokio::test]
async fn a_request_becomes_its_events_each_with_its_key_type_and_time() {
    for (name, body, parts) in BODIES {
        let mut split = source("split", name);
        let key = Secret::new("0123456789abcdef0123456789abcdef").unwrap();
        split.secrets = vec![key.clone()];
        split.splits = true;
        let gateway = Gateway::start(edited(|c| {
            c.sources.insert("split".into(), split.into());
        }));
        let sample = Sample { id: String::new(), event_type: String::new(), body: body.as_bytes().to_vec() };
        let signed = sender(name).sign(&sample, None, &key, NOW).unwrap();
        for _ in 0..2 {
            assert_eq!(gateway.post("split", &signed).await.status, StatusCode::OK, "{name}");
        }
        let mut rows = gateway.events().await;
        rows.sort_by_key(|row| row.occurred_at);
        assert_eq!(rows.len(), parts.len(), "{name}");
        for (n, (row, (key, event_type, at))) in rows.iter().zip(*parts).enumerate() {
            let keys_agree =
                if key.is_empty() { row.idempotency_key.starts_with("sha256:") } else { *row.idempotency_key == **key };
            assert!(keys_agree, "{name} {row:?}");
            assert_eq!((&*row.event_type, row.occurred_at.map(Time::as_s)), (*event_type, *at), "{name}");
            let event = gateway.store.event(row.id).await.unwrap().unwrap();
            let part = event.part.clone().unwrap();
            assert_eq!((part.number as usize, part.of as usize), (n + 1, parts.len()));
            assert_eq!(part.whole.unwrap(), *body, "the request is kept as it came");
            assert!(body.contains(std::str::from_utf8(&event.body).unwrap()), "a part is a piece of it");
        }
    }
}

#[tokio::test]
async fn a_request_stays_whole_unless_its_source_says_otherwise_or_it_is_no_list() {
    let gateway = Gateway::start(edited(|c| {
        for (name, splits) in [("whole", false), ("split", true)] {
            let mut line = source(name, "line");
            line.secrets = vec![secret("stripe")];
            line.splits = splits;
            c.sources.insert(name.into(), line.into());
        }
    }));
    let post = async |source: &str, body: &str| {
        let sample = Sample { id: String::new(), event_type: String::new(), body: body.as_bytes().to_vec() };
        let signed = sender("line").sign(&sample, None, &secret("stripe"), NOW).unwrap();
        assert_eq!(gateway.post(source, &signed).await.status, StatusCode::OK, "{source} {body:.40}");
    };
    let two = r#"{"events":[{"webhookEventId":"1"},{"webhookEventId":"2"}]}"#;
    let many = format!(r#"{{"events":[{}0]}}"#, "0,".repeat(1_000));
    post("whole", two).await;
    for body in [r#"{"events":7}"#, "no json", &many] {
        post("split", body).await;
    }
    let kept: BTreeSet<_> = gateway
        .store
        .events(&EventFilter::default(), hookhaven_store::Page::first(100))
        .await
        .unwrap()
        .iter()
        .map(|row| row.body_bytes)
        .collect();
    assert_eq!(kept, BTreeSet::from([two.len() as u64, 12, 7, many.len() as u64]));
}
