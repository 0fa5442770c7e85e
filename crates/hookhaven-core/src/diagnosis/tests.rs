//! Broken set-ups, each with the one thing that is wrong with it. Requests are signed by the senders' own files.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::{
    RejectedId,
    sender::Sample,
    senders::{self, HmacOptions, SenderOptions},
};

const BODY: &str = r#"{"id":"evt_1","type":"invoice.paid","data":{"name":"Zoë","total":12.50}}"#;
const PUBLIC: &str = "https://hooks.example.com/webhooks/here";

fn now() -> Time {
    Time::from_s(1_790_000_000)
}

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn sender(name: &str) -> Arc<dyn Sender> {
    senders::find(name).unwrap().build(&SenderOptions::default()).unwrap()
}

fn source(name: &str, sender: Arc<dyn Sender>, secrets: &[&str]) -> Source {
    Source {
        allow_published: false,
        client_names: Vec::new(),
        age_max: None,
        refuses_replay: false,
        splits: false,
        name: name.into(),
        tolerance: sender.tolerance_default(),
        body_bytes_max: sender.body_bytes_default(),
        secrets: secrets.iter().map(|text| secret(text)).collect(),
        dedupe_window: Duration::from_secs(86_400),
        public_url: Some(format!("https://hooks.example.com/webhooks/{name}").into()),
        allow: vec![],
        rate: None,
        reserved: false,
        verify_token: None,
        handover: None,
        answer: None,
        sender,
    }
}

/// A request as the sender makes it, with further headers.
fn signed(by: &dyn Sender, body: &str, url: &str, with: &str, at: Time, more: &[(&str, &str)]) -> Rejected {
    let sample = Sample { id: "evt_1".into(), event_type: "invoice.paid".into(), body: body.into() };
    let signed = by.sign(&sample, Some(url), &secret(with), at).unwrap();
    let header = |(name, value): (&str, &str)| (name.to_ascii_lowercase().into(), Bytes::from(value.to_owned()));
    let headers = signed.headers.iter().map(|(n, v)| (&**n, &**v)).chain(more.iter().copied()).map(header).collect();
    Rejected {
        id: RejectedId::from_bytes([1; 16]),
        received_at: now(),
        source: "here".into(),
        reason: Rejection::SignatureMismatch,
        method: http::Method::POST,
        target: format!("/webhooks/here{}", signed.query).into(),
        headers,
        body_bytes: signed.body.len() as u64,
        body: signed.body.into(),
        remote: "203.0.113.7".into(),
    }
}

fn stripe(with: &str) -> Rejected {
    signed(&*sender("stripe"), BODY, PUBLIC, with, now(), &[])
}

/// The same with another body than the one that was signed.
fn arriving_as(rejected: Rejected, body: &str) -> Rejected {
    Rejected { body: body.to_owned().into(), body_bytes: body.len() as u64, ..rejected }
}

fn ask(rejected: &Rejected, source: &Source, others: &[Source], retired: &[(Secret, Time)]) -> Diagnosis {
    let others: Vec<_> = others.iter().cloned().map(Arc::new).collect();
    diagnose(&Case { rejected, source, others: &others, retired, fetched: None })
}

/// The one finding, which must be told in words.
fn only(diagnosis: &Diagnosis) -> &Finding {
    let [finding] = &diagnosis.findings[..] else { panic!("{diagnosis:#?}") };
    assert!(finding.sentence.ends_with('.') && !finding.mend.is_empty(), "{finding:?}");
    assert!(!format!("{diagnosis:?}").contains("whsec_"), "{diagnosis:?}");
    finding
}

fn cause(diagnosis: &Diagnosis) -> Cause {
    only(diagnosis).cause
}

fn here() -> Source {
    source("here", sender("stripe"), &["whsec_mine"])
}

#[test]
fn what_holds_by_now_is_mended() {
    let diagnosis = ask(&stripe("whsec_mine"), &here(), &[], &[]);
    assert!(diagnosis.verdict.may_be_released());
    assert_eq!(cause(&diagnosis), Cause::Mended);
}

