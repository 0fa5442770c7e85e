//! Selections: what each client sends, what is refused, what matches.

use hookhaven_core::Lane;

use super::*;
use crate::publish::message::{self, tests::stored};

fn query(kind: Kind, text: &str) -> Selection {
    from_query(kind, text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn both_clients_say_the_same() {
    let js = query(Kind::Messages, "messageIds=msg_a&messageIds=msg_b&count=100");
    let python = from_json(Kind::Messages, br#"{"messageIds":["msg_a","msg_b"],"count":100}"#).unwrap();
    assert_eq!(js, python);
    assert_eq!(js.ids, Some(vec!["msg_a".into(), "msg_b".into()]));
    let js = query(Kind::DeadLetters, "dlqIds=dlq_a&topicName=g&responseStatus=500&responseStatus=0");
    let json = from_json(Kind::DeadLetters, br#"{"dlqIds":"dlq_a","topicName":["g"],"responseStatus":[500,0]}"#);
    assert_eq!(Ok(js), json);
    assert_eq!(query(Kind::Logs, "label=a,b"), query(Kind::Logs, "label=a&label=b"));
}

#[test]
fn nothing_at_all_is_everything_and_an_empty_list_is_nothing() {
    for kind in [Kind::Messages, Kind::DeadLetters, Kind::Logs] {
        assert!(query(kind, "").is_everything() && from_json(kind, b" ").unwrap().is_everything());
        assert!(query(kind, "count=100&qstash_token=t").is_everything());
    }
    assert_eq!(from_json(Kind::Messages, br#"{"messageIds":[]}"#).unwrap().ids, Some(vec![]));
    assert_eq!(from_json(Kind::DeadLetters, br#"{"dlqIds":[]}"#).unwrap().ids, Some(vec![]));
    assert!(from_json(Kind::Messages, br#"{"messageIds":null}"#).unwrap().is_everything());
    assert!(!query(Kind::Messages, "messageIds=").is_everything());
}

#[test]
fn what_is_not_understood_is_an_error() {
    for (kind, text) in [
        (Kind::Messages, "labeel=x"),
        (Kind::Messages, "dlqIds=x"),
        (Kind::Messages, "state=CREATED"),
        (Kind::Messages, "cursor=x"),
        (Kind::DeadLetters, "host=a"),
        (Kind::DeadLetters, "path=/a"),
        (Kind::DeadLetters, "messageIds=x"),
        (Kind::DeadLetters, "Label=x"),
        (Kind::Logs, "responseStatus=500"),
        (Kind::Logs, "state=DONE"),
        (Kind::Logs, "order=up"),
        (Kind::Logs, "count=0"),
        (Kind::Logs, "count=x"),
        (Kind::Logs, "fromDate=2026-01-01"),
        (Kind::DeadLetters, "responseStatus=x"),
    ] {
        assert!(from_query(kind, text).is_err(), "{kind:?} {text}");
    }
    for body in [
        "[]",
        "x",
        "\"a\"",
        r#"{"labeel":"x"}"#,
        r#"{"labeel":null}"#,
        r#"{"labeel":[]}"#,
        r#"{"label":{}}"#,
        r#"{"label":[true]}"#,
    ] {
        assert!(from_json(Kind::Messages, body.as_bytes()).is_err(), "{body}");
    }
    assert!(from_query(Kind::Messages, &"label=x&".repeat(1_001)).is_err());
}

#[test]
fn dates_counts_states_and_order() {
    let logs =
        query(Kind::Logs, "fromDate=1700000000000&toDate=1700000001000&count=5000&order=earliestFirst&cursor=&api=x");
    assert_eq!((logs.count, logs.oldest_first, &logs.cursor), (Some(1_000), Some(true), &None));
    let at = |us| logs.covers(Time::from_us(us));
    assert!(at(1_700_000_000_000_000) && at(1_700_000_001_000_999), "inclusive to the millisecond");
    assert!(!at(1_699_999_999_999_999) && !at(1_700_000_001_001_000));
    assert_eq!(logs.before(), Some(Time::from_ms(1_700_000_001_001)));
    let state = |text: &str| query(Kind::Logs, &format!("state={text}"));
    assert!(["ACTIVE", "RETRY", "ERROR"].iter().all(|s| state("IN_PROGRESS").state(s)));
    assert!(state("CANCELLED").state("CANCELED") && !state("CREATED").state("ACTIVE"));
    assert!(query(Kind::DeadLetters, "fromDate=946684800000&toDate=4070908800000").covers(Time::from_s(1_700_000_000)));
}

#[test]
fn filters_match_what_they_name() {
    let lines = [
        ("upstash-label", "one,two"),
        ("upstash-flow-control-key", "k"),
        ("upstash-flow-control-value", "rate=1"),
        (message::SCHEDULE, "scd_1"),
    ];
    let (event, delivery) = stored("https://Api.example:8080/a,b/c?x=1", "g/e", Lane::of_queue("q"), &lines);
    let message = Message::of(&event, &delivery);
    let matches = |text: &str| query(Kind::Logs, text).matches(&message);
    for text in [
        "",
        "url=https%3A%2F%2FApi.example%3A8080%2Fa%2Cb%2Fc%3Fx%3D1",
        "host=api.example",
        "host=API.example:8080",
        "path=/a,b/c",
        "path=/z,/a,b/c&path=/a%2Cb/c",
        "topicName=g&topicName=g",
        "queueName=q",
        "scheduleId=scd_1",
        "label=two",
        "label=zero&label=one",
        "flowControlKey=k",
        "callerIp=203.0.113.9",
        "callerIP=203.0.113.9",
        "label=one&queueName=q",
    ] {
        assert!(matches(text), "{text}");
    }
    for text in [
        "url=https://api.example",
        "host=example",
        "host=api.example:80",
        "path=/a",
        "topicName=h",
        "queueName=Q",
        "scheduleId=scd_2",
        "label=three",
        "flowControlKey=l",
        "callerIp=203.0.113.8",
        "label=one&queueName=other",
        "messageId=msg_x",
    ] {
        assert!(!matches(text), "{text}");
    }
}
