//! Where the gateway is, for commands that talk to one: its admin address, its data directory, its
//! token, as the options, the environment, what was kept at `hookhaven login` and the config file say, in this order.
//!
//! Whoever lists dead letters need not have the senders' secrets in the environment. So a config
//! file that is refused as a whole is still read for the few things that count here; only what needs
//! the whole of it (opening the data directory, `trigger`) then says what is wrong.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use hookhaven_core::Secret;
use rustls::pki_types::CertificateDer;

use super::{Context, UsageError, credentials::Credentials};
use crate::{
    app::TOKEN_FILE,
    config::{self, Config, Encryption, Environment, Origin, Place, Refused, Server},
    seal::{self, MasterKey, WrapKeys},
    server::local_url,
    tls::first_certificate,
};

/// No token file is longer.
const TOKEN_BYTES_MAX: u64 = 4_096;

/// What could be learned.
#[derive(Debug)]
pub struct Settings {
    /// The admin address, without a trailing slash.
    pub url: String,
    /// It was given by hand, so no other place is looked in.
    pub url_given: bool,
    /// What the gateway shows there, where the config file names it.
    pub certificate: Option<CertificateDer<'static>>,
    /// `None` if the store keeps nothing on disk.
    pub data_dir: Option<PathBuf>,
    pub token: Option<Secret>,
    /// The whole configuration, or what is wrong with it.
    config: Result<Config, Refused>,
}

impl Settings {
    pub fn read(context: &Context) -> anyhow::Result<Self> {
        let origin = Origin::find(context.config_path.clone(), context.data_dir.clone());
        let file = origin.file.clone();
        let config = config::load(origin, &context.environment).map(|loaded| loaded.config);
        let found = match (&config, &file) {
            (Ok(config), _) => Found::in_config(config),
            (Err(refused), Some(file)) => Found::in_file(file, &context.environment).ok_or_else(|| refused.clone())?,
            (Err(refused), None) => return Err(refused.clone().into()),
        };
        let data_dir = context.data_dir.clone().or(found.data_dir);
        let (url, certificate) = match &context.url {
            Some(url) => (checked(url)?, None),
            None => (local_url(found.admin, found.certificate.is_some()), found.certificate),
        };
        let token = match (context.token.clone(), &context.url) {
            (Some(token), _) => Some(token),
            (None, Some(_)) => Credentials::read(&context.environment)?.token(&url),
            (None, None) => None,
        };
        let token =
            token.or(found.token).or_else(|| data_dir.as_deref().and_then(|dir| token_in(dir, &found.encryption)));
        Ok(Settings { url, url_given: context.url.is_some(), certificate, data_dir, token, config })
    }

    /// The whole configuration, for what cannot do without.
    pub fn config(&self) -> anyhow::Result<&Config> {
        self.config.as_ref().map_err(|refused| refused.clone().into())
    }

    #[cfg(test)]
    pub(crate) fn for_tests(url: &str, url_given: bool, data_dir: Option<PathBuf>, config: Config) -> Self {
        Settings {
            url: url.to_owned(),
            url_given,
            certificate: None,
            data_dir,
            token: Secret::new("t0ken"),
            config: Ok(config),
        }
    }
}

/// What is asked of the config file here.
struct Found {
    admin: SocketAddr,
    certificate: Option<CertificateDer<'static>>,
    data_dir: Option<PathBuf>,
    token: Option<Secret>,
    /// What opens a token that is sealed.
    encryption: Encryption,
}

impl Found {
    fn in_config(config: &Config) -> Self {
        let data_dir = match &config.store.place {
            Place::Directory(dir) => Some(dir.clone()),
            Place::Memory | Place::Database(_) => None,
        };
        let Server { admin, tls, admin_token, .. } = &config.server;
        let certificate = tls.admin.as_ref().map(|tls| tls.certificate());
        let encryption = config.encryption.clone();
        Found { admin: *admin, certificate, data_dir, token: admin_token.clone(), encryption }
    }

    /// Of a file that was refused: what can be read all the same. `None` if it is not TOML.
    fn in_file(file: &Path, environment: &Environment) -> Option<Self> {
        let root: toml::Table = std::fs::read_to_string(file).ok()?.parse().ok()?;
        let text = |section: &str, key: &str| root.get(section)?.get(key)?.as_str();
        let defaults = Found::in_config(&Config::default());
        let beside = |dir: PathBuf| file.parent().unwrap_or(Path::new("")).join(dir);
        let data_dir = match text("store", "url") {
            Some(url) => url.strip_prefix("file:").map(|p| PathBuf::from(p.strip_prefix("//").unwrap_or(p))),
            None => defaults.data_dir,
        };
        let secret = |reference: &str| match reference.split_once(':') {
            Some(("env", name)) => environment.get(name).and_then(Secret::new),
            Some(("file", path)) => token_file(&beside(path.into())),
            _ => Secret::new(reference),
        };
        let token = text("server", "admin_token").and_then(secret);
        let master = text("encryption", "master_key").and_then(secret);
        let encryption = Encryption { master: master.as_ref().and_then(MasterKey::parse), ..Encryption::default() };
        let admin = text("server", "admin").and_then(|a| a.parse().ok()).unwrap_or(defaults.admin);
        let certificate = root.get("server").and_then(|server| server.get("tls")?.get("admin")?.get("cert")?.as_str());
        let certificate = certificate.and_then(|path| first_certificate(&std::fs::read(beside(path.into())).ok()?));
        Some(Found { admin, certificate, data_dir: data_dir.map(beside), token, encryption })
    }
}

