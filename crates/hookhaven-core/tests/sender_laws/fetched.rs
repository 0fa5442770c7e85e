//! Requests of senders whose keys are fetched, signed here as their documentation says, and what they publish.
//!
//! The keys are for tests alone. Not here: fetching (tests of the gateway).

use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};

use aws_lc_rs::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, digest},
    encoding::{AsDer, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256,
        RsaKeyPair,
    },
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hookhaven_core::{
    Secret,
    sender::{Fetch, Keys, Proof, Rejection, Sample, Signed},
    senders::{fields, sha256_hex},
};
use num_bigint::BigUint;
use serde_json::{Value, json};

use crate::support::{NOW, TOLERANCE};

const PAYPAL_CERTIFICATE: &str = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594";
const SNS_CERTIFICATE: &str =
    "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem";

/// What stands at an address; nothing does at any other.
pub fn answer(fetch: &Fetch) -> Option<Vec<u8>> {
    match &*fetch.url {
        PAYPAL_CERTIFICATE | SNS_CERTIFICATE => Some(include_bytes!("fixtures/own.pem").to_vec()),
        "https://sandbox.plaid.com/webhook_verification_key/get" => {
            let pair = ec_pair(0);
            let point = pair.public_key().as_ref();
            let [x, y] = [&point[1..33], &point[33..]].map(|part| URL_SAFE_NO_PAD.encode(part));
            let key = json!({ "alg": "ES256", "crv": "P-256", "kty": "EC", "use": "sig", "kid": "k-1", "x": x, "y": y,
                              "created_at": 1_600_000_000, "expired_at": null });
            Some(json!({ "key": key, "request_id": "r" }).to_string().into_bytes())
        }
        _ => None,
    }
}

/// `None` for senders that sign by themselves. A stranger has another private key, or another topic or webhook.
pub fn sign(sender: &str, sample: &Sample, secret: &Secret, position: usize) -> Option<Signed> {
    match sender {
        "paypal" => Some(paypal(sample, secret)),
        "plaid" => Some(plaid(sample, position)),
        "aws-sns" => Some(sns(sample, secret)),
        "paddle-classic" => Some(paddle_classic(sample, position)),
        _ => None,
    }
}

fn text(secret: &Secret) -> String {
    String::from_utf8(secret.expose().to_vec()).unwrap()
}

fn rsa_sign(signed: &str) -> String {
    let pkcs8 = STANDARD.decode(include_str!("fixtures/own.key.txt").replace('\n', "")).unwrap();
    let pair = RsaKeyPair::from_pkcs8(&pkcs8).unwrap();
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    STANDARD.encode(signature)
}

fn paypal(sample: &Sample, secret: &Secret) -> Signed {
    let (id, time) = ("69cd13f0-d67a-11e5-baa3-778b53f4ae55", NOW.to_string());
    let signature = rsa_sign(&format!("{id}|{time}|{}|{}", text(secret), crc32(&sample.body)));
    let headers = [
        ("content-type", "application/json"),
        ("paypal-transmission-id", id),
        ("paypal-transmission-time", &time),
        ("paypal-transmission-sig", &signature),
        ("paypal-cert-url", PAYPAL_CERTIFICATE),
        ("paypal-auth-algo", "SHA256withRSA"),
    ];
    signed(&headers, sample.body.clone())
}

/// Bit by bit, unlike the one that is tested.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

fn plaid(sample: &Sample, position: usize) -> Signed {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({ "alg": "ES256", "kid": "k-1", "typ": "JWT" });
    let claims = json!({ "iat": NOW.as_s(), "request_body_sha256": sha256_hex(&sample.body) });
    let text = format!("{}.{}", part(&header), part(&claims));
    let pair = ec_pair(if position == 2 { 1 } else { 0 });
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(&SystemRandom::new(), text.as_bytes()).unwrap());
    let headers = [("content-type", "application/json"), ("plaid-verification", &format!("{text}.{signature}"))];
    signed(&headers, sample.body.clone())
}

/// The sample's body becomes the message's fields.
fn sns(sample: &Sample, secret: &Secret) -> Signed {
    let (topic, time) = (text(secret), NOW.to_string());
    let fields = [
        ("Message", "{\"order\":1}"),
        ("MessageId", &sample.id),
        ("Timestamp", &time),
        ("TopicArn", &topic),
        ("Type", &sample.event_type),
    ];
    let text: String = fields.iter().map(|(name, value)| format!("{name}\n{value}\n")).collect();
    let mut body: Value = fields.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    body["SignatureVersion"] = "2".into();
    body["SigningCertURL"] = SNS_CERTIFICATE.into();
    body["Signature"] = rsa_sign(&text).into();
    let body = if sample.body.is_empty() { Vec::new() } else { body.to_string().into_bytes() };
    signed(&[("content-type", "text/plain; charset=UTF-8"), ("x-amz-sns-message-type", "Notification")], body)
}

/// Public key as base64 of its SubjectPublicKeyInfo, modulus and private exponent: three vendors' keys.
pub static RSA_KEYS: LazyLock<Vec<(String, BigUint, BigUint)>> = LazyLock::new(|| {
    let lines: Vec<&str> = include_str!("fixtures/rsa.txt").lines().collect();
    let number = |hex: &str| BigUint::parse_bytes(hex.as_bytes(), 16).unwrap();
    lines.chunks(3).map(|key| (key[0].to_owned(), number(key[1]), number(key[2]))).collect()
});

