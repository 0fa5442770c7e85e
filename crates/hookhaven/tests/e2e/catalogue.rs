//! Senders of the catalogue whose SDKs are at hand: what those sign, or take for rightly signed, is stored as what it
//! is; with one bit changed it is refused.

use hookhaven_load::now::unix_s;
use serde_json::json;

use crate::support::{
    gateway::{Gateway, PUBLIC_URL},
    handler::Handler,
    sdk::Sdk,
};

const TEXT: &str = "a secret that is text";
const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// For these tests alone.
const ED25519_PRIVATE: &str = "MC4CAQAwBQYDK2VwBCIEIOnDUQrH107SIVXEW8d3M1EFiEMYZCLq+y1tKUIHC5Uk";
const ED25519_PUBLIC: &str = "6cc11f4999d855d834c4ccbce717b037f0e2d502e49541f83b26fa017cb852e8";
const ECDSA_PRIVATE: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg0r8sds9Zdyh7sBcbYas0Uytrv4yHD7oRa3z69PzLWhehRANCAAT4vzUltS4WK/wLLIg1y3qNcujqmr/1Xn/c76PbokI7RQeQDueNAyvw/MaxQS5N2tRNNj1G6IpgufgbTxb5bTR+";
const ECDSA_PUBLIC: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+L81JbUuFiv8CyyINct6jXLo6pq/9V5/3O+j26JCO0UHkA7njQMr8PzGsUEuTdrUTTY9RuiKYLn4G08W+W00fg==";

