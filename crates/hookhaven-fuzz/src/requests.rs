//! Requests for the targets about senders: every sender of the table, the configured one in several shapes,
//! with secrets of the form each needs; and the little text format that inputs are written in.
//!
//! ```text
//! stripe signed0+30 https://hooks.example.com/x      case, how it is signed, public URL or "-"
//! x-more: value                                      adds a header
//! !stripe-signature                                  takes a header away
//! ^stripe-signature 40                               turns one bit of its value round
//!                                                    an empty line; then the body
//! ```
//!
//! How it is signed: `raw` (not at all), or `signed` with the number of a secret (2 is a stranger's) and how
//! many seconds late.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use hookhaven_core::{
    Secret, Time,
    sender::{Keys, Own, Request, Sample, Sender},
    senders::{HmacOptions, SenderOptions, TABLE, TimestampOptions, Unit},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::first_line;

pub const NOW_S: i64 = 1_790_000_000;
pub const TOLERANCE_S: u64 = 300;
/// Most header lines of an input.
const HEADERS_MAX: usize = 40;

const SECRETS: [[&str; 3]; 7] = [
    ["one secret", "another secret", "a stranger's secret"],
    [
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        "whsec_plJ3nmyCDGBKInavdOK15jslKf8D0a1b",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ],
    [
        "44782def547aaa06c910c43932b1eb0c71fc68d9d0c057550c48ec2acf6ba056",
        "5478aa06c910c43932b1eb0c71fc68d9d0c057550c48ec2acf6ba05644782def",
        "c910c43932b1eb0c71fc68d9d0c057550c48ec2acf6ba05644782def547aaa06",
    ],
    ["WEBHOOK1", "WEBHOOK2", "WEBHOOK3"],
    ["user:one", "user:another", "user:a stranger's"],
    [
        "arn:aws:sns:eu-west-1:123456789012:orders",
        "arn:aws:sns:eu-west-1:123456789012:returns",
        "arn:aws:sns:eu-west-1:666666666666:orders",
    ],
    ["sandbox:client:one", "sandbox:client:another", "sandbox:client:stranger"],
];

/// Public keys, in the forms of those who sign with private ones. Nobody has the private ones.
const PUBLIC_KEYS: [[&str; 3]; 2] = [
    [
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    ],
    [
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAES7naQcR5yljKQuLuFiJ40wurTi/cY95JQog1CibIWamClml3I1/8KG4IqOOV2ZvjaNBt6+CvGwNXaLJPAJ1JLw==",
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE4G7yMfiWUqz8HGgS9xIbNwWomFZXGJRoxzyDnxVxpiz6xHHeO87Ux0lKabEQiB7QouxFqF8z5SwGqtw/fC5BLQ==",
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9qz1zWEx0W7M4pqlg7SQw9k2pGYoCwwzgN+a4PazrcibQU8Q9YBegP6uFZFOqrqABTDYofdo/HFXEJ0w+yWUVw==",
    ],
];

/// A source without what handshakes turn on.
pub const OWN: Own<'static> = Own { secrets: &[], verify_token: None, awaits_secret: true };

pub struct Case {
    pub label: String,
    pub sender: Arc<dyn Sender>,
    /// The source's two, then a stranger's.
    pub secrets: [Secret; 3],
}

pub static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let all = TABLE.iter().flat_map(|def| {
        options_of(def.name).into_iter().map(|(label, options)| {
            let sender = def.build(&options).expect("its options fit");
            let secret = |text: &str| Secret::new(text).expect("it is not blank");
            let fits = |set: &&[&str; 3]| set.iter().all(|text| sender.check_secret(&secret(text)).is_ok());
            let secrets = SECRETS.iter().chain(&PUBLIC_KEYS).find(fits);
            let secrets = secrets.expect("add secrets of this sender's form").map(secret);
            Case { label: format!("{}{label}", def.name), sender, secrets }
        })
    });
    all.collect()
});

