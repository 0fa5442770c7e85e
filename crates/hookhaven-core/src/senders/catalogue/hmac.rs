//! `sender = "hmac"`: any scheme of the HMAC family, described in the configuration (`[sources.X.hmac]`).
//!
//! Not here: the file's syntax. Configuration hands strings to the `FromStr` of each type below and the whole
//! to [`DEF`]'s `build`, which checks that the parts fit together.

use std::sync::Arc;

use http::HeaderName;

use super::super::{
    About, Algorithm, BadScheme, Declaration, Encoding, FactPlaces, Part, Place, Scheme, SenderOptionError,
    SenderOptions, SignedScheme, SignedSpec, Template, Unit, sample::Body,
};
use crate::{
    secret::Secret,
    sender::{CannotSign, Facts, Keys, Proof, Rejection, Request, Sample, Sender, Signed},
    time::Time,
};

pub static SENDER: Declaration = Declaration {
    name: NAME,
    title: "Any HMAC scheme, described",
    scheme: Scheme::Signed(SignedSpec::DEFAULT),
    about: About {
        secret: "as the sender gives it, or as you agree on it",
        paste: "where the sender asks for a URL",
        quirks: &["How requests are signed stands in the section `[sources.NAME.hmac]`."],
        ..About::DEFAULT
    },
    build: |_, options| build(options),
    ..Declaration::DEFAULT
};

const NAME: &str = "hmac";
/// Longest prefix of a signature.
const PREFIX_BYTES_MAX: usize = 64;

/// `[sources.X.hmac]`, typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HmacOptions {
    pub algorithm: Algorithm,
    /// Header that carries the signature.
    pub header: HeaderName,
    /// What stands before the digest in that header, e.g. `sha256=`; may be empty.
    pub prefix: String,
    pub encoding: Encoding,
    /// What the signature is over.
    pub signed: Template,
    pub timestamp: Option<TimestampOptions>,
    /// Without it the idempotency key is a hash of the body.
    pub id: Option<Place>,
    /// Without it every event's type is `unknown`.
    pub event_type: Option<Place>,
    /// When it happened; only shown and used for ordering, never for the tolerance.
    pub occurred_at: Option<TimestampOptions>,
}

impl HmacOptions {
    /// HMAC-SHA256 of the body, in lower-case hex, in that header.
    pub fn new(header: HeaderName) -> Result<Self, SenderOptionError> {
        let signed = Template::parse("{body}").map_err(|e| BadScheme::new("signed", e))?;
        Ok(HmacOptions {
            algorithm: Algorithm::Sha256,
            header,
            prefix: String::new(),
            encoding: Encoding::Hex,
            signed,
            timestamp: None,
            id: None,
            event_type: None,
            occurred_at: None,
        })
    }
}

/// Where a time stands and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimestampOptions {
    pub place: Place,
    pub unit: Unit,
}

fn build(options: &SenderOptions) -> Result<Arc<dyn Sender>, SenderOptionError> {
    let o = options.hmac.clone().ok_or(SenderOptionError::HmacMissing)?;
    if o.prefix.len() > PREFIX_BYTES_MAX || !o.prefix.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Err(BadScheme::new("prefix", "a prefix is at most 64 printable ASCII characters").into());
    }
    let id_header = match &o.id {
        Some(Place::Header(name)) => Some(name.clone()),
        Some(Place::Json(_)) if o.signed.has(&Part::Id) => {
            return Err(BadScheme::new(
                "id",
                "{id} is in the template, so it must be a header; a place in the body is signed with the body",
            )
            .into());
        }
        _ => None,
    };
    let timestamp = o.timestamp.map(|t| (t.place, t.unit));
    let scheme = SignedScheme::new(o.algorithm, o.encoding, o.header, o.prefix, timestamp, id_header, o.signed)?;
    let time = o.occurred_at.map(|t| (t.place, Some(t.unit)));
    let places = FactPlaces::new(Vec::from_iter(o.id), Vec::from_iter(o.event_type), Vec::from_iter(time));
    Ok(Arc::new(Generic { scheme, places }))
}

