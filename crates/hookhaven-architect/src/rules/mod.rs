//! What stands out in a team's answers, as data: each [`Rule`] has an id, a condition, a text, and two intakes, one that
//! it fires for and one that it does not, which the tests hold it to.
//!
//! One file a subject, one item a rule, and one line here a file. Not here: the figures (`design`), the pages
//! (`report`).

use crate::{Design, Intake};

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
    /// Additions to a plain intake (TOML) with which it fires and does not.
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

/// A rule that fired, in words.
#[derive(Clone)]
pub struct Finding {
    pub rule: &'static Rule,
    pub source: Option<String>,
    pub text: String,
    pub mend: String,
    pub answers: Vec<String>,
}

/// Every rule there is, in the report's order.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    TABLES.iter().copied().flatten()
}

const TABLES: &[&[Rule]] = &[];

/// What fires, in the rules' order.
pub fn findings(intake: &Intake, design: &Design) -> Vec<Finding> {
    let of = |rule: &'static Rule| {
        (rule.fires)(intake, design).into_iter().map(move |firing| Finding {
            rule,
            text: filled(rule.text, &firing),
            mend: filled(rule.mend, &firing),
            source: firing.source,
            answers: firing.answers,
        })
    };
    all().flat_map(of).collect()
}

fn filled(text: &str, firing: &Firing) -> String {
    firing.values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

impl std::fmt::Debug for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Finding").field("rule", &self.rule.id).field("source", &self.source).finish_non_exhaustive()
    }
}
