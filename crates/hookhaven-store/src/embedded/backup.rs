//! A copy of the data directory while everything else goes on: the index first, as one snapshot, then the
//! journal up to where it was synced by then. The journal is the truth, so an index that is behind it is
//! all right; one ahead of it would not be.
//!
//! The copy is made under `unfinished/` and moved up when it is on stable storage, the journal first, so
//! that what begins to look like a data directory is one. Not copied: the lock, and what the gateway keeps
//! beside the store (the admin token: it is a secret, and made anew).

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    Shared,
    disk::{Disk as _, RealDisk},
    engine::Engine,
    home,
    index::Index,
    journal::End,
    segment,
};
use crate::seam::{BackupProgress, OnBackup, StoreError};

const COPY_BYTES: usize = 1 << 20;
const UNFINISHED: &str = "unfinished";

/// Keeps retention from removing segments.
struct Pin(Arc<Shared>);

impl Pin {
    fn set(shared: &Arc<Shared>) -> Self {
        *shared.pins() += 1;
        Pin(shared.clone())
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        *self.0.pins() -= 1;
    }
}

pub(super) async fn write(
    shared: &Arc<Shared>,
    dir: PathBuf,
    progress: OnBackup,
) -> Result<BackupProgress, StoreError> {
    let engine = shared.engine()?;
    let pin = Pin::set(shared);
    // What is in the index need not be made from the journal again when the copy is opened. If it lags by
    // more than a read waits for, so be it.
    let _ = engine.applier.caught_up().await;
    let index = Index::new(shared.options.disk.index_path(&shared.options.dir));
    let mode = engine.mode;
    let copied = mode.run(move || {
        let _pin = pin;
        copy(&engine, &index, &dir, &progress)
    });
    copied.await.unwrap_or_else(|e| Err(StoreError::Failed(format!("the backup ended early: {e}"))))
}

fn failed(what: &str, path: &Path, e: &io::Error) -> StoreError {
    StoreError::Failed(format!("cannot {what} {}: {e}", path.display()))
}

fn copy(engine: &Engine, index: &Index, dir: &Path, progress: &OnBackup) -> Result<BackupProgress, StoreError> {
    claim(dir)?;
    let draft = dir.join(UNFINISHED);
    let journal = home::journal_dir(&draft);
    DirBuilder::new().recursive(true).mode(0o700).create(&journal).map_err(|e| failed("make", &journal, &e))?;
    let mut done = BackupProgress { bytes_done: 0, bytes_total: engine.journal.bytes() + index.bytes() };
    progress(done);
    let index_copy = draft.join("index.sqlite");
    index.copy_to(&index_copy)?;
    let end = engine.journal.end();
    done.bytes_done = sync(&index_copy).map_err(|e| failed("sync", &index_copy, &e))?;
    done.bytes_total = done.bytes_done + engine.journal.bytes();
    for number in engine.journal.segments().into_iter().filter(|number| *number <= end.segment) {
        progress(done);
        copy_segment(engine, number, end, &journal, &mut done, progress)
            .map_err(|e| failed("copy", &segment::path(&journal, number), &e))?;
    }
    finish(dir, &draft)?;
    done.bytes_total = done.bytes_done;
    progress(done);
    Ok(done)
}

/// The directory is ours if it is new or empty.
fn claim(dir: &Path) -> Result<(), StoreError> {
    if !dir.is_absolute() {
        return Err(StoreError::Refused(format!("{} is not an absolute path", dir.display())));
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| failed("make", dir, &e))?;
    let mut entries = fs::read_dir(dir).map_err(|e| failed("read", dir, &e))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(StoreError::Refused(format!(
            "{} is not empty: a backup is written into a new or empty directory",
            dir.display()
        ))),
    }
}

fn copy_segment(
    engine: &Engine,
    number: u32,
    end: End,
    into: &Path,
    done: &mut BackupProgress,
    progress: &OnBackup,
) -> io::Result<()> {
    let from = engine.journal.file(number)?;
    let len = if number == end.segment { end.offset } else { from.len()? };
    let to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(segment::path(into, number))?;
    let (mut buffer, mut at) = (vec![0; COPY_BYTES], 0);
    while at < len {
        let want = usize::try_from(len - at).unwrap_or(COPY_BYTES).min(COPY_BYTES);
        let n = from.read_at(at, &mut buffer[..want])?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (&to).write_all(&buffer[..n])?;
        at += n as u64;
        done.bytes_done += n as u64;
        progress(*done);
    }
    to.sync_all()
}

/// Moves the whole of it up, when it is on stable storage.
fn finish(dir: &Path, draft: &Path) -> Result<(), StoreError> {
    let moved = || {
        sync(&home::journal_dir(draft))?;
        sync(draft)?;
        for name in ["journal", "index.sqlite"] {
            fs::rename(draft.join(name), dir.join(name))?;
        }
        fs::remove_dir(draft)?;
        sync(dir).map(drop)
    };
    moved().map_err(|e| failed("finish", dir, &e))?;
    // Whoever only looks makes nothing, and needs one to hold.
    let lock = dir.join("lock");
    RealDisk.lock(&lock, Duration::ZERO).map_err(|e| failed("make", &lock, &e))?;
    home::mark(&RealDisk, dir)
}

/// Puts a file or directory on stable storage; answers its length.
fn sync(path: &Path) -> io::Result<u64> {
    let file = File::open(path)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}
