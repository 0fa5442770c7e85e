//! `hookhaven torture` with a database to crash: a private PostgreSQL that is started again whenever it ends. What is
//! done and judged is the gateway's own (`hookhaven torture`).

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use hookhaven_testbed::{Cluster, ClusterOptions};
use tokio::process::Command;

pub async fn postgres(gateway: &Path, minutes: f64) -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::default())?.kept_up();
    let url = cluster.databases().create()?;
    let mut torture = Command::new(gateway);
    torture.args(["torture", "--minutes", &minutes.to_string(), "--store", &url, "--store-restart", &cluster.crash()]);
    let status = torture.kill_on_drop(true).status().await.context("the gateway does not start")?;
    if !status.success() {
        bail!("torture ended with {status}");
    }
    Ok(())
}