/// RSASSA-PKCS1-v1_5 with SHA-1 (RFC 8017), by hand: the library signs with no hash as old as that.
fn rsa_sha1(text: &[u8], (_, modulus, exponent): &(String, BigUint, BigUint)) -> String {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, text);
    let info = [&hex::decode("3021300906052b0e03021a05000414").unwrap(), hash.as_ref()].concat();
    let padded = [&[0, 1], &vec![0xff; 256 - 3 - info.len()][..], &[0], &info].concat();
    let signature = BigUint::from_bytes_be(&padded).modpow(exponent, modulus).to_bytes_be();
    STANDARD.encode([&vec![0; 256 - signature.len()][..], &signature].concat())
}

fn paddle_classic(sample: &Sample, position: usize) -> Signed {
    let text = |bytes: Cow<'_, [u8]>| String::from_utf8(bytes.into_owned()).unwrap();
    let fields: BTreeMap<String, String> = fields(&sample.body).map(|(n, v)| (text(n), text(v))).collect();
    let php: String = fields.iter().flat_map(|(n, v)| [n, v]).map(|t| format!("s:{}:\"{t}\";", t.len())).collect();
    let signature = rsa_sha1(format!("a:{}:{{{php}}}", fields.len()).as_bytes(), &RSA_KEYS[position]);
    let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let body = match sample.body.is_empty() {
        true => Vec::new(),
        false => [format!("p_signature={signature}&").as_bytes(), &sample.body].concat(),
    };
    signed(&[("content-type", "application/x-www-form-urlencoded")], body)
}

fn signed(headers: &[(&str, &str)], body: Vec<u8>) -> Signed {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Signed { headers, query: String::new(), body }
}

/// Public key as base64 of its SubjectPublicKeyInfo, private key as base64 of its PKCS#8.
pub static EC_KEYS: LazyLock<[(String, String); 3]> = LazyLock::new(|| {
    [0, 1, 2].map(|_| {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        (STANDARD.encode(public.as_ref()), STANDARD.encode(pkcs8.as_ref()))
    })
});

fn ec_pair(number: usize) -> EcdsaKeyPair {
    let pkcs8 = STANDARD.decode(&EC_KEYS[number].1).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).unwrap()
}

/// The case of a sender, and what becomes of its request when this was fetched.
fn judged(name: &str, change: impl FnOnce(&mut Signed), fetched: Option<&[u8]>) -> Result<Proof, Rejection> {
    let case = crate::support::cases().into_iter().find(|case| case.label == name).unwrap();
    let mut signed = case.any();
    change(&mut signed);
    crate::support::with_request(&signed, |request| {
        let secrets = &case.secrets[..2];
        let keys = Keys { secrets, tolerance: TOLERANCE, now: NOW, fetched };
        case.sender.needs(request, &keys)?;
        case.sender.verify(request, &keys)
    })
}

#[test]
fn a_key_that_is_another_or_none_is_no_proof() {
    for name in ["paypal", "aws-sns"] {
        let of = |fetched: Option<&[u8]>| judged(name, |_| (), fetched);
        assert_eq!(of(Some(include_bytes!("fixtures/own.pem"))), Ok(Proof { secret: Some(0) }), "{name}");
        assert_eq!(of(Some(include_bytes!("fixtures/foreign.pem"))), Err(Rejection::SignatureMismatch), "{name}");
        for broken in [None, Some(&b""[..]), Some(b"<html>"), Some(b"-----BEGIN CERTIFICATE-----\nAAAA\n")] {
            assert_eq!(of(broken), Err(Rejection::KeyUnusable), "{name}");
        }
    }
    let of = |answer: &str| judged("plaid", |_| (), Some(answer.as_bytes()));
    let zeros = URL_SAFE_NO_PAD.encode([0; 32]);
    let key = |more: &str| format!(r#"{{"key":{{"kty":"EC","crv":"P-256","x":"{zeros}","y":"{zeros}"{more}}}}}"#);
    assert_eq!(of(&key("")), Err(Rejection::SignatureMismatch));
    for unusable in ["{}", "[", &key(r#","expired_at":1700000000"#), &key("").replace("EC", "RSA")] {
        assert_eq!(of(unusable), Err(Rejection::KeyUnusable), "{unusable}");
    }
}

#[test]
fn nothing_is_fetched_but_from_the_sender() {
    let paypal = |url: &str| {
        let change = |signed: &mut Signed| {
            let header = signed.headers.iter_mut().find(|(name, _)| name == "paypal-cert-url").unwrap();
            header.1 = url.to_owned();
        };
        // Whatever was fetched: the address is looked at again.
        judged("paypal", change, Some(include_bytes!("fixtures/own.pem")))
    };
    for foreign in [
        "https://evil.example/v1/notifications/certs/CERT-1",
        "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1",
        "https://api.paypal.com@evil.example/v1/notifications/certs/CERT-1",
        "https://evil.example/?https://api.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com:444/v1/notifications/certs/CERT-1",
        "http://api.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com/v1/oauth2/token",
        "https://api.paypal.com/v1/notifications/certs/../../oauth2/token",
        "https://api.paypal.com/v1/notifications/certs/",
        "https://127.0.0.1/v1/notifications/certs/CERT-1",
        "//api.paypal.com/v1/notifications/certs/CERT-1",
        "",
    ] {
        assert_eq!(paypal(foreign), Err(Rejection::KeyUnusable), "{foreign}");
    }
}

#[test]
fn credentials_are_not_shown() {
    let case = crate::support::cases().into_iter().find(|case| case.label == "plaid").unwrap();
    let keys = Keys { secrets: &case.secrets, tolerance: TOLERANCE, now: NOW, fetched: None };
    let fetch =
        crate::support::with_request(&case.any(), |request| case.sender.needs(request, &keys)).unwrap().unwrap();
    let body = String::from_utf8(fetch.body.to_vec()).unwrap();
    assert!(body.contains(r#""secret":"one""#) && !format!("{fetch:?}").contains("one"), "{fetch:?}");
    assert!(!fetch.cache_key.contains("one"));
}
