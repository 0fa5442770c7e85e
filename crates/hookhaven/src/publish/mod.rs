//! Publishing in QStash's wire format: the one place that speaks it. A published message is one of our
//! deliveries; its settings are kept as header lines of the event and parsed again when they are needed.
//!
//! Pure parts: `lines` and `settings` (what a publisher wrote), `destination`, `names`, `ids`, `duration`,
//! `dedupe`, `redact`, `selection` (filters), `message` (a delivery seen as a message), `headers` and
//! `jwt` (what a destination receives), `callback`, `compose` (a message as events to be stored), `view` and
//! `story` (messages and their logs as they are shown), `route` (which call is meant).
//!
//! What acts: `api` answers calls, `book` keeps at hand what they made (groups, queues, keys of flow control,
//! schedules), `manage` shows that to the admin API, `scheduler` makes messages of schedules, `outgoing` is what the
//! worker asks, `keys` signs.
//!
//! Not here: storing, retrying and sending, which are the same for everything that is delivered. Ingest,
//! worker and API are not imported; they meet this in `app`.

pub mod api;
mod auth;
pub mod book;
pub mod callback;
mod compose;
pub mod dedupe;
pub mod destination;
pub mod duration;
pub mod error;
pub mod headers;
pub mod ids;
pub mod jwt;
pub mod keys;
mod limits;
pub mod lines;
pub mod manage;
pub mod message;
pub mod names;
pub mod outgoing;
pub mod redact;
mod route;
pub mod scheduler;
pub mod selection;
pub mod settings;
mod sought;
mod story;
#[cfg(test)]
mod testing;
mod view;
