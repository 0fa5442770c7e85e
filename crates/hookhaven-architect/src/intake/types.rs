//! Event types as a team names them, as the gateway calls them.
//!
//! GitHub's `pull_request` arrives as `pull_request.opened`, Slack's subscription `message.channels` as `message`. A
//! route for the name alone would take nothing. Which types there are is the catalogue's.

use hookhaven_core::{
    glob::{self, Glob},
    senders::Declaration,
};
use hookhaven_toml::suggest;

/// Patterns for routes: at least one.
pub fn as_stored(sender: Option<&'static Declaration>, named: &str) -> Vec<String> {
    let as_named = || vec![named.to_owned()];
    let Some(sender) = sender else { return as_named() };
    let samples = sender.sample_types;
    if named.contains('*') || samples.contains(&named) {
        return as_named();
    }
    if samples.iter().any(|sample| sample.strip_prefix(named).is_some_and(|rest| rest.starts_with('.'))) {
        return vec![format!("{named}.*")];
    }
    let has_actions = sender.event_type.iter().any(|place| place.contains(" + "));
    match named.split_once('.') {
        // Not every event has an action.
        None if has_actions => vec![named.to_owned(), format!("{named}.*")],
        Some((head, _)) if samples.contains(&head) && samples.iter().all(|sample| !sample.contains('.')) => {
            vec![head.to_owned()]
        }
        _ => as_named(),
    }
}

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
    let samples = sender?.sample_types;
    if samples.contains(&named) { None } else { suggest::slip(named, samples.iter().copied()) }
}

#[cfg(test)]
mod tests {
    use hookhaven_core::senders;

    use super::*;

    #[test]
    fn types_are_called_as_they_are_stored() {
        for (sender, named, stored) in [
            ("github", "push", &["push"][..]),
            ("github", "pull_request", &["pull_request.*"]),
            ("github", "pull_request.closed", &["pull_request.closed"]),
            ("github", "release", &["release", "release.*"]),
            ("slack", "message.channels", &["message"]),
            ("slack", "app_mention", &["app_mention"]),
            ("stripe", "invoice.*", &["invoice.*"]),
            ("stripe", "charge.failed", &["charge.failed"]),
            ("stripe", "customer.subscription", &["customer.subscription.*"]),
            ("bitbucket", "repo:push", &["repo:push"]),
        ] {
            assert_eq!(as_stored(senders::find(sender), named), stored, "{sender} {named}");
        }
        assert_eq!(as_stored(None, "message.channels"), ["message.channels"]);
    }

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
