//! Amazon SNS over HTTPS: RSA over the fields of the message, under a certificate that the message names and that
//! must be SNS's own. JSON under `text/plain`.
//!
//! Anybody with an AWS account can have SNS sign a message of a topic of theirs. So the source's secrets are the ARNs
//! of the topics that may post here, and a subscription is confirmed only for those. Raw delivery is not signed and
//! refused. Facts: AWS's validators.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::super::{
    declared::Declared,
    mac::{SECRETS_MAX, same_text},
    prelude::*,
    published::{RsaHash, own_url, verify_rsa},
    signed::within,
};
use crate::{
    secret::Secret,
    sender::{Answer, CannotSign, Cover, Fetch, Keys, Own, Proof, Rejection, Reply, Request, Sample, Signed},
    time::Time,
};

pub static SENDER: Declaration = Declaration {
    name: "aws-sns",
    aliases: &["sns"],
    title: "Amazon SNS",
    scheme: Scheme::Own {
        how: "in the body: RSA (SHA-256; SHA-1 in version 1) over the message's fields, under a certificate fetched \
              from SNS; and the topic must be one of the source's",
        covers: Cover::Part,
        signs_id: true,
        signs_type: true,
        signs_time: true,
        signs_url: false,
    },
    id: &["json:/MessageId"],
    event_type: &["json:/Type"],
    time: &["json:/Timestamp"],
    order_key: &["json:/TopicArn"],
    // A message's time is when it was published, and delivery policies go on for hours.
    tolerance: Duration::from_secs(86_400),
    content_types: &[],
    sample_types: &["Notification"],
    about: About {
        secret: "the topic's ARN, which messages must come from (it is no secret, but must be listed)",
        rotation: Rotation::Public,
        paste: "SNS → the topic → Create subscription → HTTPS → Endpoint; raw message delivery off",
        quirks: &[
            "A subscription is confirmed by itself if its topic is among the secrets.",
            "Certificates are fetched from SNS (HTTPS, egress to sns.*.amazonaws.com) and kept for a day.",
            "Choose SignatureVersion 2 for the topic: version 1 is SHA-1.",
        ],
        docs: "https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html",
        timeout_s: Some(15),
        retries: Retries::hours(1, "by the topic's delivery policy; three times, 20 s apart, by default"),
    },
    conduct: Conduct {
        order: OrderPromise::None,
        reconcile: "a dead-letter queue of the subscription (RedrivePolicy) holds what was not taken; without one it is gone",
        gives_up: "it tries by the delivery policy and drops the message, or moves it to the subscription's dead-letter queue",
        ..Conduct::UNKNOWN
    },
    code: Code {
        needs: Some(needs),
        verify: Some(verify),
        handshake: Some(confirmation),
        check_secret: Some(check_secret),
        sign: Some(cannot_sign),
        ..Code::NONE
    },
    ..Declaration::DEFAULT
};

/// What is signed of a message. A key that is there twice is an error: readers would disagree on it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    #[serde(rename = "Type")]
    kind: String,
    message_id: String,
    topic_arn: String,
    message: String,
    timestamp: String,
    subject: Option<String>,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: Option<String>,
    token: Option<String>,
    signature: Option<String>,
    signature_version: Option<String>,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: Option<String>,
}

impl Message {
    fn read(request: &Request<'_>) -> Result<Self, Rejection> {
        if request.body.is_empty() {
            return Err(Rejection::BodyEmpty);
        }
        serde_json::from_slice(request.body).map_err(|_| Rejection::SignatureMissing)
    }

    fn asks_to_confirm(&self) -> bool {
        self.kind == "SubscriptionConfirmation"
    }

    /// Names and values in the order of names, a line each. What is absent is left out. The address and token of a
    /// confirmation are only signed where they belong.
    fn signed_text(&self) -> String {
        let about_subscription = self.kind != "Notification";
        let only_then = |value: &Option<String>| value.clone().filter(|_| about_subscription);
        let fields = [
            ("Message", Some(self.message.clone())),
            ("MessageId", Some(self.message_id.clone())),
            ("Subject", self.subject.clone().filter(|_| !about_subscription)),
            ("SubscribeURL", only_then(&self.subscribe_url)),
            ("Timestamp", Some(self.timestamp.clone())),
            ("Token", only_then(&self.token)),
            ("TopicArn", Some(self.topic_arn.clone())),
            ("Type", Some(self.kind.clone())),
        ];
        fields.into_iter().filter_map(|(name, value)| Some(format!("{name}\n{}\n", value?))).collect()
    }
}

