//! Twilio: `X-Twilio-Signature`, base64 of HMAC-SHA1 under the auth token, over the public URL and then, for
//! forms, every field as name and value, sorted, each distinct pair once. Other bodies are covered by the query
//! parameter `bodySHA256`, which is part of the signed URL.
//!
//! The URL comes from configuration, never from `Host` or forwarding headers: otherwise what was signed for
//! another site of the same account would pass here. Twilio leaves the port out for some products and not for
//! others, so the URL is tried as it is, without its port and with the standard one.
//!
//! Two weaknesses are the scheme's own. No time is signed: only the idempotency key stops replays. And nothing
//! stands between a form's names and values, so that `a=bc` and `ab=c` sign alike. Facts: Twilio's SDKs.

use std::borrow::Cow;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::HeaderName;

use super::super::{
    Overlay,
    declared::{Declared, refuse_lookalikes},
    facts::header_text,
    form::{self, FORM, Text, field_text},
    mac::{self, Digest, sha256_hex},
    place::only,
    prelude::*,
    sample::{Named, fill, find, sample, tail},
};
use crate::{
    secret::Secret,
    sender::{CannotSign, Cover, Facts, Keys, Proof, Rejection, Request, Sample, Signed},
    time::Time,
};

pub static SENDER: Declaration = Declaration {
    name: "twilio",
    title: "Twilio",
    scheme: Scheme::Own {
        how: "`X-Twilio-Signature`: base64 of HMAC-SHA1 over the URL and the sorted fields of the form; other bodies \
              by the hash in `bodySHA256`",
        covers: Cover::Whole,
        signs_id: false,
        signs_type: true,
        signs_time: false,
        signs_url: true,
    },
    // A CloudEvent, alone or in an array (Event Streams).
    id: &["json:/0/id", "json:/id"],
    event_type: &["json:/0/type", "json:/type"],
    time: &["json:/0/time", "json:/time"],
    batch: Some(""),
    batched: &["com.twilio.*"],
    content_types: &[],
    // Instructions that do nothing. Plain text would be sent to the customer as a message.
    answer: Told { status: 200, content_type: Some("text/xml"), body: "<Response/>" },
    // Answered with instructions; other callbacks only tell.
    asks: &["call.ringing", "call.in-progress", "message.received"],
    sample_types: &["message.delivered", "message.failed", "message.received", "call.completed", "call.ringing"],
    chains: CHAINS,
    about: About {
        secret: "the account's auth token (primary; add the secondary before it is promoted); sub-accounts have \
                 their own",
        rotation: Rotation::Ahead(
            "Console → Account → API keys & tokens: a secondary auth token, which signs once it is promoted",
        ),
        paste: "the phone number's, service's or request's webhook or status callback URL",
        quirks: &[
            "The URL is signed: `server.public_url` must be what Twilio posts to, and query and path must reach \
             Hookhaven unchanged.",
            "No time is signed: only the idempotency key stops replays.",
            "The answer is an instruction: `<Response/>` does nothing, text would go to the customer.",
            "A message's callbacks may come out of order: `sent` after `delivered`.",
        ],
        docs: "https://www.twilio.com/docs/usage/webhooks",
        timeout_s: Some(15),
        retries: Retries::minutes(1, "once, when no connection could be made; the URL's fragment can ask for more"),
    },
    conduct: Conduct {
        order: OrderPromise::None,
        reconcile: "`GET /2010-04-01/Accounts/{sid}/Messages.json` (or `Calls.json`) by date shows each one's last status; the error log has failed webhooks",
        gives_up: "after its fallback URL it drops the event; nothing is switched off",
        critical: &["message.received"],
        ..Conduct::UNKNOWN
    },
    code: Code {
        verify: Some(verify),
        facts: Some(facts),
        check_secret: Some(check_secret),
        sample: Some(sample_of),
        sign: Some(sign),
        ..Code::NONE
    },
    ..Declaration::DEFAULT
};

