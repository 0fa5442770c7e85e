//! Diagnosis: why a request was refused, in plain sentences, each with how to mend it. Made when somebody asks, never
//! while a sender waits.
//!
//! There is no second reading of the senders' schemes here: each question is put to the sender's own `verify`, with
//! one thing changed. Had the secret no blank at its end, would the signature hold? Were the body written as Python
//! writes it? Were the URL `http`? What then holds is no guess: nobody but the holder of the secret could have made
//! it so. Only where nothing holds are likenesses told (headers that look like another sender's).
//!
//! A family of findings is one file. Not here: where rejected requests are kept, and releasing them.

mod bodies;
mod headers;
mod json_forms;
mod secrets;
mod times;
mod urls;

use std::{sync::Arc, time::Duration};

use http::HeaderMap;

pub use self::bodies::replace;

use crate::{
    rejected::Rejected,
    secret::Secret,
    sender::{Keys, Proof, Rejection, Request, Sender},
    source::Source,
    time::Time,
};

/// No signed time is refused for being further away than this: a hundred years.
const ANY_TIME: Duration = Duration::from_secs(100 * 365 * 86_400);

/// What a diagnosis is made from.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    pub rejected: &'a Rejected,
    /// As it is configured now.
    pub source: &'a Source,
    /// All others.
    pub others: &'a [Arc<Source>],
    /// Secrets that were taken out of the source's configuration, each with when; newest first.
    pub retired: &'a [(Secret, Time)],
    /// What the sender publishes and the request is judged by, where that is needed and could be had.
    pub fetched: Option<&'a [u8]>,
}

/// Whether it would be accepted now, judged at the time of its arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Holds(Proof),
    /// The signature holds over another body than the one that arrived, which is known: see [`restore`].
    HoldsRestored(Proof),
    Refused(Rejection),
    /// Only the beginning of its body was kept.
    Truncated,
    /// It is judged by something that its sender publishes, which could not be had.
    KeyNeeded,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Holds(_) => "holds",
            Self::HoldsRestored(_) => "holds_restored",
            Self::Refused(_) => "refused",
            Self::Truncated => "truncated",
            Self::KeyNeeded => "key_needed",
        }
    }

    /// Whether a release would accept it.
    pub fn may_be_released(self) -> bool {
        matches!(self, Self::Holds(_) | Self::HoldsRestored(_))
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    pub verdict: Verdict,
    /// Likeliest first; never empty.
    pub findings: Vec<Finding>,
}

/// One cause, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub cause: Cause,
    /// Shown by the signature itself; else it is a likeness.
    pub certain: bool,
    pub sentence: String,
    pub mend: String,
}

/// What can be the matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Nothing, any more.
    Mended,
    PreviousSecret,
    SecretOfOtherSource,
    RequestOfOtherSource,
    SecretWhitespace,
    SecretEncoding,
    BodyReserialised,
    BodyChanged,
    BodyMissing,
    TimestampOld,
    TimestampAhead,
    UrlDiffers,
    UrlUnknown,
    HeaderMissing,
    HeaderOfOtherScheme,
    HeaderRepeated,
    HeaderForm,
    Truncated,
    KeyNeeded,
    AddressNotAllowed,
    Unknown,
}

impl Cause {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mended => "mended",
            Self::PreviousSecret => "previous_secret",
            Self::SecretOfOtherSource => "secret_of_other_source",
            Self::RequestOfOtherSource => "request_of_other_source",
            Self::SecretWhitespace => "secret_whitespace",
            Self::SecretEncoding => "secret_encoding",
            Self::BodyReserialised => "body_reserialised",
            Self::BodyChanged => "body_changed",
            Self::BodyMissing => "body_missing",
            Self::TimestampOld => "timestamp_old",
            Self::TimestampAhead => "timestamp_ahead",
            Self::UrlDiffers => "url_differs",
            Self::UrlUnknown => "url_unknown",
            Self::HeaderMissing => "header_missing",
            Self::HeaderOfOtherScheme => "header_of_other_scheme",
            Self::HeaderRepeated => "header_repeated",
            Self::HeaderForm => "header_form",
            Self::Truncated => "truncated",
            Self::KeyNeeded => "key_needed",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::Unknown => "unknown",
        }
    }
}

