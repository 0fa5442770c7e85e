//! Handshakes: what each kind of question is answered, and what must not be.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use hookhaven_core::{
    Secret,
    sender::{Answer, Own, Reply, Request, Sender},
    senders::{self, CHALLENGE_BYTES_MAX, SenderOptions},
};
use http::{HeaderMap, HeaderName, Method, StatusCode};

use crate::support::{OWN, cases};

fn sender(name: &str) -> Arc<dyn Sender> {
    senders::find(name).unwrap().build(&SenderOptions::default()).unwrap()
}

/// A question: method, query, headers, body.
struct Asked<'a>(Method, &'a str, &'a [(&'static str, &'a str)], &'a str);

impl Asked<'_> {
    fn see(&self, sender: &dyn Sender, signed: bool, own: &Own<'_>) -> Option<Reply> {
        let Asked(method, query, headers, body) = self;
        let mut map = HeaderMap::new();
        for (name, value) in *headers {
            map.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let query = Some(*query).filter(|query| !query.is_empty());
        let request = Request { method, url: None, query, headers: &map, body: body.as_bytes() };
        if signed { sender.handshake(&request, own) } else { sender.greet(&request, own) }
    }
}

fn unsigned(name: &str, asked: &Asked<'_>, own: &Own<'_>) -> Option<Reply> {
    let reply = asked.see(&*sender(name), false, own);
    assert_eq!(asked.see(&*sender(name), true, own), None, "{name}: one of the two asks");
    reply
}

fn signed(name: &str, asked: &Asked<'_>, own: &Own<'_>) -> Option<Reply> {
    assert_eq!(asked.see(&*sender(name), false, own), None, "{name} answers what nobody signed");
    asked.see(&*sender(name), true, own)
}

fn text(body: &str) -> Option<Reply> {
    Some(Reply::Answer(Answer::text(body)))
}

fn json(body: &str) -> Option<Reply> {
    Some(Reply::Answer(Answer::of(StatusCode::OK, Some("application/json"), body)))
}

fn ok() -> Option<Reply> {
    Some(Reply::Answer(Answer::empty()))
}

fn own(secrets: &[Secret]) -> Own<'_> {
    Own { secrets, ..OWN }
}

