//! The data directory: who may use it, and which version wrote it.
//!
//! ```text
//! lock           held with flock while a process uses the directory
//! format         one line: the number of the layout, and the version needed to read it
//! sealed         only while a copy of it is on its way to another store, or there (`seal`)
//! journal/       the truth (`journal`)
//! index.sqlite*  history, made from the journal (`index`)
//! quarantine/    rejected requests, in rings (`crate::quarantine::FileQuarantine`)
//! ```

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    disk::{Disk, Lock},
    seal,
};
use crate::seam::StoreError;

/// How long a starting process waits for the one before it, so that restarts may overlap.
pub const LOCK_WAIT: Duration = Duration::from_secs(10);

const FORMAT: u32 = 1;
/// The first version that reads this layout.
const NEEDS: &str = "0.1.0";
const WORD: &str = "hookhaven-data";

pub fn journal_dir(dir: &Path) -> PathBuf {
    dir.join("journal")
}

pub(super) fn failed(what: &str, path: &Path, e: &io::Error) -> StoreError {
    StoreError::Failed(format!("cannot {what} {}: {e}", path.display()))
}

/// Makes the directory if need be, takes its lock and checks its format, and that it is not sealed.
pub fn enter(disk: &dyn Disk, dir: &Path, wait: Duration) -> Result<Box<dyn Lock>, StoreError> {
    disk.create_dir(dir).map_err(|e| failed("make", dir, &e))?;
    let path = dir.join("lock");
    let lock = disk.lock(&path, wait).map_err(|e| failed("lock", &path, &e))?.ok_or_else(|| {
        StoreError::Locked(format!(
            "another hookhaven process holds {} (waited {} s for it); stop it, or use another data directory",
            dir.display(),
            wait.as_secs()
        ))
    })?;
    if !has_format(disk, dir)? {
        mark(disk, dir)?;
    }
    seal::refuse(disk, dir)?;
    Ok(lock)
}

/// Says in the directory which version it is of.
pub fn mark(disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
    let path = dir.join("format");
    put(disk, dir, "format", &format!("{WORD} {FORMAT} needs {NEEDS}\n")).map_err(|e| failed("write", &path, &e))
}

/// For those who only look, or rebuild what can be rebuilt: takes the lock at once or not at all, makes
/// nothing.
pub fn visit(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn Lock>, StoreError> {
    if !has_format(disk, dir)? {
        return Err(StoreError::Failed(format!("{} is no Hookhaven data directory", dir.display())));
    }
    let path = dir.join("lock");
    disk.lock(&path, Duration::ZERO).map_err(|e| failed("lock", &path, &e))?.ok_or_else(|| {
        StoreError::Locked(format!("a hookhaven process holds {}: stop it first, then ask again", dir.display()))
    })
}

/// Whether a version wrote its format here; an error if it is none that we can read.
pub fn has_format(disk: &dyn Disk, dir: &Path) -> Result<bool, StoreError> {
    let path = dir.join("format");
    let file = match disk.open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(failed("open", &path, &e)),
    };
    let mut line = [0; 256];
    let n = file.read_at(0, &mut line).map_err(|e| failed("read", &path, &e))?;
    let line = String::from_utf8_lossy(&line[..n]);
    let mut words = line.split_ascii_whitespace();
    let number = words.next().filter(|word| *word == WORD).and_then(|_| words.next()?.parse::<u32>().ok());
    match number {
        Some(FORMAT) => Ok(true),
        Some(other) => {
            let needs: String = words.nth(1).unwrap_or("a newer one").chars().take(32).collect();
            Err(StoreError::Incompatible(format!(
                "{} has layout {other}, written by a newer version: reading it needs Hookhaven {needs}",
                dir.display()
            )))
        }
        None => Err(StoreError::Incompatible(format!(
            "{} is not ours: it should read \"{WORD} {FORMAT} needs {NEEDS}\"; is {} a Hookhaven data directory?",
            path.display(),
            dir.display()
        ))),
    }
}

/// A small file, made or replaced. Under another name first, so that it is there whole or not at all.
pub(super) fn put(disk: &dyn Disk, dir: &Path, name: &str, text: &str) -> io::Result<()> {
    let draft = dir.join(format!("{name}.tmp"));
    match disk.remove(&draft) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let file = disk.create(&draft)?;
    file.append(text.as_bytes())?;
    file.sync_data()?;
    disk.rename(&draft, &dir.join(name))?;
    disk.sync_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::disk::RealDisk;

    fn enter_now(dir: &Path) -> Result<Box<dyn Lock>, StoreError> {
        enter(&RealDisk, dir, Duration::ZERO)
    }

    #[test]
    fn a_second_process_is_told_who_holds_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let held = enter_now(dir.path()).unwrap();
        let told = enter_now(dir.path()).unwrap_err();
        assert!(matches!(&told, StoreError::Locked(text) if text.contains(&*dir.path().to_string_lossy())));
        drop(held);
        assert!(enter_now(dir.path()).is_ok());
    }

    #[test]
    fn a_newer_layout_is_refused_with_the_version_needed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("format"), "hookhaven-data 2 needs 3.1.4\n").unwrap();
        let told = enter_now(dir.path()).unwrap_err();
        assert!(matches!(&told, StoreError::Incompatible(text) if text.contains("3.1.4")), "{told}");
        std::fs::write(dir.path().join("format"), "PostgreSQL").unwrap();
        assert!(matches!(enter_now(dir.path()), Err(StoreError::Incompatible(_))));
    }
}
