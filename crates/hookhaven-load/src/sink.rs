//! What a handler remembers that is there to be measured: which events it has seen, how often, and how
//! long after they were meant to be sent. The server around it is the caller's.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{
    event,
    latency::{Latencies, Summary},
    now,
};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Requests, repeated ones and strange ones included.
    pub received: u64,
    /// Different events.
    pub distinct: u64,
    /// When the last event that was new came, in microseconds since 1970.
    pub last_us: u64,
    /// From when an event was meant to be sent to when it came here first.
    pub end_to_end: Summary,
}

#[derive(Debug, Default)]
pub struct Seen {
    received: u64,
    last_us: u64,
    numbers: HashSet<u64>,
    latencies: Latencies,
}

impl Seen {
    /// A body that `Events` made, received now.
    pub fn take(&mut self, body: &[u8]) {
        self.received += 1;
        let Some(event) = event::seen(body) else { return };
        if self.numbers.insert(event.number) {
            self.last_us = now::unix_us();
            self.latencies.record_us(self.last_us.saturating_sub(event.intended_us));
        }
    }

    /// Different events so far.
    pub fn distinct(&self) -> u64 {
        self.numbers.len() as u64
    }

    pub fn stats(&self) -> Stats {
        Stats {
            received: self.received,
            distinct: self.distinct(),
            last_us: self.last_us,
            end_to_end: self.latencies.summary(),
        }
    }
}
