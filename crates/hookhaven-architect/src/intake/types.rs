//! Names of event types, as teams write them: what cannot be one, and what may be a slip.
//!
//! Not here: what a type is called in a route (`design`).

use hookhaven_core::{
    glob::{self, Glob},
    senders::Declaration,
};
use hookhaven_toml::suggest;

/// What is wrong with the name of a type or pattern, and the mend.
pub fn refused(named: &str) -> Option<(String, String)> {
    if let Err(why) = Glob::parse(named) {
        return Some((format!("{named:?} is no event type"), why.to_string()));
    }
    let c = named.chars().find(|c| crate::words::is_unseen(*c))?;
    Some((format!("{named:?} is no event type"), format!("nobody sees {c:?} in it; take it out")))
}

/// Whether the one may name what the other names.
pub fn meet(a: &str, b: &str) -> bool {
    a == b || glob::matches(a, b) || glob::matches(b, a)
}

/// The sender's own type that this one is a slip away from.
pub fn meant(sender: Option<&'static Declaration>, named: &str) -> Option<&'static str> {
    suggest::slip(named, sender?.sample_types.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_on_one_line_and_can_be_seen() {
        for hostile in ["a\nb", "a\u{202e}b", "a\u{200b}b", "a b", "", "a\\b", "${a}"] {
            assert!(refused(hostile).is_some(), "{hostile:?}");
        }
        for fine in ["invoice.*", "*", "repo:push", "/deploy", "orders/create", "zen:event-type:ticket.created", "käse"]
        {
            assert_eq!(refused(fine), None, "{fine}");
        }
    }
}
