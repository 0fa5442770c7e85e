//! Prometheus's own judge of rules, `promtool`: on the path, or where `cargo xtask test` put Debian's.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Result, bail};

/// Where `cargo xtask test` puts what it unpacks instead of installing it.
pub fn unpacked() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools")
}

/// A command that is not run yet.
///
/// # Errors
/// If there is none, in words that say how to get it.
pub fn promtool() -> Result<Command> {
    let places = [PathBuf::from("promtool"), unpacked().join("usr/bin/promtool")];
    match places.into_iter().find(|place| answers(place)) {
        Some(place) => Ok(Command::new(place)),
        None => bail!("these tests need promtool: run `cargo xtask test` once, or `apt-get install prometheus`"),
    }
}

fn answers(program: &Path) -> bool {
    let quiet = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}
