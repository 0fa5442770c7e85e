//! Signed texts: one engine for every sender that sends an HMAC, or a public-key signature, over some text
//! around the body. Most of the catalogue and the configured `hmac` sender are this engine with other data.
//!
//! Not here: the algorithms and how digests are written (`mac`), the header's form (`signature`), what is signed
//! (`template`), senders that sign nothing (`shared`), and those whose signed text needs code (`catalogue/twilio`).
//!
//! Order of checks: what must be there is there once; what must be read can be read; the MAC holds; the time
//! is inside the tolerance. The time comes last because until the MAC holds it is anybody's word, and
//! `timestamp_stale` in a log should mean a replay or a wrong clock and not a forgery. Unknown versions of a
//! signature are skipped, and there is never a fall-back to a weaker one.

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{
    mac::{self, Algorithm, CANDIDATES_MAX, Digest, Encoding, KeyForm, Mechanism},
    place::{Place, Unit, header_name, only},
    signature::{Claim, Form},
    template::{Part, Template},
};
use crate::{
    json,
    secret::Secret,
    sender::{CannotSign, Keys, Proof, Rejection, Request},
    time::Time,
};

/// A scheme of the family.
#[derive(Clone, Debug)]
pub struct SignedScheme {
    by: Mechanism,
    encoding: Encoding,
    key: KeyForm,
    header: HeaderName,
    form: Form,
    timestamp: Option<(Place, Unit)>,
    id: Option<HeaderName>,
    signed: Template,
}

/// A scheme as its sender's file writes it down. Start from [`SignedSpec::DEFAULT`].
///
/// A `*` in the name of a header stands for each of the declaration's `prefixes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedSpec {
    pub by: Mechanism,
    pub encoding: Encoding,
    pub key: KeyForm,
    /// Header that carries the signature.
    pub header: &'static str,
    pub form: Form,
    /// Place and unit of the timestamp, unless it is an element of the signature header.
    pub timestamp: Option<(&'static str, Unit)>,
    /// Header that `{id}` stands for.
    pub id: Option<&'static str>,
    /// What the MAC is over; see [`Template`].
    pub signed: &'static str,
}

impl SignedSpec {
    /// HMAC-SHA256 of the body, in hex, key as it is written.
    pub const DEFAULT: SignedSpec = SignedSpec {
        by: Mechanism::Hmac(Algorithm::Sha256),
        encoding: Encoding::Hex,
        key: KeyForm::Text,
        header: "",
        form: Form::Whole { prefix: Cow::Borrowed("") },
        timestamp: None,
        id: None,
        signed: "{body}",
    };
}

/// What is wrong with a scheme: the key of the configuration that is to blame, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct BadScheme {
    pub key: &'static str,
    pub problem: String,
}

impl BadScheme {
    pub(super) fn new(key: &'static str, problem: impl ToString) -> Self {
        BadScheme { key, problem: problem.to_string() }
    }
}

impl SignedScheme {
    /// `prefix` is what `*` in the spec's headers stands for.
    pub fn from_spec(spec: &SignedSpec, prefix: &str) -> Result<Self, BadScheme> {
        let named = |name: &str| header_name(&name.replace('*', prefix));
        let timestamp = match spec.timestamp {
            Some((place, unit)) => {
                let place = Place::parse(&place.replace('*', prefix)).map_err(|e| BadScheme::new("timestamp", e))?;
                Some((place, unit))
            }
            None => None,
        };
        SignedScheme {
            by: spec.by,
            encoding: spec.encoding,
            key: spec.key,
            header: named(spec.header).map_err(|e| BadScheme::new("header", e))?,
            form: spec.form.clone(),
            timestamp,
            id: spec.id.map(named).transpose().map_err(|e| BadScheme::new("id", e))?,
            signed: Template::parse(&spec.signed.replace('*', prefix)).map_err(|e| BadScheme::new("signed", e))?,
        }
        .checked()
    }

    /// A configured scheme; `id` is where `{id}` is read.
    pub(super) fn new(
        algorithm: Algorithm,
        encoding: Encoding,
        header: HeaderName,
        prefix: String,
        timestamp: Option<(Place, Unit)>,
        id: Option<HeaderName>,
        signed: Template,
    ) -> Result<Self, BadScheme> {
        let form = Form::Whole { prefix: prefix.into() };
        let by = Mechanism::Hmac(algorithm);
        SignedScheme { by, encoding, key: KeyForm::Text, header, form, timestamp, id, signed }.checked()
    }

