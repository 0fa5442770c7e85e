//! Tokens that people make: a name, scopes, an end; kept in the catalog under the SHA-256 of the token and shown once.
//! 32 random bytes need no slow hash: there is nothing to guess.
//!
//! All of them are at hand on every node, and follow what other nodes change. When a token was last used is an entry
//! of its own, so that writing that down can never bring back a token that was revoked meanwhile.
//!
//! Not here: what a token opens (`scope`), who may make one (the guard).

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hookhaven_core::{Secret, Time};
use hookhaven_store::{
    Store, StoreError,
    clock::{Clock, Entropy},
};
use serde::{Deserialize, Serialize};

use super::{CONFIG, Refused, SYSTEM, Scope, Scopes, sessions::Session};
use crate::shelf::{self, Entry, Shelf};

/// What every token begins with, so that people and scanners of leaked secrets know what it is.
pub const PREFIX: &str = "hh_";
/// Of tokens that nobody gave an end.
pub const EXPIRES_AFTER: Duration = Duration::from_secs(90 * 86_400);
/// The furthest end that can be asked for, beside none.
pub const EXPIRES_AFTER_MAX: Duration = Duration::from_secs(3_650 * 86_400);
/// Tokens at once.
pub const TOKENS_MAX: usize = 1_000;
/// Longest name.
pub const NAME_BYTES_MAX: usize = 64;

const RANDOM_BYTES: usize = 32;
/// Between writings of when a token was last used.
const USED_EVERY: Duration = Duration::from_secs(3_600);
/// Between looks for a token that is unknown here: another node may just have made it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The value of a `token` entry, as JSON; its name is the token's SHA-256 in hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    pub name: String,
    pub scopes: Scopes,
    pub created_at: Time,
    pub created_by: String,
    /// `None`: never.
    pub expires_at: Option<Time>,
}

/// The value of a `token-used` entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Used {
    at: Time,
}

impl Token {
    fn opens(&self, now: Time) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

impl Entry for Token {
    const KIND: &'static str = "token";
}
impl Entry for Used {
    const KIND: &'static str = "token-used";
}

/// SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    pub fn of(token: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, token).as_ref());
        TokenHash(hash)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What people know the token by. Tells nothing of the token.
    pub fn id(&self) -> String {
        id_of(&self.hex())
    }

    pub(super) fn hex(&self) -> String {
        hex::encode(self.0)
    }

    pub(super) fn from_hex(text: &str) -> Option<Self> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).ok()?;
        Some(TokenHash(hash))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id())
    }
}

fn id_of(hex: &str) -> String {
    format!("tok_{}", hex.get(..16).unwrap_or(hex))
}

/// What a person asks for.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub name: String,
    pub scopes: Scopes,
    pub expires_at: Option<Time>,
    pub created_by: String,
}

/// Why there is no such token.
#[derive(Debug, thiserror::Error)]
pub enum CannotMake {
    #[error("{0}")]
    BadName(String),
    #[error("there is a token {0:?} already; revoke it first, or choose another name")]
    NameTaken(String),
    #[error("there are {TOKENS_MAX} tokens; revoke some first")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A token as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: String,
    pub token: Arc<Token>,
    /// To the hour.
    pub used_at: Option<Time>,
}

/// All tokens, at hand.
#[derive(Debug)]
pub struct Tokens {
    kept: Shelf<Token>,
    used: Shelf<Used>,
    /// What people began with them.
    pub(super) sessions: Shelf<Session>,
    /// When an unknown one was last looked for, in microseconds.
    looked_us: AtomicI64,
    /// Whether somebody writes down the use of one just now.
    noting: AtomicBool,
}

impl Default for Tokens {
    fn default() -> Self {
        Tokens {
            kept: Shelf::default(),
            used: Shelf::default(),
            sessions: Shelf::default(),
            looked_us: AtomicI64::new(i64::MIN),
            noting: AtomicBool::new(false),
        }
    }
}

impl Tokens {
    /// Reads all from the store.
    pub async fn load(&self, store: &dyn Store) -> Result<(), StoreError> {
        shelf::load(&[&self.kept, &self.used, &self.sessions], store).await.map(drop)
    }

    /// Takes over what other nodes change, until the store has nothing more to tell or the future is dropped.
    pub async fn follow(&self, store: Arc<dyn Store>, clock: Arc<dyn Clock>) {
        shelf::follow("tokens", &*store, &*clock, || self.load(&*store)).await;
    }

    /// The token with this hash, if it opens anything now.
    pub fn find(&self, hash: &TokenHash, now: Time) -> Result<Arc<Token>, Refused> {
        let token = self.kept.get(&hash.hex()).ok_or(Refused::Unknown)?;
        match token.expires_at {
            Some(end) if now >= end => Err(Refused::Expired(end)),
            _ => Ok(token),
        }
    }

