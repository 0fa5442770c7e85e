//! Servers that tests start for themselves, each in a directory that goes with it: a private PostgreSQL from
//! Debian's packages (`postgres`), and a pooler before it (`pooler`); the judge of Prometheus's rules (`promtool`); and
//! a browser (`chromium`). What is not installed is an error that says how to install it, never a skip.
//!
//! Not here: what is tested with them. Nothing of this is shipped.

pub mod chromium;
pub mod pooler;
pub mod postgres;
mod process;
pub mod promtool;

pub use self::{
    pooler::Pooler,
    postgres::{Cluster, ClusterOptions, Databases, KeptUp, shared},
};
