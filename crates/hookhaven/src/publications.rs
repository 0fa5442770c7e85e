//! What the admin API and publishing know of each other: what publishers made and people look at and manage (queues,
//! schedules, URL groups, flow control), and how a delivery is known to whoever published it. The views are the API's
//! JSON.
//!
//! Not here: the words of the publishing API, and how any of this is kept (`publish`).

use std::{fmt, num::NonZeroU32, time::Duration};

use async_trait::async_trait;
use hookhaven_core::{Delivery, DeliveryId, DeliveryState, Event, EventId, Time};
use hookhaven_store::{Page, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Ticks of a schedule that are shown ahead.
pub const NEXT_TICKS: usize = 5;
/// Messages of a schedule's last tick that are shown with it.
pub const TICK_MESSAGES_MAX: usize = 10;

/// What publishers made. `None` wherever there is nothing of that name.
#[async_trait]
pub trait Publications: Send + Sync + fmt::Debug {
    async fn queues(&self, names: &Names) -> Result<Vec<QueueView>, StoreError>;
    async fn queue(&self, name: &str) -> Result<Option<QueueView>, StoreError>;
    async fn pause_queue(&self, name: &str, paused: bool) -> Result<(), StoreError>;
    /// Cancels what waits in it, a bounded number at once, and takes it away when nothing waits any more.
    async fn delete_queue(&self, name: &str) -> Result<Emptied, StoreError>;

    async fn schedules(&self, names: &Names) -> Result<Vec<ScheduleView>, StoreError>;
    async fn schedule(&self, id: &str) -> Result<Option<ScheduleView>, StoreError>;
    /// What would have ticked meanwhile is not made up when it is resumed.
    async fn pause_schedule(&self, id: &str, paused: bool) -> Result<(), StoreError>;
    async fn delete_schedule(&self, id: &str) -> Result<(), StoreError>;
    /// Its latest ticks at or before then, newest first, as its cron has them now.
    async fn ticks(&self, id: &str, until: Time, max: usize) -> Result<Option<Vec<TickKey>>, StoreError>;

    async fn groups(&self, names: &Names) -> Result<Vec<UrlGroupView>, StoreError>;
    async fn group(&self, name: &str) -> Result<Option<UrlGroupView>, StoreError>;
    /// What is on its way to it stays.
    async fn delete_group(&self, name: &str) -> Result<(), StoreError>;
    /// The routes of deliveries to it.
    async fn routes_of_group(&self, name: &str) -> Result<Option<Vec<String>>, StoreError>;

    async fn flows(&self, names: &Names) -> Result<Vec<FlowControlView>, StoreError>;
    async fn flow(&self, key: &str) -> Result<Option<FlowControlView>, StoreError>;
    async fn change_flow(&self, key: &str, change: FlowChange) -> Result<(), StoreError>;

    /// The delivery that a publisher knows by this id of a message.
    fn delivery_of(&self, message_id: &str) -> Option<DeliveryId>;
    /// What a delivery alone says of its message.
    fn address_of(&self, delivery: &Delivery) -> MessageAddress;
    /// What the publisher asked for.
    fn settings_of(&self, event: &Event, delivery: &Delivery) -> MessageSettings;
}

/// A page of what has names, in their order.
#[derive(Clone, Debug)]
pub struct Names {
    /// Found anywhere in the name.
    pub search: String,
    pub page: Page<String>,
}

/// A queue as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueView {
    pub name: String,
    /// How many of its messages may have begun and not be over, on all nodes together.
    pub parallelism: u32,
    pub paused: bool,
    /// Messages that wait, for their turn or for a retry.
    pub waiting: u64,
    /// Messages that are being attempted.
    pub leased: u64,
    pub created_at: Time,
    pub updated_at: Time,
}

/// What became of a wish to delete a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Emptied {
    pub cancelled: u64,
    /// More wait in it than are cancelled at once; it is still there.
    pub more: bool,
}