#[derive(Debug)]
struct Generic {
    scheme: SignedScheme,
    places: FactPlaces,
}

impl Sender for Generic {
    fn name(&self) -> &'static str {
        NAME
    }
    fn verify(&self, request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
        self.scheme.verify(request, keys)
    }
    fn facts(&self, request: &Request<'_>) -> Facts {
        self.places.read(request.headers, request.body)
    }
    fn signs_url(&self) -> bool {
        self.scheme.signs_url()
    }
    fn signature_header(&self) -> Option<HeaderName> {
        Some(self.scheme.header().clone())
    }
    fn signs_time(&self) -> bool {
        self.scheme.signs_time()
    }
    fn signs_id(&self) -> bool {
        self.places.id_is_signed(true, |name| self.scheme.covers(name))
    }
    fn signs_type(&self) -> bool {
        self.places.type_is_signed(true, |name| self.scheme.covers(name))
    }
    fn check_secret(&self, secret: &Secret) -> Result<(), String> {
        self.scheme.check_secret(secret)
    }
    fn sample_types(&self) -> &'static [&'static str] {
        &["sample"]
    }
    fn sample(&self, event_type: &str, id: &str, now: Time) -> Result<Sample, CannotSign> {
        let mut body = Body::default();
        self.places.put(&mut body, id, event_type, now);
        if let Some((pointer, unit)) = self.scheme.timestamp_in_body() {
            body.set_time(pointer, Some(unit), now);
        }
        Ok(Sample { id: id.to_owned(), event_type: event_type.to_owned(), body: body.into_bytes() })
    }
    fn sign(&self, sample: &Sample, url: Option<&str>, secret: &Secret, now: Time) -> Result<Signed, CannotSign> {
        let mut headers = self.places.headers(&sample.id, &sample.event_type);
        headers.insert(0, ("content-type".into(), "application/json".into()));
        let signature = self.scheme.sign(&headers, &sample.body, &sample.id, url, secret, now)?;
        headers.extend(signature);
        Ok(Signed { headers, query: String::new(), body: sample.body.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(change: impl FnOnce(&mut HmacOptions)) -> Option<&'static str> {
        let mut hmac = HmacOptions::new(HeaderName::from_static("x-signature")).unwrap();
        change(&mut hmac);
        let error = build(&SenderOptions { hmac: Some(hmac) }).err()?;
        assert!(!error.to_string().is_empty());
        error.key()
    }

    #[test]
    fn options_must_fit_together() {
        let at = |place: &str| Some(TimestampOptions { place: place.parse().unwrap(), unit: Unit::S });
        assert_eq!(problem(|_| ()), None);
        assert_eq!(problem(|o| o.signed = "{timestamp}.{body}".parse().unwrap()), Some("timestamp"));
        assert_eq!(problem(|o| o.timestamp = at("header:x-time")), Some("timestamp"));
        assert_eq!(problem(|o| o.timestamp = at("json:/time")), None);
        assert_eq!(problem(|o| o.prefix = "sha256\n".into()), Some("prefix"));
        assert_eq!(problem(|o| o.signed = "{id}{body}".parse().unwrap()), Some("id"));
        let id_in_body = |o: &mut HmacOptions| {
            o.signed = "{id}{body}".parse().unwrap();
            o.id = Some("json:/id".parse().unwrap());
        };
        assert_eq!(problem(id_in_body), Some("id"));
    }

    #[test]
    fn the_section_belongs_to_this_sender_alone() {
        assert_eq!(build(&SenderOptions::default()).unwrap_err(), SenderOptionError::HmacMissing);
        let hmac = HmacOptions::new(HeaderName::from_static("x-signature")).ok();
        let options = SenderOptions { hmac };
        for def in crate::senders::TABLE.iter().filter(|def| def.name != NAME) {
            let error = def.build(&options).unwrap_err();
            assert_eq!(error, SenderOptionError::HmacUnexpected(def.name));
        }
    }
}
