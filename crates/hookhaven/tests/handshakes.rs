//! Handshakes, probes and answers over real sockets; keys that are fetched from senders; secrets handed over.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod support;

use std::sync::Arc;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hookhaven::config::Config;
use hookhaven_core::{Secret, sender::Answer, source::Source};
use http::{HeaderValue, StatusCode};
use serde_json::Value;
use support::{Gateway, NOW, config, source};

/// A gateway with one source of the sender's name.
fn gateway(sender: &str, edit: impl FnOnce(&mut Source)) -> Gateway {
    let mut config: Config = config();
    let mut own = source(sender, sender);
    edit(&mut own);
    config.sources.insert(sender.into(), Arc::new(own));
    Gateway::start(config)
}

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

#[tokio::test]
async fn a_get_that_asks_is_answered_and_any_other_is_refused() {
    let gateway = gateway("meta", |source| source.verify_token = Some(secret("ours")));
    let ask = async |token: &str| {
        let query = format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=%3Cb%3E115");
        gateway.send("GET", &format!("/webhooks/meta?{query}"), &[], Vec::new()).await
    };
    let right = ask("ours").await;
    assert_eq!((right.status, &right.body[..]), (StatusCode::OK, &b"<b>115"[..]));
    assert_eq!(right.headers["content-type"], "text/plain");
    assert_eq!(right.headers["x-content-type-options"], "nosniff");
    let wrong = ask("theirs").await;
    assert_eq!((wrong.status, wrong.body.len()), (StatusCode::FORBIDDEN, 0));
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        let other = gateway.send(method, "/webhooks/meta", &[], Vec::new()).await;
        assert_eq!(
            (other.status.as_u16(), &other.headers["allow"]),
            (405, &HeaderValue::from_static("POST")),
            "{method}"
        );
    }
    assert!(gateway.events().await.is_empty());
    let text = gateway.exposition().await;
    assert!(text.contains(r#"webhook_refused_total{source="meta",reason="handshake"} 1"#), "{text}");
}

#[tokio::test]
async fn probes_get_a_200_and_nothing_with_it() {
    let gateway =
        gateway("trello", |source| source.public_url = Some("https://hooks.example.com/webhooks/trello".into()));
    let probe = gateway.send("HEAD", "/webhooks/trello", &[], Vec::new()).await;
    assert_eq!((probe.status, probe.body.len()), (StatusCode::OK, 0));
    assert_eq!(gateway.send("GET", "/webhooks/trello", &[], Vec::new()).await.status, 405);
}

#[tokio::test]
async fn pings_are_answered_only_to_who_can_sign_them() {
    let gateway = gateway("zoom", |_| ());
    let sender = support::sender("zoom");
    let body = br#"{"event":"endpoint.url_validation","payload":{"plainToken":"abc"},"event_ts":1}"#.to_vec();
    let sample = hookhaven_core::sender::Sample { id: "1".into(), event_type: "x".into(), body };
    let signed = sender.sign(&sample, None, &support::secret("zoom"), NOW).unwrap();
    let answer = gateway.post("zoom", &signed).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["content-type"]),
        (200, &HeaderValue::from_static("application/json"))
    );
    assert!(answer.body.starts_with(br#"{"encryptedToken":""#), "{answer:?}");
    let mut forged = signed;
    forged.headers.retain(|(name, _)| name != "x-zm-signature");
    let refused = gateway.post("zoom", &forged).await;
    assert_eq!((refused.status.as_u16(), refused.body.len()), (401, 0), "nobody else's token is signed");
    assert!(gateway.events().await.is_empty());
}

#[tokio::test]
async fn a_source_s_own_answer_replaces_the_sender_s() {
    let own = Answer { headers: Vec::new(), ..Answer::of(StatusCode::ACCEPTED, Some("text/x-own"), "taken") };
    let gateway = gateway("github", |source| source.answer = Some(own));
    let signed = gateway.signed("github", "push", "1");
    let (first, again) = (gateway.post("github", &signed).await, gateway.post("github", &signed).await);
    assert_eq!((first.status.as_u16(), &first.body[..]), (202, &b"taken"[..]));
    assert_eq!(first.headers["content-type"], "text/x-own");
    assert_eq!(first.visible(), again.visible());
    assert_eq!(gateway.events().await.len(), 1);
}

#[tokio::test]
async fn a_secret_that_is_handed_over_is_kept_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("asana.secret");
    let gateway = gateway("asana", |source| {
        source.secrets.clear();
        source.handover = Some(file.clone());
    });
    let hand_over =
        async |secret: &str| gateway.send("POST", "/webhooks/asana", &[("x-hook-secret", secret)], Vec::new()).await;
    let first = hand_over("b537207f20cbfa02357cf448134da559").await;
    assert_eq!((first.status.as_u16(), first.body.len()), (200, 0));
    assert_eq!(first.headers["x-hook-secret"], "b537207f20cbfa02357cf448134da559");
    assert_eq!(std::fs::read(&file).unwrap(), b"b537207f20cbfa02357cf448134da559");
    assert_eq!(hand_over("a stranger's").await.status, 403, "before the configuration was read again");
    assert_eq!(std::fs::read(&file).unwrap(), b"b537207f20cbfa02357cf448134da559");
    assert!(gateway.events().await.is_empty());
}

