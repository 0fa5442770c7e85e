//! The embedded store.

pub mod disk;
pub mod frame;
pub mod index;
pub mod journal;
pub mod segment;