#[test]
fn challenges_are_given_back_as_each_sender_wants_them() {
    let (get, post) = (Method::GET, Method::POST);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let twitch = [("twitch-eventsub-message-type", "webhook_callback_verification")];
    let zoom = Asked(post.clone(), "", &[], r#"{"event":"meeting.started","payload":{"plainToken":"x"}}"#);
    assert_eq!(signed("zoom", &zoom, &OWN), None);
    let asked = Asked(post.clone(), "", &[], r#"{"challenge":"3eZ<b>"}"#);
    assert_eq!(unsigned("monday", &asked, &OWN), json(r#"{"challenge":"3eZ<b>"}"#));
    let asked = Asked(post.clone(), "", &twitch, r#"{"challenge":"pogchamp","subscription":{}}"#);
    assert_eq!(signed("twitch", &asked, &OWN), text("pogchamp"));
    let asked = Asked(post.clone(), "", &[], r#"{"challenge":"pogchamp"}"#);
    assert_eq!(signed("twitch", &asked, &OWN), None, "a notification that happens to have a challenge");
    for (name, method) in [("dropbox", &get), ("nylas", &get)] {
        assert_eq!(unsigned(name, &Asked(method.clone(), "challenge=a%20b", &[], ""), &OWN), text("a b"), "{name}");
    }
    let graph = Asked(post.clone(), "validationToken=Validation%3A+x", &[], "");
    assert_eq!(unsigned("msgraph", &graph, &OWN), text("Validation: x"));
    let okta = Asked(get.clone(), "", &[("x-okta-verification-challenge", "abc\"")], "");
    assert_eq!(unsigned("okta", &okta, &OWN), json(r#"{"verification":"abc\""}"#));
    let Some(Reply::Answer(answer)) =
        unsigned("smartsheet", &Asked(post.clone(), "", &[("smartsheet-hook-challenge", "abc")], ""), &OWN)
    else {
        panic!("no answer")
    };
    assert_eq!(answer.headers, [(HeaderName::from_static("smartsheet-hook-response"), "abc".parse().unwrap())]);
    assert_eq!(unsigned("woocommerce", &Asked(post.clone(), "", &form, "webhook_id=7"), &OWN), ok());
    assert_eq!(unsigned("woocommerce", &Asked(post, "", &form, "webhook_id=7&x=1"), &OWN), None);
    for name in ["trello", "intercom"] {
        assert_eq!(unsigned(name, &Asked(Method::HEAD, "", &[], ""), &OWN), ok());
        assert_eq!(unsigned(name, &Asked(get.clone(), "", &[], ""), &OWN), None);
    }
}

#[test]
fn pings_are_answered_each_in_its_own_way() {
    let ping = |kind: u8| format!(r#"{{"type":{kind}}}"#);
    let asked = |body: &'static str| Asked(Method::POST, "", &[], body);
    assert_eq!(signed("discord", &asked(r#"{"type":1}"#), &OWN), json(&ping(1)));
    assert_eq!(signed("discord", &asked(r#"{"type":2}"#), &OWN), None);
    let none = Answer::of(StatusCode::NO_CONTENT, None, "");
    assert_eq!(signed("discord-events", &asked(r#"{"type":0}"#), &OWN), Some(Reply::Answer(none)));
    assert_eq!(signed("discord-events", &asked(r#"{"type":1,"event":{}}"#), &OWN), None);
    for (name, empty, event) in [
        ("line", r#"{"destination":"U1","events":[]}"#, r#"{"events":[{"type":"message"}]}"#),
        ("asana", r#"{"events": [ ]}"#, r#"{"events":[{}]}"#),
        ("xero", r#"{"events":[],"firstEventSequence":0}"#, r#"{"events":[0]}"#),
    ] {
        assert_eq!(signed(name, &asked(empty), &OWN), ok(), "{name}");
        assert_eq!(signed(name, &asked(event), &OWN), None, "{name}");
    }
}

#[test]
fn a_subscription_is_confirmed_only_with_our_token() {
    let token = Secret::new("our token").unwrap();
    let own = Own { verify_token: Some(&token), ..OWN };
    let query = |token: &str| format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1158201444");
    let ask = |name: &str, token: &str, own: &Own<'_>| unsigned(name, &Asked(Method::GET, &query(token), &[], ""), own);
    assert_eq!(ask("meta", "our+token", &own), text("1158201444"));
    assert_eq!(ask("strava", "our+token", &own), json(r#"{"hub.challenge":"1158201444"}"#));
    for wrong in ["", "our", "our+token+", "OUR+TOKEN"] {
        assert_eq!(ask("meta", wrong, &own), Some(Reply::Refuse), "{wrong}");
    }
    assert_eq!(ask("meta", "our+token", &OWN), Some(Reply::Refuse), "without a token of ours none is right");
    let other = "hub.mode=unsubscribe&hub.verify_token=our+token&hub.challenge=1";
    assert_eq!(unsigned("meta", &Asked(Method::GET, other, &[], ""), &own), None);
}

#[test]
fn answers_that_are_signed_can_never_be_deliveries() {
    let secrets = [Secret::new("key").unwrap()];
    let mac = |text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"key"), text.as_bytes());
    let crc = |token: &str| {
        let query = format!("crc_token={token}");
        unsigned("x", &Asked(Method::GET, &query, &[], ""), &own(&secrets))
    };
    let right = format!(r#"{{"response_token":"sha256={}"}}"#, STANDARD.encode(mac("a-B_9=")));
    assert_eq!(crc("a-B_9%3D"), json(&right));
    for body in ["%7B%22a%22%3A1%7D", "a+b", "a.b", &"a".repeat(129)] {
        assert_eq!(crc(body), Some(Reply::Refuse), "{body}");
    }
    let body = r#"{"event":"endpoint.url_validation","payload":{"plainToken":"v0:1:{}"},"event_ts":1}"#;
    let right = format!(r#"{{"encryptedToken":"{}","plainToken":"v0:1:{{}}"}}"#, hex::encode(mac("v0:1:{}")));
    assert_eq!(signed("zoom", &Asked(Method::POST, "", &[], body), &own(&secrets)), json(&right));
}

#[test]
fn a_secret_is_taken_only_while_one_is_awaited() {
    let kept = [Secret::new("kept").unwrap()];
    let hook = |secret: &str, own: &Own<'_>| {
        let headers = [("x-hook-secret", secret)];
        unsigned("asana", &Asked(Method::POST, "", &headers, ""), own)
    };
    let echo = |secret: &str| {
        let header = (HeaderName::from_static("x-hook-secret"), secret.parse().unwrap());
        Answer { headers: vec![header], ..Answer::empty() }
    };
    let awaiting = Own { awaits_secret: true, ..OWN };
    let new = Reply::Keep { secret: Secret::new("new").unwrap(), answer: echo("new") };
    assert_eq!(hook("new", &awaiting), Some(new));
    assert_eq!(hook("new", &OWN), Some(Reply::Refuse));
    assert_eq!(hook("kept", &own(&kept)), Some(Reply::Answer(echo("kept"))), "a repetition of the handshake");
    assert_eq!(hook("other", &own(&kept)), Some(Reply::Refuse));
    let notion = Asked(Method::POST, "", &[], r#"{"verification_token":"secret_1"}"#);
    let keep = Reply::Keep { secret: Secret::new("secret_1").unwrap(), answer: Answer::empty() };
    assert_eq!(unsigned("notion", &notion, &awaiting), Some(keep));
    assert_eq!(unsigned("notion", &notion, &OWN), Some(Reply::Refuse));
}

#[test]
fn sns_is_called_back_only_on_its_own_hosts() {
    let body = |url: &str| {
        format!(
            r#"{{"Type":"SubscriptionConfirmation","MessageId":"1","TopicArn":"arn:aws:sns:eu-west-1:1:t","Message":"m",
                "Timestamp":"2026-09-21T13:33:20Z","SubscribeURL":"{url}","Token":"t"}}"#
        )
    };
    let ask = |url: &str| signed("aws-sns", &Asked(Method::POST, "", &[], &body(url)), &OWN);
    let url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t";
    assert_eq!(ask(url), Some(Reply::Call { url: url.to_owned(), answer: Answer::empty() }));
    for foreign in [
        "http://sns.eu-west-1.amazonaws.com/",
        "https://sns.eu-west-1.amazonaws.com:8443/",
        "https://sns.eu-west-1.amazonaws.com@evil.example/",
        "https://sns.eu-west-1.amazonaws.com.evil.example/",
        "https://evil.example/sns.eu-west-1.amazonaws.com",
        "https://169.254.169.254/latest",
        "file:///etc/passwd",
    ] {
        assert_eq!(ask(foreign), Some(Reply::Refuse), "{foreign}");
    }
}

#[test]
fn long_challenges_are_nobodys() {
    let long = "x".repeat(CHALLENGE_BYTES_MAX + 1);
    let body = format!(r#"{{"challenge":"{long}","type":"url_verification"}}"#);
    for name in ["slack", "monday", "twitch"] {
        let asked =
            Asked(Method::POST, "", &[("twitch-eventsub-message-type", "webhook_callback_verification")], &body);
        assert_eq!(asked.see(&*sender(name), true, &OWN), None, "{name}");
        assert_eq!(asked.see(&*sender(name), false, &OWN), None, "{name}");
    }
    let query = format!("challenge={long}");
    assert_eq!(unsigned("dropbox", &Asked(Method::GET, &query, &[], ""), &OWN), None);
}

/// Whatever a sender answers before anything is signed, a signed event must never be mistaken for a question.
#[test]
fn events_are_not_taken_for_questions() {
    for case in cases() {
        for event_type in case.sender.sample_types().iter().filter(|t| **t != "url_verification") {
            let signed = case.signed(event_type);
            let headers = crate::support::headers(&signed);
            let query = signed.query.strip_prefix('?');
            let request = Request { method: &Method::POST, url: None, query, headers: &headers, body: &signed.body };
            assert_eq!(case.sender.greet(&request, &OWN), None, "{case:?} {event_type}");
            assert_eq!(case.sender.handshake(&request, &OWN), None, "{case:?} {event_type}");
        }
    }
}