const ARN: &str = "arn:aws:sns:eu-west-1:123456789012:orders";
const CERTIFICATE: &str = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem";

/// A message as SNS writes it; the signature is nobody's.
fn message(topic: &str, certificate: &str) -> Vec<u8> {
    format!(
        r#"{{"Type":"Notification","MessageId":"m-1","TopicArn":"{topic}","Message":"hi","Timestamp":"{NOW}",
            "SignatureVersion":"2","Signature":"AAAA","SigningCertURL":"{certificate}"}}"#
    )
    .into_bytes()
}

#[tokio::test]
async fn keys_are_fetched_only_from_the_sender_and_trouble_with_that_is_a_503() {
    let gateway = gateway("aws-sns", |source| source.secrets = vec![secret(ARN)]);
    let post =
        async |body: Vec<u8>| gateway.send("POST", "/webhooks/aws-sns", &[("content-type", "text/plain")], body).await;
    for foreign in [
        "https://evil.example/x.pem",
        "https://169.254.169.254/SimpleNotificationService-0.pem",
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",
    ] {
        assert_eq!(post(message(ARN, foreign)).await.status, 401, "{foreign}");
    }
    assert_eq!(post(message("arn:aws:sns:eu-west-1:666:orders", CERTIFICATE)).await.status, 401);
    assert!(gateway.web.asked.lock().unwrap().is_empty(), "nothing of that was asked for");

    assert_eq!(post(message(ARN, CERTIFICATE)).await.status, 401, "SNS has no such certificate");
    gateway.web.pages.lock().unwrap().insert(CERTIFICATE.to_owned(), (500, "".into()));
    gateway.clock.advance(hookhaven::ingest::keys::REST);
    let trouble = post(message(ARN, CERTIFICATE)).await;
    assert_eq!((trouble.status.as_u16(), &trouble.headers["retry-after"]), (503, &HeaderValue::from_static("5")));
    assert_eq!(gateway.web.asked.lock().unwrap().len(), 2);
    assert!(gateway.events().await.is_empty());
}

/// A message that SNS's certificate holds for: the one of the core's tests, whose key nobody else uses.
fn signed_message(kind: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let time = NOW.to_string();
    let mut fields =
        vec![("Message", "hi"), ("MessageId", "m-1"), ("Timestamp", &time), ("TopicArn", ARN), ("Type", kind)];
    fields.extend(more);
    fields.sort_unstable();
    let text: String = fields.iter().map(|(name, value)| format!("{name}\n{value}\n")).collect();
    let key = include_str!("../../hookhaven-core/tests/sender_laws/fixtures/own.key.txt").replace('\n', "");
    let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(key).unwrap()).unwrap();
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    let mut body: serde_json::Map<String, Value> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    body.insert("SignatureVersion".into(), "2".into());
    body.insert("SigningCertURL".into(), CERTIFICATE.into());
    body.insert("Signature".into(), STANDARD.encode(signature).into());
    Value::from(body).to_string().into_bytes()
}

#[tokio::test]
async fn sns_is_confirmed_and_its_messages_are_stored() {
    const CONFIRM: &str = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t";
    let gateway = gateway("aws-sns", |source| source.secrets = vec![secret(ARN)]);
    let certificate = include_bytes!("../../hookhaven-core/tests/sender_laws/fixtures/own.pem");
    gateway.web.pages.lock().unwrap().insert(CERTIFICATE.to_owned(), (200, certificate.to_vec().into()));
    let post =
        async |body: Vec<u8>| gateway.send("POST", "/webhooks/aws-sns", &[("content-type", "text/plain")], body).await;

    let ask = || signed_message("SubscriptionConfirmation", &[("SubscribeURL", CONFIRM), ("Token", "t")]);
    assert_eq!(post(ask()).await.status, 503, "it could not be confirmed, so SNS must ask again");
    gateway.web.pages.lock().unwrap().insert(CONFIRM.to_owned(), (200, "<ConfirmSubscriptionResponse/>".into()));
    assert_eq!(post(ask()).await.status, 200);
    assert!(gateway.events().await.is_empty(), "a confirmation is no event");

    assert_eq!(post(signed_message("Notification", &[])).await.status, 200);
    let events = gateway.events().await;
    assert_eq!((&*events[0].idempotency_key, &*events[0].event_type), ("m-1", "Notification"));
    let mut forged = String::from_utf8(signed_message("Notification", &[])).unwrap();
    forged = forged.replace("\"hi\"", "\"ho\"");
    assert_eq!(post(forged.into_bytes()).await.status, 401);
    let asked = gateway.web.asked.lock().unwrap().clone();
    assert_eq!(asked.iter().filter(|url| *url == CERTIFICATE).count(), 1, "{asked:?}");
}
