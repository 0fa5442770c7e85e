//! `cargo xtask bench [NAME…]`, `soak NAME` and `torture-postgres`: builds the gateway and the bench as the gateway ships
//! (profile `dist`: the first build takes minutes) and runs the scenarios.
//!
//! What is measured, and how, stands in `bench/`; what verification alone costs, in the core's own bench.

use anyhow::Result;

use crate::{
    browser, clients,
    command::{self, cargo, root},
};

/// Not a scenario: it needs no gateway.
const VERIFY: &str = "verify";
/// A soak with a gateway and a browser.
const LIVE_VIEW: &str = "live-view";

pub fn run(names: &[&str]) -> Result<()> {
    if names.is_empty() || names.contains(&VERIFY) {
        command::run(&mut cargo(&["bench", "--locked", "-p", "hookhaven-core", "--bench", VERIFY]))?;
    }
    let scenarios: Vec<&str> = names.iter().copied().filter(|name| *name != VERIFY).collect();
    if names.is_empty() || !scenarios.is_empty() { self::scenarios(&scenarios) } else { Ok(()) }
}

fn scenarios(names: &[&str]) -> Result<()> {
    command::run(&mut cargo(&["build", "--profile", "dist", "--locked", "-p", "hookhaven", "-p", "hookhaven-bench"]))?;
    let built = cargo_target().join("dist");
    let mut bench = std::process::Command::new(built.join("hookhaven-bench"));
    bench.arg("run").arg("--gateway").arg(built.join("hookhaven")).args(names).current_dir(root());
    command::run(&mut bench)
}

/// `cargo xtask soak NAME`: one part for long.
pub fn soak(arguments: &[&str]) -> Result<()> {
    let built = cargo_target().join("release");
    let mut build = cargo(&["build", "--release", "--locked", "-p", "hookhaven-bench"]);
    let mut bench = std::process::Command::new(built.join("hookhaven-bench"));
    bench.arg("soak").args(arguments).current_dir(root());
    if arguments.first() == Some(&LIVE_VIEW) {
        clients::install()?;
        browser::install()?;
        build.args(["-p", "hookhaven"]);
        bench.arg("--gateway").arg(built.join("hookhaven"));
    }
    command::run(&mut build)?;
    command::run(&mut bench)
}

/// `cargo xtask torture-postgres [MINUTES]`: builds both and lets one torture the other.
pub fn torture_postgres(minutes: &str) -> Result<()> {
    command::run(&mut cargo(&["build", "--release", "--locked", "-p", "hookhaven", "-p", "hookhaven-bench"]))?;
    let built = cargo_target().join("release");
    let mut torture = std::process::Command::new(built.join("hookhaven-bench"));
    torture.args(["torture-postgres", "--minutes", minutes, "--gateway"]).arg(built.join("hookhaven"));
    command::run(torture.current_dir(root()))
}

/// Where cargo builds to: this program itself stands in `<target>/<profile>/`.
fn cargo_target() -> std::path::PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.parent()
        .and_then(|profile| profile.parent())
        .map_or_else(|| root().join("target"), |target| target.to_path_buf())
}
