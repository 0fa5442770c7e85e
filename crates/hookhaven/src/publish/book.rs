//! What the API's callers make and what outlives them: URL groups, queues, flow-control keys, schedules. Each a
//! catalog entry, kept at hand on every node. What people do to it is in `acts`.

mod acts;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hookhaven_core::{Lane, Time, destination::Rate};
use hookhaven_store::{CatalogEntry, LANE_WIDTH_KIND, Store, StoreError, clock::Clock};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tokio::sync::watch;

use super::{lines::Line, outgoing::Gates, settings::Flow, sought::Sought};
use crate::{
    published::FlowLimits,
    shelf::{self, Entry, Shelf},
};

/// Between tries to read what another node changed, while the store cannot.
const AGAIN: Duration = Duration::from_secs(1);

/// A URL group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub created_at: Time,
    pub updated_at: Time,
    pub endpoints: Vec<Endpoint>,
    /// Settings of what is published to it, where that says nothing else.
    #[serde(default)]
    pub defaults: Lines,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub url: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    pub created_at: Time,
    pub updated_at: Time,
    pub parallelism: u32,
    pub paused: bool,
}

/// A flow-control key. `None`: no limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowKey {
    pub parallelism: Option<NonZeroU32>,
    pub rate: Option<NonZeroU32>,
    pub period_ms: u64,
    #[serde(default)]
    pub paused: bool,
    /// Messages do not change these.
    #[serde(default)]
    pub parallelism_pinned: bool,
    #[serde(default)]
    pub rate_pinned: bool,
    /// Calls before this do not count against the rate.
    /// When people last began the count anew, and how often they did.
    #[serde(default)]
    pub reset_at: Time,
    #[serde(default)]
    pub resets: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    pub created_at: Time,
    /// Ticks before this are none of its: it was changed, or resumed, then.
    pub armed_at: Time,
    pub cron: String,
    pub destination: String,
    /// Settings of its messages.
    pub lines: Lines,
    #[serde(with = "base64_bytes")]
    pub body: Bytes,
    pub paused: bool,
    /// Address of whoever made it.
    pub caller: String,
}

/// What became of a schedule's last tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    pub at: Time,
    /// Ids of its messages.
    pub messages: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Ticks before it, since the one before or since the schedule was armed, that nobody made.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missed: u32,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Header lines; values need not be UTF-8.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lines(pub Vec<Line>);

impl Entry for Group {
    const KIND: &'static str = "publish-group";
}
impl Entry for Queue {
    const KIND: &'static str = "publish-queue";
}
impl Entry for FlowKey {
    const KIND: &'static str = "publish-flow";
}
impl Entry for Schedule {
    const KIND: &'static str = "publish-schedule";
}
impl Entry for Tick {
    const KIND: &'static str = "publish-tick";
}

/// All shelves.
#[derive(Debug, Default)]
pub struct Book {
    pub groups: Shelf<Group>,
    pub queues: Shelf<Queue>,
    pub flows: Shelf<FlowKey>,
    pub schedules: Shelf<Schedule>,
    pub ticks: Shelf<Tick>,
    /// Queues and flow-control keys that the worker met, and that another node may just have made.
    sought: Sought,
    changed: watch::Sender<()>,
}

