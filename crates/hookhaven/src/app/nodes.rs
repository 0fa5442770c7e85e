//! This node among the others: it tells the store now and then that it lives, and learns who else does.
//!
//! What hangs on it is approximate by nature: how a destination's rate is shared out, and a warning when two
//! nodes of one version were configured differently. Leases hang on sessions, not on this.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use hookhaven_core::Time;
use hookhaven_store::{
    Changes, NodeReport, NodeRow, Store, StoreError,
    clock::{Clock, Entropy},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    api::NODE_SILENCE_MAX,
    config::{Config, Role},
    metrics::Metrics,
    worker::WorkerHandle,
};

/// Between signs of life.
const BEAT_EVERY: Duration = Duration::from_secs(10);
/// After one that did not reach the store.
const BEAT_AGAIN: Duration = Duration::from_secs(2);

/// What the heartbeat needs.
#[derive(Debug)]
pub(super) struct NodeParts {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub config: Arc<ArcSwap<Config>>,
    pub metrics: Arc<Metrics>,
    pub worker: WorkerHandle,
    /// Says so when the configuration was read again.
    pub reloaded: watch::Receiver<crate::config::reload::ReloadState>,
}

/// This node, and the others as they were last heard of.
#[derive(Debug)]
pub(super) struct Nodes {
    parts: NodeParts,
    id: String,
    address: String,
    started_at: Time,
    known: Mutex<Vec<NodeRow>>,
}

impl Nodes {
    /// `address` is of the admin side.
    pub fn new(parts: NodeParts, address: String, entropy: &dyn Entropy) -> Self {
        let id = hex::encode(&entropy.id_bytes()[..6]);
        let started_at = parts.clock.now();
        Nodes { parts, id, address, started_at, known: Mutex::default() }
    }

    /// As this node is now.
    pub fn this(&self) -> NodeReport {
        let config = self.parts.config.load();
        NodeReport {
            id: self.id.clone(),
            role: config.server.role.as_str().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            config_hash: config.fingerprint.to_string(),
            address: self.address.clone(),
            session: self.parts.worker.session(),
            started_at: self.started_at,
        }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// Nodes that live, by id.
    pub fn living(&self) -> Vec<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.parts.clock.now();
        known.iter().filter(|row| lives(row, now)).map(|row| row.report.id.clone()).collect()
    }

    /// Nodes that live, by role.
    pub fn by_role(&self) -> Vec<(String, u64)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.parts.clock.now();
        let mut counts: Vec<(String, u64)> = Vec::new();
        for row in known.iter().filter(|row| lives(row, now)) {
            match counts.iter_mut().find(|(role, _)| *role == row.report.role) {
                Some((_, count)) => *count += 1,
                None => counts.push((row.report.role.clone(), 1)),
            }
        }
        counts
    }

    /// Beats until told to stop, then says goodbye.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let NodeParts { store, clock, .. } = &self.parts;
        let (mut changes, mut reloaded) = (store.changes(), self.parts.reloaded.clone());
        let mut differing = BTreeSet::new();
        loop {
            let heard = *changes.borrow_and_update();
            let wait = match self.beat().await {
                Ok(rows) => {
                    self.heard_of(rows, &mut differing);
                    BEAT_EVERY
                }
                Err(error) => {
                    tracing::debug!(%error, "no sign of life could be given");
                    BEAT_AGAIN
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = clock.sleep_until(clock.now().plus(wait)) => {}
                () = nodes_changed(&mut changes, heard) => {}
                Ok(()) = reloaded.changed() => {}
            }
        }
        // Others find out by its silence if it cannot be told.
        let _ = store.forget_node(&self.id).await;
    }

    async fn beat(&self) -> Result<Vec<NodeRow>, StoreError> {
        self.parts.store.report_node(self.this()).await?;
        self.parts.store.nodes().await
    }

    fn heard_of(&self, rows: Vec<NodeRow>, differing: &mut BTreeSet<String>) {
        let (this, now) = (self.this(), self.parts.clock.now());
        let others = || rows.iter().filter(|row| row.report.id != this.id && lives(row, now)).map(|row| &row.report);
        // Nodes that only take in make few attempts: those that somebody waits for.
        let workers = others().filter(|node| node.role != Role::Ingest.as_str()).count();
        self.parts.worker.set_others(u32::try_from(workers).unwrap_or(u32::MAX));
        // Another version may read the same file differently.
        let differs = |node: &&NodeReport| node.version == this.version && node.config_hash != this.config_hash;
        let now_differing: BTreeSet<String> = others().filter(differs).map(|node| node.id.clone()).collect();
        for node in others().filter(|node| now_differing.contains(&node.id) && !differing.contains(&node.id)) {
            tracing::warn!(
                node = node.id,
                address = node.address,
                config = node.config_hash,
                ours = this.config_hash,
                "another node has another configuration: sources, destinations, routes and secrets should be the same"
            );
        }
        self.parts.metrics.nodes_differing(now_differing.len());
        *differing = now_differing;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = rows;
    }
}

fn lives(row: &NodeRow, now: Time) -> bool {
    now.since(row.seen_at) <= NODE_SILENCE_MAX
}

/// Never, once nobody can say so any more.
async fn nodes_changed(changes: &mut watch::Receiver<Changes>, heard: Changes) {
    if changes.wait_for(|changes| changes.nodes != heard.nodes).await.is_err() {
        std::future::pending().await
    }
}
