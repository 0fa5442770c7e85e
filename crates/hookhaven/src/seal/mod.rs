//! Encryption at rest: what is secret and has to be stored is sealed on its way into the store and opened on its
//! way out, so that neither a data directory nor a database tells it.
//!
//! - A *data key* (`envelope`: AES-256-GCM-SIV) seals a value into an *envelope*, bound to its place, so that no
//!   envelope can be put in another's stead. Data keys are made by the gateway and kept beside what they seal: in
//!   the owner-only file `keys` of a data directory (`file`), in the catalog of a database (`catalog`).
//! - A *master key* (`wrap`) comes from the configuration and wraps the data keys. Without one the file holds them
//!   as they are; in a database they are then wrapped under the admin token, which all nodes know.
//! - The *vault* (`vault`) holds the data keys of a running process. `store` and `quarantine` stand before the
//!   real ones and seal what passes: forwarded headers and whatever else may be a credential (`event`), bodies that
//!   are marked with [`SEAL_BODY`], entries of the catalog of the kinds in [`SEALED_KINDS`], rejected requests.
//!
//! Everything is looked up and counted without a key; only the values need one. A lost key costs the values: lists
//! go on, and a delivery whose event cannot be opened ends dead and says why.
//!
//! Not here: who may see what was opened (the API masks), tokens of callers, TLS.

mod catalog;
mod contents;
mod envelope;
mod event;
pub mod file;
pub mod keys;
mod quarantine;
mod ring;
mod store;
pub mod token;
mod vault;
mod wrap;

use hookhaven_store::StoreError;

pub use self::{
    catalog::DATA_KEY_KIND,
    envelope::{DataKey, KeyId, SealedIn},
    event::{SEAL_BODY, SEALED, mark_body},
    file::{KEYS_FILE, replace},
    quarantine::SealedQuarantine,
    ring::{OpenError, Ring},
    store::{SealedStore, holds_sealed, seal_plain, unopened},
    vault::Vault,
    wrap::{KeptKey, MasterKey, WrapKey, WrapKeys},
};

/// Kinds of catalog entries whose values are secret, or hold some. Everything else there is read by the store itself, or
/// is nothing to hide.
pub const SEALED_KINDS: [&str; 4] = ["publish-keys", "secret-fingerprint", "publish-schedule", "publish-group"];

/// Why sealed values cannot be worked with. All of it is for the operator to mend; nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("{place}: {why}; restore it from a backup")]
    Unreadable { place: String, why: String },
    #[error("{place}: the data key {key} is encrypted under {by}, {mend}")]
    WrongKey { place: String, key: KeyId, by: String, mend: &'static str },
    #[error(
        "{place}: the data keys are gone, and without them nobody can read what was encrypted; restore them from a \
         backup, or give up what was encrypted with `hookhaven master-key abandon`"
    )]
    Lost { place: String },
    #[error("{place} cannot be written: {why}")]
    Unwritable { place: String, why: String },
    #[error("nothing to encrypt data keys with: set encryption.master_key, or server.admin_token")]
    NoWrapKey,
    #[error("it could not be encrypted")]
    Failed,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SealError> for StoreError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Store(error) => error,
            other => StoreError::Refused(other.to_string()),
        }
    }
}
