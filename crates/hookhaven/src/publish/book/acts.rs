//! What people do to what stands in the book, through either API: pausing, deleting, changing limits.
//!
//! Not here: how a call names what it means.

use hookhaven_core::{DeliveryState, Lane, Time, event::PUBLISHED};
use hookhaven_store::{Cancelled, DeliveryFilter, Page, Store, StoreError};

use super::{Book, FlowKey, Queue, Schedule};
use crate::publications::{Emptied, FlowChange};

/// Deliveries cancelled in one call of the store.
const PAGE: usize = 500;

impl Book {
    /// Whether there is such a queue.
    pub async fn pause_queue(
        &self,
        store: &dyn Store,
        name: &str,
        paused: bool,
        now: Time,
    ) -> Result<bool, StoreError> {
        self.queues.find(store, name).await?;
        let change = |was: Option<&Queue>| {
            let other = was.filter(|was| was.paused != paused);
            Ok::<_, StoreError>(other.map(|was| Queue { paused, updated_at: now, ..was.clone() }))
        };
        self.queues.change(store, name, change).await?;
        self.tell();
        Ok(self.queues.get(name).is_some())
    }

    /// Cancels up to about `max` of what waits in a queue, and deletes it once nothing does.
    pub async fn delete_queue(&self, store: &dyn Store, name: &str, max: u64) -> Result<Emptied, StoreError> {
        let emptied = empty(store, name, max).await?;
        if !emptied.more {
            self.remove_queue(store, name).await?;
        }
        self.tell();
        Ok(emptied)
    }

    /// What would have ticked meanwhile is not made up. Answers whether there is such a schedule.
    pub async fn pause_schedule(
        &self,
        store: &dyn Store,
        id: &str,
        paused: bool,
        now: Time,
    ) -> Result<bool, StoreError> {
        self.schedules.find(store, id).await?;
        let change = |was: Option<&Schedule>| {
            let other = was.filter(|was| was.paused != paused);
            Ok::<_, StoreError>(other.map(|was| Schedule { paused, armed_at: now, ..was.clone() }))
        };
        self.schedules.change(store, id, change).await?;
        self.tell();
        Ok(self.schedules.get(id).is_some())
    }

    pub async fn delete_schedule(&self, store: &dyn Store, id: &str) -> Result<(), StoreError> {
        self.schedules.delete(store, id).await?;
        self.ticks.delete(store, id).await?;
        self.tell();
        Ok(())
    }

    pub async fn delete_group(&self, store: &dyn Store, name: &str) -> Result<(), StoreError> {
        self.groups.delete(store, name).await?;
        self.tell();
        Ok(())
    }

    /// A key that nobody has carried yet is made by it.
    pub async fn change_flow(
        &self,
        store: &dyn Store,
        key: &str,
        change: FlowChange,
        now: Time,
    ) -> Result<(), StoreError> {
        self.flows.find(store, key).await?;
        let changed = |was: Option<&FlowKey>| {
            let new = was.cloned().unwrap_or_default().after(change, now);
            Ok::<_, StoreError>((was != Some(&new)).then_some(new))
        };
        self.flows.change(store, key, changed).await?;
        self.tell();
        Ok(())
    }
}

impl FlowKey {
    fn after(mut self, change: FlowChange, now: Time) -> Self {
        match change {
            FlowChange::Pause => self.paused = true,
            FlowChange::Resume => self.paused = false,
            FlowChange::Reset => self.reset(now),
            FlowChange::Pin { parallelism, rate, period } => {
                if parallelism.is_some() {
                    (self.parallelism, self.parallelism_pinned) = (parallelism, true);
                }
                if rate.is_some() {
                    (self.rate, self.rate_pinned) = (rate, true);
                }
                if let Some(period) = period {
                    self.period_ms = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
                    self.rate_pinned = true;
                }
                self.reset(now);
            }
            FlowChange::Unpin { parallelism, rate } => {
                self.parallelism_pinned &= !parallelism;
                self.rate_pinned &= !rate;
            }
        }
        self
    }

    fn reset(&mut self, now: Time) {
        self.reset_at = now;
        self.resets += 1;
    }
}

/// Cancels what waits in a queue. What is in hand is asked to end, and not counted in `max`.
async fn empty(store: &dyn Store, name: &str, max: u64) -> Result<Emptied, StoreError> {
    let filter = DeliveryFilter {
        source: Some(PUBLISHED.to_owned()),
        lane: Some(Lane::of_queue(name)),
        state: Some(DeliveryState::Pending),
        ..DeliveryFilter::default()
    };
    let mut page = Page { after: None, limit: PAGE, oldest_first: true };
    let (mut cancelled, mut ended) = (0, 0);
    loop {
        let rows = store.deliveries(&filter, page).await?;
        let ids: Vec<_> = rows.iter().map(|row| row.delivery.id).collect();
        let Some(last) = ids.last().copied() else { return Ok(Emptied { cancelled, more: false }) };
        for became in store.cancel(&ids).await? {
            ended += u64::from(became == Cancelled::Done);
            cancelled += u64::from(matches!(became, Cancelled::Done | Cancelled::Asked));
        }
        let is_last = ids.len() < PAGE;
        if is_last || ended >= max {
            return Ok(Emptied { cancelled, more: !is_last });
        }
        page = page.after(last);
    }
}
