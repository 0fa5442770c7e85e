//! `redact`: which fields of bodies are masked where bodies are shown, for everything and for one source.
//!
//! Not here: how a body is masked (`hookhaven_core::redact`), the file's syntax (`parse/redact`).

use std::{collections::BTreeMap, sync::Arc};

use hookhaven_core::redact::Redact;

/// Fields that nobody is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redactions {
    pub everywhere: Redact,
    /// Of sources that name more; those of everywhere are among them.
    pub sources: BTreeMap<Arc<str>, Redact>,
}

impl Redactions {
    pub fn of_source(&self, source: &str) -> &Redact {
        self.sources.get(source).unwrap_or(&self.everywhere)
    }
}
