//! Running other programs from the workspace's root, saying what is run.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// The workspace's root, whatever directory the runner was called from.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// `cargo` with these arguments, at the root. Says nothing yet and runs nothing yet.
pub fn cargo<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(root());
    command
}

/// Runs it, having said so; anything but success is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("`{}` ended with {status}", text(command));
    }
    Ok(())
}

/// Runs it, having said so.
pub fn status(command: &mut Command) -> Result<ExitStatus> {
    say(&text(command));
    command.status().with_context(|| format!("`{}` could not be started", text(command)))
}

/// Whether a program is there.
pub fn answers(program: &str) -> bool {
    let quiet = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}

/// Installs Debian's packages, which only root may.
pub fn apt_install(packages: &[&str]) -> Result<()> {
    let who = Command::new("id").arg("-u").output().context("`id` could not be started")?;
    if who.stdout.trim_ascii() != b"0" {
        bail!("only root may install: run `apt-get install {}` as root and try again", packages.join(" "));
    }
    run(Command::new("apt-get").args(["update", "-q"]))?;
    let install = ["install", "-y", "-q", "--no-install-recommends"];
    run(Command::new("apt-get").args(install).args(packages).env("DEBIAN_FRONTEND", "noninteractive"))
}

pub fn say(what: &str) {
    println!("\n==> {what}");
}

/// The command as one would type it.
pub fn text(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