/// As the gateway keeps it. `None` if it cannot be read, or nobody has the key to it.
fn token_in(dir: &Path, encryption: &Encryption) -> Option<Secret> {
    let text = bounded(&dir.join(TOKEN_FILE))?;
    let ring = || seal::keys::in_directory(dir, &WrapKeys::new(encryption, None)).ok();
    let ring = if seal::token::is_sealed(&text) { ring() } else { None };
    seal::token::of_text(&text, TOKEN_FILE, ring.as_ref())
}

/// `None` if it cannot be read: the gateway then says that a token is wanted.
fn token_file(path: &Path) -> Option<Secret> {
    Secret::new(bounded(path)?.trim_ascii())
}

fn bounded(path: &Path) -> Option<Vec<u8>> {
    let length = std::fs::metadata(path).ok()?.len();
    std::fs::read(path).ok().filter(|_| length <= TOKEN_BYTES_MAX)
}

/// An admin address as typed, without a trailing slash.
pub fn checked(url: &str) -> anyhow::Result<String> {
    let wrong = |why: &str| UsageError(format!("{url:?}: {why}; write e.g. http://127.0.0.1:8081"));
    let parsed = url::Url::parse(url).map_err(|e| wrong(&e.to_string()))?;
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
        return Err(wrong("not a http or https address").into());
    }
    if parsed.query().is_some() || parsed.fragment().is_some() || !parsed.username().is_empty() {
        return Err(wrong("only scheme, host, port and path may be given").into());
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(dir: &Path, text: &str) -> Context {
        let file = dir.join("hookhaven.toml");
        std::fs::write(&file, text).unwrap();
        Context {
            environment: Environment::from_iter([("ADMIN", "from-env")]),
            config_path: Some(file),
            data_dir: None,
            url: None,
            token: None,
            json: false,
            terminal: false,
        }
    }

    #[test]
    fn a_config_that_lacks_a_secret_still_says_where_the_gateway_is() {
        let dir = tempfile::tempdir().unwrap();
        let text = "[server]\nadmin = \"0.0.0.0:9000\"\nadmin_token = \"env:ADMIN\"\n\
                    [store]\nurl = \"file:data\"\n\
                    [sources.stripe]\nsender = \"stripe\"\nsecrets = [\"env:NOT_SET_HERE\"]\n";
        let settings = Settings::read(&context(dir.path(), text)).unwrap();
        assert_eq!(settings.url, "http://127.0.0.1:9000");
        assert_eq!(settings.data_dir, Some(dir.path().join("data")));
        assert_eq!(settings.token, Secret::new("from-env"));
        assert!(settings.config().unwrap_err().is::<Refused>(), "what needs the whole config says what is wrong");
    }

    #[test]
    fn the_token_comes_from_the_data_directory_last() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("data")).unwrap();
        std::fs::write(dir.path().join("data").join(TOKEN_FILE), "from-file\n").unwrap();
        let mut context = context(dir.path(), "[store]\nurl = \"file:data\"\n");
        assert_eq!(Settings::read(&context).unwrap().token, Secret::new("from-file"));
        context.token = Secret::new("given");
        assert_eq!(Settings::read(&context).unwrap().token, Secret::new("given"));
    }

    #[test]
    fn a_token_that_was_kept_is_used_for_its_address_alone() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_str().unwrap().to_owned();
        let mut context = context(dir.path(), "[server]\nadmin_token = \"from-file\"\n");
        context.environment = Environment::from_iter([("HOME", home.as_str())]);
        let mut credentials = Credentials::read(&context.environment).unwrap();
        credentials.keep("https://a.example", &Secret::new("kept").unwrap()).unwrap();
        let mut token = |url: Option<&str>| {
            context.url = url.map(str::to_owned);
            Settings::read(&context).unwrap().token
        };
        assert_eq!(token(Some("https://a.example/")), Secret::new("kept"));
        assert_eq!(token(Some("https://b.example")), Secret::new("from-file"));
        assert_eq!(token(None), Secret::new("from-file"));
        context.url = Some("https://a.example".into());
        context.token = Secret::new("given");
        assert_eq!(Settings::read(&context).unwrap().token, Secret::new("given"));
    }

    #[test]
    fn urls_that_are_none_are_refused() {
        assert_eq!(checked("https://admin.example.com/hooks/").unwrap(), "https://admin.example.com/hooks");
        for wrong in ["127.0.0.1:8081", "ftp://x", "http://user:pw@x", "http://x/?a=b", ""] {
            assert!(checked(wrong).unwrap_err().is::<UsageError>(), "{wrong}");
        }
    }
}
