//! `hookhaven init`: a first `hookhaven.toml`, commented, with the senders that were asked for.
//!
//! Not a wizard, and no secrets in it: the file names environment variables, and `check` says which of
//! them are not set.

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
    senders::{self, Handshake, Retries, SenderOptions},
};

use super::{Context, UsageError, args::InitArgs};
use crate::config::{load::DEFAULT_FILE, size, suggest};

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

/// The whole file. `check` accepts it once the variables are set.
pub fn text(senders: &[&str]) -> String {
    let signed = senders.iter().find(|name| built(name).is_some_and(|sender| sender.signs_url()));
    let public_url = match signed.and_then(|name| senders::find(name)) {
        Some(sender) => format!(
            "public_url = \"https://hooks.example.com\"    # CHANGE THIS: the address under which {} posts; it is signed\n",
            sender.title
        ),
        None => {
            "# public_url = \"https://hooks.example.com\"  # needed for senders that sign the URL (Twilio)\n".to_owned()
        }
    };
    let mut text = format!("{HEAD}{public_url}{ADMIN}");
    for sender in senders {
        source(&mut text, sender);
    }
    text.push_str(DESTINATION);
    for sender in senders {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n[[routes]]\nsource = \"{sender}\"\n{ROUTE}");
        if senders::find(sender).is_some_and(|sender| sender.user_waits()) {
            text.push_str(ANSWER);
        }
    }
    text.push_str(PUBLISH);
    text.push_str(SIGNALS);
    text
}

