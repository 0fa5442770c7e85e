//! The admin token and the token for publishing: from the configuration, else made at first start and kept,
//! owner-only, in the data directory, where the command line finds the former.

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
/// Beside it.
pub const PUBLISH_TOKEN_FILE: &str = "publish-token";

pub(super) struct Token {
    pub secret: Secret,
    pub is_new: bool,
}

/// After the store has been opened, which makes the directory.
pub(super) fn admin(config: &Config, entropy: &dyn Entropy) -> Result<Token, StartError> {
    match (&config.server.admin_token, &config.store.place) {
        (Some(secret), _) => Ok(Token { secret: secret.clone(), is_new: false }),
        (None, Place::Directory(dir)) => in_directory(dir, TOKEN_FILE, entropy),
        // A database is not without a configured token: nobody else would know the one made here.
        (None, Place::Memory | Place::Database(_)) => in_memory(entropy),
    }
}

/// `None` where the configuration gives some, where nobody may publish, and with a database: other nodes would
/// not know the one made here.
pub(super) fn publish(config: &Config, entropy: &dyn Entropy) -> Result<Option<Token>, StartError> {
    match &config.store.place {
        _ if !config.publish.enabled || !config.publish.tokens.is_empty() => Ok(None),
        Place::Directory(dir) => in_directory(dir, PUBLISH_TOKEN_FILE, entropy).map(Some),
        Place::Memory => in_memory(entropy).map(Some),
        Place::Database(_) => Ok(None),
    }
}

fn in_memory(entropy: &dyn Entropy) -> Result<Token, StartError> {
    let made = made(entropy).map_err(|error| StartError::Token("memory".to_owned(), error))?;
    Ok(Token { secret: made, is_new: true })
}

fn in_directory(dir: &Path, file: &str, entropy: &dyn Entropy) -> Result<Token, StartError> {
    let file = dir.join(file);
    kept(&file, entropy).map_err(|error| StartError::Token(file.display().to_string(), error))
}

fn kept(file: &Path, entropy: &dyn Entropy) -> io::Result<Token> {
    match OpenOptions::new().read(true).open(file) {
        Ok(open) => {
            let mut text = String::new();
            open.take(4096).read_to_string(&mut text)?;
            let empty = || io::Error::other("the file is empty; remove it, and a new token is made");
            Ok(Token { secret: Secret::new(text.trim()).ok_or_else(empty)?, is_new: false })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = made(entropy)?;
            let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
            new.write_all(secret.expose())?;
            new.write_all(b"\n")?;
            new.sync_all()?;
            Ok(Token { secret, is_new: true })
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
