//! A copy from the embedded store to PostgreSQL: whatever had happened, the new store shows what the old one
//! showed and goes on where it was; whenever it is interrupted; and neither side is used by mistake meanwhile.
#![allow(clippy::unwrap_used)]

#[path = "../conformance/bench.rs"]
#[allow(dead_code, reason = "the conformance suite's own helpers, of which some are used here")]
mod bench;
mod damage;
mod guards;
mod whole;
mod world;