fn source(text: &mut String, sender: &str) {
    let _ = write!(text, "\n# Posts to /webhooks/{sender}.\n[sources.{sender}]\nsender  = \"{sender}\"\n");
    if hands_over(sender) {
        let _ = write!(
            text,
            "# Its secret is handed over when the hook is made, and kept here.\nhandover = \"{sender}.secret\"\n"
        );
    } else if verifies(sender) {
        let (secret, variable) = (secret_of(sender), variable(sender));
        let _ = write!(
            text,
            "# The secret: {secret}.\n# Also \"file:PATH\"; several while one replaces another.\nsecrets = [\"env:{variable}\"]\n",
        );
    } else {
        text.push_str("# Who may post here; nothing else protects this address.\nallow   = [\"127.0.0.1\"]\n");
    }
    if asks_for_token(sender) {
        let variable = format!("{}_VERIFY_TOKEN", of_environment(sender));
        let _ = write!(text, "# A text of your own, which you also enter there.\nverify_token = \"env:{variable}\"\n");
    }
    text.push_str("# dedupe_window = \"7d\"     # how long an event id is remembered\n");
    if let Some(bytes) = built(sender).and_then(|sender| u64::try_from(sender.body_bytes_default()).ok()) {
        let _ = writeln!(text, "# body_max = \"{}\"", size::print(bytes));
    }
    if senders::find(sender).is_some_and(|sender| sender.verifies() && sender.about.retries == Retries::Never) {
        text.push_str("reserved = true           # it does not come again: a share of every limit is kept for it\n");
    }
    text.push_str("# rate = \"100/s\"         # beyond it, 429 before the body is read\n");
    text.push_str(REDACT);
    if sender == "hmac" {
        text.push_str(HMAC);
    }
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

const HEAD: &str = "\
# Hookhaven's configuration. What starts with \"# \" and looks like a setting is its default or an example.
# `hookhaven check` says what is wrong with it. A running gateway takes a changed file by itself, and
# refuses a bad one.

[server]
ingest = \"127.0.0.1:8080\"    # senders post here; \"0.0.0.0:8080\" listens on every interface
admin  = \"127.0.0.1:8081\"    # admin API, /metrics, /healthz, /readyz; keep it to yourself
";

const ADMIN: &str = "\
# admin_token = \"env:HOOKHAVEN_ADMIN_TOKEN\"  # made at first start if absent, kept in the data directory

[store]
url = \"file:hookhaven-data\"  # a directory beside this file
# retention = \"35d\"           # events go this long after they came, unless they are still pending
# retention_dead = \"forever\"  # dead letters stay until you replay or dismiss them; or e.g. \"90d\"

# Secrets are encrypted where they are stored. `hookhaven master-key generate` makes a key that lies elsewhere.
# [encryption]
# master_key = \"env:HOOKHAVEN_MASTER_KEY\"

# Requests that were refused are kept for a while: `hookhaven rejected list` shows them and says why.
# [quarantine]
# max_age = \"14d\"
# keep    = true           # false keeps nothing; also [sources.NAME.quarantine]
";

const HMAC: &str = "\
[sources.hmac.hmac]        # how the sender signs
algorithm = \"sha256\"       # sha1, sha256 or sha512
header    = \"X-Signature\"
prefix    = \"sha256=\"
encoding  = \"hex\"          # hex or base64
signed    = \"{body}\"       # or \"{timestamp}.{body}\", with the timestamp below
# timestamp = { header = \"X-Timestamp\", unit = \"s\" }
# id        = \"header:X-Event-Id\"    # or \"json:/path/in/body\"
# type      = \"json:/type\"
";

const REDACT: &str = "\
# redact = [\"email\", \"json:/data/card\"]  # fields of the body that nobody is shown; they are stored and delivered
";

const DESTINATION: &str = "
[destinations.app]         # your handler: does the work within the timeout, then answers 2xx; else it comes again
url = \"http://127.0.0.1:3000/webhooks\"
# timeout     = \"10s\"
# concurrency = 16         # attempts in flight at once
# rate        = \"200/s\"
# secret      = \"env:APP_SECRET\"  # signs each attempt, Standard Webhooks style (whsec_...)
";

const PUBLISH: &str = "
# Your programs may publish messages, with QStash's clients: QSTASH_URL is the ingest address. A token and
# signing keys are made at first start and printed once, unless they are given here, or as HOOKHAVEN_TOKEN,
# HOOKHAVEN_CURRENT_SIGNING_KEY and HOOKHAVEN_NEXT_SIGNING_KEY in the environment.
# [publish]
# tokens      = [\"env:HOOKHAVEN_TOKEN\"]       # with PostgreSQL: must be given, the same on every node
# read_tokens = [\"env:HOOKHAVEN_READ_TOKEN\"]  # may look, and change nothing
# current_signing_key = \"env:HOOKHAVEN_CURRENT_SIGNING_KEY\"
# next_signing_key    = \"env:HOOKHAVEN_NEXT_SIGNING_KEY\"
# dedupe_window = \"10m\"      # how long a deduplication id is remembered
# body_max      = \"1MiB\"
# batch_max     = 1000       # messages in one batch; batch_bytes_max = \"16MiB\" all together
# delay_max     = \"365d\"
# retries_max   = 100
# timeout       = \"15m\"      # of one attempt, unless the message says; timeout_max = \"15m\"
# answer_max    = \"64KiB\"    # kept of each answer, for callbacks and the log
# enabled       = true

# Published messages go to the public Internet, and where this says.
# [net]
# allow = [\"10.0.0.0/8\", \"127.0.0.1\"]
";

const SIGNALS: &str = "
# Who is told when something is wrong: slack, pagerduty, webhook or email. Alerts are on without it, and then only
# logged and listed; `hookhaven alerts rules` shows them, docs/alerts.md all settings.
# [alerts.channels.ops]
# slack = \"env:SLACK_WEBHOOK_URL\"
# [alerts.rules.queue_deep]
# threshold = 1000            # or enabled = false

# Log lines go to standard error: one a request, one an attempt.
# [log]
# format = \"auto\"          # json; text; auto: text at a terminal, else JSON
# level  = \"info\"

# A trace of each event, from its sender to its handler, for a collector of OpenTelemetry's (OTLP over HTTP).
# [telemetry]
# otlp    = \"http://127.0.0.1:4318\"
# headers = { authorization = \"env:OTLP_AUTHORIZATION\" }
# sample  = 0.1            # share of the traces that begin here; default all
";

const ROUTE: &str = "\
events = [\"*\"]             # or [\"invoice.*\", \"charge.failed\"]
to     = [\"app\"]
# when = { \"json:/livemode\" = true }  # conditions on the body (json:/path) and on headers (header:NAME)
# critical = true          # a dead letter of this route counts as urgent
# retry = { attempts = 5, initial = \"5s\", factor = 5.0, max = \"1h\" }
";

/// Where somebody waits for the answer.
const ANSWER: &str = "\
# answer = \"handler\"       # the sender hears what your handler says, if that comes in time
";

#[cfg(test)]
mod tests {
    use hookhaven_core::Secret;

    use super::*;
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
