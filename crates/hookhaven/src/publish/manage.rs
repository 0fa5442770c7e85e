//! What publishers made, as the admin API sees it and changes it ([`Publications`]).
//!
//! Not here: what is done to the book (`book`), which both APIs share; messages, which the admin API finds among the
//! deliveries.

mod shown;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use hookhaven_core::{Delivery, DeliveryId, Event, Lane, Time, cron::Cron};
use hookhaven_store::{DeliveryRow, LaneSize, Store, StoreError, clock::Clock};
use tokio::sync::OnceCell;

use super::{
    api::Traffic,
    book::{Book, FlowKey, Queue, Schedule, Tick},
    ids, message,
    scheduler::tick_key,
};
use crate::{
    publications::{
        Emptied, FlowChange, FlowControlView, MessageAddress, MessageSettings, Names, Publications, QueueView,
        ScheduleView, TICK_MESSAGES_MAX, TickKey, UrlGroupView,
    },
    shelf::{Entry, Shelf},
};

/// Messages of a queue that one wish to delete it cancels, give or take a page: it is answered within seconds.
const CANCELLED_MAX: u64 = 10_000;

/// Looks into the book, and writes to it.
#[derive(Debug)]
pub struct Manager {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    book: Arc<Book>,
    /// `None` on a node that makes no attempts.
    traffic: Option<Arc<dyn Traffic>>,
    /// Where no gateway keeps the book at hand, it is read when somebody first asks.
    read: OnceCell<()>,
}

impl Manager {
    /// Of a gateway, which keeps the book at hand.
    pub fn running(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        book: Arc<Book>,
        traffic: Option<Arc<dyn Traffic>>,
    ) -> Self {
        Manager { store, clock, book, traffic, read: OnceCell::new_with(Some(())) }
    }

    /// Of a store that was opened without one.
    pub fn offline(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Manager { store, clock, book: Arc::default(), traffic: None, read: OnceCell::new() }
    }

    async fn book(&self) -> Result<&Book, StoreError> {
        self.read.get_or_try_init(|| async { self.book.load(&*self.store).await.map(drop) }).await?;
        Ok(&self.book)
    }

    async fn size(&self, lane: Lane) -> Result<LaneSize, StoreError> {
        Ok(self.store.lane_sizes(&[lane]).await?.first().copied().unwrap_or_default())
    }

    async fn queue_view(&self, name: &str, queue: &Queue) -> Result<QueueView, StoreError> {
        Ok(shown::queue(name, queue, self.size(Lane::of_queue(name)).await?))
    }

    async fn schedule_view(&self, id: &str, schedule: &Schedule) -> Result<ScheduleView, StoreError> {
        let tick = self.book.ticks.get(id);
        let messages = match &tick {
            Some(tick) => self.messages_of(tick).await?,
            None => Vec::new(),
        };
        Ok(shown::schedule(id, schedule, tick.as_deref(), &messages, self.clock.now()))
    }

    /// The first messages of a tick, as far as they are still there.
    async fn messages_of(&self, tick: &Tick) -> Result<Vec<DeliveryRow>, StoreError> {
        let mut rows = Vec::new();
        for id in tick.messages.iter().take(TICK_MESSAGES_MAX).filter_map(|id| ids::parse_message(id)) {
            rows.extend(self.store.delivery(id).await?);
        }
        Ok(rows)
    }

    fn flow_view(&self, key: &str, flow: &FlowKey, size: LaneSize) -> FlowControlView {
        let now = self.traffic.as_ref().map(|traffic| traffic.flow(key)).unwrap_or_default();
        shown::flow(key, flow, size, now)
    }
}

#[async_trait]
impl Publications for Manager {
    async fn queues(&self, names: &Names) -> Result<Vec<QueueView>, StoreError> {
        let queues = page(&self.book().await?.queues, names);
        let lanes: Vec<_> = queues.iter().map(|(name, _)| Lane::of_queue(name)).collect();
        let sizes = self.store.lane_sizes(&lanes).await?;
        Ok(queues.iter().zip(sizes).map(|((name, queue), size)| shown::queue(name, queue, size)).collect())
    }

    async fn queue(&self, name: &str) -> Result<Option<QueueView>, StoreError> {
        match self.book().await?.queues.find(&*self.store, name).await? {
            Some(queue) => self.queue_view(name, &queue).await.map(Some),
            None => Ok(None),
        }
    }

    async fn pause_queue(&self, name: &str, paused: bool) -> Result<(), StoreError> {
        self.book().await?.pause_queue(&*self.store, name, paused, self.clock.now()).await.map(drop)
    }