#[test]
fn another_sources_secret_is_found_with_its_name() {
    let others = [source("there", sender("stripe"), &["x", "whsec_theirs"]), source("third", sender("github"), &["y"])];
    let diagnosis = ask(&stripe("whsec_theirs"), &here(), &others, &[]);
    assert_eq!(diagnosis.verdict, Verdict::Refused(Rejection::SignatureMismatch));
    let finding = only(&diagnosis);
    assert_eq!(finding.cause, Cause::SecretOfOtherSource);
    assert!(finding.certain && finding.sentence.contains("\"there\""), "{finding:?}");
}

#[test]
fn another_sources_whole_request_is_found_too() {
    let github = signed(&*sender("github"), BODY, PUBLIC, "theirs", now(), &[]);
    let diagnosis = ask(&github, &here(), &[source("code", sender("github"), &["theirs"])], &[]);
    assert_eq!(cause(&diagnosis), Cause::RequestOfOtherSource);
    assert!(only(&diagnosis).sentence.contains("\"code\" (sender github)"));
}

#[test]
fn a_secret_that_was_taken_out_is_remembered() {
    let diagnosis = ask(&stripe("whsec_old"), &here(), &[], &[(secret("a"), now()), (secret("whsec_old"), now())]);
    assert_eq!(cause(&diagnosis), Cause::PreviousSecret);
}

#[test]
fn secrets_written_wrongly_are_found() {
    for (configured, right, expected) in [
        ("whsec_mine\n", "whsec_mine", Cause::SecretWhitespace),
        (" whsec_mine", "whsec_mine", Cause::SecretWhitespace),
        ("\"whsec_mine\"", "whsec_mine", Cause::SecretWhitespace),
        ("whsec_mine", "whsec_mine\n", Cause::SecretWhitespace),
        ("mine", "whsec_mine", Cause::SecretEncoding),
        ("whsec_mine", "mine", Cause::SecretEncoding),
        ("6d696e65", "mine", Cause::SecretEncoding),
        ("bWluZQ==", "mine", Cause::SecretEncoding),
        ("WHSEC_mine", "whsec_mine", Cause::SecretEncoding),
    ] {
        let source = source("here", sender("stripe"), &["other", configured]);
        let diagnosis = ask(&stripe(right), &source, &[], &[]);
        assert_eq!(diagnosis.findings[0].cause, expected, "{configured:?} for {right:?}");
    }
    // Its key is what the base64 stands for; the text was taken for the key elsewhere.
    let standard = sender("standard-webhooks");
    let raw = signed(&*standard, BODY, PUBLIC, "bWluZQ==", now(), &[]);
    let configured = source("here", standard, &["6d696e65"]);
    assert_eq!(cause(&ask(&raw, &configured, &[], &[])), Cause::SecretEncoding);
}

#[test]
fn a_body_that_was_written_anew_is_found_and_restored() {
    let python = r#"{"id": "evt_1", "type": "invoice.paid", "data": {"name": "Zo\u00eb", "total": 12.50}}"#;
    for (arrived, expected) in [
        (python.to_owned(), Cause::BodyReserialised),
        (format!("{BODY}\n"), Cause::BodyChanged),
        (BODY.replace(",", ",\n  "), Cause::BodyReserialised),
    ] {
        let rejected = arriving_as(stripe("whsec_mine"), &arrived);
        let source = here();
        let diagnosis = ask(&rejected, &source, &[], &[]);
        assert_eq!(cause(&diagnosis), expected, "{arrived}");
        assert!(matches!(diagnosis.verdict, Verdict::HoldsRestored(_)));
        let case = Case { rejected: &rejected, source: &source, others: &[], retired: &[], fetched: None };
        assert_eq!(restore(&case).map(|(body, _)| body), Some(BODY.into()));
    }
    let other = arriving_as(stripe("whsec_mine"), &BODY.replace("12.50", "99.50"));
    let diagnosis = ask(&other, &here(), &[], &[]);
    assert_eq!(cause(&diagnosis), Cause::Unknown, "another content is none of ours to restore");
    assert!(!diagnosis.verdict.may_be_released());
}

