//! Where the database is and how a connection to it is made: the URL, TLS, one connection.
//!
//! What `sslmode` means here: `disable` is plain; `require`, `verify-ca` and `verify-full` all are TLS with
//! the certificate *and* the host's name checked, against `sslrootcert` if it is given, else the system's
//! roots. Without `sslmode`, a host of this machine is spoken to plainly and any other with TLS. `prefer`
//! and `allow` are refused: what they promise depends on who is listening.
//!
//! Not here: how many connections there are (`pool`).

use std::{fmt, future::poll_fn, path::Path, pin::pin, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio::task::JoinHandle;
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, NoTls,
    config::{Host, SslMode},
    tls::MakeTlsConnect,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{PostgresAddress, trouble::Trouble};
use crate::seam::StoreError;

/// Until a silent peer is taken for gone.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// Told each notification's payload.
pub(super) type OnNotice = Arc<dyn Fn(&str) + Send + Sync>;

/// A database to connect to.
#[derive(Clone)]
pub(super) struct Target {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    /// Until a connection must stand.
    connect_timeout: Duration,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("hosts", &self.config.get_hosts()).finish_non_exhaustive()
    }
}

/// What the URL says of TLS.
#[derive(Debug, Default, PartialEq)]
struct Words {
    mode: Option<String>,
    root: Option<String>,
    /// The URL without them.
    rest: String,
}

impl Target {
    /// # Errors
    /// [`StoreError::Refused`], naming what is wrong and never the password.
    pub fn parse(address: &PostgresAddress, answer_timeout: Duration) -> Result<Self, StoreError> {
        let PostgresAddress { url, password, user } = address;
        let words = Words::of(url);
        let mut config: Config = words
            .rest
            .parse()
            .map_err(|e| StoreError::Refused(format!("not the URL of a PostgreSQL database: {e}")))?;
        if let Some(password) = password {
            config.password(password.expose());
        }
        if let (None, Some(user)) = (config.get_user(), user.as_deref()) {
            config.user(user);
        }
        if config.get_hosts().is_empty() {
            return Err(StoreError::Refused("the database's URL names no host".into()));
        }
        if config.get_user().is_none() {
            return Err(StoreError::Refused(
                "the database's URL names no user; write postgres://user@host/database".into(),
            ));
        }
        if config.get_application_name().is_none() {
            config.application_name("hookhaven");
        }
        let connect_timeout = answer_timeout / 2;
        config.connect_timeout(connect_timeout).tcp_user_timeout(SILENCE_MAX).keepalives_idle(SILENCE_MAX);
        let encrypted = wants_tls(words.mode.as_deref(), config.get_hosts())?;
        config.ssl_mode(if encrypted { SslMode::Require } else { SslMode::Disable });
        let tls = encrypted.then(|| tls(words.root.as_deref().map(Path::new))).transpose()?;
        Ok(Target { config, tls, connect_timeout })
    }

    /// Host, port and name of the database, for people; of several hosts the first.
    pub fn place(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => String::new(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        format!("{host}:{port}/{database}")
    }

    /// A connection, and the task that drives it until either end lets go.
    pub async fn connect(&self, on_notice: Option<OnNotice>) -> Result<(Client, JoinHandle<()>), Trouble> {
        let connected = async {
            match &self.tls {
                Some(tls) => self.open(tls.clone(), on_notice).await,
                None => self.open(NoTls, on_notice).await,
            }
        };
        let late = |_| Trouble::lost(format!("no connection within {:?}", self.connect_timeout));
        tokio::time::timeout(self.connect_timeout, connected).await.map_err(late)?
    }

    async fn open<T>(&self, tls: T, on_notice: Option<OnNotice>) -> Result<(Client, JoinHandle<()>), Trouble>
    where
        T: MakeTlsConnect<tokio_postgres::Socket>,
        T::Stream: Send + 'static,
    {
        let (client, connection) = self.config.connect(tls).await?;
        Ok((client, tokio::spawn(drive(connection, on_notice))))
    }
}

async fn drive<S>(connection: Connection<tokio_postgres::Socket, S>, on_notice: Option<OnNotice>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut connection = pin!(connection);
    while let Some(Ok(message)) = poll_fn(|cx| connection.as_mut().get_mut().poll_message(cx)).await {
        if let (AsyncMessage::Notification(said), Some(tell)) = (message, &on_notice) {
            tell(said.payload());
        }
    }
}

impl Words {
    fn of(url: &str) -> Self {
        let Some((base, query)) = url.split_once('?') else {
            return Words { rest: url.to_owned(), ..Words::default() };
        };
        let mut words = Words::default();
        let mut rest = Vec::new();
        for pair in query.split('&') {
            let value = || url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, v)| v.into_owned());
            match pair.split_once('=').map(|(name, _)| name) {
                Some("sslmode") => words.mode = value(),
                Some("sslrootcert") => words.root = value(),
                _ => rest.push(pair),
            }
        }
        words.rest = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
        words
    }
}