    /// Refuses schemes whose parts do not fit, above all those that only look as if they protected something.
    fn checked(self) -> Result<Self, BadScheme> {
        let in_template = self.signed.has(&Part::Timestamp);
        let in_list = matches!(self.form, Form::List { timestamp: Some(_), .. });
        if in_template && self.timestamp.is_none() && !in_list {
            return Err(BadScheme::new("timestamp", "{timestamp} is signed, but where it stands is not said"));
        }
        match &self.timestamp {
            Some((Place::Json(_), _)) if in_template => {
                return Err(BadScheme::new(
                    "signed",
                    "a timestamp inside the body is signed with the body: leave {timestamp} out of the template",
                ));
            }
            Some((Place::Header(name), _)) if !in_template && !self.signed.has(&Part::Header(name.clone())) => {
                return Err(BadScheme::new(
                    "timestamp",
                    "the timestamp is not signed, so anyone could renew it: add {timestamp} to the template, \
                     or leave the timestamp out if the sender does not sign it",
                ));
            }
            _ => {}
        }
        if self.signed.has(&Part::Id) && self.id.is_none() {
            return Err(BadScheme::new("id", "{id} is signed, but no header is named that holds it"));
        }
        if self.signed.has(&Part::Header(self.header.clone())) {
            return Err(BadScheme::new("signed", "the header that carries the signature cannot be signed"));
        }
        Ok(self)
    }

    pub fn header(&self) -> &HeaderName {
        &self.header
    }

    /// Whether the request carries the signature's header, rightly or not.
    pub fn is_claimed(&self, headers: &HeaderMap) -> bool {
        match &self.form {
            Form::Numbered => self.numbered().any(|name| headers.contains_key(name)),
            _ => headers.contains_key(&self.header),
        }
    }

    /// Says what is wrong with a secret, without the secret.
    pub fn check_secret(&self, secret: &Secret) -> Result<(), String> {
        self.key.check(self.by, secret)
    }

    pub fn signs_url(&self) -> bool {
        self.signed.has(&Part::Url)
    }

    /// Whether the signature is over this header too.
    pub fn covers(&self, name: &HeaderName) -> bool {
        self.signed.has(&Part::Header(name.clone())) || self.signed.has(&Part::Id) && self.id.as_ref() == Some(name)
    }

    pub fn signs_time(&self) -> bool {
        self.timestamp.is_some() || matches!(self.form, Form::List { timestamp: Some(_), .. })
    }

    pub fn verify(&self, request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
        let claim = self.claim(request.headers)?;
        let time = self.timestamp_text(request.headers, &claim)?;
        let at = match time {
            Some((text, unit)) => Some(unit.read_strict(text).ok_or(Rejection::TimestampMalformed)?),
            None => None,
        };
        let parts = self.parts(request, time.map(|(text, _)| text).unwrap_or_default())?;
        if request.body.is_empty() {
            return Err(Rejection::BodyEmpty);
        }
        let read = |text: &&[u8]| Digest::read(text, self.encoding, self.by);
        let candidates: Vec<Digest> = claim.signatures.iter().filter_map(read).collect();
        if candidates.is_empty() {
            return Err(Rejection::SignatureMalformed);
        }
        let secret = mac::matching_secret(self.by, self.key, keys.secrets, &candidates, &parts)
            .ok_or(Rejection::SignatureMismatch)?;
        let at = match &self.timestamp {
            Some((Place::Json(pointer), unit)) => Some(time_in_body(request.body, pointer, *unit)?),
            _ => at,
        };
        if let Some(at) = at {
            within(at, keys.now, keys.tolerance)?;
        }
        Ok(Proof { secret: Some(secret) })
    }

