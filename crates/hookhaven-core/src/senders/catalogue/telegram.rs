//! Telegram: `X-Telegram-Bot-Api-Secret-Token` is the `secret_token` given to `setWebhook`. The type is the name of
//! what the update holds. A JSON body in the answer would be executed as a method.
//!
//! Facts: Telegram's documentation, from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "telegram",
    title: "Telegram bots",
    scheme: Scheme::Shared(SharedSpec::Header { name: "x-telegram-bot-api-secret-token", prefix: "" }),
    id: &["json:/update_id"],
    event_type: &[
        "has:/message /edited_message /channel_post /edited_channel_post /callback_query /inline_query /my_chat_member /chat_member /chat_join_request /message_reaction /poll /poll_answer /pre_checkout_query /shipping_query",
    ],
    time: &["json:/message/date s"],
    order_key: &["json:/message/chat/id"],
    addresses: &[AddressList::text("https://core.telegram.org/resources/cidr.txt")],
    sample_types: &["message", "callback_query"],
    about: About {
        secret: "made up by you (A-Z a-z 0-9 _ -) and given to setWebhook as `secret_token`",
        rotation: Rotation::MadeUp,
        paste: "`url` of setWebhook",
        quirks: &[
            "Nothing is signed; Telegram posts from 149.154.160.0/20 and 91.108.4.0/22.",
            "Never answer with JSON: Telegram would execute it.",
        ],
        docs: "https://core.telegram.org/bots/api#setwebhook",
        retries: Retries::hours(24, "until it is answered"),
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "`getWebhookInfo` says how many updates wait and what went wrong last",
        gives_up: "updates that nobody took are kept for 24 hours",
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
