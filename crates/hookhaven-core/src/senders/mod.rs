//! The senders: one file each under `catalogue/`, and nothing else to edit. The build script lists the files; each
//! has a `pub static SENDER: Declaration`, and its name is its module's.
//!
//! What they are built from: `declaration` (a sender as data) and `declared` (what the data does), `signed`
//! (signatures over a text around the body), `signature` (their header), `mac` (algorithms, keys, the comparison),
//! `template` (what is signed), `shared` (secrets that are shown), `published` (certificates and keys that are fetched),
//! `addresses` (published lists of where a sender posts from), `jwt`, `place` (where things stand), `form` (form bodies),
//! `facts` (id, type and time), `fallback` (what stands in for them), `order`, `handshake`, `late` (answers after the
//! answer), `sample` (bodies to try a source with), `chain` (several of them that are one story).
//!
//! A new declarative sender is a file of under 40 lines, its `conduct` aside; every law in `tests/sender_laws` then runs
//! over it, and `docs/senders.md` is made from it. Not here: sources, sockets, configuration syntax.

mod addresses;
mod chain;
mod declaration;
mod declared;
mod facts;
mod fallback;
mod form;
mod handshake;
mod jwt;
mod late;
mod mac;
mod order;
mod place;
mod published;
mod sample;
mod shared;
mod signature;
mod signed;
mod template;
mod words;

mod catalogue {
    include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));
}

pub use addresses::{AddressList, BadList, LIST_BYTES_MAX, ListForm, NETS_MAX};
pub use catalogue::hmac::{HmacOptions, TimestampOptions};
pub use chain::{Chain, Common, Overlay, Step};
pub use declaration::{About, Code, Conduct, Declaration, OrderPromise, Retries, Rotation, Scheme, Siblings, Told};
pub use facts::{FactPlaces, Item};
pub use fallback::{KEY_BYTES_MAX, TYPE_BYTES_MAX, bounded, facts_or_fallback};
pub use form::{FIELDS_MAX, FORM, field, field_text, fields, is_form};
pub use handshake::{CHALLENGE_BYTES_MAX, Echoed, HANDSHAKE_BYTES_MAX, Handshake};
pub use jwt::write_hs256;
pub use late::LateAnswers;
pub use mac::{Algorithm, BadWord, CANDIDATES_MAX, Encoding, KeyForm, Mechanism, SECRETS_MAX, sha256_hex};
pub use order::OrderPlaces;
pub use place::{BadPlace, Place, Unit, header_name};
pub use shared::SharedSpec;
pub use signature::Form;
pub use signed::{BadScheme, SignedScheme, SignedSpec};
pub use template::{BadTemplate, Part, Template};

/// Every sender there is, by name.
pub const TABLE: &[&Declaration] = catalogue::ALL;

/// What the files of the catalogue are written with.
mod prelude {
    pub use std::time::Duration;

    pub use http::Method;

    pub use super::{
        About, AddressList, Algorithm::*, Chain, Code, Conduct, Declaration, Echoed, Encoding, Form, Handshake,
        KeyForm, LateAnswers, Mechanism, OrderPromise, Retries, Rotation, Scheme, SharedSpec, Siblings, SignedSpec,
        Step, Told, Unit,
    };
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
pub fn find(name: &str) -> Option<&'static Declaration> {
    TABLE.iter().copied().find(|def| def.name == name || def.aliases.contains(&name))
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
            assert_eq!(def.build(&SenderOptions::default()).unwrap().name(), def.name);
        }
    }
}