    /// What the request says that it is signed with.
    fn claim<'a>(&self, headers: &'a HeaderMap) -> Result<Claim<'a>, Rejection> {
        let one = |name: &HeaderName| only(headers, name).map_err(|_| Rejection::SignatureRepeated);
        if self.form == Form::Numbered {
            let mut claim = Claim { signatures: Vec::new(), timestamp: None };
            for name in self.numbered() {
                claim.signatures.extend(one(&name)?);
            }
            return if claim.signatures.is_empty() { Err(Rejection::SignatureMissing) } else { Ok(claim) };
        }
        self.form.read(one(&self.header)?.ok_or(Rejection::SignatureMissing)?)
    }

    /// The header's name with a number after it.
    fn numbered(&self) -> impl Iterator<Item = HeaderName> {
        (1..=CANDIDATES_MAX).filter_map(|n| HeaderName::try_from(format!("{}{n}", self.header)).ok())
    }

    fn why_unsigned(&self) -> &'static str {
        match self.by {
            Mechanism::Hmac(_) => "the secret has not the form that this sender needs",
            Mechanism::Ed25519 | Mechanism::EcdsaP256 => {
                "only the sender can sign: it keeps the private key, and the source has the public one"
            }
        }
    }

    /// The timestamp outside the body, as received.
    fn timestamp_text<'a>(
        &self,
        headers: &'a HeaderMap,
        claim: &Claim<'a>,
    ) -> Result<Option<(&'a [u8], Unit)>, Rejection> {
        match (&self.timestamp, &self.form) {
            (Some((Place::Header(name), unit)), _) => match only(headers, name) {
                Ok(text) => Ok(Some((text.ok_or(Rejection::TimestampMissing)?, *unit))),
                Err(_) => Err(Rejection::SignatureRepeated),
            },
            (None, Form::List { timestamp: Some(_), .. }) => {
                Ok(Some((claim.timestamp.ok_or(Rejection::TimestampMissing)?, Unit::S)))
            }
            _ => Ok(None),
        }
    }

    /// The signed text in pieces, so that the body is not copied.
    fn parts<'a>(&'a self, request: &Request<'a>, timestamp: &'a [u8]) -> Result<Vec<&'a [u8]>, Rejection> {
        let header = |name: &HeaderName| match only(request.headers, name) {
            Ok(value) => value.ok_or(Rejection::IdMissing),
            Err(_) => Err(Rejection::SignatureRepeated),
        };
        let piece = |part: &'a Part| match part {
            Part::Literal(text) => Ok(text.as_bytes()),
            Part::Body => Ok(request.body),
            Part::Timestamp => Ok(timestamp),
            Part::Method => Ok(request.method.as_str().as_bytes()),
            Part::Url => request.url.map(str::as_bytes).ok_or(Rejection::UrlUnknown),
            Part::Header(name) => header(name),
            Part::Id => self.id.as_ref().ok_or(Rejection::IdMissing).and_then(header),
        };
        self.signed.parts().iter().map(piece).collect()
    }

    /// The headers that a request of this scheme carries besides `headers`, which may be signed along.
    pub fn sign(
        &self,
        headers: &[(String, String)],
        body: &[u8],
        id: &str,
        url: Option<&str>,
        secret: &Secret,
        now: Time,
    ) -> Result<Vec<(String, String)>, CannotSign> {
        let mut map = header_map(headers)?;
        let mut added = Vec::new();
        let mut add = |name: &HeaderName, value: String| {
            added.push((name.to_string(), value.clone()));
            let value = HeaderValue::from_str(&value);
            value.map(|value| map.insert(name, value)).map_err(|_| CannotSign("the id is no header value".into()))
        };
        let unit = self.timestamp.as_ref().map_or(Unit::S, |(_, unit)| *unit);
        let timestamp = unit.write(now);
        if let Some((Place::Header(name), _)) = &self.timestamp {
            add(name, timestamp.clone())?;
        }
        let signed_along = self.signed.parts().iter().filter_map(|part| match part {
            Part::Header(name) => Some(name),
            Part::Id => self.id.as_ref(),
            _ => None,
        });
        let is_timestamp = |name| matches!(&self.timestamp, Some((Place::Header(n), _)) if n == name);
        let given = |name: &HeaderName| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name.as_str()));
        for name in signed_along.filter(|name| !given(name) && !is_timestamp(*name)) {
            add(name, id.to_owned())?;
        }
        let request = Request { method: &Method::POST, url, query: None, headers: &map, body };
        let parts = self.parts(&request, timestamp.as_bytes()).map_err(|why| {
            CannotSign(match why {
                Rejection::UrlUnknown => "the sender signs the URL: set server.public_url".into(),
                other => other.as_str().into(),
            })
        })?;
        let digest = mac::write(self.by, self.encoding, self.key, secret, &parts)
            .ok_or_else(|| CannotSign(self.why_unsigned().into()))?;
        let header = match self.form {
            Form::Numbered => format!("{}1", self.header),
            _ => self.header.to_string(),
        };
        added.push((header, self.form.write(&digest, &timestamp)));
        Ok(added)
    }

    /// Sets the timestamp in a sample body, for schemes that have it there.
    pub(super) fn timestamp_in_body(&self) -> Option<(&json::Pointer, Unit)> {
        match &self.timestamp {
            Some((Place::Json(pointer), unit)) => Some((pointer, *unit)),
            _ => None,
        }
    }
}

