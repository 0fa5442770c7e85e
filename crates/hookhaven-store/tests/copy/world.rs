//! An embedded store with a past made of chances, a database to copy it to, and a picture of all that either holds.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use hookhaven_core::{
    Attempt, DeliveryId, DeliveryState, EndReason, ErrorClass, Event, EventId, Lane, Order, OrderRule, Version,
    event::{BodyDigest, PUBLISHED, Part},
};
use hookhaven_store::{
    Cancelled, CatalogEntry, DeliveryFilter, DeliveryRow, Depth, EventFilter, EventRow, Follow, InLine, KeptBack,
    LaneDue, LaneRoom, Leased, NewEvent, Next, Page, Retention, Step, StepFilter, Store, StoreError,
    clock::{Clock, Entropy, ManualClock, SeededEntropy},
    copy::{Copied, CopyOptions, PageMax, Progress, copy},
    embedded::{EmbeddedOptions, EmbeddedStore, disk::RealDisk},
    postgres::{PostgresOptions, PostgresStore},
};

use crate::bench::*;

pub const HOUR: Duration = Duration::from_secs(3_600);
const DESTINATIONS: [&str; 3] = ["billing", "log", "search"];

pub struct World {
    pub clock: ManualClock,
    pub dir: tempfile::TempDir,
    pub url: String,
    entropy: Arc<SeededEntropy>,
    seed: u64,
    drawn: AtomicU64,
}

impl World {
    pub fn new(seed: u64) -> Self {
        World {
            clock: ManualClock::at(start()),
            dir: tempfile::tempdir().unwrap(),
            url: hookhaven_testbed::shared().unwrap().create().unwrap(),
            entropy: Arc::new(SeededEntropy::new(seed)),
            seed,
            drawn: AtomicU64::new(0),
        }
    }

    /// The same with another database.
    pub fn with(self, url: String) -> Self {
        World { url, ..self }
    }

    /// A number below `n`.
    fn chance(&self, n: u64) -> u64 {
        let mut x = self.seed ^ (self.drawn.fetch_add(1, Ordering::Relaxed) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (x ^ (x >> 29)) % n
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn try_open(&self) -> Result<Arc<dyn Store>, StoreError> {
        let store = EmbeddedStore::open(EmbeddedOptions {
            dir: self.data(),
            pending_max: 100_000,
            segment_bytes: 16_384,
            index_lag_bytes_max: 64 << 20,
            queue: Default::default(),
            space: Default::default(),
            disk: Arc::new(RealDisk),
            clock: Arc::new(self.clock.clone()),
            entropy: self.entropy.clone(),
        })?;
        Ok(Arc::new(store))
    }

    pub fn open(&self) -> Arc<dyn Store> {
        self.try_open().unwrap()
    }

    /// The same again, without what it only remembered: parks that have passed, and events that it had just read.
    pub async fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        store.close().await;
        drop(store);
        self.open()
    }

    pub fn postgres(&self, url: &str) -> PostgresOptions {
        PostgresOptions { clock: Some(Arc::new(self.clock.clone())), ..PostgresOptions::new(url, self.entropy.clone()) }
    }

    pub async fn try_copied(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(PostgresStore::open(self.postgres(&self.url)).await?))
    }

    /// The new store.
    pub async fn copied(&self) -> Arc<dyn Store> {
        self.try_copied().await.unwrap()
    }

    pub fn options(&self) -> CopyOptions {
        CopyOptions {
            from: self.data(),
            disk: Arc::new(RealDisk),
            to: self.postgres(&self.url),
            entropy: self.entropy.clone() as Arc<dyn Entropy>,
            leave_damaged: false,
            // Small, so that a copy is many pages.
            page: PageMax { events: 7, bytes: 2_000, keys: 11 },
        }
    }

    pub async fn copy(&self) -> Result<Copied, StoreError> {
        self.copy_with(self.options(), |_| ()).await
    }

    /// Waits for the lock, which an interrupted copy lets go of a moment later.
    pub async fn copy_with(&self, options: CopyOptions, tell: impl Fn(Progress)) -> Result<Copied, StoreError> {
        loop {
            match copy(options.clone(), &tell).await {
                Err(StoreError::Locked(_)) => tokio::task::yield_now().await,
                done => return done,
            }
        }
    }

