//! Release: a rejected request whose signature holds by now becomes the event it should have been. It is judged as it
//! would have been when it arrived, by the configuration of now, and goes the way of every other: facts, routes, one
//! `accept`, with its arrival as the time it was received. Its idempotency key is looked at as usual, so that what the
//! sender has sent again meanwhile is no second event.
//!
//! Stored first, marked afterwards: a crash between the two makes the next release a duplicate, and loses nothing.
//!
//! Not here: diagnosis (the core's), who may ask (`api`).

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use hookhaven_core::{
    Rejected, RejectedId,
    diagnosis::{self, Case, Diagnosis},
    sender::{Keys, Proof, Rejection, Request},
    source::Source,
};
use hookhaven_store::{
    StoreError,
    quarantine::{Marked, Quarantine, Released},
};
use http::request;

use super::{
    IngestParts,
    accept::{self, Taken},
    answer::Refusal,
    split,
};
use crate::{
    config::Config,
    correlation,
    quarantine::{Rejections, Release},
};

/// Diagnoses and releases.
#[derive(Debug)]
pub struct Releases {
    parts: IngestParts,
    quarantine: Arc<dyn Quarantine>,
}

impl Releases {
    pub fn new(parts: IngestParts, quarantine: Arc<dyn Quarantine>) -> Self {
        Releases { parts, quarantine }
    }

    /// What a key that the sender publishes is worth here, if one is needed and can be had.
    async fn fetched(&self, rejected: &Rejected, source: &Source) -> Option<Bytes> {
        let (headers, url) = (rejected.header_map(), source.signed_url(rejected.query()));
        let request = Request {
            method: &rejected.method,
            url: url.as_deref(),
            query: rejected.query(),
            headers: &headers,
            body: &rejected.body,
        };
        let keys =
            Keys { secrets: &source.secrets, tolerance: source.tolerance, now: rejected.received_at, fetched: None };
        let fetch = source.sender.needs(&request, &keys).ok().flatten()?;
        self.parts.sender_keys.get(&fetch).await.ok()
    }

    /// Judges with all that is known, on a thread that may take its time: a body is tried in hundreds of forms.
    async fn look<T: Send + 'static>(
        &self,
        rejected: &Rejected,
        config: &Config,
        source: &Arc<Source>,
        ask: fn(&Case<'_>) -> T,
    ) -> Option<T> {
        let fetched = self.fetched(rejected, source).await;
        let others: Vec<_> = config.sources.values().filter(|other| other.name != source.name).cloned().collect();
        let retired = self.parts.secrets.as_ref().map(|secrets| secrets.retired(&source.name)).unwrap_or_default();
        let (rejected, source) = (rejected.clone(), source.clone());
        let asking = tokio::task::spawn_blocking(move || {
            let case = Case {
                rejected: &rejected,
                source: &source,
                others: &others,
                retired: &retired,
                fetched: fetched.as_deref(),
            };
            ask(&case)
        });
        // A panic in it was logged where it happened.
        asking.await.ok()
    }

    async fn accept(&self, it: &Rejected, config: &Config, source: &Arc<Source>) -> Result<Release, StoreError> {
        let ask = |case: &Case<'_>| (diagnosis::diagnose(case), diagnosis::restore(case));
        let looked = self.look(it, config, source, ask).await;
        let (diagnosis, restored) = looked.ok_or_else(|| StoreError::Failed("it could not be diagnosed".into()))?;
        let (body, proof, restored) = match (diagnosis.verdict, restored) {
            (diagnosis::Verdict::Holds(proof), _) => (it.body.clone(), proof, false),
            (diagnosis::Verdict::HoldsRestored(_), Some((body, proof))) => (Bytes::from(body), proof, true),
            _ => return Ok(Release::Refused(diagnosis)),
        };
        let Some(head) = head(it) else { return Ok(Release::Refused(diagnosis)) };
        match self.store(it, config, source, &head, &body, proof).await? {
            None => Ok(Release::NoEvent),
            Some((event, duplicate)) => {
                let released = Released { at: self.parts.clock.now(), event };
                match self.quarantine.mark_released(it.id, released).await? {
                    Marked::Already(before) => Ok(Release::Already(before)),
                    Marked::Done | Marked::Unknown => {
                        let outcome = if duplicate { "duplicate" } else { "queued" };
                        self.parts.metrics.rejected_released(&source.name, outcome);
                        let source = &*source.name;
                        tracing::info!(rejected = %it.id, %event, source, outcome, restored, "released");
                        Ok(Release::Done { event, duplicate, restored })
                    }
                }
            }
        }
    }

