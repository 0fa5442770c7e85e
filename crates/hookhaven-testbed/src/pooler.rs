//! PgBouncer in transaction mode before a PostgreSQL: what many teams' databases are reached through.

use std::{
    fs,
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::LazyLock,
    time::Duration,
};

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    postgres::{self, Databases},
    process::{self, User},
};

const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A pooler before [`postgres::shared`].
pub fn shared() -> Result<&'static Pooler> {
    static OWN: LazyLock<Result<Pooler>> = LazyLock::new(|| Pooler::before(postgres::shared()?));
    OWN.as_ref().map_err(|e| anyhow::anyhow!("{e:#}"))
}

#[derive(Debug)]
pub struct Pooler {
    server: Child,
    port: u16,
    _home: TempDir,
    _keeper: Child,
}

impl Pooler {
    /// # Errors
    /// If PgBouncer is not installed, in words that say how to.
    pub fn before(databases: &Databases) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("hookhaven-pool-").tempdir()?;
        let user = User::other_than_root()?;
        process::give(home.path(), user)?;
        let port = process::free_port()?;
        let users = home.path().join("users.txt");
        let config = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\nauth_file = {}\npool_mode = transaction\nmax_client_conn = 500\n\
             default_pool_size = 8\nserver_idle_timeout = 2\n",
            databases.port()?,
            users.display()
        );
        // `auth_type = any` takes whoever comes as the one user that the address names.
        let config = config.replace("* = host=127.0.0.1", "* = user=hookhaven host=127.0.0.1");
        fs::write(&users, "\"hookhaven\" \"\"\n")?;
        let path = home.path().join("pgbouncer.ini");
        fs::write(&path, config)?;
        for file in [&users, &path] {
            process::give(file, user)?;
        }
        let log = fs::File::create(home.path().join("pooler.log"))?;
        let mut command = Command::new("pgbouncer");
        command.arg(&path).current_dir(home.path()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        process::run_as(&mut command, user);
        let mut server = command.spawn().context("these tests need PgBouncer: run `apt-get install pgbouncer`")?;
        let said = || fs::read_to_string(home.path().join("pooler.log")).unwrap_or_default();
        process::wait_until(&mut server, "PgBouncer", START_TIMEOUT, || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        })
        .with_context(said)?;
        let keeper = process::keep(&format!("echo {}", server.id()), "KILL", home.path())?;
        Ok(Pooler { server, port, _home: home, _keeper: keeper })
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://hookhaven@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        process::signal(&self.server, Signal::KILL);
        let _ = self.server.wait();
    }
}
