//! What the team wrote in `hookhaven.toml`, parsed into types that cannot be wrong.
//!
//! `load` finds and reads the file, `parse` turns its text into the [`Config`] of `model` and reports
//! every [`Problem`] at once, `publish` and `telemetry` add what the environment says, `dev` makes the development server's, `written` says what of a file
//! may be shown, `reload` notices changes and swaps the whole value, or refuses and keeps
//! the old one. The environment is read in `environment` and nowhere else.

pub mod alerts;
#[cfg(test)]
mod designed;
pub mod dev;
pub mod encryption;
pub mod environment;
pub mod files;
pub mod load;
pub mod model;
pub mod parse;
pub mod publish;
pub mod quarantine;
pub mod redact;
pub mod reload;
pub mod secret;
pub mod telemetry;
pub mod written;

pub use alerts::{Alerts, Channel, ChannelKind};
pub use encryption::Encryption;
pub use environment::Environment;
pub use hookhaven_toml::{duration, problem, size, suggest};
pub use load::{Loaded, Origin, load};
pub use model::*;
pub use problem::{Places, Problem, Refused, Severity};
pub use quarantine::{Quarantine, SecretAges, Terms};
pub use redact::Redactions;
pub use telemetry::Telemetry;
pub use written::Written;