/// `sns.<region>.amazonaws.com`, or China's.
fn is_sns(host: &str) -> bool {
    let rest = host.strip_prefix("sns.").unwrap_or_default();
    let region = rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn"));
    region
        .is_some_and(|r| !r.is_empty() && r.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'))
}

fn needs(request: &Request<'_>, keys: &Keys<'_>) -> Result<Option<Fetch>, Rejection> {
    let message = Message::read(request)?;
    // Nothing is fetched for topics that are not ours.
    topic(&message, keys)?;
    let certificate = |host: &str, path: &str| {
        let name = path.strip_prefix("/SimpleNotificationService-").and_then(|name| name.strip_suffix(".pem"));
        is_sns(host) && name.is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    let url = own_url(message.signing_cert_url.as_deref().ok_or(Rejection::SignatureMissing)?, certificate)?;
    Ok(Some(Fetch::get(url)))
}

fn topic(message: &Message, keys: &Keys<'_>) -> Result<u8, Rejection> {
    let ours = |arn: &Secret| same_text(arn.expose(), message.topic_arn.as_bytes());
    let position = keys.secrets.iter().take(SECRETS_MAX).position(ours);
    position.and_then(|n| u8::try_from(n).ok()).ok_or(Rejection::SignatureMismatch)
}

fn verify(request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
    let message = Message::read(request)?;
    let signature = message.signature.as_deref().ok_or(Rejection::SignatureMissing)?;
    needs(request, keys)?;
    let position = topic(&message, keys)?;
    let hash = match message.signature_version.as_deref() {
        Some("2") => RsaHash::Sha256,
        Some("1") => RsaHash::Sha1,
        _ => return Err(Rejection::SignatureMalformed),
    };
    let signature = STANDARD.decode(signature).map_err(|_| Rejection::SignatureMalformed)?;
    let certificate = keys.fetched.ok_or(Rejection::KeyUnusable)?;
    verify_rsa(certificate, hash, message.signed_text().as_bytes(), &signature)?;
    let at = Unit::Rfc3339.read_strict(message.timestamp.as_bytes()).ok_or(Rejection::TimestampMalformed)?;
    within(at, keys.now, keys.tolerance)?;
    Ok(Proof { secret: Some(position) })
}

/// The topic was compared and the address signed; the host is looked at all the same.
fn confirmation(request: &Request<'_>, _: &Own<'_>) -> Option<Reply> {
    let message = Message::read(request).ok().filter(Message::asks_to_confirm)?;
    match own_url(message.subscribe_url.as_deref()?, |host, _| is_sns(host)) {
        Ok(url) => Some(Reply::Call { url, answer: Answer::empty() }),
        Err(_) => Some(Reply::Refuse),
    }
}

fn check_secret(secret: &Secret) -> Result<(), String> {
    let is_arn = secret.expose().starts_with(b"arn:aws") && secret.expose().windows(5).any(|w| w == b":sns:");
    let mend = "the secrets of an SNS source are the ARNs of its topics, such as \"arn:aws:sns:eu-west-1:123456789012:orders\"";
    if is_arn { Ok(()) } else { Err(mend.to_owned()) }
}

fn cannot_sign(_: &Declared, _: &Sample, _: Option<&str>, _: &Secret, _: Time) -> Result<Signed, CannotSign> {
    Err(CannotSign("only SNS can sign: it keeps the private key; publish a message to the topic".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sns_itself_is_fetched_from() {
        for host in ["sns.eu-west-1.amazonaws.com", "sns.cn-north-1.amazonaws.com.cn"] {
            assert!(is_sns(host), "{host}");
        }
        for host in [
            "sns.amazonaws.com.evil.example",
            "sns.evil.example",
            "evil-sns.eu-west-1.amazonaws.com",
            "sns.a.b.amazonaws.com",
            "sns..amazonaws.com",
            "bucket.s3.amazonaws.com",
            "169.254.169.254",
        ] {
            assert!(!is_sns(host), "{host}");
        }
    }
}
