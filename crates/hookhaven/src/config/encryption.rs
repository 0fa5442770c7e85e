//! `[encryption]`: what data keys are kept under.
//!
//! Not here: what is encrypted with them (`crate::seal`), the file's syntax (`parse/encryption`).

use hookhaven_core::Secret;

use crate::seal::MasterKey;

/// Read at a start. A change needs a restart, like one of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encryption {
    /// `None`: data keys lie bare in the owner-only file of the data directory; in a database they are kept under the
    /// admin token.
    pub master: Option<MasterKey>,
    /// Master keys, and admin tokens, that were in use before.
    pub previous: Vec<Secret>,
}
