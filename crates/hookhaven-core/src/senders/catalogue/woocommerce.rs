//! WooCommerce: `X-WC-Webhook-Signature`, base64 of HMAC-SHA256 of the body. Saving a hook posts an unsigned form
//! `webhook_id=<n>` that wants a 200.
//!
//! Facts: WooCommerce's documentation, second-hand.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "woocommerce",
    title: "WooCommerce",
    scheme: Scheme::Signed(SignedSpec {
        encoding: Encoding::Base64,
        header: "x-wc-webhook-signature",
        ..SignedSpec::DEFAULT
    }),
    id: &["header:x-wc-webhook-delivery-id"],
    event_type: &["header:x-wc-webhook-topic"],
    order_key: &["json:/id"],
    version: &["json:/date_modified_gmt"],
    content_types: &["application/json", "application/x-www-form-urlencoded"],
    handshakes: &[Handshake::Hello("webhook_id")],
    sample_types: &["order.created", "product.updated"],
    about: About {
        secret: "WooCommerce → Settings → Advanced → Webhooks → Secret",
        rotation: Rotation::MadeUp,
        paste: "the same page → Delivery URL",
        quirks: &[
            "WooCommerce does not come again, and switches a hook off after 5 failures in a row: mark the source `reserved`.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://woocommerce.com/document/webhooks/",
        retries: Retries::Never,
        ..About::DEFAULT
    },
    conduct: Conduct {
        whole: &["order.*"],
        reconcile: "`GET /wp-json/wc/v3/orders?modified_after=…` lists what changed",
        gives_up: "after 5 failures in a row it disables the hook",
        critical: &["order.created", "order.updated"],
        stops: true,
        siblings: &[Siblings {
            cause: "one new order",
            types: &["order.created", "order.updated"],
            instead: "Let `order.updated` write the order's state and nothing else, and hang what must happen once on a \
                      constraint that is unique by the order's id.",
        }],
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