impl Finding {
    fn certain(cause: Cause, sentence: impl Into<String>, mend: impl Into<String>) -> Self {
        Finding { cause, certain: true, sentence: sentence.into(), mend: mend.into() }
    }

    fn likely(cause: Cause, sentence: impl Into<String>, mend: impl Into<String>) -> Self {
        Finding { certain: false, ..Finding::certain(cause, sentence, mend) }
    }
}

/// Finds out why.
pub fn diagnose(case: &Case<'_>) -> Diagnosis {
    let bench = Bench::new(case);
    let verdict = bench.verdict();
    let mut findings = match verdict {
        Verdict::Holds(_) => vec![mended()],
        Verdict::Truncated => [vec![truncated()], headers::look(&bench)].concat(),
        Verdict::KeyNeeded => vec![key_needed()],
        Verdict::HoldsRestored(_) => bodies::look(&bench),
        Verdict::Refused(rejection) => look(&bench, rejection),
    };
    if findings.iter().any(|finding| finding.certain) {
        findings.retain(|finding| finding.certain);
    }
    if findings.is_empty() {
        findings.push(unknown(&bench));
    }
    Diagnosis { verdict, findings }
}

/// The body that the signature was made over, where that is not the one that arrived and is known all the same: for
/// the same JSON written otherwise, or with another end of lines.
pub fn restore(case: &Case<'_>) -> Option<(Vec<u8>, Proof)> {
    let bench = Bench::new(case);
    case.rejected.is_whole().then(|| bodies::restored(&bench)).flatten()
}

fn look(bench: &Bench<'_>, rejection: Rejection) -> Vec<Finding> {
    use Rejection::*;
    match rejection {
        TimestampStale | TimestampFuture => times::look(bench),
        BodyEmpty => [vec![bodies::missing()], secrets::look(bench)].concat(),
        UrlUnknown => urls::look(bench),
        SignatureMismatch | BodyHashMismatch => {
            [secrets::look, bodies::look, urls::look, headers::look].iter().flat_map(|look| look(bench)).collect()
        }
        AddressNotAllowed => vec![not_allowed(bench)],
        // Refused before or after the signature was judged: there is nothing to be found out, and nothing is kept.
        CertificateNotAllowed | ReplaySuspected | EventTooOld => Vec::new(),
        SignatureMissing | SignatureRepeated | SignatureMalformed | TimestampMissing | TimestampMalformed
        | IdMissing | KeyUnusable => [secrets::of_others(bench), headers::look(bench)].concat(),
    }
}

fn mended() -> Finding {
    let mend = "release it: hookhaven rejected release";
    Finding::certain(Cause::Mended, "Under the present configuration it would be accepted.", mend)
}

fn truncated() -> Finding {
    let sentence = "Only the first 64 KiB of its body were kept, so the signature cannot be tried again.";
    Finding::certain(Cause::Truncated, sentence, "have the sender send it again")
}

fn not_allowed(bench: &Bench<'_>) -> Finding {
    let sentence = format!("It came from {}, which may not post to this source.", bench.case.rejected.remote);
    let mend = format!("if that is the sender, add the address to allow under [sources.{}]", bench.case.source.name);
    Finding::certain(Cause::AddressNotAllowed, sentence, mend)
}

fn key_needed() -> Finding {
    let sentence = "It is judged by a key that its sender publishes, and that could not be fetched now.";
    Finding::certain(Cause::KeyNeeded, sentence, "look whether this machine reaches the sender, and ask again")
}

fn unknown(bench: &Bench<'_>) -> Finding {
    let sentence = "No known cause: it was signed with a secret that is not configured here, something on the way \
                    changed it in a manner that could not be undone, or it is forged.";
    let name = &bench.case.source.name;
    let mend = format!(
        "compare the secrets under [sources.{name}] with the sender's, copy them anew, and look at what stands between \
         the sender and this gateway"
    );
    Finding::likely(Cause::Unknown, sentence, mend)
}

