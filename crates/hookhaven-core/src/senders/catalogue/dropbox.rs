//! Dropbox: `X-Dropbox-Signature`, hex of HMAC-SHA256 of the body, under the app secret. The body names accounts
//! and nothing else. A GET with `challenge` wants it back.
//!
//! Facts: Dropbox's documentation, from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "dropbox",
    title: "Dropbox",
    scheme: Scheme::Signed(SignedSpec { header: "x-dropbox-signature", ..SignedSpec::DEFAULT }),
    event_type: &["text:account.changed"],
    order_key: &["json:/list_folder/accounts/0"],
    handshakes: &[Handshake::EchoQuery { method: Method::GET, name: "challenge" }],
    sample: r#"{"list_folder":{"accounts":["dbid:sample"]}}"#,
    sample_types: &["account.changed"],
    about: About {
        secret: "App Console → the app → App secret",
        paste: "App Console → the app → Webhook URIs",
        quirks: &[
            "A notification says that an account changed, not what: ask for the changes.",
            "There is no event id, and two equal bodies are two changes: set a short `dedupe_window`.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://www.dropbox.com/developers/reference/webhooks",
        timeout_s: Some(10),
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "`/files/list_folder/continue` with the last cursor of each account tells what changed: the notification is only a nudge",
        thin: &["*"],
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
