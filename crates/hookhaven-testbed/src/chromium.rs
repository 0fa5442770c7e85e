//! The browser that tests look at the dashboard with: Chromium, as Debian or the system has it.

use std::{path::PathBuf, process::Command};

use anyhow::{Result, bail};

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Where it is.
///
/// # Errors
/// If there is none, in words that say how to get it.
pub fn chromium() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    match places.into_iter().find(answers) {
        Some(place) => Ok(place),
        None => bail!("these tests need Chromium: run `cargo xtask test` once, or `apt-get install chromium`"),
    }
}

fn answers(program: &PathBuf) -> bool {
    program.is_file() && Command::new(program).arg("--version").output().is_ok_and(|said| said.status.success())
}
