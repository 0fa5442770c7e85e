//! Handshakes: requests by which a sender makes sure that the address is ours, hands over a secret, or looks
//! whether anybody is there. Each kind is data in a sender's declaration.
//!
//! Answers reflect what a stranger wrote, so they are `text/plain` or JSON made by an encoder, and bounded. None
//! may sign for a stranger: where an answer is a MAC under the key that signs deliveries, either the question is
//! signed itself (Zoom), or it cannot look like a delivery (X).
//!
//! Not here: whether a signed question is the sender's (it has been verified), and calling back (ingest).

use http::{HeaderName, HeaderValue, Method};
use serde_json::json;

use super::{
    declaration::Told,
    facts::header_text,
    form::{self, field_text},
    mac::{self, Algorithm, Encoding, KeyForm, Mechanism, same_text},
    place::Place,
};
use crate::{
    json::{Found, Pointer, scan},
    secret::Secret,
    sender::{Answer, Own, Reply, Request},
};

/// Longest body that is looked at for a question.
pub const HANDSHAKE_BYTES_MAX: usize = 8 << 10;
/// Longest challenge that is given back.
pub const CHALLENGE_BYTES_MAX: usize = 2 << 10;
/// X's tokens are shorter.
const CRC_TOKEN_BYTES_MAX: usize = 128;