struct Case {
    sender: &'static str,
    /// Which of the SDKs signs.
    signer: &'static str,
    /// What the gateway has, and what signs.
    keys: [&'static str; 2],
    /// For signers of several senders.
    header: &'static str,
    more: &'static [(&'static str, &'static str)],
    body: &'static str,
    key: &'static str,
    event_type: &'static str,
}

const PLAIN: Case =
    Case { sender: "", signer: "", keys: [TEXT, TEXT], header: "", more: &[], body: "", key: "id-1", event_type: "" };

const STANDARD: Case = Case { signer: "standard-webhooks", keys: [WHSEC, WHSEC], ..PLAIN };

const CASES: [Case; 20] = [
    Case { sender: "qstash", signer: "qstash", body: r#"{"type":"report"}"#, event_type: "report", ..PLAIN },
    Case {
        sender: "clerk",
        signer: "svix",
        body: r#"{"object":"event","type":"user.created","data":{"id":"user_1"},"timestamp":1760000000000}"#,
        event_type: "user.created",
        ..STANDARD
    },
    Case {
        sender: "resend",
        signer: "svix",
        body: r#"{"type":"email.delivered","created_at":"2026-11-21T09:30:00Z","data":{"email_id":"e"}}"#,
        event_type: "email.delivered",
        ..STANDARD
    },
    Case {
        sender: "openai",
        body: r#"{"id":"evt_1","object":"event","type":"response.completed","created_at":1760000000}"#,
        event_type: "response.completed",
        ..STANDARD
    },
    Case {
        sender: "anthropic",
        body: r#"{"id":"evt_1","type":"event","created_at":"2026-11-21T09:30:00Z","data":{"type":"session.completed"}}"#,
        event_type: "session.completed",
        ..STANDARD
    },
    Case {
        sender: "replicate",
        body: r#"{"id":"prediction","status":"succeeded"}"#,
        event_type: "prediction.succeeded",
        ..STANDARD
    },
    Case {
        sender: "gitlab-signed",
        body: r#"{"object_kind":"merge_request","object_attributes":{"action":"open"}}"#,
        event_type: "merge_request.open",
        ..STANDARD
    },
    Case { sender: "polar", body: r#"{"type":"order.created","data":{}}"#, event_type: "order.created", ..STANDARD },
    Case {
        sender: "supabase",
        keys: ["v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", WHSEC],
        body: r#"{"user":{"id":"u"},"email_data":{"email_action_type":"signup"}}"#,
        event_type: "signup",
        ..STANDARD
    },
    Case {
        sender: "meta",
        signer: "sha256=",
        header: "x-hub-signature-256",
        body: r#"{"object":"page","entry":[{"id":"1","changes":[{"field":"feed"}]}]}"#,
        key: "sha256:",
        event_type: "page.feed",
        ..PLAIN
    },
    Case {
        sender: "jira",
        signer: "sha256=",
        header: "x-hub-signature",
        more: &[("x-atlassian-webhook-identifier", "id-1")],
        body: r#"{"webhookEvent":"jira:issue_created","timestamp":1760000000000}"#,
        event_type: "jira:issue_created",
        ..PLAIN
    },
    Case {
        sender: "bitbucket",
        signer: "sha256=",
        header: "x-hub-signature",
        more: &[("x-request-uuid", "id-1"), ("x-event-key", "repo:push")],
        body: r#"{"push":{}}"#,
        event_type: "repo:push",
        ..PLAIN
    },
    Case {
        sender: "npm",
        signer: "sha256=",
        header: "x-npm-signature",
        body: r#"{"event":"package:publish","name":"x"}"#,
        key: "sha256:",
        event_type: "package:publish",
        ..PLAIN
    },
    Case {
        sender: "notion",
        signer: "notion",
        body: r#"{"id":"id-1","type":"page.created","timestamp":"2026-11-21T09:30:00Z"}"#,
        event_type: "page.created",
        ..PLAIN
    },
    Case {
        sender: "paddle",
        signer: "paddle",
        body: r#"{"event_id":"id-1","event_type":"transaction.completed","occurred_at":"2026-11-21T09:30:00Z"}"#,
        event_type: "transaction.completed",
        ..PLAIN
    },
    Case {
        sender: "line",
        signer: "line",
        body: r#"{"destination":"U","events":[{"type":"message","webhookEventId":"id-1","timestamp":1760000000000}]}"#,
        event_type: "message",
        ..PLAIN
    },
    Case {
        sender: "razorpay",
        signer: "razorpay",
        body: r#"{"event":"payment.captured","created_at":1760000000}"#,
        event_type: "payment.captured",
        ..PLAIN
    },
    Case {
        sender: "discord",
        signer: "discord",
        keys: [ED25519_PUBLIC, ED25519_PRIVATE],
        body: r#"{"id":"id-1","type":2,"data":{"name":"ping"}}"#,
        event_type: "interaction.2",
        ..PLAIN
    },
    Case {
        sender: "discord-events",
        signer: "discord",
        keys: [ED25519_PUBLIC, ED25519_PRIVATE],
        body: r#"{"version":1,"type":1,"event":{"type":"ENTITLEMENT_CREATE","timestamp":"2026-11-21T09:30:00Z"}}"#,
        key: "sha256:",
        event_type: "ENTITLEMENT_CREATE",
        ..PLAIN
    },
    Case {
        sender: "sendgrid",
        signer: "sendgrid",
        keys: [ECDSA_PUBLIC, ECDSA_PRIVATE],
        body: "[{\"sg_event_id\":\"id-1\",\"event\":\"delivered\",\"timestamp\":1760000000}]\r\n",
        event_type: "delivered",
        ..PLAIN
    },
];

fn config(handler: &Handler) -> String {
    let source = |case: &Case| {
        let (sender, secret) = (case.sender, case.keys[0]);
        format!(
            "[sources.{sender}]\nsender = \"{sender}\"\nsecrets = [\"{secret}\"]\n\n             [[routes]]\nsource = \"{sender}\"\nto = [\"app\"]\n\n"
        )
    };
    let sources: String = CASES.iter().map(source).collect();
    format!("{sources}[destinations.app]\nurl = \"{}\"\n", handler.url())
}

#[tokio::test]
async fn what_the_sdks_of_the_catalogue_sign_is_stored_as_what_it_is() {
    let (handler, mut sdk) = (Handler::answering(200).await, Sdk::start());
    let gateway = Gateway::start(&config(&handler)).await;
    for case in &CASES {
        let url = format!("{PUBLIC_URL}/webhooks/{}", case.sender);
        let more = json!({ "header": case.header, "more": case.more, "url": url });
        let signed = sdk.sign_as(case.signer, case.keys[1], case.body, unix_s(), "id-1", &more).await;
        let path = format!("/webhooks/{}", case.sender);
        let mut changed = case.body.as_bytes().to_vec();
        changed[2] ^= 1;
        assert_eq!(gateway.post(&path, &signed.headers, &changed).await.status, 401, "{}", case.sender);
        let answer = gateway.post(&path, &signed.headers, case.body.as_bytes()).await;
        assert!((200..300).contains(&answer.status), "{}: {}", case.sender, answer.status);
        assert!(answer.body.is_empty(), "{}", case.sender);
    }
    gateway.until_drained().await;
    let events = gateway.items("/api/v1/events?limit=500").await;
    assert_eq!(events.len(), CASES.len());
    for case in &CASES {
        let event = events.iter().find(|event| event["source"] == case.sender).expect("it is stored");
        assert_eq!(event["type"], case.event_type, "{}", case.sender);
        let key = event["idempotency_key"].as_str().unwrap_or_default();
        assert!(key.starts_with(case.key), "{}: {key}", case.sender);
    }
    assert!(handler.received().iter().any(|attempt| attempt.body.ends_with(b"]\r\n")), "bytes stay as they are");
}
