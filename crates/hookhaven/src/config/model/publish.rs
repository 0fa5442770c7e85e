//! Publishing, as the gateway uses it: who may, with which limits, and where messages may go.

use std::{fmt, sync::Arc, time::Duration};

use hookhaven_core::Secret;
use ipnet::IpNet;

/// The API that publishes messages. Each is a key under `[publish]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    pub enabled: bool,
    /// Whoever has one may publish and manage. Empty: one is made at first start; but with a shared store none
    /// is, so publishing is off.
    pub tokens: Vec<Secret>,
    /// What was made at first start and is kept beside the data; it counts where `tokens` is empty.
    pub made_token: Option<Secret>,
    /// Whoever has one may look.
    pub read_tokens: Vec<Secret>,
    /// What messages are signed with. Both or none of the two; none: made at first start and kept in the store.
    pub current_signing_key: Option<Secret>,
    pub next_signing_key: Option<Secret>,
    /// How long a deduplication id is remembered.
    pub dedupe_window: Duration,
    /// Of one message.
    pub body_bytes_max: usize,
    /// Messages in one batch.
    pub batch_max: usize,
    /// Bytes of a whole batch as it is sent.
    pub batch_bytes_max: usize,
    /// The longest delay that can be asked for.
    pub delay_max: Duration,
    /// The most retries that can be asked for.
    pub retries_max: u32,
    /// For one attempt of a message that does not say.
    pub timeout: Duration,
    /// The longest that a message can ask for.
    pub timeout_max: Duration,
    /// Kept of an answer's body: callbacks and the API show that much.
    pub answer_bytes_max: usize,
}

/// What published messages are signed with: a receiver checks with both, so that the keys can be rotated
/// without losing one.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKeys {
    pub current: Secret,
    pub next: Secret,
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKeys(…)")
    }
}

impl Publish {
    /// What opens everything.
    pub fn full_tokens(&self) -> &[Secret] {
        if self.tokens.is_empty() { self.made_token.as_slice() } else { &self.tokens }
    }

    /// Whether anybody may publish.
    pub fn is_open(&self) -> bool {
        self.enabled && !self.full_tokens().is_empty()
    }

    /// The keys, if the configuration gives them.
    pub fn signing_keys(&self) -> Option<SigningKeys> {
        let (current, next) = self.current_signing_key.clone().zip(self.next_signing_key.clone())?;
        Some(SigningKeys { current, next })
    }
}

/// `[net]`: where published messages may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Net {
    /// Beside the public Internet. Our own admin address stays closed.
    pub allow: Arc<[IpNet]>,
}

impl Default for Publish {
    fn default() -> Self {
        Publish {
            enabled: true,
            tokens: Vec::new(),
            made_token: None,
            read_tokens: Vec::new(),
            current_signing_key: None,
            next_signing_key: None,
            dedupe_window: Duration::from_secs(600),
            body_bytes_max: 1 << 20,
            batch_max: 1_000,
            batch_bytes_max: 16 << 20,
            delay_max: Duration::from_secs(365 * 24 * 3_600),
            retries_max: 100,
            // As QStash: handlers that take minutes are what many publish to.
            timeout: Duration::from_secs(15 * 60),
            timeout_max: Duration::from_secs(15 * 60),
            answer_bytes_max: 64 << 10,
        }
    }
}

impl Default for Net {
    fn default() -> Self {
        Net { allow: Arc::new([]) }
    }
}
