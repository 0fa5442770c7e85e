//! What a sender's documentation says of a request, written down a second time and as plainly as it goes:
//! the expected header is computed whole and compared as text. No constant time, no limits, no reuse of the
//! code that is checked but for the fields of forms, which the target `bodies` compares with another library.

use aws_lc_rs::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA512};
use base64::{Engine, engine::general_purpose::STANDARD};
use hookhaven_core::senders::{FIELDS_MAX, fields, is_form, sha256_hex};

use crate::requests::{Given, NOW_S, TOLERANCE_S};

/// Candidates beyond which a list of signatures is refused whole.
const CANDIDATES_MAX: usize = 16;
/// Longest URL of which all spellings are tried.
const URL_BYTES_MAX: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    Refuse,
    /// Too intricate for a second reading.
    Unknown,
}

pub fn verdict(given: &Given<'_>) -> Verdict {
    let accepted = match &*given.case.label {
        "unverified" => Some(true),
        // The hash that QStash signs covers an empty body too; the others that sign nothing are no senders at all.
        "qstash" | "docker-hub" | "strava" => return Verdict::Unknown,
        _ if given.body.is_empty() => return Verdict::Refuse,
        "stripe" => stripe(given),
        "github" => whole(given, "x-hub-signature-256", |key| {
            format!("sha256={}", hex::encode(mac(HMAC_SHA256, key, &[given.body])))
        }),
        "slack" => slack(given),
        "standard-webhooks" => standard_webhooks(given),
        "twilio" => return twilio(given),
        "hmac:plain" => whole(given, "x-signature", |key| hex::encode(mac(HMAC_SHA256, key, &[given.body]))),
        "hmac:full" => full(given),
        "hmac:in-body" => return in_body(given),
        // The rest are other data of the same engines, which those above stand for.
        _ => return Verdict::Unknown,
    };
    if accepted == Some(true) { Verdict::Accept } else { Verdict::Refuse }
}

fn mac(algorithm: hmac::Algorithm, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(algorithm, key), &parts.concat()).as_ref().to_vec()
}

/// The value of a header that is there once.
fn one<'a>(given: &'a Given<'_>, name: &str) -> Option<&'a [u8]> {
    let values: Vec<_> = given.headers.get_all(name).iter().collect();
    if let [value] = values[..] { Some(value.as_bytes()) } else { None }
}

fn keys<'a>(given: &'a Given<'_>) -> impl Iterator<Item = &'a [u8]> {
    given.case.secrets[..2].iter().map(|secret| secret.expose())
}

/// Whether the header is what any of the source's secrets gives.
fn whole(given: &Given<'_>, name: &str, expected: impl Fn(&[u8]) -> String) -> Option<bool> {
    let value = one(given, name)?;
    Some(keys(given).any(|key| expected(key).as_bytes() == value))
}

/// Digits, and not too far from now.
fn in_time(text: &[u8], per_second: i64, digits_max: usize) -> Option<()> {
    if text.is_empty() || text.len() > digits_max || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let at: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let off = at.abs_diff(NOW_S * per_second);
    (off <= TOLERANCE_S * per_second.unsigned_abs()).then_some(())
}

fn stripe(given: &Given<'_>) -> Option<bool> {
    let pairs: Vec<(&[u8], &[u8])> = one(given, "stripe-signature")?
        .split(|b| *b == b',')
        .filter_map(|pair| Some(pair.split_at(pair.iter().position(|b| *b == b'=')?)))
        .map(|(name, value)| (name, &value[1..]))
        .collect();
    let of = |name: &[u8]| pairs.iter().filter(|(n, _)| *n == name).map(|(_, v)| *v).collect::<Vec<_>>();
    let (times, signatures) = (of(b"t"), of(b"v1"));
    let [time] = times[..] else { return None };
    in_time(time, 1, 12)?;
    let right = |key| hex::encode(mac(HMAC_SHA256, key, &[time, b".", given.body]));
    let hit = keys(given).any(|key| signatures.contains(&right(key).as_bytes()));
    Some(hit && signatures.len() <= CANDIDATES_MAX)
}

fn slack(given: &Given<'_>) -> Option<bool> {
    let time = one(given, "x-slack-request-timestamp")?;
    in_time(time, 1, 12)?;
    whole(given, "x-slack-signature", |key| {
        format!("v0={}", hex::encode(mac(HMAC_SHA256, key, &[b"v0:", time, b":", given.body])))
    })
}

