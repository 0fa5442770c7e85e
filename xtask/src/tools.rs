//! Programs that tests call by their names: curl and Redis, which guides tell their readers to use, and what ends other
//! programs and makes certificates. From Debian's packages, none of which starts a service.
//!
//! Not here: what needs more than to be there. That has a file of its own.

use std::env;

use anyhow::{Result, bail};

use crate::command::{answers, apt_install};

/// Each with Debian's package of it, in the names that it has there.
const TOOLS: &[(&str, &[&str])] = &[
    ("curl", &["curl"]),
    ("openssl", &["openssl"]),
    ("procps", &["kill"]),
    // This package has the server too, under the name of its other half; `redis-server` would start one.
    ("redis-tools", &["redis-server", "redis-check-rdb"]),
];

/// Installs what is missing.
pub fn install() -> Result<()> {
    let missing: Vec<&str> = TOOLS
        .iter()
        .filter(|(_, names)| !names.iter().any(|name| is_there(name)))
        .map(|(package, _)| *package)
        .collect();
    if missing.is_empty() {
        println!("curl, openssl, kill, Redis: installed");
        return Ok(());
    }
    if !answers("apt-get") {
        bail!("the tests need {}: install them and try again", missing.join(" and "));
    }
    apt_install(&missing)
}

fn is_there(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

#[test]
fn a_program_is_found_by_its_name() {
    assert!(is_there("sh") && !is_there("no-such-program"));
}
