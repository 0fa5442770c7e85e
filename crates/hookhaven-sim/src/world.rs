//! What everyone in a run shares: the clock, the trace, and the ledger, in which everything is written down
//! that the laws judge by. The ledger knows only what can be seen from outside: what senders were answered,
//! what handlers were sent, what the store answered its nodes, what operators asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use hookhaven_core::{DeliveryId, ErrorClass, EventId, Time};
use hookhaven_store::clock::Clock;

use crate::{clock::SimClock, laws::online::Watch, plan::Plan, signal::Signal, trace::Trace};

/// A sender's name for an event: its source and idempotency key.
pub type Key = (Arc<str>, Arc<str>);

#[derive(Debug)]
pub struct World {
    pub plan: Plan,
    pub clock: SimClock,
    /// Faults go on until this says that they are over.
    pub faults: Signal<bool>,
    trace: Mutex<Trace>,
    ledger: Mutex<Ledger>,
    /// Calls at this moment of virtual time.
    calls: Mutex<(Time, u64)>,
}

/// Calls to the store at one moment beyond which somebody goes round in circles.
const CALLS_AT_ONCE_MAX: u64 = 20_000;

/// What a sender sent under one key.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    pub body: Bytes,
    /// Tries, redeliveries included.
    pub tries: u32,
    pub acknowledged: u32,
}

/// An event that the store said it has.
#[derive(Clone, Debug)]
pub struct Taken {
    pub key: Key,
    /// `None` if this was only ever told of as a duplicate's.
    pub received_at: Option<Time>,
}

/// An attempt whose settling was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub delivery: DeliveryId,
    pub number: u32,
    pub class: ErrorClass,
}

#[derive(Debug, Default)]
pub struct Ledger {
    pub sent: BTreeMap<Key, Sent>,
    /// Keys of requests that were not the sender's; none of them may be stored.
    pub forged: BTreeSet<Key>,
    pub taken: BTreeMap<EventId, Taken>,
    pub settled: Vec<Settlement>,
    pub replay_asked: BTreeSet<DeliveryId>,
    pub replay_told: Vec<(DeliveryId, DeliveryId)>,
    pub dismiss_asked: BTreeSet<DeliveryId>,
    /// Event and destination of each of them.
    pub dismissed_for: BTreeSet<(String, Arc<str>)>,
    /// When a handler first saw an event.
    pub seen: BTreeMap<(String, Arc<str>), Time>,
    /// Event (as the handler saw its id) and destination for which a 2xx was answered.
    pub delivered: BTreeSet<(String, Arc<str>)>,
    /// The same where the handler asked not to be sent the event again.
    pub aborted: BTreeSet<(String, Arc<str>)>,
    /// Times in which bounds do not hold: a fault, and what it takes to get over it.
    pub disturbed: Vec<(Time, Time)>,
    pub watch: Watch,
    pub breaches: Vec<String>,
    pub counts: BTreeMap<&'static str, u64>,
}

impl World {
    pub fn new(plan: Plan, keep_trace: bool) -> Arc<Self> {
        Arc::new(World {
            plan,
            clock: SimClock::start(),
            faults: Signal::new(true),
            trace: Mutex::new(Trace::new(keep_trace)),
            ledger: Mutex::default(),
            calls: Mutex::default(),
        })
    }

    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Writes a line into the trace.
    pub fn say(&self, what: fmt::Arguments<'_>) {
        let now = self.now();
        self.trace().line(now, what);
    }

    pub fn trace(&self) -> MutexGuard<'_, Trace> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never held across an await.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call to the store is made. `false`, once and for all, when there are so many at one moment that time
    /// would never move on.
    pub fn called(&self) -> bool {
        let now = self.now();
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls = if calls.0 == now { (now, calls.1 + 1) } else { (now, 1) };
        let circling = calls.1 >= CALLS_AT_ONCE_MAX;
        let first = calls.1 == CALLS_AT_ONCE_MAX;
        drop(calls);
        if first {
            self.breach("rests", format_args!("the store is asked again and again, and time stands still"));
        }
        !circling
    }

    pub fn count(&self, what: &'static str) {
        self.add(what, 1);
    }

    pub fn add(&self, what: &'static str, n: u64) {
        *self.ledger().counts.entry(what).or_default() += n;
    }

    /// A law was broken.
    pub fn breach(&self, law: &str, what: fmt::Arguments<'_>) {
        self.say(format_args!("BREACH {law}: {what}"));
        let at = self.now().since(crate::clock::START).as_secs_f64();
        self.ledger().breaches.push(format!("{law}: {what} (at {at:.3} s)"));
    }

    /// Bounds do not hold from now on for so long, and a while after.
    pub fn disturb(&self, lasting: Duration) {
        let now = self.now();
        let over = now.plus(lasting + RECOVERY);
        self.ledger().disturbed.push((now, over));
    }

    pub fn faults_on(&self) -> bool {
        self.faults.get()
    }

    /// Sleeps, but not beyond the end of the faults. Answers whether they still go on.
    pub async fn sleep_in_faults(&self, wait: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.faults.is(false) => false,
            () = self.clock.sleep(wait) => self.faults_on(),
        }
    }
}

/// After a fault the store is asked again within seconds, and sessions are opened anew.
pub const RECOVERY: Duration = Duration::from_secs(15);

impl Ledger {
    /// Whether no fault bears on any of the time between.
    pub fn is_calm(&self, from: Time, to: Time) -> bool {
        self.disturbed.iter().all(|(began, over)| *over < from || *began > to)
    }
}
