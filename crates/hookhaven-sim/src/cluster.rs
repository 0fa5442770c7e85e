//! The nodes that run, and what happens to them: started, frozen, gone, all of them at once with the machine.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hookhaven::config::Config;
use hookhaven_store::Store;

use crate::{
    chance::Chance,
    gate::Pulse,
    mutation::Mutation,
    node::{Node, Site},
};

/// Tries to open the store; the power may go in some of them.
const BOOTS_MAX: u32 = 10;

/// Clones are the same cluster.
#[derive(Clone)]
pub struct Cluster(Arc<Shared>);

struct Shared {
    site: Site,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    nodes: Vec<Arc<Node>>,
    started: u64,
}

impl Cluster {
    pub fn new(site: Site) -> Self {
        Cluster(Arc::new(Shared { site, state: Mutex::default() }))
    }

    pub fn site(&self) -> &Site {
        &self.0.site
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Boots the machine and starts as many nodes as the plan says.
    pub async fn start(&self) {
        self.boot().await;
        let site = self.site();
        if let Some(store) = site.machine.store()
            && site.mutation != Some(Mutation::WakeLost)
        {
            tokio::spawn(self.clone().relay(store));
        }
        for _ in 0..site.world.plan.nodes {
            self.add();
        }
    }

    /// Boots the machine: tried until it stays up, since the power may go while the store opens.
    pub async fn boot(&self) {
        let site = self.site();
        let mut tries = 0;
        while let Err(error) = site.machine.boot() {
            tries += 1;
            if tries == BOOTS_MAX {
                site.world.breach("opens", format_args!("the store cannot be opened: {error}"));
                return;
            }
            site.world.say(format_args!("machine: not up: {error}"));
            site.machine.crash(site.machine.lost_power());
            site.world.clock.sleep(Duration::from_millis(500)).await;
        }
    }

    /// The store tells whoever waits first; every node is to know.
    async fn relay(self, store: Arc<dyn Store>) {
        let wake = store.wake();
        drop(store);
        loop {
            wake.notified().await;
            self.state().nodes.iter().for_each(|node| node.wake());
        }
    }

    pub fn add(&self) {
        let number = self.state().started + 1;
        if let Some(node) = Node::start(self.site(), number) {
            let mut state = self.state();
            state.started = number;
            state.nodes.push(node);
        }
    }

    pub fn nodes(&self) -> Vec<Arc<Node>> {
        self.state().nodes.clone()
    }

    /// One that lives, for whoever wants to talk to any.
    pub fn any(&self, chance: &mut Chance) -> Option<Arc<Node>> {
        let nodes = self.nodes();
        (!nodes.is_empty()).then(|| chance.pick(&nodes))
    }

    /// The node goes away without a word.
    pub fn end(&self, node: &Arc<Node>) {
        let world = &self.site().world;
        world.say(format_args!("node {}: gone", node.name));
        node.gate.set(Pulse::Dead);
        world.ledger().watch.orphan(&node.name);
        self.state().nodes.retain(|n| !Arc::ptr_eq(n, node));
    }

    /// All nodes go away; the machine runs on.
    pub fn end_all(&self) {
        self.nodes().iter().for_each(|node| self.end(node));
    }

    /// All of it goes down.
    pub fn crash(&self, power: bool) {
        self.end_all();
        self.site().machine.crash(power);
    }

    /// Everyone reads the file again, and the paused states.
    pub fn refresh(&self) {
        let config: Arc<Config> = self.site().config.load_full();
        self.nodes().iter().for_each(|node| node.refresh(&config));
    }
}
