//! Child processes as another user than root, which PostgreSQL and PgBouncer refuse to run as; and their end.

use std::{
    fs,
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal};

/// Who servers run as when we are root: a user and its group, by number.
#[derive(Clone, Copy, Debug)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
}

impl User {
    /// `None` if we are not root and so are fine as we are.
    pub fn other_than_root() -> Result<Option<User>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd").context("/etc/passwd cannot be read")?;
        let find = |name: &str| {
            let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut numbers = line.split(':').skip(2).map_while(|n| n.parse().ok());
            Some(User { uid: numbers.next()?, gid: numbers.next()? })
        };
        let user = find("postgres").or_else(|| find("nobody"));
        user.map(Some).context("there is neither a user `postgres` nor `nobody` to run PostgreSQL as")
    }
}

/// Makes the command run as that user, in a process group of its own.
pub fn run_as(command: &mut Command, user: Option<User>) {
    if let Some(User { uid, gid }) = user {
        command.uid(uid).gid(gid);
    }
    command.process_group(0);
}

/// Gives a directory to that user.
pub fn give(path: &Path, user: Option<User>) -> Result<()> {
    if let Some(User { uid, gid }) = user {
        std::os::unix::fs::chown(path, Some(uid), Some(gid))
            .with_context(|| format!("{} cannot be given", path.display()))?;
    }
    Ok(())
}

/// Ends a server and deletes its directory when this process has gone, however it went: a shell that holds
/// the other end of a pipe. Test binaries end without dropping what is static. `signal` is one that the server
/// heeds though its parents may have chosen to ignore it, as shells do with QUIT for what runs in the background.
pub fn keep(pid: &str, signal: &str, home: &Path) -> Result<Child> {
    let script = "cat > /dev/null; pid=$(eval \"$0\"); [ -n \"$pid\" ] && kill -s \"$2\" $pid 2> /dev/null; \
        while [ -n \"$pid\" ] && kill -0 $pid 2> /dev/null; do sleep 0.02; done; rm -rf \"$1\"";
    let mut keeper = Command::new("sh");
    keeper.args(["-c", script, pid]).arg(home).arg(signal).stdin(Stdio::piped()).process_group(0);
    keeper.spawn().context("sh could not be started")
}

/// Runs to the end; what it said is in the error.
pub fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?} could not be started"))?;
    if !output.status.success() {
        bail!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// A port that nobody listens at just now.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Sends a signal; a process that has gone is as good.
pub fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Asks again until it holds or the child has ended.
pub fn wait_until(child: &mut Child, what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Result<()> {
    let began = Instant::now();
    while !holds() {
        if let Some(status) = child.try_wait()? {
            bail!("{what}: the server ended with {status}");
        }
        if began.elapsed() > limit {
            bail!("{what}: not within {} s", limit.as_secs());
        }
        #[expect(clippy::disallowed_methods, reason = "another process gives no signal when it is ready")]
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