/// Only called once the MAC over the body has held.
fn time_in_body(body: &[u8], pointer: &json::Pointer, unit: Unit) -> Result<Time, Rejection> {
    let found = json::scan(body, std::slice::from_ref(pointer)).pop().flatten();
    let text = found.ok_or(Rejection::TimestampMissing)?.scalar().ok_or(Rejection::TimestampMalformed)?;
    unit.read_strict(text.as_bytes()).ok_or(Rejection::TimestampMalformed)
}

/// Both ways: a time far ahead would keep a captured request alive.
pub(super) fn within(at: Time, now: Time, tolerance: Duration) -> Result<(), Rejection> {
    if now.since(at) > tolerance {
        Err(Rejection::TimestampStale)
    } else if at.since(now) > tolerance {
        Err(Rejection::TimestampFuture)
    } else {
        Ok(())
    }
}

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, CannotSign> {
    headers
        .iter()
        .map(|(name, value)| {
            let name = header_name(name).map_err(|e| CannotSign(e.to_string()))?;
            let value = HeaderValue::from_str(value).map_err(|_| CannotSign(format!("bad value for header {name}")))?;
            Ok((name, value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(spec: &SignedSpec) -> &'static str {
        SignedScheme::from_spec(&SignedSpec { header: "x-signature", ..spec.clone() }, "").unwrap_err().key
    }

    #[test]
    fn schemes_that_protect_nothing_are_refused() {
        let d = SignedSpec::DEFAULT;
        assert_eq!(refused(&SignedSpec { signed: "{timestamp}{body}", ..d.clone() }), "timestamp");
        assert_eq!(refused(&SignedSpec { timestamp: Some(("header:x-time", Unit::S)), ..d.clone() }), "timestamp");
        let inside = Some(("json:/time", Unit::S));
        assert_eq!(refused(&SignedSpec { signed: "{timestamp}{body}", timestamp: inside, ..d.clone() }), "signed");
        assert_eq!(refused(&SignedSpec { signed: "{id}{body}", ..d.clone() }), "id");
        assert_eq!(refused(&SignedSpec { signed: "{header:x-signature}{body}", ..d.clone() }), "signed");
        assert_eq!(refused(&SignedSpec { signed: "constant", ..d }), "signed");
    }

    #[test]
    fn a_time_inside_the_body_is_checked_after_the_mac() {
        let spec = SignedSpec { header: "x-signature", timestamp: Some(("json:/at", Unit::Ms)), ..SignedSpec::DEFAULT };
        let scheme = SignedScheme::from_spec(&spec, "").unwrap();
        let secrets = [Secret::new("secret").unwrap()];
        let now = Time::from_s(1_700_000_000);
        let verdict = |body: &str, forge: bool| {
            let mut headers =
                header_map(&scheme.sign(&[], body.as_bytes(), "", None, &secrets[0], now).unwrap()).unwrap();
            if forge {
                headers.insert("x-signature", "00".repeat(32).parse().unwrap());
            }
            let request =
                Request { method: &Method::POST, url: None, query: None, headers: &headers, body: body.as_bytes() };
            scheme.verify(&request, &Keys { secrets: &secrets, tolerance: Duration::from_secs(60), now, fetched: None })
        };
        assert_eq!(verdict(r#"{"at":1700000000000}"#, false), Ok(Proof { secret: Some(0) }));
        assert_eq!(verdict(r#"{"at":1699999939999}"#, false), Err(Rejection::TimestampStale));
        assert_eq!(verdict(r#"{"at":1699999939999}"#, true), Err(Rejection::SignatureMismatch));
        assert_eq!(verdict(r#"{"at":1700000060001}"#, false), Err(Rejection::TimestampFuture));
        assert_eq!(verdict(r#"{"at":"soon"}"#, false), Err(Rejection::TimestampMalformed));
        assert_eq!(verdict("{}", false), Err(Rejection::TimestampMissing));
    }
}