    async fn delete_queue(&self, name: &str) -> Result<Emptied, StoreError> {
        self.book().await?.delete_queue(&*self.store, name, CANCELLED_MAX).await
    }

    async fn schedules(&self, names: &Names) -> Result<Vec<ScheduleView>, StoreError> {
        let schedules = page(&self.book().await?.schedules, names);
        try_join_all(schedules.iter().map(|(id, schedule)| self.schedule_view(id, schedule))).await
    }

    async fn schedule(&self, id: &str) -> Result<Option<ScheduleView>, StoreError> {
        match self.book().await?.schedules.find(&*self.store, id).await? {
            Some(schedule) => self.schedule_view(id, &schedule).await.map(Some),
            None => Ok(None),
        }
    }

    async fn pause_schedule(&self, id: &str, paused: bool) -> Result<(), StoreError> {
        self.book().await?.pause_schedule(&*self.store, id, paused, self.clock.now()).await.map(drop)
    }

    async fn delete_schedule(&self, id: &str) -> Result<(), StoreError> {
        self.book().await?.delete_schedule(&*self.store, id).await
    }

    async fn ticks(&self, id: &str, until: Time, max: usize) -> Result<Option<Vec<TickKey>>, StoreError> {
        let Some(schedule) = self.book().await?.schedules.find(&*self.store, id).await? else { return Ok(None) };
        let Ok(cron) = Cron::parse(&schedule.cron) else { return Ok(Some(Vec::new())) };
        let before = |at: &Time| cron.latest_until(at.minus(std::time::Duration::from_micros(1)));
        let ticks = std::iter::successors(cron.latest_until(until), before);
        let ticks = ticks.take_while(|at| *at > schedule.created_at).take(max);
        Ok(Some(ticks.map(|at| TickKey { at, key: tick_key(id, at) }).collect()))
    }

    async fn groups(&self, names: &Names) -> Result<Vec<UrlGroupView>, StoreError> {
        let groups = page(&self.book().await?.groups, names);
        Ok(groups.iter().map(|(name, group)| shown::group(name, group)).collect())
    }

    async fn group(&self, name: &str) -> Result<Option<UrlGroupView>, StoreError> {
        let group = self.book().await?.groups.find(&*self.store, name).await?;
        Ok(group.map(|group| shown::group(name, &group)))
    }

    async fn delete_group(&self, name: &str) -> Result<(), StoreError> {
        self.book().await?.delete_group(&*self.store, name).await
    }

    async fn routes_of_group(&self, name: &str) -> Result<Option<Vec<String>>, StoreError> {
        let Some(group) = self.book().await?.groups.find(&*self.store, name).await? else { return Ok(None) };
        let routes = group.endpoints.iter().map(|e| message::route_of_group(name, e.name.as_deref()).to_string());
        let mut routes: Vec<_> = routes.collect();
        routes.sort_unstable();
        routes.dedup();
        Ok(Some(routes))
    }

    async fn flows(&self, names: &Names) -> Result<Vec<FlowControlView>, StoreError> {
        let flows = page(&self.book().await?.flows, names);
        let lanes: Vec<_> = flows.iter().map(|(key, _)| Lane::of_flow(key)).collect();
        let sizes = self.store.lane_sizes(&lanes).await?;
        Ok(flows.iter().zip(sizes).map(|((key, flow), size)| self.flow_view(key, flow, size)).collect())
    }

    async fn flow(&self, key: &str) -> Result<Option<FlowControlView>, StoreError> {
        let Some(flow) = self.book().await?.flows.find(&*self.store, key).await? else { return Ok(None) };
        let size = self.size(Lane::of_flow(key)).await?;
        Ok(Some(self.flow_view(key, &flow, size)))
    }

    async fn change_flow(&self, key: &str, change: FlowChange) -> Result<(), StoreError> {
        self.book().await?.change_flow(&*self.store, key, change, self.clock.now()).await
    }

    fn delivery_of(&self, message_id: &str) -> Option<DeliveryId> {
        ids::parse_message(message_id)
    }

    fn address_of(&self, delivery: &Delivery) -> MessageAddress {
        shown::address(delivery)
    }

    fn settings_of(&self, event: &Event, delivery: &Delivery) -> MessageSettings {
        shown::settings(event, delivery)
    }
}

/// A page of what is on a shelf, in the order of names.
fn page<T: Entry>(shelf: &Shelf<T>, Names { search, page }: &Names) -> Vec<(String, Arc<T>)> {
    let mut all = shelf.all();
    all.retain(|(name, _)| name.contains(search) && page.after.as_ref().is_none_or(|after| name > after));
    all.truncate(page.limit);
    all
}
