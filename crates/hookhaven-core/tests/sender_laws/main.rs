//! The laws that every sender of the table keeps. They are driven by the table: a new sender gets them
//! by being in it. What a law needs to know of a sender it asks the sender.
//!
//! Not here: what is particular to one sender (tests in its own file, and `facts`), and published vectors
//! (`vectors`).

#![allow(clippy::unwrap_used, reason = "these are tests, helpers included")]

mod chains;
mod facts;
mod fetched;
mod handshakes;
mod hostile;
mod support;
mod vectors;

use std::time::Duration;

use hookhaven_core::{
    Time,
    sender::{Proof, Rejection, Signed},
};
use support::{Case, NOW, TOLERANCE, cases, verifying};

/// A change that a law tries out on every single bit of something.
fn flip(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[bit / 8] ^= 1 << (bit % 8);
    changed
}

/// Headers without which the sender's requests are refused by the name of what is missing.
fn security_headers(case: &Case, signed: &Signed) -> Vec<(String, Rejection)> {
    let mut found = Vec::new();
    for (name, _) in &signed.headers {
        let mut without = signed.clone();
        without.headers.retain(|(n, _)| n != name);
        match case.verify(&without, NOW) {
            Ok(_) => {}
            // Not missing itself, but what says how the body is covered.
            Err(Rejection::BodyHashMismatch) if name == "content-type" => {}
            Err(why) => found.push((name.clone(), why)),
        }
    }
    found
}

#[test]
fn every_sample_is_accepted_as_signed() {
    for case in cases() {
        for event_type in case.sender.sample_types() {
            let signed = case.signed(event_type);
            let secret = case.names_secret().then_some(0);
            assert_eq!(case.verify(&signed, NOW), Ok(Proof { secret }), "{case:?} {event_type}");
        }
        // Some senders have no way to write another type.
        if case.sender.sample("something.nobody.foresaw", "id1", NOW).is_ok() {
            let proof = case.verify(&case.signed("something.nobody.foresaw"), NOW);
            assert!(proof.is_ok(), "{case:?}: {proof:?}");
        }
    }
}

#[test]
fn a_missing_header_has_a_rejection_of_its_own() {
    for case in verifying() {
        let found = security_headers(&case, &case.any());
        if found.is_empty() {
            // The proof stands in the body or in the query.
            let bare = Signed { query: String::new(), body: b"{}".to_vec(), ..case.any() };
            assert_eq!(case.verify(&bare, NOW), Err(Rejection::SignatureMissing), "{case:?}");
            continue;
        }
        assert!(found.iter().any(|(_, why)| *why == Rejection::SignatureMissing), "{case:?}: {found:?}");
        for (name, why) in &found {
            let missing = [
                Rejection::SignatureMissing,
                Rejection::TimestampMissing,
                Rejection::IdMissing,
                Rejection::KeyUnusable,
            ];
            assert!(missing.contains(why), "{case:?}: without {name}: {why:?}");
        }
        // What names the key and how it is used may be missing in two places (PayPal).
        let mut reasons: Vec<_> =
            found.iter().map(|(_, why)| why).filter(|why| **why != Rejection::KeyUnusable).collect();
        let count = reasons.len();
        reasons.dedup();
        assert_eq!(reasons.len(), count, "{case:?}: {found:?}");
    }
}

#[test]
fn every_one_bit_change_of_the_body_is_refused() {
    for case in verifying().into_iter().filter(Case::covers_body) {
        let signed = case.any();
        for bit in 0..signed.body.len() * 8 {
            let changed = Signed { body: flip(&signed.body, bit), ..signed.clone() };
            if case.covers_decoded_form() && support::same_form(&changed.body, &signed.body) {
                continue;
            }
            assert!(case.verify(&changed, NOW).is_err(), "{case:?}: bit {bit}");
        }
    }
}

#[test]
fn a_longer_or_shorter_body_is_refused() {
    for case in verifying().into_iter().filter(Case::covers_body) {
        let signed = case.any();
        let body = &signed.body;
        for changed in [body[1..].to_vec(), body[..body.len() - 1].to_vec(), [body, &b"x"[..]].concat()] {
            assert!(case.verify(&Signed { body: changed, ..signed.clone() }, NOW).is_err(), "{case:?}");
        }
    }
}

#[test]
fn an_empty_body_is_refused_even_when_rightly_signed() {
    for case in verifying() {
        // QStash's messages may be empty: the hash that is signed covers that, too.
        if case.label == "qstash" {
            continue;
        }
        let mut sample = case.sender.sample(case.a_type(), "id1", NOW).unwrap();
        sample.body.clear();
        let mut signed = case.sign(&sample, 0).unwrap();
        if !case.covers_body() {
            // Those that sign in the body have put something there.
            signed.body.clear();
        }
        assert_eq!(case.verify(&signed, NOW), Err(Rejection::BodyEmpty), "{case:?}");
    }
}