fn wants_tls(mode: Option<&str>, hosts: &[Host]) -> Result<bool, StoreError> {
    match mode {
        None => Ok(!hosts.iter().all(is_here)),
        Some("disable") => Ok(false),
        Some("require" | "verify-ca" | "verify-full") => Ok(true),
        Some(other) => Err(StoreError::Refused(format!(
            "the database's URL says sslmode={other}; use verify-full (TLS, checked), or disable where the network is trusted"
        ))),
    }
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

fn tls(root: Option<&Path>) -> Result<MakeRustlsConnect, StoreError> {
    let mut roots = RootCertStore::empty();
    match root {
        Some(path) => {
            let refused =
                |e: &dyn fmt::Display| StoreError::Refused(format!("sslrootcert {} is no use: {e}", path.display()));
            for certificate in CertificateDer::pem_file_iter(path).map_err(|e| refused(&e))? {
                roots.add(certificate.map_err(|e| refused(&e))?).map_err(|e| refused(&e))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(StoreError::Refused(
            "there is no root certificate to check the database's by: give sslrootcert".into(),
        ));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| StoreError::Failed(format!("TLS cannot be set up: {e}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encrypted(url: &str) -> Result<bool, StoreError> {
        let words = Words::of(url);
        let config: Config = words.rest.parse().unwrap();
        wants_tls(words.mode.as_deref(), config.get_hosts())
    }

    #[test]
    fn another_machine_is_spoken_to_with_tls_unless_told_otherwise() {
        for (url, tls) in [
            ("postgres://u@localhost/db", false),
            ("postgres://u@127.0.0.1:5433/db?application_name=x", false),
            ("postgres://u@%2Frun%2Fpostgresql/db", false),
            ("postgres://u@db.example.com/db", true),
            ("postgres://u@10.0.0.9/db?connect_timeout=3", true),
            ("postgres://u@10.0.0.9/db?sslmode=disable", false),
            ("postgres://u@localhost/db?sslmode=require", true),
            ("postgres://u@localhost/db?sslmode=verify-full&sslrootcert=/a%20b.pem", true),
        ] {
            assert_eq!(encrypted(url), Ok(tls), "{url}");
        }
        for vague in ["prefer", "allow", "no-verify"] {
            let told = encrypted(&format!("postgres://u@db/db?sslmode={vague}")).unwrap_err();
            assert!(told.to_string().contains("verify-full"), "{told}");
        }
    }

    #[test]
    fn what_is_ours_is_taken_out_of_the_url() {
        let words = Words::of("postgres://u@h/db?sslmode=require&options=-c%20x&sslrootcert=%2Fa%20b.pem");
        assert_eq!(words.rest, "postgres://u@h/db?options=-c%20x");
        assert_eq!((words.mode.as_deref(), words.root.as_deref()), (Some("require"), Some("/a b.pem")));
    }

    #[test]
    fn a_password_is_never_shown() {
        let parse = |url: &str| {
            let password = hookhaven_core::Secret::new("hunter2");
            Target::parse(&PostgresAddress { url: url.to_owned(), password, user: None }, Duration::MAX)
        };
        let target = parse("postgres://u:swordfish@localhost/db").unwrap();
        let shown = format!("{target:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("swordfish"), "{shown}");
        let told = parse("postgres://u:swordfish@localhost:nonsense/db").unwrap_err();
        assert!(!told.to_string().contains("swordfish"), "{told}");
    }
}
