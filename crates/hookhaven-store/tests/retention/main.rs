//! Retention and backup of the embedded store: through a crash at each step, beside damage, and copied
//! while it runs. What every store must do stands in the conformance suite.
#![allow(clippy::unwrap_used)]

mod backup;
mod crash;
mod damage;
mod world;