const CHAINS: &[Chain] = &[
    Chain {
        name: "message",
        title: "A message on its way: queued, sent, delivered",
        steps: &[
            Step { event_type: "message.queued", after_s: 0, set: &[MESSAGE] },
            Step { event_type: "message.sent", after_s: 2, set: &[MESSAGE] },
            Step { event_type: "message.delivered", after_s: 5, set: &[MESSAGE] },
        ],
    },
    Chain {
        name: "call",
        title: "A call that you make: begun, ringing, answered, ended",
        steps: &[
            Step { event_type: "call.initiated", after_s: 0, set: &[CALL, &[("SequenceNumber", "0")]] },
            Step { event_type: "call.ringing", after_s: 2, set: &[CALL, &[("SequenceNumber", "1")]] },
            Step { event_type: "call.in-progress", after_s: 8, set: &[CALL, &[("SequenceNumber", "2")]] },
            Step {
                event_type: "call.completed",
                after_s: 50,
                set: &[CALL, &[("SequenceNumber", "3"), ("CallDuration", "42")]],
            },
        ],
    },
];

const MESSAGE: &[Overlay] = &[("MessageSid", "SM{{hex}}"), ("SmsSid", "SM{{hex}}")];
/// Of a call that comes in, Twilio tells only the end.
const CALL: &[Overlay] = &[
    ("CallSid", "CA{{hex}}"),
    ("CallDuration", "0"),
    ("Direction", "outbound-api"),
    ("From", "+15005550006"),
    ("Caller", "+15005550006"),
    ("To", "+14155550100"),
    ("Called", "+14155550100"),
];

const HMAC_SHA1: Mechanism = Mechanism::Hmac(Sha1);
const SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");
/// Stays the same over Twilio's own retries of a request.
const IDEMPOTENCY_TOKEN: HeaderName = HeaderName::from_static("i-twilio-idempotency-token");
const BODY_HASH: &str = "bodySHA256";
const NOT_SECRETS: &[(&str, &str)] = &[
    ("AC", "this looks like an account SID; the secret is the account's auth token, 32 hex digits"),
    ("SK", "this looks like an API key SID; the secret is the account's auth token, 32 hex digits"),
];

fn verify(request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
    let given = only(request.headers, &SIGNATURE).map_err(|_| Rejection::SignatureRepeated)?;
    let given = given.ok_or(Rejection::SignatureMissing)?;
    let url = request.url.ok_or(Rejection::UrlUnknown)?;
    if request.body.is_empty() {
        return Err(Rejection::BodyEmpty);
    }
    let digest = Digest::read(given, Encoding::Base64, HMAC_SHA1).ok_or(Rejection::SignatureMalformed)?;
    let url = url.split('#').next().unwrap_or_default();
    let hash = body_hash(url)?;
    let fields = match hash {
        Some(_) => Vec::new(),
        None if form::is_form(request.headers) => form::sorted(request.body).ok_or(Rejection::SignatureMalformed)?,
        None => return Err(Rejection::BodyHashMismatch),
    };
    let secret = spellings(url)
        .into_iter()
        .find_map(|url| {
            let parts = form::after_url(&url, &fields);
            mac::matching_secret(HMAC_SHA1, KeyForm::Text, keys.secrets, &[digest], &parts)
        })
        .ok_or(Rejection::SignatureMismatch)?;
    if let Some(hash) = hash {
        verify_slices_are_equal(sha256_hex(request.body).as_bytes(), &hash).map_err(|_| Rejection::BodyHashMismatch)?;
    }
    Ok(Proof { secret: Some(secret) })
}

fn facts(declared: &Declared, request: &Request<'_>) -> Facts {
    let is_form = form::is_form(request.headers);
    let streams = || declared.places().read(request.headers, request.body);
    let mut facts = if is_form { form_facts(request.body) } else { streams() };
    if let Some(token) = header_text(request.headers, &IDEMPOTENCY_TOKEN) {
        facts.idempotency_key = Some(token.into_owned());
    }
    facts
}

