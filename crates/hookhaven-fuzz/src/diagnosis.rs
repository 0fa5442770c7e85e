//! Diagnosis of any request, against the sender it is for: it never panics, always says something, agrees with the
//! sender's own verdict, and repeats no secret. What it restores is the same JSON.
//!
//! Not a target of its own: `signatures` asks it about every request.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{
    Rejected, RejectedId, Time,
    diagnosis::{Case, Verdict, diagnose, restore},
    sender::{Proof, Rejection},
    source::Source,
};
use http::Method;

use crate::requests::{Given, NOW_S, TOLERANCE_S};

pub fn agrees(given: &Given<'_>, said: Result<Proof, Rejection>) {
    let source = source(given);
    let rejected = rejected(given, said.err().unwrap_or(Rejection::SignatureMismatch));
    let other = Arc::new(Source { name: "other".into(), secrets: given.case.secrets[2..].to_vec(), ..source.clone() });
    let case = Case { rejected: &rejected, source: &source, others: &[other], retired: &[], fetched: None };
    let diagnosis = diagnose(&case);
    assert!(!diagnosis.findings.is_empty());
    match diagnosis.verdict {
        Verdict::Holds(proof) => assert_eq!(Ok(proof), said, "{}", given.case.label),
        Verdict::KeyNeeded => {}
        verdict => assert!(said.is_err(), "{}: {verdict:?}", given.case.label),
    }
    let told = format!("{diagnosis:?}");
    let is_told = |secret: &hookhaven_core::Secret| told.contains(&*String::from_utf8_lossy(secret.expose()));
    // A stranger who writes a secret into the path is told what he wrote.
    let echoed = |secret: &hookhaven_core::Secret| rejected.target.contains(&*String::from_utf8_lossy(secret.expose()));
    assert!(given.case.secrets.iter().all(|secret| !is_told(secret) || echoed(secret)), "{told}");
    if let Some((body, _)) = restore(&case) {
        let json = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).ok();
        if let Some((before, after)) = json(&rejected.body).zip(json(&body)) {
            assert_eq!(before, after, "another content was restored");
        }
    }
}

fn source(given: &Given<'_>) -> Source {
    let public = given.url.as_deref().map(|url| url.split('?').next().unwrap_or_default());
    Source {
        allow_published: false,
        client_names: Vec::new(),
        age_max: None,
        refuses_replay: false,
        splits: false,
        name: "fuzzed".into(),
        sender: given.case.sender.clone(),
        secrets: given.case.secrets[..2].to_vec(),
        tolerance: Duration::from_secs(TOLERANCE_S),
        dedupe_window: Duration::from_secs(60),
        body_bytes_max: 1 << 20,
        public_url: public.map(Arc::from),
        allow: Vec::new(),
        rate: None,
        reserved: false,
        verify_token: None,
        handover: None,
        answer: None,
    }
}

fn rejected(given: &Given<'_>, reason: Rejection) -> Rejected {
    let query = given.url.as_deref().and_then(|url| url.split_once('?')).map(|(_, query)| format!("?{query}"));
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.as_str().into(), Bytes::copy_from_slice(value.as_bytes()))
    };
    Rejected {
        id: RejectedId::from_bytes([1; 16]),
        received_at: Time::from_s(NOW_S),
        source: "fuzzed".into(),
        reason,
        method: Method::POST,
        target: format!("/webhooks/fuzzed{}", query.unwrap_or_default()).into(),
        headers: given.headers.iter().map(header).collect(),
        body_bytes: given.body.len() as u64,
        body: Bytes::copy_from_slice(given.body),
        remote: "203.0.113.7".into(),
    }
}
