//! A data directory on real files with a past: events over several segments, some delivered, some waiting,
//! and where each lies.

#[path = "../common/mod.rs"]
mod common;

use std::{
    collections::BTreeMap,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use hookhaven_core::{
    Attempt, AttemptId, DeliveryId, ErrorClass, EventId, Lane, Phases, Policy, Time, retry::RetryPolicy,
};
use hookhaven_store::{
    Accepted, CatalogEntry, EventFilter, LaneRoom, Leased, NewDelivery, NewEvent, Next, Page, Settlement, Store,
    StoreError,
    clock::{Clock, Entropy, ManualClock, SeededEntropy},
    codec,
    embedded::{
        EmbeddedOptions, EmbeddedStore, ReindexRefused, Reindexed,
        disk::{Disk, ReadOnlyDisk, RealDisk},
        doctor::{self, Report},
        reindex,
        segment::{Found, Segment},
        space::SpaceLimits,
    },
    position::Position,
    record::Record,
};
use rusqlite::types::Value;

pub const TTL: Duration = Duration::from_secs(30);
/// Room for about six events of [`World::fill`].
pub const SEGMENT_BYTES: u64 = 16_384;

pub struct World {
    pub clock: ManualClock,
    pub entropy: Arc<SeededEntropy>,
    pub dir: tempfile::TempDir,
    pub space: SpaceLimits,
}

pub fn lane() -> Lane {
    Lane::of_destination("billing")
}

impl World {
    pub fn new(seed: u64) -> Self {
        let clock = ManualClock::at(Time::from_s(1_790_000_000));
        let dir = tempfile::tempdir().unwrap();
        World { clock, entropy: Arc::new(SeededEntropy::new(seed)), dir, space: SpaceLimits::default() }
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn index(&self) -> PathBuf {
        self.data().join("index.sqlite")
    }

    pub fn segment(&self, number: u32) -> PathBuf {
        self.data().join(format!("journal/{number:08}.seg"))
    }

    pub fn try_open_on(&self, disk: Arc<dyn Disk>, dir: PathBuf) -> Result<EmbeddedStore, StoreError> {
        EmbeddedStore::open(EmbeddedOptions {
            dir,
            pending_max: 100_000,
            segment_bytes: SEGMENT_BYTES,
            index_lag_bytes_max: 64 << 20,
            queue: Default::default(),
            space: self.space,
            disk,
            clock: Arc::new(self.clock.clone()),
            entropy: self.entropy.clone(),
        })
    }

    pub fn open_on(&self, disk: Arc<dyn Disk>) -> EmbeddedStore {
        self.try_open_on(disk, self.data()).unwrap()
    }

    pub fn open(&self) -> EmbeddedStore {
        self.open_on(Arc::new(RealDisk))
    }

    /// A process that another test has just started holds our lock, too, until it is its own program.
    pub fn doctor(&self) -> Report {
        let examine = || doctor::examine(Arc::new(ReadOnlyDisk), &self.data(), |_, _| {});
        let mut tries = std::iter::repeat_with(examine).take(100_000).inspect(|_| std::thread::yield_now());
        tries.find(|told| !matches!(told, Err(StoreError::Locked(_)))).unwrap().unwrap()
    }

    pub fn reindex(&self, insist: bool) -> Result<Reindexed, ReindexRefused> {
        reindex(Arc::new(RealDisk), &self.data(), self.entropy.clone(), insist, |_, _| {})
    }

    pub fn newest(&self) -> u32 {
        (1..).take_while(|number| self.segment(*number).exists()).last().unwrap()
    }

    fn id(&self) -> [u8; 10] {
        (&*self.entropy as &dyn Entropy).id_bytes()
    }

    pub fn event(&self, key: &str, body: Vec<u8>) -> NewEvent {
        let now = self.clock.now();
        let hour = Duration::from_secs(3_600);
        let policy = Policy { retry: RetryPolicy::default(), deadline: hour, max_age: hour, critical: true };
        NewEvent {
            refuses_replay: false,
            revives: true,
            event: common::event(now, &*self.entropy, key, body),
            key_until: now.plus(24 * hour),
            deliveries: vec![NewDelivery {
                order: None,
                id: DeliveryId::mint(now, self.id()),
                destination: "billing".into(),
                lane: lane(),
                route: "stripe#1".into(),
                policy: Arc::new(policy),
                due_at: now,
            }],
        }
    }

    /// Takes in one event with a body that shows its key, in a commit of its own.
    pub async fn accept(&self, store: &EmbeddedStore, key: &str) -> Result<Accepted, StoreError> {
        self.clock.advance(Duration::from_millis(1));
        store.accept(vec![self.event(key, body(key))]).await.map(|mut answers| answers.remove(0))
    }

    /// Forty events over several segments, every third delivered, one catalog entry.
    pub async fn fill(&self, store: &EmbeddedStore) {
        let session = store.open_session(TTL).await.unwrap();
        for n in 0..40 {
            assert_eq!(self.accept(store, &format!("k{n}")).await.unwrap(), Accepted::New { twin: None });
            if n % 3 == 0 {
                let leased = claim(store, session, 1).await.remove(0);
                store.settle(session, vec![self.settlement(&leased, Next::Delivered)]).await.unwrap();
            }
        }
        let (kind, name) = ("destination-paused".to_owned(), "billing".to_owned());
        store.put_catalog(CatalogEntry { kind, name, value: vec![] }).await.unwrap();
    }

    pub fn settlement(&self, leased: &Leased, next: Next) -> Settlement {
        let attempt = Attempt {
            id: AttemptId::mint(self.clock.now(), self.id()),
            delivery: leased.delivery.id,
            number: leased.attempt_number,
            started_at: self.clock.now(),
            duration_us: 7,
            phases: Phases::default(),
            status: Some(200),
            class: ErrorClass::Ok,
            error: "".into(),
            response_headers: vec![],
            response_excerpt: Bytes::from_static(b"ok"),
            next_attempt_at: None,
        };
        Settlement { follows: vec![], delivery: leased.delivery.id, fence: leased.fence, attempt: Some(attempt), next }
    }

    /// Where each event lies, by reading the journal's files.
    pub fn places(&self) -> BTreeMap<EventId, Position> {
        let mut places = BTreeMap::new();
        for number in 1.. {
            if !self.segment(number).exists() {
                return places;
            }
            let journal = self.data().join("journal");
            let segment = Segment::open(&ReadOnlyDisk, &journal, number).unwrap().unwrap();
            let mut scan = segment.scan(0, segment.file.len().unwrap());
            while let Some(Found::Frame(at, payload)) = scan.step().unwrap() {
                for record in codec::decode(&payload).unwrap() {
                    if let Record::Accepted { event, .. } = record {
                        places.insert(event.id, at);
                    }
                }
            }
        }
        unreachable!()
    }
}

/// A body of 2,000 bytes or so that shows whose it is.
pub fn body(key: &str) -> Vec<u8> {
    key.bytes().cycle().take(2_000 + 7 * key.len()).collect()
}

pub async fn claim(store: &EmbeddedStore, session: hookhaven_store::SessionId, max: usize) -> Vec<Leased> {
    store.claim(session, &[LaneRoom { lane: lane(), room: max, limit: None }], max).await.unwrap()
}

/// Events by key, as the store lists them.
pub async fn listed(store: &EmbeddedStore) -> BTreeMap<String, EventId> {
    let rows = store.events(&EventFilter::default(), Page::first(10_000)).await.unwrap();
    rows.into_iter().map(|row| (row.idempotency_key.to_string(), row.id)).collect()
}

/// Writes into a file behind everyone's back.
pub fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

pub fn flip(path: &Path, at: u64, len: usize) {
    let mut bytes = std::fs::read(path).unwrap()[at as usize..at as usize + len].to_vec();
    bytes.iter_mut().for_each(|b| *b ^= 0x10);
    overwrite(path, at, &bytes);
}

pub fn cut(path: &Path, len: u64) {
    std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(len).unwrap();
}

/// Every row of an index in words, in no order that it was written in. A policy stands for its number,
/// which is no one's business.
pub fn dump(index: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(index).unwrap();
    let mut rows = Vec::new();
    let tables = [
        ("events", "SELECT * FROM events"),
        ("deliveries", "SELECT d.*, p.policy FROM (SELECT * FROM deliveries) d JOIN policies p ON p.id = d.policy"),
        ("attempts", "SELECT * FROM attempts"),
        ("keys", "SELECT * FROM keys"),
        ("catalog", "SELECT * FROM catalog"),
        ("reached", "SELECT * FROM reached"),
        ("meta", "SELECT * FROM meta"),
    ];
    for (table, sql) in tables {
        let mut select = connection.prepare(sql).unwrap();
        let names: Vec<String> = select.column_names().map(str::to_owned).collect();
        let mut found = select.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let column = |(n, name): (usize, &String)| {
                let number = table == "deliveries" && name == "policy" && n + 1 < names.len();
                (!number).then(|| format!("{name}={:?}", row.get::<_, Value>(n).unwrap()))
            };
            let columns: Vec<String> = names.iter().enumerate().filter_map(column).collect();
            rows.push(format!("{table}: {}", columns.join(" ")));
        }
    }
    rows.sort();
    rows
}
