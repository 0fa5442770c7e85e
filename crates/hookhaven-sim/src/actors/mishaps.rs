//! What goes wrong: storms between nodes and store, crashes, disks that fail, nodes that stand still or go
//! away, clocks that jump. Each kind only if the plan has it; all of them end with the faults.

use std::{sync::Arc, time::Duration};

use crate::{chance::Chance, cluster::Cluster, gate::Pulse, plan::Mishaps, world::World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mishap {
    Storm,
    Power,
    PowerInSync,
    Kill,
    SyncFails,
    DiskFull,
    Freeze,
    NodeGone,
    Jump,
}

fn kinds(of: Mishaps) -> Vec<Mishap> {
    let table = [
        (of.storms, &[Mishap::Storm, Mishap::Storm][..]),
        (of.crashes, &[Mishap::Power, Mishap::PowerInSync, Mishap::PowerInSync, Mishap::Kill]),
        (of.disk, &[Mishap::SyncFails, Mishap::DiskFull]),
        (of.nodes, &[Mishap::Freeze, Mishap::Freeze, Mishap::NodeGone]),
        (of.jumps, &[Mishap::Jump]),
    ];
    table.iter().filter(|(on, _)| *on).flat_map(|(_, kinds)| kinds.iter().copied()).collect()
}

/// How long a moment is waited for.
const AWAITED: Duration = Duration::from_secs(20);

async fn until(world: &World, holds: impl Fn() -> bool) {
    let latest = world.now().plus(AWAITED);
    while world.now() < latest && world.faults_on() && !holds() {
        world.clock.sleep(Duration::from_millis(50)).await;
    }
}

/// Until the faults are over; leaves everything running.
pub async fn strike(world: Arc<World>, cluster: Cluster) {
    let mut chance = world.plan.chance.fork("mishaps");
    let kinds = kinds(world.plan.mishaps);
    while !kinds.is_empty() && world.sleep_in_faults(chance.s(5..=90)).await {
        revive(&world, &cluster, &mut chance).await;
        let kind = chance.pick(&kinds);
        world.say(format_args!("mishap: {kind:?}"));
        befall(&world, &cluster, &mut chance, kind).await;
        // A cut ordered earlier may have come meanwhile.
        revive(&world, &cluster, &mut chance).await;
    }
    revive(&world, &cluster, &mut chance).await;
}

/// Brings back a machine that lost its power by itself.
pub async fn revive(world: &World, cluster: &Cluster, chance: &mut Chance) {
    if cluster.site().machine.lost_power() {
        restart(world, cluster, chance, true).await;
    }
}

async fn befall(world: &World, cluster: &Cluster, chance: &mut Chance, kind: Mishap) {
    let machine = &cluster.site().machine;
    match kind {
        Mishap::Storm => {
            let lasting = chance.s(3..=40);
            world.disturb(lasting);
            cluster.site().set_storm(chance.within(3..=40));
            world.clock.sleep(lasting).await;
            cluster.site().set_storm(0);
        }
        Mishap::Power => restart(world, cluster, chance, true).await,
        Mishap::Kill => restart(world, cluster, chance, false).await,
        Mishap::PowerInSync => {
            world.disturb(Duration::from_secs(60));
            machine.cut_at_sync_after(u32::try_from(chance.within(0..=6)).unwrap_or(0));
            world.clock.sleep(chance.s(1..=20)).await;
        }
        Mishap::SyncFails => {
            world.disturb(Duration::from_secs(60));
            machine.fail_sync_after(u32::try_from(chance.within(0..=3)).unwrap_or(0));
            world.clock.sleep(chance.s(1..=30)).await;
        }
        Mishap::DiskFull => {
            world.disturb(Duration::from_secs(60));
            machine.fill_after(u32::try_from(chance.within(0..=3)).unwrap_or(0));
        }
        Mishap::Freeze => freeze(world, cluster, chance).await,
        Mishap::NodeGone => {
            let Some(node) = cluster.any(chance) else { return };
            world.disturb(Duration::from_secs(5));
            cluster.end(&node);
            world.clock.sleep(chance.ms(0..=5_000)).await;
            cluster.add();
        }
        Mishap::Jump => {
            let by = if chance.percent(30) { chance.s(60..=900) } else { chance.s(1..=60) };
            world.disturb(Duration::ZERO);
            world.ledger().watch.unsteady = Some(world.now().plus(by));
            world.clock.jump(by);
            world.disturb(Duration::ZERO);
        }
    }
}

/// At the worst moment, if one comes: in the middle of an attempt, until somebody else makes it again.
async fn freeze(world: &World, cluster: &Cluster, chance: &mut Chance) {
    let Some(node) = cluster.any(chance) else { return };
    until(world, || world.ledger().watch.is_busy(&node.name)).await;
    let lasting = chance.s(1..=60);
    world.disturb(lasting + AWAITED);
    world.ledger().watch.unsteady = Some(world.now().plus(lasting + AWAITED));
    world.ledger().watch.orphan(&node.name);
    node.gate.set(Pulse::Frozen);
    world.clock.sleep(lasting).await;
    until(world, || world.ledger().watch.is_contested(&node.name)).await;
    world.ledger().watch.unsteady = Some(world.now());
    node.gate.set(Pulse::Alive);
}

async fn restart(world: &World, cluster: &Cluster, chance: &mut Chance, power: bool) {
    let down = chance.ms(100..=20_000);
    world.disturb(down);
    cluster.crash(power);
    world.clock.sleep(down).await;
    cluster.start().await;
    world.count("crashes");
}