    fn event(&self, n: u64) -> NewEvent {
        let to = match self.chance(6) {
            0 => &DESTINATIONS[..0],
            1 => &DESTINATIONS[..3],
            _ => &DESTINATIONS[..1 + self.chance(2) as usize],
        };
        let mut new = event(&format!("key {n} of {}", self.seed), self.clock.now(), to);
        if self.chance(5) == 0 {
            // What senders may put anywhere.
            new.event.idempotency_key = format!("a\0b\u{1}{n}").into();
            new.event.body = vec![0xff; self.chance(3_000) as usize].into();
        }
        new.key_until = self.clock.now().plus(HOUR * (1 + self.chance(300) as u32));
        if self.chance(2) == 0 {
            new.event.digest = Some(BodyDigest::of(&new.event.body, self.chance(2) == 0));
        }
        for delivery in &mut new.deliveries {
            delivery.policy = policy(n.is_multiple_of(3));
            delivery.order = self.order();
        }
        new
    }

    /// A place in one of a few lines, or in none.
    fn order(&self) -> Option<Arc<Order>> {
        let rule = match self.chance(3) {
            0 => return None,
            1 => OrderRule::Fifo { park: HOUR * self.chance(40) as u32 },
            _ => OrderRule::Latest { version: Version::parse(&self.chance(9).to_string())? },
        };
        Some(Arc::new(Order::new(&format!("key {}", self.chance(4)), rule)))
    }

    /// A request that holds some events.
    fn request(&self, n: u64) -> Vec<NewEvent> {
        let count = 2 + self.chance(4) as usize;
        let whole = Bytes::from(vec![b'a' + (n % 20) as u8; 100 * count]);
        let part = |number: usize| {
            let mut new = self.event(1_000 * (n + 1) + number as u64);
            new.event.body = whole.slice(100 * number..100 * number + 50);
            new.event.digest = None;
            new.event.part = Some(Part { number: number as u32 + 1, of: count as u32, whole: Some(whole.clone()) });
            new
        };
        (0..count).map(part).collect()
    }

    /// Does what happens to a store, so many times. Answers all that was accepted.
    pub async fn live(&self, mut store: Arc<dyn Store>, steps: u64) -> (Arc<dyn Store>, Vec<NewEvent>) {
        let mut accepted = Vec::new();
        for n in 0..steps {
            match self.chance(24) {
                20..22 => self.publish(&store).await,
                22 => self.work_off(&store).await,
                23 => self.cancel(&store).await,
                0..8 => {
                    let new = self.event(n);
                    accepted.push(new.clone());
                    accept(&store, new).await;
                }
                8 => {
                    let request = self.request(n);
                    accepted.extend(request.iter().cloned());
                    store.accept_together(request).await.unwrap();
                }
                9..14 => self.work(&store).await,
                14 => self.again(&store, &accepted).await,
                15 => self.dead_letters(&store).await,
                16 => self.route(&store).await,
                17 => self.catalog(&store, n).await,
                18 => self.clock.advance(HOUR * self.chance(12) as u32),
                _ if self.chance(4) == 0 => {
                    store.close().await;
                    store = self.open();
                }
                _ => self.retain(&store).await,
            }
        }
        (store, accepted)
    }

    /// A published message, into a queue or not, due now or later.
    async fn publish(&self, store: &Arc<dyn Store>) {
        let now = self.clock.now();
        let mut new = event(&format!("{:?}", unique()), now, &["https://example.com/hook"]);
        new.event.source = PUBLISHED.into();
        new.revives = false;
        new.deliveries[0].lane = self.lane();
        new.deliveries[0].due_at = now.plus(HOUR * (self.chance(4) as u32).saturating_sub(2));
        accept(store, new).await;
    }

    fn lane(&self) -> Lane {
        match self.chance(3) {
            0 => Lane::of_url("https://example.com/hook"),
            n => Lane::of_queue(["", "mails", "news"][n as usize]),
        }
    }

