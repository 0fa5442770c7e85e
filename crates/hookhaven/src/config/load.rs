//! Finding the config file and reading it, or running on defaults without one.
//!
//! Not here: its syntax (`parse`), noticing that it changed (`reload`).

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    environment::Environment,
    files::Files,
    model::{Config, Place},
    parse,
    problem::{Places, Problem, Refused, Severity},
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
}

impl Origin {
    /// `file` if given; else `hookhaven.toml` in the working directory if it is there; else no file.
    pub fn find(file: Option<PathBuf>, data_dir: Option<PathBuf>) -> Self {
        let default = || Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists());
        Origin { file: file.or_else(default), data_dir }
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
    let Reading { outcome, warnings, places, files } = read(&origin, environment);
    Ok(Loaded { config: outcome?, origin, warnings, places, files })
}

/// What reading came to. The files are known even of a configuration that is refused, since mending one
/// of them mends it.
pub(super) struct Reading {
    pub outcome: Result<Config, Refused>,
    pub warnings: Vec<Problem>,
    pub places: Places,
    pub files: Files,
}

pub(super) fn read(origin: &Origin, environment: &Environment) -> Reading {
    let mut files = Files::default();
    let nothing_read = |outcome, files| Reading { outcome, warnings: Vec::new(), places: Places::default(), files };
    let Some(file) = &origin.file else {
        return nothing_read(Ok(placed(Config::default(), origin)), files);
    };
    let text = match read_text(file, &mut files) {
        Ok(text) => text,
        Err(refused) => return nothing_read(Err(refused), files),
    };
    let parse::Parsed { config, problems, secret_files, places } = parse::parse(file, &text, environment);
    files.extend(secret_files);
    match config {
        Some(config) => Reading { outcome: Ok(placed(config, origin)), warnings: problems, places, files },
        None => Reading { outcome: Err(Refused { problems }), warnings: Vec::new(), places, files },
    }
}

fn placed(mut config: Config, origin: &Origin) -> Config {
    if let Some(dir) = &origin.data_dir {
        config.store.place = Place::Directory(dir.clone());
    }
    config
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
