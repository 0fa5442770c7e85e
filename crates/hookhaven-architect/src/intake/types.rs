//! Names of event types, as teams write them: what cannot be one, and what may be a slip.
//!
//! Not here: what a type is called in a route (`design`).

use hookhaven_core::{
    glob::{self, Glob},
    senders::Declaration,
};
use hookhaven_toml::suggest;

/// What is wrong with the name of a type or pattern, and the mend. Names go into files of many kinds: what could end
/// a text there is refused here, once.
pub fn refused(named: &str) -> Option<(String, String)> {
    const ENDS_TEXT: &[char] = &['"', '\'', '`', '<', '>', ';', ','];
    if let Err(why) = Glob::parse(named) {
        return Some((format!("{named:?} is no event type"), why.to_string()));
    }
    let odd = |c: char| ENDS_TEXT.contains(&c) || crate::words::is_unseen(c);
    let c = named.chars().find(|c| odd(*c))?;
    Some((format!("{named:?} is no event type"), format!("no sender has {c:?} in one; take it out")))
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
    fn no_name_ends_a_text_that_it_stands_in() {
        for hostile in ["a\nb", "a\"b", "a`b", "a'b", "<b>", "a\u{202e}b", "a b", "", "a;b", "a\\b", "${a}"] {
            assert!(refused(hostile).is_some(), "{hostile:?}");
        }
        for fine in ["invoice.*", "*", "repo:push", "/deploy", "orders/create", "zen:event-type:ticket.created", "käse"]
        {
            assert_eq!(refused(fine), None, "{fine}");
        }
    }
}
