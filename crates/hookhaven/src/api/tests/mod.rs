//! The admin API as its clients meet it: every path, over a memory store, in this process.

mod access;
mod alerts;
mod analysis;
mod backup;
mod bulk;
pub(super) mod document;
mod door;
mod groups;
mod guide;
mod health;
mod lists;
mod openapi;
mod publishing;
mod redact;
mod rejected;
mod search;
mod signing_keys;
mod trials;
mod ways_back;
