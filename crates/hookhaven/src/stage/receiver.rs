//! The check that a handler makes of each attempt: the signature, over the raw bytes.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use hookhaven_core::{
    Secret,
    sender::{Keys, Request, Sender},
};
use hookhaven_store::clock::Clock;
use http::{HeaderMap, Method};

/// Holds the secret of one or more destinations.
#[derive(Debug)]
pub struct Receiver {
    sender: Arc<dyn Sender>,
    secret: Secret,
    clock: Arc<dyn Clock>,
}

impl Receiver {
    pub fn new(secret: Secret, clock: Arc<dyn Clock>) -> Result<Self> {
        Ok(Receiver { sender: super::sender("standard-webhooks")?, secret, clock })
    }

    pub fn signature_holds(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let request = Request { method: &Method::POST, url: None, query: None, headers, body };
        let secrets = [self.secret.clone()];
        let keys =
            Keys { secrets: &secrets, tolerance: Duration::from_secs(300), now: self.clock.now(), fetched: None };
        self.sender.verify(&request, &keys).is_ok()
    }
}
