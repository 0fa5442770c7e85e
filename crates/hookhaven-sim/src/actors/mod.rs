//! Who acts in a run: each a task of its own, drawing from a stream of its own.

pub mod handlers;
pub mod mishaps;
pub mod operators;
pub mod senders;