    /// As [`Self::work`], of what was published; some are asked to end meanwhile, and some have a callback.
    async fn work_off(&self, store: &Arc<dyn Store>) {
        let session = store.open_session(TTL).await.unwrap();
        let rooms = [LaneRoom { lane: self.lane(), room: 3, limit: None }];
        for one in store.claim(session, &rooms, 3).await.unwrap() {
            if self.chance(3) == 0 {
                store.cancel(&[one.delivery.id]).await.unwrap();
            }
            if self.chance(4) == 0 {
                // Given back when the session is closed; what was to end waits for the sweep.
                continue;
            }
            let (class, next) = self.next(&one);
            let mut settlement = settlement(&one, class, next, self.clock.now());
            if let (Next::Delivered, Some(beside)) = (next, one.delivery.lane.beside(one.delivery.id)) {
                let mut callback = event(&format!("{:?}", unique()), self.clock.now(), &["https://example.com/back"]);
                callback.event.source = PUBLISHED.into();
                callback.deliveries[0].lane = beside;
                settlement.follows.push(Follow { event: callback, unless_cancelled: true });
            }
            store.settle(session, vec![settlement]).await.unwrap();
        }
        store.close_session(session).await.unwrap();
    }

    /// Leaves one whose end was asked for and that nobody has in hand.
    pub async fn leave_one_asked(&self, store: &Arc<dyn Store>) {
        let session = store.open_session(TTL).await.unwrap();
        let lanes = store.due(&[], 1).await.unwrap().lanes;
        let rooms = [LaneRoom { lane: lanes[0].lane.clone(), room: 1, limit: None }];
        let leased = store.claim(session, &rooms, 1).await.unwrap();
        assert_eq!(store.cancel(&[leased[0].delivery.id]).await.unwrap(), [Cancelled::Asked]);
        store.close_session(session).await.unwrap();
    }

    async fn cancel(&self, store: &Arc<dyn Store>) {
        let waits = DeliveryFilter { state: Some(DeliveryState::Pending), ..DeliveryFilter::default() };
        let waiting = store.deliveries(&waits, Page::first(1_000)).await.unwrap();
        if !waiting.is_empty() {
            let row = &waiting[self.chance(waiting.len() as u64) as usize];
            store.cancel(&[row.delivery.id]).await.unwrap();
        }
    }

    /// Claims some of a lane, and everything that may become of that.
    async fn work(&self, store: &Arc<dyn Store>) {
        let session = store.open_session(TTL).await.unwrap();
        let of = DESTINATIONS[self.chance(3) as usize];
        let leased = claim(store, session, of, 1 + self.chance(5) as usize).await;
        if self.chance(5) == 0 {
            // The node is gone.
            self.clock.advance(TTL * 2);
            store.release_lapsed().await.unwrap();
            return;
        }
        for one in &leased {
            let (class, next) = self.next(one);
            settle(store, session, one, class, next, self.clock.now()).await;
        }
        store.close_session(session).await.unwrap();
    }

    fn next(&self, leased: &Leased) -> (ErrorClass, Next) {
        match self.chance(6) {
            0 => (ErrorClass::Timeout, Next::Dead(EndReason::Exhausted)),
            1 => (ErrorClass::Http5xx, Next::Release),
            2 | 3 => {
                let wait = HOUR * (1 + self.chance(3) as u32 * leased.attempt_number);
                (ErrorClass::Http5xx, Next::Retry { due_at: self.clock.now().plus(wait) })
            }
            _ => (ErrorClass::Ok, Next::Delivered),
        }
    }

    /// A sender comes again, inside the window or behind it.
    async fn again(&self, store: &Arc<dyn Store>, accepted: &[NewEvent]) {
        if accepted.is_empty() {
            return;
        }
        let first = &accepted[self.chance(accepted.len() as u64) as usize];
        let mut again = event("", self.clock.now(), &["log"]);
        again.event.idempotency_key = first.event.idempotency_key.clone();
        accept(store, again).await;
    }

