//! The files that a configuration was read from, and whether they still say the same.
//!
//! Not what stands in them: that is `parse` and `secret`.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Content {
    /// SHA-256; `None` for a file that cannot be read.
    hash: Option<[u8; 32]>,
    bytes_max: u64,
}

/// Each file with what was in it when it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<PathBuf, Content>);

impl Files {
    /// Reads a file and remembers what was in it, readable or not. Pipes and devices are read and not
    /// remembered: a second look would find something else.
    ///
    /// # Errors
    /// As reading a file fails, and [`io::ErrorKind::FileTooLarge`] above `bytes_max`.
    pub fn read(&mut self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        let (bytes, lasting) = content(path, bytes_max);
        if lasting {
            let hash = bytes.as_ref().ok().map(|bytes| hash(bytes));
            self.0.insert(path.to_owned(), Content { hash, bytes_max });
        }
        bytes
    }

    pub fn extend(&mut self, more: Files) {
        self.0.extend(more.0);
    }

    /// The same files as they are now.
    pub fn look(&self) -> Files {
        let mut now = Files::default();
        for (path, Content { bytes_max, .. }) in &self.0 {
            let hash = content(path, *bytes_max).0.ok().map(|bytes| hash(&bytes));
            now.0.insert(path.clone(), Content { hash, bytes_max: *bytes_max });
        }
        now
    }

    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }
}

/// The content, and whether another reading could give it again.
fn content(path: &Path, bytes_max: u64) -> (io::Result<Vec<u8>>, bool) {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return (Err(error), true),
    };
    let lasting = file.metadata().is_ok_and(|m| m.is_file());
    let mut bytes = Vec::new();
    let read = file.take(bytes_max + 1).read_to_end(&mut bytes);
    let bytes = match read {
        Ok(_) if bytes.len() as u64 > bytes_max => Err(io::ErrorKind::FileTooLarge.into()),
        Ok(_) => Ok(bytes),
        Err(error) => Err(error),
    };
    (bytes, lasting)
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_shows_and_the_same_content_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let (there, missing) = (dir.path().join("there"), dir.path().join("missing"));
        std::fs::write(&there, "one").unwrap();
        let mut files = Files::default();
        assert_eq!(files.read(&there, 3).unwrap(), b"one");
        assert!(files.read(&missing, 3).is_err());
        assert_eq!(files.look(), files);

        std::fs::write(&there, "two").unwrap();
        assert_ne!(files.look(), files);
        std::fs::write(&there, "one").unwrap();
        assert_eq!(files.look(), files);
        std::fs::write(&missing, "").unwrap();
        assert_ne!(files.look(), files);
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("long");
        std::fs::write(&path, "four").unwrap();
        let mut files = Files::default();
        assert_eq!(files.read(&path, 3).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(files.look(), files);
    }
}
