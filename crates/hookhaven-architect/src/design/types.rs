//! What a sender's event types are called in a route: teams name what they subscribed to, and some senders send that
//! under another name, or with an action behind it.
//!
//! Not here: what a type is for (`route`).

use hookhaven_core::{glob, senders::Declaration};

use crate::intake::PerType;

/// The globs of a route for what a team calls `name`.
pub fn globs(sender: Option<&Declaration>, name: &str) -> Vec<String> {
    let same = || vec![name.to_owned()];
    let Some(sender) = sender else { return same() };
    if let Some((_, arrives)) = sender.subscribed.iter().find(|(subscribed, _)| *subscribed == name) {
        return vec![(*arrives).to_owned()];
    }
    let has_actions = sender.event_type.iter().any(|place| place.contains('?'));
    if !has_actions || name.contains('*') || name.contains('.') {
        return same();
    }
    let with_action = format!("{name}.*");
    let is_sample = |pattern: &str| sender.sample_types.iter().any(|t| glob::matches(pattern, t));
    match (is_sample(name), is_sample(&with_action)) {
        (true, false) => same(),
        (false, true) => vec![with_action],
        _ => vec![name.to_owned(), with_action],
    }
}

/// Whether what the handler answers to such an event is what somebody sees: in the answer to the sender's own request,
/// not in a call that the handler makes afterwards. A pattern that takes such types counts for them, and `*` for none
/// but senders that ask with every event: of the rest a sender expects nothing.
pub fn is_asked(sender: &Declaration, event_type: &str) -> bool {
    let meet = |ask: &&str| glob::matches(event_type, ask) || glob::matches(ask, event_type);
    sender.asks.iter().any(|ask| *ask == "*" || event_type != "*" && meet(ask))
}

/// What was said of a type: by its name, by the narrowest pattern that takes it, or of all.
pub fn said<'a, T>(answers: &'a PerType<T>, event_type: &str) -> &'a T {
    let takes = answers.some.iter().filter(|(name, _)| glob::matches(name, event_type));
    let nearest = takes.max_by_key(|(name, _)| (name == event_type, literal(name)));
    nearest.map_or(&answers.all, |(_, value)| value)
}

/// What of a pattern is no star: a wider one that takes it has less.
pub fn literal(pattern: &str) -> usize {
    pattern.bytes().filter(|byte| *byte != b'*').count()
}

#[cfg(test)]
mod tests {
    use hookhaven_core::senders::find;

    use super::*;

    #[test]
    fn a_route_takes_what_arrives_not_what_the_subscription_is_called() {
        let of = |sender: &str, name: &str| globs(find(sender), name);
        assert_eq!(of("github", "push"), ["push"]);
        assert_eq!(of("github", "pull_request"), ["pull_request.*"]);
        assert_eq!(of("github", "pull_request.opened"), ["pull_request.opened"]);
        assert_eq!(of("github", "deployment"), ["deployment", "deployment.*"]);
        assert_eq!(of("gitlab", "merge_request"), ["merge_request.*"]);
        assert_eq!(of("slack", "message.channels"), ["message"]);
        assert_eq!(of("slack", "app_mention"), ["app_mention"]);
        assert_eq!(of("stripe", "invoice.*"), ["invoice.*"]);
        assert_eq!(of("nobody", "thing"), ["thing"]);
    }

    #[test]
    fn only_what_is_answered_in_the_request_is_asked() {
        for (sender, event_type, is) in [
            ("slack", "/deploy", true),
            ("slack", "view_submission", true),
            ("slack", "block_actions", false),
            ("slack", "app_mention", false),
            ("slack", "message", false),
            ("slack", "/*", true),
            ("slack", "*", false),
            ("twilio", "call.ringing", true),
            ("twilio", "call.*", true),
            ("twilio", "call.completed", false),
            ("twilio", "message.delivered", false),
            ("discord", "interaction.2", true),
            ("stripe", "invoice.paid", false),
        ] {
            assert_eq!(is_asked(find(sender).unwrap(), event_type), is, "{sender} {event_type}");
        }
    }

    #[test]
    fn a_pattern_counts_for_what_it_takes_and_what_is_narrower_before_it() {
        let some = [("in*", 4), ("invoice.*", 2), ("invoice.paid", 3)].map(|(name, value)| (name.to_owned(), value));
        let answers = PerType { all: 1, some: some.to_vec() };
        let types = ["invoice.paid", "invoice.sent", "invoice.*", "in.x", "push"];
        assert_eq!(types.map(|t| *said(&answers, t)), [3, 2, 2, 4, 1]);
    }
}
