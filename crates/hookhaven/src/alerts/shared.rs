//! What nodes know of each other, in the store's catalog: episodes, silences, who rests or is paused, and what each
//! node has counted. Small entries of which the last writing stands: none of them decides what is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hookhaven_core::{
    Time,
    alert::{Episode, Figure, Known, Silence},
};
use hookhaven_store::{CatalogEntry, StoreError};
use serde::{Deserialize, Serialize};

use super::AlertParts;
use crate::{
    alerting::{ALERT_KIND, FIGURES_KIND, SILENCE_KIND},
    config::Config,
};

/// The worker's: who rests, and who is paused by whom.
const BREAKER_KIND: &str = "destination-breaker";
const PAUSED_KIND: &str = "destination-paused";
const KINDS: [&str; 5] = [ALERT_KIND, SILENCE_KIND, FIGURES_KIND, BREAKER_KIND, PAUSED_KIND];

/// What a node has counted is forgotten so long after it fell silent.
const FIGURES_FOR: Duration = Duration::from_secs(3_600);
/// How long an alert that is over is listed. Longer than its keys are remembered, so that a number is never used again.
const ENDED_FOR: Duration = Duration::from_secs(8 * 86_400);
/// How often it is looked for what is old.
const TIDY_EVERY: Duration = Duration::from_secs(3_600);
/// A node's figures; there are few rules and scopes, but nobody promised it.
const FIGURES_MAX: usize = 2_000;

#[derive(Debug, Default)]
pub struct Shared {
    known: Known,
    silences: Vec<Silence>,
    breakers: BTreeSet<String>,
    paused_by_410: BTreeSet<String>,
    others: BTreeMap<String, Counted>,
    /// What this node last told the others.
    published: Vec<Figure>,
    /// What could not be written; `None`: was to be forgotten.
    unsaved: BTreeMap<(String, String), Option<Episode>>,
    tidied_at: Option<Time>,
}

/// The value of an `alert-figures` entry.
#[derive(Debug, Serialize, Deserialize)]
struct Counted {
    at: Time,
    figures: Vec<Figure>,
    #[serde(skip)]
    lives: bool,
}

/// What counts here of the value of a `destination-paused` entry.
#[derive(Deserialize)]
struct Pause {
    #[serde(default)]
    by: String,
}

impl Shared {
    pub fn known(&self) -> &Known {
        &self.known
    }

    pub fn silences(&self) -> &[Silence] {
        &self.silences
    }

    pub fn open_breakers(&self) -> impl Iterator<Item = &str> {
        self.breakers.iter().map(String::as_str)
    }

    pub fn paused_by_410(&self) -> impl Iterator<Item = &str> {
        self.paused_by_410.iter().map(String::as_str)
    }

    /// What the other nodes that live have counted.
    pub fn of_others(&self) -> impl Iterator<Item = &Figure> {
        self.others.values().filter(|counted| counted.lives).flat_map(|counted| &counted.figures)
    }

    /// What could not be written yet.
    pub fn unsaved(&self) -> impl Iterator<Item = &Episode> {
        self.unsaved.values().flatten()
    }

