//! What the team wrote in `hookhaven.toml`, parsed into types that cannot be wrong.

pub mod model;

pub use model::*;