    async fn dead_letters(&self, store: &Arc<dyn Store>) {
        let ended = store.deliveries(&DeliveryFilter::default(), Page::first(1_000)).await.unwrap();
        let ended: Vec<_> = ended.into_iter().filter(|row| row.delivery.state.is_final()).collect();
        if ended.is_empty() {
            return;
        }
        let ids = [ended[self.chance(ended.len() as u64) as usize].delivery.id];
        if self.chance(2) == 0 {
            store.replay(&ids).await.unwrap();
        } else {
            store.dismiss(&ids).await.unwrap();
        }
    }

    async fn route(&self, store: &Arc<dyn Store>) {
        let filter = EventFilter { unrouted: true, ..EventFilter::default() };
        if let Some(row) = store.events(&filter, Page::first(1)).await.unwrap().first() {
            store.route(row.id, vec![delivery("search", self.clock.now())]).await.unwrap();
        }
    }

    async fn catalog(&self, store: &Arc<dyn Store>, n: u64) {
        let name = format!("name {}", self.chance(6));
        match self.chance(4) {
            0 => store.delete_catalog("destination-paused", &name).await.unwrap(),
            _ => {
                let (kind, value) = ("destination-paused".to_owned(), n.to_be_bytes().to_vec());
                store.put_catalog(CatalogEntry { kind, name, value }).await.unwrap();
            }
        }
    }

    async fn retain(&self, store: &Arc<dyn Store>) {
        let before = self.clock.now().minus(HOUR * 24);
        let retention = Retention { before, dead_before: Some(self.clock.now().minus(HOUR * 240)) };
        while store.retain(retention).await.unwrap().more {}
    }
}

/// All that can be seen.
#[derive(Debug, PartialEq)]
pub struct Picture {
    pub events: Vec<EventRow>,
    pub deliveries: Vec<DeliveryRow>,
    pub attempts: Vec<Vec<Attempt>>,
    pub bodies: Vec<Arc<Event>>,
    dead_letters: Vec<DeliveryId>,
    unrouted: Vec<EventId>,
    depths: Vec<Depth>,
    pending: u64,
    catalog: Vec<CatalogEntry>,
    pub steps: Vec<Step>,
    /// What may be claimed now, in each queue.
    pub turns: Vec<LaneDue>,
    /// Where each delivery stands in its line.
    pub places: Vec<Option<InLine>>,
    pub kept_back: Vec<KeptBack>,
}

pub async fn picture(store: &dyn Store) -> Picture {
    let page = || Page::first(10_000);
    let events = store.events(&EventFilter::default(), Page::first(10_000)).await.unwrap();
    let deliveries = store.deliveries(&DeliveryFilter::default(), page()).await.unwrap();
    let (mut attempts, mut bodies) = (vec![], vec![]);
    for row in &deliveries {
        attempts.push(store.attempts(row.delivery.id).await.unwrap());
    }
    for row in &events {
        bodies.push(store.event(row.id).await.unwrap().unwrap());
    }
    let dead = DeliveryFilter { dead_letters: true, ..DeliveryFilter::default() };
    let unrouted = EventFilter { unrouted: true, ..EventFilter::default() };
    let stats = store.stats().await.unwrap();
    Picture {
        dead_letters: store.deliveries(&dead, page()).await.unwrap().iter().map(|row| row.delivery.id).collect(),
        unrouted: store.events(&unrouted, Page::first(10_000)).await.unwrap().iter().map(|row| row.id).collect(),
        // A pair of which nothing is left may be told as zeros or not at all.
        depths: stats
            .depths
            .into_iter()
            .filter(|d| d.pending + d.leased + d.dead_letters + d.dead_letters_critical > 0)
            .collect(),
        pending: stats.pending,
        catalog: store.catalog("destination-paused").await.unwrap(),
        steps: store.steps(&StepFilter::default(), Page::first(10_000)).await.unwrap(),
        turns: store.due(&[], 1_000).await.unwrap().lanes,
        places: store.in_line(&deliveries.iter().map(|row| row.delivery.id).collect::<Vec<_>>()).await.unwrap(),
        kept_back: stats.kept_back,
        events,
        deliveries,
        attempts,
        bodies,
    }
}
