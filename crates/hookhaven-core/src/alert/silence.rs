//! What nobody wants to hear for a while: alerts by rule and scope. They fire and end all the same, and are listed; only
//! nobody is told that they fired.

use serde::{Deserialize, Serialize};

use crate::{glob::Glob, time::Time};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    pub id: String,
    /// Patterns of names, with `*`.
    pub rule: String,
    /// `None`: every scope.
    #[serde(default)]
    pub scope: Option<String>,
    pub until: Time,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub by: String,
    pub at: Time,
}

impl Silence {
    pub fn covers(&self, rule: &str, scope: &str, now: Time) -> bool {
        // A name may hold what means something else in a pattern.
        let matches =
            |pattern: &str, text: &str| pattern == text || Glob::parse(pattern).is_ok_and(|glob| glob.matches(text));
        now < self.until && matches(&self.rule, rule) && self.scope.as_deref().is_none_or(|of| matches(of, scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_covers_what_it_names_until_its_time() {
        let silence = Silence {
            id: "a".into(),
            rule: "breaker_*".into(),
            scope: Some("billing".into()),
            until: Time::from_s(100),
            reason: String::new(),
            by: String::new(),
            at: Time::EPOCH,
        };
        let covers = |rule, scope, s| silence.covers(rule, scope, Time::from_s(s));
        assert!(covers("breaker_open", "billing", 99));
        assert!(!covers("breaker_open", "billing", 100), "its time is over");
        assert!(!covers("breaker_open", "mail", 99));
        assert!(!covers("queue_deep", "billing", 99));
        assert!(Silence { scope: None, ..silence.clone() }.covers("breaker_open", "", Time::EPOCH));
    }
}
