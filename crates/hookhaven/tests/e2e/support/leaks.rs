//! Looks for secrets where none may stand: in files, in the tables of a database, in logs and answers. Each is looked for
//! as it is, in hex, and in base64 wherever that begins.

use std::{fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use hookhaven_testbed::Databases;

/// Shorter secrets, of tests that are about something else, may stand in texts by chance.
const SECRET_BYTES_MIN: usize = 12;

#[derive(Clone, Debug, Default)]
pub struct Canaries(Vec<String>);

impl Canaries {
    pub fn new<S: Into<String>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let mut canaries = Canaries::default();
        canaries.add(secrets);
        canaries
    }

    pub fn add<S: Into<String>>(&mut self, secrets: impl IntoIterator<Item = S>) {
        let secrets = secrets.into_iter().map(Into::into);
        self.0.extend(secrets.filter(|secret: &String| secret.len() >= SECRET_BYTES_MIN));
    }

    /// The first of them that stands there, in whatever form.
    pub fn found(&self, bytes: &[u8]) -> Option<&str> {
        // What was allocated ahead is empty, and large.
        let text: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
        let text = String::from_utf8_lossy(&text);
        self.0.iter().find(|secret| forms(secret).iter().any(|form| text.contains(form))).map(String::as_str)
    }

    /// # Panics
    /// If one of them stands there.
    pub fn silent(&self, what: &str, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        if let Some(canary) = self.found(bytes) {
            let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4_000)]).into_owned();
            panic!("{what} tells {canary}:\n{text}");
        }
    }

    /// All files below a directory but those of these names.
    pub fn silent_directory(&self, dir: &Path, but: &[&str]) {
        if let Some((file, canary)) = self.in_directory(dir, but) {
            panic!("{file} tells {canary}");
        }
    }

    /// The first file that tells one of them, and which.
    pub fn in_directory(&self, dir: &Path, but: &[&str]) -> Option<(String, &str)> {
        let entries = fs::read_dir(dir).expect("a directory that can be read");
        entries.map(|entry| entry.expect("an entry").path()).find_map(|path| {
            if path.is_dir() {
                return self.in_directory(&path, but);
            }
            let looked_at = !but.iter().any(|name| path.ends_with(name));
            let bytes = looked_at.then(|| fs::read(&path).expect("a file that can be read"))?;
            self.found(&bytes).map(|canary| (path.display().to_string(), canary))
        })
    }

    /// All rows of all tables of a database; answers all that was looked at.
    pub fn silent_database(&self, databases: &Databases, url: &str) -> String {
        let ask = |sql: &str| databases.sql_at(url, sql).expect("an answer of the database");
        let tables = ask("SELECT string_agg(format('%I.%I', table_schema, table_name), ' ') FROM \
                          information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')");
        let mut all = String::new();
        for table in tables.split_whitespace() {
            let rows = ask(&format!("SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM {table} t"));
            self.silent(table, &rows);
            all.push_str(&rows);
        }
        all
    }
}

fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned()];
    for skipped in 0..3 {
        let inner = &secret.as_bytes()[skipped..];
        let whole = inner.len() / 3 * 3;
        forms.push(STANDARD_NO_PAD.encode(&inner[..whole]));
    }
    let hex: Vec<_> = forms.iter().map(hex::encode).collect();
    forms.extend(hex);
    forms
}

/// The secrets that a config file gives, as it is written: literals, and what stands in the files it refers to.
pub fn secrets_of(config: &Path) -> Canaries {
    const KEYS: [&str; 14] = [
        "secret",
        "secrets",
        "tokens",
        "read_tokens",
        "admin_token",
        "current_signing_key",
        "next_signing_key",
        "verify_token",
        "master_key",
        "previous",
        "password",
        "slack",
        "pagerduty",
        "routing_key",
    ];
    fn gather(value: &toml::Value, inside: bool, base: &Path, into: &mut Canaries) {
        match value {
            toml::Value::String(text) if inside => match text.split_once(':') {
                Some(("env", _)) => {}
                Some(("file", path)) => {
                    into.add(fs::read_to_string(base.join(path)).ok().map(|text| text.trim().to_owned()))
                }
                _ => into.add([text.as_str()]),
            },
            toml::Value::Array(items) => items.iter().for_each(|item| gather(item, inside, base, into)),
            toml::Value::Table(table) => {
                table.iter().for_each(|(key, value)| gather(value, KEYS.contains(&&**key), base, into));
            }
            _ => {}
        }
    }
    let mut found = Canaries::default();
    let table = fs::read_to_string(config).ok().and_then(|text| text.parse::<toml::Table>().ok());
    if let Some(table) = table {
        let base = config.parent().unwrap_or(Path::new(""));
        gather(&toml::Value::Table(table), false, base, &mut found);
    }
    found
}

#[test]
fn a_canary_is_found_in_every_form() {
    let canaries = Canaries::new(["canary-1234567"]);
    for padding in ["", "a", "ab"] {
        let text = format!("{padding}canary-1234567{padding}");
        let base64 = STANDARD_NO_PAD.encode(&text);
        for form in [hex::encode(&text), hex::encode(&base64), base64, text] {
            assert!(canaries.found(form.as_bytes()).is_some(), "{form}");
        }
    }
    assert_eq!(canaries.found(b"canary-1234568"), None);
}