/// A rejected request on which one thing at a time is changed.
struct Bench<'a> {
    case: &'a Case<'a>,
    headers: HeaderMap,
    url: Option<String>,
}

/// What is changed; the rest stays.
#[derive(Clone, Copy, Default)]
struct Change<'c> {
    sender: Option<&'c dyn Sender>,
    secrets: Option<&'c [Secret]>,
    body: Option<&'c [u8]>,
    headers: Option<&'c HeaderMap>,
    url: Option<&'c str>,
}

impl<'a> Bench<'a> {
    fn new(case: &'a Case<'a>) -> Self {
        let url = case.source.signed_url(case.rejected.query());
        Bench { case, headers: case.rejected.header_map(), url }
    }

    fn sender(&self) -> &'a dyn Sender {
        &*self.case.source.sender
    }

    fn verdict(&self) -> Verdict {
        if !self.case.rejected.is_whole() {
            return Verdict::Truncated;
        }
        if !self.is_allowed() {
            return Verdict::Refused(Rejection::AddressNotAllowed);
        }
        let (request, keys) = (self.request(Change::default()), self.keys(Change::default(), None, None));
        if self.case.fetched.is_none() && matches!(self.sender().needs(&request, &keys), Ok(Some(_))) {
            return Verdict::KeyNeeded;
        }
        match self.sender().verify(&request, &keys) {
            Ok(proof) => Verdict::Holds(proof),
            Err(rejection @ (Rejection::SignatureMismatch | Rejection::BodyHashMismatch)) => {
                let restored = bodies::restored(self);
                restored.map_or(Verdict::Refused(rejection), |(_, proof)| Verdict::HoldsRestored(proof))
            }
            Err(rejection) => Verdict::Refused(rejection),
        }
    }

    /// Whether its source would let the address post that it came from: where nothing is signed, that is all there is.
    /// Published addresses are not at hand here; but what came from elsewhere was never kept.
    fn is_allowed(&self) -> bool {
        if self.case.source.allow_published {
            return true;
        }
        let allow = &self.case.source.allow;
        let remote = self.case.rejected.remote.parse::<std::net::IpAddr>();
        allow.is_empty() || remote.is_ok_and(|remote| allow.iter().any(|net| net.contains(&remote)))
    }

    fn request<'c>(&'c self, change: Change<'c>) -> Request<'c> {
        let rejected = self.case.rejected;
        Request {
            method: &rejected.method,
            url: change.url.or(self.url.as_deref()),
            query: rejected.query(),
            headers: change.headers.unwrap_or(&self.headers),
            body: change.body.unwrap_or(&rejected.body),
        }
    }

    fn keys<'c>(&'c self, change: Change<'c>, tolerance: Option<Duration>, now: Option<Time>) -> Keys<'c> {
        Keys {
            secrets: change.secrets.unwrap_or(&self.case.source.secrets),
            tolerance: tolerance.unwrap_or(self.case.source.tolerance),
            now: now.unwrap_or(self.case.rejected.received_at),
            fetched: self.case.fetched,
        }
    }

    /// What the sender says of it, whenever it was signed.
    fn judge(&self, change: Change<'_>) -> Result<Proof, Rejection> {
        let sender = change.sender.unwrap_or(self.sender());
        sender.verify(&self.request(change), &self.keys(change, Some(ANY_TIME), None))
    }

    /// Whether the signature would hold, whenever it was made. Where nothing is signed this tells nothing.
    fn holds(&self, change: Change<'_>) -> bool {
        self.judge(change).is_ok_and(|proof| proof.secret.is_some())
    }

    /// The same request at another time.
    fn judge_at(&self, now: Time) -> Result<Proof, Rejection> {
        let change = Change::default();
        self.sender().verify(&self.request(change), &self.keys(change, None, Some(now)))
    }
}

#[cfg(test)]
mod tests;