    /// Looks in the store, though not often, whether another node has just made a token that looks like ours. Whether
    /// it may be known by now.
    pub async fn look_for(&self, given: &[u8], store: &dyn Store, now: Time) -> bool {
        let ours = given.strip_prefix(PREFIX.as_bytes()).is_some_and(|rest| URL_SAFE_NO_PAD.decode(rest).is_ok());
        ours && self.may_look(now) && self.load(store).await.is_ok()
    }

    /// Whether the store may be asked for what is unknown here: once a second, whoever guesses.
    pub(super) fn may_look(&self, now: Time) -> bool {
        let last = self.looked_us.load(Ordering::Relaxed);
        let due = now.as_us() >= last.saturating_add(i64::try_from(LOOK_EVERY.as_micros()).unwrap_or(i64::MAX));
        due && self.looked_us.compare_exchange(last, now.as_us(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether somebody may publish with one of them.
    pub fn any_publishes(&self, now: Time) -> bool {
        self.kept.any(|_, token| token.scopes.allow(Scope::Publish) && token.opens(now))
    }

    /// Whether the one with this id opens anything now.
    pub fn opens(&self, id: &str, now: Time) -> bool {
        self.kept.any(|hex, token| id_of(hex) == id && token.opens(now))
    }

    /// Makes one. What is answered is the only copy.
    pub async fn make(
        &self,
        store: &dyn Store,
        wanted: Wanted,
        now: Time,
        entropy: &dyn Entropy,
    ) -> Result<(Secret, Listed), CannotMake> {
        check_name(&wanted.name).map_err(CannotMake::BadName)?;
        self.load(store).await?;
        if self.kept.len() >= TOKENS_MAX {
            return Err(CannotMake::TooMany);
        }
        if self.named(&wanted.name).is_some() {
            return Err(CannotMake::NameTaken(wanted.name));
        }
        let mut random = [0; RANDOM_BYTES];
        entropy.fill(&mut random);
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
        let hash = TokenHash::of(text.as_bytes());
        let Wanted { name, scopes, expires_at, created_by } = wanted;
        let token = Token { name, scopes, created_at: now, created_by, expires_at };
        self.kept.change(store, &hash.hex(), |_| Ok::<_, StoreError>(Some(token.clone()))).await?;
        let secret = Secret::new(text).ok_or_else(|| StoreError::Failed("no random bytes".to_owned()))?;
        Ok((secret, Listed { id: hash.id(), token: Arc::new(token), used_at: None }))
    }

    /// Ends a token, by its id or its name. It opens nothing on this node from here on. `None`: there is none.
    pub async fn revoke(&self, store: &dyn Store, which: &str) -> Result<Option<Listed>, StoreError> {
        self.load(store).await?;
        let all = self.kept.all();
        let Some((hex, _)) = all.iter().find(|(hex, token)| id_of(hex) == which || token.name == which) else {
            return Ok(None);
        };
        let listed = self.listed(hex);
        self.kept.delete(store, hex).await?;
        self.used.delete(store, hex).await?;
        Ok(listed)
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<Listed> {
        let mut all: Vec<_> = self.kept.all().iter().filter_map(|(hex, _)| self.listed(hex)).collect();
        all.sort_by(|a, b| a.token.name.cmp(&b.token.name));
        all
    }

    /// Has it written down that it was used, if that was not done for an hour. Nobody waits for it.
    pub fn note_use(self: &Arc<Self>, store: &Arc<dyn Store>, hash: &TokenHash, now: Time) {
        let hex = hash.hex();
        if !stale(self.used.get(&hex).as_deref(), now) || self.noting.swap(true, Ordering::Acquire) {
            return;
        }
        let (tokens, store) = (self.clone(), store.clone());
        tokio::spawn(async move {
            let change = |was: Option<&Used>| Ok::<_, StoreError>(stale(was, now).then_some(Used { at: now }));
            if let Err(error) = tokens.used.change(&*store, &hex, change).await {
                tracing::debug!(%error, "when a token was used could not be written down");
            }
            tokens.noting.store(false, Ordering::Release);
        });
    }

    fn named(&self, name: &str) -> Option<Arc<Token>> {
        self.kept.all().into_iter().map(|(_, token)| token).find(|token| token.name == name)
    }

    fn listed(&self, hex: &str) -> Option<Listed> {
        let used_at = self.used.get(hex).map(|used| used.at);
        Some(Listed { id: id_of(hex), token: self.kept.get(hex)?, used_at })
    }
}

fn stale(used: Option<&Used>, now: Time) -> bool {
    used.is_none_or(|used| now.since(used.at) >= USED_EVERY)
}

/// A name stands in logs, tables and the audit log, beside those that are ours.
fn check_name(name: &str) -> Result<(), String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(fine) {
        return Err(format!("a token's name has 1 to {NAME_BYTES_MAX} letters, digits and -_.@"));
    }
    match name {
        SYSTEM | CONFIG => {
            Err(format!("{name:?} is what the gateway calls itself in the audit log; choose another name"))
        }
        _ if name.starts_with("tok_") => Err("a token's name does not begin with \"tok_\", as ids do".to_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
