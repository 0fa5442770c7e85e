//! What the demo sends: real-looking events of four senders, correctly signed, and among them what
//! senders and attackers do: the same event twice, forged, stale, out of order, signed with the secret of
//! another sender.

use std::time::Duration;

use anyhow::{Context as _, Result};
use hookhaven_core::{
    Time,
    sender::{Sample, Signed},
};
use hookhaven_store::clock::Entropy;

use super::handler::POISON;
use crate::stage::{Signer, annotate, forge};

/// Good events of each sender.
const EVENTS_EACH: usize = 120;
/// Every this-many-th event is one that the handler refuses until it is mended.
const POISON_EVERY: usize = 60;

/// A source of the demo.
#[derive(Clone, Debug)]
pub struct DemoSource {
    pub destination: &'static str,
    pub types: &'static [&'static str],
    pub signer: Signer,
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
            let signer = &source.signer;
            let good = signer.sign(&sample, &signer.secret, now)?;
            let key = signer.key(&good)?;
            let mut push = |kind, signed| all.push(Planned { source: signer.name, kind, key: key.clone(), signed });
            if n % 12 == 5 {
                push(Kind::Repeat, good.clone());
            }
            if n % 10 == 3 {
                push(Kind::Forged, forge(good.clone()));
            }
            if n % 20 == 7 && signer.sender.signs_time() {
                push(Kind::Stale, signer.sign(&sample, &signer.secret, now.minus(Duration::from_secs(3600)))?);
            }
            if n % 20 == 11 {
                let other = &sources[(s + 1) % sources.len()].signer.secret;
                push(Kind::WrongSecret, signer.sign(&sample, other, now)?);
            }
            push(Kind::Good, good);
        }
    }
    disorder(&mut all);
    Ok(all)
}

fn sample(source: &DemoSource, event_type: &str, n: usize, now: Time, entropy: &dyn Entropy) -> Result<Sample> {
    let id = format!("demo{n:04}{}", hex::encode(entropy.id_bytes()));
    let mut sample = source.signer.sender.sample(event_type, &id, now).context("the sample could not be made")?;
    if n % POISON_EVERY == POISON_EVERY - 1 {
        annotate(&mut sample, POISON);
    }
    Ok(sample)
}

/// Swaps neighbours here and there: senders promise no order.
fn disorder(all: &mut [Planned]) {
    for pair in all.chunks_mut(9) {
        pair.reverse();
    }
}
