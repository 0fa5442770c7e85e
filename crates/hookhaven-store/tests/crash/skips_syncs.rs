//! A disk whose syncs of the journal do nothing and say that all went well: as a store that leaves them out.
//! It exists to be found out.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hookhaven_store::embedded::disk::{Disk, DiskFile, Lock};

#[derive(Debug)]
pub struct SkipsSyncs(pub Arc<dyn Disk>);

#[derive(Debug)]
struct File(Arc<dyn DiskFile>);

/// The mark of the format stays honest: without it, the directory is not opened at all.
fn of_journal(path: &Path, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
    let journal = path.parent().is_some_and(|dir| dir.ends_with("journal"));
    if journal { Arc::new(File(file)) } else { file }
}

impl Disk for SkipsSyncs {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.create_dir(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(of_journal(path, self.0.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(of_journal(path, self.0.open(path)?))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.sync_dir(dir)
    }

    fn lock(&self, path: &Path, wait: Duration) -> io::Result<Option<Box<dyn Lock>>> {
        self.0.lock(path, wait)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        self.0.free_bytes(dir)
    }

    fn hold_room(&self, path: &Path, bytes: u64) -> io::Result<()> {
        self.0.hold_room(path, bytes)
    }

    fn index_path(&self, dir: &Path) -> PathBuf {
        self.0.index_path(dir)
    }
}

impl DiskFile for File {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }

    /// The mistake.
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.truncate(len)
    }
}
