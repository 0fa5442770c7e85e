//! Installs the clients for Python, locked in `tests-clients/requirements.txt`, and the packages that are only read,
//! locked in `shapes.txt`, into a virtual environment beside them, and Python's own module for such environments where
//! Debian can give it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::command::{self, root};

/// Each whole: what a package stands on is there too, unless it is not needed.
const LOCKFILES: [&str; 2] = ["requirements.txt", "shapes.txt"];
/// What the locked packages need without others beside them.
const PYTHON_MINOR_MIN: u32 = 11;

/// Makes `tests-clients/.venv` match the committed lockfile. Does nothing if it does already.
pub fn install() -> Result<()> {
    let folder = root().join("tests-clients");
    if is_current(&folder)? {
        println!("tests-clients/.venv: installed as locked");
        return Ok(());
    }
    ensure_python()?;
    command::run(Command::new("python3").args(["-m", "venv", "--clear", ".venv"]).current_dir(&folder))
        .context("a virtual environment could not be made")?;
    let pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check"];
    // Only what the lockfile has the hash of, and nothing that would have to be built.
    let locked = ["--require-hashes", "--only-binary", ":all:", "--no-deps"];
    for lockfile in LOCKFILES {
        let file = ["-r", lockfile];
        command::run(Command::new(python(&folder)).args(pip).args(locked).args(file).current_dir(&folder))
            .context("the packages for Python could not be installed")?;
    }
    fs::write(stamp(&folder), wanted(&folder)?).context("the stamp of the installed lockfiles could not be written")?;
    Ok(())
}

fn is_current(folder: &Path) -> Result<bool> {
    let locked = wanted(folder)?;
    // A stamp that is missing or unreadable only means: install. So does a Python that has gone since.
    Ok(fs::read(stamp(folder)).is_ok_and(|installed| installed == locked) && minor(&python(folder)).is_some())
}

/// All that is to be installed: the lockfiles one after the other.
fn wanted(folder: &Path) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for lockfile in LOCKFILES {
        let path = folder.join(lockfile);
        all.extend(fs::read(&path).with_context(|| format!("{} could not be read", path.display()))?);
    }
    Ok(all)
}

fn python(folder: &Path) -> PathBuf {
    folder.join(".venv/bin/python")
}

/// A copy of the lockfiles that were installed last, inside what it installed: deleted along with it.
fn stamp(folder: &Path) -> PathBuf {
    folder.join(".venv/installed-requirements.txt")
}

fn ensure_python() -> Result<()> {
    if !makes_environments() {
        if !command::answers("apt-get") {
            bail!("the tests need Python 3.{PYTHON_MINOR_MIN} or later with its venv module: install it and try again");
        }
        command::apt_install(&["python3", "python3-venv"])?;
    }
    match minor(Path::new("python3")) {
        Some(minor) if minor >= PYTHON_MINOR_MIN && makes_environments() => Ok(()),
        Some(minor) if minor >= PYTHON_MINOR_MIN => bail!("Python 3.{minor} is here, without venv and ensurepip"),
        Some(minor) => bail!("Python 3.{minor} is here, and the locked clients need 3.{PYTHON_MINOR_MIN} or later"),
        None => bail!("`python3 --version` says nothing that can be read"),
    }
}

/// Debian keeps `ensurepip`, which puts pip into an environment, in a package of its own.
fn makes_environments() -> bool {
    let modules = Command::new("python3").args(["-c", "import venv, ensurepip"]).output();
    modules.is_ok_and(|output| output.status.success())
}

/// The `11` of Python 3.11.
fn minor(python: &Path) -> Option<u32> {
    let output = Command::new(python).arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    version.trim().strip_prefix("Python 3.")?.split('.').next()?.parse().ok()
}
