//! Who may post to a source by its address: what its `allow` names, and where that says `"published"`, what the
//! sender publishes (`hookhaven_core::senders::AddressList`).
//!
//! Published lists are fetched through the guarded way out (`keys`) when the first source wants one and then once a
//! day, kept in the store's catalog, and so at hand after a restart and on every node. A copy stays until a better
//! one is there: an answer that cannot be had, cannot be read or names no network changes nothing but the log and the
//! age in the metrics. Before the first copy, whom the list may name is asked to come again: the source neither
//! opens itself nor turns a sender away who may be the right one.
//!
//! Not here: which address a client has (`client`), what a document says (the core).

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use hookhaven_core::{
    Time,
    senders::{self, Declaration},
    source::Source,
};
use hookhaven_store::{
    CatalogEntry, Store, StoreError,
    clock::{Clock, Entropy},
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::keys::SenderKeys;
use crate::{
    config::{Config, reload::ReloadState},
    metrics::{Metrics, SenderNetworks},
};

/// Kind of the catalog entries, one a sender, that keep the copies.
pub const NETWORKS_KIND: &str = "sender-networks";
/// How old a copy gets before a new one is fetched.
pub const EVERY: Duration = Duration::from_secs(86_400);
/// Added by chance, so that not all the world's gateways ask at once.
const JITTER_MAX: Duration = Duration::from_secs(3_600);
/// After a failure, and twice that after each further one…
const AGAIN_FIRST: Duration = Duration::from_secs(10);
/// …but never longer.
const AGAIN_MAX: Duration = Duration::from_secs(3_600);

/// What keeps the copies fresh is made of.
#[derive(Clone, Debug)]
pub struct RenewalParts {
    pub networks: Arc<Networks>,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub sender_keys: Arc<SenderKeys>,
    pub metrics: Arc<Metrics>,
}

/// Whether a client may post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Granted,
    Denied,
    /// The sender's own list would say, and there is no copy of it yet.
    Undecided,
}

/// The copies; at first there is none. Shared by all requests.
#[derive(Debug, Default)]
pub struct Networks {
    known: ArcSwap<BTreeMap<&'static str, Arc<Known>>>,
}

/// Keeps the copies fresh.
#[derive(Debug)]
pub struct Renewal {
    parts: RenewalParts,
}

/// What a sender published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    nets: Vec<IpNet>,
    fetched_at_us: i64,
}

impl Networks {
    /// Takes over what the store has.
    ///
    /// # Errors
    /// As reading the catalog fails. A copy that cannot be read is none.
    pub async fn load(&self, store: &dyn Store) -> Result<(), StoreError> {
        for entry in store.catalog(NETWORKS_KIND).await? {
            let declaration = senders::find(&entry.name).filter(|sender| !sender.addresses.is_empty());
            if let (Some(sender), Some(known)) = (declaration, read(&entry.value)) {
                self.take(sender.name, known);
            }
        }
        Ok(())
    }

    /// Whether a client may post to a source. `None`: whose address is not known.
    pub fn judge(&self, source: &Source, client: Option<IpAddr>) -> Admission {
        if source.allow.is_empty() && !source.allow_published {
            return Admission::Granted;
        }
        let Some(client) = client else { return Admission::Denied };
        let named = |nets: &[IpNet]| nets.iter().any(|net| net.contains(&client));
        if named(&source.allow) {
            return Admission::Granted;
        }
        match self.known.load().get(source.sender.name()) {
            Some(known) if source.allow_published && named(&known.nets) => Admission::Granted,
            None if source.allow_published => Admission::Undecided,
            _ => Admission::Denied,
        }
    }

    fn of(&self, sender: &str) -> Option<Arc<Known>> {
        self.known.load().get(sender).cloned()
    }

    fn take(&self, sender: &'static str, known: Known) {
        let mut all = BTreeMap::clone(&self.known.load());
        all.insert(sender, Arc::new(known));
        self.known.store(Arc::new(all));
    }
}

impl Renewal {
    pub fn new(parts: RenewalParts) -> Self {
        Renewal { parts }
    }

    /// Keeps the copies of all senders that the configuration wants, until nobody can change it any more or the
    /// future is dropped.
    pub async fn run(&self, config: Arc<ArcSwap<Config>>, mut reloaded: watch::Receiver<ReloadState>) {
        let mut due: BTreeMap<&'static str, Due> = BTreeMap::new();
        loop {
            let wanted = wanted(&config.load());
            due.retain(|sender, _| wanted.contains(sender));
            for sender in &wanted {
                due.entry(sender).or_insert_with(|| Due { at: self.first_due(sender), failures: 0 });
            }
            self.report(&wanted);
            let now = self.parts.clock.now();
            let renewed = join_all(due.iter().filter(|(_, due)| due.at <= now).map(|(sender, due)| async move {
                let renewed = self.renew(sender).await;
                (*sender, self.after(sender, *due, renewed))
            }));
            due.extend(renewed.await);
            self.report(&wanted);
            let next = due.values().map(|due| due.at).min();
            tokio::select! {
                () = async {
                    match next {
                        Some(at) => self.parts.clock.sleep_until(at).await,
                        None => std::future::pending().await,
                    }
                } => {}
                changed = reloaded.changed() => if changed.is_err() { return },
            }
        }
    }

