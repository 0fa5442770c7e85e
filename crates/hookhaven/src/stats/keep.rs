//! Writing figures down each minute, making hours of old minutes, and letting go of old hours.
//!
//! Every node does all of it; each step may be done twice. An hour's entry is written before its minutes go, and both
//! are read in one look: who finds the minutes without the hour has all of them, and who finds the hour only
//! clears away.

use std::{collections::BTreeMap, sync::Arc};

use hookhaven_core::Time;
use hookhaven_store::{
    CatalogEntry, Store, StoreError,
    clock::{Clock, Entropy},
};

use super::{
    HOURS_KEPT, HOURS_KIND, MINUTE, MINUTES_KEPT, MINUTES_KIND, Recorder, figures::Figures, hour_of, minutes_kind,
};

/// Writes down what a node counts.
#[derive(Debug)]
pub struct Keep {
    recorder: Arc<Recorder>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// Of this process, in the names of its entries.
    node: String,
}

impl Keep {
    pub fn new(recorder: Arc<Recorder>, store: Arc<dyn Store>, clock: Arc<dyn Clock>, entropy: &dyn Entropy) -> Self {
        let node = hex::encode(&entropy.id_bytes()[..6]);
        Keep { recorder, store, clock, node }
    }

    /// For ever: each minute, and the old ones each hour.
    pub async fn run(self: Arc<Self>) {
        let mut tidied = None;
        let mut waiting = false;
        loop {
            let minute = start_of_minute(self.clock.now());
            self.clock.sleep_until(minute.plus(MINUTE)).await;
            waiting = self.sample(waiting).await;
            self.write(minute).await;
            let hour = hour_of(self.clock.now());
            if tidied != Some(hour) {
                match tidy(&*self.store, self.clock.now()).await {
                    Ok(()) => tidied = Some(hour),
                    Err(error) => tracing::debug!(%error, "old figures could not be tidied up; later again"),
                }
            }
        }
    }

    /// Writes down what was counted of the minute under way: another entry of it may be there already.
    pub async fn note(&self) {
        self.write(start_of_minute(self.clock.now())).await;
    }

    /// How many deliveries wait, asked only where something happens or something waited.
    async fn sample(&self, waited: bool) -> bool {
        if !waited && self.recorder.is_idle() {
            return false;
        }
        let Ok(stats) = self.store.stats().await else { return waited };
        let waiting = stats.depths.iter().filter(|depth| depth.pending + depth.leased > 0);
        let mut waits = false;
        for depth in waiting {
            self.recorder.depth(&depth.source, &depth.destination, depth.pending + depth.leased);
            waits = true;
        }
        waits
    }

    async fn write(&self, minute: Time) {
        let figures = self.recorder.take();
        if figures.is_empty() {
            return;
        }
        let of_hour = minute.as_s().rem_euclid(3_600) / 60;
        let now = self.clock.now().as_ms();
        // With the time: what a process writes when it ends is of a minute that it may have written before.
        let name = format!("{of_hour:02}/{}/{now}", self.node);
        let entry = CatalogEntry { kind: minutes_kind(hour_of(minute)), name, value: written(&figures) };
        if let Err(error) = self.store.put_catalog(entry).await {
            tracing::debug!(%error, "the figures of a minute could not be written; they go with the next");
            self.recorder.give_back(&figures);
        }
    }
}

fn start_of_minute(at: Time) -> Time {
    Time::from_s(at.as_s().div_euclid(60) * 60)
}

/// Plain maps and numbers: nothing in them can fail to be JSON.
fn written(figures: &Figures) -> Vec<u8> {
    serde_json::to_vec(figures).unwrap_or_default()
}

/// Makes hours of minutes that are too old, and lets go of hours that are.
pub async fn tidy(store: &dyn Store, now: Time) -> Result<(), StoreError> {
    let (first, last) = (hour_of(now.minus(HOURS_KEPT)), hour_of(now.minus(MINUTES_KEPT)));
    let mut kinds: Vec<String> = (first..last).map(minutes_kind).collect();
    kinds.push(HOURS_KIND.to_owned());
    let entries = store.catalog_of(&kinds.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    let (hours, minutes): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.kind == HOURS_KIND);
    let mut by_hour: BTreeMap<i64, Vec<CatalogEntry>> = BTreeMap::new();
    for entry in minutes {
        if let Some(hour) = hour_of_kind(&entry.kind) {
            by_hour.entry(hour).or_default().push(entry);
        }
    }
    for (hour, minutes) in by_hour {
        let name = hour.to_string();
        if !hours.iter().any(|entry| entry.name == name) {
            let mut sum = Figures::default();
            minutes.iter().filter_map(read).for_each(|figures| sum.merge(&figures));
            store.put_catalog(CatalogEntry { kind: HOURS_KIND.to_owned(), name, value: written(&sum) }).await?;
        }
        for minute in minutes {
            store.delete_catalog(&minute.kind, &minute.name).await?;
        }
    }
    for old in hours.iter().filter(|entry| entry.name.parse().is_ok_and(|hour: i64| hour < first)) {
        store.delete_catalog(&old.kind, &old.name).await?;
    }
    Ok(())
}

/// `None` for what a newer version may have written.
pub(super) fn read(entry: &CatalogEntry) -> Option<Figures> {
    serde_json::from_slice(&entry.value).ok()
}

pub(super) fn hour_of_kind(kind: &str) -> Option<i64> {
    kind.strip_prefix(MINUTES_KIND)?.strip_prefix(':')?.parse().ok()
}
