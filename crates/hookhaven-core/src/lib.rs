//! Hookhaven's pure rules: what a sender is and how its requests are verified, which destinations
//! an event goes to, what follows from an attempt. Everything here is a function of its arguments.
//!
//! Not here: sockets, files, threads, clocks, randomness. `now` and random bytes come in as values,
//! so that every rule can be tested and simulated on a virtual clock.

pub mod alert;
pub mod analysis;
pub mod attempt;
pub mod breaker;
pub mod cron;
pub mod delivery;
pub mod destination;
pub mod diagnosis;
pub mod event;
pub mod expression;
pub mod filter;
pub mod glob;
pub mod go_duration;
pub mod group;
pub mod hints;
pub mod id;
pub mod job;
pub mod json;
pub mod lifecycle;
pub mod likeness;
pub mod ordering;
pub mod pace;
pub mod redact;
pub mod rejected;
pub mod retry;
pub mod route;
pub mod secret;
pub mod sender;
pub mod senders;
pub mod sign;
pub mod source;
pub mod time;
pub mod window;

pub use attempt::{Attempt, ErrorClass, Phases};
pub use delivery::{Delivery, DeliveryState, EndReason, Lane, Policy};
pub use destination::Destination;
pub use event::Event;
pub use id::{AttemptId, AuditId, DeliveryId, EventId, GroupId, JobId, MarkId, RejectedId};
pub use ordering::{LineId, Order, OrderRule, Version};
pub use rejected::Rejected;
pub use secret::Secret;
pub use time::Time;
