//! The same store without threads: it does nothing until it is told to, and then does it at once. For
//! simulation, which decides when a batch is decided, when its sync ends, when the index follows, and what
//! happens in between; so that a run is the same each time.
//!
//! Not here: any of the work. Every step is what the threads do, cut where they could be interrupted.

use std::{mem, sync::Arc};

use tokio::sync::watch;

use super::{
    EmbeddedOptions, EmbeddedStore, Shared,
    engine::{Mode, Opened},
    queue::Job,
    writer::{self, Decided, Ended},
};
use crate::seam::StoreError;

/// The hands of a store opened by [`EmbeddedStore::open_stepped`]. Dropped, they leave the store as a
/// process does that dies: nobody is answered any more.
pub struct Steps {
    shared: Arc<Shared>,
    stage: Stage,
    /// Jobs that the last batch left over.
    left: Vec<Job>,
    /// Told to those who close the store.
    done: watch::Sender<bool>,
}

enum Stage {
    Idle(Opened),
    /// A batch is decided, and is not durable yet.
    Decided(Opened, Decided),
    /// The run ended in a failure.
    Broken {
        fresh_index: bool,
    },
    Closed,
}

impl EmbeddedStore {
    /// Opens or makes the data directory as [`EmbeddedStore::open`] does, and leaves all work to the steps.
    pub fn open_stepped(options: EmbeddedOptions) -> Result<(Self, Steps), StoreError> {
        let (shared, opened) = Shared::open(options, Mode::Stepped)?;
        let (tell, done) = watch::channel(false);
        let steps = Steps { shared: shared.clone(), stage: Stage::Idle(opened), left: Vec::new(), done: tell };
        Ok((EmbeddedStore { shared, done }, steps))
    }
}

impl Steps {
    /// Decides what has queued up. Answers whether that is a batch to be committed.
    pub fn decide(&mut self) -> bool {
        let mut opened = match mem::replace(&mut self.stage, Stage::Closed) {
            Stage::Idle(opened) => opened,
            other => {
                self.stage = other;
                return false;
            }
        };
        let jobs = self.shared.queue.take_now(mem::take(&mut self.left));
        if self.shared.space.may_restore() {
            self.shared.space.restore();
        }
        if let Some(why) = opened.engine.suspect().take() {
            jobs.into_iter().for_each(|job| job.fail(StoreError::Unavailable(why.clone())));
            self.end(opened, Ended::Broken { why, fresh_index: true });
            return false;
        }
        if jobs.is_empty() {
            self.stage = Stage::Idle(opened);
            return false;
        }
        match writer::decide_batch(&self.shared, &mut opened, jobs) {
            Ok(decided) => {
                self.stage = Stage::Decided(opened, decided);
                true
            }
            Err(ended) => {
                self.end(opened, ended);
                false
            }
        }
    }

    /// Makes the decided batch durable, applies it and answers those who wait, or fails them all. Answers
    /// whether jobs were left over for the next batch.
    pub fn commit(&mut self) -> bool {
        let (mut opened, decided) = match mem::replace(&mut self.stage, Stage::Closed) {
            Stage::Decided(opened, decided) => (opened, decided),
            other => {
                self.stage = other;
                return false;
            }
        };
        match writer::commit_batch(&self.shared, &mut opened, decided) {
            Ok(left) => {
                self.left = left;
                self.stage = Stage::Idle(opened);
            }
            Err(ended) => self.end(opened, ended),
        }
        !self.left.is_empty()
    }

    /// One transaction of the index, and one step of its upkeep.
    pub fn index(&mut self) {
        if let Stage::Idle(opened) | Stage::Decided(opened, _) = &mut self.stage {
            opened.step_index();
        }
    }

    /// Whether the run ended in a failure, so that [`Steps::reopen`] is to be tried.
    pub fn is_broken(&self) -> bool {
        matches!(self.stage, Stage::Broken { .. })
    }

    /// Opens again after a failure, by the one start-up path.
    pub fn reopen(&mut self) -> Result<(), StoreError> {
        if let Stage::Broken { fresh_index } = self.stage {
            self.stage = Stage::Idle(writer::reopen(&self.shared, fresh_index)?);
        }
        Ok(())
    }

    /// Commits what is decided, indexes everything, and lets go of the files.
    pub fn close(mut self) {
        self.shared.queue.close();
        while self.commit() || self.decide() {}
        if let Stage::Idle(opened) = mem::replace(&mut self.stage, Stage::Closed) {
            opened.stop(true);
        }
        self.shared.set_engine(None);
        self.shared.lock.lock().unwrap_or_else(|e| e.into_inner()).take();
        self.done.send_replace(true);
    }

