//! What must not happen twice, and what does not keep it from happening twice.
//!
//! Not here: the layers as a table (`report`), copies made by strangers (`replay`), several events of one cause
//! (`siblings`).

use hookhaven_core::senders::Retries;

use super::prelude::*;

/// Words of a stack in which a unique constraint can be had.
const DATABASES: &[&str] = &[
    "postgres",
    "mysql",
    "mariadb",
    "sqlite",
    "cockroach",
    "mssql",
    "sql",
    "oracle",
    "mongo",
    "dynamodb",
    "firestore",
    "supabase",
    "neon",
    "planetscale",
    "turso",
    "tidb",
    "aurora",
    "rds",
    "spanner",
    "cassandra",
];

pub const RULES: &[Rule] = &[
    Rule {
        id: "constraint-does-not-cover-effects",
        severity: Warning,
        subject: Subject::Idempotency,
        fires: |intake, _| intake.senders.iter().filter_map(beyond_the_database).collect(),
        text: "Events of {sender} must not be processed twice. A unique constraint holds that for your database, and not \
               for {effects}: a crash after the effect and before the commit repeats it.",
        mend: "{remedies}",
        fires_for: r#"
            idempotency.stripe = "must"
            processing.stripe = "update the customer in the database, send e-mail"
        "#,
        rests_for: r#"
            idempotency.stripe = "must"
            processing.stripe = "update the customer in the database"
        "#,
    },
    Rule {
        id: "must-without-a-database",
        severity: Warning,
        subject: Subject::Idempotency,
        fires: |intake, _| {
            let named = intake.infrastructure.stack.iter().any(|item| names_database(item));
            let found = together(intake.senders.iter().filter(|s| facts::must(s))).filter(|_| !named);
            found.map(|f| f.behind(["idempotency", "infrastructure.stack"])).into_iter().collect()
        },
        text: "Nothing of {senders} may be processed twice, and your stack names no database. The gateway delivers at \
               least once: after a crash an attempt is made again, and only a unique constraint on your side stops it.",
        mend: "Name the database if there is one. If there is none, keep the ids of handled events in the smallest that can \
               hold a unique constraint (SQLite will do), in the transaction that does the work.",
        fires_for: "idempotency.stripe = \"must\"\ninfrastructure.stack = [\"node 20\", \"express\"]",
        rests_for: "idempotency.stripe = \"must\"\ninfrastructure.stack = [\"node 20\", \"express\", \"MySQL 8\"]",
    },
    Rule {
        id: "seen-mark-in-redis",
        severity: Note,
        subject: Subject::Idempotency,
        fires: |intake, _| {
            let stack = &intake.infrastructure.stack;
            let both = stack.iter().any(|item| names(item, "redis")) && stack.iter().any(|item| names_database(item));
            let found = together(intake.senders.iter().filter(|s| facts::must(s))).filter(|_| both);
            found.map(|f| f.behind(["idempotency", "infrastructure.stack"])).into_iter().collect()
        },
        text: "You have Redis and a database. An id that is marked in Redis and work that is done in the database can come \
               apart: marked and not done loses {senders} events, done and not marked doubles them.",
        mend: "Put the constraint where the work is: an `inbox` table in the same database, in the same transaction. Redis \
               needs no part in it.",
        fires_for: "idempotency.stripe = \"must\"\ninfrastructure.stack = [\"node 20\", \"postgres\", \"redis\"]",
        rests_for: "idempotency.stripe = \"must\"\ninfrastructure.stack = [\"node 20\", \"postgres\"]",
    },
    Rule {
        id: "money-that-may-move-twice",
        severity: Serious,
        subject: Subject::Idempotency,
        fires: |intake, _| intake.senders.iter().filter_map(careless).collect(),
        text: "Your handler for {sender} does this: {effects}. You say of its events that twice does no harm or is only \
               unwelcome; a delivery is repeated after any crash or lost answer.",
        mend: "Say `idempotency.{name} = \"must\"`, for the types that do it at least, and pass the event's id to whoever \
               moves the money or gives the access, as their idempotency key.",
        fires_for: r#"
            idempotency.stripe = "nice"
            processing.stripe = "refund the customer"
        "#,
        rests_for: r#"
            idempotency.stripe = "must"
            processing.stripe = "refund the customer"
        "#,
    },
    Rule {
        id: "no-event-id",
        severity: Note,
        subject: Subject::Idempotency,
        fires: |intake, _| {
            let without = |s: &&SenderAnswers| s.sender.is_some_and(|d| d.id.is_empty() && !facts::is_unknown(s));
            together(intake.senders.iter().filter(without)).into_iter().collect()
        },
        text: "No event id comes from {senders}: the key is a hash of the body, so two true events with equal bodies \
               are taken for one.",
        mend: "Where equal bodies can be two events, set a short `dedupe_window` on the source, and keep the second line of \
               defence in the handler: a constraint on what the event is about.",
        fires_for: r#"senders = ["plaid"]"#,
        rests_for: r#"senders = ["stripe"]"#,
    },
    Rule {
        id: "retention-shorter-than-memory",
        severity: Warning,
        subject: Subject::Idempotency,
        fires: |intake, design| {
            let Some(kept) = intake.requirements.retention else { return Vec::new() };
            let longest = intake.senders.iter().max_by_key(|s| comes_back_within(s));
            let firing = longest.filter(|s| comes_back_within(s) > kept).map(|s| {
                let again = comes_back_within(s);
                let window = design.source(&s.name).map_or(again, |source| source.dedupe_window.value);
                let dead = match design.retention_dead.value {
                    None => "stay until somebody replays or dismisses them, whatever the retention",
                    Some(_) => "go with them: look at them every week",
                };
                let firing = Firing::of(s).with("kept", span(kept)).with("again", span(again)).with("dead", dead);
                firing.with("window", span(window)).behind(design.retention_dead.answers.clone())
            });
            firing.map(|f| f.behind(["requirements.retention", "senders"])).into_iter().collect()
        },
        text: "Events are kept for {kept}, and {sender} can bring one back for {again}; its ids are remembered for {window}. A \
               copy is still dropped then, but there is nothing left to show what it was a copy of.",
        mend: "Keep events for {again}, or accept that `hookhaven why` ends after {kept}. Dead letters {dead}.",
        fires_for: r#"requirements.retention = "29d""#,
        rests_for: r#"requirements.retention = "30d""#,
    },
    Rule {
        id: "everything-must",
        severity: Note,
        subject: Subject::Idempotency,
        fires: |intake, _| {
            let all =
                intake.senders.len() >= 4 && intake.senders.iter().all(|s| s.once.values().all(|o| *o == Once::Must));
            let firing = Firing::whole().with("senders", intake.senders.len().to_string());
            if all { vec![firing.behind(["idempotency", "senders"])] } else { Vec::new() }
        },
        text: "All {senders} senders are \"must\". Then every dead letter wakes somebody, and after a few nights none does.",
        mend: "Keep \"must\" for what moves money, gives access or starts something; say \"nice\" of what the next event or a \
               nightly job corrects.",
        fires_for: r#"
            senders = ["stripe", "github", "slack", "shopify"]
            idempotency = { stripe = "must", github = "must", slack = "must", shopify = "must" }
        "#,
        rests_for: r#"
            senders = ["stripe", "github", "slack", "shopify"]
            idempotency = { stripe = "must", github = "must", slack = "nice", shopify = "must" }
        "#,
    },
];

