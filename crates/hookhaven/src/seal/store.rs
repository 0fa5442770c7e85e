//! Stands before a store: seals what is secret of what goes in, and opens what comes out (`event`, and entries of the
//! catalog of the kinds in [`SEALED_KINDS`]).
//!
//! A leased event that does not open is one that could not be read back: its delivery ends dead and says why. Whoever
//! only looks at it sees the rest. A catalog entry that does not open is an error.

use std::{path::Path, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use hookhaven_core::{Attempt, DeliveryId, Event, EventId, Lane};
use hookhaven_store::*;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use super::{
    SEALED_KINDS, SealError,
    envelope::SealedIn,
    event::{self, unopened as shown_unopened},
    file,
    ring::OpenError,
    vault::Vault,
};

#[derive(Debug)]
pub struct SealedStore {
    inner: Arc<dyn Store>,
    vault: Arc<Vault>,
    /// Where the keys lie in a file, which belongs to every backup.
    keys_dir: Option<(PathBuf, Arc<dyn clock::Entropy>)>,
}

/// The value of a sealed entry of the catalog.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedValue {
    sealed: String,
}

impl SealedStore {
    pub fn over(inner: Arc<dyn Store>, vault: Arc<Vault>) -> Self {
        SealedStore { inner, vault, keys_dir: None }
    }

    /// The same with keys in a file of this directory.
    pub fn in_directory(
        inner: Arc<dyn Store>,
        vault: Arc<Vault>,
        dir: PathBuf,
        entropy: Arc<dyn clock::Entropy>,
    ) -> Self {
        SealedStore { inner, vault, keys_dir: Some((dir, entropy)) }
    }

    fn seal_all(&self, events: Vec<NewEvent>) -> Result<Vec<NewEvent>, StoreError> {
        events.into_iter().map(|new| self.seal_event(new)).collect()
    }

    fn seal_event(&self, new: NewEvent) -> Result<NewEvent, StoreError> {
        Ok(NewEvent { event: event::seal(new.event, &self.vault)?, ..new })
    }

    /// Those whose key cannot be had just now are given back: they wait, and cost no attempt.
    async fn open_leased(&self, session: SessionId, leased: Vec<Leased>) -> Result<Vec<Leased>, StoreError> {
        let (mut opened, mut given_back) = (Vec::with_capacity(leased.len()), Vec::new());
        for mut leased in leased {
            if let Ok(event) = &leased.event {
                leased.event = match event::open(event, &self.vault).await {
                    Err(OpenError::NotNow(_)) => {
                        given_back.push(release(&leased));
                        continue;
                    }
                    done => done.map_err(|why| format!("the event cannot be read: {why}")),
                };
            }
            opened.push(leased);
        }
        if !given_back.is_empty() {
            self.inner.settle(session, given_back).await?;
        }
        Ok(opened)
    }

    async fn open_entries(&self, entries: Vec<CatalogEntry>) -> Result<Vec<CatalogEntry>, StoreError> {
        let mut opened = Vec::with_capacity(entries.len());
        for entry in entries {
            opened.push(open_entry(entry, &self.vault).await?);
        }
        Ok(opened)
    }
}

fn release(leased: &Leased) -> Settlement {
    let (delivery, fence) = (leased.delivery.id, leased.fence);
    Settlement { delivery, fence, attempt: None, next: Next::Release, follows: Vec::new() }
}

/// The envelope that a catalog entry holds; `None` of those that are not sealed.
fn envelope_of(entry: &CatalogEntry) -> Option<Vec<u8>> {
    let SealedValue { sealed } = serde_json::from_slice(&entry.value).ok().filter(|_| is_sealed_kind(&entry.kind))?;
    STANDARD.decode(sealed).ok()
}

fn is_sealed_kind(kind: &str) -> bool {
    SEALED_KINDS.contains(&kind)
}

fn seal_entry(mut entry: CatalogEntry, vault: &Vault) -> Result<CatalogEntry, SealError> {
    if is_sealed_kind(&entry.kind) {
        let envelope = vault.seal(SealedIn::Catalog(&entry.kind, &entry.name), &entry.value)?;
        let sealed = SealedValue { sealed: STANDARD.encode(envelope) };
        entry.value = serde_json::to_vec(&sealed).map_err(|_| SealError::Failed)?;
    }
    Ok(entry)
}