    /// The way of every request from here on. `None` for a handshake: whoever asked has long gone.
    async fn store(
        &self,
        it: &Rejected,
        config: &Config,
        source: &Source,
        head: &request::Parts,
        body: &Bytes,
        proof: Proof,
    ) -> Result<Option<(hookhaven_core::EventId, bool)>, StoreError> {
        let client: IpAddr = it.remote.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let taken = Taken { source, head, body, client, arrived: it.received_at, span: None };
        let url = source.signed_url(it.query());
        let request = Request {
            method: &head.method,
            url: url.as_deref(),
            query: head.uri.query(),
            headers: &head.headers,
            body,
        };
        if source.sender.handshake(&request, &accept::own(source)).is_some() {
            return Ok(None);
        }
        let correlation_id = correlation::of(&head.headers, &*self.parts.entropy);
        let mut events = split::events(&taken, &request, proof, config, &*self.parts.entropy, &correlation_id);
        let now = self.parts.clock.now();
        for new in &mut events {
            // Remembered from now on: its window, counted from its arrival, may be over.
            new.key_until = now.plus(source.dedupe_window);
            // A person releases once more what came several times; that is no wish to replay what is dead.
            (new.revives, new.refuses_replay) = (false, false);
            new.deliveries.iter_mut().for_each(|delivery| delivery.due_at = now);
        }
        let stored = accept::store(&self.parts, events).await.map_err(|refusal| match refusal {
            Refusal::NotStored(error) => error,
            other => StoreError::Failed(other.as_str().to_owned()),
        })?;
        let duplicate = stored.iter().all(|stored| stored.novelty.is_duplicate());
        let first = stored.iter().find(|stored| duplicate || !stored.novelty.is_duplicate());
        Ok(first.map(|first| (first.event, duplicate)))
    }
}

#[async_trait]
impl Rejections for Releases {
    async fn diagnose(&self, rejected: Rejected) -> Option<Diagnosis> {
        let config = self.parts.config.load_full();
        let source = config.sources.get(&rejected.source)?;
        self.look(&rejected, &config, source, diagnosis::diagnose).await
    }

    async fn release(&self, id: RejectedId) -> Result<Release, StoreError> {
        let Some(found) = self.quarantine.get(id).await? else { return Ok(Release::Unknown) };
        if let Some(before) = found.released {
            return Ok(Release::Already(before));
        }
        let config = self.parts.config.load_full();
        let Some(source) = config.sources.get(&found.rejected.source) else { return Ok(Release::NoSource) };
        self.accept(&found.rejected, &config, source).await
    }
}

/// The head of the request as ingest had it. `None` if HTTP would not allow it.
fn head(it: &Rejected) -> Option<request::Parts> {
    let mut request = http::Request::builder().method(it.method.clone()).uri(&*it.target).body(()).ok()?;
    *request.headers_mut() = it.header_map();
    Some(request.into_parts().0)
}

/// What is kept of a request that was refused for `reason`.
pub(super) fn rejected(taken: &Taken<'_>, reason: Rejection, random: [u8; 10]) -> Rejected {
    let headers = taken.head.headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str().into(), Bytes::copy_from_slice(value.as_bytes())));
    let target = taken.head.uri.path_and_query().map_or("/", |target| target.as_str());
    let kept = taken.body.len().min(hookhaven_core::rejected::BODY_KEPT_BYTES_MAX);
    Rejected {
        id: RejectedId::mint(taken.arrived, random),
        received_at: taken.arrived,
        source: taken.source.name.clone(),
        reason,
        method: taken.head.method.clone(),
        target: target.into(),
        headers: headers.collect(),
        // A copy: a small one must not keep a large one in memory.
        body: Bytes::copy_from_slice(&taken.body[..kept]),
        body_bytes: taken.body.len() as u64,
        remote: taken.client.to_string().into(),
    }
}
