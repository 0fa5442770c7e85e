//! Redis for the guide that leads away from it, from Debian's package `redis-tools`: that has the server too, under the name
//! `redis-check-rdb`, and starts none.

use std::path::Path;

use anyhow::{Result, bail};

use crate::command::{answers, apt_install};

/// Installs it if it is not there.
pub fn install() -> Result<()> {
    if answers("redis-server") || Path::new("/usr/bin/redis-check-rdb").exists() {
        println!("Redis: installed");
        return Ok(());
    }
    if !answers("apt-get") {
        bail!("the tests need a Redis server: install redis-server and try again");
    }
    apt_install(&["redis-tools"])
}
