//! How often each source may be posted to. Counted before anything is read or verified, since that is
//! what the limit protects; so whoever may reach a source can use its rate up, and `allow` says who may.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use hookhaven_core::{Time, pace::Pace, source::Source};

/// The pace of each source with a rate. Names come from the configuration, so there are few.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<HashMap<Arc<str>, Pace>>);

impl Rates {
    /// Takes a request in, or answers after how long there is room again.
    pub fn take(&self, source: &Source, now: Time) -> Result<(), Duration> {
        let Some(rate) = source.rate else { return Ok(()) };
        let mut paces = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let pace = match paces.get_mut(&source.name) {
            Some(pace) => pace,
            None => paces.entry(source.name.clone()).or_insert_with(Pace::of_requests),
        };
        if pace.room(rate, now) == 0 {
            return Err(pace.free_at(rate).since(now));
        }
        pace.take(rate, now);
        Ok(())
    }
}
