//! The wires between parts that do not know each other: what the API asks of the worker and the
//! metrics, what the worker counts, what a changed configuration sets going.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use hookhaven_core::{Lane, breaker::BreakerState, destination::DestinationState};
use hookhaven_store::{
    NodeReport, Store,
    clock::{Clock, Entropy},
};
use tokio::sync::watch;

use super::{nodes::Nodes, upkeep::secret_ages};
use crate::{
    access::Access,
    alerts::Around,
    api::{Breaker, ConfigFile, LaneView, ReloadState, Ring, RingError, Signals, SigningKeysView},
    config::{Config, Origin, SigningKeys, reload},
    metrics::Metrics,
    publications::Publications,
    publish::{
        api::Traffic,
        book::Book,
        keys::{self, Keys, KeysError},
        manage::Manager,
    },
    published::FlowNow,
    secrets::SecretUse,
    stats::figures::Figures,
    switches::Switches,
    worker::{Hold, PAUSED_KIND, WorkerHandle},
};

/// What the API sees of the running gateway.
#[derive(Debug)]
pub(super) struct Wires {
    pub metrics: Arc<Metrics>,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    /// `None` on a node that makes no attempts.
    pub worker: Option<WorkerHandle>,
    pub nodes: Arc<Nodes>,
    pub reload: watch::Receiver<reload::ReloadState>,
    pub accepting: Arc<AtomicBool>,
    pub config: Arc<ArcSwap<Config>>,
    pub secrets: Arc<SecretUse>,
    /// Where the configuration comes from.
    pub origin: Origin,
}

#[async_trait]
impl Signals for Wires {
    async fn render_metrics(&self) -> String {
        // A store that cannot answer just now has no figures; the counters are there all the same.
        let stats = self.store.stats().await.unwrap_or_default().without_alerts();
        let (config, now) = (self.config.load_full(), self.clock.now());
        self.metrics.secret_ages(secret_ages(&*self.store, &config, &self.secrets, now).await);
        self.metrics.destinations_paused(paused(&*self.store, &config).await);
        self.metrics.render(&stats, &self.nodes.by_role(), self.clock.now())
    }

    fn accepting(&self) -> Result<(), String> {
        match self.accepting.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err("the gateway is stopping".to_owned()),
        }
    }

    fn working(&self) -> Result<(), String> {
        match &self.worker {
            Some(worker) if worker.is_ready() => Ok(()),
            Some(_) => Err("there is no session with the store, so nothing can be claimed".to_owned()),
            None => Err("this node makes no attempts".to_owned()),
        }
    }

    fn this_node(&self) -> Option<NodeReport> {
        Some(self.nodes.this())
    }

    fn reload_state(&self) -> ReloadState {
        let state = self.reload.borrow();
        ReloadState { loaded_at: Some(state.last_ok_at), refused_at: state.refused_at, error: state.last_error.clone() }
    }

    fn config_file(&self) -> ConfigFile {
        let Origin { file, data_dir, role, dev } = &self.origin;
        let options = [
            data_dir.as_ref().map(|dir| format!("--data {}", dir.display())),
            role.map(|role| format!("--role {}", role.as_str())),
            dev.then(|| "--dev".to_owned()),
        ];
        ConfigFile {
            path: file.clone(),
            options: options.into_iter().flatten().collect(),
            says: self.reload.borrow().file.clone(),
        }
    }

    fn lane(&self, destination: &str) -> LaneView {
        let lane = Lane::of_destination(destination);
        let views = self.worker.as_ref().map(WorkerHandle::lanes).unwrap_or_default();
        let Some(view) = views.into_iter().find(|view| view.lane == lane) else {
            return LaneView::default();
        };
        LaneView {
            breaker: match view.breaker {
                BreakerState::Closed | BreakerState::Ramping(_) => Breaker::Closed,
                BreakerState::Open(_) => Breaker::Open,
                BreakerState::HalfOpen => Breaker::Probing,
            },
            hold_until: view.hold.and_then(Hold::until),
            in_flight: u32::try_from(view.in_flight).unwrap_or(u32::MAX),
        }
    }

    fn under_way(&self) -> Option<Figures> {
        let is_alone = self.nodes.living().iter().all(|node| node == self.nodes.id());
        is_alone.then(|| self.metrics.recorder().so_far())
    }

    fn destination_paused_changed(&self, _destination: &str) {
        if let Some(worker) = &self.worker {
            worker.refresh();
        }
    }

    fn refused(&self, code: &str) {
        self.metrics.access_refused(code);
    }
}

/// Who is paused, and by whom; what the store says as far as it can say just now.
async fn paused(store: &dyn Store, config: &Config) -> Vec<(Arc<str>, &'static str)> {
    let entries = store.catalog(PAUSED_KIND).await.unwrap_or_default();
    let by_410 = |value: &[u8]| serde_json::from_slice(value).is_ok_and(|v: serde_json::Value| v["by"] == "410");
    let told = entries.into_iter().map(|e| (Arc::from(e.name), if by_410(&e.value) { "410" } else { "operator" }));
    let in_file = config.destinations.values().filter(|d| d.state == DestinationState::Paused);
    told.chain(in_file.map(|d| (d.name.clone(), "config"))).collect()
}

