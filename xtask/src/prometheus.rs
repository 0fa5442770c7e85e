//! `promtool` for the tests, from Debian's package `prometheus`. That is unpacked and not installed: it would start a
//! server of its own, which nobody here wants.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};
use hookhaven_testbed::promtool;

use crate::command::{answers, run};

/// Gets it if it is not there.
pub fn install() -> Result<()> {
    if promtool::promtool().is_ok() {
        println!("promtool: there");
        return Ok(());
    }
    if !answers("apt-get") || !answers("dpkg-deb") {
        bail!("the tests need promtool, which comes with Prometheus: install that and try again");
    }
    let tools = promtool::unpacked();
    let download = tools.join("download");
    // A download that broke off is begun anew.
    let _ = fs::remove_dir_all(&download);
    fs::create_dir_all(&download).with_context(|| format!("{} cannot be made", download.display()))?;
    run(Command::new("apt-get").args(["update", "-q"]))?;
    run(Command::new("apt-get").args(["download", "-q", "prometheus"]).current_dir(&download))?;
    let files = fs::read_dir(&download)?.flatten().map(|entry| entry.path());
    let package = files.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "deb"));
    unpack(&package.context("apt-get downloaded no package")?, &tools)?;
    fs::remove_dir_all(&download)?;
    promtool::promtool().map(|_| ())
}

/// The one program of the package, without the rest.
fn unpack(package: &Path, to: &Path) -> Result<()> {
    let whole = to.join("download/whole");
    run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(&whole))?;
    let (from, place) = (whole.join("usr/bin/promtool"), to.join("usr/bin"));
    fs::create_dir_all(&place)?;
    fs::rename(&from, place.join("promtool")).with_context(|| format!("there is no {}", from.display()))
}
