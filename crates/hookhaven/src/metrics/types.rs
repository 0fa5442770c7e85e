//! Event types as label values, bounded: senders choose them, so they could be without end.
//!
//! Reading is lock-free, for it is done at every request; a type seen for the first time takes a lock
//! and replaces the table.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock},
};

use arc_swap::ArcSwap;
use prometheus_client::metrics::{counter::Counter, family::Family};

use super::OfType;

/// What types past the limit, and unfit ones, count as.
const OTHER: &str = "other";
/// Longer types are unfit for a label.
const LABEL_BYTES_MAX: usize = 128;

/// The counters of one source and type.
pub(super) struct Series {
    label: Arc<str>,
    pub received: Counter,
    unrouted: OnceLock<Counter>,
    unrouted_family: Family<OfType, Counter>,
    of: OfType,
}

impl Series {
    /// Made when first needed, so that routed types show no such series.
    pub fn unrouted(&self) -> &Counter {
        self.unrouted.get_or_init(|| self.unrouted_family.get_or_create_owned(&self.of))
    }
}

type OfOneSource = HashMap<Arc<str>, Arc<Series>>;
type Table = HashMap<Arc<str>, OfOneSource>;

pub(super) struct Types {
    max: usize,
    table: ArcSwap<Table>,
    growing: Mutex<()>,
    received: Family<OfType, Counter>,
    unrouted: Family<OfType, Counter>,
}

impl Types {
    pub fn new(max: usize, received: Family<OfType, Counter>, unrouted: Family<OfType, Counter>) -> Self {
        Types { max, table: ArcSwap::default(), growing: Mutex::default(), received, unrouted }
    }

    pub fn with<R>(&self, source: &str, event_type: &str, act: impl FnOnce(&Series) -> R) -> R {
        let event_type = fit(event_type);
        if let Some(series) = self.table.load().get(source).and_then(|types| self.find(types, event_type)) {
            return act(series);
        }
        act(&self.add(source, event_type))
    }

    /// The type as it may stand in a label.
    pub fn label(&self, source: &str, event_type: &str) -> Arc<str> {
        self.with(source, event_type, |series| series.label.clone())
    }

    fn find<'a>(&self, types: &'a OfOneSource, event_type: &str) -> Option<&'a Arc<Series>> {
        let known = types.get(event_type);
        // `other` itself does not count against the limit.
        let full = || types.len() >= self.max + usize::from(types.contains_key(OTHER));
        known.or_else(|| if full() { types.get(OTHER) } else { None })
    }

    fn add(&self, source: &str, event_type: &str) -> Arc<Series> {
        let _one_at_a_time = self.growing.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut table = Table::clone(&self.table.load());
        let source: Arc<str> = source.into();
        let types = table.entry(source.clone()).or_default();
        if let Some(series) = self.find(types, event_type) {
            return series.clone();
        }
        let full = types.len() >= self.max + usize::from(types.contains_key(OTHER));
        let label: Arc<str> = if full { OTHER } else { event_type }.into();
        let of = OfType { source, r#type: label.clone() };
        let series = Arc::new(Series {
            label: label.clone(),
            received: self.received.get_or_create_owned(&of),
            unrouted: OnceLock::new(),
            unrouted_family: self.unrouted.clone(),
            of,
        });
        types.insert(label, series.clone());
        self.table.store(Arc::new(table));
        series
    }
}

fn fit(event_type: &str) -> &str {
    let unfit = event_type.len() > LABEL_BYTES_MAX || event_type.chars().any(char::is_control);
    if unfit { OTHER } else { event_type }
}
