//! The shared store: every node meets in one PostgreSQL (15 or later), in a schema of its own.
//!
//! The database decides what must be decided in one place: a unique index what is a duplicate (`accept`), row
//! locks who has a delivery (`claim`), the fence who may settle it (`endings`). What follows from a decision is
//! the same as everywhere (`rules`, `live`). A delivery is one row in one of two tables, `live` or `ended`;
//! settling moves it. Events, ended deliveries and attempts lie in one partition a day (`slices`, `retain`).
//!
//! Of deliveries that are ordered only the first of each line waits where it can be found (`lines`, `lined`); accepts
//! that need more than one statement are judged first (`judge`).
//!
//! Calls that write gather on this side and go to the database together (`queue`), over a few connections
//! (`pool`) of which none carries state from one transaction to the next: a pooler in transaction mode may
//! stand between, except for listening, for which another address can be given (`wake`).
//!
//! "Now" is the database's clock as this node knows it (`clock`), and goes into every statement as a value.
//!
//! When the database is away every call says so at once, one task tries to reach it again (`health`), and
//! nothing here has to be restarted. A commit whose fate is not known is `Unavailable`: the sender comes again,
//! and its key tells whether it had been stored.
//!
//! What is relied on: `INSERT … ON CONFLICT`, `FOR UPDATE SKIP LOCKED`, data-modifying `WITH`, list and hash
//! partitions, advisory locks of transactions.
//!
//! Not here: backup, which the database's own tools do.

mod accept;
mod attempted;
mod births;
mod cancel;
mod catalog;
mod claim;
mod clock;
mod conditions;
mod endings;
mod events;
pub mod examine;
mod few;
mod follow;
mod heads;
mod health;
pub(crate) mod import;
mod judge;
mod lined;
mod lines;
mod lines_upkeep;
mod lists;
mod look;
mod migrate;
mod nodes;
mod offer;
mod pool;
mod quarantine;
mod queue;
mod redeliver;
mod replay;
mod retain;
mod rows;
mod search;
mod session;
mod settle;
mod slices;
mod stats;
mod steps;
mod store;
mod target;
mod tried;
mod trouble;
mod turns;
mod wake;
mod whole;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, atomic::AtomicU64},
    time::{Duration, Instant},
};

use hookhaven_core::{Secret, Time};
use tokio::sync::watch;

pub use self::{clock::DatabaseClock, import::must_be_unused, quarantine::PostgresQuarantine};
use self::{
    health::Health,
    pool::{Mode, Pool},
    queue::Queue,
    rows::At,
    target::Target,
    trouble::Trouble,
};
use crate::{
    clock::{Clock, Entropy},
    courtesy::Courtesy,
    embedded::queue::QueueLimits,
    seam::{SessionId, StoreError},
};

/// What the shared store is opened with.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    pub address: PostgresAddress,
    /// Where to listen for notifications, if `address` is a pooler in transaction mode.
    pub listen: Option<PostgresAddress>,
    /// Whether to bring the schema up to date, or only to check it.
    pub migrate: bool,
    /// Pending deliveries, of all nodes together, beyond which nothing is accepted.
    pub pending_max: u64,
    /// What may wait for a commit.
    pub queue: QueueLimits,
    /// Events, or attempts, in one commit at most.
    pub batch_max: usize,
    /// Until the database must have answered; from then on the fate of what was sent is not known. A connection,
    /// a lock and a free connection must be had in half of it.
    pub answer_timeout: Duration,
    /// Connections that commit what was accepted, and as many that commit what was settled.
    pub committers: usize,
    /// Connections for everything else that writes or claims, and as many for lists.
    pub others: usize,
    /// `None`: the database's.
    pub clock: Option<Arc<dyn Clock>>,
    pub entropy: Arc<dyn Entropy>,
}

/// Where a database is, and by what right.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresAddress {
    /// `postgres://user@host/database?sslmode=verify-full`; see `target` for what `sslmode` means.
    pub url: String,
    /// Instead of one in the URL.
    pub password: Option<Secret>,
    /// If the URL names none.
    pub user: Option<String>,
}

