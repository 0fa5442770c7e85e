//! PostgreSQL and PgBouncer for the tests, from Debian's packages, and one server for a whole run of them.
//!
//! The packages start services of their own, which nobody here talks to: tests have private servers on free
//! ports (`hookhaven-testbed`).

use anyhow::{Result, bail};
use hookhaven_testbed::{Cluster, ClusterOptions, postgres};

use crate::command::{answers, apt_install};

/// Installs what is missing.
pub fn install() -> Result<()> {
    let missing: Vec<&str> = [("postgresql", postgres::is_installed()), ("pgbouncer", answers("pgbouncer"))]
        .into_iter()
        .filter_map(|(package, there)| (!there).then_some(package))
        .collect();
    if missing.is_empty() {
        println!("PostgreSQL and PgBouncer: installed");
        return Ok(());
    }
    if !answers("apt-get") {
        bail!("the tests need PostgreSQL 15 or later and PgBouncer: install {} and try again", missing.join(" and "));
    }
    apt_install(&missing)
}

/// A server that ends with what is answered.
pub fn start() -> Result<Cluster> {
    Cluster::start(ClusterOptions::default())
}
