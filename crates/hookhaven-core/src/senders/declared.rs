//! A sender that is nothing but data: an HMAC scheme, and the places of id, type and time. Most senders are
//! this; each is one [`Declaration`] in its own file and one line in the table.
//!
//! Not here: senders whose facts, answers or handshakes need code.

use std::sync::Arc;

use super::{
    SenderOptionError, SenderOptions,
    facts::FactPlaces,
    hmac::{BadScheme, HmacScheme, HmacSpec},
    sample::{self, Body, Named},
};
use crate::{
    secret::Secret,
    sender::{CannotSign, Facts, Keys, Proof, Rejection, Request, Sample, Sender, Signed},
    time::Time,
};

/// A sender as its file writes it down. Start from [`Declaration::DEFAULT`].
#[derive(Clone, Debug)]
pub struct Declaration {
    pub name: &'static str,
    pub scheme: HmacSpec,
    /// Places of the event id, best first; without any of them the key is a hash of the body.
    pub id: &'static [&'static str],
    /// Places of the event type.
    pub event_type: &'static [&'static str],
    /// Places of the time at which it happened.
    pub time: &'static [&'static str],
    /// Content types the sender uses; empty means any.
    pub content_types: &'static [&'static str],
    /// Beginnings of texts that are no secret of this sender but are often taken for one, and the mend.
    pub not_secrets: &'static [(&'static str, &'static str)],
    pub sample_types: &'static [&'static str],
    pub samples: &'static [Named],
}

impl Declaration {
    pub const DEFAULT: Declaration = Declaration {
        name: "",
        scheme: HmacSpec::DEFAULT,
        id: &[],
        event_type: &["json:/type"],
        time: &[],
        content_types: &["application/json"],
        not_secrets: &[],
        sample_types: &["sample"],
        samples: &[],
    };

    /// For the table.
    pub fn build(&'static self, options: &SenderOptions) -> Result<Arc<dyn Sender>, SenderOptionError> {
        options.refuse_hmac(self.name)?;
        Ok(Arc::new(self.declared()?))
    }

    /// For senders that add code of their own to a declaration.
    pub(super) fn declared(&'static self) -> Result<Declared, SenderOptionError> {
        let places = FactPlaces::parse(self.id, self.event_type, self.time);
        let places = places.map_err(|e| SenderOptionError::Scheme(BadScheme { key: "id", problem: e.to_string() }))?;
        Ok(Declared { declaration: self, scheme: HmacScheme::from_spec(&self.scheme)?, places })
    }
}

/// A declaration, parsed.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub declaration: &'static Declaration,
    pub scheme: HmacScheme,
    pub places: FactPlaces,
}

impl Sender for Declared {
    fn name(&self) -> &'static str {
        self.declaration.name
    }

    fn verify(&self, request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
        self.scheme.verify(request, keys)
    }

    fn facts(&self, request: &Request<'_>) -> Facts {
        self.places.read(request.headers, request.body)
    }

    fn content_types(&self) -> &'static [&'static str] {
        self.declaration.content_types
    }

    fn signs_url(&self) -> bool {
        self.scheme.signs_url()
    }

    fn signs_time(&self) -> bool {
        self.scheme.signs_time()
    }

    fn check_secret(&self, secret: &Secret) -> Result<(), String> {
        refuse_lookalikes(secret, self.declaration.not_secrets)?;
        self.scheme.key().check(secret)
    }

    fn sample_types(&self) -> &'static [&'static str] {
        self.declaration.sample_types
    }

    fn sample(&self, event_type: &str, id: &str, now: Time) -> Result<Sample, CannotSign> {
        let body = match sample::find(self.declaration.samples, event_type) {
            Some(text) => sample::fill(text, id, event_type, now).into_bytes(),
            None => generic_body(&self.places, &self.scheme, event_type, id, now),
        };
        Ok(Sample { id: id.to_owned(), event_type: event_type.to_owned(), body })
    }

    fn sign(&self, sample: &Sample, url: Option<&str>, secret: &Secret, now: Time) -> Result<Signed, CannotSign> {
        sign_json(&self.scheme, self.places.headers(&sample.id, &sample.event_type), sample, url, secret, now)
    }
}

/// Signs a JSON body, with `headers` that carry its id and type.
pub(super) fn sign_json(
    scheme: &HmacScheme,
    mut headers: Vec<(String, String)>,
    sample: &Sample,
    url: Option<&str>,
    secret: &Secret,
    now: Time,
) -> Result<Signed, CannotSign> {
    headers.insert(0, ("content-type".into(), "application/json".into()));
    let signature = scheme.sign(&headers, &sample.body, &sample.id, url, secret, now)?;
    headers.extend(signature);
    Ok(Signed { headers, query: String::new(), body: sample.body.clone() })
}

/// A body that holds what the places are read for.
pub(super) fn generic_body(places: &FactPlaces, scheme: &HmacScheme, event_type: &str, id: &str, now: Time) -> Vec<u8> {
    let mut body = Body::default();
    let at = places.in_body();
    if let Some((pointer, unit)) = at.time {
        body.set_time(pointer, unit, now);
    }
    if let Some((pointer, unit)) = scheme.timestamp_in_body() {
        body.set_time(pointer, Some(unit), now);
    }
    if let Some(pointer) = at.id {
        body.set(pointer, id.into());
    }
    if let Some(pointer) = at.event_type {
        body.set(pointer, event_type.into());
    }
    body.into_bytes()
}

/// Finds API keys and tokens that were pasted where a signing secret belongs.
pub(super) fn refuse_lookalikes(secret: &Secret, lookalikes: &[(&'static str, &'static str)]) -> Result<(), String> {
    match lookalikes.iter().find(|(prefix, _)| secret.expose().starts_with(prefix.as_bytes())) {
        Some((_, mend)) => Err((*mend).to_owned()),
        None => Ok(()),
    }
}
