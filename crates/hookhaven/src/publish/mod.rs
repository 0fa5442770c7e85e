//! Publishing in QStash's wire format: the one place that speaks it. A published message is one of our
//! deliveries; its settings are kept as header lines of the event and parsed again when they are needed.
//!
//! Pure parts: `lines` and `settings` (what a publisher wrote), `destination`, `names`, `ids`, `duration`,
//! `dedupe`, `redact`, `selection` (filters), `message` (a delivery seen as a message), `headers` and
//! `jwt` (what a destination receives).
//!
//! Not here: storing, retrying and sending, which are the same for everything that is delivered. Ingest,
//! worker and API are not imported; they meet this in `app`.

pub mod api;
mod auth;
pub mod book;
mod compose;
pub mod dedupe;
pub mod destination;
pub mod duration;
pub mod error;
pub mod headers;
pub mod ids;
pub mod jwt;
pub mod lines;
pub mod message;
pub mod names;
pub mod redact;
mod route;
pub mod scheduler;
pub mod selection;
pub mod settings;
mod shelf;
mod story;
pub mod terms;
#[cfg(test)]
mod testing;
mod view;
