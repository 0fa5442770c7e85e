//! A private PostgreSQL: `initdb`, `postgres`, stopped and deleted when dropped. It keeps its promises as a real
//! one does (`fsync` is on), and has no secrets: it listens on this machine only.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::process::{self, User};

/// Where Debian puts its servers.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Until it answers, recovery included.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it is tried to start one again that was crashed.
const LAUNCHES: usize = 20;

#[derive(Clone, Debug, Default)]
pub struct ClusterOptions {
    /// Settings beside the usual ones, as in `postgresql.conf`.
    pub settings: Vec<(String, String)>,
    /// Speaks TLS too, as `localhost`, by a certificate of its own root.
    pub tls: bool,
}

/// A server's databases, whoever started it.
#[derive(Clone, Debug)]
pub struct Databases {
    bin: PathBuf,
    /// Up to the database's name.
    base: String,
}

/// A running server.
#[derive(Debug)]
pub struct Cluster {
    databases: Databases,
    home: TempDir,
    user: Option<User>,
    port: u16,
    settings: Vec<(String, String)>,
    server: Option<Child>,
    /// Dropped after us, and with it the other end of the pipe.
    _keeper: Child,
}

/// Names the server that a whole run of tests shares; `cargo xtask test` sets it.
pub const SHARED: &str = "HOOKHAVEN_TEST_POSTGRES";

/// The server for tests that need only a database of their own: the one of the run, else this process's.
///
/// # Errors
/// As [`Cluster::start`].
pub fn shared() -> Result<&'static Databases> {
    static OWN: LazyLock<Result<(Databases, Option<Cluster>)>> = LazyLock::new(|| {
        #[expect(clippy::disallowed_methods, reason = "tests are told by their runner")]
        let given = std::env::var(SHARED);
        if let Ok(base) = given {
            return Ok((Databases { bin: find()?, base }, None));
        }
        let cluster = Cluster::start(ClusterOptions::default())?;
        Ok((cluster.databases.clone(), Some(cluster)))
    });
    OWN.as_ref().map(|(databases, _)| databases).map_err(|e| anyhow::anyhow!("{e:#}"))
}

impl Cluster {
    /// # Errors
    /// If PostgreSQL is not installed, in words that say how to.
    pub fn start(options: ClusterOptions) -> Result<Self> {
        let bin = find()?;
        let user = User::other_than_root()?;
        let home = tempfile::Builder::new().prefix("hookhaven-pg-").tempdir()?;
        process::give(home.path(), user)?;
        let mut initdb = Command::new(bin.join("initdb"));
        initdb.arg("-D").arg(home.path().join("data")).args(["-U", "hookhaven", "-A", "trust", "-E", "UTF8"]);
        initdb.args(["--locale=C.UTF-8", "--no-sync"]).current_dir(home.path());
        process::run_as(&mut initdb, user);
        process::run(&mut initdb)?;
        let port = process::free_port()?;
        let databases = Databases { bin, base: format!("postgres://hookhaven@127.0.0.1:{port}/") };
        let pid = format!("head -n 1 {}/data/postmaster.pid 2> /dev/null", home.path().display());
        let keeper = process::keep(&pid, "QUIT", home.path())?;
        let mut settings = options.settings;
        if options.tls {
            certify(home.path(), user)?;
            let file = |name: &str| home.path().join(name).display().to_string();
            settings.push(("ssl".to_owned(), "on".to_owned()));
            settings.push(("ssl_cert_file".to_owned(), file("server.pem")));
            settings.push(("ssl_key_file".to_owned(), file("server.key")));
        }
        let mut cluster = Cluster { databases, home, user, port, settings, server: None, _keeper: keeper };
        cluster.launch()?;
        Ok(cluster)
    }

    fn launch(&mut self) -> Result<()> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        let mut postgres = Command::new(self.databases.bin.join("postgres"));
        postgres.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        let socket = format!("unix_socket_directories={}", self.home.path().display());
        postgres.args(["-c", &socket, "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"]);
        postgres.args(["-c", "shared_buffers=128MB", "-c", "max_wal_size=1GB", "-c", "checkpoint_timeout=15min"]);
        for (name, value) in &self.settings {
            postgres.args(["-c", &format!("{name}={value}")]);
        }
        postgres.current_dir(self.home.path()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        process::run_as(&mut postgres, self.user);
        let server = postgres.spawn().context("postgres could not be started")?;
        let server = self.server.insert(server);
        let (bin, port) = (self.databases.bin.clone(), self.port);
        process::wait_until(server, "PostgreSQL", START_TIMEOUT, || is_ready(&bin, port))
            .with_context(|| fs::read_to_string(self.log()).unwrap_or_default())
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.home.path().join("server.log")
    }

    /// What the server has said so far.
    pub fn log_text(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log()).unwrap_or_default()).into_owned()
    }

    /// What the server's certificate is signed by, if it has one.
    pub fn root_certificate(&self) -> PathBuf {
        self.home.path().join("root.pem")
    }

    pub fn databases(&self) -> &Databases {
        &self.databases
    }

    /// Stops it without a chance to tidy up, as a crash would; what was synced is there afterwards.
    pub fn stop_immediate(&mut self) -> Result<()> {
        self.stop(Signal::QUIT)
    }

    /// As [`Self::stop_immediate`], and starts it again on the same port.
    pub fn restart_immediate(&mut self) -> Result<()> {
        self.stop_immediate()?;
        self.start_again()
    }

    pub fn start_again(&mut self) -> Result<()> {
        self.launch()
    }

    fn stop(&mut self, signal: Signal) -> Result<()> {
        if let Some(mut server) = self.server.take() {
            process::signal(&server, signal);
            server.wait().context("waiting for PostgreSQL to end")?;
        }
        Ok(())
    }
}

