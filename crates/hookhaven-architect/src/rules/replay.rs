//! A true request that somebody sends once more.
//!
//! Not here: whether it is true (`verification`), the sender's own repeats (`idempotency`).

use super::prelude::*;

pub const RULES: &[Rule] = &[
    Rule {
        id: "another-id-passes-as-new",
        severity: Note,
        subject: Subject::Replay,
        fires: |intake, _| {
            let senders: Vec<&SenderAnswers> = intake.senders.iter().filter(|s| unsigned_id(s)).collect();
            let addresses = facts::addresses_in_words(&senders);
            together(senders).map(|f| f.with("addresses", addresses)).into_iter().collect()
        },
        text: "Neither the time nor the event's id is signed by {senders}: a captured request passes as a new event once \
               its id is changed.",
        mend: "Guard the effect by something inside the body (the commit, the order).{addresses} Such copies are counted \
               (`webhook_suspicious_total{kind=\"suspected_replay\"}`); `replay = \"refuse\"` on the source refuses known bytes \
               under a new id, where the sender itself never repeats bodies.",
        fires_for: r#"senders = ["github"]"#,
        rests_for: r#"senders = ["notion"]"#,
    },
    Rule {
        id: "no-signed-time",
        severity: Note,
        subject: Subject::Replay,
        fires: |intake, design| {
            let senders: Vec<&SenderAnswers> = intake.senders.iter().filter(|s| unsigned_time(s)).collect();
            let window = facts::windows_in_words(design, &senders);
            together(senders).map(|f| f.with("window", window)).into_iter().collect()
        },
        text: "No time is signed by {senders}: a captured request verifies for ever, and is known as a copy only while its \
               id is remembered ({window}).",
        mend: "Leave `dedupe_window` at what it is or longer, and let the handler look at the object's state rather than \
               trust that the event is recent.",
        fires_for: r#"senders = ["notion"]"#,
        rests_for: r#"senders = ["github"]"#,
    },
];

/// It signs, but neither when nor, where it has one, which.
fn unsigned_id(sender: &SenderAnswers) -> bool {
    facts::signs(sender)
        && facts::built(sender)
            .is_some_and(|(declared, built)| !built.signs_time() && !built.signs_id() && !declared.id.is_empty())
}

fn unsigned_time(sender: &SenderAnswers) -> bool {
    facts::signs(sender) && !unsigned_id(sender) && facts::built(sender).is_some_and(|(_, built)| !built.signs_time())
}
