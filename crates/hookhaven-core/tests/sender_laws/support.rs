//! Cases for the laws: every sender of the table, the configured one in several shapes, each with secrets of
//! the form it needs.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use hookhaven_core::{
    Secret, Time,
    sender::{CannotSign, Cover, Keys, Own, Proof, Rejection, Request, Sample, Sender, Signed},
    senders::{
        self, Declaration, Form, HmacOptions, Mechanism, Scheme, SenderOptions, SignedSpec, TABLE, TimestampOptions,
        Unit,
    },
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::fetched;

pub const NOW: Time = Time::from_s(1_790_000_000);
pub const TOLERANCE: Duration = Duration::from_secs(300);
pub const URL: &str = "https://hooks.example.com/webhooks/x?tenant=7";
pub const OWN: Own<'static> = Own { secrets: &[], verify_token: None, awaits_secret: false };

/// Three secrets in each of the forms that senders need; two of them are the source's.
const SECRETS: [[&str; 3]; 6] = [
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
    ["user:one", "user:another", "user:a stranger's"],
    [
        "arn:aws:sns:eu-west-1:123456789012:orders",
        "arn:aws:sns:eu-west-1:123456789012:returns",
        "arn:aws:sns:eu-west-1:666666666666:orders",
    ],
    ["sandbox:client:one", "sandbox:client:another", "sandbox:client:stranger"],
];

pub struct Case {
    pub label: String,
    pub declaration: &'static Declaration,
    pub sender: Arc<dyn Sender>,
    pub verifies: bool,
    /// The source's two, then a stranger's.
    pub secrets: [Secret; 3],
    /// What signs so that it holds under the secret of the same position.
    signing: [Secret; 3],
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

/// All that a new sender of a declarative family needs. This one is nobody's.
static DECLARED: Declaration = Declaration {
    name: "declared",
    title: "A sender that is all data",
    scheme: Scheme::Signed(SignedSpec {
        header: "declared-signature",
        form: Form::pairs(b';', Some("ts"), "h1"),
        signed: "{timestamp}:{body}",
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/event_id"],
    event_type: &["json:/event/type"],
    time: &["json:/event/at"],
    ..Declaration::DEFAULT
};

pub fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for declaration in TABLE.iter().copied().chain([&DECLARED]) {
        for (label, options) in options_of(declaration.name) {
            let sender = declaration.build(&options).unwrap();
            let (secrets, signing) = secrets_for(declaration, &*sender);
            let label = format!("{}{label}", declaration.name);
            all.push(Case { label, declaration, sender, verifies: declaration.verifies(), secrets, signing });
        }
    }
    all
}

/// What the source has, and what signs.
fn secrets_for(declaration: &Declaration, sender: &dyn Sender) -> ([Secret; 3], [Secret; 3]) {
    let secret = |text: String| Secret::new(text).unwrap();
    let pairs = match &declaration.scheme {
        Scheme::Signed(SignedSpec { by: Mechanism::Ed25519, .. }) => [7, 8, 9].map(ed25519),
        Scheme::Signed(SignedSpec { by: Mechanism::EcdsaP256, .. }) => fetched::EC_KEYS.clone(),
        _ if declaration.name == "paddle-classic" => {
            [0, 1, 2].map(|n| (fetched::RSA_KEYS[n].0.clone(), "nobody but Paddle can sign".to_owned()))
        }
        _ => {
            let fits =
                |set: &&[&str; 3]| set.iter().all(|text| sender.check_secret(&secret((*text).to_owned())).is_ok());
            let all = SECRETS.iter().chain([&["WEBHOOK1", "WEBHOOK2", "WEBHOOK3"]]);
            let own = all.clone().find(fits).expect("add secrets of this sender's form");
            own.map(|text| (text.to_owned(), text.to_owned()))
        }
    };
    let source = pairs.clone().map(|(public, _)| secret(public));
    for secret in &source {
        sender.check_secret(secret).unwrap();
    }
    (source, pairs.map(|(_, private)| secret(private)))
}

/// Public key in hex, and the private one as PKCS#8 in base64 (RFC 8410).
fn ed25519(seed: u8) -> (String, String) {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    let pkcs8 = [&hex::decode("302e020100300506032b657004220420").unwrap(), &[seed; 32][..]].concat();
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8).unwrap();
    (hex::encode(pair.public_key()), STANDARD.encode(pkcs8))
}

pub fn verifying() -> Vec<Case> {
    cases().into_iter().filter(|case| case.verifies).collect()
}

fn options_of(name: &str) -> Vec<(&'static str, SenderOptions)> {
    if name != "hmac" {
        return vec![("", SenderOptions::default())];
    }
    let plain = || HmacOptions::new(HeaderName::from_static("x-partner-signature")).unwrap();
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
        self.sign(&sample, secret).unwrap()
    }

    /// As the sender would; where only the sender can, as our own reading of its documentation says.
    pub fn sign(&self, sample: &Sample, secret: usize) -> Result<Signed, CannotSign> {
        match fetched::sign(&self.label, sample, &self.secrets[secret], secret) {
            Some(signed) => Ok(signed),
            None => self.sender.sign(sample, Some(URL), &self.signing[secret], NOW),
        }
    }

    /// Whether a change of the body is a change of what is covered.
    pub fn covers_body(&self) -> bool {
        matches!(self.sender.covers(), Cover::Whole | Cover::Checksum)
    }

    /// Whether a proof says which secret it rests on.
    pub fn names_secret(&self) -> bool {
        self.verifies && self.label != "plaid"
    }

    /// Whether the two verify alike, so that one takes the other's requests under the same secret: the users of
    /// Standard Webhooks, those with GitHub's header.
    pub fn is_kin_of(&self, other: &Case) -> bool {
        let same = self.declaration.scheme == other.declaration.scheme;
        same && !matches!(self.declaration.scheme, Scheme::Own { .. }) && self.declaration.name != "hmac"
    }

    /// Some sign what a form says and not how its escapes are written (`%2b` for `%2B`).
    pub fn covers_decoded_form(&self) -> bool {
        ["twilio", "mandrill", "paddle-classic"].contains(&self.sender.name())
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
        let query = signed.query.strip_prefix('?');
        let request =
            Request { method: &Method::POST, url: url.as_deref(), query, headers: &headers, body: &signed.body };
        verify(&*self.sender, &request, &Keys { secrets, tolerance: TOLERANCE, now, fetched: None })
    }
}

/// With what the sender publishes, as the gateway would have fetched it.
pub fn verify(sender: &dyn Sender, request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
    let fetched = sender.needs(request, keys)?.and_then(|fetch| fetched::answer(&fetch));
    sender.verify(request, &Keys { fetched: fetched.as_deref(), ..*keys })
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
