//! Shopify: `X-Shopify-Hmac-SHA256`, base64 of HMAC-SHA256 of the body, under the app's client secret. The newer
//! Events send the same names without `X-`.
//!
//! Facts: Shopify's libraries and documentation.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "shopify",
    title: "Shopify",
    scheme: Scheme::Signed(SignedSpec { encoding: Encoding::Base64, header: "*hmac-sha256", ..SignedSpec::DEFAULT }),
    prefixes: &["x-shopify-", "shopify-"],
    id: &["header:*webhook-id", "header:*event-id"],
    event_type: &["header:*topic"],
    time: &["header:*triggered-at"],
    order_key: &["json:/id"],
    version: &["json:/updated_at"],
    sample_types: &["orders/create", "products/update"],
    about: About {
        secret: "the app's client secret; for hooks made in the shop's admin, the key shown below their list",
        rotation: Rotation::Ahead("the app → Settings → Rotate: it may be an hour until the new client secret signs"),
        paste: "shopify.app.toml, the API, or Settings → Notifications → Webhooks",
        quirks: &[
            "Shopify waits 5 seconds, 1 of them to connect, and deletes a subscription after 8 failures in a row.",
            "A new client secret takes up to an hour to sign: keep both.",
            "Ids and topic are headers and not signed.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://shopify.dev/docs/apps/build/webhooks",
        timeout_s: Some(5),
        retries: Retries::hours(4, "eight times"),
    },
    conduct: Conduct {
        whole: &["orders/*", "products/*", "customers/*"],
        order: OrderPromise::None,
        reconcile: "the Admin API by `updated_at_min`, for each kind of object: Shopify itself asks for such a job",
        gives_up: "after 8 failures in a row, some 4 hours, it deletes a subscription that was made by API",
        critical: &[
            "orders/paid",
            "orders/create",
            "refunds/create",
            "customers/redact",
            "shop/redact",
            "customers/data_request",
        ],
        stops: true,
        siblings: &[Siblings {
            cause: "one order",
            types: &["orders/create", "orders/paid", "orders/updated"],
            instead: "Hang what must happen once on one of them, unique by the order's id; let the others write the order's \
                      state and nothing else.",
        }],
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
