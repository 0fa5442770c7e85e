//! `cargo xtask ci`: the steps of `.ci/run`, for a person's terminal.

use std::process::Command;

use anyhow::Result;

use crate::{
    command::{self, cargo},
    test,
};

pub fn run() -> Result<()> {
    run_step(&["fmt", "--all", "--check"])?;
    catalogue_is_formatted()?;
    run_step(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    test::run()
}

/// A build script lists these files, which `cargo fmt` does not follow.
fn catalogue_is_formatted() -> Result<()> {
    let directory = command::root().join("crates/hookhaven-core/src/senders/catalogue");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        files.push(entry?.path());
    }
    command::run(Command::new("rustfmt").args(["--edition", "2024", "--check"]).args(files))
}

fn run_step(arguments: &[&str]) -> Result<()> {
    command::run(&mut cargo(arguments))
}
