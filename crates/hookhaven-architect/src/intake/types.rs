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

/// What was probably meant: every type, or the sender's own type that this one is a slip away from.
pub fn meant(sender: Option<&'static Declaration>, named: &str) -> Option<&'static str> {
    const EVERY: [&str; 6] = ["all", "any", "every", "everything", "all events", "default"];
    let known = sender.map(|sender| sender.sample_types).unwrap_or_default();
    let every = EVERY.contains(&&*named.to_lowercase()) && !known.contains(&named);
    if every { Some("*") } else { suggest::slip(named, known.iter().copied()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_every_type_and_a_slip_are_not_taken_at_their_word() {
        let stripe = hookhaven_core::senders::find("stripe");
        assert_eq!([meant(None, "all"), meant(stripe, "Everything")], [Some("*"); 2]);
        assert_eq!((meant(stripe, "invoce.paid"), meant(None, "invoce.paid")), (Some("invoice.paid"), None));
        assert_eq!((meant(stripe, "invoice.paid"), meant(stripe, "my.own")), (None, None));
    }

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
