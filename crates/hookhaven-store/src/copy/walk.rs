//! The walk through the old store, page by page, on a thread of its own: the next page is read while the last
//! one is on its way, and no more than that is in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use super::{Content, Cursor, Page, PageMax};
use crate::{embedded::export::Export, seam::StoreError};

/// Pages read ahead.
const AHEAD: usize = 1;

/// The old store, used by one at a time.
#[derive(Clone, Debug)]
pub(super) struct Source(Arc<Mutex<Export>>);

impl Source {
    pub fn new(export: Export) -> Self {
        Source(Arc::new(Mutex::new(export)))
    }

    fn lock(&self) -> MutexGuard<'_, Export> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks it something, where that may block.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Export) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let source = self.clone();
        blocking(move || question(&source.lock())).await
    }

    /// All pages behind the cursor, in order, then nothing; or an error, and nothing more.
    pub fn pages(&self, behind: Cursor, max: PageMax) -> mpsc::Receiver<Result<Page, StoreError>> {
        let (send, pages) = mpsc::channel(AHEAD);
        let source = self.clone();
        tokio::task::spawn_blocking(move || {
            let mut cursor = behind;
            while cursor != Cursor::Whole {
                let page = next(&source.lock(), cursor, max);
                if let Ok(page) = &page {
                    cursor = page.upto;
                }
                let failed = page.is_err();
                if send.blocking_send(page).is_err() || failed {
                    return;
                }
            }
        });
        pages
    }
}

/// Runs what may block on a thread for such things.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| Err(StoreError::Failed(format!("it ended early: {e}"))))
}

/// What comes behind the cursor; when there is nothing of its kind any more, the first of the next kind.
fn next(export: &Export, from: Cursor, max: PageMax) -> Result<Page, StoreError> {
    if let Cursor::Events(after) = from {
        let families = export.families(after, max.events, max.bytes)?;
        if let Some(last) = families.last().map(|family| family.id) {
            return Ok(Page { from, upto: Cursor::Events(Some(last)), content: Content::Families(families) });
        }
    }
    let after = match from {
        Cursor::Keys(after) => Some(after),
        _ => None,
    };
    if !matches!(from, Cursor::Steps(_)) {
        let keys = export.keys(after, max.keys)?;
        if let Some(last) = keys.last().map(|key| key.digest) {
            return Ok(Page { from, upto: Cursor::Keys(last), content: Content::Keys(keys) });
        }
    }
    let after = match from {
        Cursor::Steps(after) => Some(after),
        _ => None,
    };
    let steps = export.steps(after, max.keys)?;
    if let Some(last) = steps.last().map(|step| step.number) {
        return Ok(Page { from, upto: Cursor::Steps(last), content: Content::Steps(steps) });
    }
    Ok(Page { from, upto: Cursor::Whole, content: Content::Catalog(export.catalog()?) })
}
