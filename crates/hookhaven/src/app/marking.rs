//! Marks that the gateway makes by itself: that it started, and that its configuration changed. A mark that cannot be kept
//! is let go: charts are the poorer for it, and nothing else.

use std::sync::Arc;

use hookhaven_core::MarkId;
use hookhaven_store::{
    Store,
    clock::{Clock, Entropy},
};
use serde_json::Value;

use crate::{
    config::{Config, Role},
    marks::{self, Mark, MarkKind, TEXT_BYTES_MAX},
};

#[derive(Clone, Debug)]
pub(super) struct Marker {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// This node's id.
    pub node: String,
}

impl Marker {
    pub async fn started(self, role: Role) {
        let version = env!("CARGO_PKG_VERSION");
        let text = match role {
            Role::All => format!("hookhaven {version} started"),
            role => format!("hookhaven {version} started as {}", role.as_str()),
        };
        self.mark(MarkKind::Start, text, None).await;
    }

    /// `changed`: names of what came, went and changed, by kind.
    pub async fn reloaded(&self, config: &Config, changed: &Value) {
        // Nodes of one store see the same change, each by itself.
        let common = config.shares_store().then(|| marks::common_id(self.clock.now(), &config.fingerprint));
        self.mark(MarkKind::Config, in_words(changed), common).await;
    }

    async fn mark(&self, kind: MarkKind, text: String, id: Option<MarkId>) {
        let now = self.clock.now();
        let id = id.unwrap_or_else(|| MarkId::mint(now, self.entropy.id_bytes()));
        let mark = Mark { id, at: now, kind, text, by: self.node.clone() };
        if let Err(error) = marks::put(&*self.store, &mark, now).await {
            tracing::warn!(kind = kind.as_str(), %error, "a mark for the charts could not be kept");
        }
    }
}

/// `config changed: sources added github; routes changed stripe#1`.
fn in_words(changed: &Value) -> String {
    let mut parts = Vec::new();
    for (kind, how) in changed.as_object().into_iter().flatten() {
        for (how, names) in how.as_object().into_iter().flatten() {
            let names: Vec<&str> = names.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            parts.push(format!("{kind} {how} {}", names.join(", ")));
        }
    }
    let mut text = match parts.is_empty() {
        true => "config changed".to_owned(),
        false => format!("config changed: {}", parts.join("; ")),
    };
    if text.len() > TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX - '…'.len_utf8()));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_is_told_in_a_line_that_fits() {
        let changed = json!({ "sources": { "added": ["github"], "changed": ["stripe", "slack"] } });
        assert_eq!(in_words(&changed), "config changed: sources added github; sources changed stripe, slack");
        assert_eq!(in_words(&json!({})), "config changed");
        let many: Vec<String> = (0..100).map(|n| format!("source-{n}")).collect();
        let text = in_words(&json!({ "sources": { "added": many } }));
        assert!(text.len() <= TEXT_BYTES_MAX && text.ends_with('…'), "{text}");
    }
}
