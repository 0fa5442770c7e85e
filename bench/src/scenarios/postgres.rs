//! The shared store by itself, on a PostgreSQL of its own beside it on this machine: how many events a second
//! it accepts, what group commit is worth, how many it carries from accept to settle, and whether a claim
//! minds a million that wait.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hookhaven_core::{Attempt, AttemptId, DeliveryId, ErrorClass, Event, EventId, Lane, Policy, retry::RetryPolicy};
use hookhaven_store::{
    LaneRoom, Leased, NewDelivery, NewEvent, Next, SessionId, Settlement, Store,
    clock::{Entropy, OsEntropy},
    postgres::{PostgresOptions, PostgresStore},
};
use hookhaven_testbed::{Cluster, ClusterOptions};

use super::{Bench, Figure, Figures, median};

const CALLERS: usize = 256;
const BODY_BYTES: usize = 2_048;
const WATCH: Duration = Duration::from_secs(10);
const FEW: usize = 1_000;
const FEW_ROUNDS: usize = 15;
const MANY: usize = 1_000_000;
const CLAIM: usize = 200;
const WORKERS: usize = 2;

pub async fn run(_: &Bench) -> Result<Figures> {
    in_own_runtime(measure()).await
}

/// In a runtime of its own, as many threads as a gateway has.
pub async fn in_own_runtime(measuring: impl Future<Output = Result<Figures>> + Send + 'static) -> Result<Figures> {
    let measured = tokio::task::spawn_blocking(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(measuring)
    });
    measured.await?
}

async fn measure() -> Result<Figures> {
    let cluster = Cluster::start(ClusterOptions::default())?;
    let mut figures = Figures::default();

    println!("postgres: accepting with {CALLERS} callers");
    let grouped = accepted(&open(&cluster, |options| options).await?).await?;
    println!("postgres: the same, a transaction an event");
    let alone = |options| PostgresOptions { batch_max: 1, committers: 16, ..options };
    let single = accepted(&open(&cluster, alone).await?).await?;
    println!("postgres: from accept to settle");
    let through = through(&open(&cluster, |options| options).await?).await?;
    println!("postgres: {FEW_ROUNDS} rounds of {FEW}");
    let store = open(&cluster, |options| options).await?;
    let mut few = Vec::new();
    for _ in 0..FEW_ROUNDS {
        fill(&store, FEW).await?;
        let began = Instant::now();
        let done = drain(&store, Duration::MAX).await?;
        few.push(done as f64 / began.elapsed().as_secs_f64());
    }
    println!("postgres: queueing {MANY}");
    fill(&store, MANY).await?;
    let began = Instant::now();
    let done = drain(&store, WATCH).await?;
    let many = done as f64 / began.elapsed().as_secs_f64();
    let due = due_ms(&store).await?;
    store.close().await;

    let few = median(few);
    figures.add(Figure::new("accepted", grouped, "events/s").at_least(10_000.0));
    figures.add(Figure::new("accepted, a transaction an event", single, "events/s"));
    figures.add(Figure::new("accepted and settled at once", through, "events/s").at_least(4_000.0));
    figures.add(Figure::new("claimed and settled with 1k queued", few, "deliveries/s"));
    figures.add(Figure::new("claimed and settled with 1M queued", many, "deliveries/s"));
    figures.add(Figure::new("ratio", many / few, "").at_least(0.7));
    figures.add(Figure::new("a look at what is due with 1M queued", due, "ms"));
    Ok(figures)
}

async fn open(cluster: &Cluster, change: impl FnOnce(PostgresOptions) -> PostgresOptions) -> Result<Arc<dyn Store>> {
    Ok(open_fresh(cluster, change).await?.1)
}

/// A store in a database of its own, and where that is.
pub async fn open_fresh(
    cluster: &Cluster,
    change: impl FnOnce(PostgresOptions) -> PostgresOptions,
) -> Result<(String, Arc<dyn Store>)> {
    let url = cluster.databases().create()?;
    let options = change(PostgresOptions::new(url.clone(), Arc::new(OsEntropy)));
    Ok((url, Arc::new(PostgresStore::open(options).await?)))
}

fn event(body_bytes: usize) -> NewEvent {
    let clock = hookhaven_store::clock::SystemClock::start();
    let now = hookhaven_store::clock::Clock::now(&clock);
    let entropy: &dyn Entropy = &OsEntropy;
    let id = EventId::mint(now, entropy.id_bytes());
    let text = format!("{{\"id\":\"{id}\",\"type\":\"invoice.paid\",\"data\":\"");
    let mut body = text.into_bytes();
    // Half of it repeats itself, as JSON does.
    while body.len() < body_bytes {
        body.extend_from_slice(b"\"currency\":\"eur\",");
        body.extend(entropy.id_bytes().iter().map(|byte| b'a' + byte % 26));
    }
    let policy = Policy {
        retry: RetryPolicy::default(),
        deadline: Duration::from_secs(30),
        max_age: Duration::from_secs(3 * 24 * 3_600),
        critical: false,
    };
    NewEvent {
        refuses_replay: false,
        revives: true,
        event: Event {
            digest: None,
            part: None,
            id,
            source: "stripe".into(),
            event_type: "invoice.paid".into(),
            idempotency_key: id.to_string().into(),
            received_at: now,
            occurred_at: Some(now),
            correlation_id: id.to_string().into(),
            matched_secret: Some(0),
            remote: "127.0.0.1".into(),
            headers: vec![("content-type".into(), "application/json".into())],
            body: body.into(),
        },
        key_until: now.plus(Duration::from_secs(7 * 24 * 3_600)),
        deliveries: vec![NewDelivery {
            order: None,
            id: DeliveryId::mint(now, entropy.id_bytes()),
            destination: "sink".into(),
            lane: Lane::of_destination("sink"),
            route: "stripe#1".into(),
            policy: Arc::new(policy),
            due_at: now,
        }],
    }
}

