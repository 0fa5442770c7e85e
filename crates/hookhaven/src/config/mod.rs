//! What the team wrote in `hookhaven.toml`, parsed into types that cannot be wrong.

pub mod duration;
pub mod environment;
pub mod model;

pub use environment::Environment;
pub use model::*;
