//! How free text was understood, in words, and how to say it outright instead.
//!
//! Not here: how it is read (`text`).

use hookhaven_toml::document::path_of;

use super::{Existing, Host, Infrastructure, OrderKind, SenderAnswers, State, Trouble, Understood, names, text};
use crate::words::{self, list};

/// `outright`: whether a key of an answer was said so, of a type or of all.
pub fn of_sender(answers: &SenderAnswers, outright: impl Fn(&str, Option<&str>, &str) -> bool) -> Vec<Understood> {
    let mut all: Vec<Understood> = processing(answers, |key| outright("processing", None, key)).into_iter().collect();
    let some = answers.ordering.some.iter().map(|(name, wish)| (Some(&**name), wish));
    let orders = std::iter::once((None, &answers.ordering.all)).chain(some);
    for (of_type, wish) in
        orders.filter(|(of_type, wish)| !wish.text.is_empty() && !outright("ordering", *of_type, "mode"))
    {
        let path = answers.path("ordering");
        let path = of_type.map_or(path.clone(), |of_type| path_of(&path, of_type));
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

fn processing(answers: &SenderAnswers, outright: impl Fn(&str) -> bool) -> Option<Understood> {
    let (path, processing) = (answers.path("processing"), &answers.processing);
    let effects = names::effects(&processing.effects);
    let done = match effects.is_empty() {
        true => "no effect that is known here".to_owned(),
        false => format!("effects: {}", list(&effects)),
    };
    let waits = if processing.answers_user { "somebody waits for its answer" } else { "nobody waits for its answer" };
    let names = names::EFFECTS.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let mut read = vec![
        ("effects", done, format!(".effects = [{names}]")),
        ("answers_user", waits.to_owned(), ".answers_user = true or false".to_owned()),
    ];
    if matches!(text::work(&processing.text), Some((_, Ok(_)))) {
        let takes = words::duration(processing.takes);
        read.push(("takes", format!("takes {takes} for one"), format!(".takes = \"{takes}\"")));
    }
    read.retain(|(key, ..)| !outright(key));
    let (taken_for, keys): (Vec<String>, Vec<String>) = read.into_iter().map(|(_, said, key)| (said, key)).unzip();
    (!processing.text.is_empty() && !keys.is_empty()).then(|| Understood {
        text: processing.text.clone(),
        taken_for: taken_for.join("; "),
        outright: format!("{path}{}", keys.join(", ")),
        path,
    })
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
