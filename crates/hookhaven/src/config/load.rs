//! Finding the config file and reading it, or running on defaults without one.
//!
//! Not here: its syntax (`parse`), noticing that it changed (`reload`).

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    dev,
    environment::Environment,
    files::Files,
    model::{Config, Place, Role},
    parse,
    problem::{Places, Problem, Refused, Severity},
    publish, telemetry,
    written::Written,
};

/// Looked for in the working directory when nobody names a file.
pub const DEFAULT_FILE: &str = "hookhaven.toml";

/// No config file is longer.
pub const FILE_BYTES_MAX: u64 = 4 << 20;

/// Where the configuration comes from, beside the environment. The same for every reload.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// `None`: there is no file, everything stands at its default.
    pub file: Option<PathBuf>,
    /// Stands above `store.url`.
    pub data_dir: Option<PathBuf>,
    /// Stands above `server.role`.
    pub role: Option<Role>,
    /// The development server: loopback, memory, public credentials, whatever the rest says.
    pub dev: bool,
}

impl Origin {
    /// `file` if given; else `hookhaven.toml` in the working directory if it is there; else no file.
    pub fn find(file: Option<PathBuf>, data_dir: Option<PathBuf>) -> Self {
        let default = || Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists());
        Origin { file: file.or_else(default), data_dir, role: None, dev: false }
    }
}

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    pub origin: Origin,
    /// To be shown; none of them keeps the gateway from starting.
    pub warnings: Vec<Problem>,
    /// For problems that show later.
    pub places: Places,
    /// The files that it was read from: its own and those of secrets.
    pub files: Files,
}

/// Reads the configuration.
///
/// # Errors
/// All problems at once, if any of them is an error: an unreadable file, a wrong key, a missing secret.
pub fn load(origin: Origin, environment: &Environment) -> Result<Loaded, Refused> {
    let Reading { outcome, warnings, places, files, .. } = read(&origin, environment);
    Ok(Loaded { config: outcome?, origin, warnings, places, files })
}

/// What reading came to. The files are known even of a configuration that is refused, since mending one
/// of them mends it.
pub(super) struct Reading {
    pub outcome: Result<Config, Refused>,
    pub warnings: Vec<Problem>,
    pub places: Places,
    pub files: Files,
    /// What the file says, as it may be shown, whether it is refused or not; `None` if it cannot be read.
    pub written: Option<Arc<Written>>,
}

pub(super) fn read(origin: &Origin, environment: &Environment) -> Reading {
    let mut files = Files::default();
    let nothing_read =
        |outcome, warnings, files, written| Reading { outcome, warnings, places: Places::default(), files, written };
    let Some(file) = &origin.file else {
        let written = Some(Arc::default());
        return match placed(Config::default(), origin, &Places::default(), environment) {
            Ok((config, warnings)) => nothing_read(Ok(config), warnings, files, written),
            Err(refused) => nothing_read(Err(refused), Vec::new(), files, written),
        };
    };
    let text = match read_text(file, &mut files) {
        Ok(text) => text,
        Err(refused) => return nothing_read(Err(refused), Vec::new(), files, None),
    };
    let parse::Parsed { config, mut problems, secret_files, places, written } = parse::parse(file, &text, environment);
    files.extend(secret_files);
    let written = written.map(Arc::new);
    let Some(config) = config else {
        return Reading { outcome: Err(Refused { problems }), warnings: Vec::new(), places, files, written };
    };
    match placed(config, origin, &places, environment) {
        Ok((config, warnings)) => {
            problems.extend(warnings.into_iter().map(|problem| places.locate(problem)));
            Reading { outcome: Ok(config), warnings: problems, places, files, written }
        }
        Err(refused) => {
            problems.extend(refused.problems.into_iter().map(|problem| places.locate(problem)));
            Reading { outcome: Err(Refused { problems }), warnings: Vec::new(), places, files, written }
        }
    }
}

