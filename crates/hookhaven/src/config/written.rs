//! What a config file says, key by key, as it may be shown: the file's own values without its secrets (I6), so that
//! people can see what is in force and what the file says differently.
//!
//! What is a secret is not guessed: it is what the parser resolved as one. Of those only where they come from is kept to
//! be shown, and a literal to be told from another by its fingerprint. Comments are left out, for old secrets stand
//! there. Not here: what the values mean.

use std::{collections::BTreeMap, fmt, ops::Range};

use hookhaven_core::{Secret, destination::shown_url};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::parse::document::path_of;

/// Stands for what may be a secret and is not known to be none.
pub const HIDDEN: &str = "…";

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number, a date, true or false, as it is written.
    Plain(String),
    Text(String),
    Secret(Reference),
    List(Vec<Value>),
    Hidden,
}

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// `env:NAME` or `file:PATH`, as it is written.
    Elsewhere(String),
    /// `None` if it is blank.
    Literal(Option<Secret>),
}

/// As TOML writes it; a literal secret as a word about it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Plain(text) => f.write_str(text),
            Value::Text(text) | Value::Secret(Reference::Elsewhere(text)) => f.write_str(&quoted(text)),
            Value::Secret(Reference::Literal(_)) => f.write_str("a literal secret"),
            Value::List(values) => {
                f.write_str("[")?;
                for (n, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if n == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Value::Hidden => f.write_str(HIDDEN),
        }
    }
}

/// A text as TOML writes it, which takes the escapes of JSON.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// All that a file says. Keys are those of messages, such as `sources.stripe.secrets` and `routes[0].to`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written(BTreeMap<String, Value>);

/// What a key says in one place and in another; `None`: nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub key: String,
    pub in_force: Option<Value>,
    pub in_file: Option<Value>,
}