    fn first_due(&self, sender: &str) -> Time {
        self.parts.networks.of(sender).map_or_else(|| self.parts.clock.now(), |known| known.fetched_at().plus(EVERY))
    }

    /// A copy younger than [`EVERY`], be it another node's.
    async fn renew(&self, sender: &'static str) -> Result<(), String> {
        let Some(declaration) = senders::find(sender) else { return Ok(()) };
        let now = self.parts.clock.now();
        if let Some(known) = self.kept(sender).await.filter(|known| now.since(known.fetched_at()) < EVERY) {
            self.parts.networks.take(sender, known);
            return Ok(());
        }
        let nets = fetch(&self.parts.sender_keys, declaration).await?;
        tracing::info!(sender, networks = nets.len(), "the sender's addresses were fetched");
        let known = Known { nets, fetched_at_us: now.as_us() };
        if let Err(error) = self.keep(sender, &known).await {
            tracing::warn!(sender, %error, "the sender's addresses are in use and could not be kept for a restart");
        }
        self.parts.networks.take(sender, known);
        Ok(())
    }

    /// When to ask again.
    fn after(&self, sender: &str, due: Due, renewed: Result<(), String>) -> Due {
        let now = self.parts.clock.now();
        match renewed {
            Ok(()) => Due { at: self.first_due(sender).max(now).plus(self.chance(JITTER_MAX)), failures: 0 },
            Err(error) => {
                let wait = AGAIN_FIRST.saturating_mul(1 << due.failures.min(16)).min(AGAIN_MAX);
                let age_s = self.parts.networks.of(sender).map(|known| now.since(known.fetched_at()).as_secs());
                tracing::warn!(sender, %error, age_s, "the sender's addresses could not be fetched; the last copy stays");
                Due { at: now.plus(wait).plus(self.chance(wait / 10)), failures: due.failures.saturating_add(1) }
            }
        }
    }

    async fn kept(&self, sender: &str) -> Option<Known> {
        match self.parts.store.catalog(NETWORKS_KIND).await {
            Ok(entries) => read(&entries.into_iter().find(|entry| entry.name == sender)?.value),
            Err(error) => {
                tracing::warn!(sender, %error, "the kept copy of the sender's addresses could not be read");
                None
            }
        }
    }

    async fn keep(&self, sender: &str, known: &Known) -> Result<(), StoreError> {
        let value = serde_json::to_vec(known).map_err(|error| StoreError::Failed(error.to_string()))?;
        let entry = CatalogEntry { kind: NETWORKS_KIND.to_owned(), name: sender.to_owned(), value };
        self.parts.store.put_catalog(entry).await
    }

    fn report(&self, wanted: &BTreeSet<&'static str>) {
        let of = |sender: &&'static str| {
            let known = self.parts.networks.of(sender);
            SenderNetworks {
                sender,
                networks: known.as_ref().map_or(0, |known| known.nets.len()),
                fetched_at: known.map(|known| known.fetched_at()),
            }
        };
        self.parts.metrics.sender_networks(wanted.iter().map(of).collect());
    }

    fn chance(&self, max: Duration) -> Duration {
        let mut random = [0; 4];
        self.parts.entropy.fill(&mut random);
        max.mul_f64(f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX))
    }
}

/// When a sender's lists are asked for next.
#[derive(Clone, Copy, Debug)]
struct Due {
    at: Time,
    failures: u32,
}

impl Known {
    fn fetched_at(&self) -> Time {
        Time::from_us(self.fetched_at_us)
    }
}

/// All networks of a sender: each of its lists must be had.
///
/// # Errors
/// In words, what is wrong with which list.
pub async fn fetch(sender_keys: &SenderKeys, sender: &Declaration) -> Result<Vec<IpNet>, String> {
    let mut all = Vec::new();
    for list in sender.addresses {
        let document = sender_keys.list(list.url).await.map_err(|error| format!("{}: {error}", list.url))?;
        all.extend(list.read(&document).map_err(|error| format!("{}: {error}", list.url))?);
    }
    Ok(IpNet::aggregate(&all))
}

/// Senders of which some source wants the published addresses.
pub fn wanted(config: &Config) -> BTreeSet<&'static str> {
    let sources = config.sources.values().filter(|source| source.allow_published);
    sources.map(|source| source.sender.name()).collect()
}

fn read(value: &[u8]) -> Option<Known> {
    serde_json::from_slice(value).ok().filter(|known: &Known| !known.nets.is_empty())
}
