//! Makes the requests with which people try things out: by the one way out to destinations, as an attempt is made, and
//! by this gateway's own door to its sources.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use hookhaven_core::{Destination, Event, EventId, Time, sender::Signed};
use hookhaven_store::clock::{Clock, Entropy};
use http::{HeaderName, HeaderValue, Method};
use serde_json::json;

use crate::{
    config::Config,
    egress::{Egress, Outbound, To},
    sample::{Answer, Door},
    trials::{NotBrought, TEST_HEADER, TEST_TYPE, Trial, Trials},
    worker::headers,
};

/// Whoever asks waits for it, so a test request has less time than an attempt may have.
const TIMEOUT_MAX: Duration = Duration::from_secs(30);
/// Where a test request comes from, as its headers say; no source can have this name.
const SOURCE: &str = "_test";

#[derive(Debug)]
pub(super) struct Hands {
    pub egress: Arc<dyn Egress>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub config: Arc<ArcSwap<Config>>,
    /// Where this node takes requests in; `None`: it does not.
    pub ingest: Option<SocketAddr>,
}

#[async_trait]
impl Trials for Hands {
    async fn destination(&self, destination: &Destination) -> Trial {
        let at = self.clock.now();
        let event = test_event(EventId::mint(at, self.entropy.id_bytes()), &destination.name, at);
        let mut headers = headers::build_without_delivery(&event, destination, at);
        headers.insert(HeaderName::from_static(TEST_HEADER), HeaderValue::from_static("true"));
        let limits = self.config.load().worker.clone();
        let outbound = Outbound {
            method: Method::POST,
            to: To::Configured(destination.url.clone()),
            headers,
            body: event.body,
            timeout: destination.timeout.min(TIMEOUT_MAX),
            excerpt_bytes_max: limits.excerpt_bytes_max,
            response_bytes_max: limits.response_bytes_max,
        };
        Trial { id: event.id, at, sent: self.egress.send(outbound).await }
    }

    async fn sample(&self, source: &str, signed: Signed) -> Result<Answer, NotBrought> {
        let ingest = self.ingest.ok_or(NotBrought::NoDoor)?;
        let door = Door::of(ingest, self.config.load().server.tls.ingest.as_deref());
        door.post(source, signed, TIMEOUT_MAX).await.map_err(NotBrought::NoAnswer)
    }
}

/// What is never stored, in the form that attempts are made of.
fn test_event(id: EventId, destination: &str, at: Time) -> Event {
    let body = json!({
        "type": TEST_TYPE,
        "id": id,
        "destination": destination,
        "sent_at": at,
        "text": "Somebody tries whether you can be reached. Nothing has happened; answer 200.",
    });
    Event {
        id,
        source: SOURCE.into(),
        event_type: TEST_TYPE.into(),
        idempotency_key: id.to_string().into(),
        received_at: at,
        occurred_at: Some(at),
        correlation_id: id.to_string().into(),
        matched_secret: None,
        remote: "".into(),
        headers: vec![("content-type".into(), Bytes::from_static(b"application/json"))],
        body: body.to_string().into(),
        digest: None,
        part: None,
    }
}
