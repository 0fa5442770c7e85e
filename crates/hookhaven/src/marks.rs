//! Marks: moments that people look for on charts. A person or a CI script tells of a deploy; a node that starts and a
//! configuration that changes are marked by themselves.
//!
//! A mark is one small entry of the store's catalog, so all nodes and all charts show the same ones, after a restart
//! too. Their number is bounded, those of people apart from the gateway's own, so that a process that starts again and
//! again pushes out no deploy.
//!
//! Not here: charts, who may tell of what (`api/marks`).

use std::time::Duration;

use hookhaven_core::{MarkId, Time};
use hookhaven_store::{CatalogEntry, Store, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Catalog kind; the name is the mark's id.
pub const MARK_KIND: &str = "mark";
/// How long marks are kept, which is as long as figures.
pub const MARKS_KEPT: Duration = Duration::from_secs(35 * 86_400);
/// Marks that people told of; the newest stay.
pub const TOLD_MAX: usize = 400;
/// Marks that the gateway made by itself.
pub const OWN_MAX: usize = 100;
/// Longest text of a mark.
pub const TEXT_BYTES_MAX: usize = 200;
/// Nodes that take the same configuration within so long make one mark of it.
const TOGETHER: Duration = Duration::from_secs(600);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// Told by people or their scripts.
    Deploy,
    /// A node started.
    Start,
    /// The configuration changed.
    Config,
}

impl MarkKind {
    pub fn as_str(self) -> &'static str {
        match self {
            MarkKind::Deploy => "deploy",
            MarkKind::Start => "start",
            MarkKind::Config => "config",
        }
    }
}

/// A moment to be shown on charts, as it is kept and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mark {
    pub id: MarkId,
    pub at: Time,
    pub kind: MarkKind,
    pub text: String,
    /// A token's name, `admin token`, `command line`, or the node that made it by itself.
    pub by: String,
}

/// The id of a change that several nodes may see, each by itself: the same for all of them.
pub fn common_id(at: Time, fingerprint: &str) -> MarkId {
    let span_ms = i64::try_from(TOGETHER.as_millis()).unwrap_or(i64::MAX);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, fingerprint.as_bytes());
    let mut bytes = [0; 10];
    bytes.copy_from_slice(&digest.as_ref()[..10]);
    MarkId::mint(Time::from_ms(at.as_ms().div_euclid(span_ms) * span_ms), bytes)
}

/// All marks that are kept, newest first.
///
/// # Errors
/// The store cannot be asked.
pub async fn all(store: &dyn Store, now: Time) -> Result<Vec<Mark>, StoreError> {
    Ok(kept(&store.catalog(MARK_KIND).await?, now))
}

fn kept(entries: &[CatalogEntry], now: Time) -> Vec<Mark> {
    // One that cannot be read is of another version, whose nodes show it.
    let mut all: Vec<Mark> = entries.iter().filter_map(|entry| serde_json::from_slice(&entry.value).ok()).collect();
    all.retain(|mark| now.since(mark.at) <= MARKS_KEPT);
    all.sort_by_key(|mark| std::cmp::Reverse((mark.at, mark.id)));
    all
}

/// Keeps a mark, and lets go of what there is too much of.
///
/// # Errors
/// The store cannot keep it.
pub async fn put(store: &dyn Store, mark: &Mark, now: Time) -> Result<(), StoreError> {
    let value = serde_json::to_vec(mark).map_err(|error| StoreError::Failed(format!("a mark: {error}")))?;
    let entry = CatalogEntry { kind: MARK_KIND.to_owned(), name: mark.id.to_string(), value };
    store.put_catalog(entry).await?;
    tidy(store, now).await
}

/// Takes a mark away, and answers what it was.
///
/// # Errors
/// The store cannot be asked.
pub async fn remove(store: &dyn Store, id: MarkId, now: Time) -> Result<Option<Mark>, StoreError> {
    let found = all(store, now).await?.into_iter().find(|mark| mark.id == id);
    if found.is_some() {
        store.delete_catalog(MARK_KIND, &id.to_string()).await?;
    }
    Ok(found)
}

async fn tidy(store: &dyn Store, now: Time) -> Result<(), StoreError> {
    let entries = store.catalog(MARK_KIND).await?;
    let kept = kept(&entries, now);
    let (told, own): (Vec<&Mark>, Vec<&Mark>) = kept.iter().partition(|mark| mark.kind == MarkKind::Deploy);
    let stay: Vec<String> =
        told.into_iter().take(TOLD_MAX).chain(own.into_iter().take(OWN_MAX)).map(|mark| mark.id.to_string()).collect();
    for entry in &entries {
        let is_old = entry.name.parse::<MarkId>().is_ok_and(|id| now.since(id.minted_at()) > MARKS_KEPT);
        let is_ours = serde_json::from_slice::<Mark>(&entry.value).is_ok();
        if (is_ours || is_old) && !stay.contains(&entry.name) {
            store.delete_catalog(MARK_KIND, &entry.name).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hookhaven_store::{
        clock::{ManualClock, SeededEntropy},
        memory::MemoryStore,
    };

    use super::*;

    const START: Time = Time::from_s(1_790_000_000);

    fn mark(n: u8, kind: MarkKind, at: Time) -> Mark {
        Mark { id: MarkId::mint(at, [n; 10]), at, kind, text: format!("v{n}"), by: "ci".into() }
    }

    fn store() -> MemoryStore {
        MemoryStore::new(Arc::new(ManualClock::at(START)), Arc::new(SeededEntropy::new(1)))
    }

    #[tokio::test]
    async fn what_the_gateway_marks_by_itself_pushes_out_no_deploy() {
        let store = store();
        let deploy = mark(1, MarkKind::Deploy, START);
        put(&store, &deploy, START).await.unwrap();
        let mut now = START;
        for n in 0..=OWN_MAX {
            now = START.plus(Duration::from_secs(n as u64 + 1));
            put(&store, &mark(2, MarkKind::Start, now), now).await.unwrap();
        }
        let kept = all(&store, now).await.unwrap();
        assert_eq!(kept.len(), OWN_MAX + 1);
        assert_eq!((kept.first().map(|mark| mark.at), kept.last()), (Some(now), Some(&deploy)), "newest first");
    }

    #[tokio::test]
    async fn old_marks_go_and_one_can_be_taken_away() {
        let store = store();
        let (old, young) = (mark(1, MarkKind::Deploy, START), mark(2, MarkKind::Config, START.plus(TOGETHER)));
        put(&store, &old, START).await.unwrap();
        let later = START.plus(MARKS_KEPT).plus(Duration::from_secs(1));
        assert!(all(&store, later).await.unwrap().is_empty());
        put(&store, &young, later).await.unwrap();
        assert_eq!(store.catalog(MARK_KIND).await.unwrap().len(), 1);
        assert_eq!(remove(&store, young.id, later).await.unwrap(), Some(young.clone()));
        assert_eq!(remove(&store, young.id, later).await.unwrap(), None);
        assert!(store.catalog(MARK_KIND).await.unwrap().is_empty());
    }

    #[test]
    fn nodes_that_see_the_same_change_make_one_mark_of_it() {
        let at = Time::from_s(1_790_000_400);
        assert_eq!(common_id(at, "c0ffee"), common_id(at.plus(Duration::from_secs(5)), "c0ffee"));
        assert_ne!(common_id(at, "c0ffee"), common_id(at, "decaf"));
        assert_ne!(common_id(at, "c0ffee"), common_id(at.plus(TOGETHER), "c0ffee"));
    }
}