/// Callers that each accept one event after another until told otherwise; how many were accepted.
pub fn callers(
    store: &Arc<dyn Store>,
    until: Instant,
    accepted: &Arc<AtomicU64>,
) -> Vec<tokio::task::JoinHandle<Result<()>>> {
    let caller = |_| {
        let (store, accepted) = (store.clone(), accepted.clone());
        tokio::spawn(async move {
            while Instant::now() < until {
                store.accept(vec![event(BODY_BYTES)]).await?;
                accepted.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        })
    };
    (0..CALLERS).map(caller).collect()
}

/// Events a second, closed loop.
async fn accepted(store: &Arc<dyn Store>) -> Result<f64> {
    let (began, count) = (Instant::now(), Arc::<AtomicU64>::default());
    for caller in callers(store, began + WATCH, &count) {
        caller.await??;
    }
    let rate = count.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    store.close().await;
    Ok(rate)
}

/// Events a second that are accepted, claimed and settled while others are.
async fn through(store: &Arc<dyn Store>) -> Result<f64> {
    let (began, count) = (Instant::now(), Arc::<AtomicU64>::default());
    let callers = callers(store, began + WATCH, &count);
    let draining = drain(store, WATCH);
    let done = draining.await?;
    let rate = done as f64 / began.elapsed().as_secs_f64();
    for caller in callers {
        caller.await??;
    }
    store.close().await;
    Ok(rate)
}

async fn fill(store: &Arc<dyn Store>, count: usize) -> Result<()> {
    let mut left = count;
    while left > 0 {
        let some = left.min(10_000);
        store.accept((0..some).map(|_| event(200)).collect()).await?;
        left -= some;
    }
    Ok(())
}

/// Claims and settles with a few workers until there is nothing left or the time is up.
async fn drain(store: &Arc<dyn Store>, time: Duration) -> Result<u64> {
    let until = Instant::now().checked_add(time);
    let worker = |_| {
        let store = store.clone();
        tokio::spawn(async move {
            let session = store.open_session(Duration::from_secs(60)).await?;
            let mut done = 0;
            while until.is_none_or(|until| Instant::now() < until) {
                let claimed = work(&store, session).await?;
                if claimed == 0 && until.is_none() {
                    break;
                }
                done += claimed;
            }
            store.close_session(session).await?;
            anyhow::Ok(done)
        })
    };
    let workers: Vec<_> = (0..WORKERS).map(worker).collect();
    let mut done = 0;
    for worker in workers {
        done += worker.await??;
    }
    Ok(done)
}

async fn work(store: &Arc<dyn Store>, session: SessionId) -> Result<u64> {
    let rooms = [LaneRoom { lane: Lane::of_destination("sink"), room: CLAIM, limit: None }];
    let leased = store.claim(session, &rooms, CLAIM).await?;
    let claimed = leased.len() as u64;
    if claimed > 0 {
        let settled = store.settle(session, leased.iter().map(delivered).collect()).await?;
        ensure!(settled.len() as u64 == claimed, "some were not settled");
    }
    Ok(claimed)
}

fn delivered(leased: &Leased) -> Settlement {
    let entropy: &dyn Entropy = &OsEntropy;
    let at = leased.delivery.due_at;
    let attempt = Attempt {
        id: AttemptId::mint(at, entropy.id_bytes()),
        delivery: leased.delivery.id,
        number: leased.attempt_number,
        started_at: at,
        duration_us: 1_000,
        phases: Default::default(),
        status: Some(200),
        class: ErrorClass::Ok,
        error: "".into(),
        response_headers: vec![("content-type".into(), "text/plain".into())],
        response_excerpt: "ok".into(),
        next_attempt_at: None,
    };
    Settlement {
        follows: vec![],
        delivery: leased.delivery.id,
        fence: leased.fence,
        attempt: Some(attempt),
        next: Next::Delivered,
    }
}

async fn due_ms(store: &Arc<dyn Store>) -> Result<f64> {
    let mut took = Vec::new();
    for _ in 0..50 {
        let began = Instant::now();
        let due = store.due(&[], 256).await?;
        due.lanes.first().context("nothing is due")?;
        took.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(took))
}
