//! Cases for the laws: every sender of the table, the configured one in several shapes, each with secrets of
//! the form it needs.

use std::{fmt, sync::Arc, time::Duration};

use hookhaven_core::{
    Secret, Time,
    sender::{Keys, Proof, Rejection, Request, Sender, Signed},
    senders::{
        self, Declaration, Form, HmacOptions, HmacSpec, SenderDef, SenderOptions, TABLE, TimestampOptions, Unit,
    },
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

pub const NOW: Time = Time::from_s(1_790_000_000);
pub const TOLERANCE: Duration = Duration::from_secs(300);
pub const URL: &str = "https://hooks.example.com/webhooks/x?tenant=7";

/// Three secrets in each of the forms that senders need; two of them are the source's.
const SECRETS: [[&str; 3]; 3] = [
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
];

pub struct Case {
    pub label: String,
    pub sender: Arc<dyn Sender>,
    pub verifies: bool,
    /// The source's two, then a stranger's.
    pub secrets: [Secret; 3],
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

/// All that a new sender of the HMAC family needs, beside its line in the table. This one is nobody's.
const DECLARED: SenderDef = SenderDef {
    name: "declared",
    aliases: &[],
    title: "A sender that is all data",
    verifies: true,
    build: |options| DECLARATION.build(options),
};

static DECLARATION: Declaration = Declaration {
    name: "declared",
    scheme: HmacSpec {
        header: "declared-signature",
        form: Form::List { separator: b';', assign: b'=', signature: "h1", timestamp: Some("ts") },
        signed: "{timestamp}:{body}",
        ..HmacSpec::DEFAULT
    },
    id: &["json:/event_id"],
    event_type: &["json:/event/type"],
    time: &["json:/event/at"],
    ..Declaration::DEFAULT
};

pub fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for def in TABLE.iter().chain(&[DECLARED]) {
        for (label, options) in options_of(def.name) {
            let sender = (def.build)(&options).unwrap();
            let secret = |text: &str| Secret::new(text).unwrap();
            let fits = |set: &&[&str; 3]| set.iter().all(|text| sender.check_secret(&secret(text)).is_ok());
            let secrets = SECRETS.iter().find(fits).expect("add secrets of this sender's form").map(secret);
            all.push(Case { label: format!("{}{label}", def.name), sender, verifies: def.verifies, secrets });
        }
    }
    all
}

pub fn verifying() -> Vec<Case> {
    cases().into_iter().filter(|case| case.verifies).collect()
}

fn options_of(name: &str) -> Vec<(&'static str, SenderOptions)> {
    if name != "hmac" {
        return vec![("", SenderOptions::default())];
    }
    let plain = || HmacOptions::new(HeaderName::from_static("x-signature")).unwrap();
    let at = |place: &str, unit| Some(TimestampOptions { place: place.parse().unwrap(), unit });
    let full = HmacOptions {
        prefix: "sha512=".into(),
        algorithm: "sha512".parse().unwrap(),
        encoding: "base64".parse().unwrap(),
        signed: "{method} {url} {id}.{timestamp}.{header:X-Tenant}.{body}".parse().unwrap(),
        timestamp: at("header:x-time", Unit::Ms),
        id: Some("header:X-Event-Id".parse().unwrap()),
        event_type: Some("header:X-Event-Type".parse().unwrap()),
        occurred_at: at("json:/meta/at", Unit::Rfc3339),
        ..plain()
    };
    let in_body = HmacOptions {
        algorithm: "sha1".parse().unwrap(),
        timestamp: at("json:/sent", Unit::S),
        id: Some("json:/meta/id".parse().unwrap()),
        event_type: Some("json:/meta/type".parse().unwrap()),
        ..plain()
    };
    [(":plain", plain()), (":full", full), (":in-body", in_body)]
        .map(|(label, hmac)| (label, SenderOptions { hmac: Some(hmac) }))
        .into()
}

impl Case {
    pub fn a_type(&self) -> &'static str {
        self.sender.sample_types().first().copied().unwrap_or("sample")
    }

    pub fn any(&self) -> Signed {
        self.signed(self.a_type())
    }

    pub fn signed(&self, event_type: &str) -> Signed {
        self.signed_as(event_type, "id1", 0)
    }

    pub fn signed_with(&self, event_type: &str, secret: usize) -> Signed {
        self.signed_as(event_type, "id1", secret)
    }

    pub fn signed_as(&self, event_type: &str, id: &str, secret: usize) -> Signed {
        let sample = self.sender.sample(event_type, id, NOW).unwrap();
        self.sender.sign(&sample, Some(URL), &self.secrets[secret], NOW).unwrap()
    }

    /// Twilio signs what a form says and not how its escapes are written (`%2b` for `%2B`).
    pub fn covers_decoded_form(&self) -> bool {
        self.sender.name() == "twilio"
    }

    pub fn verify(&self, signed: &Signed, now: Time) -> Result<Proof, Rejection> {
        self.verify_under(&self.secrets[..2], signed, now)
    }

    pub fn verify_under(&self, secrets: &[Secret], signed: &Signed, now: Time) -> Result<Proof, Rejection> {
        self.judge(Some(URL), headers(signed), signed, secrets, now)
    }

    pub fn verify_at(&self, url: Option<&str>, signed: &Signed) -> Result<Proof, Rejection> {
        self.judge(url, headers(signed), signed, &self.secrets[..2], NOW)
    }

    /// With a header's value replaced by these. `None` if HTTP cannot carry one of them.
    pub fn verify_with(&self, signed: &Signed, name: &str, values: &[&[u8]]) -> Option<Result<Proof, Rejection>> {
        let mut map = headers(signed);
        map.remove(name);
        for value in values {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value).ok()?);
        }
        Some(self.judge(Some(URL), map, signed, &self.secrets[..2], NOW))
    }

    fn judge(
        &self,
        url: Option<&str>,
        headers: HeaderMap,
        signed: &Signed,
        secrets: &[Secret],
        now: Time,
    ) -> Result<Proof, Rejection> {
        let url = url.map(|url| format!("{url}{}", signed.query));
        let request =
            Request { method: &Method::POST, url: url.as_deref(), query: None, headers: &headers, body: &signed.body };
        self.sender.verify(&request, &Keys { secrets, tolerance: TOLERANCE, now })
    }
}

pub fn headers(signed: &Signed) -> HeaderMap {
    let pair = |(name, value): &(String, String)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    signed.headers.iter().map(pair).collect()
}

/// A request as it would arrive.
pub fn with_request<T>(signed: &Signed, see: impl FnOnce(&Request<'_>) -> T) -> T {
    let headers = headers(signed);
    let url = format!("{URL}{}", signed.query);
    see(&Request { method: &Method::POST, url: Some(&url), query: None, headers: &headers, body: &signed.body })
}

pub fn same_form(a: &[u8], b: &[u8]) -> bool {
    let sorted = |text| {
        let mut all: Vec<_> = senders::fields(text).collect();
        all.sort();
        all.dedup();
        all
    };
    sorted(a) == sorted(b)
}
