//! How rejected requests are kept (`[quarantine]`, and the same for one source), and how old a secret may become.
//!
//! Not here: keeping them (`crate::quarantine`), the file's syntax (`parse/quarantine`).

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, time::Duration};

use hookhaven_core::destination::Rate;
use hookhaven_store::quarantine::Bounds;

/// Unless the file says otherwise: a quarter of a year.
const SECRETS_MAX_AGE: Duration = Duration::from_secs(90 * 86_400);

/// How much is kept of one source, and how often something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    pub bounds: Bounds,
    /// Under a flood only so many are kept; the others are counted.
    pub rate: Rate,
}

impl Default for Terms {
    fn default() -> Self {
        let count = NonZeroU32::new(5).unwrap_or(NonZeroU32::MIN);
        Terms { bounds: Bounds::default(), rate: Rate { count, per: Duration::from_secs(1) } }
    }
}

/// What is kept of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// `None`: nothing is kept.
    pub default: Option<Terms>,
    /// Of sources that say otherwise.
    pub sources: BTreeMap<Arc<str>, Option<Terms>>,
}

impl Default for Quarantine {
    fn default() -> Self {
        Quarantine { default: Some(Terms::default()), sources: BTreeMap::new() }
    }
}

impl Quarantine {
    pub fn terms(&self, source: &str) -> Option<Terms> {
        self.sources.get(source).copied().unwrap_or(self.default)
    }
}

/// `secrets_max_age`: when a secret should have been replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretAges {
    pub default: Duration,
    /// Of sources that say otherwise.
    pub sources: BTreeMap<Arc<str>, Duration>,
}

impl Default for SecretAges {
    fn default() -> Self {
        SecretAges { default: SECRETS_MAX_AGE, sources: BTreeMap::new() }
    }
}

impl SecretAges {
    pub fn of_source(&self, source: &str) -> Duration {
        self.sources.get(source).copied().unwrap_or(self.default)
    }
}
