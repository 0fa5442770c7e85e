//! What the demo sends: real-looking events of four senders, correctly signed, and among them what
//! senders and attackers do: the same event twice, forged, stale, out of order, signed with the secret of
//! another sender.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use hookhaven_core::{
    Secret, Time,
    sender::{Request, Sample, Sender, Signed},
    senders::facts_or_fallback,
};
use hookhaven_store::clock::Entropy;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::handler::POISON;

/// Good events of each sender.
const EVENTS_EACH: usize = 120;
/// Every this-many-th event is one that the handler refuses until it is mended.
const POISON_EVERY: usize = 60;

/// A source of the demo.
#[derive(Clone, Debug)]
pub struct DemoSource {
    pub name: &'static str,
    pub destination: &'static str,
    pub types: &'static [&'static str],
    pub sender: Arc<dyn Sender>,
    pub secret: Secret,
    /// As the sender knows it.
    pub url: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Good,
    /// Sent before, with the same id.
    Repeat,
    /// One byte of the body changed after signing.
    Forged,
    /// Signed an hour ago.
    Stale,
    /// Signed with another sender's secret.
    WrongSecret,
}

/// One request to be sent.
#[derive(Clone, Debug)]
pub struct Planned {
    pub source: &'static str,
    pub kind: Kind,
    /// The sender's id of the event.
    pub key: String,
    pub signed: Signed,
}

/// Everything to be sent, in order.
pub fn plan(sources: &[DemoSource], now: Time, entropy: &dyn Entropy) -> Result<Vec<Planned>> {
    let mut all = Vec::new();
    for n in 0..EVENTS_EACH {
        for (s, source) in sources.iter().enumerate() {
            let event_type = source.types[n % source.types.len()];
            let sample = sample(source, event_type, n, now, entropy)?;
            let good = source.sign(&sample, &source.secret, now)?;
            let key = source.key(&good)?;
            let mut push = |kind, signed| all.push(Planned { source: source.name, kind, key: key.clone(), signed });
            if n % 12 == 5 {
                push(Kind::Repeat, good.clone());
            }
            if n % 10 == 3 {
                push(Kind::Forged, forge(good.clone()));
            }
            if n % 20 == 7 && signs_time(source) {
                push(Kind::Stale, source.sign(&sample, &source.secret, now.minus(Duration::from_secs(3600)))?);
            }
            if n % 20 == 11 {
                let other = &sources[(s + 1) % sources.len()].secret;
                push(Kind::WrongSecret, source.sign(&sample, other, now)?);
            }
            push(Kind::Good, good);
        }
    }
    disorder(&mut all);
    Ok(all)
}

fn sample(source: &DemoSource, event_type: &str, n: usize, now: Time, entropy: &dyn Entropy) -> Result<Sample> {
    let id = format!("demo{n:04}{}", hex::encode(entropy.id_bytes()));
    let mut sample = source.sender.sample(event_type, &id, now).context("the sample could not be made")?;
    if n % POISON_EVERY == POISON_EVERY - 1 {
        poison(&mut sample);
    }
    Ok(sample)
}

/// Marks a body so that the handler refuses it, keeping it what its sender would send.
fn poison(sample: &mut Sample) {
    match sample.body.first() {
        Some(b'{') => {
            let rest = sample.body.split_off(1);
            sample.body.extend_from_slice(format!("\"note\":\"{POISON}\",").as_bytes());
            sample.body.extend_from_slice(&rest);
        }
        _ => sample.body.extend_from_slice(format!("&Note={POISON}").as_bytes()),
    }
}

fn forge(mut signed: Signed) -> Signed {
    if let Some(byte) = signed.body.iter_mut().rev().find(|b| b.is_ascii_digit()) {
        *byte = if *byte == b'9' { b'8' } else { *byte + 1 };
    }
    signed
}

fn signs_time(source: &DemoSource) -> bool {
    matches!(source.name, "stripe" | "slack")
}

/// Swaps neighbours here and there: senders promise no order.
fn disorder(all: &mut [Planned]) {
    for pair in all.chunks_mut(9) {
        pair.reverse();
    }
}

impl DemoSource {
    fn sign(&self, sample: &Sample, secret: &Secret, at: Time) -> Result<Signed> {
        self.sender.sign(sample, Some(&self.url), secret, at).with_context(|| format!("{} could not sign", self.name))
    }

    /// The idempotency key that the gateway will find.
    fn key(&self, signed: &Signed) -> Result<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &signed.headers {
            headers.insert(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
        }
        let request =
            Request { method: &Method::POST, url: Some(&self.url), query: None, headers: &headers, body: &signed.body };
        Ok(facts_or_fallback(&*self.sender, &request).0)
    }
}
