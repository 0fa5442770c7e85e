//! Paddle Billing: `Paddle-Signature: ts=<s>;h1=<hex>`, over `<ts>:<body>`. Several `h1` while a secret is rotated.
//! Paddle Classic signs otherwise and is not this. Facts: Paddle's SDK and documentation.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "paddle",
    title: "Paddle",
    scheme: Scheme::Signed(SignedSpec {
        header: "paddle-signature",
        form: Form::pairs(b';', Some("ts"), "h1"),
        signed: "{timestamp}:{body}",
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/event_id"],
    event_type: &["json:/event_type"],
    time: &["json:/occurred_at"],
    order_key: &["json:/data/id"],
    not_secrets: &[
        ("pdl_live_apikey", "this is an API key; the secret key of the notification destination is meant"),
        ("pdl_sdbx_apikey", "this is an API key; the secret key of the notification destination is meant"),
    ],
    addresses: &[
        AddressList::json("https://api.paddle.com/ips", "/data/ipv4_cidrs"),
        AddressList::json("https://sandbox-api.paddle.com/ips", "/data/ipv4_cidrs"),
    ],
    sample_types: &["transaction.completed", "subscription.created"],
    about: About {
        secret: "Developer tools → Notifications → the destination → Secret key",
        rotation: Rotation::Both("Developer tools → Notifications → the destination", None),
        paste: "Developer tools → Notifications → New destination",
        quirks: &["`/notification_id` is the delivery; the event is `/event_id`."],
        docs: "https://developer.paddle.com/webhooks/overview",
        timeout_s: Some(5),
        retries: Retries::hours(72, "60 times; three times in 15 minutes in the sandbox"),
    },
    conduct: Conduct {
        whole: &["*"],
        order: OrderPromise::None,
        resend: "Developer tools → Notifications → the notification → Replay, or `POST /notifications/{id}/replay`",
        reconcile: "`GET /events` lists events, `GET /notifications?status=failed` what was not delivered",
        gives_up: "after 60 attempts in 3 days the notification has failed for good, until it is replayed",
        critical: &[
            "transaction.completed",
            "transaction.payment_failed",
            "subscription.canceled",
            "adjustment.created",
        ],
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
