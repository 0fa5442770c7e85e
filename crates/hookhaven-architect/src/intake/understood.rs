//! How free text was understood, in words, and how to say it outright instead.
//!
//! Not here: how it is read (`text`).

use super::{Existing, Host, Infrastructure, OrderKind, SenderAnswers, State, Trouble, Understood, names};
use crate::words::list;

pub fn of_sender(answers: &SenderAnswers) -> Vec<Understood> {
    let mut all = Vec::new();
    let processing = &answers.processing;
    if !processing.text.is_empty() {
        let effects = names::effects(&processing.effects);
        let done = match effects.is_empty() {
            true => "nothing that would matter if it were done twice".to_owned(),
            false => format!("effects: {}", list(&effects)),
        };
        let waits =
            if processing.answers_user { "somebody waits for its answer" } else { "nobody waits for its answer" };
        all.push(Understood {
            path: answers.path("processing"),
            text: processing.text.clone(),
            taken_for: format!("{done}; {waits}"),
            outright: format!(
                "{}.effects = [{}], .answers_user = true or false",
                answers.path("processing"),
                names::EFFECTS.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
            ),
        });
    }
    let orders = std::iter::once((answers.path("ordering"), &answers.ordering.all)).chain(
        answers.ordering.some.iter().map(|(name, wish)| (format!("{}.{name:?}", answers.path("ordering")), wish)),
    );
    for (path, wish) in orders.filter(|(_, wish)| !wish.text.is_empty()) {
        let taken_for = match wish.kind {
            _ if wish.newest => "only the newest state counts, and what it overtook may be left out",
            OrderKind::None => "no order is needed",
            OrderKind::Wished => "an order is wished for, and can be done without",
            OrderKind::Strict => "each has to be handled after the one before",
        };
        all.push(Understood {
            outright: format!("{path} = {{ mode = \"none\", \"wished\", \"newest\" or \"strict\" }}"),
            path,
            text: wish.text.clone(),
            taken_for: taken_for.to_owned(),
        });
    }
    all
}

/// `outright`: whether host, frameworks and PostgreSQL were said so.
pub fn of_infrastructure(infrastructure: &Infrastructure, outright: [bool; 3]) -> Vec<Understood> {
    let [host_said, frameworks_said, postgres_said] = outright;
    let mut all = Vec::new();
    if !host_said && !infrastructure.hosting.is_empty() {
        all.push(Understood {
            path: "infrastructure.hosting".to_owned(),
            text: infrastructure.hosting.clone(),
            taken_for: match infrastructure.host {
                Host::Serverless => "serverless functions",
                Host::Machine => "a machine, or a few",
                Host::Containers => "containers",
                Host::Kubernetes => "Kubernetes",
                Host::Platform => "a platform that runs containers",
            }
            .to_owned(),
            outright:
                "infrastructure.host = \"serverless\", \"machine\", \"containers\", \"kubernetes\" or \"platform\""
                    .to_owned(),
        });
    }
    let stack = |taken_for: String, outright: &str| Understood {
        path: "infrastructure.stack".to_owned(),
        text: infrastructure.stack.join(", "),
        taken_for,
        outright: outright.to_owned(),
    };
    if !frameworks_said && !infrastructure.stack.is_empty() {
        let found: Vec<&str> = infrastructure.frameworks.iter().map(|f| names::name_of(names::FRAMEWORKS, f)).collect();
        let taken_for = if found.is_empty() {
            "no framework that skeletons are written for".to_owned()
        } else {
            format!("handlers for {}", list(&found))
        };
        all.push(stack(taken_for, "infrastructure.frameworks = [\"fastify\"]"));
    }
    if !postgres_said && !infrastructure.stack.is_empty() {
        let there = if infrastructure.has_postgres { "a PostgreSQL is there" } else { "no PostgreSQL is there" };
        all.push(stack(there.to_owned(), "infrastructure.postgres = true or false"));
    }
    all
}

/// `outright`: whether the kind, the troubles and the verification were said so.
pub fn of_existing(existing: &Existing, outright: [bool; 3]) -> Vec<Understood> {
    let [kind_said, troubles_said, verifies_said] = outright;
    let mut all = Vec::new();
    let state = |taken_for: &str, outright: &str| Understood {
        path: "existing.state".to_owned(),
        text: existing.state.clone(),
        taken_for: taken_for.to_owned(),
        outright: outright.to_owned(),
    };
    if !kind_said && !existing.state.is_empty() {
        let taken_for = match existing.kind {
            State::Nothing => "nothing receives them today",
            State::Synchronous => "a handler that works before it answers",
            State::Queued => "something stores or queues before it answers",
            State::Mature => "queue, retries, dead letters and idempotency are there",
            State::Hosted => "a hosted service does it",
        };
        let outright = "existing.kind = \"nothing\", \"synchronous\", \"queued\", \"mature\" or \"hosted\"";
        all.push(state(taken_for, outright));
    }
    if let (false, Some(verifies)) = (verifies_said, existing.verifies) {
        let taken_for = if verifies { "signatures are verified" } else { "signatures are not verified" };
        all.push(state(taken_for, "existing.verifies = true or false"));
    }
    if !troubles_said && !existing.incidents.is_empty() {
        all.push(Understood {
            path: "existing.incidents".to_owned(),
            text: existing.incidents.join("; "),
            taken_for: if existing.troubles.is_empty() {
                "nothing that is known here".to_owned()
            } else {
                list(&existing.troubles.iter().map(|trouble| in_words(*trouble)).collect::<Vec<_>>())
            },
            outright: format!(
                "existing.troubles = [{}]",
                names::TROUBLES.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
            ),
        });
    }
    all
}

fn in_words(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::TimedOut => "answers came too late",
        Trouble::Twice => "events were processed twice",
        Trouble::Lost => "events were lost",
        Trouble::OutOfOrder => "older events overwrote newer ones",
        Trouble::BadSignature => "signatures were wrong or not checked",
        Trouble::LeakedSecret => "a secret leaked",
        Trouble::Overload => "the receiver was overloaded or down",
    }
}
