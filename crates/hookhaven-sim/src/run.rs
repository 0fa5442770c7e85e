//! One run: a seed's world, its faults, the peace after them, and the judgement.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use hookhaven_store::{Store, StoreError};
use tokio::task::JoinSet;

use crate::{
    actors::{handlers::Handlers, mishaps, operators, senders},
    chance::Chance,
    cluster::Cluster,
    gate::Pulse,
    laws::{self, Facts},
    machine::Machine,
    mutation::Mutation,
    node::Site,
    plan::Plan,
    world::World,
};

/// Once faults have stopped and everything is resumed, nothing is pending after so long. What takes longest is a
/// handful of events that are poison to a handler: as probes they keep its breaker open, each for all its
/// attempts, five minutes apart.
const DRAINED_WITHIN: Duration = Duration::from_secs(4 * 3_600);
/// Calls that nodes made before they went away are over by then.
const LAST_CALLS: Duration = Duration::from_secs(300);
/// Tries of what must work once faults have stopped.
const TRIES: u32 = 100;

/// How a run went.
#[derive(Clone, Debug)]
pub struct Report {
    pub seed: u64,
    /// Of everything that happened, in order: the same for the same seed.
    pub hash: u64,
    pub lines: u64,
    /// Laws broken, in words. Empty: the run passed.
    pub breaches: Vec<String>,
    pub counts: BTreeMap<&'static str, u64>,
    /// The lines, if they were to be kept.
    pub trace: Vec<String>,
}

/// Runs one seed, with a planted bug or without.
///
/// # Errors
/// Only what lies outside the simulation: no directory for the index, no runtime.
pub fn run(seed: u64, mutation: Option<Mutation>, keep_trace: bool) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let dir = scratch()?;
    let report = runtime.block_on(async {
        let world = World::new(Plan::of(seed), keep_trace);
        let site = site(&world, dir.path().to_owned(), mutation);
        let cluster = Cluster::new(site);
        live(&world, &cluster).await;
        if let Err(error) = settle_down(&world, &cluster).await {
            world.breach("peace", format_args!("{error}"));
        }
        report(&world)
    });
    // Before the directory goes: connections to the index are closed.
    drop(runtime);
    Ok(report)
}

/// In memory where there is such a place: the index of a run is thrown away with it.
fn scratch() -> std::io::Result<tempfile::TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}

fn site(world: &Arc<World>, dir: PathBuf, mutation: Option<Mutation>) -> Site {
    Site {
        world: world.clone(),
        machine: Machine::new(world.clone(), &dir, mutation),
        handlers: Handlers::new(world.clone()),
        config: Arc::new(ArcSwap::from_pointee(world.plan.config.clone())),
        storm: Arc::default(),
        mutation,
        remembered: Arc::default(),
    }
}

/// Everyone acts and things go wrong, for the plan's span; then the faults end, and the senders come to
/// theirs.
async fn live(world: &Arc<World>, cluster: &Cluster) {
    cluster.start().await;
    let (mut faulty, mut sending) = (JoinSet::new(), JoinSet::new());
    for name in world.plan.config.destinations.keys() {
        faulty.spawn(cluster.site().handlers.clone().live(name.clone()));
    }
    faulty.spawn(operators::operate(world.clone(), cluster.clone()));
    faulty.spawn(mishaps::strike(world.clone(), cluster.clone()));
    let sources = &world.plan.config.sources;
    for source in sources.values() {
        let events = world.plan.events / sources.len() as u64;
        sending.spawn(senders::send_all(world.clone(), cluster.clone(), source.clone(), events));
    }
    world.clock.sleep(world.plan.span).await;
    world.say(format_args!("the faults end"));
    world.faults.set(false);
    while faulty.join_next().await.is_some() {}
    for node in cluster.nodes() {
        node.gate.set(Pulse::Alive);
    }
    world.disturb(Duration::ZERO);
    while sending.join_next().await.is_some() {}
    world.say(format_args!("all is sent"));
}

/// Everything drains and the nodes go away; then the laws are judged, and the machine is restarted once more:
/// what it says afterwards is what it said before.
async fn settle_down(world: &Arc<World>, cluster: &Cluster) -> Result<(), StoreError> {
    let mut chance = world.plan.chance.fork("peace");
    drain(world, cluster, &mut chance).await?;
    // Sweeps go on removing while there is anyone to sweep.
    cluster.end_all();
    world.clock.sleep(LAST_CALLS).await;
    let before = facts(world, cluster).await?;
    laws::judge(world, &before);
    cluster.crash(true);
    world.clock.sleep(Duration::from_secs(1)).await;
    cluster.boot().await;
    let after = facts(world, cluster).await?;
    for difference in before.differences(&after) {
        world.breach("durable", format_args!("after a power cut {difference}"));
    }
    Ok(())
}

async fn drain(world: &Arc<World>, cluster: &Cluster, chance: &mut Chance) -> Result<(), StoreError> {
    let since = world.now();
    loop {
        mishaps::revive(world, cluster, chance).await;
        let resumed = operators::resume_all(world, cluster, chance).await;
        let pending = store(cluster, chance)?.stats().await.map(|stats| stats.pending);
        if resumed && pending == Ok(0) {
            let took = world.now().since(since);
            world.say(format_args!("drained in {took:?}"));
            return Ok(());
        }
        if world.now().since(since) > DRAINED_WITHIN {
            world.breach("drains", format_args!("{pending:?} are still pending after {DRAINED_WITHIN:?}"));
            return Ok(());
        }
        world.clock.sleep(Duration::from_secs(20)).await;
    }
}

fn store(cluster: &Cluster, chance: &mut Chance) -> Result<Arc<dyn Store>, StoreError> {
    let node = cluster.any(chance);
    node.map(|node| node.store.clone()).ok_or_else(|| StoreError::Unavailable("no node runs".into()))
}

/// The history, without any node. A fault ordered earlier may strike yet.
async fn facts(world: &Arc<World>, cluster: &Cluster) -> Result<Facts, StoreError> {
    let mut failed = StoreError::Unavailable("never asked".into());
    let machine = &cluster.site().machine;
    for _ in 0..TRIES {
        if machine.lost_power() {
            cluster.crash(true);
            cluster.boot().await;
        }
        let Some(store) = machine.store() else { return Err(failed) };
        match Facts::read(&*store).await {
            Ok(facts) => return Ok(facts),
            Err(error) => failed = error,
        }
        world.clock.sleep(Duration::from_secs(1)).await;
    }
    Err(failed)
}

fn report(world: &World) -> Report {
    let ledger = world.ledger();
    let (breaches, counts) = (ledger.breaches.clone(), ledger.counts.clone());
    drop(ledger);
    let mut trace = world.trace();
    Report { seed: world.plan.seed, hash: trace.hash(), lines: trace.lines(), breaches, counts, trace: trace.take() }
}