impl Book {
    /// Told when anything in it may have changed, here or on another node.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub fn tell(&self) {
        self.changed.send_replace(());
    }

    /// Reads all from the store, and answers whether anything is other than it was.
    pub async fn load(&self, store: &dyn Store) -> Result<bool, StoreError> {
        let Book { groups, queues, flows, schedules, ticks, .. } = self;
        shelf::load(&[groups, queues, flows, schedules, ticks], store).await
    }

    /// Takes over what other nodes change, and looks for what the worker does not know, until the store has nothing
    /// more to tell or the future is dropped.
    pub async fn follow(&self, store: Arc<dyn Store>, clock: Arc<dyn Clock>) {
        let mut changes = store.changes();
        if changes.has_changed().is_err() {
            return;
        }
        let looking = self.sought.look();
        loop {
            tokio::select! {
                biased;
                told = changes.changed() => if told.is_err() { break },
                () = looking.asked() => {}
            }
            let names = looking.begin();
            let changed = loop {
                match self.load(&*store).await {
                    Ok(changed) => break changed,
                    Err(error) => {
                        tracing::warn!(%error, "what other nodes changed could not be read; trying again");
                        clock.sleep_until(clock.now().plus(AGAIN)).await;
                    }
                }
            };
            let was_sought = !names.is_empty();
            looking.end(names);
            // Whoever hears of it looks at the store: not for nothing.
            if changed || was_sought {
                self.tell();
            }
        }
        drop(looking);
        // Whoever waits for a look looks again.
        self.tell();
    }

    /// Makes a queue, or changes it. Its width stands where the store looks for it.
    pub async fn put_queue(&self, store: &dyn Store, name: &str, queue: Queue) -> Result<(), StoreError> {
        let lane = Lane::of_queue(name);
        let width = queue.parallelism.to_string().into_bytes();
        let width = CatalogEntry { kind: LANE_WIDTH_KIND.to_owned(), name: lane.as_str().to_owned(), value: width };
        if queue.parallelism != 1 || self.queues.get(name).is_some_and(|was| was.parallelism != 1) {
            store.put_catalog(width).await?;
        }
        self.queues.change(store, name, |_| Ok::<_, StoreError>(Some(queue))).await
    }

    async fn remove_queue(&self, store: &dyn Store, name: &str) -> Result<(), StoreError> {
        store.delete_catalog(LANE_WIDTH_KIND, Lane::of_queue(name).as_str()).await?;
        self.queues.delete(store, name).await.map(drop)
    }

    /// A message with this key was accepted: its limits become the key's, but for what is pinned. Writes only what
    /// changes.
    pub async fn carry_flow(&self, store: &dyn Store, flow: &Flow) -> Result<(), StoreError> {
        if self.flows.get(&flow.key).is_some_and(|was| was.carried(flow).is_none()) {
            return Ok(());
        }
        self.flows
            .change(store, &flow.key, |was| Ok::<_, StoreError>(was.cloned().unwrap_or_default().carried(flow)))
            .await?;
        self.tell();
        Ok(())
    }
}

impl FlowKey {
    /// As a message's limits make it; `None` if they change nothing.
    fn carried(&self, flow: &Flow) -> Option<FlowKey> {
        let mut carried = self.clone();
        if !self.parallelism_pinned {
            carried.parallelism = flow.parallelism;
        }
        if !self.rate_pinned {
            carried.rate = flow.rate;
            carried.period_ms = u64::try_from(flow.period.as_millis()).unwrap_or(u64::MAX);
        }
        (carried != *self).then_some(carried)
    }

    pub fn period(&self) -> Duration {
        Duration::from_millis(self.period_ms.max(1))
    }

    /// How many calls may start in each period.
    pub fn limit(&self) -> Option<Rate> {
        self.rate.map(|count| Rate { count, per: self.period() })
    }
}

/// What people hold back or limit. What a lane is named after was stored before anything in the lane, so what is
/// unknown here is held until it was looked for.
impl Gates for Book {
    /// A paused queue begins nothing; callbacks of what it began go out beside it.
    fn is_paused(&self, lane: &Lane) -> bool {
        let Some(name) = lane.queue().filter(|_| lane.is_queue()) else { return false };
        let known = self.queues.get(name);
        known.map_or_else(|| self.sought.is_open(Queue::KIND, name), |queue| queue.paused)
    }

    fn flow(&self, key: &str) -> FlowLimits {
        match self.flows.get(key) {
            Some(flow) => FlowLimits {
                parallelism: flow.parallelism,
                rate: flow.limit(),
                paused: flow.paused,
                resets: flow.resets,
            },
            None => FlowLimits { paused: self.sought.is_open(FlowKey::KIND, key), ..FlowLimits::default() },
        }
    }
}

