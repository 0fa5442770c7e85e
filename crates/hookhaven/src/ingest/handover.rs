//! A secret that a sender hands over when its hook is made (Asana, Notion), kept in the file that the source names.
//! The configuration reads it from there, on its own, as soon as it is there.
//!
//! Once only: a file that is there is never replaced, so that nobody can put another secret in place of the first.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use hookhaven_core::Secret;

/// Keeps the secret where nobody else may read it, whole or not at all; answers whether it was kept.
///
/// # Errors
/// As writing a file fails.
pub(super) fn keep(path: &Path, secret: &Secret, random: &[u8]) -> io::Result<bool> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", hex::encode(random)));
    let written = write(&beside, secret).and_then(|()| put_in_place(&beside, path));
    let removed = fs::remove_file(&beside);
    let kept = written?;
    removed?;
    Ok(kept)
}

fn write(path: &Path, secret: &Secret) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(secret.expose())?;
    file.sync_all()
}

/// A link fails where a file is, which a rename would replace.
fn put_in_place(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::hard_link(from, to) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error),
    }
    let directory = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_secret_stays_and_only_its_owner_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("asana.secret");
        assert!(keep(&path, &Secret::new("first").unwrap(), b"a").unwrap());
        assert!(!keep(&path, &Secret::new("second").unwrap(), b"b").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing lies about");
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
        assert!(keep(&directory.path().join("no/such"), &Secret::new("x").unwrap(), b"a").is_err());
    }
}
