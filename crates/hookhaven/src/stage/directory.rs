//! A directory for one run, removed at its end.

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use hookhaven_store::clock::Entropy;

const REMOVALS_MAX: u32 = 100;

/// For its owner only: configs with secrets lie in it.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    kept: bool,
}

impl Directory {
    /// `hookhaven-<what>-<random>` under `parent`, which must be there.
    pub fn under(parent: &Path, what: &str, entropy: &dyn Entropy) -> Result<Self> {
        let path = parent.join(format!("hookhaven-{what}-{}", hex::encode(entropy.id_bytes())));
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Directory { path, kept: false })
    }

    /// Where such directories are made: the one given, which is made if it is not there, else the system's
    /// for temporary files.
    pub fn parent(given: Option<&Path>) -> Result<PathBuf> {
        let Some(dir) = given else { return Ok(std::env::temp_dir()) };
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        // The gateway runs in another directory than this process.
        std::path::absolute(dir).with_context(|| format!("where {} is cannot be told", dir.display()))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it where it is when this is dropped.
    pub fn keep(&mut self) {
        self.kept = true;
    }
}

impl Directory {
    /// Removes it now, trying again for a while: a process that was just killed may still be on its way
    /// out.
    pub async fn remove(self) {
        let path = self.path.clone();
        for _ in 0..REMOVALS_MAX {
            if std::fs::remove_dir_all(&path).is_ok() || !path.exists() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed is the parent's owner's to clean.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
