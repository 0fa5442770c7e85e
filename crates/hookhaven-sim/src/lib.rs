//! Simulation of Hookhaven: nodes, senders, handlers, operators and faults as actors on a virtual clock, all
//! from one seed. A run takes minutes of virtual time and a fraction of a second of ours; the same seed is the
//! same run, event by event, so that whatever it finds can be found again:
//!
//! ```text
//! cargo run -p hookhaven-sim -- --seed 8 --trace
//! cargo run --release -p hookhaven-sim -- --seeds 1000
//! ```
//!
//! # What is real
//!
//! - *Ingest*: signatures, facts, routes, answers (`Ingest::receive`).
//! - *The worker*, whole: session, dispatcher, lanes, breaker, pace, attempts; and the sweeps. In some runs
//!   retention is minutes, so that segments are carried forward and removed amid all the rest.
//! - *The embedded store*, whole: rules, live state, journal and its recovery, SQLite index, start-up path,
//!   opening again after a failed sync. It runs without its threads (`EmbeddedStore::open_stepped`): a batch is
//!   decided, its sync takes a while in which everything else goes on, then it is committed; the index follows
//!   when it gets to it.
//!
//! # What is modelled
//!
//! - *The disk* (`SimDisk`): loses and tears what was not synced, fails syncs, is full, and has its power taken in
//!   the middle of a sync. The index's files are real, in a scratch directory; a restart finds them or not.
//! - *Time*: stands still while anything can run. It jumps ahead at times and never runs back.
//! - *Sockets*: senders hand requests to ingest, and handlers stand in the transport's place (`Egress`).
//! - *Operators* use the store as the API does; the API is not here. *Config* is replaced as a reload does.
//! - *Nodes*: several workers on one store, as on a shared one. A frozen node stands still wherever it calls the
//!   store, the clock or a handler; a dead one does so for ever. Between a node and its store calls fail before or
//!   after they were done, and are slow (`Faulty` with a `Fate`); claims never lose their answer, since in one
//!   process nothing could.
//!
//! # Laws
//!
//! The table is `laws::LAWS`; breaker, pause, one holder, signatures, bytes and "time moves on" are judged while it
//! happens (`laws::online`, the actors). Once faults stop, all drains in bounded virtual time; and after one more
//! power cut the history is the same. Bounds in time hold only while store, nodes and clock are well: every fault
//! says for how long they do not. In some runs routes are ordered by a key; then keys and
//! versions are read from what the senders sent.
//!
//! # Planted bugs
//!
//! [`Mutation`] lists them: each is planted where it would be, in a layer over the store, in the disk, in the
//! node's config or its way out. `tests/mutations.rs` asserts that some seed finds each: sync skipped, answer
//! before the commit, key before the commit, failure answered as success, keys forgotten, fence ignored, settle
//! before the commit, lapse ignored, lapsed leases kept, budget off by one, retry at once, breaker that never opens,
//! connections shared by all destinations, pause ignored, replay twice, wake-up lost, retention ignored, body
//! rewritten, lines apart, versions equal.
//!
//! Not here: backup, the index's damage and the journal's (the store's own tests), real disks and sockets (the gateway's end-to-end tests), speed (`bench`).

mod actors;
mod chance;
mod clock;
mod cluster;
mod fate;
mod gate;
mod laws;
mod layer;
mod machine;
mod mutant;
mod mutation;
mod node;
mod plan;
mod run;
mod signal;
mod trace;
mod watched;
mod world;

pub use mutation::Mutation;
pub use run::{Report, run};

/// A seed that was not run before, most likely: from the machine's own randomness.
pub fn fresh_seed() -> u64 {
    use hookhaven_store::clock::{Entropy, OsEntropy};
    let mut bytes = [0; 8];
    OsEntropy.fill(&mut bytes);
    // Short enough to type.
    u64::from_le_bytes(bytes) % 1_000_000_000
}
