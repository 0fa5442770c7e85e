//! Stands before a quarantine: seals headers, query and body of what goes in, and opens what comes out. Lists need none
//! of them.
//!
//! All headers are sealed, since nobody vouches for what they are; the body, since some senders show their secret
//! there. It keeps its length, by which everybody knows whether all of it was kept.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hookhaven_core::{Rejected, RejectedId, Time};
use hookhaven_store::{
    Page, StoreError,
    quarantine::{Bounds, Marked, Quarantine, QuarantineCount, Quarantined, RejectedFilter, RejectedRow, Released},
};

use super::{SealError, contents::Contents, envelope::SealedIn, event::SEALED, ring::OpenError, vault::Vault};

#[derive(Debug)]
pub struct SealedQuarantine {
    inner: Arc<dyn Quarantine>,
    vault: Arc<Vault>,
}

impl SealedQuarantine {
    pub fn over(inner: Arc<dyn Quarantine>, vault: Arc<Vault>) -> Self {
        SealedQuarantine { inner, vault }
    }
}

fn seal(mut rejected: Rejected, vault: &Vault) -> Result<Rejected, SealError> {
    let (body, stub) = vault.seal_apart(SealedIn::RejectedBody(rejected.id), &rejected.body)?;
    let mut contents = Contents::take(&mut rejected.headers, |_| true);
    contents.stub = stub;
    contents.target = rejected.target.to_string();
    let envelope = vault.seal(SealedIn::Rejected(rejected.id), &contents.encode())?;
    rejected.headers.push((SEALED.into(), envelope.into()));
    rejected.target = rejected.path().into();
    rejected.body = body.into();
    Ok(rejected)
}

/// What an earlier version kept has several headers, and none of ours.
async fn open(mut rejected: Rejected, vault: &Vault) -> Result<Rejected, OpenError> {
    let [(name, envelope)] = &rejected.headers[..] else { return Ok(rejected) };
    if &**name != SEALED {
        return Ok(rejected);
    }
    let contents = vault.open(SealedIn::Rejected(rejected.id), envelope).await?;
    let contents = Contents::decode(Bytes::from(contents))?;
    let body = vault.open_apart(SealedIn::RejectedBody(rejected.id), &rejected.body, &contents.stub).await?;
    rejected.body = body.into();
    rejected.target = contents.target.as_str().into();
    rejected.headers.clear();
    contents.put_back(&mut rejected.headers);
    Ok(rejected)
}

#[async_trait]
impl Quarantine for SealedQuarantine {
    async fn put(&self, source: &Arc<str>, rejected: Vec<Rejected>, bounds: Bounds) -> Result<(), StoreError> {
        let sealed = rejected.into_iter().map(|it| seal(it, &self.vault)).collect::<Result<_, _>>()?;
        self.inner.put(source, sealed, bounds).await
    }

    async fn list(&self, filter: &RejectedFilter, page: Page<RejectedId>) -> Result<Vec<RejectedRow>, StoreError> {
        self.inner.list(filter, page).await
    }

    async fn get(&self, id: RejectedId) -> Result<Option<Quarantined>, StoreError> {
        let Some(Quarantined { rejected, released }) = self.inner.get(id).await? else { return Ok(None) };
        let rejected = open(rejected, &self.vault).await;
        let rejected = rejected.map_err(|why| StoreError::Failed(format!("the request {id} cannot be read: {why}")))?;
        Ok(Some(Quarantined { rejected, released }))
    }

    async fn mark_released(&self, id: RejectedId, released: Released) -> Result<Marked, StoreError> {
        self.inner.mark_released(id, released).await
    }

    async fn forget(&self, source: &str, before: Time) -> Result<(), StoreError> {
        self.inner.forget(source, before).await
    }

    async fn counts(&self) -> Result<Vec<QuarantineCount>, StoreError> {
        self.inner.counts().await
    }
}

#[cfg(test)]
mod tests {
    use hookhaven_core::sender::Rejection;
    use hookhaven_store::{clock::SeededEntropy, quarantine::MemoryQuarantine};

    use super::*;

    fn rejected(n: u8) -> Rejected {
        Rejected {
            id: RejectedId::from_bytes([n; 16]),
            received_at: Time::from_s(1_790_000_000),
            source: "shop".into(),
            reason: Rejection::SignatureMismatch,
            method: http::Method::POST,
            target: "/webhooks/shop?token=canary".into(),
            headers: vec![("authorization".into(), "canary".into()), ("x-odd".into(), Bytes::from_static(b"\xff"))],
            body: "canary".into(),
            body_bytes: 6,
            remote: "203.0.113.9".into(),
        }
    }

    #[tokio::test]
    async fn what_may_hold_credentials_is_sealed_and_lists_need_no_key() {
        let inner = Arc::new(MemoryQuarantine::default());
        let over = |seed| {
            let vault = Vault::in_memory(Arc::new(SeededEntropy::new(seed))).unwrap();
            SealedQuarantine::over(inner.clone(), Arc::new(vault))
        };
        let (here, elsewhere) = (over(1), over(2));
        let shop: Arc<str> = "shop".into();
        here.put(&shop, vec![rejected(1)], Bounds::default()).await.unwrap();
        // As the version before kept it.
        inner.put(&shop, vec![rejected(2)], Bounds::default()).await.unwrap();
        for n in [1, 2] {
            let found = here.get(RejectedId::from_bytes([n; 16])).await.unwrap().unwrap();
            assert_eq!(found.rejected, rejected(n));
        }
        let kept = inner.get(RejectedId::from_bytes([1; 16])).await.unwrap().unwrap().rejected;
        let bytes = [&kept.headers[0].1[..], kept.target.as_bytes(), &kept.body].concat();
        assert!(!bytes.windows(6).any(|window| window == b"canary") && kept.headers.len() == 1);
        let rows = elsewhere.list(&RejectedFilter::default(), Page::first(9)).await.unwrap();
        assert!(rows.len() == 2 && rows.iter().all(|row| row.whole && row.body_bytes == 6));
        let error = elsewhere.get(RejectedId::from_bytes([1; 16])).await.unwrap_err().to_string();
        assert!(error.contains("data key"), "{error}");
    }
}
