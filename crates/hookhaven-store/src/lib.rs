//! The store: one seam in domain verbs (`seam`), one pure state machine that decides (`live`,
//! `rules`), and the places it can live in: `memory`, `embedded` (journal + SQLite index) and
//! `postgres`; the way from one to the other (`copy`); and beside it the `quarantine` of rejected requests.
//!
//! Not here: HTTP, configuration, policy. The store is told what to keep; it decides only what must be
//! decided in one place and one order: duplicate, lease, settle, replay, dismiss.

pub mod clock;
pub mod codec;
pub mod copy;
mod courtesy;
pub mod embedded;
pub mod faulty;
pub mod history;
pub mod live;
pub mod memory;
pub mod nodes;
pub mod position;
pub mod postgres;
pub mod quarantine;
pub mod record;
pub mod rules;
pub mod seam;

pub use seam::*;
