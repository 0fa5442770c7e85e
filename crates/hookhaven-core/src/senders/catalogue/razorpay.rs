//! Razorpay: `X-Razorpay-Signature`, hex of HMAC-SHA256 of the body.
//!
//! Facts: Razorpay's SDK and documentation.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "razorpay",
    title: "Razorpay",
    scheme: Scheme::Signed(SignedSpec { header: "x-razorpay-signature", ..SignedSpec::DEFAULT }),
    id: &["header:x-razorpay-event-id"],
    event_type: &["json:/event"],
    time: &["json:/created_at s"],
    order_key: &[
        "json:/payload/payment/entity/id",
        "json:/payload/order/entity/id",
        "json:/payload/subscription/entity/id",
    ],
    sample_types: &["payment.captured", "order.paid"],
    about: About {
        secret: "a text that you make up and enter as Secret",
        rotation: Rotation::MadeUp,
        paste: "Account & Settings → Webhooks",
        quirks: &[
            "After 24 hours of failure the webhook is disabled.",
            "Retries of old events keep the old secret after it was changed: keep both for a day.",
            "The event id is a header and not signed.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://razorpay.com/docs/webhooks/",
        timeout_s: Some(5),
        retries: Retries::hours(24, "with growing pauses"),
    },
    conduct: Conduct {
        order: OrderPromise::None,
        reconcile: "`GET /v1/payments?from=…` and `/v1/orders?from=…` list by time",
        gives_up: "after 24 hours of failures it disables the webhook",
        critical: &["payment.captured", "order.paid", "payment.dispute.created", "subscription.halted"],
        stops: true,
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
