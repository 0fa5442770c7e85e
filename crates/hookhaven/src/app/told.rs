//! What is written down although nobody asked for it: what the worker does by itself, and what a changed
//! configuration changed.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use hookhaven_core::{ErrorClass, Secret};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::marking::Marker;
use crate::{
    access::{Audit, CONFIG, Note, SYSTEM},
    alerting::channel_of,
    config::{Config, reload::ReloadState},
    metrics::Metrics,
    worker::WorkerSignals,
};

/// What the worker tells: counted, and where it changed something written down.
#[derive(Debug)]
pub(super) struct Told {
    pub metrics: Arc<Metrics>,
    pub audit: Arc<Audit>,
}

impl WorkerSignals for Told {
    fn attempt(
        &self,
        source: &Arc<str>,
        destination: &Arc<str>,
        event_type: &str,
        outcome: &'static str,
        class: ErrorClass,
        took: Duration,
    ) {
        self.metrics.attempt(source, destination, event_type, outcome, class, took);
    }

    fn end_to_end(&self, source: &Arc<str>, destination: &Arc<str>, took: Duration) {
        self.metrics.end_to_end(source, destination, took);
    }

    fn deadline_missed(&self, source: &Arc<str>, destination: &Arc<str>) {
        self.metrics.deadline_missed(source, destination);
    }

    fn retried(&self) {
        self.metrics.retried();
    }

    fn lease_lost(&self) {
        self.metrics.lease_lost();
    }

    fn breaker(&self, destination: &Arc<str>, open: bool) {
        self.metrics.breaker(destination, open);
    }

    fn telling(&self, destination: &str, outcome: &'static str) {
        self.metrics.alert_telling(channel_of(destination).unwrap_or(destination), outcome);
    }

    fn paused(&self, destination: &Arc<str>) {
        let (audit, destination) = (self.audit.clone(), destination.clone());
        let note = Note::change(
            json!({ "state": "active" }),
            json!({ "state": "paused", "reason": "several deliveries in a row were answered 410 Gone" }),
        );
        // The attempt does not wait for it.
        tokio::spawn(async move { audit.record_own(SYSTEM, "destinations.pause", &destination, note).await });
    }
}

/// Writes down each configuration that was taken, with what it changed by name; one that changed something is marked on
/// the charts.
pub(super) async fn note_reloads(
    config: Arc<ArcSwap<Config>>,
    mut state: watch::Receiver<ReloadState>,
    audit: Arc<Audit>,
    marker: Marker,
) {
    let (mut before, mut generation) = (config.load_full(), state.borrow_and_update().generation);
    while state.changed().await.is_ok() {
        let now = state.borrow_and_update().generation;
        if now == generation {
            continue;
        }
        generation = now;
        let after = config.load_full();
        let changed = difference(&before, &after);
        if before.written != after.written || changed.as_object().is_some_and(|changed| !changed.is_empty()) {
            marker.reloaded(&after, &changed).await;
        }
        before = after;
        audit.record_own(CONFIG, "config.reload", "config file", Note::after(changed)).await;
    }
}

/// Names of what came, went and changed, by kind; kinds in which nothing did are left out.
fn difference(old: &Config, new: &Config) -> Value {
    let mut kinds = Map::new();
    let routes =
        |config: &Config| config.routes.iter().map(|route| (route.name.clone(), format!("{route:?}"))).collect();
    let of: [(&str, Named, Named); 3] = [
        ("sources", named(&old.sources, |s| &s.secrets), named(&new.sources, |s| &s.secrets)),
        ("destinations", named(&old.destinations, |d| &d.secrets), named(&new.destinations, |d| &d.secrets)),
        ("routes", routes(old), routes(new)),
    ];
    for (kind, old, new) in of {
        let not_in = |of: &Named, other: &Named| -> Vec<String> {
            of.keys().filter(|name| !other.contains_key(*name)).map(ToString::to_string).collect()
        };
        let (added, removed) = (not_in(&new, &old), not_in(&old, &new));
        let differs = |(name, is): &(&Arc<str>, &String)| old.get(*name).is_some_and(|was| was != *is);
        let changed: Vec<String> = new.iter().filter(differs).map(|(name, _)| name.to_string()).collect();
        let all = [("added", added), ("removed", removed), ("changed", changed)];
        let some: Map<_, _> = all
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(how, names)| (how.into(), json!(names)))
            .collect();
        if !some.is_empty() {
            kinds.insert(kind.to_owned(), some.into());
        }
    }
    Value::Object(kinds)
}

/// By name, what tells one from another. It holds secrets and is only compared.
type Named = BTreeMap<Arc<str>, String>;

fn named<T: Debug>(all: &BTreeMap<Arc<str>, Arc<T>>, secrets: impl Fn(&T) -> &Vec<Secret>) -> Named {
    let text = |it: &T| {
        let secrets: Vec<_> = secrets(it).iter().map(Secret::expose).collect();
        format!("{it:?}{secrets:?}")
    };
    all.iter().map(|(name, it)| (name.clone(), text(it))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::fixture;

    #[test]
    fn what_a_reload_changed_is_named_secrets_among_it_but_not_shown() {
        let (old, mut new) = (fixture::config(), fixture::config());
        assert_eq!(difference(&old, &new), json!({}));
        let mut source = (*new.sources["stripe"]).clone();
        source.secrets = vec![Secret::new("another-s3cret").unwrap()];
        new.sources.insert("stripe".into(), Arc::new(source));
        new.sources.remove("github");
        let mail = new.destinations["mail"].clone();
        new.destinations.insert("post".into(), mail);
        new.routes.pop();
        let changed = difference(&old, &new);
        let want = json!({
            "sources": { "removed": ["github"], "changed": ["stripe"] },
            "destinations": { "added": ["post"] },
            "routes": { "removed": ["stripe#2"] },
        });
        assert_eq!(changed, want);
        assert!(!changed.to_string().contains("s3cret"));
    }
}
