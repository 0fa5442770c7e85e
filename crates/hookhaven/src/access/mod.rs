//! Who may do what, and who did what.
//!
//! A *token* opens what its *scopes* say ([`scope`]). The one that the configuration gives, or that was made at first
//! start, may do everything; others are made by people ([`tokens`]), kept in the store's catalog by their SHA-256, and
//! at hand on every node, so that a request costs no reading. People begin sessions with them ([`sessions`]). Who guesses is slowed down ([`failures`]). Whatever
//! changes something is written down ([`audit`]).
//!
//! Not here: HTTP (the guard of `api`, `publish::auth`), senders' signatures, which have nothing to do with tokens.

pub mod audit;
pub mod failures;
pub mod scope;
pub mod sessions;
pub mod tokens;

use std::{net::IpAddr, sync::Arc};

use aws_lc_rs::constant_time;
use hookhaven_core::{Secret, Time};
use hookhaven_store::{
    Store,
    clock::{Clock, Entropy},
};

pub use self::{
    audit::{Audit, Note},
    failures::Failures,
    scope::{Scope, Scopes},
    sessions::Links,
    tokens::{Token, TokenHash, Tokens},
};

/// What the token of the configuration is called, or the one that was made at first start.
pub const ADMIN_TOKEN: &str = "admin token";
/// Who acts where no gateway runs and a command opened the store itself.
pub const COMMAND_LINE: &str = "command line";
/// What the gateway does by itself.
pub const SYSTEM: &str = "system";
/// Who changed the configuration's files.
pub const CONFIG: &str = "config";

/// Whose request it is. With the admin router a request extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The token's name.
    pub name: Arc<str>,
    /// `None` for the one that nobody made by the API.
    pub token: Option<Arc<str>>,
    pub scopes: Scopes,
    pub expires_at: Option<Time>,
    /// `None` within this process.
    pub address: Option<IpAddr>,
}

/// Why a token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Unknown,
    /// It was right until then.
    Expired(Time),
}

/// Everything about access that one gateway knows.
#[derive(Debug)]
pub struct Access {
    admin: TokenHash,
    admin_name: &'static str,
    pub tokens: Arc<Tokens>,
    pub failures: Failures,
    pub audit: Arc<Audit>,
    links: Links,
}

impl Access {
    /// `admin_name` is what its doings are written down under: [`ADMIN_TOKEN`] or [`COMMAND_LINE`].
    pub fn new(
        admin: &Secret,
        admin_name: &'static str,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Access {
            admin: TokenHash::of(admin.expose()),
            admin_name,
            tokens: Arc::default(),
            failures: Failures::default(),
            audit: Arc::new(Audit::new(store, clock, entropy)),
            links: Links::default(),
        }
    }

    /// Whose token this is, by what is at hand. Compared by hashes, so that neither content nor length shows in the
    /// time taken.
    pub fn who(&self, given: &[u8], now: Time) -> Result<Who, Refused> {
        self.who_by(&TokenHash::of(given), now)
    }

    /// Whether what somebody came with opens anything still: for what goes on long after it was asked for.
    pub fn still_opens(&self, who: &Who, now: Time) -> bool {
        who.token.as_deref().is_none_or(|id| self.tokens.opens(id, now))
    }

    fn who_by(&self, hash: &TokenHash, now: Time) -> Result<Who, Refused> {
        if constant_time::verify_slices_are_equal(hash.as_bytes(), self.admin.as_bytes()).is_ok() {
            return Ok(Who {
                name: self.admin_name.into(),
                token: None,
                scopes: Scope::Admin.into(),
                expires_at: None,
                address: None,
            });
        }
        let token = self.tokens.find(hash, now)?;
        Ok(Who {
            name: token.name.as_str().into(),
            token: Some(hash.id().into()),
            scopes: token.scopes.clone(),
            expires_at: token.expires_at,
            address: None,
        })
    }
}
