//! What only the shared store has to show: several nodes on one database, a database that goes away and comes
//! back, schemas of other versions, servers that would lose data, poolers and TLS between.
//!
//! The contract that it shares with the other stores is the conformance suite.
#![allow(clippy::unwrap_used)]

#[path = "../conformance/bench.rs"]
#[allow(dead_code, reason = "the conformance suite's own helpers, of which some are used here")]
mod bench;
mod crash;
mod lines;
mod looking;
mod nodes;
mod queues;
mod retain;
mod sealed;
mod server;
mod tls;
mod together;
mod world;