impl Serialize for Lines {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.0.iter().map(|(name, value)| (&**name, STANDARD.encode(value))))
    }
}

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let lines = Vec::<(String, String)>::deserialize(d)?.into_iter().map(|(name, value)| {
            let value = STANDARD.decode(value).map_err(de::Error::custom)?;
            Ok((Arc::from(name), Bytes::from(value)))
        });
        lines.collect::<Result<_, _>>().map(Lines)
    }
}

mod base64_bytes {
    use super::{Bytes, Deserialize, Deserializer, Engine, STANDARD, Serializer, de};

    pub fn serialize<S: Serializer>(bytes: &Bytes, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(d)?;
        STANDARD.decode(text).map(Bytes::from).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use hookhaven_store::clock::ManualClock;

    use super::*;
    use crate::publish::testing;

    #[test]
    fn what_is_kept_comes_back_whole() {
        let schedule = Schedule {
            created_at: Time::from_us(1_700_000_000_123_456),
            armed_at: Time::from_s(1_700_000_001),
            cron: "* * * * *".into(),
            destination: "https://a/".into(),
            lines: Lines(vec![("upstash-forward-x".into(), Bytes::from_static(b"\xff\x00"))]),
            body: Bytes::from_static(b"\x00\xff"),
            paused: false,
            caller: "::1".into(),
        };
        let kept = serde_json::to_vec(&schedule).unwrap();
        assert_eq!(serde_json::from_slice::<Schedule>(&kept).unwrap(), schedule);
    }

    #[tokio::test]
    async fn the_last_message_s_limits_are_the_key_s_but_what_is_pinned_stays() {
        let (store, book) = (testing::store(), Book::default());
        let flow = |parallelism, rate| Flow {
            key: "k".into(),
            parallelism: NonZeroU32::new(parallelism),
            rate: NonZeroU32::new(rate),
            period: Duration::from_secs(60),
        };
        book.carry_flow(&store, &flow(3, 0)).await.unwrap();
        let first = book.flows.get("k").unwrap();
        assert_eq!((first.parallelism, first.limit()), (NonZeroU32::new(3), None));
        book.carry_flow(&store, &flow(3, 0)).await.unwrap();
        assert!(Arc::ptr_eq(&first, &book.flows.get("k").unwrap()), "nothing is written that is there");
        let pinned = FlowKey { parallelism_pinned: true, ..(*first).clone() };
        book.flows.change(&store, "k", |_| Ok::<_, StoreError>(Some(pinned))).await.unwrap();
        book.carry_flow(&store, &flow(9, 5)).await.unwrap();
        let last = book.flows.get("k").unwrap();
        assert_eq!((last.parallelism, last.rate, last.period_ms), (NonZeroU32::new(3), NonZeroU32::new(5), 60_000));
    }
    #[tokio::test]
    async fn what_another_node_has_just_made_is_held_until_it_was_looked_for() {
        let (clock, store) = (ManualClock::at(testing::NOW), Arc::new(testing::store()));
        let (here, there) = (Book::default(), Arc::new(Book::default()));
        let flow =
            Flow { key: "k".into(), parallelism: NonZeroU32::new(3), rate: None, period: Duration::from_secs(1) };
        here.carry_flow(&*store, &flow).await.unwrap();
        let queue = Queue { created_at: testing::NOW, updated_at: testing::NOW, parallelism: 1, paused: false };
        here.put_queue(&*store, "q", queue).await.unwrap();
        let lane = Lane::of_queue("q");
        assert!(!there.is_paused(&lane), "who is alone with the store has nothing to wait for");

        // From here on the store has nothing to tell: only looking finds what was made before.
        let (mut seen, follower) = (there.changes(), there.clone());
        let following = tokio::spawn(async move { follower.follow(store, Arc::new(clock)).await });
        tokio::task::yield_now().await;
        assert!(there.flow("k").paused && there.is_paused(&lane) && there.flow("nobody").paused);
        while there.flow("k").paused || there.is_paused(&lane) || there.flow("nobody").paused {
            seen.changed().await.unwrap();
        }
        assert_eq!(there.flow("k").parallelism, NonZeroU32::new(3));
        assert_eq!(there.flow("nobody"), FlowLimits::default());
        following.abort();
    }
}
