//! The faults between a node and its store: in a storm calls fail before they did anything or after they did
//! it, or take long; all calls of a frozen node wait, and those of a dead one for ever.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use hookhaven_store::{
    StoreError,
    faulty::{Fate, Verb, When},
};

use crate::{chance::Chance, gate::Gate, machine::Machine, world::World};

#[derive(Debug)]
pub struct NodeFate {
    pub world: Arc<World>,
    pub machine: Machine,
    pub gate: Gate,
    /// Faults in a hundred calls, of each kind; shared by all nodes.
    pub storm: Arc<AtomicU64>,
    pub chance: Mutex<Chance>,
}

impl NodeFate {
    fn strikes(&self) -> bool {
        let percent = self.storm.load(Ordering::Relaxed);
        percent > 0 && self.chance.lock().unwrap_or_else(PoisonError::into_inner).percent(percent)
    }
}

#[async_trait]
impl Fate for NodeFate {
    async fn strike(&self, verb: Verb, when: When) -> Result<(), StoreError> {
        if !self.world.called() {
            std::future::pending::<()>().await;
        }
        self.gate.pass().await;
        if self.strikes() {
            let wait = self.chance.lock().unwrap_or_else(PoisonError::into_inner).ms(1..=3_000);
            self.world.clock.sleep(wait).await;
            self.gate.pass().await;
        }
        // A claim whose answer is lost leaves its leases with a session that lives on. Between a node and a
        // store in one process there is nothing that could lose it.
        if !(verb == Verb::Claim && when == When::After) && self.strikes() {
            self.world.say(format_args!("fate: {verb:?} fails {when:?}"));
            return Err(StoreError::Unavailable("the storm".into()));
        }
        if when == When::Before {
            self.machine.called();
        }
        Ok(())
    }

    fn strike_ready(&self) -> Result<(), StoreError> {
        if self.strikes() { Err(StoreError::Unavailable("the storm".into())) } else { Ok(()) }
    }
}
