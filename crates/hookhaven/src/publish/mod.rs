//! Publishing messages in QStash's wire format.

pub mod keys;