/// A schedule as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleView {
    pub id: String,
    /// As it was written, its time zone included.
    pub cron: String,
    /// The time zone that it goes by; UTC unless it names one.
    pub zone: String,
    /// An address, or a URL group.
    pub destination: String,
    /// The group, if it publishes to one.
    pub group: Option<String>,
    /// The queue that its messages wait in.
    pub queue: Option<String>,
    pub method: String,
    pub retries: u32,
    pub labels: Vec<String>,
    pub body_bytes: u64,
    pub paused: bool,
    /// Its next ticks, at most five; empty while it is paused, or if there is none within five years.
    pub next_at: Vec<Time>,
    /// A tick that has come more than a minute ago and that nobody made: does any node work?
    pub overdue_since: Option<Time>,
    pub last_tick: Option<TickView>,
    pub created_at: Time,
    /// Address of whoever made it.
    pub caller: String,
}

/// The last tick of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TickView {
    pub at: Time,
    /// Ticks before it that nobody made, since no node worked then.
    pub missed: u32,
    /// Why it published nothing.
    pub error: Option<String>,
    /// How many messages it published.
    pub message_count: u32,
    /// The first of them, at most ten; those gone by age are left out.
    pub messages: Vec<TickMessage>,
}

/// What became of a message that a tick published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TickMessage {
    /// Of its delivery.
    pub id: DeliveryId,
    pub event: EventId,
    pub destination: String,
    pub state: DeliveryState,
}

/// A tick, and the idempotency key of what it published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TickKey {
    pub at: Time,
    pub key: String,
}

/// A URL group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UrlGroupView {
    pub name: String,
    pub endpoints: Vec<EndpointView>,
    /// Names of the headers that its messages get unless they say otherwise.
    pub default_headers: Vec<String>,
    pub created_at: Time,
    pub updated_at: Time,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndpointView {
    pub name: Option<String>,
    pub url: String,
}

/// A flow-control key as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlowControlView {
    /// The key.
    pub name: String,
    pub paused: bool,
    /// Attempts in flight at once; `null`: any number.
    pub parallelism: Option<u32>,
    /// Messages do not change it.
    pub parallelism_pinned: bool,
    /// Attempts that may begin in each period; `null`: any number.
    pub rate: Option<u32>,
    pub period_ms: u64,
    /// Messages do not change it.
    pub rate_pinned: bool,
    /// Messages that wait under it; those in a queue wait there.
    pub waiting: u64,
    /// Messages that are being attempted.
    pub leased: u64,
    /// Attempts that this node began in the period that runs.
    pub rate_used: u32,
    /// When that period began; `null` while none runs here.
    pub period_began_at: Option<Time>,
    /// When people last began the count anew.
    pub reset_at: Option<Time>,
}

/// What people do to a flow-control key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowChange {
    Pause,
    Resume,
    /// Begins the count of the rate anew.
    Reset,
    /// Sets what is given, and keeps messages from changing it. The count begins anew.
    Pin {
        parallelism: Option<NonZeroU32>,
        rate: Option<NonZeroU32>,
        period: Option<Duration>,
    },
    /// Lets messages change it again.
    Unpin {
        parallelism: bool,
        rate: bool,
    },
}

/// What a delivery says of the message that it is to its publisher.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageAddress {
    /// The id that the publisher knows it by.
    pub message_id: String,
    /// The queue that it is in.
    pub queue: Option<String>,
    /// The URL group that it was published to.
    pub group: Option<String>,
    /// Name of the group's endpoint.
    pub endpoint: Option<String>,
    /// The flow-control key that it waits under, unless it is in a queue.
    pub flow_control: Option<String>,
    /// Its first label.
    pub label: Option<String>,
    /// Whether it tells what became of another message.
    pub callback: bool,
}

/// What the publisher of a message asked for. Neither its headers nor its body, which may be for the destination only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageSettings {
    pub method: String,
    pub retries: u32,
    /// How long to wait between retries, as an expression.
    pub retry_delay: Option<String>,
    /// Of one attempt.
    pub timeout_ms: Option<u64>,
    /// When it was to go out first.
    pub not_before: Time,
    pub labels: Vec<String>,
    /// The schedule that it is a tick of.
    pub schedule: Option<String>,
    /// The flow-control key that it is under, in a queue or not.
    pub flow_control_key: Option<String>,
    /// Where each attempt is told.
    pub callback_url: Option<String>,
    /// Where it is told that it is dead.
    pub failure_callback_url: Option<String>,
    /// Address of whoever published it.
    pub caller: Option<String>,
    pub body_bytes: u64,
}
