//! The admin token: from the configuration, else made at first start and kept, owner-only, in the data
//! directory, where the command line finds it.

use std::{
    fs::OpenOptions,
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use hookhaven_core::Secret;
use hookhaven_store::clock::Entropy;

use super::StartError;
use crate::config::{Config, Place};

/// In the data directory.
pub const TOKEN_FILE: &str = "admin-token";

pub(super) struct AdminToken {
    pub secret: Secret,
    pub is_new: bool,
}

/// After the store has been opened, which makes the directory.
pub(super) fn find_or_make(config: &Config, entropy: &dyn Entropy) -> Result<AdminToken, StartError> {
    let dir = match (&config.server.admin_token, &config.store.place) {
        (Some(secret), _) => return Ok(AdminToken { secret: secret.clone(), is_new: false }),
        // A database is not without a configured token: nobody else would know the one made here.
        (None, Place::Memory | Place::Database(_)) => {
            let made = made(entropy).map_err(|e| StartError::Token("memory".to_owned(), e))?;
            return Ok(AdminToken { secret: made, is_new: true });
        }
        (None, Place::Directory(dir)) => dir,
    };
    let file = dir.join(TOKEN_FILE);
    kept(&file, entropy).map_err(|error| StartError::Token(file.display().to_string(), error))
}

fn kept(file: &Path, entropy: &dyn Entropy) -> io::Result<AdminToken> {
    match OpenOptions::new().read(true).open(file) {
        Ok(open) => {
            let mut text = String::new();
            open.take(4096).read_to_string(&mut text)?;
            let empty = || io::Error::other("the file is empty; remove it, and a new token is made");
            Ok(AdminToken { secret: Secret::new(text.trim()).ok_or_else(empty)?, is_new: false })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = made(entropy)?;
            let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
            new.write_all(secret.expose())?;
            new.write_all(b"\n")?;
            new.sync_all()?;
            Ok(AdminToken { secret, is_new: true })
        }
        Err(error) => Err(error),
    }
}

/// 32 random bytes as hex.
fn made(entropy: &dyn Entropy) -> io::Result<Secret> {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    Secret::new(hex::encode(bytes)).ok_or_else(|| io::Error::other("no random bytes"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use hookhaven_store::clock::SeededEntropy;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_is_its_owners() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(TOKEN_FILE);
        let first = kept(&file, &SeededEntropy::new(1)).unwrap();
        let second = kept(&file, &SeededEntropy::new(2)).unwrap();
        assert!(first.is_new && !second.is_new && first.secret == second.secret);
        assert_eq!(first.secret.expose().len(), 64);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn an_emptied_token_file_is_an_error_and_no_open_door() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(TOKEN_FILE);
        std::fs::write(&file, " \n").unwrap();
        assert!(kept(&file, &SeededEntropy::new(1)).is_err());
    }
}
