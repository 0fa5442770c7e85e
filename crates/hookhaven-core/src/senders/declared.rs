//! A sender made of its declaration: what its data says, or its code where it has some.
//!
//! Not here: what a declaration may say (`declaration`).

use std::time::Duration;

use http::{HeaderMap, HeaderName, StatusCode};

use super::{
    Declaration, Retries, Scheme, SenderOptionError, Told,
    facts::{FactPlaces, Item},
    handshake::Handshake,
    late::LateAnswers,
    sample::{self, Body},
    shared::Shared,
    signed::{BadScheme, SignedScheme},
};
use crate::{
    secret::Secret,
    sender::{
        Answer, CannotSign, Cover, Facts, Fetch, Keys, Own, Proof, Rejection, Reply, Request, Sample, Sender, Signed,
    },
    time::Time,
};

/// A declaration, parsed.
#[derive(Clone, Debug)]
pub struct Declared {
    pub declaration: &'static Declaration,
    /// One for each of the declaration's prefixes.
    sets: Vec<Set>,
    answer: Answer,
}

/// How a request is judged and read that carries this set of headers.
#[derive(Clone, Debug)]
struct Set {
    verifier: Verifier,
    places: FactPlaces,
}

#[derive(Clone, Debug)]
enum Verifier {
    Signed(SignedScheme),
    Shared(Shared),
    /// The sender's code does it, or nobody.
    Elsewhere,
}

impl Declared {
    pub fn of(declaration: &'static Declaration) -> Result<Self, SenderOptionError> {
        let sets = declaration.prefixes.iter().map(|prefix| Set::of(declaration, prefix)).collect::<Result<_, _>>()?;
        Ok(Declared { declaration, sets, answer: declaration.answer.answer() })
    }

    /// The set whose signature the request carries, else the first.
    fn set(&self, headers: &HeaderMap) -> &Set {
        let claimed = |set: &&Set| matches!(&set.verifier, Verifier::Signed(scheme) if scheme.is_claimed(headers));
        match self.sets.iter().find(claimed) {
            Some(set) if self.sets.len() > 1 => set,
            _ => &self.sets[0],
        }
    }

    /// Where id, type and time stand, as the first of its prefixes has it.
    pub fn places(&self) -> &FactPlaces {
        &self.sets[0].places
    }

    /// Signs with further headers, which may be signed along.
    pub fn sign_with(
        &self,
        mut headers: Vec<(String, String)>,
        sample: &Sample,
        url: Option<&str>,
        secret: &Secret,
        now: Time,
    ) -> Result<Signed, CannotSign> {
        if !headers.iter().any(|(name, _)| name == "content-type") {
            let content_type = self.declaration.content_types.first().copied().unwrap_or("application/json");
            headers.insert(0, ("content-type".into(), content_type.into()));
        }
        let mut query = String::new();
        match &self.sets[0].verifier {
            Verifier::Signed(scheme) => {
                let signature = scheme.sign(&headers, &sample.body, &sample.id, url, secret, now)?;
                headers.extend(signature);
            }
            Verifier::Shared(shared) => {
                let (header, more) = shared.sign(secret)?;
                headers.extend(header);
                query = more;
            }
            Verifier::Elsewhere => {}
        }
        Ok(Signed { headers, query, body: sample.body.clone() })
    }

    fn covers_body(&self) -> bool {
        matches!(self.covers(), Cover::Whole | Cover::Checksum)
    }

    fn covers_header(&self, name: &HeaderName) -> bool {
        matches!(&self.sets[0].verifier, Verifier::Signed(scheme) if scheme.covers(name))
    }
}

