//! Where time and randomness enter: the two things nobody may take from the air.
//!
//! `Clock` is "now" plus a way to wait for it; the system's runs on a wall-clock anchor plus elapsed
//! time and never runs back. `ManualClock` is moved by tests.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use hookhaven_core::Time;
use tokio::sync::oneshot;

pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

pub trait Clock: Send + Sync + std::fmt::Debug {
    fn now(&self) -> Time;

    /// Resolves when `now()` has reached `at`.
    fn sleep_until(&self, at: Time) -> Sleep;

    /// What the machine's wall clock says, which may step; `now()` does not follow it.
    fn wall(&self) -> Time {
        self.now()
    }
}

/// The machine's clock: read once, then carried by the monotonic one.
#[derive(Debug)]
pub struct SystemClock {
    anchor: Time,
    started: std::time::Instant,
}

impl SystemClock {
    pub fn start() -> Self {
        SystemClock { anchor: wall(), started: std::time::Instant::now() }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clocks")]
fn wall() -> Time {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Time::from_us(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        self.anchor.plus(self.started.elapsed())
    }

    fn sleep_until(&self, at: Time) -> Sleep {
        Box::pin(tokio::time::sleep(at.since(self.now())))
    }

    fn wall(&self) -> Time {
        wall()
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug, Clone)]
pub struct ManualClock {
    now_us: Arc<AtomicI64>,
    /// How far the wall clock has stepped away from it.
    stepped_us: Arc<AtomicI64>,
    sleepers: Arc<Mutex<Sleepers>>,
}

#[derive(Debug, Default)]
struct Sleepers {
    next: u64,
    waiting: BTreeMap<(Time, u64), oneshot::Sender<()>>,
}

impl ManualClock {
    pub fn at(start: Time) -> Self {
        let now_us = Arc::new(AtomicI64::new(start.as_us()));
        ManualClock { now_us, stepped_us: Arc::default(), sleepers: Arc::default() }
    }

    /// The wall clock shows so much more than `now` from here on, or less.
    pub fn step_wall(&self, us: i64) {
        self.stepped_us.store(us, Ordering::SeqCst);
    }

    /// Moves time on and wakes those whose time has come.
    pub fn advance(&self, by: Duration) {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(|e| e.into_inner());
        let now = self.now().plus(by);
        self.now_us.store(now.as_us(), Ordering::SeqCst);
        let later = sleepers.waiting.split_off(&(now.plus(Duration::from_micros(1)), 0));
        for (_, sleeper) in std::mem::replace(&mut sleepers.waiting, later) {
            let _ = sleeper.send(());
        }
    }

    /// The earliest time somebody waits for.
    pub fn next_wake(&self) -> Option<Time> {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(|e| e.into_inner());
        sleepers.waiting.retain(|_, sleeper| !sleeper.is_closed());
        sleepers.waiting.keys().next().map(|(at, _)| *at)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        Time::from_us(self.now_us.load(Ordering::SeqCst))
    }

    fn sleep_until(&self, at: Time) -> Sleep {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(|e| e.into_inner());
        if at <= self.now() {
            return Box::pin(std::future::ready(()));
        }
        let (wake, woken) = oneshot::channel();
        let n = sleepers.next;
        sleepers.next += 1;
        sleepers.waiting.insert((at, n), wake);
        Box::pin(async move {
            let _ = woken.await;
        })
    }

    fn wall(&self) -> Time {
        Time::from_us(self.now().as_us().saturating_add(self.stepped_us.load(Ordering::SeqCst)))
    }
}

/// Random bytes for ids and jitter.
pub trait Entropy: Send + Sync + std::fmt::Debug {
    fn fill(&self, bytes: &mut [u8]);
}

impl dyn Entropy + '_ {
    /// Ten bytes, as an id wants them.
    pub fn id_bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        self.fill(&mut bytes);
        bytes
    }

    /// A number in 0.0..1.0.
    pub fn unit(&self) -> f64 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }
}

/// The operating system's, through the TLS library's generator. It gives out few bytes as dearly as many,
/// so each thread draws some in advance; none is given out twice.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

/// Enough for some dozens of ids.
const DRAWN_BYTES: usize = 512;

struct Drawn {
    bytes: [u8; DRAWN_BYTES],
    used: usize,
}

thread_local! {
    static DRAWN: RefCell<Drawn> = const { RefCell::new(Drawn { bytes: [0; DRAWN_BYTES], used: DRAWN_BYTES }) };
}

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        // Secrets and other long ones are not for lying about in advance.
        if bytes.len() > 16 {
            return draw(bytes);
        }
        DRAWN.with_borrow_mut(|drawn| {
            if DRAWN_BYTES - drawn.used < bytes.len() {
                draw(&mut drawn.bytes);
                drawn.used = 0;
            }
            let given = &mut drawn.bytes[drawn.used..drawn.used + bytes.len()];
            bytes.copy_from_slice(given);
            given.fill(0);
            drawn.used += bytes.len();
        });
    }
}

fn draw(bytes: &mut [u8]) {
    // It fails only where the system has no random source at all; nothing may go on then.
    if aws_lc_rs::rand::fill(bytes).is_err() {
        std::process::abort();
    }
}

/// The same bytes for the same seed (SplitMix64); for tests and simulation only.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<u64>);

impl SeededEntropy {
    pub fn new(seed: u64) -> Self {
        SeededEntropy(Mutex::new(seed))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(|e| e.into_inner());
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_random_bytes_are_given_out_twice() {
        let draw = || {
            let ids = (0..1_000).map(|n| {
                let mut bytes = [0; 16];
                // Lengths that do not divide what is drawn in advance.
                OsEntropy.fill(&mut bytes[..10 + n % 7]);
                bytes
            });
            ids.collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(draw)).collect();
        let all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 3_000);
    }
}