#[test]
fn clocks_that_are_off_are_told_by_how_much() {
    for (signed_at, expected, told) in [
        (now().minus(Duration::from_secs(612)), Cause::TimestampOld, "612 s before"),
        (now().plus(Duration::from_secs(600)), Cause::TimestampAhead, "600 s after"),
    ] {
        let rejected = signed(&*sender("stripe"), BODY, PUBLIC, "whsec_mine", signed_at, &[]);
        let diagnosis = ask(&rejected, &here(), &[], &[]);
        assert_eq!(cause(&diagnosis), expected);
        let finding = only(&diagnosis);
        assert!(finding.sentence.contains(told), "{finding:?}");
        assert!(finding.mend.contains("tolerance = \"11m\""), "{finding:?}");
        let mended = Source { tolerance: Duration::from_secs(660), ..here() };
        assert!(ask(&rejected, &mended, &[], &[]).verdict.may_be_released());
    }
}

#[test]
fn a_url_that_looks_otherwise_outside_is_found() {
    let form = "MessageSid=SM1&MessageStatus=sent";
    for (outside, headers) in [
        ("http://hooks.example.com/webhooks/here", &[][..]),
        ("https://hooks.example.com:8443/webhooks/here", &[("x-forwarded-port", "8443")]),
        ("https://api.example.org/webhooks/here", &[("host", "api.example.org")]),
        ("https://hooks.example.com/webhooks/here/", &[]),
        ("https://hooks.example.com/in/webhooks/here", &[("x-forwarded-prefix", "/in")]),
        ("http://hooks.example.com/twilio", &[("x-original-uri", "/twilio")]),
    ] {
        let rejected = signed(&*sender("twilio"), form, outside, "token", now(), headers);
        let mut source = source("here", sender("twilio"), &["token"]);
        let finding = only(&ask(&rejected, &source, &[], &[])).clone();
        assert_eq!(finding.cause, Cause::UrlDiffers, "{outside}");
        assert!(finding.mend.contains(&format!("public_url = \"{outside}\" under [sources.here]")), "{finding:?}");
        source.public_url = None;
        assert_eq!(ask(&rejected, &source, &[], &[]).findings[0].cause, Cause::UrlUnknown, "{outside}");
        source.public_url = Some(outside.into());
        assert!(ask(&rejected, &source, &[], &[]).verdict.may_be_released(), "{outside}");
    }
}

#[test]
fn a_header_that_is_missing_or_of_another_sender_is_named() {
    let bare = Rejected { headers: vec![("content-type".into(), "application/json".into())], ..stripe("x") };
    let finding = only(&ask(&bare, &here(), &[], &[])).clone();
    assert_eq!(finding.cause, Cause::HeaderMissing);
    assert!(finding.sentence.starts_with("stripe-signature is missing"), "{finding:?}");
    let more = [("x-github-event", "push"), ("user-agent", "GitHub-Hookshot/1")];
    let github = signed(&*sender("github"), BODY, PUBLIC, "unknown", now(), &more);
    let diagnosis = ask(&github, &here(), &[], &[]);
    let causes: Vec<_> = diagnosis.findings.iter().map(|finding| finding.cause).collect();
    assert_eq!(causes, [Cause::HeaderOfOtherScheme, Cause::HeaderMissing]);
    let sentence = &diagnosis.findings[0].sentence;
    assert!(sentence.contains("but of GitHub (sender = \"github\"):"), "{sentence}");
    let twilio = source("here", sender("twilio"), &["token"]);
    let missing = ask(&bare, &twilio, &[], &[]);
    assert!(only(&missing).sentence.starts_with("X-Twilio-Signature is missing"), "{missing:?}");
}

#[test]
fn a_token_that_is_shown_instead_of_a_signature_is_told_and_not_repeated() {
    let shows = Rejected { headers: vec![("authorization".into(), "Bearer canary".into())], ..stripe("x") };
    let diagnosis = ask(&shows, &here(), &[], &[]);
    assert_eq!(diagnosis.findings[0].cause, Cause::HeaderOfOtherScheme);
    assert!(diagnosis.findings[0].sentence.contains("sender = \"bearer\""), "{diagnosis:?}");
    assert!(!format!("{diagnosis:?}").contains("canary"));
    let mended = source("here", sender("bearer"), &["canary"]);
    assert!(ask(&shows, &mended, &[], &[]).verdict.may_be_released());
}