/// Without the URL, which may hold a password.
impl std::fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresAddress").finish_non_exhaustive()
    }
}

/// Whether something can be made of an address; nobody is asked.
///
/// # Errors
/// [`StoreError::Refused`], naming what is wrong and never the password.
pub fn check_address(address: &PostgresAddress) -> Result<(), StoreError> {
    Target::parse(address, Duration::MAX).map(drop)
}

impl PostgresOptions {
    /// As a node runs that was told nothing else.
    pub fn new(url: impl Into<String>, entropy: Arc<dyn Entropy>) -> Self {
        PostgresOptions {
            address: PostgresAddress { url: url.into(), password: None, user: None },
            listen: None,
            migrate: true,
            pending_max: 2_000_000,
            queue: QueueLimits::default(),
            batch_max: 512,
            answer_timeout: Duration::from_secs(12),
            committers: 2,
            others: 4,
            clock: None,
            entropy,
        }
    }
}

/// See the module's text. Dropping it stops its tasks; `close` serves what waits first.
#[derive(Debug)]
pub struct PostgresStore {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    committers: tokio::sync::Mutex<tokio::task::JoinSet<()>>,
}

/// What the verbs and the tasks share.
#[derive(Debug)]
struct Shared {
    /// Writes and claims; lists; apart, so that no list keeps an event waiting.
    work: Pool,
    reads: Pool,
    /// How much is looked while events come in.
    courtesy: Courtesy,
    health: Arc<Health>,
    clock: Arc<dyn Clock>,
    database_clock: Option<Arc<DatabaseClock>>,
    entropy: Arc<dyn Entropy>,
    accepts: Queue<offer::Offer>,
    settles: Queue<settle::Report>,
    slices: slices::Slices,
    held: claim::Held,
    heads: Mutex<heads::Heads>,
    /// Held while somebody looks at the heads of all lanes.
    looking: tokio::sync::Mutex<()>,
    wake: wake::Wake,
    pending: stats::Pending,
    seen: stats::Seen,
    remembered: stats::Remembered,
    retaining: tokio::sync::Mutex<retain::Memo>,
    dismissed_by_age: AtomicU64,
    /// Deliveries that ended so since the store was opened.
    superseded: AtomicU64,
    /// Opened here and not closed.
    sessions: Mutex<HashMap<SessionId, Duration>>,
}

/// Between counts of what is pending, at least.
const RECOUNT_EVERY: Duration = Duration::from_secs(10);
/// How much longer than a count takes the next one must wait.
const RECOUNT_TIMES: u32 = 100;