/// With what the command line and the environment say, and what only holds for the whole; and its warnings.
fn placed(
    mut config: Config,
    origin: &Origin,
    places: &Places,
    environment: &Environment,
) -> Result<(Config, Vec<Problem>), Refused> {
    if origin.dev {
        return dev::apply(config, origin, places, environment).map(|config| (config, Vec::new()));
    }
    let shared = matches!(config.store.place, Place::Database(_));
    let mut problems = Vec::new();
    let mut wrong = |key: &str, what: String, mend: &str| {
        problems.push(Problem::of(Severity::Error, key, what, mend));
    };
    if let Some(dir) = &origin.data_dir {
        if shared {
            wrong("--data", "store.url names a database, not a directory".to_owned(), "leave --data out");
        }
        config.store.place = Place::Directory(dir.clone());
    }
    config.server.role = origin.role.unwrap_or(config.server.role);
    let role = config.server.role;
    if role != Role::All && !shared {
        let key = if origin.role.is_some() { "--role" } else { "server.role" };
        let what = format!("{:?} needs a store that nodes share, and this one is the node's own", role.as_str());
        wrong(key, what, "use \"all\", or set store.url = \"postgres://user@host/database\"");
    }
    if shared && config.server.admin_token.is_none() {
        let mend = "set admin_token = \"env:HOOKHAVEN_ADMIN_TOKEN\" under [server], the same for every node";
        wrong("server.admin_token", "with PostgreSQL it must be given, since all nodes share it".to_owned(), mend);
    }
    problems.extend(publish::complete(&mut config, environment));
    problems.extend(telemetry::complete(&mut config, environment));
    if problems.iter().any(Problem::is_error) { Err(Refused { problems }) } else { Ok((config, problems)) }
}

fn read_text(file: &Path, files: &mut Files) -> Result<String, Refused> {
    let wrong = |what: String, mend: &str| {
        let problem = Problem { file: Some(file.to_owned()), ..Problem::of(Severity::Error, "", what, mend) };
        Refused { problems: vec![problem] }
    };
    let bytes = files.read(file, FILE_BYTES_MAX).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => wrong("there is no such file".to_owned(), "`hookhaven init` writes one"),
        io::ErrorKind::FileTooLarge => wrong("longer than 4 MiB".to_owned(), "check that it is the right file"),
        _ => wrong(format!("cannot be read: {error}"), "check that it is a file and who may read it"),
    })?;
    String::from_utf8(bytes).map_err(|_| wrong("not UTF-8 text".to_owned(), "save it as UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, data_dir: Option<&str>, role: Option<Role>) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hookhaven.toml");
        std::fs::write(&file, text).unwrap();
        let origin = Origin { file: Some(file), data_dir: data_dir.map(Into::into), role, dev: false };
        let loaded = load(origin, &Environment::default());
        let plain = |text: String| text.replace(&format!("{}/", dir.path().display()), "");
        loaded.map(|loaded| loaded.config).map_err(|refused| plain(refused.to_string()))
    }

    const SHARED: &str = "[store]\nurl = \"postgres://u@localhost/h\"\n[server]\nadmin_token = \"t\"\n";

    #[test]
    fn a_role_of_its_own_needs_a_store_that_nodes_share() {
        assert_eq!(read(SHARED, None, Some(Role::Worker)).unwrap().server.role, Role::Worker);
        assert_eq!(read(&format!("{SHARED}role = \"ingest\"\n"), None, None).unwrap().server.role, Role::Ingest);
        assert_eq!(
            read(&format!("{SHARED}role = \"ingest\"\n"), None, Some(Role::All)).unwrap().server.role,
            Role::All
        );
        assert_eq!(read("", None, Some(Role::All)).unwrap().server.role, Role::All);
        let why = "needs a store that nodes share, and this one is the node's own; use \"all\", or set store.url = \
                   \"postgres://user@host/database\"";
        assert_eq!(read("", None, Some(Role::Worker)).unwrap_err(), format!("--role: \"worker\" {why}"));
        let told = read("[server]\nrole = \"ingest\"\n", None, None).unwrap_err();
        assert_eq!(told, format!("hookhaven.toml:2:8: server.role: \"ingest\" {why}"));
    }

    #[test]
    fn with_a_database_the_admin_token_is_given_and_a_data_directory_is_not() {
        let told = read("[store]\nurl = \"postgres://u@localhost/h\"\n", None, None).unwrap_err();
        assert!(told.starts_with("server.admin_token: with PostgreSQL it must be given"), "{told}");
        let told = read(SHARED, Some("data"), None).unwrap_err();
        assert_eq!(told, "--data: store.url names a database, not a directory; leave --data out");
    }
}