impl Written {
    /// Of a file's tree. `secrets`: where the values begin that were resolved as secrets.
    pub fn of(tree: &DeTable<'_>, secrets: &[usize]) -> Self {
        let mut written = Written::default();
        written.add_table("", tree, secrets);
        written
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// By key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// What holds once a file that says `new` was taken while this held: what cannot change while the process runs stays
    /// as it is. It must agree with what `reload` keeps, which a test there sees to.
    pub fn after_reload(&self, new: &Written) -> Self {
        let stays = |key: &str| self.is_fixed(key, new);
        let old = self.0.iter().filter(|(key, _)| stays(key));
        let new = new.0.iter().filter(|(key, _)| !stays(key));
        Written(old.chain(new).map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// Whether the process goes on with what it had of a key.
    fn is_fixed(&self, key: &str, new: &Written) -> bool {
        let changes = ["public_url", "admin_hosts", "admin_url", "trusted_proxies"];
        let (section, rest) = key.split_once('.').unwrap_or((key, ""));
        match section {
            "server" if changes.contains(&rest) || rest.starts_with("trusted_proxies") => false,
            "server" => match rest.strip_prefix("tls.").and_then(|rest| rest.split('.').next()) {
                // A listener has TLS or has none as long as the process runs; what it shows may change.
                Some(listener) => {
                    let has = |of: &Written| of.has_under(&format!("server.tls.{listener}"));
                    !(has(self) && has(new))
                }
                None => true,
            },
            "store" | "encryption" | "limits" | "worker" | "log" | "telemetry" => true,
            // Credentials that are taken out are only made, or found, at a start.
            "publish" if ["tokens", "current_signing_key", "next_signing_key"].contains(&rest) => {
                !new.0.contains_key(key)
            }
            _ => false,
        }
    }

    fn has_under(&self, table: &str) -> bool {
        self.0.keys().any(|key| key.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }

    /// What a file says differently from this. One that was refused may hold secrets where none are known to stand: of
    /// its texts only those are shown that stand where a text is in force.
    pub fn differences(&self, file: &Written, is_refused: bool) -> Vec<Difference> {
        let keys = self.0.keys().chain(file.0.keys().filter(|key| !self.0.contains_key(*key)));
        let differs = |key: &&String| self.0.get(*key) != file.0.get(*key);
        let mut all: Vec<Difference> = keys
            .filter(differs)
            .map(|key| {
                let (in_force, in_file) = (self.0.get(key).cloned(), file.0.get(key).cloned());
                let in_file = match is_refused {
                    true => in_file.map(|value| guarded(value, in_force.as_ref())),
                    false => in_file,
                };
                Difference { key: key.clone(), in_force, in_file }
            })
            .collect();
        all.sort_by(|a, b| a.key.cmp(&b.key));
        all
    }

    fn add_table(&mut self, path: &str, table: &DeTable<'_>, secrets: &[usize]) {
        for (name, value) in table {
            self.add(path_of(path, name.get_ref()), value, secrets);
        }
    }

    fn add(&mut self, path: String, value: &Spanned<DeValue<'_>>, secrets: &[usize]) {
        match value.get_ref() {
            DeValue::Table(table) => self.add_table(&path, table, secrets),
            DeValue::Array(items) if items.iter().any(|item| matches!(item.get_ref(), DeValue::Table(_))) => {
                for (n, item) in items.iter().enumerate() {
                    self.add(format!("{path}[{n}]"), item, secrets);
                }
            }
            single => {
                self.0.insert(path, read(value.span(), single, secrets));
            }
        }
    }
}

fn read(at: Range<usize>, value: &DeValue<'_>, secrets: &[usize]) -> Value {
    match value {
        DeValue::String(text) if secrets.contains(&at.start) => Value::Secret(Reference::of(text)),
        DeValue::String(text) => text_of(text),
        DeValue::Integer(number) => Value::Plain(number.to_string()),
        DeValue::Float(number) => Value::Plain(number.to_string()),
        DeValue::Boolean(value) => Value::Plain(value.to_string()),
        DeValue::Datetime(value) => Value::Plain(value.to_string()),
        DeValue::Array(items) => {
            Value::List(items.iter().map(|item| read(item.span(), item.get_ref(), secrets)).collect())
        }
        DeValue::Table(_) => Value::Hidden,
    }
}

/// An address without what credentials stand in.
fn text_of(text: &str) -> Value {
    if !text.contains("://") {
        return Value::Text(text.to_owned());
    }
    match url::Url::parse(text) {
        Ok(url) if url.username().is_empty() && url.password().is_none() && url.query().is_none() => {
            Value::Text(text.to_owned())
        }
        Ok(url) => Value::Text(shown_url(&url)),
        Err(_) => Value::Hidden,
    }
}

fn guarded(value: Value, in_force: Option<&Value>) -> Value {
    match (value, in_force) {
        (Value::Text(_), force) if !matches!(force, Some(Value::Text(_))) => Value::Hidden,
        (Value::List(values), force) => {
            let plain = match force {
                Some(Value::List(old)) => old.iter().find(|value| matches!(value, Value::Text(_))),
                _ => None,
            };
            Value::List(values.into_iter().map(|value| guarded(value, plain)).collect())
        }
        (value, _) => value,
    }
}

impl Reference {
    fn of(text: &str) -> Self {
        match text.starts_with("env:") || text.starts_with("file:") {
            true => Reference::Elsewhere(text.to_owned()),
            false => Reference::Literal(Secret::new(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Environment, parse};

    const WHSEC: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const SOUND: &str = "# secrets = [\"hunter2-old\"]\n[server]\nadmin_token = \"hunter2-admin\"\ningest = \"127.0.0.1:8080\"\n\
        [store]\nurl = \"postgres://u:hunter2@db/h\"\npassword = \"hunter2\"\n\
        [sources.s]\nsender = \"stripe\"\nsecrets = [\"env:S\", \"hunter2-literal\"]\ntolerance = \"5m\"\n\
        [destinations.d]\nurl = \"http://h:3000/x?token=hunter2\"\nsecret = \"WHSEC\"\nconcurrency = 4\n\
        [[routes]]\nsource = \"s\"\nto = [\"d\"]\nretry = { attempts = 3 }\n\
        [alerts.channels.c]\nslack = \"https://hooks.slack.com/hunter2\"\n\
        [alerts.channels.e]\nemail = { smtp = \"smtp://u:hunter2@h:587\", from = \"a@b.c\", to = [\"d@e.f\"] }\n\
        [telemetry]\notlp = \"http://h:4318\"\nheaders = { authorization = \"Bearer hunter2\" }\n\
        [publish]\ntokens = [\"hunter2-token-0123456789\"]\n";

    fn written(text: &str) -> (Written, bool) {
        let environment = Environment::from_iter([("S", "whsec_x")]);
        let parsed = parse::parse(Path::new("hookhaven.toml"), &text.replace("WHSEC", WHSEC), &environment);
        let problems: Vec<_> = parsed.problems.iter().map(ToString::to_string).collect();
        (parsed.written.unwrap_or_else(|| panic!("{problems:?}")), parsed.config.is_none())
    }

    fn shown(written: &Written) -> String {
        written.iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
    }

    #[test]
    fn everything_is_shown_but_secrets() {
        let (written, is_refused) = written(SOUND);
        let text = shown(&written);
        assert!(!is_refused);
        assert!(!text.contains("hunter2") && !text.contains("whsec_") && !format!("{written:?}").contains("hunter2"));
        for line in [
            "sources.s.secrets = [\"env:S\", a literal secret]",
            "sources.s.tolerance = \"5m\"",
            "destinations.d.url = \"http://h:3000/x?…\"",
            "destinations.d.secret = a literal secret",
            "destinations.d.concurrency = 4",
            "routes[0].retry.attempts = 3",
            "routes[0].to = [\"d\"]",
            "server.admin_token = a literal secret",
            "store.url = \"postgres://db/h\"",
            "telemetry.headers.authorization = a literal secret",
            "alerts.channels.e.email.smtp = a literal secret",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn what_differs_is_named_and_a_refused_file_gives_no_secret_away() {
        let (in_force, _) = written(SOUND);
        let changed = SOUND.replace("\"5m\"", "\"6m\"").replace("concurrency = 4", "concurrency = 5");
        let (file, _) = written(&changed);
        let line = |d: &Difference| {
            let [a, b] = [&d.in_force, &d.in_file].map(|v| v.as_ref().map(ToString::to_string).unwrap_or_default());
            format!("{}: {a} | {b}", d.key)
        };
        let lines = |file: &Written, refused| in_force.differences(file, refused).iter().map(line).collect::<Vec<_>>();
        let want = ["destinations.d.concurrency: 4 | 5", "sources.s.tolerance: \"5m\" | \"6m\""];
        assert_eq!(lines(&file, false), want);
        let (file, is_refused) = written(&SOUND.replace("secrets =", "secretz =").replace("\"5m\"", "\"6m\""));
        assert!(is_refused);
        let told = lines(&file, true);
        assert!(told.contains(&"sources.s.tolerance: \"5m\" | \"6m\"".to_owned()), "{told:?}");
        assert!(told.contains(&format!("sources.s.secretz:  | [{HIDDEN}, {HIDDEN}]")), "{told:?}");
        assert!(!told.concat().contains("hunter2"));
    }

    #[test]
    fn another_literal_is_a_difference() {
        let (in_force, _) = written(SOUND);
        let (file, _) = written(&SOUND.replace("hunter2-literal", "hunter2-other"));
        assert_eq!(in_force.differences(&file, false).len(), 1);
        assert!(in_force.differences(&in_force, false).is_empty());
    }
}