impl PostgresStore {
    /// Connects, checks that the server keeps its word, brings the schema up to date and starts to work.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an address or a server that will not do, [`StoreError::Incompatible`] for a
    /// schema that is too new, [`StoreError::Unavailable`] while the database is away.
    pub async fn open(options: PostgresOptions) -> Result<Self, StoreError> {
        let target = Arc::new(Target::parse(&options.address, options.answer_timeout)?);
        let listen = match &options.listen {
            Some(at) => Arc::new(Target::parse(at, options.answer_timeout)?),
            None => target.clone(),
        };
        let health = Arc::<Health>::default();
        let pool = |size| Pool::new(target.clone(), health.clone(), size, options.answer_timeout);
        let (work, reads) = (pool(2 * options.committers.max(1) + options.others.max(2)), pool(options.others.max(1)));
        check_server(&work).await?;
        if options.migrate {
            migrate::migrate(&work).await?;
        } else if migrate::found(&work).await? < migrate::LATEST {
            return Err(StoreError::Incompatible(
                "the database's schema is older than this Hookhaven: run `hookhaven migrate`".into(),
            ));
        }
        import::must_have_ended(&work).await?;
        let database_clock = match options.clock {
            Some(_) => None,
            None => Some(Arc::new(read_clock(&work).await?)),
        };
        let given = options.clock.clone().or_else(|| database_clock.clone().map(|clock| clock as Arc<dyn Clock>));
        let clock = given.ok_or_else(|| StoreError::Failed("there is no clock".into()))?;
        let shared = Arc::new(Shared {
            work,
            reads,
            health: health.clone(),
            courtesy: Courtesy::new(clock.clone()),
            clock,
            database_clock,
            accepts: Queue::new(options.queue, options.batch_max, accept::APART),
            settles: Queue::new(QueueLimits::default(), options.batch_max, settle::APART),
            slices: Default::default(),
            held: Default::default(),
            heads: Mutex::default(),
            looking: Default::default(),
            wake: wake::Wake::new(&*options.entropy),
            pending: stats::Pending::new(options.pending_max),
            seen: Default::default(),
            remembered: Default::default(),
            retaining: Default::default(),
            dismissed_by_age: AtomicU64::new(0),
            superseded: AtomicU64::new(0),
            sessions: Mutex::default(),
            entropy: options.entropy.clone(),
        });
        shared.recount().await?;
        shared.mend_lines().await?;
        let stop = watch::Sender::new(false);
        tokio::spawn(wake::send(shared.clone(), stop.subscribe()));
        tokio::spawn(wake::listen(shared.clone(), listen, stop.subscribe()));
        tokio::spawn(wake::look(shared.clone(), stop.subscribe()));
        tokio::spawn(recount(shared.clone(), stop.subscribe()));
        let here = shared.wake.here.clone();
        health.opened();
        tokio::spawn(health::watch(health, target, options.entropy, move || here.notify_one(), stop.subscribe()));
        let mut committers = tokio::task::JoinSet::new();
        for _ in 0..options.committers.max(1) {
            committers.spawn(accept::committer(shared.clone()));
            committers.spawn(settle::committer(shared.clone()));
        }
        Ok(PostgresStore { shared, stop, committers: tokio::sync::Mutex::new(committers) })
    }

    /// The clock that the store goes by; who works with the store should go by it too.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.shared.clock.clone()
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.shared.accepts.close();
        self.shared.settles.close();
    }
}

impl Shared {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn heads(&self) -> MutexGuard<'_, heads::Heads> {
        self.heads.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<SessionId, Duration>> {
        self.sessions.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// Refuses a server that would lose what it said it had.
async fn check_server(pool: &Pool) -> Result<(), StoreError> {
    let sql = "SELECT current_setting('server_version_num')::int4, current_setting('fsync'), \
        current_setting('full_page_writes'), current_setting('server_encoding')";
    let rows = pool.once(Mode::Read, sql, &[]).await?;
    let row = rows.first().ok_or_else(|| StoreError::Failed("the server answered nothing".into()))?;
    let version: i32 = row.try_get(0).map_err(Trouble::from)?;
    let text = |column: usize| row.try_get::<_, &str>(column).map_err(Trouble::from);
    let refused = |why: String| Err(StoreError::Refused(why));
    if version < 150_000 {
        return refused(format!("the database is PostgreSQL {}; 15 or later is needed", version / 10_000));
    }
    for (setting, value) in [("fsync", text(1)?), ("full_page_writes", text(2)?)] {
        if value != "on" {
            return refused(format!(
                "the database runs with {setting} = {value}: it would lose events that were answered for; turn it on"
            ));
        }
    }
    if text(3)? != "UTF8" {
        return refused(format!("the database's encoding is {}; UTF8 is needed", text(3)?));
    }
    Ok(())
}

async fn read_clock(pool: &Pool) -> Result<DatabaseClock, StoreError> {
    let mut connection = pool.get().await?;
    let asked_at = Instant::now();
    let rows = connection.once(Mode::Read, "SELECT clock_timestamp()", &[]).await?;
    let row = rows.first().ok_or_else(|| StoreError::Failed("the server answered nothing".into()))?;
    Ok(DatabaseClock::new(row.try_get::<_, At>(0).map_err(Trouble::from)?.0, asked_at))
}

/// Counts what is pending now and then, so that other nodes' work shows.
async fn recount(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut wait = RECOUNT_EVERY;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        wait = match shared.recount().await {
            Ok(took) => RECOUNT_EVERY.max(took * RECOUNT_TIMES),
            Err(_) => RECOUNT_EVERY,
        };
    }
}
