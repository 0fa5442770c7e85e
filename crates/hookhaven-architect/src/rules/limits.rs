//! What this does not solve for a team like this one.
//!
//! Not here: what holds for everybody (`report` has it).

use super::prelude::*;
use crate::design::StorePlace;

/// What a regulator, a bank or a customer's auditor asks for at the least.
const AUDITED: Duration = Duration::from_secs(90 * 86_400);

pub const RULES: &[Rule] = &[
    Rule {
        id: "no-audit-log",
        severity: Warning,
        subject: Subject::Limits,
        fires: |intake, _| {
            let firing = Firing::whole().behind(["requirements.regulated"]);
            intake.requirements.regulated.as_ref().map(|_| firing).into_iter().collect()
        },
        text: "The history of events shows what arrived and what was tried. It is no audit log of your business: whoever has \
               the disk or the database can change it, and retention removes it.",
        mend: "Let the handler write an append-only record (event id, type, time, what was done) in the transaction that \
               does the work, and send the gateway's log lines to wherever your other audit records go.",
        fires_for: r#"requirements.regulated = "PCI DSS""#,
        rests_for: r#"requirements.retention = "60d""#,
    },
    Rule {
        id: "regulated-and-soon-gone",
        severity: Warning,
        subject: Subject::Limits,
        fires: |intake, design| {
            let kept = design.retention.value;
            let fires = intake.requirements.regulated.is_some() && kept < AUDITED;
            let said = match intake.requirements.retention {
                Some(_) => "",
                None => ", which nobody asked for: it is the usual",
            };
            let firing = Firing::whole()
                .with("kept", span(kept))
                .with("said", said)
                .behind(["requirements.regulated", "requirements.retention"]);
            if fires { vec![firing.behind(design.retention.answers.clone())] } else { Vec::new() }
        },
        text: "Somebody may ask what arrived and what became of it, and after {kept} there is nothing left to show \
               them{said}.",
        mend: "If data protection asks for so short a time, keep a record without the body (id, type, time, outcome) in your \
               own database, written by the handler in its transaction. If nothing asks for it, say a longer \
               `requirements.retention`.",
        fires_for: "requirements.regulated = \"PCI\"\nrequirements.retention = \"89d\"",
        rests_for: "requirements.regulated = \"PCI\"\nrequirements.retention = \"90d\"",
    },
    Rule {
        id: "bodies-lie-in-the-clear",
        severity: Note,
        subject: Subject::Limits,
        fires: |intake, design| {
            let firing = Firing::whole()
                .with("retention", span(design.retention.value))
                .behind(design.retention.answers.clone())
                .behind(["requirements.regulated"]);
            intake.requirements.regulated.as_ref().map(|_| firing).into_iter().collect()
        },
        text: "Bodies are stored as they came, for {retention}, and in every backup of it. `redact` hides fields where the \
               gateway shows a body, not on the disk; secrets are encrypted, bodies as a rule are not.",
        mend: "Encrypt the volume and the backups (the host's disk encryption will do), name the fields that nobody needs to \
               see in `redact`, and keep events no longer than somebody asks for.",
        fires_for: r#"requirements.regulated = "PCI DSS""#,
        rests_for: r#"requirements.retention = "60d""#,
    },
    Rule {
        id: "one-disk",
        severity: Note,
        subject: Subject::Limits,
        fires: |intake, design| {
            let embedded = design.store.value == StorePlace::Embedded && design.needed.value;
            let found = together(intake.senders.iter().filter(|s| facts::must(s))).filter(|_| embedded);
            let answers = [design.store.answers.clone(), design.needed.answers.clone()].concat();
            found.map(|f| f.behind(["idempotency"]).behind(answers)).into_iter().collect()
        },
        text: "Events of {senders} that were answered with 200 are not sent again unasked: until they are delivered, the \
               gateway's disk has them alone. A process that is killed loses nothing; a disk that dies loses what waits at \
               that moment.",
        mend: "Put the data directory on a disk that is mirrored or replicated by the host, keep the queue short, and after a \
               lost disk compare with the sender's list. If that is not enough, use PostgreSQL with a synchronous \
               replica.",
        fires_for: r#"idempotency.stripe = "must""#,
        rests_for: "idempotency.stripe = \"must\"\ninfrastructure.nodes = 2",
    },
    Rule {
        id: "failover-can-lose",
        severity: Note,
        subject: Subject::Limits,
        fires: |intake, design| {
            let shared = design.store.value == StorePlace::Postgres;
            let found = together(intake.senders.iter().filter(|s| facts::must(s))).filter(|_| shared);
            found.map(|f| f.behind(["idempotency"]).behind(design.store.answers.clone())).into_iter().collect()
        },
        text: "With an asynchronous replica a failover of PostgreSQL can lose the last moments of what was acknowledged, of \
               {senders} too. The gateway cannot know: the commit had been confirmed.",
        mend: "Give the database a synchronous replica (`synchronous_standby_names`), or after a failover compare its last \
               minutes with the sender's list.",
        fires_for: "idempotency.stripe = \"must\"\ninfrastructure.nodes = 2",
        rests_for: r#"idempotency.stripe = "must""#,
    },
    Rule {
        id: "the-api-lags-behind",
        severity: Note,
        subject: Subject::Limits,
        fires: |intake, _| {
            let found = together(intake.senders.iter().filter(|s| facts::is_thin(s)));
            found.map(|f| f.behind(["events"])).into_iter().collect()
        },
        text: "The API of {senders} may not know yet what its event tells: a fetch right after it gets a 404 or the state \
               before.",
        mend: "Answer 425 (too early) with `Retry-After: 5` when the object is missing or older than the event: this one waits \
               that long, and the others go on. Not 503, which holds the whole destination back, and no sleeping in the \
               handler.",
        fires_for: r#"senders = ["openai"]"#,
        rests_for: r#"senders = ["github"]"#,
    },
];