fn check_secret(secret: &Secret) -> Result<(), String> {
    let is_sid = secret.expose().len() == 34;
    if is_sid { refuse_lookalikes(secret, NOT_SECRETS) } else { Ok(()) }
}

/// `message.<status>`, `call.<status>`, or the `EventType` of the newer products.
fn sample_of(_: &Declared, event_type: &str, id: &str, now: Time) -> Result<Sample, CannotSign> {
    let (text, status) = match event_type.split_once('.') {
        Some(("message", "received")) => (find(SAMPLES, "inbound_message"), "received"),
        Some(("message", status)) => (find(SAMPLES, "message_status"), status),
        Some(("call", status)) => (find(SAMPLES, "call_status"), status),
        _ => (None, event_type),
    };
    let fields: Vec<(&str, String)> = text
        .unwrap_or(ANY)
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name, fill(&value.replace("{{tail}}", &sid(id)), id, status, now)))
        .collect();
    let body = form::write(fields.iter().map(|(name, value)| (*name, &**value)));
    Ok(Sample { id: id.to_owned(), event_type: event_type.to_owned(), body })
}

fn sign(_: &Declared, sample: &Sample, url: Option<&str>, secret: &Secret, _: Time) -> Result<Signed, CannotSign> {
    let url = url.ok_or_else(|| CannotSign("Twilio signs the URL: set server.public_url".into()))?;
    let is_json = sample.body.starts_with(b"{") || sample.body.starts_with(b"[");
    let query = if is_json {
        let mark = if url.contains('?') { '&' } else { '?' };
        format!("{mark}{BODY_HASH}={}", sha256_hex(&sample.body))
    } else {
        String::new()
    };
    let fields = if is_json { Some(Vec::new()) } else { form::sorted(&sample.body) };
    let fields = fields.ok_or_else(|| CannotSign("the form has too many fields".into()))?;
    let signed_url = format!("{url}{query}");
    let parts = form::after_url(&signed_url, &fields);
    let signature = mac::write(HMAC_SHA1, Encoding::Base64, KeyForm::Text, secret, &parts)
        .ok_or_else(|| CannotSign("the secret is empty".into()))?;
    let content_type = if is_json { "application/json" } else { FORM };
    let headers = vec![
        ("content-type".to_owned(), content_type.to_owned()),
        (IDEMPOTENCY_TOKEN.to_string(), sample.id.clone()),
        (SIGNATURE.to_string(), signature),
    ];
    Ok(Signed { headers, query, body: sample.body.clone() })
}
/// A message has many status callbacks and a call many requests, so the SID alone is no key; a call's status
/// needs its sequence number, since every input of one call arrives under the same status.
fn form_facts(body: &[u8]) -> Facts {
    let get = |name| field_text(body, name);
    let message_status = || get("MessageStatus").or_else(|| get("SmsStatus"));
    let key = || {
        if let Some(message) = get("MessageSid").or_else(|| get("SmsSid")) {
            return Some(format!("{message}:{}", message_status()?));
        }
        Some(format!("{}:{}:{}", get("CallSid")?, get("CallStatus")?, get("SequenceNumber")?))
    };
    let status = || match message_status() {
        Some(status) => Some(format!("message.{status}")),
        None => get("CallStatus").map(|status| format!("call.{status}")),
    };
    let at = get("Timestamp").and_then(|text| {
        let rfc2822 = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.as_bytes()).ok();
        rfc2822.map(|t| Time::from_us(t.as_microsecond())).or_else(|| Time::parse_rfc3339(&text))
    });
    Facts { idempotency_key: key(), event_type: get("EventType").map(Cow::into_owned).or_else(status), occurred_at: at }
}

