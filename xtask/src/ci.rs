//! `cargo xtask ci`: the three steps of `.ci/run`, for a person's terminal.

use anyhow::Result;

use crate::{
    command::{self, cargo},
    test,
};

pub fn run() -> Result<()> {
    run_step(&["fmt", "--all", "--check"])?;
    run_step(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    test::run()
}

fn run_step(arguments: &[&str]) -> Result<()> {
    command::run(&mut cargo(arguments))
}
