//! What has to be done again and again, where these answers make it more than the usual.
//!
//! Not here: the usual cadence (`report`).

use hookhaven_core::senders::Retries;

use super::prelude::*;

/// Of sources: more secrets than one remembers.
const MANY: usize = 8;

pub const RULES: &[Rule] = &[
    Rule {
        id: "compare-with-the-sender",
        severity: Note,
        subject: Subject::Maintenance,
        fires: |intake, design| {
            // Of those that never come again the same is said with what a downtime costs; who waits for an answer asks again.
            let listed = |s: &&SenderAnswers| {
                facts::must(s)
                    && !facts::is_waited_for(s, design)
                    && facts::retries(s) != Retries::Never
                    && !facts::conduct(s).reconcile.is_empty()
            };
            let senders: Vec<&SenderAnswers> = intake.senders.iter().filter(listed).collect();
            let rest = "each has something to compare with, and its own section says what.";
            let places = facts::each_in_words(&senders, |conduct| conduct.reconcile, rest);
            together(senders)
                .map(|f| f.with("places", places).behind(["idempotency", "processing", "events"]))
                .into_iter()
                .collect()
        },
        text: "Nothing on your side can tell of an event that never arrived; what the sender has can. {places}",
        mend: "Compare that with `hookhaven events list --source NAME` once a week by a job, and after every downtime by hand. \
               An empty difference is the only proof that nothing is missing.",
        fires_for: r#"idempotency.stripe = "must""#,
        rests_for: r#"idempotency.stripe = "nice""#,
    },
    Rule {
        id: "many-secrets",
        severity: Note,
        subject: Subject::Maintenance,
        fires: |intake, _| {
            let secrets = intake.senders.iter().filter(|s| !facts::proves_nothing(s)).count();
            let firing = Firing::whole().with("secrets", secrets.to_string()).behind(["senders"]);
            if secrets >= MANY { vec![firing] } else { Vec::new() }
        },
        text: "{secrets} sources have {secrets} signing secrets, each changed at another sender's page. Nobody remembers which \
               is due.",
        mend: "Set `secrets_max_age = \"180d\"` at the top of the config: `secrets_old` then tells of each that is due. Spread \
               the dates, a few each month, and write down who can log in where.",
        fires_for: r#"
            senders = ["stripe", "github", "slack", "shopify", "square", "paddle", "linear", "notion"]
        "#,
        rests_for: r#"senders = ["stripe", "github", "slack", "shopify", "square", "paddle", "linear", "docker-hub"]"#,
    },
];
