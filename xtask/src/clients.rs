//! Installs the npm packages that the tests take for the other side: the senders' SDKs and the QStash client, pinned in
//! `tests-clients/`, and Node itself where Debian can give it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::command::{self, root};

/// The SDKs' own requirement.
const NODE_MAJOR_MIN: u32 = 20;

/// Makes `tests-clients/node_modules` match the committed lockfile. Does nothing if it does already.
pub fn install() -> Result<()> {
    let folder = root().join("tests-clients");
    if is_current(&folder)? {
        println!("tests-clients: installed as locked");
        return Ok(());
    }
    ensure_node()?;
    command::run(Command::new("npm").args(["ci", "--no-progress"]).current_dir(&folder))
        .context("the senders' SDKs could not be installed")?;
    fs::copy(lockfile(&folder), stamp(&folder)).context("the stamp of the installed lockfile could not be written")?;
    Ok(())
}

fn is_current(folder: &Path) -> Result<bool> {
    let locked = fs::read(lockfile(folder)).context("tests-clients/package-lock.json could not be read")?;
    // A stamp that is missing or unreadable only means: install.
    Ok(fs::read(stamp(folder)).is_ok_and(|installed| installed == locked) && node_major().is_some())
}

fn lockfile(folder: &Path) -> PathBuf {
    folder.join("package-lock.json")
}

/// A copy of the lockfile that was installed last, inside what it installed: deleted along with it.
fn stamp(folder: &Path) -> PathBuf {
    folder.join("node_modules/.installed-lock.json")
}

fn ensure_node() -> Result<()> {
    if node_major().is_none() || !command::answers("npm") {
        if !command::answers("apt-get") {
            bail!("the tests need Node.js {NODE_MAJOR_MIN} or later with npm: install it and try again");
        }
        command::apt_install(&["nodejs", "npm"])?;
    }
    match node_major() {
        Some(major) if major >= NODE_MAJOR_MIN => Ok(()),
        Some(major) => bail!("Node.js {major} is here, and the senders' SDKs need {NODE_MAJOR_MIN} or later"),
        None => bail!("`node --version` says nothing that can be read"),
    }
}

fn node_major() -> Option<u32> {
    let output = Command::new("node").arg("--version").output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}
