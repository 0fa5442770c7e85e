//! The thin line between the journal and the machine's files: just what the journal does to them, so
//! that tests and simulation can tear, fill and lose them (`sim`) where production has `real`.
//!
//! Not here: SQLite's own files. The index may always be thrown away, so it needs no such care.

mod read_only;
mod real;
mod sim;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

pub use self::{read_only::ReadOnlyDisk, real::RealDisk, sim::SimDisk};

/// Directories and names. Nothing made, renamed or removed is sure to outlast a power cut before
/// `sync_dir` of its directory.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Makes a directory and those above it, for its owner only. It may exist.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// A new file to append to; an error if the name is taken.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// An existing file, to read and append to.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Names in a directory, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Puts a file under another name, replacing what has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Holds a lock file for this process, waiting at most `wait` for another to let go. `None` if it
    /// did not. Dropping the value, or dying, lets go.
    fn lock(&self, path: &Path, wait: Duration) -> io::Result<Option<Box<dyn Lock>>>;

    /// Bytes that this process may still write where `dir` is.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;

    /// Makes a file that takes up so much room and holds nothing; an error, and no file, if there is not
    /// so much. Removing it gives the room back.
    fn hold_room(&self, path: &Path, bytes: u64) -> io::Result<()>;

    /// Where SQLite may keep the index of the data directory `dir`.
    fn index_path(&self, dir: &Path) -> PathBuf;
}

/// A file that only grows, or is cut. Nothing appended is sure to outlast a power cut before
/// `sync_data`; after a failed one nothing is known of what was not yet synced.
#[expect(clippy::len_without_is_empty, reason = "nobody asks")]
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Appends all of it. After an error the file may hold a part.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Fills `buffer` from an offset as far as the file goes; answers how much that was.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    fn sync_data(&self) -> io::Result<()>;
    fn len(&self) -> io::Result<u64>;
    fn truncate(&self, len: u64) -> io::Result<()>;
}

/// A held lock.
pub trait Lock: Send + Sync + fmt::Debug {}
