//! What stands out in a team's answers, as data: each [`Rule`] has an id, a condition, a text, and two intakes, one that
//! it fires for and one that it does not, which the tests hold it to.
//!
//! One file a subject, one item a rule, and one line here a file. What the rules ask of a sender stands in `facts`. Not
//! here: the figures (`design`), the pages (`report`).

mod brief;
mod contradictions;
mod existing;
mod facts;
mod hosting;
mod idempotency;
mod incidents;
mod limits;
mod maintenance;
mod observability;
mod ordering;
mod queue;
mod receiver;
mod replay;
mod retry;
mod senders;
mod siblings;
mod verification;

use crate::{Design, Intake, intake::SenderAnswers};

/// What the files of rules are written with.
mod prelude {
    pub use std::time::Duration;

    pub use super::{
        Firing, Rule,
        Severity::{Contradiction, Note, Serious, Warning},
        Subject,
    };
    pub(super) use super::{facts, together};
    pub use crate::{
        Design, Intake,
        intake::{Effect, Host, Once, OrderKind, SenderAnswers, State, Trouble},
        words::{bytes, count, list, rate, span},
    };
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Note,
    /// Will hurt some day.
    Warning,
    /// Loses, doubles or leaks something as it stands, or cannot be as they wish.
    Serious,
    /// The answers cannot all be true.
    Contradiction,
}

/// Where in the report it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Receiver,
    Verification,
    Idempotency,
    Replay,
    Queue,
    Ordering,
    Retry,
    Sender,
    Observability,
    Hosting,
    Limits,
    Maintenance,
}

pub struct Rule {
    /// In kebab-case; what `--explain` and the report name it by. Never changes.
    pub id: &'static str,
    pub severity: Severity,
    pub subject: Subject,
    /// Once for each that it fires for: a sender, a type, or the whole.
    pub fires: fn(&Intake, &Design) -> Vec<Firing>,
    /// What is so, with `{name}` where the firing fills in.
    pub text: &'static str,
    /// What to do about it; names the cause's remedy, never only "retry".
    pub mend: &'static str,
    /// Answers (TOML) with which it fires, and others with which it does not; what they leave out is taken as
    /// `--defaults` takes it, with Stripe for the sender.
    pub fires_for: &'static str,
    pub rests_for: &'static str,
}

/// One time that a rule's condition holds.
#[derive(Clone, Debug, Default)]
pub struct Firing {
    /// The source it is about; `None`: the whole.
    pub source: Option<String>,
    pub values: Vec<(&'static str, String)>,
    /// The answers behind it, by path.
    pub answers: Vec<String>,
}

impl Firing {
    /// About one sender, which its texts call `{sender}`, and `{name}` where the source's name is meant.
    fn of(sender: &SenderAnswers) -> Self {
        let values = vec![("sender", facts::title(sender).to_owned()), ("name", sender.name.clone())];
        Firing { source: Some(sender.name.clone()), values, answers: Vec::new() }
    }

    fn whole() -> Self {
        Firing::default()
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.values.push((name, value.into()));
        self
    }

    /// Every answer that the condition or a word of the text depends on.
    fn behind<A: Into<String>>(mut self, answers: impl IntoIterator<Item = A>) -> Self {
        for answer in answers.into_iter().map(Into::into) {
            if !self.answers.contains(&answer) {
                self.answers.push(answer);
            }
        }
        self
    }
}

/// One firing for all of them, `{senders}`, rather than the same sentence for each; none for none.
fn together<'i>(senders: impl IntoIterator<Item = &'i SenderAnswers>) -> Option<Firing> {
    let senders: Vec<&SenderAnswers> = senders.into_iter().collect();
    let titles: Vec<&str> = senders.iter().map(|sender| facts::title(sender)).collect();
    let names: Vec<&str> = senders.iter().map(|sender| &*sender.name).collect();
    let source = match names[..] {
        [] => return None,
        [one] => Some(one.to_owned()),
        _ => None,
    };
    let values = vec![("senders", facts::named(&titles))];
    Some(Firing { source, values, answers: vec!["senders".to_owned()] })
}

/// A rule that fired, in words.
#[derive(Clone)]
pub struct Finding {
    pub rule: &'static Rule,
    pub source: Option<String>,
    pub text: String,
    pub mend: String,
    /// Both in a sentence or two, where they are long.
    pub brief: Option<String>,
    pub answers: Vec<String>,
}

/// Every rule there is, in the report's order.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    TABLES.iter().copied().flatten()
}

/// What the answers say of themselves comes first.
const TABLES: &[&[Rule]] = &[
    existing::RULES,
    contradictions::RULES,
    receiver::RULES,
    incidents::RULES,
    verification::PROOFS,
    verification::RULES,
    replay::RULES,
    idempotency::RULES,
    siblings::RULES,
    ordering::RULES,
    retry::RULES,
    queue::RULES,
    senders::RULES,
    observability::RULES,
    hosting::RULES,
    limits::RULES,
    maintenance::RULES,
];

/// What is still worth telling a team that needs none of this: nothing about a set-up that it will not run.
const WITHOUT_IT: &[&[Rule]] = &[existing::RULES, contradictions::RULES, verification::PROOFS];

/// What fires, in the rules' order.
pub fn findings(intake: &Intake, design: &Design) -> Vec<Finding> {
    let tables = if design.needed.value { TABLES } else { WITHOUT_IT };
    let of = |rule: &'static Rule| {
        (rule.fires)(intake, design).into_iter().map(move |firing| Finding {
            rule,
            text: filled(rule.text, &firing),
            mend: filled(rule.mend, &firing),
            brief: brief::of(rule.id).map(|text| filled(text, &firing)),
            source: firing.source,
            answers: broadest(firing.answers),
        })
    };
    tables.iter().copied().flatten().flat_map(of).collect()
}

/// Without those that another of them holds: `volume` says `volume.stripe`, too.
fn broadest(answers: Vec<String>) -> Vec<String> {
    let holds = |broad: &String, path: &String| path.strip_prefix(&**broad).is_some_and(|rest| rest.starts_with('.'));
    let is_held = |path: &&String| answers.iter().any(|broad| holds(broad, path));
    answers.iter().filter(|path| !is_held(path)).cloned().collect()
}

/// In one pass, so that braces in a value stay what they are.
fn filled(text: &str, firing: &Firing) -> String {
    let mut parts = text.split('{');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let found = part.split_once('}').and_then(|(name, rest)| {
            let (_, value) = firing.values.iter().find(|(known, _)| *known == name)?;
            Some([value, rest])
        });
        match found {
            Some(found) => filled.extend(found),
            None => filled.extend(["{", part]),
        }
    }
    filled
}

impl std::fmt::Debug for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Finding").field("rule", &self.rule.id).field("source", &self.source).finish_non_exhaustive()
    }
}
