//! Senders that sign nothing and only show that they know a secret: a token in a header or in the query, or
//! user name and password. Whoever sees one request can make others, so such a source wants HTTPS and, where
//! the sender publishes its addresses, an allow-list.
//!
//! Not here: tokens inside the body (`catalogue/msgraph`), and signatures (`signed`).

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, header::AUTHORIZATION};

use super::{
    form,
    mac::{SECRETS_MAX, same_text},
    place::{header_name, only},
    signed::BadScheme,
};
use crate::{
    secret::Secret,
    sender::{CannotSign, Keys, Proof, Rejection, Request},
};

/// Where the secret is shown, as a sender's file writes it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SharedSpec {
    /// In a header, after a prefix that may be empty.
    Header { name: &'static str, prefix: &'static str },
    /// In `Authorization: Basic`; the secret is `user:password`.
    Basic,
    /// In a parameter of the query.
    Query(&'static str),
}

/// The same, parsed.
#[derive(Clone, Debug)]
pub enum Shared {
    Header { name: HeaderName, prefix: &'static str },
    Basic,
    Query(&'static str),
}

impl Shared {
    pub fn from_spec(spec: &SharedSpec) -> Result<Self, BadScheme> {
        Ok(match *spec {
            SharedSpec::Header { name, prefix } => {
                let name = header_name(name).map_err(|e| BadScheme::new("header", e))?;
                Shared::Header { name, prefix }
            }
            SharedSpec::Basic => Shared::Basic,
            SharedSpec::Query(name) => Shared::Query(name),
        })
    }

    pub fn verify(&self, request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
        let shown = self.shown(request)?;
        if request.body.is_empty() {
            return Err(Rejection::BodyEmpty);
        }
        let known = |secret: &Secret| same_text(&shown, &self.text(secret));
        let position = keys.secrets.iter().take(SECRETS_MAX).position(known);
        let position = position.and_then(|n| u8::try_from(n).ok()).ok_or(Rejection::SignatureMismatch)?;
        Ok(Proof { secret: Some(position) })
    }

    /// What the request shows, as it stands there.
    fn shown(&self, request: &Request<'_>) -> Result<Vec<u8>, Rejection> {
        let header = |name| match only(request.headers, name) {
            Ok(value) => value.map(<[u8]>::to_vec).ok_or(Rejection::SignatureMissing),
            Err(_) => Err(Rejection::SignatureRepeated),
        };
        match self {
            Shared::Header { name, .. } => header(name),
            Shared::Basic => header(&AUTHORIZATION),
            Shared::Query(name) => {
                let query = request.query.unwrap_or_default().as_bytes();
                let mut found = form::fields(query).filter(|(n, _)| **n == *name.as_bytes()).map(|(_, value)| value);
                match (found.next(), found.next()) {
                    (Some(_), Some(_)) => Err(Rejection::SignatureRepeated),
                    (Some(value), None) => Ok(value.into_owned()),
                    (None, _) => Err(Rejection::SignatureMissing),
                }
            }
        }
    }

    /// What a request would show for this secret.
    fn text(&self, secret: &Secret) -> Vec<u8> {
        match self {
            Shared::Header { prefix, .. } => [prefix.as_bytes(), secret.expose()].concat(),
            Shared::Basic => format!("Basic {}", STANDARD.encode(secret.expose())).into_bytes(),
            Shared::Query(_) => secret.expose().to_vec(),
        }
    }

    /// Where the secret is shown, if that is a header.
    pub fn header(&self) -> Option<HeaderName> {
        match self {
            Shared::Header { name, .. } => Some(name.clone()),
            Shared::Basic => Some(AUTHORIZATION),
            Shared::Query(_) => None,
        }
    }

    /// Says what is wrong with a secret, without the secret.
    pub fn check_secret(&self, secret: &Secret) -> Result<(), String> {
        match self {
            Shared::Basic if !secret.expose().contains(&b':') => {
                Err("the secret is user name and password with a colon between: \"user:password\"".into())
            }
            Shared::Header { .. } if http::HeaderValue::from_bytes(secret.expose()).is_err() => {
                Err("the secret stands in a header, and no header can hold this one".into())
            }
            _ => Ok(()),
        }
    }

    /// The header that a request of this sender carries, or the query after its `?`.
    pub fn sign(&self, secret: &Secret) -> Result<(Option<(String, String)>, String), CannotSign> {
        let text = String::from_utf8(self.text(secret)).map_err(|_| CannotSign("the secret is not text".into()))?;
        Ok(match self {
            Shared::Header { name, .. } => (Some((name.to_string(), text)), String::new()),
            Shared::Basic => (Some((AUTHORIZATION.to_string(), text)), String::new()),
            Shared::Query(name) => {
                let query = String::from_utf8_lossy(&form::write([(*name, &*text)])).into_owned();
                (None, format!("?{query}"))
            }
        })
    }
}