/// A kind of handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// A POST whose body has a challenge, which is given back. `when` names a place and what it must hold.
    Echo { when: Option<(&'static str, &'static str)>, challenge: &'static str, answer: Echoed, signed: bool },
    /// A signed POST in which a place holds a certain value, answered in a certain way.
    Ping { at: &'static str, value: &'static str, answer: Told },
    /// `GET ?hub.mode=subscribe&hub.verify_token=…&hub.challenge=…`, with the source's `verify_token`.
    Hub { answer: Echoed },
    /// A request whose query has a challenge, given back as text.
    EchoQuery { method: Method, name: &'static str },
    /// `GET ?crc_token=…`, answered with its HMAC-SHA256 (X).
    CrcToken,
    /// A signed POST of `endpoint.url_validation`, answered with the HMAC-SHA256 of its token (Zoom).
    EncryptedToken,
    /// A GET with a challenge in a header, given back as a field of a JSON object.
    HeaderToJson { header: &'static str, field: &'static str },
    /// A POST with a challenge in a header, given back in another.
    HeaderToHeader { header: &'static str, answer: &'static str },
    /// A POST that hands the secret over in a header, which is given back.
    SecretInHeader(&'static str),
    /// An unsigned POST that hands the secret over in its body.
    SecretInBody(&'static str),
    /// A HEAD that wants a 200.
    Head,
    /// An unsigned form that has this one field and wants a 200.
    Hello(&'static str),
    /// A signed POST whose array of events is empty: the sender looks whether we are there.
    Heartbeat(&'static str),
    /// An OPTIONS that asks whether its origin may post here (CloudEvents web hooks, section 4).
    Origin,
}

impl Handshake {
    /// Whether it is answered by comparing the source's `verify_token`.
    pub fn compares_token(&self) -> bool {
        matches!(self, Handshake::Hub { .. })
    }

    /// Whether with it the sender makes the secret and posts it.
    pub fn hands_over(&self) -> bool {
        matches!(self, Handshake::SecretInHeader(_) | Handshake::SecretInBody(_))
    }
}

/// How a challenge is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echoed {
    Text,
    /// As this field of a JSON object.
    Json(&'static str),
}

impl Echoed {
    fn answer(self, challenge: &str) -> Reply {
        Reply::Answer(match self {
            Echoed::Text => Answer::text(challenge),
            Echoed::Json(field) => Answer::json(&json!({ field: challenge })),
        })
    }
}

impl Handshake {
    /// Whether it is only answered once the request's signature has held.
    pub fn is_signed(&self) -> bool {
        matches!(self, Self::Echo { signed: true, .. } | Self::Ping { .. } | Self::EncryptedToken | Self::Heartbeat(_))
    }

    /// `None` if the request is not of this kind.
    pub fn reply(&self, request: &Request<'_>, own: &Own<'_>) -> Option<Reply> {
        let is = |method: &Method| (request.method == method).then_some(());
        match self {
            Self::Echo { when, challenge, answer, .. } => {
                is(&Method::POST)?;
                if let Some((at, value)) = when {
                    holds(request, at, value)?;
                }
                Some(answer.answer(&bounded(text_at(request, challenge)?)?))
            }
            Self::Ping { at, value, answer } => {
                holds(request, at, value)?;
                Some(Reply::Answer(answer.answer()))
            }
            Self::Hub { answer } => is(&Method::GET).and_then(|()| hub(*answer, request, own)),
            Self::EchoQuery { method, name } => {
                is(method)?;
                Some(Echoed::Text.answer(&bounded(query(request, name)?)?))
            }
            Self::CrcToken => is(&Method::GET).and_then(|()| crc_token(request, own)),
            Self::EncryptedToken => encrypted_token(request, own),
            Self::HeaderToJson { header, field } => {
                is(&Method::GET)?;
                Some(Echoed::Json(field).answer(&bounded(text_in(request, header)?)?))
            }
            Self::HeaderToHeader { header, answer } => {
                is(&Method::POST)?;
                with_header(answer, &bounded(text_in(request, header)?)?).map(Reply::Answer)
            }
            Self::SecretInHeader(header) => {
                is(&Method::POST)?;
                let text = bounded(text_in(request, header)?)?;
                handed_over(&text, with_header(header, &text)?, own)
            }
            Self::SecretInBody(at) => {
                is(&Method::POST)?;
                handed_over(&bounded(text_at(request, at)?)?, Answer::empty(), own)
            }
            Self::Head => is(&Method::HEAD).map(|()| Reply::Answer(Answer::empty())),
            Self::Hello(field) => {
                let mut fields = form::fields(request.body);
                let only = form::is_form(request.headers) && request.body.len() <= HANDSHAKE_BYTES_MAX;
                let named = fields.next().is_some_and(|(name, _)| *name == *field.as_bytes());
                (only && named && fields.next().is_none()).then(|| Reply::Answer(Answer::empty()))
            }
            Self::Heartbeat(path) => {
                let short = (request.body.len() <= HANDSHAKE_BYTES_MAX).then_some(request.body)?;
                let list = scan(short, &[Pointer::parse(path).ok()?]).pop()??;
                list.is_empty_list().then(|| Reply::Answer(Answer::empty()))
            }
            Self::Origin => {
                is(&Method::OPTIONS)?;
                let origin = bounded(text_in(request, "webhook-request-origin")?)?;
                with_header("webhook-allowed-origin", &origin).map(Reply::Answer)
            }
        }
    }
}

fn bounded(text: String) -> Option<String> {
    (text.len() <= CHALLENGE_BYTES_MAX).then_some(text)
}

fn query(request: &Request<'_>, name: &str) -> Option<String> {
    field_text(request.query?.as_bytes(), name).map(Into::into)
}

fn text_in(request: &Request<'_>, header: &'static str) -> Option<String> {
    header_text(request.headers, &HeaderName::from_static(header)).map(Into::into)
}

/// The text at a place; in the body only if that is no longer than a question.
fn text_at(request: &Request<'_>, place: &str) -> Option<String> {
    match Place::parse(place).ok()? {
        Place::Header(name) => header_text(request.headers, &name).map(Into::into),
        Place::Json(pointer) => {
            let body = (request.body.len() <= HANDSHAKE_BYTES_MAX).then_some(request.body)?;
            found_text(body, &pointer)
        }
    }
}

fn found_text(body: &[u8], pointer: &Pointer) -> Option<String> {
    scan(body, std::slice::from_ref(pointer)).pop()?.and_then(Found::scalar).map(Into::into)
}

fn holds(request: &Request<'_>, place: &str, value: &str) -> Option<()> {
    (text_at(request, place)? == value).then_some(())
}

fn with_header(name: &'static str, value: &str) -> Option<Answer> {
    let header = (HeaderName::from_static(name), HeaderValue::from_str(value).ok()?);
    Some(Answer { headers: vec![header], ..Answer::empty() })
}

/// The challenge if the token is ours. Without a `verify_token` none is.
fn hub(answer: Echoed, request: &Request<'_>, own: &Own<'_>) -> Option<Reply> {
    if query(request, "hub.mode")? != "subscribe" {
        return None;
    }
    let challenge = bounded(query(request, "hub.challenge")?)?;
    let token = query(request, "hub.verify_token").unwrap_or_default();
    let ours = own.verify_token.is_some_and(|own| same_text(own.expose(), token.as_bytes()));
    Some(if ours { answer.answer(&challenge) } else { Reply::Refuse })
}

const HMAC_SHA256: Mechanism = Mechanism::Hmac(Algorithm::Sha256);

/// The token's alphabet keeps this from signing anything that could be a delivery: no JSON is written in it.
fn crc_token(request: &Request<'_>, own: &Own<'_>) -> Option<Reply> {
    let token = query(request, "crc_token")?;
    let harmless = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'=' | b'-');
    if token.len() > CRC_TOKEN_BYTES_MAX || !token.bytes().all(harmless) {
        return Some(Reply::Refuse);
    }
    let secret = own.secrets.first()?;
    let mac = mac::write(HMAC_SHA256, Encoding::Base64, KeyForm::Text, secret, &[token.as_bytes()])?;
    Some(Reply::Answer(Answer::json(&json!({ "response_token": format!("sha256={mac}") }))))
}

/// Signed requests only: an answer to anybody would sign deliveries for anybody.
fn encrypted_token(request: &Request<'_>, own: &Own<'_>) -> Option<Reply> {
    holds(request, "json:/event", "endpoint.url_validation")?;
    let token = bounded(text_at(request, "json:/payload/plainToken")?)?;
    let secret = own.secrets.first()?;
    let mac = mac::write(HMAC_SHA256, Encoding::Hex, KeyForm::Text, secret, &[token.as_bytes()])?;
    Some(Reply::Answer(Answer::json(&json!({ "plainToken": token, "encryptedToken": mac }))))
}

/// A secret that is known is acknowledged again; another one is taken only while one is awaited.
fn handed_over(text: &str, answer: Answer, own: &Own<'_>) -> Option<Reply> {
    let known = own.secrets.iter().any(|secret| same_text(secret.expose(), text.as_bytes()));
    Some(match Secret::new(text) {
        _ if known => Reply::Answer(answer),
        Some(secret) if own.awaits_secret => Reply::Keep { secret, answer },
        _ => Reply::Refuse,
    })
}