/// The hash in the signed URL's query. Twice, or empty, it leaves open what is covered.
fn body_hash(url: &str) -> Result<Option<Text<'_>>, Rejection> {
    let query = url.split_once('?').map_or("", |(_, query)| query).as_bytes();
    if form::too_many(query) {
        return Err(Rejection::BodyHashMismatch);
    }
    let mut hashes = form::fields(query).filter(|(name, _)| **name == *BODY_HASH.as_bytes()).map(|(_, hash)| hash);
    match (hashes.next(), hashes.next()) {
        (Some(_), Some(_)) => Err(Rejection::SignatureRepeated),
        (Some(hash), None) if hash.is_empty() => Err(Rejection::BodyHashMismatch),
        (hash, _) => Ok(hash),
    }
}

/// The URL as it is, without its port, and with the standard port of its scheme.
fn spellings(url: &str) -> Vec<Cow<'_, str>> {
    let mut all = vec![Cow::Borrowed(url)];
    let Some((scheme, rest)) = url.split_once("://") else { return all };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let port = authority.rfind(':').filter(|at| authority[at + 1..].bytes().all(|b| b.is_ascii_digit()));
    let host = port.map_or(authority, |at| &authority[..at]);
    let standard = if scheme.eq_ignore_ascii_case("http") { 80 } else { 443 };
    for other in [format!("{scheme}://{host}{path}"), format!("{scheme}://{host}:{standard}{path}")] {
        if all.iter().all(|known| *known != other) {
            all.push(Cow::Owned(other));
        }
    }
    all
}

/// 32 hex digits in the manner of a SID, from an event's id.
fn sid(id: &str) -> String {
    sha256_hex(tail(id).as_bytes())[..32].to_owned()
}

/// One field a line. Their files have the names of the requests, not of the types.
const SAMPLES: &[Named] = &[
    sample!("twilio", "message_status", "txt"),
    sample!("twilio", "inbound_message", "txt"),
    sample!("twilio", "call_status", "txt"),
];

const ANY: &str = "AccountSid: AC00000000000000000000000000000000\nEventType: {{type}}\nSid: EV{{tail}}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_tried_with_and_without_port() {
        for (url, all) in [
            ("https://a.example/x?y=1", vec!["https://a.example/x?y=1", "https://a.example:443/x?y=1"]),
            (
                "https://a.example:8443/x",
                vec!["https://a.example:8443/x", "https://a.example/x", "https://a.example:443/x"],
            ),
            ("http://a.example:80", vec!["http://a.example:80", "http://a.example"]),
            ("https://[::1]/x", vec!["https://[::1]/x", "https://[::1]:443/x"]),
            ("nonsense", vec!["nonsense"]),
        ] {
            assert_eq!(spellings(url), all, "{url}");
        }
    }

    #[test]
    fn keys_tell_callbacks_of_one_message_or_call_apart() {
        let facts = |body: &str| form_facts(body.as_bytes());
        let message = facts("MessageSid=SM1&MessageStatus=sent&SmsStatus=sent");
        assert_eq!(message.idempotency_key.as_deref(), Some("SM1:sent"));
        assert_eq!(message.event_type.as_deref(), Some("message.sent"));
        assert_eq!(facts("MessageSid=SM1").idempotency_key, None);
        let call = facts(
            "CallSid=CA1&CallStatus=completed&SequenceNumber=3&Timestamp=Sat%2C+21+Nov+2026+09%3A30%3A00+%2B0000",
        );
        assert_eq!(call.idempotency_key.as_deref(), Some("CA1:completed:3"));
        assert_eq!(call.event_type.as_deref(), Some("call.completed"));
        assert_eq!(call.occurred_at, Time::parse_rfc3339("2026-11-21T09:30:00Z"));
        assert_eq!(facts("CallSid=CA1&CallStatus=in-progress&Digits=1").idempotency_key, None);
    }
}