#[test]
fn what_came_from_elsewhere_is_not_released_into_a_source_that_goes_by_addresses() {
    let allow = |net: &str| Source { allow: vec![net.parse().unwrap()], ..source("here", sender("unverified"), &[]) };
    assert!(ask(&stripe("x"), &allow("203.0.113.0/24"), &[], &[]).verdict.may_be_released());
    let diagnosis = ask(&stripe("x"), &allow("10.0.0.0/8"), &[], &[]);
    assert!(!diagnosis.verdict.may_be_released());
    assert_eq!(cause(&diagnosis), Cause::AddressNotAllowed);
}

#[test]
fn every_senders_request_is_taken_for_its_own_or_for_one_that_signs_alike() {
    let (mut named, mut all) = (0, 0);
    for declaration in senders::TABLE {
        let Ok(by) = declaration.build(&SenderOptions::default()) else { continue };
        let sample = by.sample(by.sample_types().first().copied().unwrap_or("sample"), "evt_1", now()).unwrap();
        let Ok(signed) = by.sign(&sample, Some(PUBLIC), &secret("bm9ib2R5bm9ib2R5"), now()) else { continue };
        let headers = signed.headers.iter().map(|(n, v)| (n.to_ascii_lowercase().into(), v.clone().into())).collect();
        let rejected = Rejected { headers, body: signed.body.into(), ..stripe("x") };
        let rejected = Rejected { body_bytes: rejected.body.len() as u64, ..rejected };
        let other = if declaration.name == "stripe" { "github" } else { "stripe" };
        let diagnosis = ask(&rejected, &source("here", sender(other), &["whsec_mine"]), &[], &[]);
        let quoted = format!("\"{}\"", declaration.name);
        named += usize::from(diagnosis.findings.iter().any(|finding| finding.sentence.contains(&quoted)));
        all += 1;
    }
    assert!(all > 40 && named * 4 >= all * 3, "{named} of {all}");
}

#[test]
fn a_digest_in_another_encoding_is_found() {
    let described = |encoding| {
        let mut hmac = HmacOptions::new(http::HeaderName::from_static("x-signature")).unwrap();
        hmac.encoding = encoding;
        senders::find("hmac").unwrap().build(&SenderOptions { hmac: Some(hmac) }).unwrap()
    };
    let (hex, base64) = (described(senders::Encoding::Hex), described(senders::Encoding::Base64));
    for (theirs, ours) in [(&hex, &base64), (&base64, &hex)] {
        let rejected = signed(&**theirs, BODY, PUBLIC, "secret", now(), &[]);
        let diagnosis = ask(&rejected, &source("here", ours.clone(), &["secret"]), &[], &[]);
        assert_eq!(cause(&diagnosis), Cause::HeaderForm);
    }
}

#[test]
fn a_body_of_which_only_the_beginning_is_kept_cannot_be_released() {
    let cut = Rejected { body_bytes: 70_000, ..stripe("whsec_mine") };
    let diagnosis = ask(&cut, &here(), &[], &[]);
    assert_eq!((diagnosis.verdict, cause(&diagnosis)), (Verdict::Truncated, Cause::Truncated));
    let source = here();
    let case = Case { rejected: &cut, source: &source, others: &[], retired: &[], fetched: None };
    assert_eq!(restore(&case), None);
}

#[test]
fn two_things_wrong_at_once_are_not_guessed_at() {
    let rejected = arriving_as(stripe("whsec_unknown"), "{\"a\":1}");
    assert_eq!(cause(&ask(&rejected, &here(), &[], &[])), Cause::Unknown);
    let empty = arriving_as(stripe("whsec_mine"), "");
    assert_eq!(cause(&ask(&empty, &here(), &[], &[])), Cause::BodyMissing);
}
