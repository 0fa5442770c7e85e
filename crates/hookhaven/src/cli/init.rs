//! `hookhaven init`: a first `hookhaven.toml`, commented, with the senders that were asked for.
//!
//! Not a wizard, and no secrets in it: the file names environment variables, and `check` says which of
//! them are not set.

mod text;

use std::{
    fmt::Write as _,
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context as _;
use hookhaven_core::{
    sender::Sender,
    senders::{self, Handshake, SenderOptions},
};

use self::text::text;
use super::{Context, UsageError, args::InitArgs};
use crate::config::{load::DEFAULT_FILE, suggest};

pub async fn run(args: InitArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let senders = known(&args.sender)?;
    let path = context.config_path.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    write(&path, &text(&senders), args.force)?;
    print!("{}", next_steps(&path, &senders));
    Ok(ExitCode::SUCCESS)
}

/// The senders by their proper names, each once.
fn known(asked: &[String]) -> Result<Vec<&'static str>, UsageError> {
    let mut found = Vec::new();
    for word in asked.iter().map(|word| word.trim()).filter(|word| !word.is_empty()) {
        let Some(def) = senders::find(word) else {
            let names: Vec<&str> = senders::names().collect();
            let mend = suggest::mend(word, names.iter().copied(), "senders");
            return Err(UsageError(format!("there is no sender {word:?}; {mend}")));
        };
        if !found.contains(&def.name) {
            found.push(def.name);
        }
    }
    if found.is_empty() { Err(UsageError("name at least one sender".to_owned())) } else { Ok(found) }
}

fn write(path: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let mut file = match options.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let what =
                format!("{} is already there; --force replaces it, --config writes another file", path.display());
            return Err(UsageError(what).into());
        }
        opened => opened.with_context(|| format!("cannot write {}", path.display()))?,
    };
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

fn secret_of(sender: &str) -> &'static str {
    senders::find(sender).map_or("", |sender| sender.about.secret)
}

/// A type to try the source with.
fn sample_type(sender: &str) -> &'static str {
    built(sender).and_then(|sender| sender.sample_types().first().copied()).unwrap_or("test")
}

/// `None` for one that has to be described first.
fn built(sender: &str) -> Option<Arc<dyn Sender>> {
    senders::find(sender).and_then(|def| def.build(&SenderOptions::default()).ok())
}

fn verifies(sender: &str) -> bool {
    senders::find(sender).is_none_or(|def| def.verifies())
}

/// Whether the sender hands its secret over itself.
fn hands_over(sender: &str) -> bool {
    has_handshake(sender, Handshake::hands_over)
}

/// Whether the sender must be told a token before it asks for it.
fn asks_for_token(sender: &str) -> bool {
    has_handshake(sender, Handshake::compares_token)
}

fn has_handshake(sender: &str, is_it: impl Fn(&Handshake) -> bool) -> bool {
    senders::find(sender).is_some_and(|sender| sender.handshakes.iter().any(is_it))
}

/// The variable that holds a source's secret.
fn variable(sender: &str) -> String {
    format!("{}_WEBHOOK_SECRET", of_environment(sender))
}

fn of_environment(sender: &str) -> String {
    sender.to_ascii_uppercase().replace('-', "_")
}

fn next_steps(path: &Path, senders: &[&str]) -> String {
    let option = if path == Path::new(DEFAULT_FILE) { String::new() } else { format!(" --config {}", path.display()) };
    let mut text = format!("Wrote {}. Next:\n\n", path.display());
    for sender in senders.iter().filter(|sender| verifies(sender) && !hands_over(sender)) {
        let _ = writeln!(text, "  # {}\n  export {}='...'", secret_of(sender), variable(sender));
    }
    let first = senders.first().copied().unwrap_or_default();
    let _ = write!(
        text,
        "  hookhaven check{option}          # says what is still missing\n  \
         hookhaven serve{option}          # runs the gateway\n  \
         hookhaven trigger{option} {first} {}   # sends a signed sample event\n\n\
         Have the senders post to:\n\n",
        sample_type(first),
    );
    for sender in senders {
        let _ = writeln!(text, "  http://127.0.0.1:8080/webhooks/{sender}   (with your own host and https in front)");
    }
    text
}

#[cfg(test)]
mod tests {
    use hookhaven_core::Secret;

    use super::{
        text::{PUBLISH, ROUTE, SIGNALS},
        *,
    };
    use crate::config::{self, Environment, Origin};

    fn context(path: &Path) -> Context {
        Context { config_path: Some(path.to_owned()), ..Context::default() }
    }

    fn args(senders: &[&str], force: bool) -> InitArgs {
        InitArgs { sender: senders.iter().map(|s| (*s).to_owned()).collect(), force }
    }

    fn load(path: &Path, environment: &Environment) -> Result<config::Loaded, config::Refused> {
        config::load(Origin { file: Some(path.to_owned()), ..Default::default() }, environment)
    }

