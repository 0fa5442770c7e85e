//! The senders: one file each, and one line each in [`TABLE`].
//!
//! What they are built from: `hmac` (the HMAC family), `signature` (its header), `declared` (a sender that is all data), `mac`
//! (digests, keys, the comparison), `template` (what is signed), `place` (where things stand), `form`
//! (form bodies), `facts` (id, type and time), `sample` (bodies to try a source with).
//!
//! A new sender of the HMAC family is a file with a `Declaration` and a `SenderDef`, and a line below; every law in
//! `tests/sender_laws.rs` then runs over it. Not here: sources, sockets, configuration syntax.

use std::sync::Arc;

use crate::sender::Sender;

mod declared;
mod facts;
mod form;
mod generic;
mod github;
mod hmac;
mod mac;
mod place;
mod sample;
mod signature;
mod slack;
mod standard_webhooks;
mod stripe;
mod template;
mod twilio;
mod unverified;

pub use declared::Declaration;
pub use facts::{FactPlaces, KEY_BYTES_MAX, TYPE_BYTES_MAX, facts_or_fallback};
pub use form::{FIELDS_MAX, FORM, field, field_text, fields, is_form};
pub use generic::{HmacOptions, TimestampOptions};
pub use hmac::{BadScheme, HmacScheme, HmacSpec};
pub use mac::{Algorithm, BadWord, CANDIDATES_MAX, Encoding, KeyForm, SECRETS_MAX, sha256_hex};
pub use place::{BadPlace, Place, Unit, header_name};
pub use signature::Form;
pub use template::{BadTemplate, Part, Template};

/// Every sender there is.
pub const TABLE: &[SenderDef] =
    &[stripe::DEF, github::DEF, slack::DEF, twilio::DEF, standard_webhooks::DEF, generic::DEF, unverified::DEF];

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct SenderDef {
    /// In kebab-case, as written in the config file.
    pub name: &'static str,
    /// Other names for the same.
    pub aliases: &'static [&'static str],
    /// For people.
    pub title: &'static str,
    /// Whether it has a signature. Where not, a source needs an allow-list of addresses instead of secrets.
    pub verifies: bool,
    pub build: fn(&SenderOptions) -> Result<Arc<dyn Sender>, SenderOptionError>,
}

/// What a source's configuration says about its sender, beyond the name.
#[derive(Clone, Debug, Default)]
pub struct SenderOptions {
    /// `[sources.X.hmac]`.
    pub hmac: Option<HmacOptions>,
}

/// Options that do not fit their sender.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SenderOptionError {
    #[error("sender \"hmac\" needs a section [sources.NAME.hmac] that says how its requests are signed")]
    HmacMissing,
    #[error("a section [sources.NAME.hmac] belongs to sender \"hmac\"; how {0:?} signs is known")]
    HmacUnexpected(&'static str),
    #[error(transparent)]
    Scheme(#[from] BadScheme),
}

impl SenderOptionError {
    /// The key of `[sources.X.hmac]` to point at, if it is one.
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Self::Scheme(bad) => Some(bad.key),
            Self::HmacMissing | Self::HmacUnexpected(_) => None,
        }
    }
}

impl SenderOptions {
    /// For every sender but the configured one.
    fn refuse_hmac(&self, sender: &'static str) -> Result<(), SenderOptionError> {
        if self.hmac.is_some() { Err(SenderOptionError::HmacUnexpected(sender)) } else { Ok(()) }
    }
}

/// By name or alias.
pub fn find(name: &str) -> Option<&'static SenderDef> {
    TABLE.iter().find(|def| def.name == name || def.aliases.contains(&name))
}

/// All names and aliases, for help texts and "did you mean".
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().flat_map(|def| std::iter::once(def.name).chain(def.aliases.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let mut all: Vec<_> = names().collect();
        for name in &all {
            assert!(find(name).is_some());
        }
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(find("strype").is_none());
    }

    #[test]
    fn names_of_the_table_are_the_senders_own() {
        for def in TABLE.iter().filter(|def| def.name != "hmac") {
            assert_eq!((def.build)(&SenderOptions::default()).unwrap().name(), def.name);
        }
    }
}
