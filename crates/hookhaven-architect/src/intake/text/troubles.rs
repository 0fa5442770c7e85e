//! What went wrong so far, as a team tells it.

use super::super::{Trouble, phrase::Phrases};

pub fn troubles(incidents: &[String]) -> Vec<Trouble> {
    let told = Phrases::of_all(incidents);
    let happened = |words: &&TroubleWords| {
        let leak_of_memory = words.trouble == Trouble::LeakedSecret;
        let beside: &[&str] = if leak_of_memory { &["memory"] } else { &[] };
        told.say_without(words.words, beside) || told.mention(words.sayings)
    };
    TROUBLE_WORDS.iter().filter(happened).map(|words| words.trouble).collect()
}

/// A trouble by words that say it, and by sayings that hold a denial of their own.
struct TroubleWords {
    trouble: Trouble,
    words: &'static [&'static str],
    sayings: &'static [&'static str],
}

const TROUBLE_WORDS: &[TroubleWords] = &[
    TroubleWords {
        trouble: Trouble::TimedOut,
        words: &[
            "timeout",
            "timeouts",
            "timed out",
            "times out",
            "time out",
            "slow",
            "too late",
            "take more than",
            "takes more than",
            "took more than",
            "take longer",
            "takes longer",
            "took longer",
            "too long",
            "retries because",
        ],
        sayings: &["not answer in time", "not in time"],
    },
    TroubleWords {
        trouble: Trouble::Twice,
        words: &[
            "twice",
            "double",
            "doubled",
            "duplicate",
            "duplicates",
            "duplicated",
            "two times",
            "several times",
            "more than once",
        ],
        sayings: &[],
    },
    TroubleWords {
        trouble: Trouble::Lost,
        words: &["lost", "missing", "missed", "gone", "dropped", "disappeared", "swallowed", "lose", "loses"],
        sayings: &[
            "never arrived",
            "not arrive",
            "never came",
            "not delivered",
            "never delivered",
            "not processed",
            "never processed",
            "never handled",
            "never built",
            "never shipped",
            "never ran",
            "not received",
        ],
    },
    TroubleWords {
        trouble: Trouble::OutOfOrder,
        words: &["out of order", "wrong order", "older", "overwrote", "overwritten", "stale", "overtook", "overtaken"],
        sayings: &["not in order"],
    },
    TroubleWords {
        trouble: Trouble::BadSignature,
        words: &["signature", "signatures", "forged", "forgery", "spoofed", "unsigned", "unverified", "fake"],
        sayings: &["not verified", "not verify", "not signed"],
    },
    TroubleWords {
        trouble: Trouble::LeakedSecret,
        words: &[
            "leaked",
            "leak",
            "exposed",
            "compromised",
            "committed the secret",
            "secret was committed",
            "secret was in",
            "secret in a",
            "secret in the",
        ],
        sayings: &[],
    },
    TroubleWords {
        trouble: Trouble::Overload,
        words: &[
            "overload",
            "overloaded",
            "crash",
            "crashed",
            "crashes",
            "memory",
            "queue full",
            "burst",
            "bursts",
            "backlog",
            "was down",
            "went down",
            "outage",
            "fell over",
        ],
        sayings: &["not keep up"],
    },
];
