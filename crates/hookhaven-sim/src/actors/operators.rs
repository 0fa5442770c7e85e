//! Operators: pause and resume destinations, replay dead letters (twice at once, too), dismiss some, change
//! the config, look at lists. They use the store as the API does; the API itself is not here.

use std::{sync::Arc, time::Duration};

use hookhaven::worker::PAUSED_KIND;
use hookhaven_core::Delivery;
use hookhaven_store::{CatalogEntry, DeliveryFilter, EventFilter, Page, Store, StoreError};
use tokio::time::timeout;

use crate::{
    chance::Chance,
    cluster::Cluster,
    plan::{self, BRISK},
    world::World,
};

/// How long an operator waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// One operator, until the faults are over.
pub async fn operate(world: Arc<World>, cluster: Cluster) {
    let mut operator = Operator { chance: world.plan.chance.fork("operator"), world, cluster, murky: Vec::new() };
    let every = operator.world.plan.operator_every;
    loop {
        let wait = every.mul_f64(operator.chance.within(10..=190) as f64 / 100.0);
        if !operator.world.sleep_in_faults(wait).await {
            return;
        }
        operator.act().await;
    }
}

/// Puts right what operators may have left: everything resumed. Answers whether that was done.
pub async fn resume_all(world: &World, cluster: &Cluster, chance: &mut Chance) -> bool {
    let Some(node) = cluster.any(chance) else { return false };
    for name in world.plan.config.destinations.keys() {
        world.ledger().watch.set_paused(name, None);
        if !matches!(timeout(PATIENCE, node.store.delete_catalog(PAUSED_KIND, name)).await, Ok(Ok(()))) {
            return false;
        }
    }
    cluster.refresh();
    true
}

struct Operator {
    world: Arc<World>,
    cluster: Cluster,
    chance: Chance,
    /// Destinations whose last pause or resume went unanswered: nobody knows how they stand.
    murky: Vec<Arc<str>>,
}

impl Operator {
    async fn act(&mut self) {
        let Some(node) = self.cluster.any(&mut self.chance) else { return };
        let store = node.store.clone();
        match self.chance.within(0..=9) {
            0 | 1 => self.pause(&*store).await,
            2 | 3 => self.resume(&*store).await,
            4 | 5 => self.replay(store).await,
            6 => self.dismiss(&*store).await,
            7 => self.change_config(),
            _ => self.look(&*store).await,
        }
    }

    fn destination(&mut self) -> Option<Arc<str>> {
        let names: Vec<_> = self.world.plan.config.destinations.keys().filter(|n| &***n != BRISK).cloned().collect();
        (!names.is_empty()).then(|| self.chance.pick(&names))
    }

    async fn pause(&mut self, store: &dyn Store) {
        let Some(name) = self.destination() else { return };
        self.world.say(format_args!("operator: pause {name}"));
        let entry = CatalogEntry { kind: PAUSED_KIND.to_owned(), name: name.to_string(), value: b"{}".to_vec() };
        let done = timeout(PATIENCE, store.put_catalog(entry)).await;
        self.cluster.refresh();
        if matches!(done, Ok(Ok(()))) && !self.murky.contains(&name) {
            let now = self.world.now();
            self.world.ledger().watch.set_paused(&name, Some(now));
        }
    }

    async fn resume(&mut self, store: &dyn Store) {
        let Some(name) = self.destination() else { return };
        self.world.say(format_args!("operator: resume {name}"));
        self.world.ledger().watch.set_paused(&name, None);
        let done = timeout(PATIENCE, store.delete_catalog(PAUSED_KIND, &name)).await;
        self.cluster.refresh();
        if !matches!(done, Ok(Ok(()))) {
            self.murky.push(name);
        }
    }

    async fn dead_letters(&mut self, store: &dyn Store) -> Result<Vec<Delivery>, StoreError> {
        let filter = DeliveryFilter { dead_letters: true, ..DeliveryFilter::default() };
        let rows = timeout(PATIENCE, store.deliveries(&filter, Page::first(50))).await;
        let rows = rows.map_err(|_| StoreError::Unavailable("no answer".into()))??;
        Ok(rows.into_iter().map(|row| row.delivery).filter(|_| self.chance.percent(60)).collect())
    }

    async fn replay(&mut self, store: Arc<dyn Store>) {
        let Ok(dead) = self.dead_letters(&*store).await else { return };
        let dead: Vec<_> = dead.into_iter().map(|d| d.id).collect();
        let other = self.cluster.any(&mut self.chance).map(|node| node.store.clone());
        let twice = self.chance.percent(50);
        let second = async {
            match other {
                Some(other) if twice => timeout(PATIENCE, other.replay(&dead)).await.is_ok(),
                _ => false,
            }
        };
        let _ = tokio::join!(timeout(PATIENCE, store.replay(&dead)), second);
        if self.chance.percent(30) {
            // Again, when it may have ended anew.
            let wait = self.chance.s(1..=60);
            self.world.clock.sleep(wait).await;
            let _ = timeout(PATIENCE, store.replay(&dead)).await;
        }
    }

    async fn dismiss(&mut self, store: &dyn Store) {
        let Ok(mut dead) = self.dead_letters(store).await else { return };
        dead.truncate(2);
        let of = |d: &Delivery| (d.event.to_string(), d.destination.clone());
        self.world.ledger().dismissed_for.extend(dead.iter().map(of));
        let ids: Vec<_> = dead.into_iter().map(|d| d.id).collect();
        let _ = timeout(PATIENCE, store.dismiss(&ids)).await;
    }

    /// Moves a handler to a new address, and gives it more or less at once.
    fn change_config(&mut self) {
        let Some(name) = self.destination() else { return };
        let mut config = (**self.cluster.site().config.load()).clone();
        let version = u32::try_from(self.chance.within(2..=99)).unwrap_or(2);
        let concurrency = u32::try_from(self.chance.within(1..=8)).unwrap_or(1);
        if let Some(destination) = config.destinations.get_mut(&name) {
            let mut changed = (**destination).clone();
            changed.url = plan::address(&name, version);
            changed.concurrency = std::num::NonZeroU32::new(concurrency).unwrap_or(changed.concurrency);
            *destination = Arc::new(changed);
        }
        self.world.say(format_args!("operator: {name} moves to v{version}"));
        self.world.ledger().watch.forgive(&name);
        self.cluster.site().config.store(Arc::new(config));
        self.cluster.refresh();
    }

    async fn look(&mut self, store: &dyn Store) {
        let events = timeout(PATIENCE, store.events(&EventFilter::default(), Page::first(5))).await;
        let stats = timeout(PATIENCE, store.stats()).await;
        let (events, pending) = (events.map(|e| e.map(|e| e.len())), stats.map(|s| s.map(|s| s.pending)));
        self.world.say(format_args!("operator: sees {events:?} events, {pending:?} pending"));
    }
}
