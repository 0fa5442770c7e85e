//! The text of a first `hookhaven.toml`: senders in, text out. Nothing is read or written here.

use std::fmt::Write as _;

use hookhaven_core::senders::{self, Retries};

use super::{asks_for_token, built, hands_over, of_environment, secret_of, variable, verifies};
use crate::config::size;

/// The whole file. `check` accepts it once the variables are set.
pub(super) fn text(senders: &[&str]) -> String {
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

pub(super) const PUBLISH: &str = "
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

pub(super) const SIGNALS: &str = "
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

pub(super) const ROUTE: &str = "\
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
