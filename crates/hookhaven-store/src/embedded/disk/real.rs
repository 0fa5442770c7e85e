//! The machine's own files.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::{fs::FallocateFlags, io::Errno};

use super::{Disk, DiskFile, Lock};

/// How often a lock that another process holds is asked for again.
const LOCK_POLL: Duration = Duration::from_millis(50);
/// Written at a time where room cannot be set aside.
const ZEROS_BYTES: usize = 1 << 20;

/// Files under the paths given, readable by their owner only.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

#[derive(Debug)]
pub(super) struct RealFile(pub(super) File);

/// `flock` lasts as long as the open file, so a process that dies lets go of it.
#[derive(Debug)]
struct HeldLock {
    _file: File,
}

impl Lock for HeldLock {}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(0o600);
    options
}

impl Disk for RealDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(RealFile(options().create_new(true).open(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(RealFile(options().open(path)?)))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        // A name that is not UTF-8 is none of ours.
        fs::read_dir(dir)?.filter_map(|entry| entry.map(|e| e.file_name().into_string().ok()).transpose()).collect()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path, wait: Duration) -> io::Result<Option<Box<dyn Lock>>> {
        try_to_hold(options().create(true).open(path)?, wait)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let about = rustix::fs::statvfs(dir)?;
        Ok(about.f_bavail.saturating_mul(about.f_frsize))
    }

    fn hold_room(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let file = options().create_new(true).open(path)?;
        let held = match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => write_zeros(&file, bytes),
            done => done.map_err(io::Error::from),
        };
        held.and_then(|()| file.sync_all()).inspect_err(|_| {
            // What is left of it is found at the next start, if it cannot be removed now.
            let _ = fs::remove_file(path);
        })
    }

    fn index_path(&self, dir: &Path) -> PathBuf {
        dir.join("index.sqlite")
    }
}

pub(super) fn try_to_hold(file: File, wait: Duration) -> io::Result<Option<Box<dyn Lock>>> {
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(Box::new(HeldLock { _file: file }))),
            Err(TryLockError::Error(e)) => return Err(e),
            Err(TryLockError::WouldBlock) if started.elapsed() >= wait => return Ok(None),
            Err(TryLockError::WouldBlock) => std::thread::park_timeout(LOCK_POLL),
        }
    }
}

/// For file systems that cannot set room aside by themselves.
fn write_zeros(mut file: &File, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS_BYTES];
    let mut left = bytes;
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(ZEROS_BYTES).min(ZEROS_BYTES);
        file.write_all(&zeros[..part])?;
        left -= part as u64;
    }
    Ok(())
}

impl DiskFile for RealFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.0).write_all(bytes)
    }

    fn read_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len();
        while !buffer.is_empty() {
            match self.0.read_at(buffer, offset) {
                Ok(0) => break,
                Ok(n) => {
                    offset += n as u64;
                    buffer = &mut buffer[n..];
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(wanted - buffer.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_let_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = RealDisk.lock(&path, Duration::ZERO).unwrap();
        assert!(held.is_some());
        assert!(RealDisk.lock(&path, Duration::ZERO).unwrap().is_none());
        drop(held);
        assert!(RealDisk.lock(&path, Duration::ZERO).unwrap().is_some());
    }

    #[test]
    fn a_data_directory_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("a/b");
        RealDisk.create_dir(&data).unwrap();
        RealDisk.create_dir(&data).unwrap();
        assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn room_is_held_until_the_file_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reserve");
        assert!(RealDisk.free_bytes(dir.path()).unwrap() > 0);
        RealDisk.hold_room(&path, 3 << 20).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 3 << 20);
        assert_eq!(RealDisk.hold_room(&path, 1).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        fs::remove_file(&path).unwrap();
        assert!(RealDisk.hold_room(&path, i64::MAX as u64).is_err());
        assert!(!path.exists());
    }

    #[test]
    fn reads_stop_at_the_end_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = RealDisk.create(&dir.path().join("f")).unwrap();
        file.append(b"hello").unwrap();
        let mut buffer = [0; 8];
        assert_eq!(file.read_at(1, &mut buffer).unwrap(), 4);
        assert_eq!(&buffer[..4], b"ello");
        file.truncate(2).unwrap();
        file.append(b"y").unwrap();
        assert_eq!((file.len().unwrap(), file.read_at(0, &mut buffer).unwrap()), (3, 3));
        assert_eq!(&buffer[..3], b"hey");
    }
}
