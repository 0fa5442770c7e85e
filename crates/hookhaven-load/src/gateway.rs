//! The gateway as a child process: started with a config file, found by what it logs, ended by signals;
//! and a client of its admin API.
//!
//! Its log goes to a file, as it would in service, so that nobody has to read along.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom},
    net::SocketAddr,
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio::process::{Child, ChildStdin, Command};

use crate::client::{self, Answer, Connection};

/// How long a start, an end or an answer of the admin side may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

const SIGKILL: i32 = 9;

/// Where a gateway lives: its binary, and one directory with config, data and log.
#[derive(Clone)]
pub struct Home {
    pub binary: PathBuf,
    pub directory: PathBuf,
    /// Its config names a store that it shares with others, so that it has no data directory.
    pub shared: bool,
    /// What its config asks the environment for, beside what this process has: secrets.
    pub environment: Vec<(String, String)>,
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Home {
    /// A gateway with data of its own.
    pub fn new(binary: PathBuf, directory: PathBuf) -> Self {
        Home { binary, directory, shared: false, environment: Vec::new() }
    }

    pub fn config(&self) -> PathBuf {
        self.directory.join("hookhaven.toml")
    }

    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Where the admin token is; with a shared store the config is to refer to it there.
    pub fn token(&self) -> PathBuf {
        if self.shared { self.directory.join("admin-token") } else { self.data().join("admin-token") }
    }

    pub fn log(&self) -> PathBuf {
        self.directory.join("gateway.log")
    }

    /// What it prints beside its log: credentials that it made, once.
    pub fn printed(&self) -> PathBuf {
        self.directory.join("gateway.out")
    }

    pub fn write_config(&self, text: &str) -> Result<()> {
        fs::write(self.config(), text).context("the config file could not be written")
    }

    /// The gateway's command line with these arguments, on this home's config and data.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).arg("--config").arg(self.config());
        if !self.shared {
            command.arg("--data").arg(self.data());
        }
        command.envs(self.environment.iter().cloned());
        command.current_dir(&self.directory).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Starts `serve` and waits until it listens.
    pub async fn serve(&self) -> Result<Running> {
        self.start()?.listening().await
    }

    /// Starts `serve`. It ends with this process, however that ends: its standard input is a pipe that
    /// we hold.
    pub fn start(&self) -> Result<Starting> {
        self.start_with(&[])
    }

    /// The same with more arguments of `serve`.
    pub fn start_with(&self, arguments: &[&str]) -> Result<Starting> {
        let append = |path| OpenOptions::new().create(true).append(true).open(path);
        let (log, printed) = (append(self.log())?, append(self.printed())?);
        let logged_before = log.metadata()?.len();
        let mut command = self.command(&[&["serve", "--until-stdin-ends"], arguments].concat());
        command.stdin(Stdio::piped()).stdout(printed).stderr(log);
        let mut child = command.spawn().context("the gateway did not start")?;
        let stdin = child.stdin.take();
        Ok(Starting { child, stdin, home: self.clone(), logged_before })
    }

    /// What the log says from an offset on, in bytes.
    pub fn log_after(&self, offset: u64) -> String {
        let mut bytes = Vec::new();
        if let Ok(mut file) = File::open(self.log())
            && file.seek(SeekFrom::Start(offset)).is_ok()
        {
            // What cannot be read is not there yet.
            let _ = file.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A gateway that does not listen yet.
#[derive(Debug)]
pub struct Starting {
    child: Child,
    stdin: Option<ChildStdin>,
    home: Home,
    logged_before: u64,
}

impl Starting {
    /// Waits until it listens.
    pub async fn listening(mut self) -> Result<Running> {
        let log = || self.home.log_after(self.logged_before);
        let listening = poll(PATIENCE, async || {
            let found = find_listening(&log());
            found.map(Ok).or_else(|| self.child.try_wait().ok().flatten().map(Err))
        });
        match listening.await {
            Some(Ok((ingest, admin))) => {
                // The gateway made it, or the config file refers to it; else nobody needs it here.
                let token = fs::read_to_string(self.home.token()).unwrap_or_default();
                let admin = Admin { address: admin, token: token.trim().to_owned() };
                Ok(Running { child: self.child, _stdin: self.stdin, ingest, admin })
            }
            Some(Err(status)) => bail!("the gateway ended with {status}:\n{}", log()),
            None => bail!("the gateway does not listen after {PATIENCE:?}:\n{}", log()),
        }
    }

    /// SIGKILL, before it listens or just after. Fails if it ended by itself before.
    pub async fn kill(self) -> Result<()> {
        kill(self.child).await
    }
}

/// SIGKILL. That it was this that ended the process is part of what is promised.
async fn kill(mut child: Child) -> Result<()> {
    child.kill().await.context("the gateway could not be killed")?;
    let status = child.wait().await?;
    if status.signal() != Some(SIGKILL) {
        bail!("the gateway ended by itself with {status}");
    }
    Ok(())
}

#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Open as long as the gateway shall run.
    _stdin: Option<ChildStdin>,
    /// Port 0 if it takes nothing in.
    pub ingest: SocketAddr,
    pub admin: Admin,
}

impl Running {
    /// `None` once it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// SIGKILL: nothing is finished, nothing flushed.
    pub async fn kill(self) -> Result<()> {
        kill(self.child).await
    }

    /// How it ended, if it has ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// SIGTERM; how it ended.
    pub async fn terminate(mut self) -> Result<ExitStatus> {
        self.signal("TERM").await?;
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        Ok(ended.with_context(|| format!("the gateway still runs {PATIENCE:?} after SIGTERM"))??)
    }

    /// SIGHUP: read the config file again.
    pub async fn reload(&self) -> Result<()> {
        self.signal("HUP").await
    }

    /// Any signal, by its name.
    pub async fn signal(&self, name: &str) -> Result<()> {
        let pid = self.pid().context("the gateway has ended")?.to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().await?;
        if !status.success() {
            bail!("`kill -s {name}` ended with {status}");
        }
        Ok(())
    }
}

const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Reads `{"message":"listening","ingest":…,"admin":…}`, whether the fields stand beside the message or
/// the whole in an object of their own.
fn find_listening(log: &str) -> Option<(SocketAddr, SocketAddr)> {
    log.lines().find_map(|line| {
        let Ok(line) = serde_json::from_str::<Value>(line) else { return listening_in_words(line) };
        let fields = line.get("fields").unwrap_or(&line);
        if fields.get("message")?.as_str()? != "listening" {
            return None;
        }
        let address = |name: &str| fields.get(name)?.as_str()?.parse().ok();
        Some((address("ingest").unwrap_or(NOWHERE), address("admin")?))
    })
}

/// The same of a log that is written for people.
fn listening_in_words(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let fields = line.split_once(" listening ")?.1;
    let address = |name: &str| fields.split(' ').find_map(|field| field.strip_prefix(name)?.parse().ok());
    Some((address("ingest=").unwrap_or(NOWHERE), address("admin=")?))
}

/// The admin API, asked as the command line asks it. One connection a question: it is not for load.
#[derive(Clone, Debug)]
pub struct Admin {
    pub address: SocketAddr,
    pub token: String,
}

impl Admin {
    pub async fn get(&self, path: &str) -> Result<Value> {
        json(path, self.send("GET", path, &[]).await?)
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        json(path, self.send("POST", path, &serde_json::to_vec(body)?).await?)
    }

    /// Any answer, as it comes.
    pub async fn send(&self, method: &str, path: &str, body: &[u8]) -> Result<Answer> {
        let mut headers = vec![("authorization".to_owned(), format!("Bearer {}", self.token))];
        if !body.is_empty() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        let request = client::request(method, &self.address.to_string(), path, &headers, body);
        let exchange = async { Connection::open(self.address).await?.exchange(&request).await };
        let answer = tokio::time::timeout(PATIENCE, exchange).await;
        answer.with_context(|| format!("{path}: no answer"))?.with_context(|| format!("{path}: unreadable answer"))
    }
}

fn json(path: &str, answer: Answer) -> Result<Value> {
    let text = String::from_utf8_lossy(&answer.body);
    if !(200..300).contains(&answer.status) {
        bail!("{path} answered {}: {text}", answer.status);
    }
    serde_json::from_slice(&answer.body).with_context(|| format!("{path} answered no JSON: {text}"))
}

/// Asks again and again, some milliseconds apart, until there is an answer; `None` if there is none in
/// time.
pub async fn poll<T>(patience: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    let mut interval = tokio::time::interval(Duration::from_millis(5));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while Instant::now() < deadline {
        interval.tick().await;
        if let Some(answer) = ask().await {
            return Some(answer);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_are_found_in_the_log() {
        let flat = r#"{"level":"INFO","message":"listening","ingest":"127.0.0.1:1","admin":"127.0.0.1:2"}"#;
        let nested = r#"{"fields":{"message":"listening","ingest":"127.0.0.1:1","admin":"127.0.0.1:2"}}"#;
        for line in [flat, nested] {
            let log = format!("not json\n{{\"message\":\"other\"}}\n{line}\n");
            let (ingest, admin) = find_listening(&log).unwrap();
            assert_eq!((ingest.port(), admin.port()), (1, 2));
        }
        assert_eq!(find_listening(&flat[..40]), None);
    }
}
