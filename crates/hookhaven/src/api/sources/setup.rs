//! How a source is set up at its sender: the catalogue's words, which `docs/senders.md` and `hookhaven senders` are made of
//! too.

use hookhaven_core::senders::{self, Declaration};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What people need to know of a sender. Empty texts are what does not apply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetupView {
    /// Where the source's address is entered.
    pub paste: String,
    /// Where the secret is found, or who makes it up.
    pub secret: String,
    /// What the sender asks before the first event, and what it is answered.
    pub at_setup: Vec<String>,
    /// How its requests are told from others.
    pub signed: String,
    /// What of a request that does not cover.
    pub not_covered: String,
    /// What accepted events are answered.
    pub answered: String,
    /// How long it waits for the answer.
    pub waits: String,
    /// Whether it comes again after a failure, and how often.
    pub comes_again: String,
    /// Where it publishes the addresses that it posts from.
    pub addresses: String,
    pub notes: Vec<String>,
    /// The sender's own documentation.
    pub docs: String,
}

impl SetupView {
    /// By the sender's name.
    pub(super) fn of(sender: &str) -> Option<Self> {
        senders::find(sender).map(Self::of_declared)
    }

    fn of_declared(sender: &'static Declaration) -> Self {
        let about = &sender.about;
        SetupView {
            paste: plain(about.paste),
            secret: plain(about.secret),
            at_setup: sender.handshakes_in_words().iter().map(|text| plain(text)).collect(),
            signed: plain(&sender.scheme_in_words()),
            not_covered: sender.unsigned_in_words(),
            answered: plain(&sender.answer_in_words()),
            waits: plain(&sender.waits_in_words()),
            comes_again: sender.retries_in_words(),
            addresses: plain(&sender.addresses_in_words()),
            notes: about.quirks.iter().map(|text| plain(text)).collect(),
            docs: about.docs.to_owned(),
        }
    }
}

/// Without the marks by which the documentation sets code apart.
fn plain(text: &str) -> String {
    text.replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sender_of_the_catalogue_says_how_it_is_set_up() {
        for sender in senders::TABLE {
            let setup = SetupView::of(sender.name).unwrap();
            assert!(!setup.paste.is_empty() && !setup.secret.is_empty() && !setup.signed.is_empty(), "{}", sender.name);
        }
        let meta = SetupView::of("facebook").unwrap();
        assert!(meta.at_setup.iter().any(|text| text.contains("hub.verify_token")), "{meta:?}");
        assert_eq!(SetupView::of("strype"), None);
    }
}
