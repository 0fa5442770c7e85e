//! What the demo and torture both stand on: sources whose requests are signed here as their senders would
//! sign them, a check of what the gateway signs, and a directory that goes when they end.
//!
//! Not here: what is sent, what is expected of it, or how a gateway is started.

mod directory;
mod receiver;
mod signer;
mod stop;

use std::sync::Arc;

use anyhow::{Context as _, Result};
use hookhaven_core::{Secret, sender::Sender, senders};
use hookhaven_store::clock::Entropy;

pub use self::{
    directory::Directory,
    receiver::Receiver,
    signer::{Signer, annotate, forge},
    stop::Stop,
};

/// As senders know the gateway; Twilio signs it.
pub const PUBLIC_URL: &str = "https://hooks.example.com";

/// A sender of the table, by its name.
pub fn sender(name: &str) -> Result<Arc<dyn Sender>> {
    let def = senders::find(name).with_context(|| format!("no sender {name}"))?;
    Ok(def.build(&senders::SenderOptions::default())?)
}

/// A fresh secret of 24 bytes, in base64 after the prefix.
pub fn secret(prefix: &str, entropy: &dyn Entropy) -> Result<Secret> {
    let mut bytes = [0; 24];
    entropy.fill(&mut bytes);
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    Secret::new(format!("{prefix}{text}")).context("no random bytes")
}

/// A secret as it stands in a config file that is made for one run and then removed.
pub fn plain(secret: &Secret) -> String {
    String::from_utf8_lossy(secret.expose()).into_owned()
}
