//! A store with a planted bug, as a layer over the real one. The bugs that do not lie in the store are
//! planted where they would be: in the disk (`machine`), the node's config and its way out (`node`).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use hookhaven::worker::PAUSED_KIND;
use hookhaven_core::{DeliveryId, EndReason, EventId, OrderRule, Time, Version};
use hookhaven_store::{
    Accepted, CatalogEntry, LaneRoom, Leased, NewEvent, Next, Renewed, Replayed, Retained, Retention, SessionId,
    Settled, Settlement, Store, StoreError, clock::Clock,
};

use crate::{
    layer::Layer,
    mutation::Mutation,
    world::{Key, World},
};

/// What a buggy store would remember, over the whole run as on a disk.
#[derive(Debug, Default)]
pub struct Remembered {
    keys: BTreeMap<Key, EventId>,
    holders: BTreeMap<DeliveryId, (SessionId, u64)>,
    /// Deliveries that got one attempt too many.
    extra: BTreeSet<DeliveryId>,
}

#[derive(Debug)]
pub struct Mutant {
    pub inner: Arc<dyn Store>,
    pub mutation: Mutation,
    pub world: Arc<World>,
    pub remembered: Arc<Mutex<Remembered>>,
}

impl Mutant {
    fn is(&self, mutation: Mutation) -> bool {
        self.mutation == mutation
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, mut new: NewEvent) -> NewEvent {
        if self.is(Mutation::BodyRewritten) {
            let text = String::from_utf8_lossy(&new.event.body).replace(": ", ":");
            new.event.body = Bytes::from(text);
        }
        for order in new.deliveries.iter_mut().filter_map(|delivery| delivery.order.as_mut()) {
            let order = Arc::make_mut(order);
            if self.is(Mutation::LinesApart) {
                order.key = new.event.id.to_string().into();
            }
            if let (OrderRule::Latest { version }, true) = (&mut order.rule, self.is(Mutation::VersionsEqual)) {
                *version = Version::of_time(Time::EPOCH);
            }
        }
        if self.is(Mutation::KeysForgotten) {
            new.key_until = new.event.received_at;
        }
        new
    }

    /// The answer by nothing but the key.
    fn by_key(&self, new: &NewEvent) -> Accepted {
        let key = (new.event.source.clone(), new.event.idempotency_key.clone());
        let event = *self.remembered().keys.entry(key).or_insert(new.event.id);
        if event == new.event.id {
            Accepted::New { twin: None }
        } else {
            Accepted::Duplicate { other_bytes: false, event, revived: vec![] }
        }
    }

    /// As the settle of whoever holds the delivery now.
    fn as_holder(&self, session: SessionId, mut settlement: Settlement) -> (SessionId, Settlement) {
        let holder = self.remembered().holders.get(&settlement.delivery).copied();
        let (session, fence) = holder.unwrap_or((session, settlement.fence));
        settlement.fence = fence;
        (session, settlement)
    }

    fn decide_wrongly(&self, settlement: &mut Settlement) {
        let now = self.world.clock.now();
        match settlement.next {
            Next::Dead(EndReason::Exhausted)
                if self.is(Mutation::BudgetOffByOne) && self.remembered().extra.insert(settlement.delivery) =>
            {
                settlement.next = Next::Retry { due_at: now };
            }
            Next::Retry { .. } if self.is(Mutation::RetryAtOnce) => settlement.next = Next::Retry { due_at: now },
            _ => {}
        }
    }
}

#[async_trait]
impl Layer for Mutant {
    fn inner(&self) -> &Arc<dyn Store> {
        &self.inner
    }

    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        let events: Vec<_> = events.into_iter().map(|new| self.change(new)).collect();
        match self.mutation {
            Mutation::AnswerBeforeCommit => {
                let (inner, told) = (self.inner.clone(), events.iter().map(|new| self.by_key(new)).collect());
                tokio::spawn(async move { inner.accept(events).await });
                Ok(told)
            }
            Mutation::KeyBeforeCommit => {
                let told: Vec<_> = events.iter().map(|new| self.by_key(new)).collect();
                if told.iter().any(|answer| *answer != Accepted::New { twin: None }) {
                    return Ok(told);
                }
                self.inner.accept(events).await
            }
            Mutation::FailureAccepted => {
                let told = vec![Accepted::New { twin: None }; events.len()];
                Ok(self.inner.accept(events).await.unwrap_or(told))
            }
            _ => self.inner.accept(events).await,
        }
    }

    async fn renew_session(&self, session: SessionId) -> Result<Renewed, StoreError> {
        let renewed = self.inner.renew_session(session).await;
        if self.is(Mutation::LapseIgnored) { Ok(Renewed::Live) } else { renewed }
    }

    async fn claim(&self, session: SessionId, lanes: &[LaneRoom], max: usize) -> Result<Vec<Leased>, StoreError> {
        let leased = self.inner.claim(session, lanes, max).await?;
        let holders = leased.iter().map(|l| (l.delivery.id, (session, l.fence)));
        self.remembered().holders.extend(holders);
        Ok(leased)
    }

    async fn settle(&self, session: SessionId, settlements: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        let mut answers = Vec::with_capacity(settlements.len());
        for mut settlement in settlements {
            self.decide_wrongly(&mut settlement);
            let (mut session, mut to_settle) = (session, settlement);
            if self.is(Mutation::FenceIgnored) {
                (session, to_settle) = self.as_holder(session, to_settle);
            }
            if self.is(Mutation::SettleBeforeCommit) {
                let inner = self.inner.clone();
                tokio::spawn(async move { inner.settle(session, vec![to_settle]).await });
                answers.push(Settled::Done);
            } else {
                answers.extend(self.inner.settle(session, vec![to_settle]).await?);
            }
        }
        Ok(answers)
    }

    async fn release_lapsed(&self) -> Result<usize, StoreError> {
        if self.is(Mutation::LapsedNeverReleased) { Ok(0) } else { self.inner.release_lapsed().await }
    }

    async fn replay(&self, deliveries: &[DeliveryId]) -> Result<Vec<Replayed>, StoreError> {
        let mut replayed = self.inner.replay(deliveries).await?;
        if self.is(Mutation::ReplayTwice) {
            for answer in &mut replayed {
                if let Replayed::Already(by) = answer.clone()
                    && let Some(again) = self.inner.replay(&[by]).await?.pop()
                {
                    *answer = again;
                }
            }
        }
        Ok(replayed)
    }

    async fn retain(&self, mut retention: Retention) -> Result<Retained, StoreError> {
        if self.is(Mutation::RetentionIgnored) {
            retention.before = self.world.clock.now();
        }
        self.inner.retain(retention).await
    }

    async fn catalog(&self, kind: &str) -> Result<Vec<CatalogEntry>, StoreError> {
        if self.is(Mutation::PauseIgnored) && kind == PAUSED_KIND {
            return Ok(Vec::new());
        }
        self.inner.catalog(kind).await
    }
}