#[test]
fn every_one_bit_change_of_signature_timestamp_or_signed_id_is_refused() {
    for case in verifying() {
        let signed = case.any();
        for (name, _) in security_headers(&case, &signed) {
            let value = signed.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone()).unwrap();
            for bit in 0..value.len() * 8 {
                let changed = flip(value.as_bytes(), bit);
                if name.ends_with("cert-url") && changed.eq_ignore_ascii_case(value.as_bytes()) {
                    continue;
                }
                let Some(verdict) = case.verify_with(&signed, &name, &[&changed]) else { continue };
                assert!(verdict.is_err(), "{case:?}: bit {bit} of {name}");
            }
        }
    }
}

#[test]
fn shortened_lengthened_and_empty_headers_are_refused() {
    for case in verifying() {
        let signed = case.any();
        for (name, _) in security_headers(&case, &signed) {
            let value = signed.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone()).unwrap();
            let value = value.as_bytes();
            let mut changes: Vec<Vec<u8>> = (0..value.len()).map(|end| value[..end].to_vec()).collect();
            changes.extend((1..value.len()).map(|start| value[start..].to_vec()));
            changes.extend(["0", "00", "=", "A", "f"].map(|more| [value, more.as_bytes()].concat()));
            for changed in changes {
                let verdict = case.verify_with(&signed, &name, &[&changed]).unwrap();
                assert!(verdict.is_err(), "{case:?}: {name}: {}", String::from_utf8_lossy(&changed));
            }
        }
    }
}

#[test]
fn a_repeated_header_is_refused_even_if_both_are_equal() {
    for case in verifying() {
        let signed = case.any();
        for (name, _) in security_headers(&case, &signed) {
            let value = signed.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone()).unwrap();
            let twice = case.verify_with(&signed, &name, &[value.as_bytes(), value.as_bytes()]);
            assert_eq!(twice, Some(Err(Rejection::SignatureRepeated)), "{case:?}: {name}");
        }
    }
}

#[test]
fn times_outside_the_tolerance_are_refused_where_a_time_is_signed() {
    let ms = Duration::from_millis(1);
    for case in verifying() {
        let signed = case.any();
        let at = |now: Time| case.verify(&signed, now);
        assert!(at(NOW.plus(TOLERANCE)).is_ok(), "{case:?}");
        assert!(at(NOW.minus(TOLERANCE)).is_ok(), "{case:?}");
        let (stale, future) = (at(NOW.plus(TOLERANCE + ms)), at(NOW.minus(TOLERANCE + ms)));
        if case.sender.signs_time() {
            assert_eq!(stale, Err(Rejection::TimestampStale), "{case:?}");
            assert_eq!(future, Err(Rejection::TimestampFuture), "{case:?}");
        } else {
            assert!(stale.is_ok() && future.is_ok(), "{case:?} refuses by time but does not say that it signs it");
        }
    }
}

#[test]
fn a_forgery_is_called_a_forgery_whatever_its_time() {
    for case in verifying().into_iter().filter(Case::covers_body) {
        let mut signed = case.any();
        signed.body.push(b' ');
        if case.covers_decoded_form() {
            signed.body.extend(b"&x=1");
        }
        for now in [NOW, NOW.plus(TOLERANCE * 10), NOW.minus(TOLERANCE * 10)] {
            let verdict = case.verify(&signed, now);
            // Those that sign a hash of the body know better what was forged.
            let forged = [Err(Rejection::SignatureMismatch), Err(Rejection::BodyHashMismatch)];
            assert!(forged.contains(&verdict), "{case:?}: {verdict:?}");
        }
    }
}

#[test]
fn either_of_two_secrets_is_accepted_and_named() {
    for case in verifying() {
        for position in 0..2u8 {
            let signed = case.signed_with(case.a_type(), usize::from(position));
            let secret = case.names_secret().then_some(position);
            assert_eq!(case.verify(&signed, NOW), Ok(Proof { secret }), "{case:?}");
        }
        let foreign = case.signed_with(case.a_type(), 2);
        assert_eq!(case.verify(&foreign, NOW), Err(Rejection::SignatureMismatch), "{case:?}");
    }
}

#[test]
fn without_a_secret_nothing_is_accepted() {
    for case in verifying() {
        assert_eq!(case.verify_under(&[], &case.any(), NOW), Err(Rejection::SignatureMismatch), "{case:?}");
    }
}

#[test]
fn a_sender_that_signs_the_url_needs_it_and_its_own() {
    for case in verifying() {
        let signed = case.any();
        let (none, other) = (case.verify_at(None, &signed), case.verify_at(Some("https://other.example/"), &signed));
        if case.sender.signs_url() {
            assert_eq!(none, Err(Rejection::UrlUnknown), "{case:?}");
            assert_eq!(other, Err(Rejection::SignatureMismatch), "{case:?}");
        } else {
            assert!(none.is_ok() && other.is_ok(), "{case:?}");
        }
    }
}

#[test]
fn no_sender_takes_a_request_of_another() {
    let all = cases();
    for maker in &all {
        for judge in all.iter().filter(|j| j.verifies && j.label != maker.label && !j.is_kin_of(maker)) {
            assert!(judge.verify(&maker.any(), NOW).is_err(), "{judge:?} took {maker:?}'s");
        }
    }
}

#[test]
fn no_debug_output_holds_a_secret() {
    for case in verifying() {
        let secret = String::from_utf8(case.secrets[0].expose().to_vec()).unwrap();
        assert!(!format!("{:?}", case.sender).contains(&secret));
    }
}
