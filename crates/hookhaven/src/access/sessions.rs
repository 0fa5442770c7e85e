//! Sessions of people who look with a browser: begun by showing a token, ended by signing out, by time, or with the
//! token. The browser gets 32 random bytes; kept in the catalog is their SHA-256 with that of the token, so that a
//! session is good on every node and opens nothing that its token does not.
//!
//! A *link* signs in once without typing a token: made where a token was shown already, known to this process only.
//!
//! Not here: cookies (the dashboard), what a token opens (`scope`).

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hookhaven_core::{Secret, Time};
use hookhaven_store::{Store, StoreError, clock::Entropy};
use serde::{Deserialize, Serialize};

use super::{Access, Refused, TokenHash, Who, audit::Done};
use crate::shelf::Entry;

/// A session ends so long after it began.
pub const SESSION_MAX: Duration = Duration::from_secs(12 * 3_600);
/// Sessions at once; past it the oldest ends.
pub const SESSIONS_MAX: usize = 1_000;
/// A link is good for so long.
pub const LINK_MAX: Duration = Duration::from_secs(600);
/// Links at once; past it the oldest is good no more.
pub const LINKS_MAX: usize = 16;

/// What the dashboard takes a link's random part after.
pub const LINK_PATH: &str = "/sign-in?once=";

const RANDOM_BYTES: usize = 32;

/// The value of a `session` entry, as JSON; its name is the SHA-256, in hex, of what the browser holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// SHA-256 of the token that was shown, in hex.
    pub token: String,
    pub created_at: Time,
    pub expires_at: Time,
}

impl Entry for Session {
    const KIND: &'static str = "session";
}

/// Links that nobody used yet.
#[derive(Debug, Default)]
pub struct Links(Mutex<Vec<Link>>);

#[derive(Debug)]
struct Link {
    hash: TokenHash,
    token: TokenHash,
    expires_at: Time,
}

impl Access {
    /// Begins a session with a token. What is answered is the only copy.
    pub async fn sign_in(
        &self,
        given: &[u8],
        from: Option<IpAddr>,
        store: &dyn Store,
        now: Time,
        entropy: &dyn Entropy,
    ) -> Result<Result<Secret, Refused>, StoreError> {
        let mut who = self.who(given, now);
        if who == Err(Refused::Unknown) && self.tokens.look_for(given, store, now).await {
            who = self.who(given, now);
        }
        match who {
            Ok(who) => {
                self.begin(Who { address: from, ..who }, &TokenHash::of(given), store, now, entropy).await.map(Ok)
            }
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// Begins a session with a link, which is good for nothing afterwards.
    pub async fn sign_in_by_link(
        &self,
        given: &[u8],
        from: Option<IpAddr>,
        store: &dyn Store,
        now: Time,
        entropy: &dyn Entropy,
    ) -> Result<Result<Secret, Refused>, StoreError> {
        let Some(token) = self.links.take(&TokenHash::of(given), now) else { return Ok(Err(Refused::Unknown)) };
        match self.who_by(&token, now) {
            Ok(who) => self.begin(Who { address: from, ..who }, &token, store, now, entropy).await.map(Ok),
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// Makes a link for whoever showed this token: the path on the admin address that signs in.
    pub fn link(&self, token: &[u8], now: Time, entropy: &dyn Entropy) -> String {
        let text = random(entropy);
        let link =
            Link { hash: TokenHash::of(text.as_bytes()), token: TokenHash::of(token), expires_at: now.plus(LINK_MAX) };
        self.links.put(link);
        format!("{LINK_PATH}{text}")
    }

    /// Whose session it is, with what its token opens by now.
    pub async fn who_of_session(&self, given: &[u8], store: &dyn Store, now: Time) -> Result<Who, Refused> {
        let name = TokenHash::of(given).hex();
        let mut session = self.tokens.sessions.get(&name);
        if session.is_none() && self.tokens.may_look(now) {
            session = self.tokens.sessions.find(store, &name).await.unwrap_or_default();
        }
        let session = session.ok_or(Refused::Unknown)?;
        if now >= session.expires_at {
            return Err(Refused::Expired(session.expires_at));
        }
        let token = TokenHash::from_hex(&session.token).ok_or(Refused::Unknown)?;
        self.who_by(&token, now)
    }

    /// Ends a session. It opens nothing on this node from here on.
    pub async fn sign_out(&self, given: &[u8], store: &dyn Store) -> Result<bool, StoreError> {
        self.tokens.sessions.delete(store, &TokenHash::of(given).hex()).await
    }

    async fn begin(
        &self,
        who: Who,
        token: &TokenHash,
        store: &dyn Store,
        now: Time,
        entropy: &dyn Entropy,
    ) -> Result<Secret, StoreError> {
        self.make_room(store, now).await?;
        let text = random(entropy);
        let name = TokenHash::of(text.as_bytes()).hex();
        let session = Session { token: token.hex(), created_at: now, expires_at: now.plus(SESSION_MAX) };
        let change = |_: Option<&Session>| Ok::<_, StoreError>(Some(session.clone()));
        self.tokens.sessions.change(store, &name, change).await?;
        self.audit
            .record(Done {
                who: who.name.to_string(),
                token: who.token.map(|id| id.to_string()),
                address: who.address.map(|from| from.to_string()),
                action: "sessions.begin".to_owned(),
                subject: Some("dashboard".to_owned()),
                ..Done::default()
            })
            .await;
        Secret::new(text).ok_or_else(|| StoreError::Failed("no random bytes".to_owned()))
    }

    /// Forgets sessions that are over, and the oldest where there are too many.
    async fn make_room(&self, store: &dyn Store, now: Time) -> Result<(), StoreError> {
        let mut all = self.tokens.sessions.all();
        all.sort_by_key(|(_, session)| session.expires_at);
        let too_many = (all.len() + 1).saturating_sub(SESSIONS_MAX);
        for (at, (name, session)) in all.iter().enumerate() {
            if at < too_many || now >= session.expires_at {
                self.tokens.sessions.delete(store, name).await?;
            }
        }
        Ok(())
    }
}

impl Links {
    fn put(&self, link: Link) {
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if links.len() >= LINKS_MAX {
            links.remove(0);
        }
        links.push(link);
    }

    fn take(&self, hash: &TokenHash, now: Time) -> Option<TokenHash> {
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|link| now < link.expires_at);
        let at = links.iter().position(|link| link.hash == *hash)?;
        Some(links.remove(at).token)
    }
}

fn random(entropy: &dyn Entropy) -> String {
    let mut random = [0; RANDOM_BYTES];
    entropy.fill(&mut random);
    URL_SAFE_NO_PAD.encode(random)
}

#[cfg(test)]
mod tests;
