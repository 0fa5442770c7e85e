//! Arbitrary bytes wherever a stranger can put them: nothing panics, nothing is accepted.

use hookhaven_core::{
    sender::{Keys, Request},
    senders::facts_or_fallback,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::support::{self, Case, NOW, OWN, TOLERANCE, URL, cases, headers};

/// Sees a request as ingest would, but reads facts and handshake even of what was refused.
fn see(case: &Case, headers: &HeaderMap, url: Option<&str>, body: &[u8]) -> bool {
    let request = Request { method: &Method::POST, url, query: None, headers, body };
    let keys = Keys { secrets: &case.secrets[..2], tolerance: TOLERANCE, now: NOW, fetched: None };
    let (key, event_type, _) = facts_or_fallback(&*case.sender, &request);
    assert!(!key.is_empty() && key.len() <= 256 && !key.chars().any(char::is_control));
    assert!(!event_type.is_empty() && event_type.len() <= 128 && !event_type.chars().any(char::is_control));
    let _ = (case.sender.handshake(&request, &OWN), case.sender.greet(&request, &OWN));
    support::verify(&*case.sender, &request, &keys).is_ok()
}

/// What header values look like when somebody tries: noise, or noise in the scheme's own punctuation.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let noise = vec(any::<u8>(), 0..80);
    let formed = "(t=|v1=|v1,|v0=|sha256=|,| |=|[0-9a-f]{0,64}|[0-9]{0,20}|[A-Za-z0-9+/]{43}=){0,12}";
    prop_oneof![noise, formed.prop_map(String::into_bytes)]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let formed = r#"(\{|\}|\[|\]|"id":|"type":|"a"|,|payload=|%|%7B|&|=|\\ud800|1e999|-|"){0,40}"#;
    prop_oneof![vec(any::<u8>(), 0..200), formed.prop_map(String::into_bytes)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn noise_never_panics_and_is_never_accepted(values in vec(value(), 6), body in body(), url in ".{0,40}") {
        for case in cases() {
            let mut map = HeaderMap::new();
            for ((name, _), value) in case.any().headers.iter().zip(&values) {
                if let Ok(value) = HeaderValue::from_bytes(value) {
                    map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
                }
            }
            for url in [None, Some(&*url), Some(URL)] {
                prop_assert!(!see(&case, &map, url, &body) || !case.verifies, "{case:?}");
            }
        }
    }

    #[test]
    fn a_replaced_run_of_bytes_is_never_accepted(at in any::<Index>(), run in vec(any::<u8>(), 1..40)) {
        for case in cases().into_iter().filter(|case| case.verifies && case.covers_body()) {
            let signed = case.any();
            let mut body = signed.body.clone();
            let start = at.index(body.len());
            let end = (start + run.len()).min(body.len());
            body.splice(start..end, run.iter().copied());
            let same = body == signed.body || case.covers_decoded_form() && same_text(&body, &signed.body);
            prop_assert!(same || !see(&case, &headers(&signed), Some(URL), &body), "{case:?}");
        }
    }
}

/// Whether two forms sign alike: the sorted pairs, run together.
fn same_text(a: &[u8], b: &[u8]) -> bool {
    let text = |form| {
        let mut all: Vec<_> = hookhaven_core::senders::fields(form).collect();
        all.sort();
        all.dedup();
        all.iter().flat_map(|(name, value)| [name.to_vec(), value.to_vec()]).flatten().collect::<Vec<u8>>()
    };
    text(a) == text(b)
}

#[test]
fn deep_huge_and_broken_bodies_only_lack_facts() {
    let deep = "[".repeat(1_000_000);
    let nested = format!("{}1{}", r#"{"data":"#.repeat(10_000), "}".repeat(10_000));
    let huge = format!(r#"{{"x":"{}"}}"#, "a".repeat(100 << 20));
    for body in [&deep, &nested, &huge, r#"{"id":"evt_1","type":"#] {
        let hash = hookhaven_core::senders::sha256_hex(body.as_bytes());
        // Those that are all data share the code that reads; one of them stands for the rest.
        let reads = |case: &Case| case.declaration.code.facts.is_some() || case.label == "hmac:in-body";
        for case in cases().iter().filter(|case| body.len() < 50 << 20 || reads(case)) {
            let map = HeaderMap::new();
            let request =
                Request { method: &Method::POST, url: None, query: None, headers: &map, body: body.as_bytes() };
            let (key, event_type, at) = facts_or_fallback(&*case.sender, &request);
            let fixed = case.declaration.event_type.iter().find_map(|place| place.strip_prefix("text:"));
            let fixed = fixed.filter(|word| !word.contains(' ')).unwrap_or("unknown");
            assert_eq!((key, &*event_type, at), (format!("sha256:{hash}"), fixed, None), "{case:?}");
        }
    }
}
