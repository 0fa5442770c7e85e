//! The watch between a node and its store: writes down what the store answered, for the laws.

use std::sync::Arc;

use async_trait::async_trait;
use hookhaven_core::{DeliveryId, Event};
use hookhaven_store::{
    Accepted, Dismissed, LaneRoom, Leased, NewEvent, Renewed, Replayed, Retained, Retention, SessionId, Settled,
    Settlement, Store, StoreError,
};
use tokio::sync::Notify;

use crate::{
    layer::Layer,
    world::{self, Taken, World},
};

#[derive(Debug)]
pub struct Watched {
    pub inner: Arc<dyn Store>,
    pub world: Arc<World>,
    pub node: String,
    /// The store's signal wakes one who waits; here every node is to be woken.
    pub wake: Arc<Notify>,
}

#[async_trait]
impl Layer for Watched {
    fn inner(&self) -> &Arc<dyn Store> {
        &self.inner
    }

    fn wake(&self) -> Arc<Notify> {
        self.wake.clone()
    }

    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        let of = |new: &NewEvent| {
            let Event { id, source, idempotency_key, received_at, .. } = &new.event;
            (*id, (source.clone(), idempotency_key.clone()), *received_at)
        };
        let asked: Vec<_> = events.iter().map(of).collect();
        let accepted = self.inner.accept(events).await;
        let keys: Vec<_> = asked.iter().map(|(_, (_, key), _)| key).collect();
        self.world.say(format_args!("{}: accept {keys:?} -> {accepted:?}", self.node));
        for ((id, key, received_at), answer) in asked.into_iter().zip(accepted.iter().flatten()) {
            let taken = &mut self.world.ledger().taken;
            match answer {
                Accepted::New { .. } => taken.insert(id, Taken { key, received_at: Some(received_at) }),
                Accepted::Duplicate { event, .. } => {
                    taken.entry(*event).or_insert(Taken { key, received_at: None });
                    None
                }
                Accepted::Refused { .. } => None,
            };
        }
        accepted
    }

    async fn renew_session(&self, session: SessionId) -> Result<Renewed, StoreError> {
        let renewed = self.inner.renew_session(session).await;
        if renewed != Ok(Renewed::Live) {
            self.world.say(format_args!("{}: renew {} -> {renewed:?}", self.node, session.0));
        }
        renewed
    }

    async fn claim(&self, session: SessionId, lanes: &[LaneRoom], max: usize) -> Result<Vec<Leased>, StoreError> {
        let leased = self.inner.claim(session, lanes, max).await?;
        for l in &leased {
            let (id, fence, number) = (l.delivery.id, l.fence, l.attempt_number);
            self.world.say(format_args!("{}: claimed {id} fence {fence} attempt {number}", self.node));
        }
        Ok(leased)
    }

    async fn settle(&self, session: SessionId, settlements: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        let asked = settlements.clone();
        let settled = self.inner.settle(session, settlements).await;
        for (n, settlement) in asked.iter().enumerate() {
            let answer = settled.as_ref().map(|all| all.get(n).copied());
            self.world
                .say(format_args!("{}: settle {} {:?} -> {answer:?}", self.node, settlement.delivery, settlement.next));
            if let (Ok(Some(Settled::Done)), Some(attempt)) = (answer, &settlement.attempt) {
                let (delivery, number, class) = (settlement.delivery, attempt.number, attempt.class);
                self.world.ledger().settled.push(world::Settlement { delivery, number, class });
            }
        }
        settled
    }

    async fn retain(&self, retention: Retention) -> Result<Retained, StoreError> {
        let retained = self.inner.retain(retention).await;
        if let Ok(done) = retained
            && done != Retained::default()
        {
            self.world.say(format_args!("{}: {done:?}", self.node));
            self.world.add("segments removed", done.segments);
            self.world.add("events removed", done.events);
        }
        retained
    }

    async fn release_lapsed(&self) -> Result<usize, StoreError> {
        let released = self.inner.release_lapsed().await;
        if released != Ok(0) {
            self.world.say(format_args!("{}: released {released:?}", self.node));
        }
        released
    }

    async fn replay(&self, deliveries: &[DeliveryId]) -> Result<Vec<Replayed>, StoreError> {
        self.world.ledger().replay_asked.extend(deliveries);
        let replayed = self.inner.replay(deliveries).await;
        self.world.say(format_args!("{}: replay {deliveries:?} -> {replayed:?}", self.node));
        for (of, answer) in deliveries.iter().zip(replayed.iter().flatten()) {
            if let Replayed::New(by) | Replayed::Already(by) = answer {
                self.world.ledger().replay_told.push((*of, *by));
            }
        }
        replayed
    }

    async fn dismiss(&self, deliveries: &[DeliveryId]) -> Result<Vec<Dismissed>, StoreError> {
        self.world.ledger().dismiss_asked.extend(deliveries);
        let dismissed = self.inner.dismiss(deliveries).await;
        self.world.say(format_args!("{}: dismiss {deliveries:?} -> {dismissed:?}", self.node));
        dismissed
    }
}