async fn open_entry(mut entry: CatalogEntry, vault: &Vault) -> Result<CatalogEntry, StoreError> {
    if let Some(envelope) = envelope_of(&entry) {
        let opened = vault.open(SealedIn::Catalog(&entry.kind, &entry.name), &envelope).await;
        entry.value = opened.map_err(|why| {
            let lost =
                "restore the data key from a backup, or give up what it encrypted with `hookhaven master-key abandon`";
            StoreError::Refused(format!(
                "the catalog entry {}/{} cannot be read: {why}; {lost}",
                entry.kind, entry.name
            ))
        })?;
    }
    Ok(entry)
}

/// Whether anything in the catalog of a store, itself not sealed, needs a data key.
pub async fn holds_sealed(store: &dyn Store) -> Result<bool, StoreError> {
    Ok(store.catalog_of(&SEALED_KINDS).await?.iter().any(|entry| envelope_of(entry).is_some()))
}

/// Seals what an earlier version wrote into the catalog of a store, itself not sealed. Answers how many entries.
pub async fn seal_plain(store: &dyn Store, vault: &Vault) -> Result<usize, StoreError> {
    let mut sealed = 0;
    for entry in store.catalog_of(&SEALED_KINDS).await? {
        if envelope_of(&entry).is_none() {
            store.put_catalog(seal_entry(entry, vault)?).await?;
            sealed += 1;
        }
    }
    Ok(sealed)
}

/// The entries of such a catalog that no key opens any more.
pub async fn unopened(store: &dyn Store, vault: &Vault) -> Result<Vec<CatalogEntry>, StoreError> {
    let mut lost = Vec::new();
    for entry in store.catalog_of(&SEALED_KINDS).await? {
        if let Some(envelope) = envelope_of(&entry) {
            let opened = vault.open(SealedIn::Catalog(&entry.kind, &entry.name), &envelope).await;
            if matches!(opened, Err(OpenError::NoKey(_) | OpenError::Damaged(_))) {
                lost.push(entry);
            }
        }
    }
    Ok(lost)
}