/// Of an effect that no constraint of the team's database covers: what it is, and what does cover it. The gravest first.
const BEYOND: &[(Effect, &str, &str)] = &[
    (Effect::Money, "money that moves", "Pass the event's id as the payment provider's own idempotency key."),
    (
        Effect::Fulfilment,
        "access or goods",
        "Grant by inserting a row that is unique for order and item, never by adding to a number.",
    ),
    (
        Effect::Build,
        "jobs that are started",
        "Name the job by what it is for (repository, commit, workflow), so that a second start finds the first.",
    ),
    (
        Effect::Mail,
        "e-mail",
        "Write the mail into an outbox table in the same transaction; what sends from it passes the event's id as the mail \
         provider's idempotency key.",
    ),
    (
        Effect::Message,
        "messages",
        "Keep the sent message's id beside the event's, so that a second attempt edits it or stops.",
    ),
    (Effect::Call, "calls to other APIs", "Pass the event's id on as those APIs' idempotency key, or look first."),
];

fn beyond_the_database(sender: &SenderAnswers) -> Option<Firing> {
    let beyond: Vec<_> = BEYOND.iter().filter(|(effect, ..)| facts::does(sender, *effect)).collect();
    if !facts::must(sender) || beyond.is_empty() {
        return None;
    }
    let effects: Vec<&str> = beyond.iter().map(|(_, what, _)| *what).collect();
    // The two gravest: what is done for them is the pattern for the rest.
    let remedies: Vec<&str> = beyond.iter().take(2).map(|(.., remedy)| *remedy).collect();
    let firing = Firing::of(sender).with("effects", list(&effects)).with("remedies", remedies.join(" "));
    Some(firing.behind([sender.path("idempotency"), sender.path("processing"), "senders".to_owned()]))
}

/// How long after it happened it may arrive once more, by itself or by hand.
fn comes_back_within(sender: &SenderAnswers) -> Duration {
    let Some(declared) = sender.sender else { return Duration::ZERO };
    let retries = match declared.about.retries {
        Retries::For(window, _) => window,
        Retries::Never | Retries::Unknown => Duration::ZERO,
    };
    retries.max(declared.resend_within().unwrap_or_default())
}

fn careless(sender: &SenderAnswers) -> Option<Firing> {
    let grave = [(Effect::Money, "moves money"), (Effect::Fulfilment, "gives access or goods")];
    let effects: Vec<&str> = grave.iter().filter(|(e, _)| facts::does(sender, *e)).map(|(_, what)| *what).collect();
    let fires = !facts::must(sender) && !effects.is_empty();
    let firing = Firing::of(sender).with("effects", list(&effects));
    let answers = [sender.path("idempotency"), sender.path("processing"), "senders".to_owned()];
    fires.then(|| firing.behind(answers))
}

fn names_database(item: &str) -> bool {
    DATABASES.iter().any(|database| names(item, database))
}

/// Whether a word of the item begins with that: `postgres 16`, `PostgreSQL`.
fn names(item: &str, word: &str) -> bool {
    item.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|part| part.starts_with(word))
}