fn options_of(name: &str) -> Vec<(&'static str, SenderOptions)> {
    if name != "hmac" {
        return vec![("", SenderOptions::default())];
    }
    let plain = || HmacOptions::new(HeaderName::from_static("x-signature")).expect("it is complete");
    let at = |place: &str, unit| Some(TimestampOptions { place: place.parse().expect("a place"), unit });
    let full = HmacOptions {
        prefix: "sha512=".into(),
        algorithm: "sha512".parse().expect("an algorithm"),
        encoding: "base64".parse().expect("an encoding"),
        signed: "{method} {url} {id}.{timestamp}.{header:X-Tenant}.{body}".parse().expect("a template"),
        timestamp: at("header:x-time", Unit::Ms),
        id: Some("header:X-Event-Id".parse().expect("a place")),
        event_type: Some("header:X-Event-Type".parse().expect("a place")),
        occurred_at: at("json:/meta/at", Unit::Rfc3339),
        ..plain()
    };
    let in_body = HmacOptions {
        algorithm: "sha1".parse().expect("an algorithm"),
        timestamp: at("json:/sent", Unit::S),
        id: Some("json:/meta/id".parse().expect("a place")),
        event_type: Some("json:/meta/type".parse().expect("a place")),
        ..plain()
    };
    [(":plain", plain()), (":full", full), (":in-body", in_body)]
        .map(|(label, hmac)| (label, SenderOptions { hmac: Some(hmac) }))
        .into()
}

/// A request that was read from an input.
pub struct Given<'a> {
    pub case: &'static Case,
    pub headers: HeaderMap,
    pub url: Option<String>,
    pub body: &'a [u8],
}

impl Given<'_> {
    pub fn request(&self) -> Request<'_> {
        let query = self.url.as_deref().and_then(|url| url.split_once('?')).map(|(_, query)| query);
        Request { method: &Method::POST, url: self.url.as_deref(), query, headers: &self.headers, body: self.body }
    }

    pub fn keys(&self) -> Keys<'_> {
        let tolerance = Duration::from_secs(TOLERANCE_S);
        Keys { secrets: &self.case.secrets[..2], tolerance, now: Time::from_s(NOW_S), fetched: None }
    }
}

/// Reads an input; what it does not say is made up, so that nearly every input is a request.
pub fn read(data: &[u8]) -> Option<Given<'_>> {
    let (first, mut rest) = first_line(data);
    let mut words = std::str::from_utf8(first).ok()?.split(' ');
    let label = words.next().unwrap_or_default();
    let named = CASES.iter().find(|case| case.label == label);
    let case = named.or_else(|| CASES.get(usize::from(*first.first()?) % CASES.len()))?;
    let signed = words.next().and_then(|mode| mode.strip_prefix("signed"));
    let mut url = words.next().filter(|url| *url != "-").map(str::to_owned);
    let mut lines = Vec::new();
    loop {
        let (line, after) = first_line(rest);
        rest = after;
        if line.is_empty() || lines.len() == HEADERS_MAX {
            break;
        }
        lines.push(line);
    }
    let mut headers = HeaderMap::new();
    if let Some(how) = signed {
        sign(case, how, &mut headers, &mut url, rest);
    }
    for line in lines {
        // A line that makes no sense changes nothing.
        let _ = change(&mut headers, line);
    }
    Some(Given { case, headers, url, body: rest })
}

fn sign(case: &Case, how: &str, headers: &mut HeaderMap, url: &mut Option<String>, body: &[u8]) {
    let (secret, late) = how.split_once('+').unwrap_or((how, "0"));
    let secret = secret.parse().unwrap_or(0usize) % case.secrets.len();
    let at = Time::from_s(NOW_S.saturating_sub(late.parse::<i32>().unwrap_or(0).into()));
    let sample = Sample { id: "id1".into(), event_type: "sample".into(), body: body.to_vec() };
    let Ok(signed) = case.sender.sign(&sample, url.as_deref(), &case.secrets[secret], at) else { return };
    for (name, value) in signed.headers {
        let name = HeaderName::try_from(name).expect("our own header names");
        headers.append(name, HeaderValue::try_from(value).expect("our own header values"));
    }
    if let Some(url) = url {
        url.push_str(&signed.query);
    }
}

fn change(headers: &mut HeaderMap, line: &[u8]) -> Option<()> {
    let name = |text: &[u8]| HeaderName::from_bytes(text).ok();
    match line {
        [b'!', rest @ ..] => drop(headers.remove(name(rest)?)),
        [b'^', rest @ ..] => {
            let (of, bit) = rest.split_at(rest.iter().position(|b| *b == b' ')?);
            let bit: usize = std::str::from_utf8(&bit[1..]).ok()?.parse().ok()?;
            let value = headers.get_mut(name(of)?)?;
            let mut bytes = value.as_bytes().to_vec();
            *bytes.get_mut(bit / 8)? ^= 1 << (bit % 8);
            *value = HeaderValue::from_bytes(&bytes).ok()?;
        }
        _ => {
            let (of, value) = line.split_at(line.iter().position(|b| *b == b':')?);
            headers.append(name(of)?, HeaderValue::from_bytes(value[1..].trim_ascii_start()).ok()?);
        }
    }
    Some(())
}