    #[tokio::test]
    async fn what_it_writes_is_accepted_for_every_sender_once_the_secrets_are_set() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hookhaven.toml");
        let all: Vec<&str> = senders::names().collect();
        run(args(&all, false), &context(&path)).await.unwrap();

        // The first of these that has the form of the sender's secrets.
        let secrets = [
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "user:password",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "arn:aws:sns:eu-west-1:123456789012:orders",
            "sandbox:client:secret",
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAES7naQcR5yljKQuLuFiJ40wurTi/cY95JQog1CibIWamClml3I1/8KG4IqOOV2ZvjaNBt6+CvGwNXaLJPAJ1JLw==",
        ]
        .map(|text| Secret::new(text).unwrap());
        let of = |sender: &str| {
            let fits = |secret: &&Secret| built(sender).is_none_or(|sender| sender.check_secret(secret).is_ok());
            let secret = secrets.iter().find(fits).unwrap_or_else(|| panic!("a secret for {sender}"));
            String::from_utf8(secret.expose().to_vec()).unwrap()
        };
        let values: Vec<(String, String)> = all
            .iter()
            .flat_map(|sender| {
                let token = (format!("{}_VERIFY_TOKEN", of_environment(sender)), "token".to_owned());
                [(variable(sender), of(sender)), token]
            })
            .collect();
        let environment = Environment::from_iter(values.iter().map(|(name, value)| (&**name, &**value)));
        let loaded = load(&path, &environment).unwrap_or_else(|refused| panic!("{refused}"));
        assert_eq!(loaded.config.sources.len(), known(&args(&all, false).sender).unwrap().len());
        let expected = |p: &config::Problem| {
            let name = p.key.split('.').nth(1).unwrap();
            !verifies(name) || hands_over(name)
        };
        assert!(loaded.warnings.iter().all(expected), "{:?}", loaded.warnings);

        let refused = load(&path, &Environment::default()).unwrap_err();
        assert!(refused.problems.iter().all(|p| !p.is_error() || p.what.ends_with("is not set")), "{refused}");
    }

    #[test]
    fn what_stands_there_as_a_comment_is_accepted_too() {
        let commented = PUBLISH.lines().chain(SIGNALS.lines()).filter_map(|line| line.strip_prefix("# "));
        let settings = commented.filter(|line| line.starts_with('[') || line.contains(" = "));
        let text: String = settings.map(|line| format!("{line}\n")).collect();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hookhaven.toml");
        std::fs::write(&path, &text).unwrap();
        let names = ["TOKEN", "READ_TOKEN", "CURRENT_SIGNING_KEY", "NEXT_SIGNING_KEY"];
        let mut names = names.map(|name| format!("HOOKHAVEN_{name}")).to_vec();
        names.push("OTLP_AUTHORIZATION".to_owned());
        let value = |name: &str| format!("{name}-0123456789abcdefghijklmnopqrstuv");
        let values: Vec<String> = names.iter().map(|name| value(name)).collect();
        let variables = names.iter().map(String::as_str).zip(values.iter().map(String::as_str));
        let slack = ("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/T/B/x");
        let environment = Environment::from_iter(variables.chain([slack]));
        let config = load(&path, &environment).unwrap_or_else(|refused| panic!("{refused}\n{text}")).config;
        assert_eq!(config.alerts.channels.len(), 1);
        assert_eq!(config.publish.timeout, config::Publish::default().timeout);
        assert!(config.publish.signing_keys().is_some() && config.net.allow.len() == 2);
        assert!(config.telemetry.endpoint.is_some() && config.telemetry.headers.len() == 1);
    }

    #[test]
    fn what_stands_at_a_route_as_a_comment_is_accepted_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hookhaven.toml");
        let route = ROUTE.replace("\n# ", "\n");
        let text = format!(
            "[sources.s]\nsender = \"stripe\"\nsecrets = [\"whsec_x\"]\n[destinations.app]\nurl = \"http://127.0.0.1/\"\n\
             [[routes]]\nsource = \"s\"\n{route}"
        );
        std::fs::write(&path, &text).unwrap();
        let config = load(&path, &Environment::default()).unwrap_or_else(|refused| panic!("{refused}\n{text}")).config;
        let route = &config.routes[0];
        assert!(route.policy.critical && route.when.as_ref().is_some_and(|when| when.conditions().len() == 1));
    }

    #[tokio::test]
    async fn nothing_is_overwritten_unless_forced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hookhaven.toml");
        std::fs::write(&path, "mine").unwrap();
        let error = run(args(&["stripe"], false), &context(&path)).await.unwrap_err();
        assert!(error.is::<UsageError>() && error.to_string().contains("--force"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        run(args(&["stripe"], true), &context(&path)).await.unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().contains("[sources.stripe]"));
    }

    #[tokio::test]
    async fn a_mistyped_sender_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hookhaven.toml");
        let error = run(args(&["strype"], false), &context(&path)).await.unwrap_err();
        assert_eq!(error.to_string(), "there is no sender \"strype\"; did you mean \"stripe\"?");
        assert!(!path.exists());
    }
}