/// What alerts look at beside the store and the metrics.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub nodes: Arc<Nodes>,
    /// On a node that only takes in, it attempts what senders wait for.
    pub worker: WorkerHandle,
}

impl Around for Surroundings {
    fn node(&self) -> String {
        self.nodes.id().to_owned()
    }

    fn living(&self) -> Vec<String> {
        self.nodes.living()
    }

    fn open_breakers(&self) -> Vec<String> {
        let rests =
            |view: &crate::worker::LaneView| matches!(view.breaker, BreakerState::Open(_) | BreakerState::HalfOpen);
        let lanes = self.worker.lanes();
        lanes.iter().filter(|view| rests(view)).filter_map(|view| Some(view.lane.destination()?.to_owned())).collect()
    }
}

/// The signing keys, as the API shows and rotates them: of a running gateway, or of a store that was opened
/// without one.
#[derive(Debug)]
pub struct KeyRing {
    store: Arc<dyn Store>,
    config: Arc<ArcSwap<Config>>,
    entropy: Arc<dyn Entropy>,
    /// Of the gateway that runs.
    running: Option<Arc<Keys>>,
}

impl KeyRing {
    pub fn new(
        store: Arc<dyn Store>,
        config: Arc<ArcSwap<Config>>,
        entropy: Arc<dyn Entropy>,
        running: Option<Arc<Keys>>,
    ) -> Self {
        KeyRing { store, config, entropy, running }
    }

    fn view(&self, keys: &SigningKeys) -> SigningKeysView {
        let text = |key: &hookhaven_core::Secret| String::from_utf8_lossy(key.expose()).into_owned();
        let configured = self.config.load().publish.signing_keys().is_some();
        SigningKeysView { current: text(&keys.current), next: text(&keys.next), configured }
    }
}

#[async_trait]
impl Ring for KeyRing {
    async fn show(&self) -> Result<SigningKeysView, RingError> {
        let publish = self.config.load().publish.clone();
        let keys = keys::find(&*self.store, &publish).await.map_err(ring_error)?;
        keys.map(|keys| self.view(&keys)).ok_or(RingError::None)
    }

    async fn rotate(&self) -> Result<SigningKeysView, RingError> {
        let publish = self.config.load().publish.clone();
        let keys = keys::rotate(&*self.store, &publish, &*self.entropy).await.map_err(ring_error)?;
        tracing::info!("the signing keys of published messages were rotated");
        if let Some(running) = &self.running {
            running.take(keys.clone());
        }
        Ok(self.view(&keys))
    }
}

/// What publishers made, as the API sees it of a store that was opened without a gateway.
pub fn publications(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Arc<dyn Publications> {
    Arc::new(Manager::offline(store, clock))
}

fn ring_error(error: KeysError) -> RingError {
    match error {
        KeysError::Configured => RingError::Configured(error.to_string()),
        KeysError::Unreadable => RingError::Store(hookhaven_store::StoreError::Failed(error.to_string())),
        KeysError::Store(error) => RingError::Store(error),
    }
}

/// Uses what other nodes make of tokens.
pub(super) async fn follow_tokens(access: Arc<Access>, store: Arc<dyn Store>, clock: Arc<dyn Clock>) {
    access.tokens.follow(store, clock).await;
}

/// Uses what other nodes make of who is disabled.
pub(super) async fn follow_switches(switches: Arc<Switches>, store: Arc<dyn Store>, clock: Arc<dyn Clock>) {
    switches.follow(store, clock).await;
}

/// Whom people enable again, the worker looks at at once.
pub(super) async fn tell_of_switches(switches: Arc<Switches>, worker: Option<WorkerHandle>) {
    let Some(worker) = worker else { return };
    let mut changes = switches.changes();
    while changes.changed().await.is_ok() {
        worker.refresh();
    }
}

/// Uses what other nodes make of the signing keys.
pub(super) async fn follow_keys(keys: Arc<Keys>, store: Arc<dyn Store>, clock: Arc<dyn Clock>) {
    keys.follow(store, clock).await;
}

/// Uses what other nodes make of groups, queues, flow-control keys and schedules.
pub(super) async fn follow_book(book: Arc<Book>, store: Arc<dyn Store>, clock: Arc<dyn Clock>) {
    book.follow(store, clock).await;
}

/// What people hold back or let go, the worker looks at at once.
pub(super) async fn tell_of_book(book: Arc<Book>, worker: Option<WorkerHandle>) {
    let Some(worker) = worker else { return };
    let mut changes = book.changes();
    while changes.changed().await.is_ok() {
        worker.refresh();
    }
}

impl Traffic for WorkerHandle {
    fn flow(&self, key: &str) -> FlowNow {
        self.flow_now(key)
    }

    fn in_flight(&self) -> usize {
        WorkerHandle::in_flight(self)
    }
}

/// Counts readings of the configuration, and lets the worker look at each new one at once.
pub(super) async fn tell_of_reloads(
    mut state: watch::Receiver<reload::ReloadState>,
    metrics: Arc<Metrics>,
    worker: WorkerHandle,
) {
    while state.changed().await.is_ok() {
        let ok = state.borrow_and_update().last_error.is_none();
        metrics.config_reload(ok);
        worker.refresh();
    }
}