impl Set {
    fn of(declaration: &'static Declaration, prefix: &str) -> Result<Self, SenderOptionError> {
        let verifier = match &declaration.scheme {
            Scheme::Signed(spec) => Verifier::Signed(SignedScheme::from_spec(spec, prefix)?),
            Scheme::Shared(spec) => Verifier::Shared(Shared::from_spec(spec)?),
            Scheme::Own { .. } | Scheme::Nothing => Verifier::Elsewhere,
        };
        let named = |texts: &[&str]| texts.iter().map(|text| text.replace('*', prefix)).collect::<Vec<_>>();
        let [id, event_type, time] = [declaration.id, declaration.event_type, declaration.time].map(named);
        let [id, event_type, time] =
            [&id, &event_type, &time].map(|texts| texts.iter().map(|t| &**t).collect::<Vec<_>>());
        let places = FactPlaces::parse(&id, &event_type, &time);
        let places = places.and_then(|places| match declaration.batch {
            Some(batch) => places.in_batches(batch),
            None => Ok(places),
        });
        Ok(Set { verifier, places: places.map_err(|e| BadScheme::new("id", e))? })
    }
}

impl Told {
    pub(super) fn answer(&self) -> Answer {
        Answer::of(StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK), self.content_type, self.body)
    }
}