#[async_trait]
impl Store for SealedStore {
    fn ready(&self, leave: Leave) -> Result<(), StoreError> {
        self.inner.ready(leave)
    }

    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        self.inner.accept(self.seal_all(events)?).await
    }

    async fn accept_together(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        self.inner.accept_together(self.seal_all(events)?).await
    }

    fn wake(&self) -> Arc<Notify> {
        self.inner.wake()
    }

    async fn open_session(&self, ttl: Duration) -> Result<SessionId, StoreError> {
        self.inner.open_session(ttl).await
    }

    async fn renew_session(&self, session: SessionId) -> Result<Renewed, StoreError> {
        self.inner.renew_session(session).await
    }

    async fn close_session(&self, session: SessionId) -> Result<(), StoreError> {
        self.inner.close_session(session).await
    }

    async fn due(&self, skip: &[Lane], limit: usize) -> Result<Due, StoreError> {
        self.inner.due(skip, limit).await
    }

    async fn claim(&self, session: SessionId, lanes: &[LaneRoom], max: usize) -> Result<Vec<Leased>, StoreError> {
        self.open_leased(session, self.inner.claim(session, lanes, max).await?).await
    }

    async fn claim_one(
        &self,
        session: SessionId,
        delivery: DeliveryId,
        limit: Option<usize>,
    ) -> Result<Option<Leased>, StoreError> {
        let leased = self.inner.claim_one(session, delivery, limit).await?;
        Ok(self.open_leased(session, leased.into_iter().collect()).await?.pop())
    }

    async fn settle(&self, session: SessionId, mut settlements: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        for follow in settlements.iter_mut().flat_map(|settlement| &mut settlement.follows) {
            follow.event = self.seal_event(follow.event.clone())?;
        }
        self.inner.settle(session, settlements).await
    }

    async fn release_lapsed(&self) -> Result<usize, StoreError> {
        self.inner.release_lapsed().await
    }

    async fn expire(&self, lanes: &[Lane]) -> Result<usize, StoreError> {
        self.inner.expire(lanes).await
    }

    async fn replay(&self, deliveries: &[DeliveryId]) -> Result<Vec<Replayed>, StoreError> {
        self.inner.replay(deliveries).await
    }

    async fn replay_as(&self, replays: &[ReplayAs]) -> Result<Vec<Replayed>, StoreError> {
        self.inner.replay_as(replays).await
    }

    async fn redeliver(&self, redeliveries: Vec<Redelivery>) -> Result<Vec<Redelivered>, StoreError> {
        self.inner.redeliver(redeliveries).await
    }

    async fn cancel(&self, deliveries: &[DeliveryId]) -> Result<Vec<Cancelled>, StoreError> {
        self.inner.cancel(deliveries).await
    }

    async fn route(&self, event: EventId, deliveries: Vec<NewDelivery>) -> Result<Routed, StoreError> {
        self.inner.route(event, deliveries).await
    }

    async fn dismiss(&self, deliveries: &[DeliveryId]) -> Result<Vec<Dismissed>, StoreError> {
        self.inner.dismiss(deliveries).await
    }

    async fn put_catalog(&self, entry: CatalogEntry) -> Result<(), StoreError> {
        self.inner.put_catalog(seal_entry(entry, &self.vault)?).await
    }

    async fn add_catalog(&self, entry: CatalogEntry) -> Result<CatalogEntry, StoreError> {
        let stands = self.inner.add_catalog(seal_entry(entry, &self.vault)?).await?;
        open_entry(stands, &self.vault).await
    }

    async fn delete_catalog(&self, kind: &str, name: &str) -> Result<(), StoreError> {
        self.inner.delete_catalog(kind, name).await
    }

    async fn catalog(&self, kind: &str) -> Result<Vec<CatalogEntry>, StoreError> {
        self.open_entries(self.inner.catalog(kind).await?).await
    }

    async fn catalog_of(&self, kinds: &[&str]) -> Result<Vec<CatalogEntry>, StoreError> {
        self.open_entries(self.inner.catalog_of(kinds).await?).await
    }

    fn changes(&self) -> watch::Receiver<Changes> {
        self.inner.changes()
    }

    async fn look_events(
        &self,
        filter: &EventFilter,
        page: Page<EventId>,
    ) -> Result<Looked<EventRow, EventId>, StoreError> {
        self.inner.look_events(filter, page).await
    }

    /// Bodies that are sealed are looked through as they are stored: nothing is found there.
    async fn search(
        &self,
        text: &Needle,
        filter: &EventFilter,
        after: Option<EventId>,
    ) -> Result<Searched, StoreError> {
        self.inner.search(text, filter, after).await
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        let Some(event) = self.inner.event(id).await? else { return Ok(None) };
        let opened = event::open(&event, &self.vault).await;
        Ok(Some(opened.unwrap_or_else(|why| shown_unopened(&event, &why))))
    }

    async fn look_deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page<DeliveryId>,
    ) -> Result<Looked<DeliveryRow, DeliveryId>, StoreError> {
        self.inner.look_deliveries(filter, page).await
    }

    async fn newest_dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.inner.newest_dead_letters(limit).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryRow>, StoreError> {
        self.inner.delivery(id).await
    }

    async fn tried(&self, ids: &[DeliveryId]) -> Result<Vec<Option<Tried>>, StoreError> {
        self.inner.tried(ids).await
    }

    async fn attempts(&self, delivery: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        self.inner.attempts(delivery).await
    }

    async fn attempts_after(&self, after: AttemptAt, limit: usize) -> Result<Vec<AttemptRow>, StoreError> {
        self.inner.attempts_after(after, limit).await
    }

    async fn steps(&self, filter: &StepFilter, page: Page<u64>) -> Result<Vec<Step>, StoreError> {
        self.inner.steps(filter, page).await
    }

    async fn lane_sizes(&self, lanes: &[Lane]) -> Result<Vec<LaneSize>, StoreError> {
        self.inner.lane_sizes(lanes).await
    }

    async fn in_line(&self, deliveries: &[DeliveryId]) -> Result<Vec<Option<InLine>>, StoreError> {
        self.inner.in_line(deliveries).await
    }

    async fn retain(&self, retention: Retention) -> Result<Retained, StoreError> {
        self.inner.retain(retention).await
    }

    async fn backup(&self, dir: &Path, progress: OnBackup) -> Result<BackupProgress, StoreError> {
        let done = self.inner.backup(dir, progress).await?;
        if let Some((keys_dir, entropy)) = &self.keys_dir {
            file::copy(keys_dir, dir, &**entropy)?;
        }
        Ok(done)
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.inner.stats().await
    }

    async fn report_node(&self, report: NodeReport) -> Result<(), StoreError> {
        self.inner.report_node(report).await
    }

    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        self.inner.nodes().await
    }

    async fn forget_node(&self, id: &str) -> Result<(), StoreError> {
        self.inner.forget_node(id).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[cfg(test)]
mod tests;