    fn end(&mut self, opened: Opened, ended: Ended) {
        let Ended::Broken { why, fresh_index } = ended else { return };
        writer::break_off(&self.shared, opened, &why);
        self.stage = Stage::Broken { fresh_index };
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.shared.set_engine(None);
        self.shared.queue.refuse("the store is closed");
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use futures_util::FutureExt;
    use hookhaven_core::Time;

    use super::*;
    use crate::{
        clock::{ManualClock, SeededEntropy},
        embedded::disk::{Disk, SimDisk},
        seam::{CatalogEntry, Leave, Retention, Store},
    };

    fn open(disk: &SimDisk) -> (EmbeddedStore, Steps) {
        EmbeddedStore::open_stepped(EmbeddedOptions {
            dir: "/data".into(),
            pending_max: 10,
            segment_bytes: 4096,
            index_lag_bytes_max: 1 << 20,
            queue: Default::default(),
            space: Default::default(),
            disk: Arc::new(disk.clone()),
            clock: Arc::new(ManualClock::at(Time::from_s(1_790_000_000))),
            entropy: Arc::new(SeededEntropy::new(1)),
        })
        .unwrap()
    }

    fn entry(name: &str) -> CatalogEntry {
        CatalogEntry { kind: "k".into(), name: name.into(), value: vec![] }
    }

    #[tokio::test]
    async fn nothing_is_answered_before_it_is_committed() {
        let dir = tempfile::tempdir().unwrap();
        let disk = SimDisk::new(1, dir.path());
        let (store, mut steps) = open(&disk);
        assert!(!steps.decide() && !steps.commit());
        let mut put = Box::pin(store.put_catalog(entry("a")));
        assert_eq!(put.as_mut().now_or_never(), None);
        assert!(steps.decide() && !steps.decide());
        assert_eq!((put.as_mut().now_or_never(), store.catalog("k").await), (None, Ok(vec![])));
        assert!(!steps.commit());
        assert_eq!((put.await, store.catalog("k").await), (Ok(()), Ok(vec![entry("a")])));
        // Two changes of the catalog never share a batch.
        let (mut b, mut c) = (Box::pin(store.put_catalog(entry("b"))), Box::pin(store.put_catalog(entry("c"))));
        assert_eq!((b.as_mut().now_or_never(), c.as_mut().now_or_never()), (None, None));
        assert!(steps.decide() && steps.commit());
        assert_eq!((b.now_or_never(), c.as_mut().now_or_never()), (Some(Ok(())), None));
        drop(steps);
        assert!(matches!(c.await, Err(StoreError::Unavailable(_))));
    }

    #[tokio::test]
    async fn retention_does_not_wait_for_an_index_that_nobody_keeps_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let disk = SimDisk::new(1, dir.path());
        let (store, mut steps) = open(&disk);
        let retention = Retention { before: Time::EPOCH, dead_before: None };
        let mut waiting = Box::pin(store.retain(retention));
        assert_eq!(waiting.as_mut().now_or_never(), None);
        disk.fail_sync_after(0);
        let mut put = Box::pin(store.put_catalog(entry("a")));
        assert_eq!(put.as_mut().now_or_never(), None);
        assert!(steps.decide() && !steps.commit() && steps.is_broken());
        assert!(matches!(waiting.now_or_never(), Some(Err(StoreError::Unavailable(_)))));
        // Nor does it wait for the one that does.
        steps.reopen().unwrap();
        let mut again = Box::pin(store.retain(retention));
        assert_eq!(again.as_mut().now_or_never(), None);
        steps.index();
        assert!(matches!(again.now_or_never(), Some(Ok(_))));
    }

    #[tokio::test]
    async fn it_opens_again_after_a_failed_sync_when_told_to() {
        let dir = tempfile::tempdir().unwrap();
        let disk = SimDisk::new(1, dir.path());
        let (store, mut steps) = open(&disk);
        disk.fail_sync_after(0);
        let mut put = Box::pin(store.put_catalog(entry("a")));
        assert_eq!(put.as_mut().now_or_never(), None);
        assert!(steps.decide() && !steps.commit() && steps.is_broken());
        assert!(put.await.is_err() && store.ready(Leave::NOTHING).is_err() && !steps.decide());
        steps.reopen().unwrap();
        assert!(!steps.is_broken() && store.ready(Leave::NOTHING).is_ok());
        steps.close();
        store.close().await;
        assert!(disk.lock(Path::new("/data/lock"), Duration::ZERO).unwrap().is_some());
    }
}
