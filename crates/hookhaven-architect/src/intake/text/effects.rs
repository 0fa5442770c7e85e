//! What a handler is said to do to the world.

use super::super::{Effect, phrase::Phrases};

/// In the order of the table.
pub fn effects(text: &str) -> Vec<Effect> {
    let text = Phrases::of(text);
    let done = |words: &&EffectWords| text.say(words.alone) || text.say_without(words.things, TAKES_IN);
    EFFECT_WORDS.iter().filter(done).map(|words| words.effect).collect()
}

/// An effect by words that say it alone, and by things that say it unless they are only taken in.
struct EffectWords {
    effect: Effect,
    alone: &'static [&'static str],
    things: &'static [&'static str],
}

const EFFECT_WORDS: &[EffectWords] = &[
    EffectWords {
        effect: Effect::Database,
        alone: &[
            "database",
            "databases",
            "db",
            "table",
            "tables",
            "row",
            "rows",
            "update",
            "updates",
            "upsert",
            "upserts",
            "save",
            "saves",
            "insert",
            "inserts",
            "store",
            "stores",
            "persist",
            "persists",
            "sync",
            "syncs",
        ],
        things: &[],
    },
    EffectWords {
        effect: Effect::Mail,
        alone: &["email the", "e-mail the", "mail the", "emails the", "mails the", "newsletter"],
        things: &["mail", "mails", "email", "emails", "e-mail", "e-mails", "receipt", "receipts"],
    },
    EffectWords {
        effect: Effect::Money,
        alone: &[
            "charge the",
            "charges the",
            "pay",
            "pays",
            "pay out",
            "refund the",
            "refunds the",
            "capture the",
            "bill the",
            "bills the",
            "take payment",
            "take a payment",
            "make a payment",
            "collect payment",
            "create an invoice",
            "send an invoice",
            "credit the",
            "top up",
        ],
        things: &["charge", "charges", "refund", "refunds", "payout", "payouts", "transfer", "transfers"],
    },
    EffectWords {
        effect: Effect::Build,
        alone: &["ci", "deploy", "deploys", "run tests", "runs tests"],
        things: &[
            "build",
            "builds",
            "deployment",
            "deployments",
            "pipeline",
            "pipelines",
            "workflow",
            "workflows",
            "job",
            "jobs",
        ],
    },
    EffectWords {
        effect: Effect::Message,
        alone: &[
            "notify",
            "notifies",
            "answer",
            "answers",
            "reply",
            "replies",
            "respond",
            "responds",
            "text the",
            "post to",
            "post in",
            "posts to",
            "posts in",
            "phone call",
        ],
        things: &["sms", "message", "messages", "notification", "notifications", "chat", "whatsapp", "slack"],
    },
    EffectWords {
        effect: Effect::Fulfilment,
        alone: &[
            "ship",
            "ships",
            "fulfil",
            "fulfils",
            "fulfill",
            "fulfills",
            "grant",
            "grants",
            "licence",
            "licences",
            "license",
            "licenses",
            "provision",
            "provisions",
            "give access",
            "unlock",
            "unlocks",
            "activate",
            "activates",
            "place an order",
            "places an order",
        ],
        things: &[],
    },
    EffectWords {
        effect: Effect::Record,
        alone: &[
            "log",
            "logs",
            "analytics",
            "metrics",
            "track",
            "tracks",
            "audit",
            "activity",
            "statistics",
            "count",
            "counts",
            "warehouse",
        ],
        things: &[],
    },
    EffectWords {
        effect: Effect::Call,
        alone: &[
            "api",
            "apis",
            "crm",
            "erp",
            "webhook",
            "webhooks",
            "forward",
            "forwards",
            "request",
            "requests",
            "another service",
            "other services",
            "salesforce",
        ],
        things: &[],
    },
];

/// With one of these, what is named comes in, and is not sent out.
const TAKES_IN: &[&str] = &[
    "incoming", "inbound", "receive", "receives", "received", "read", "reads", "parse", "parses", "archive",
    "archives", "store", "stores", "save", "saves", "insert", "inserts", "persist", "persists", "update", "updates",
    "record", "records", "log", "logs", "count", "counts", "sync", "syncs", "import", "imports", "index", "track",
    "tracks",
];
