//! Tokens for gateways elsewhere, by admin address: a file in the person's configuration directory that nobody else may
//! read. One that others can read is refused: what stands in it has to be taken for known.
//!
//! Not here: which token a command uses (`settings`), asking for one (`login`).

use std::{
    collections::BTreeMap,
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow, bail};
use hookhaven_core::Secret;
use serde::{Deserialize, Serialize};

use crate::config::Environment;

/// No credentials file is longer.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The file, read.
#[derive(Debug)]
pub struct Credentials {
    path: PathBuf,
    kept: Kept,
}

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    #[serde(default)]
    gateways: BTreeMap<String, Gateway>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.gateways.keys()).finish()
    }
}

#[derive(Serialize, Deserialize)]
struct Gateway {
    token: String,
}

impl Credentials {
    /// What there is; nothing if there is no file, or no directory for one.
    ///
    /// # Errors
    /// Others can read it, or it is not ours.
    pub fn read(environment: &Environment) -> anyhow::Result<Self> {
        match path(environment) {
            Some(path) => Self::read_from(path),
            None => Ok(Credentials { path: PathBuf::new(), kept: Kept::default() }),
        }
    }

    fn read_from(path: PathBuf) -> anyhow::Result<Self> {
        let shown = path.display().to_string();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Credentials { path, kept: Kept::default() });
            }
            Err(error) => return Err(anyhow!(error).context(format!("reading {shown}"))),
        };
        let mode = file.metadata().with_context(|| format!("reading {shown}"))?.permissions().mode();
        if mode & 0o077 != 0 {
            bail!(
                "{shown} can be read by others (mode {:03o}): revoke the tokens in it if they may have been, then \
                 chmod 600 {shown}",
                mode & 0o777
            );
        }
        let mut text = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut text).with_context(|| format!("reading {shown}"))?;
        // What is wrong with it could quote it.
        let kept = serde_json::from_slice(&text)
            .map_err(|_| anyhow!("{shown} cannot be understood; remove it, and log in again"))?;
        Ok(Credentials { path, kept })
    }

    /// For the gateway at this address.
    pub fn token(&self, url: &str) -> Option<Secret> {
        self.kept.gateways.get(url).and_then(|gateway| Secret::new(gateway.token.as_str()))
    }

    /// Addresses that there is a token for.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.kept.gateways.keys().map(String::as_str)
    }

    /// Keeps a token. Where, in words.
    pub fn keep(&mut self, url: &str, token: &Secret) -> anyhow::Result<&Path> {
        let token = String::from_utf8(token.expose().to_vec()).context("the token is not text")?;
        self.kept.gateways.insert(url.to_owned(), Gateway { token });
        self.write()?;
        Ok(&self.path)
    }

    /// Forgets one. Whether it was there.
    pub fn forget(&mut self, url: &str) -> anyhow::Result<bool> {
        let was = self.kept.gateways.remove(url).is_some();
        if was {
            self.write()?;
        }
        Ok(was)
    }

    /// Whole under another name first, so that it is never half there.
    fn write(&self) -> anyhow::Result<()> {
        let Some(dir) = self.path.parent().filter(|_| self.path.is_absolute()) else {
            bail!("there is no place for the token: neither XDG_CONFIG_HOME nor HOME names a directory");
        };
        let written = || -> io::Result<()> {
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
            let new = self.path.with_extension(format!("{}.new", std::process::id()));
            // Left by one of the same number that was stopped in between.
            let _ = std::fs::remove_file(&new);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(&serde_json::to_vec_pretty(&self.kept)?)?;
            file.sync_all()?;
            std::fs::rename(&new, &self.path)
        };
        written().with_context(|| format!("writing {}", self.path.display()))
    }
}

fn path(environment: &Environment) -> Option<PathBuf> {
    let absolute = |name| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
    Some(config.join("hookhaven").join("credentials.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(dir: &Path) -> Environment {
        Environment::from_iter([("XDG_CONFIG_HOME", dir.to_str().unwrap()), ("HOME", "/nowhere")])
    }

    #[test]
    fn tokens_are_kept_by_address_for_their_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let environment = environment(dir.path());
        let mut credentials = Credentials::read(&environment).unwrap();
        assert_eq!(credentials.urls().count(), 0);
        let (a, b) = (Secret::new("hh_a").unwrap(), Secret::new("hh_b").unwrap());
        credentials.keep("https://a.example", &a).unwrap();
        let path = credentials.keep("https://b.example", &b).unwrap().to_owned();
        assert_eq!(path, dir.path().join("hookhaven/credentials.json"));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(path.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let mut again = Credentials::read(&environment).unwrap();
        assert_eq!((again.token("https://a.example"), again.token("https://c.example")), (Some(a), None));
        assert!(again.forget("https://a.example").unwrap() && !again.forget("https://a.example").unwrap());
        assert_eq!(Credentials::read(&environment).unwrap().urls().collect::<Vec<_>>(), ["https://b.example"]);
        assert!(!format!("{again:?}").contains("hh_"));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_mend_and_without_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let environment = environment(dir.path());
        let mut credentials = Credentials::read(&environment).unwrap();
        let path = credentials.keep("https://a.example", &Secret::new("hh_a").unwrap()).unwrap().to_owned();
        for mode in [0o640, 0o604, 0o644] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let refused = Credentials::read(&environment).unwrap_err().to_string();
            assert!(refused.contains("chmod 600") && !refused.contains("hh_a"), "{refused}");
        }
        std::fs::write(&path, "hh_secret {").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let refused = format!("{:#}", Credentials::read(&environment).unwrap_err());
        assert!(refused.contains("log in again") && !refused.contains("hh_secret"), "{refused}");
    }

    #[test]
    fn without_a_place_there_is_nothing_and_nothing_is_kept() {
        let environment = Environment::from_iter([("HOME", "relative")]);
        let mut credentials = Credentials::read(&environment).unwrap();
        assert_eq!(credentials.token("https://a.example"), None);
        let refused = credentials.keep("https://a.example", &Secret::new("hh_a").unwrap()).unwrap_err();
        assert!(refused.to_string().contains("HOME"));
    }
}
