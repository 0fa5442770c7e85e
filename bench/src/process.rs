//! The bench's own children: bare servers, sinks and load, each a process of this same binary; and what
//! the system says of any process.
//!
//! They end with this process: their standard input is a pipe that we hold.

use std::{fs, net::SocketAddr, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail};
use hookhaven_load::{
    client::{Connection, request},
    load::Report,
    sink::Stats,
};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts a command that prints its address first.
    pub async fn start(arguments: &[&str]) -> Result<Self> {
        let mut command = own(arguments)?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("no output to read the address from")?;
        let mut line = String::new();
        timeout(PATIENCE, BufReader::new(stdout).read_line(&mut line)).await.context("no address was printed")??;
        let address = line.trim().parse().with_context(|| format!("{line:?} is no address"))?;
        Ok(Server { child, address })
    }

    /// `None` once it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    pub async fn end(mut self) -> Result<()> {
        self.child.kill().await.context("a server of the bench could not be ended")
    }

    /// What a sink has seen.
    pub async fn stats(&self) -> Result<Stats> {
        let request = request("GET", &self.address.to_string(), "/stats", &[], b"");
        let answer = timeout(PATIENCE, async { Connection::open(self.address).await?.exchange(&request).await });
        Ok(serde_json::from_slice(&answer.await.context("the sink does not answer")??.body)?)
    }
}

/// Runs a load to its end.
pub async fn load(arguments: &[&str]) -> Result<Report> {
    output(&[&["load"], arguments].concat()).await
}

async fn output<T: for<'de> Deserialize<'de>>(arguments: &[&str]) -> Result<T> {
    let output = own(arguments)?.stdin(Stdio::null()).stderr(Stdio::inherit()).output().await?;
    if !output.status.success() {
        bail!("`{}` ended with {}", arguments.join(" "), output.status);
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn own(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("the bench does not know its own file")?);
    command.args(arguments).kill_on_drop(true);
    Ok(command)
}

/// Processor time and memory of a process, where `/proc` is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub cpu_ms: u64,
    pub resident_bytes: u64,
    /// The most that was ever resident.
    pub peak_bytes: u64,
}

/// Linux counts processor time in hundredths of a second.
const TICK_MS: u64 = 10;

pub fn usage(pid: u32) -> Option<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold blanks: count from behind it. utime and stime are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let bytes = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(value.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
    };
    Some(Usage { cpu_ms: ticks * TICK_MS, resident_bytes: bytes("VmRSS:")?, peak_bytes: bytes("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_process_uses_memory() {
        assert!(
            super::usage(std::process::id())
                .is_some_and(|usage| usage.resident_bytes > 100_000 && usage.peak_bytes >= usage.resident_bytes)
        );
    }
}