/// A server that is started again whenever it ends.
#[derive(Debug)]
pub struct KeptUp {
    databases: Databases,
    data: PathBuf,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Cluster {
    /// From here on somebody else may crash it.
    pub fn kept_up(self) -> KeptUp {
        let (databases, data, end) = (self.databases.clone(), self.data(), Arc::<AtomicBool>::default());
        let told = end.clone();
        let thread = thread::spawn(move || self.keep_up(&told));
        KeptUp { databases, data, end, thread: Some(thread) }
    }

    fn keep_up(mut self, end: &AtomicBool) -> Result<()> {
        loop {
            if let Some(server) = &mut self.server {
                server.wait()?;
            }
            if end.load(Ordering::Acquire) {
                return Ok(());
            }
            // What it left behind may still be on its way out, or it is crashed while it starts.
            let mut tries = 1;
            while let Err(error) = self.launch() {
                if end.load(Ordering::Acquire) {
                    return Ok(());
                }
                if tries == LAUNCHES {
                    return Err(error);
                }
                tries += 1;
            }
        }
    }
}

impl KeptUp {
    pub fn databases(&self) -> &Databases {
        &self.databases
    }

    /// A line for `sh` that ends the server without a chance to tidy up (as `pg_ctl stop -m immediate` does). It
    /// comes back by itself. One that is not up is as good.
    pub fn crash(&self) -> String {
        format!("kill -QUIT $(head -n 1 {}/postmaster.pid) 2> /dev/null || true", self.data.display())
    }
}

impl Drop for KeptUp {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Release);
        let pid = || fs::read_to_string(self.data.join("postmaster.pid")).ok()?.lines().next()?.parse().ok();
        let Some(thread) = self.thread.take() else { return };
        while !thread.is_finished() {
            if let Some(pid) = pid().and_then(Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, Signal::QUIT);
            }
            #[expect(clippy::disallowed_methods, reason = "another process gives no signal when it has gone")]
            thread::sleep(Duration::from_millis(20));
        }
        let _ = thread.join();
    }
}

impl Databases {
    pub fn url(&self, database: &str) -> String {
        format!("{}{database}", self.base)
    }

    /// What [`SHARED`] is set to for others to find this server.
    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn port(&self) -> Result<u16> {
        let port = self.base.trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok());
        port.with_context(|| format!("{} names no port", self.base))
    }

    /// A new, empty database; answers its URL.
    pub fn create(&self) -> Result<String> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(self.url(&name))
    }

    /// Runs SQL through `psql`; answers what it printed, unaligned.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String> {
        self.sql_at(&self.url(database), sql)
    }

    /// As [`Self::sql`], for a whole URL.
    pub fn sql_at(&self, url: &str, sql: &str) -> Result<String> {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql, url]);
        let output = psql.stdin(Stdio::null()).output().context("psql could not be started")?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "{sql}: {said}");
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // An immediate stop: everything it has is deleted anyway.
        let _ = self.stop(Signal::QUIT);
    }
}

/// Whether a server could be started here.
pub fn is_installed() -> bool {
    find().is_ok()
}

/// The newest server's programs.
fn find() -> Result<PathBuf> {
    let versions = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let of = |entry: fs::DirEntry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let bin = entry.path().join("bin");
        bin.join("initdb").exists().then_some((version, bin))
    };
    let newest = versions.filter_map(of).max_by_key(|(version, _)| *version);
    newest.map(|(_, bin)| bin).with_context(|| {
        format!("these tests need a PostgreSQL server under {DEBIAN}: run `apt-get install postgresql`")
    })
}

/// A root and a certificate for `localhost`, by the `openssl` that Debian's PostgreSQL brings along.
fn certify(home: &Path, user: Option<User>) -> Result<()> {
    let openssl = |line: &str| process::run(Command::new("openssl").args(line.split(' ')).current_dir(home));
    let ec = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {ec} -keyout root.key -out root.pem -subj /CN=root -days 2"))?;
    openssl(&format!("req {ec} -keyout server.key -out server.csr -subj /CN=localhost"))?;
    fs::write(home.join("names"), "subjectAltName=DNS:localhost\n")?;
    openssl(
        "x509 -req -in server.csr -CA root.pem -CAkey root.key -CAcreateserial -extfile names -out server.pem -days 2",
    )?;
    for name in ["server.key", "server.pem"] {
        process::give(&home.join(name), user)?;
    }
    Ok(())
}

fn is_ready(bin: &Path, port: u16) -> bool {
    if TcpStream::connect(("127.0.0.1", port)).is_err() {
        return false;
    }
    let mut pg_isready = Command::new(bin.join("pg_isready"));
    pg_isready.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
    pg_isready.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    pg_isready.status().is_ok_and(|status| status.success())
}
