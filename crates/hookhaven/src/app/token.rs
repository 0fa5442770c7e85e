//! The admin token and the token for publishing: from the configuration, else made at first start and kept,
//! owner-only, in the data directory, where the command line finds the former. With a master key they are sealed there.

use std::{
    fs::OpenOptions,
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

use hookhaven_core::Secret;
use hookhaven_store::clock::Entropy;

use super::StartError;
use crate::{
    config::{Config, Place},
    seal::{Ring, Vault, replace, token},
};

/// In the data directory.
pub const TOKEN_FILE: &str = "admin-token";
/// Beside it.
pub const PUBLISH_TOKEN_FILE: &str = "publish-token";

pub(super) struct Token {
    pub secret: Secret,
    pub is_new: bool,
}

/// What a token in the data directory is kept with: `None` where there is no master key, and it lies there bare.
fn ring(config: &Config, vault: Option<&Vault>) -> Option<Arc<Ring>> {
    vault.filter(|_| config.encryption.master.is_some()).map(Vault::ring)
}

/// After the store has been opened, which makes the directory.
pub(super) fn admin(config: &Config, entropy: &dyn Entropy, vault: Option<&Vault>) -> Result<Token, StartError> {
    match (&config.server.admin_token, &config.store.place) {
        (Some(secret), _) => Ok(Token { secret: secret.clone(), is_new: false }),
        (None, Place::Directory(dir)) => in_directory(dir, TOKEN_FILE, entropy, ring(config, vault).as_deref()),
        // A database is not without a configured token: nobody else would know the one made here.
        (None, Place::Memory | Place::Database(_)) => in_memory(entropy),
    }
}

/// `None` where the configuration gives some, where nobody may publish, and with a database: other nodes would
/// not know the one made here.
pub(super) fn publish(
    config: &Config,
    entropy: &dyn Entropy,
    vault: Option<&Vault>,
) -> Result<Option<Token>, StartError> {
    match &config.store.place {
        _ if !config.publish.enabled || !config.publish.tokens.is_empty() => Ok(None),
        Place::Directory(dir) => {
            in_directory(dir, PUBLISH_TOKEN_FILE, entropy, ring(config, vault).as_deref()).map(Some)
        }
        Place::Memory => in_memory(entropy).map(Some),
        Place::Database(_) => Ok(None),
    }
}

fn in_memory(entropy: &dyn Entropy) -> Result<Token, StartError> {
    let made = made(entropy).map_err(|error| StartError::Token("memory".to_owned(), error))?;
    Ok(Token { secret: made, is_new: true })
}

fn in_directory(dir: &Path, name: &str, entropy: &dyn Entropy, ring: Option<&Ring>) -> Result<Token, StartError> {
    let file = dir.join(name);
    kept(&file, name, entropy, ring).map_err(|error| StartError::Token(file.display().to_string(), error))
}

/// What is kept otherwise than it is to be is written anew.
fn kept(file: &Path, name: &str, entropy: &dyn Entropy, ring: Option<&Ring>) -> io::Result<Token> {
    let to_text = |secret: &Secret| token::to_text(secret, name, ring, entropy).map_err(io::Error::other);
    match OpenOptions::new().read(true).open(file) {
        Ok(open) => {
            let mut text = Vec::new();
            open.take(4096).read_to_end(&mut text)?;
            let none = match token::is_sealed(&text) {
                true => "it is encrypted, and the key to it is gone; remove it, and a new token is made",
                false => "the file is empty; remove it, and a new token is made",
            };
            let secret = token::of_text(&text, name, ring).ok_or_else(|| io::Error::other(none))?;
            if token::is_sealed(&text) != ring.is_some() {
                replace(file, &to_text(&secret)?, &entropy.id_bytes())?;
            }
            Ok(Token { secret, is_new: false })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = made(entropy)?;
            let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
            new.write_all(&to_text(&secret)?)?;
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
        let first = kept(&file, TOKEN_FILE, &SeededEntropy::new(1), None).unwrap();
        let second = kept(&file, TOKEN_FILE, &SeededEntropy::new(2), None).unwrap();
        assert!(first.is_new && !second.is_new && first.secret == second.secret);
        assert_eq!(first.secret.expose().len(), 64);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn an_emptied_token_file_is_an_error_and_no_open_door() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(TOKEN_FILE);
        std::fs::write(&file, " \n").unwrap();
        assert!(kept(&file, TOKEN_FILE, &SeededEntropy::new(1), None).is_err());
    }

    #[test]
    fn a_token_is_sealed_once_there_is_a_master_key_and_bare_again_without() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(TOKEN_FILE);
        let vault = Vault::in_memory(Arc::new(SeededEntropy::new(9))).unwrap();
        let (ring, entropy) = (vault.ring(), SeededEntropy::new(1));
        let first = kept(&file, TOKEN_FILE, &entropy, None).unwrap().secret;
        let bare = std::fs::read(&file).unwrap();
        assert!(kept(&file, TOKEN_FILE, &entropy, Some(&ring)).unwrap().secret == first);
        let sealed = std::fs::read(&file).unwrap();
        assert!(token::is_sealed(&sealed) && !token::is_sealed(&bare));
        assert!(kept(&file, TOKEN_FILE, &entropy, Some(&ring)).unwrap().secret == first);
        assert_eq!(std::fs::read(&file).unwrap(), sealed, "what is right is not written anew");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let other = Vault::in_memory(Arc::new(SeededEntropy::new(8))).unwrap().ring();
        assert!(kept(&file, TOKEN_FILE, &entropy, Some(&other)).is_err());
        assert!(kept(&file, TOKEN_FILE, &entropy, None).is_err(), "nobody has the key");
    }
}
