//! Files that people write, as TOML that knows where everything stands: tables that notice unknown keys, values with
//! their bounds, and every problem at once, each with its place and its mend.
//!
//! Not here: what the keys mean (the gateway's configuration, the architect's intake).

pub mod document;
pub mod duration;
pub mod problem;
pub mod said;
pub mod size;
pub mod suggest;
pub mod values;

pub use document::{Document, Item, Table};
pub use problem::{Places, Position, Problem, Severity};
