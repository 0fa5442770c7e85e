//! Signed load on a gateway, and which of it was acknowledged.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hookhaven_load::{
    event::{self, Events},
    load::{Report, Requests, Until, closed},
};

/// Stripe-signed events for `/webhooks/<source>`, and the numbers of those that were answered with 200.
#[derive(Debug)]
pub struct Stripe {
    path: String,
    events: Events,
    /// Numbers begin here, so that a second load does not repeat the first.
    first: u64,
    acknowledged: Mutex<BTreeSet<u64>>,
}

impl Stripe {
    pub fn new(source: &str, secret: &str) -> Arc<Self> {
        Self::from_number(source, secret, 0)
    }

    pub fn from_number(source: &str, secret: &str, first: u64) -> Arc<Self> {
        let events = Events { run: "load".into(), secret: secret.into(), body_bytes: 2_048 };
        Arc::new(Stripe { path: format!("/webhooks/{source}"), events, first, acknowledged: Mutex::default() })
    }

    pub fn acknowledged(&self) -> BTreeSet<u64> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// So many events over so many connections, each as soon as the last is answered.
    pub async fn send(self: &Arc<Self>, to: SocketAddr, connections: usize, count: u64) -> Report {
        let until = Until { requests: count, time: Duration::from_secs(300) };
        closed(to, connections, until, Arc::clone(self)).await
    }
}

/// The number of an event that `Stripe` sent, read from what a handler got.
pub fn number_of(body: &[u8]) -> Option<u64> {
    event::seen(body).map(|seen| seen.number)
}

impl Requests for Stripe {
    fn request(&self, number: u64, intended_us: u64) -> Vec<u8> {
        let number = self.first + number;
        self.events.request("hooks.example.test", &self.path, number, intended_us, intended_us / 1_000_000)
    }

    fn answered(&self, number: u64, status: u16) {
        if status == 200 {
            self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).insert(self.first + number);
        }
    }
}

/// The headers with which Stripe would send this body now.
pub fn stripe_headers(secret: &str, body: &[u8]) -> Vec<(String, String)> {
    let events = Events { run: String::new(), secret: secret.into(), body_bytes: 0 };
    let signature = events.signature(body, hookhaven_load::now::unix_s());
    vec![("content-type".into(), "application/json".into()), ("stripe-signature".into(), signature)]
}
