//! A handler that answers at once (or never) and remembers which events it has seen, how often, and how
//! long after they were meant to be sent. `GET /stats` tells.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use hookhaven_bench::{
    event,
    latency::{Latencies, Summary},
    now,
};
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use crate::serve::until_stdin_ends;

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

#[derive(Default)]
struct Seen {
    received: u64,
    last_us: u64,
    numbers: HashSet<u64>,
    latencies: Latencies,
}

pub async fn serve(hang: bool) -> Result<()> {
    let seen = Arc::new(Mutex::new(Seen::default()));
    until_stdin_ends(move |head, body| {
        let seen = Arc::clone(&seen);
        async move {
            if head.method == Method::GET {
                let stats = seen.lock().unwrap_or_else(PoisonError::into_inner).stats();
                return (StatusCode::OK, serde_json::to_vec(&stats).unwrap_or_default());
            }
            seen.lock().unwrap_or_else(PoisonError::into_inner).take(&body);
            if hang {
                std::future::pending::<()>().await;
            }
            (StatusCode::OK, Vec::new())
        }
    })
    .await
}

impl Seen {
    fn take(&mut self, body: &[u8]) {
        self.received += 1;
        let Some(event) = event::seen(body) else { return };
        if self.numbers.insert(event.number) {
            self.last_us = now::unix_us();
            self.latencies.record_us(self.last_us.saturating_sub(event.intended_us));
        }
    }

    fn stats(&self) -> Stats {
        Stats {
            received: self.received,
            distinct: self.numbers.len() as u64,
            last_us: self.last_us,
            end_to_end: self.latencies.summary(),
        }
    }
}
