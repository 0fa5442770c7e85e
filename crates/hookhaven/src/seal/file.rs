//! The data keys of a data directory: in the file `keys`, readable by its owner only, each wrapped under the master
//! key if there is one. It is replaced whole: written beside, synced, renamed.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use hookhaven_store::clock::Entropy;
use serde::{Deserialize, Serialize};

use super::{SealError, wrap::KeptKey};

/// In the data directory, and in its backups.
pub const KEYS_FILE: &str = "keys";

const VERSION: u32 = 1;
/// No file of ours is longer: some hundred keys.
const BYTES_MAX: u64 = 64 << 10;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    keys: Vec<KeptKey>,
}

/// `None` if there is no such file.
///
/// # Errors
/// [`SealError::Unreadable`]: it is there and says nothing.
pub fn read(dir: &Path) -> Result<Option<Vec<KeptKey>>, SealError> {
    let path = dir.join(KEYS_FILE);
    let unreadable = |why: String| SealError::Unreadable { place: path.display().to_string(), why };
    let length = match fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    if length > BYTES_MAX {
        return Err(unreadable(format!("it has {length} bytes, and no file of keys has")));
    }
    let bytes = fs::read(&path).map_err(|error| unreadable(error.to_string()))?;
    // What serde says may repeat what stands there.
    let content: Content =
        serde_json::from_slice(&bytes).map_err(|_| unreadable("it is not a file of data keys".to_owned()))?;
    if content.version != VERSION {
        return Err(unreadable(format!("it was written by a newer version ({})", content.version)));
    }
    if content.keys.is_empty() {
        return Err(unreadable("it holds no key".to_owned()));
    }
    Ok(Some(content.keys))
}

/// Replaces the file, whole or not at all.
pub fn write(dir: &Path, keys: Vec<KeptKey>, entropy: &dyn Entropy) -> Result<(), SealError> {
    let path = dir.join(KEYS_FILE);
    let failed = |error: io::Error| SealError::Unwritable { place: path.display().to_string(), why: error.to_string() };
    let mut text = serde_json::to_string_pretty(&Content { version: VERSION, keys }).map_err(|_| SealError::Failed)?;
    text.push('\n');
    replace(&path, text.as_bytes(), &entropy.id_bytes()).map_err(failed)
}

pub fn exists(dir: &Path) -> bool {
    dir.join(KEYS_FILE).exists()
}

/// Gives the file another name, `keys.` and some digits, so that nothing is destroyed.
pub fn put_aside(dir: &Path, entropy: &dyn Entropy) -> Result<(), SealError> {
    let path = dir.join(KEYS_FILE);
    let aside = dir.join(format!("{KEYS_FILE}.{}", hex::encode(&entropy.id_bytes()[..4])));
    fs::rename(&path, aside)
        .map_err(|error| SealError::Unwritable { place: path.display().to_string(), why: error.to_string() })
}

/// The same file in another directory, for a backup. Nothing if there is none.
pub fn copy(from: &Path, to: &Path, entropy: &dyn Entropy) -> Result<(), SealError> {
    match read(from)? {
        Some(keys) => write(to, keys, entropy),
        None => Ok(()),
    }
}

/// Puts a file that only its owner can read in place of another.
pub fn replace(path: &Path, bytes: &[u8], random: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", hex::encode(random)));
    let placed = written(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if placed.is_err() {
        let _ = fs::remove_file(&beside);
    }
    placed?;
    let parent = path.parent().map_or_else(|| PathBuf::from("."), Path::to_owned);
    File::open(parent)?.sync_all()
}

fn written(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use hookhaven_core::Time;
    use hookhaven_store::clock::SeededEntropy;

    use super::*;
    use crate::seal::envelope::DataKey;

    fn kept(seed: u64) -> KeptKey {
        let entropy = SeededEntropy::new(seed);
        KeptKey::wrap(&DataKey::made(&entropy).unwrap(), Time::EPOCH, None, &entropy).unwrap()
    }

    #[test]
    fn keys_are_replaced_whole_and_are_their_owners() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let entropy = SeededEntropy::new(1);
        assert_eq!(read(dir.path()), Ok(None));
        for keys in [vec![kept(1)], vec![kept(1), kept(2)]] {
            write(dir.path(), keys.clone(), &entropy).unwrap();
            assert_eq!(read(dir.path()), Ok(Some(keys)));
        }
        copy(dir.path(), other.path(), &entropy).unwrap();
        assert_eq!(read(other.path()), read(dir.path()));
        for dir in [dir.path(), other.path()] {
            let mode = dir.join(KEYS_FILE).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            assert_eq!(fs::read_dir(dir).unwrap().count(), 1, "nothing lies about");
        }
    }

    #[test]
    fn what_is_no_file_of_keys_is_an_error_that_repeats_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let key = serde_json::to_value(kept(1)).unwrap();
        for (text, why) in [
            ("hunter2".to_owned(), "not a file"),
            (r#"{"version": 1, "keys": []}"#.to_owned(), "no key"),
            (format!(r#"{{"version": 2, "keys": [{key}]}}"#), "newer"),
            (" ".repeat(70_000), "bytes"),
        ] {
            fs::write(dir.path().join(KEYS_FILE), &text).unwrap();
            let error = read(dir.path()).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("keys") && !error.contains("hunter2"), "{error}");
        }
    }
}
