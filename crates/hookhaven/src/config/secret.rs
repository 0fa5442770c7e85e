//! Where secrets come from: a literal, `env:NAME` or `file:PATH`.
//!
//! What a secret must look like is its sender's business. No message here repeats any part of one.

use std::{
    cell::RefCell,
    io,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest;
use hookhaven_core::Secret;

use super::{environment::Environment, files::Files, parse::document::Item, suggest};

/// No secret file is longer; a longer one is the wrong file.
pub const FILE_BYTES_MAX: u64 = 64 << 10;

/// Of a PEM file; bundles of authorities are the longest.
const PEM_BYTES_MAX: u64 = 1 << 20;

const WANTED: &str = "a secret in quotes: \"env:NAME\", \"file:PATH\" or the secret itself";

/// Resolves references to secrets, and remembers the files it read.
pub struct Resolver<'e> {
    environment: &'e Environment,
    /// Relative paths start here: the config file's directory.
    base: PathBuf,
    files: RefCell<Files>,
    /// Over every secret found.
    found: RefCell<digest::Context>,
    /// Where in the file what was taken for a secret begins, found or not.
    places: RefCell<Vec<usize>>,
}

/// Why a reference gives no secret, and how to mend it.
struct Wrong {
    what: String,
    mend: String,
}

impl<'e> Resolver<'e> {
    pub fn new(environment: &'e Environment, base: PathBuf) -> Self {
        let found = RefCell::new(digest::Context::new(&digest::SHA256));
        Resolver { environment, base, files: RefCell::default(), found, places: RefCell::default() }
    }

    /// Every file that was read, or could not be.
    pub fn into_files(self) -> Files {
        self.files.into_inner()
    }

    /// Where in the file the values begin that were taken for secrets.
    pub fn places(&self) -> Vec<usize> {
        self.places.borrow().clone()
    }

    /// Tells the secrets found, in their order, from others.
    pub fn digest(&self) -> digest::Digest {
        self.found.borrow().clone().finish()
    }

    /// The secret that an item gives or refers to. What is wrong is reported on the item.
    pub fn resolve(&self, item: &Item<'_>) -> Option<Secret> {
        self.places.borrow_mut().push(item.at.start);
        let reference = item.text(WANTED)?;
        match self.find(reference) {
            Ok(secret) => {
                self.remember(&secret);
                let edge = |c: Option<&u8>| c.is_some_and(u8::is_ascii_whitespace);
                if edge(secret.expose().first()) || edge(secret.expose().last()) {
                    item.warn("the secret begins or ends with a blank", "check that it was copied rightly");
                }
                Some(secret)
            }
            Err(Wrong { what, mend }) => {
                item.error(what, mend);
                None
            }
        }
    }

    /// The file that a secret is handed over to, and the secret if it is there. What is wrong is reported on the item.
    pub fn handed_over(&self, item: &Item<'_>) -> Option<(PathBuf, Option<Secret>)> {
        let name = item.text("a file's path in quotes, such as \"asana.secret\"")?;
        if name.is_empty() {
            item.error("a file must be named", "for example \"asana.secret\", beside this file");
            return None;
        }
        let path = self.base.join(name);
        // Looked at first, so that its appearance is a change of the configuration.
        let read = self.files.borrow_mut().read(&path, FILE_BYTES_MAX);
        if read.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Some((path, None));
        }
        match self.in_file(name) {
            Ok(secret) => {
                self.remember(&secret);
                Some((path, Some(secret)))
            }
            Err(Wrong { what, mend }) => {
                item.error(what, mend);
                None
            }
        }
    }

    /// What stands in the PEM file that an item names. What is wrong is reported on the item.
    pub fn pem(&self, item: &Item<'_>) -> Option<Vec<u8>> {
        let name = item.text("a file's path in quotes, such as \"server.pem\"")?;
        let path = self.base.join(name);
        let read = self.files.borrow_mut().read(&path, PEM_BYTES_MAX);
        match read {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let Wrong { what, mend } = unreadable("the file", PEM_BYTES_MAX, &path, &error);
                item.error(what, mend);
                None
            }
        }
    }

    fn remember(&self, secret: &Secret) {
        let mut found = self.found.borrow_mut();
        found.update(&secret.expose().len().to_be_bytes());
        found.update(secret.expose());
    }

    /// The secret that a reference of the command line means, or what is wrong with it and how to mend that.
    pub fn resolve_text(&self, reference: &str) -> Result<Secret, String> {
        self.find(reference).map_err(|Wrong { what, mend }| format!("{what}; {mend}"))
    }

    fn find(&self, reference: &str) -> Result<Secret, Wrong> {
        if let Some(name) = reference.strip_prefix("env:") {
            return self.in_environment(name);
        }
        if let Some(path) = reference.strip_prefix("file:") {
            return self.in_file(path);
        }
        if let Some(name) = reference.strip_prefix('$') {
            let name = name.trim_start_matches('{').trim_end_matches('}');
            if is_variable_name(name) {
                return Err(Wrong {
                    what: "variables are not put in like in a shell".to_owned(),
                    mend: format!("write \"env:{name}\""),
                });
            }
        }
        Secret::new(reference).ok_or_else(|| Wrong {
            what: "the secret is blank".to_owned(),
            mend: "give it a value, or refer to one with \"env:NAME\" or \"file:PATH\"".to_owned(),
        })
    }

    fn in_environment(&self, name: &str) -> Result<Secret, Wrong> {
        if !is_variable_name(name) {
            return Err(Wrong {
                what: "\"env:\" must be followed by the name of an environment variable".to_owned(),
                mend: "for example \"env:STRIPE_WEBHOOK_SECRET\"".to_owned(),
            });
        }
        let Some(value) = self.environment.get(name) else {
            let mend = match suggest::nearest(name, self.environment.names()) {
                Some(meant) => format!("{meant} is set; did you mean that?"),
                None => format!("set it before starting, e.g. export {name}='…'"),
            };
            return Err(Wrong { what: format!("the environment variable {name} is not set"), mend });
        };
        Secret::new(value).ok_or_else(|| Wrong {
            what: format!("the environment variable {name} is blank"),
            mend: "give it the secret as its value".to_owned(),
        })
    }

    fn in_file(&self, path: &str) -> Result<Secret, Wrong> {
        if path.is_empty() {
            return Err(Wrong {
                what: "\"file:\" must be followed by a path".to_owned(),
                mend: "for example \"file:/run/secrets/stripe\"".to_owned(),
            });
        }
        let path = self.base.join(path);
        let mut bytes = self
            .files
            .borrow_mut()
            .read(&path, FILE_BYTES_MAX)
            .map_err(|error| unreadable("the secret file", FILE_BYTES_MAX, &path, &error))?;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        Secret::new(bytes).ok_or_else(|| Wrong {
            what: format!("the secret file {} is empty", path.display()),
            mend: "write the secret into it".to_owned(),
        })
    }
}

fn unreadable(file: &str, bytes_max: u64, path: &Path, error: &io::Error) -> Wrong {
    let (why, mend) = match error.kind() {
        io::ErrorKind::NotFound => ("there is no such file".to_owned(), "check the path"),
        io::ErrorKind::FileTooLarge => {
            (format!("longer than {} KiB", bytes_max >> 10), "check that it is the right file")
        }
        _ => (error.to_string(), "check the path and who may read it"),
    };
    Wrong { what: format!("cannot read {file} {}: {why}", path.display()), mend: mend.to_owned() }
}

fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
}