impl Sender for Declared {
    fn name(&self) -> &'static str {
        self.declaration.name
    }

    fn needs(&self, request: &Request<'_>, keys: &Keys<'_>) -> Result<Option<Fetch>, Rejection> {
        self.declaration.code.needs.map_or(Ok(None), |needs| needs(request, keys))
    }

    fn verify(&self, request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
        if let Some(verify) = self.declaration.code.verify {
            return verify(request, keys);
        }
        match &self.set(request.headers).verifier {
            Verifier::Signed(scheme) => scheme.verify(request, keys),
            Verifier::Shared(shared) => shared.verify(request, keys),
            Verifier::Elsewhere => Ok(Proof { secret: None }),
        }
    }

    fn facts(&self, request: &Request<'_>) -> Facts {
        match self.declaration.code.facts {
            Some(facts) => facts(self, request),
            None => self.set(request.headers).places.read(request.headers, request.body),
        }
    }

    fn items<'a>(&self, request: &Request<'a>, max: usize) -> Option<Vec<Item<'a>>> {
        self.set(request.headers).places.items(request.headers, request.body, max)
    }

    fn has_batches(&self) -> bool {
        self.declaration.batch.is_some()
    }

    fn redelivery_window(&self) -> Option<Duration> {
        self.declaration.redelivery.or(match self.declaration.about.retries {
            Retries::For(window, _) => Some(window),
            Retries::Never | Retries::Unknown => None,
        })
    }

    fn greet(&self, request: &Request<'_>, own: &Own<'_>) -> Option<Reply> {
        self.declaration.handshakes.iter().filter(|h| !h.is_signed()).find_map(|h| Handshake::reply(h, request, own))
    }

    fn handshake(&self, request: &Request<'_>, own: &Own<'_>) -> Option<Reply> {
        let own_code = || self.declaration.code.handshake?(request, own);
        let mut kinds = self.declaration.handshakes.iter().filter(|h| h.is_signed());
        kinds.find_map(|h| Handshake::reply(h, request, own)).or_else(own_code)
    }

    fn answer(&self) -> Answer {
        self.answer.clone()
    }

    fn late_answers(&self) -> Option<&'static LateAnswers> {
        self.declaration.late_answers.as_ref()
    }

    fn content_types(&self) -> &'static [&'static str] {
        self.declaration.content_types
    }

    fn signs_url(&self) -> bool {
        match (&self.sets[0].verifier, &self.declaration.scheme) {
            (Verifier::Signed(scheme), _) => scheme.signs_url(),
            (_, Scheme::Own { signs_url, .. }) => *signs_url,
            _ => false,
        }
    }

    fn signature_header(&self) -> Option<HeaderName> {
        match &self.sets[0].verifier {
            Verifier::Signed(scheme) => Some(scheme.header().clone()),
            Verifier::Shared(shared) => shared.header(),
            Verifier::Elsewhere => None,
        }
    }

    fn signs_time(&self) -> bool {
        match (&self.sets[0].verifier, &self.declaration.scheme) {
            (Verifier::Signed(scheme), _) => scheme.signs_time(),
            (_, Scheme::Own { signs_time, .. }) => *signs_time,
            _ => false,
        }
    }

    fn signs_id(&self) -> bool {
        match self.declaration.scheme {
            Scheme::Own { signs_id, .. } => signs_id,
            _ => self.places().id_is_signed(self.covers_body(), |name| self.covers_header(name)),
        }
    }

    fn signs_type(&self) -> bool {
        match self.declaration.scheme {
            Scheme::Own { signs_type, .. } => signs_type,
            _ => self.places().type_is_signed(self.covers_body(), |name| self.covers_header(name)),
        }
    }

    fn covers(&self) -> Cover {
        match self.declaration.scheme {
            Scheme::Signed(_) => Cover::Whole,
            Scheme::Own { covers, .. } => covers,
            Scheme::Shared(_) | Scheme::Nothing => Cover::Nothing,
        }
    }

    fn order(&self) -> (&'static [&'static str], &'static [&'static str]) {
        (self.declaration.order_key, self.declaration.version)
    }

    fn tolerance_default(&self) -> Duration {
        self.declaration.tolerance
    }

    fn body_bytes_default(&self) -> usize {
        self.declaration.body_bytes_max
    }

    fn check_secret(&self, secret: &Secret) -> Result<(), String> {
        refuse_lookalikes(secret, self.declaration.not_secrets)?;
        match &self.sets[0].verifier {
            Verifier::Signed(scheme) => scheme.check_secret(secret),
            Verifier::Shared(shared) => shared.check_secret(secret),
            Verifier::Elsewhere => Ok(()),
        }?;
        self.declaration.code.check_secret.map_or(Ok(()), |check| check(secret))
    }

    fn sample_types(&self) -> &'static [&'static str] {
        self.declaration.sample_types
    }

    fn sample(&self, event_type: &str, id: &str, now: Time) -> Result<Sample, CannotSign> {
        if let Some(sample) = self.declaration.code.sample {
            return sample(self, event_type, id, now);
        }
        let body = match sample::find(self.declaration.samples, event_type) {
            Some(text) => sample::fill(text, id, event_type, now).into_bytes(),
            None => {
                let mut body = Body::read(self.declaration.sample);
                self.places().put(&mut body, id, event_type, now).ok_or_else(|| self.no_such_type(event_type))?;
                if let Verifier::Signed(scheme) = &self.sets[0].verifier
                    && let Some((pointer, unit)) = scheme.timestamp_in_body()
                {
                    body.set_time(pointer, Some(unit), now);
                }
                body.into_bytes()
            }
        };
        Ok(Sample { id: id.to_owned(), event_type: event_type.to_owned(), body })
    }

    fn sign(&self, sample: &Sample, url: Option<&str>, secret: &Secret, now: Time) -> Result<Signed, CannotSign> {
        match self.declaration.code.sign {
            Some(sign) => sign(self, sample, url, secret, now),
            None => {
                let headers = self.places().headers(&sample.id, &sample.event_type);
                self.sign_with(headers, sample, url, secret, now)
            }
        }
    }
}

impl Declared {
    fn no_such_type(&self, event_type: &str) -> CannotSign {
        let (title, known) = (self.declaration.title, self.declaration.sample_types.join(", "));
        CannotSign(format!("{title} has no type that is written like {event_type:?}; try one of {known}"))
    }
}

/// Finds API keys and tokens that were pasted where a signing secret belongs.
pub(super) fn refuse_lookalikes(secret: &Secret, lookalikes: &[(&'static str, &'static str)]) -> Result<(), String> {
    match lookalikes.iter().find(|(prefix, _)| secret.expose().starts_with(prefix.as_bytes())) {
        Some((_, mend)) => Err((*mend).to_owned()),
        None => Ok(()),
    }
}