    /// How many alerts fire, by rule and severity.
    pub fn firing(&self) -> Vec<(String, &'static str, usize)> {
        let mut counts: BTreeMap<(&str, &'static str), usize> = BTreeMap::new();
        for episode in self.known.values().filter(|episode| episode.is_firing()) {
            *counts.entry((&episode.rule, episode.severity.as_str())).or_default() += 1;
        }
        counts.into_iter().map(|((rule, severity), count)| (rule.to_owned(), severity, count)).collect()
    }

    /// Whether anything fires, waits, or was counted lately.
    pub fn is_busy(&self) -> bool {
        let open = |episode: &Episode| episode.is_firing() || episode.is_pending();
        !self.published.is_empty() || !self.unsaved.is_empty() || self.known.values().any(open)
    }

    /// Reads everything anew; what cannot be read stays as it was.
    pub async fn read(&mut self, parts: &AlertParts, config: &Config, now: Time) {
        let entries = match parts.store.catalog_of(&KINDS).await {
            Ok(entries) => entries,
            Err(error) => return tracing::debug!(%error, "alerts: what is known could not be read"),
        };
        let (this, living) = (parts.around.node(), parts.around.living());
        let unsaved = std::mem::take(&mut self.unsaved);
        *self =
            Shared { published: std::mem::take(&mut self.published), tidied_at: self.tidied_at, ..Shared::default() };
        for entry in entries {
            match &*entry.kind {
                ALERT_KIND => self.known.extend(episode(&entry).map(|episode| (key_of(&episode), episode))),
                SILENCE_KIND => self.silences.extend(serde_json::from_slice(&entry.value).ok()),
                BREAKER_KIND if config.shares_store() => drop(self.breakers.insert(entry.name)),
                PAUSED_KIND => {
                    let by_410 = serde_json::from_slice(&entry.value).is_ok_and(|Pause { by }| by == "410");
                    self.paused_by_410.extend(by_410.then_some(entry.name));
                }
                FIGURES_KIND if entry.name != this => {
                    let counted = serde_json::from_slice::<Counted>(&entry.value).ok();
                    let lives = living.contains(&entry.name);
                    self.others.extend(counted.map(|counted| (entry.name, Counted { lives, ..counted })));
                }
                _ => {}
            }
        }
        self.silences.retain(|silence| now < silence.until);
        for (_, late) in unsaved {
            if let Some(episode) = late {
                self.save(parts, episode, false).await;
            }
        }
    }

    /// Tells the other nodes what this one has counted, if that has changed.
    pub async fn publish(&mut self, parts: &AlertParts, config: &Config, figures: &[Figure], now: Time) {
        let figures = &figures[..figures.len().min(FIGURES_MAX)];
        if !config.shares_store() || self.published == figures {
            return;
        }
        let this = parts.around.node();
        let written = if figures.is_empty() {
            parts.store.delete_catalog(FIGURES_KIND, &this).await
        } else {
            let counted = Counted { at: now, figures: figures.to_vec(), lives: true };
            put(parts, FIGURES_KIND, this, &counted).await
        };
        match written {
            Ok(()) => self.published = figures.to_vec(),
            Err(error) => tracing::debug!(%error, "alerts: other nodes could not be told what was counted"),
        }
    }

    /// Writes down how an episode stands. What cannot be written counts here all the same, and is written later.
    pub async fn save(&mut self, parts: &AlertParts, episode: Episode, forget: bool) {
        let key = key_of(&episode);
        let name = format!("{}/{}", episode.rule, episode.scope);
        let written = match forget {
            true => parts.store.delete_catalog(ALERT_KIND, &name).await,
            false => put(parts, ALERT_KIND, name, &episode).await,
        };
        if let Err(error) = written {
            tracing::debug!(%error, rule = episode.rule, "alerts: how an alert stands could not be written; later again");
            self.unsaved.insert(key.clone(), (!forget).then(|| episode.clone()));
        }
        if forget {
            self.known.remove(&key);
        } else {
            self.known.insert(key, episode);
        }
    }

    /// Lets go of what is long over.
    pub async fn forget_old(&mut self, parts: &AlertParts, now: Time) {
        if self.tidied_at.is_some_and(|at| now.since(at) < TIDY_EVERY) {
            return;
        }
        self.tidied_at = Some(now);
        let over =
            |episode: &Episode| !episode.is_pending() && episode.ended_at.is_some_and(|at| now.since(at) > ENDED_FOR);
        let old: Vec<_> = self.known.values().filter(|episode| over(episode)).cloned().collect();
        for episode in old {
            self.save(parts, episode, true).await;
        }
        let silent = |counted: &Counted| !counted.lives && now.since(counted.at) > FIGURES_FOR;
        for (node, _) in self.others.iter().filter(|(_, counted)| silent(counted)) {
            // Whatever it was, it is asked again within the hour.
            let _ = parts.store.delete_catalog(FIGURES_KIND, node).await;
        }
        for entry in parts.store.catalog(SILENCE_KIND).await.unwrap_or_default() {
            let silence: Option<Silence> = serde_json::from_slice(&entry.value).ok();
            if silence.is_some_and(|silence| silence.until <= now) {
                let _ = parts.store.delete_catalog(SILENCE_KIND, &entry.name).await;
            }
        }
    }

    /// This node goes: what it has counted counts no more.
    pub async fn leave(&self, parts: &AlertParts) {
        if !self.published.is_empty() {
            let _ = parts.store.delete_catalog(FIGURES_KIND, &parts.around.node()).await;
        }
    }
}

async fn put(parts: &AlertParts, kind: &str, name: String, value: &impl Serialize) -> Result<(), StoreError> {
    let value = serde_json::to_vec(value).map_err(|error| StoreError::Failed(error.to_string()))?;
    parts.store.put_catalog(CatalogEntry { kind: kind.to_owned(), name, value }).await
}

fn episode(entry: &CatalogEntry) -> Option<Episode> {
    serde_json::from_slice(&entry.value).ok()
}

fn key_of(episode: &Episode) -> (String, String) {
    (episode.rule.clone(), episode.scope.clone())
}