fn standard_webhooks(given: &Given<'_>) -> Option<bool> {
    let (id, time) = (one(given, "webhook-id")?, one(given, "webhook-timestamp")?);
    in_time(time, 1, 12)?;
    let list: Vec<&[u8]> = one(given, "webhook-signature")?.split(|b| *b == b' ').collect();
    let known = list.iter().filter(|s| s.starts_with(b"v1,")).count();
    let right = |key: &[u8]| {
        let key = STANDARD.decode(key.strip_prefix(b"whsec_").unwrap_or(key)).ok()?;
        Some(format!("v1,{}", STANDARD.encode(mac(HMAC_SHA256, &key, &[id, b".", time, b".", given.body]))))
    };
    let hit = keys(given).filter_map(right).any(|s| list.contains(&s.as_bytes()));
    Some(hit && known <= CANDIDATES_MAX)
}

fn full(given: &Given<'_>) -> Option<bool> {
    let [id, time, tenant] = ["x-event-id", "x-time", "x-tenant"].map(|name| one(given, name));
    let (id, time, tenant, url) = (id?, time?, tenant?, given.url.as_deref()?);
    in_time(time, 1_000, 14)?;
    let parts = [b"POST ", url.as_bytes(), b" ", id, b".", time, b".", tenant, b".", given.body];
    whole(given, "x-signature", |key| format!("sha512={}", STANDARD.encode(mac(HMAC_SHA512, key, &parts))))
}

/// The time stands in the body, so a second reading needs a body that a whole parser takes.
fn in_body(given: &Given<'_>) -> Verdict {
    let right = |key: &[u8]| hex::encode(mac(HMAC_SHA1_FOR_LEGACY_USE_ONLY, key, &[given.body]));
    if whole(given, "x-signature", right) != Some(true) {
        return Verdict::Refuse;
    }
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(given.body) else { return Verdict::Unknown };
    let text = match body.pointer("/sent") {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Number(n)) if n.is_u64() => n.to_string(),
        _ => return Verdict::Refuse,
    };
    if in_time(text.as_bytes(), 1, 12).is_some() { Verdict::Accept } else { Verdict::Refuse }
}

/// Over the URL and, for forms, the sorted fields. Ports are where it gets intricate: a signature that fits
/// the URL as it is must be accepted, one that fits no spelling of it refused.
fn twilio(given: &Given<'_>) -> Verdict {
    let accepted = || {
        let value = one(given, "x-twilio-signature")?;
        let url = given.url.as_deref()?.split('#').next()?;
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let hashes: Vec<_> = fields(query.as_bytes()).filter(|(name, _)| **name == *b"bodySHA256").collect();
        let mut parts = Vec::new();
        match &hashes[..] {
            [] if is_form(&given.headers) => {
                let mut all: Vec<_> = fields(given.body).collect();
                all.sort();
                all.dedup();
                parts = all.into_iter().flat_map(|(name, value)| [name, value]).collect();
            }
            [(_, hash)] if **hash == *sha256_hex(given.body).as_bytes() => {}
            _ => return None,
        }
        let parts = parts.concat();
        let signed = |url: &str| {
            let right = |key| STANDARD.encode(mac(HMAC_SHA1_FOR_LEGACY_USE_ONLY, key, &[url.as_bytes(), &parts]));
            keys(given).any(|key| right(key).as_bytes() == value)
        };
        Some((signed(url), spellings(url).iter().any(|url| signed(url))))
    };
    let count = |text: &[u8]| text.split(|b| *b == b'&').filter(|part| !part.is_empty()).count();
    let url = given.url.as_deref().unwrap_or_default();
    if count(given.body) > FIELDS_MAX || url.len() > URL_BYTES_MAX {
        return Verdict::Unknown;
    }
    match accepted() {
        Some((true, _)) => Verdict::Accept,
        Some((false, true)) => Verdict::Unknown,
        _ => Verdict::Refuse,
    }
}

/// More of them than Twilio's: the port taken out, or a standard one put in, wherever that can be done.
fn spellings(url: &str) -> Vec<String> {
    let mut without: Vec<String> = Vec::from([url.to_owned()]);
    for (at, _) in url.match_indices(':') {
        let digits = url[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        without.push(format!("{}{}", &url[..at], &url[at + 1 + digits..]));
    }
    let ends = |url: &str| url.match_indices(['/', '?']).map(|(at, _)| at).chain([url.len()]).collect::<Vec<_>>();
    let with = |url: &String| {
        let insert = |at: usize| [":443", ":80"].map(|port| format!("{}{port}{}", &url[..at], &url[at..]));
        ends(url).into_iter().flat_map(insert).collect::<Vec<_>>()
    };
    let inserted: Vec<_> = without.iter().flat_map(with).collect();
    without.into_iter().chain(inserted).collect()
}
