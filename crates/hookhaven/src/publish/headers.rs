//! What the destination of a published message receives beside the body. A pure function of the message, the
//! attempt and the key.
//!
//! Names of ours win over forwarded ones. Not here: request line, body and sending.

use hookhaven_core::{Secret, Time, sign};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_TYPE, USER_AGENT},
};

use super::{jwt, message::Message};

const AGENT: HeaderValue = HeaderValue::from_static("Upstash-QStash");

/// What changes from attempt to attempt.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Attempts that counted before this one.
    pub retried: u32,
    pub now: Time,
    /// The current signing key.
    pub key: &'a Secret,
    pub random: [u8; 10],
}

/// All headers of one attempt: the forwarded ones, then ours, signed for `now`. Beside QStash's own
/// signature stands the Standard Webhooks trio, under the same key and with the message's id.
pub fn build(message: &Message, body: &[u8], attempt: Attempt<'_>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(message.settings.forward.len() + 10);
    for (name, value) in &message.settings.forward {
        // What is no valid header cannot have been accepted as one.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(&**name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers.remove(CONTENT_TYPE);
    if let Some(Ok(value)) = message.settings.content_type.as_deref().map(HeaderValue::from_bytes) {
        headers.insert(CONTENT_TYPE, value);
    }
    headers.insert(USER_AGENT, AGENT);
    let retried = attempt.retried.to_string();
    let signature = jwt::sign(attempt.key, &message.url, body, attempt.now, attempt.random);
    let ours = [
        ("upstash-message-id", Some(&*message.id)),
        ("upstash-retried", Some(&*retried)),
        ("upstash-signature", Some(&*signature)),
        ("upstash-schedule-id", message.schedule.as_deref()),
        ("upstash-topic-name", message.group.as_deref()),
        ("upstash-caller-ip", message.caller.as_deref()),
    ];
    for (name, value) in ours {
        set(&mut headers, name, value);
    }
    let key = std::slice::from_ref(attempt.key);
    if let Some(signed) = sign::sign(&message.id, attempt.now, body, key) {
        set(&mut headers, "webhook-id", Some(&signed.id));
        set(&mut headers, "webhook-timestamp", Some(&signed.timestamp));
        set(&mut headers, "webhook-signature", Some(&signed.signature));
    }
    headers
}

/// A name of ours is ours even where it has no value: nobody forwards a schedule that there is not.
fn set(headers: &mut HeaderMap, name: &'static str, value: Option<&str>) {
    match value.and_then(|value| HeaderValue::try_from(value).ok()) {
        Some(value) => {
            headers.insert(name, value);
        }
        None => {
            headers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use hookhaven_core::Lane;

    use super::*;
    use crate::publish::message::{self, tests::stored};

    const NOW: Time = Time::from_s(1_700_000_100);

    fn headers(route: &str, lines: &[(&str, &str)]) -> HeaderMap {
        let (event, delivery) = stored("https://a.example/x?y", route, Lane::of_queue("q"), lines);
        let key = Secret::new("sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r").unwrap();
        build(&Message::of(&event, &delivery), b"{}", Attempt { retried: 2, now: NOW, key: &key, random: [1; 10] })
    }

    fn all<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h str> {
        headers.get_all(name).iter().map(|v| v.to_str().unwrap()).collect()
    }

    #[test]
    fn a_plain_message_says_nothing_it_need_not() {
        let headers = headers("publish", &[("upstash-method", "PUT"), ("upstash-label", "l")]);
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let expected = [
            "upstash-caller-ip",
            "upstash-message-id",
            "upstash-retried",
            "upstash-signature",
            "user-agent",
            "webhook-id",
            "webhook-signature",
            "webhook-timestamp",
        ];
        assert_eq!(names, expected);
        assert_eq!(
            (all(&headers, "user-agent"), all(&headers, "upstash-retried")),
            (vec!["Upstash-QStash"], vec!["2"])
        );
        assert_eq!(all(&headers, "upstash-message-id"), all(&headers, "webhook-id"));
        assert_eq!(all(&headers, "webhook-timestamp"), ["1700000100"]);
        assert_eq!(all(&headers, "upstash-caller-ip"), ["203.0.113.9"]);
    }

    #[test]
    fn forwarded_headers_arrive_and_ours_win() {
        let lines = [
            ("content-type", "text/plain"),
            ("upstash-forward-content-type", "application/json"),
            ("upstash-forward-x-a", "1"),
            ("upstash-forward-x-a", "2"),
            ("upstash-forward-user-agent", "mine"),
            ("upstash-forward-upstash-message-id", "msg_forged"),
            ("upstash-forward-upstash-schedule-id", "scd_forged"),
            ("upstash-forward-webhook-signature", "v1,forged"),
            ("upstash-forward-authorization", "Bearer of-the-destination"),
        ];
        let plain = headers("publish", &lines);
        assert_eq!((all(&plain, "content-type"), all(&plain, "x-a")), (vec!["application/json"], vec!["1", "2"]));
        assert_eq!(all(&plain, "authorization"), ["Bearer of-the-destination"]);
        assert_eq!((all(&plain, "user-agent"), all(&plain, "upstash-schedule-id")), (vec!["Upstash-QStash"], vec![]));
        assert!(plain.iter().all(|(_, value)| !value.to_str().unwrap().contains("forged")));
        let scheduled = headers("g/e", &[(message::SCHEDULE, "scd_1")]);
        assert_eq!(
            (all(&scheduled, "upstash-schedule-id"), all(&scheduled, "upstash-topic-name")),
            (vec!["scd_1"], vec!["g"])
        );
    }

    #[test]
    fn each_attempt_is_signed_anew_over_the_address_as_published() {
        let headers = headers("publish", &[]);
        let key = Secret::new("sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r").unwrap();
        assert_eq!(all(&headers, "upstash-signature"), [jwt::sign(&key, "https://a.example/x?y", b"{}", NOW, [1; 10])]);
        let signed = sign::sign(all(&headers, "webhook-id")[0], NOW, b"{}", &[key]).unwrap();
        assert_eq!(all(&headers, "webhook-signature"), [signed.signature]);
    }
}
