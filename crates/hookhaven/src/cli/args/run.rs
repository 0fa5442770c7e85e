//! Commands that set up and run a gateway, and what it is signed and tried with.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use hookhaven_core::destination::Rate;

use crate::cli::values;
use crate::config::{LogFormat, Role};

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven demo --keep")]
pub struct DemoArgs {
    /// Leave the gateway running afterwards and print addresses to play with
    #[arg(long)]
    pub keep: bool,
}

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  hookhaven serve\n  hookhaven serve --config /etc/hookhaven.toml --data /var/lib/hookhaven\n  \
                  hookhaven serve --role worker\n  hookhaven serve --dev\n\n\
                  SIGHUP reads the config file again; SIGTERM finishes what is under way and stops."
)]
pub struct ServeArgs {
    /// What this node does, instead of `role` under [server] in the config file; anything but "all" needs a
    /// PostgreSQL store
    #[arg(long, value_name = "ROLE", value_parser = values::role)]
    pub role: Option<Role>,
    /// How log lines look, instead of `format` under [log] in the config file: json, text, or auto, which is text at
    /// a terminal
    #[arg(long, value_name = "FORMAT", value_parser = values::log_format)]
    pub log_format: Option<LogFormat>,
    /// Stop, as on SIGTERM, when standard input ends: so that a gateway does not outlive a program that
    /// started it and died
    #[arg(long, hide = true)]
    pub until_stdin_ends: bool,
    /// Be QStash's development server, for projects with QSTASH_DEV=true: loopback only, nothing is kept, token
    /// and keys are known to everybody; port 8080, or QSTASH_DEV_PORT
    #[arg(long, conflicts_with = "unseal")]
    pub dev: bool,
    /// Go back to a data directory that `hookhaven copy` sealed; what the database took in since is not in it
    #[arg(long)]
    pub unseal: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven init\n  hookhaven init --sender stripe,github --config hooks.toml")]
pub struct InitArgs {
    /// Senders to write a source for, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "stripe,github")]
    pub sender: Vec<String>,
    /// Replace the file if it is there
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven check\n  hookhaven check --config /etc/hookhaven.toml --offline\n\n\
                        Exits with 0 if the gateway would start (warnings are shown), 2 if it would not.")]
pub struct CheckArgs {
    /// Do not connect to the destinations
    #[arg(long)]
    pub offline: bool,
    /// Print the problems as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub enum KeysCommand {
    /// Print both keys, as lines for a .env file
    Show(KeysShowArgs),
    /// Make the next key the current one, and a new one the next
    Rotate(KeysRotateArgs),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven keys show >> .env")]
pub struct KeysShowArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven keys rotate\n\n\
                        Receivers check with both keys, so those who have both go on without a gap; give them the new\n\
                        pair before the next rotation. All nodes use it at once.")]
pub struct KeysRotateArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven nodes\n  hookhaven nodes --json --url http://10.0.0.7:8081")]
pub struct NodesArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven migrate --config /etc/hookhaven.toml\n\n\
                        Safe to run while nodes work, of this version or the one before, and to run twice. `serve`\n\
                        does the same at its start unless the config file says store.migrate = false.")]
pub struct MigrateArgs {}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven trigger stripe invoice.paid\n  hookhaven trigger stripe --list\n  \
                        hookhaven trigger stripe subscription --out-of-order --duplicate\n  \
                        hookhaven trigger github push --body push.json\n  \
                        hookhaven trigger slack message --count 1000 --rate 50/s --follow\n  \
                        hookhaven trigger --profile intake.toml --for 10m --follow\n\n\
                        Exits with 1 if anything was refused, and with --follow if anything was lost, died or came too\n\
                        late to its handler.")]
pub struct TriggerArgs {
    /// Name of the source in the config file
    #[arg(required_unless_present_any = ["profile", "list"])]
    pub source: Option<String>,
    /// The event's type, e.g. invoice.paid, or a chain of events, e.g. subscription
    #[arg(value_name = "TYPE|CHAIN", required_unless_present_any = ["profile", "list"])]
    pub what: Option<String>,
    /// List the types and chains there are samples of
    #[arg(long, conflicts_with = "profile")]
    pub list: bool,
    /// Send this file's bytes as the body instead of a sample ("-" is standard input)
    #[arg(long, value_name = "FILE")]
    pub body: Option<PathBuf>,
    /// The event id to send [default: a fresh one each]; with --count it makes duplicates
    #[arg(long)]
    pub id: Option<String>,
    /// Send so many events, or chains
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub count: u32,
    /// Send so many requests in a time, several at once if need be [default: one after the other]
    #[arg(long, value_name = "RATE", value_parser = values::sending_rate)]
    pub rate: Option<Rate>,
    /// Send each event so many times more, with the same id
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1",
          value_parser = clap::value_parser!(u32).range(1..=100))]
    pub duplicate: Option<u32>,
    /// Send in another order than the events' own times say
    #[arg(long)]
    pub out_of_order: bool,
    /// What the order comes from; the same makes the same [default: one is made and told]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Send what an intake of `hookhaven architect` says will come: the busiest day's busiest hour, with its burst
    #[arg(long, value_name = "FILE", conflicts_with_all = ["source", "body", "id", "count", "rate", "out_of_order"])]
    pub profile: Option<PathBuf>,
    /// With --profile: so many times as fast, e.g. 60x
    #[arg(long, value_name = "N", conflicts_with = "length", value_parser = values::times)]
    pub speed: Option<f64>,
    /// With --profile: the hour passes in so long
    #[arg(long = "for", value_name = "DURATION", value_parser = values::time_span)]
    pub length: Option<Duration>,
    /// With --profile: a burst so many times as large as it says; 0x leaves it out [default: 1x]
    #[arg(long, value_name = "N", value_parser = values::times)]
    pub burst: Option<f64>,
    /// Wait until all that was sent has been delivered or is dead; say how soon, and which deadlines were missed
    #[arg(long)]
    pub follow: bool,
    /// Where the gateway takes webhooks, instead of `ingest` under [server] in the config file
    #[arg(long, value_name = "ADDRESS")]
    pub to: Option<SocketAddr>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven openapi > openapi.json\n  hookhaven openapi | jq '.paths | keys'")]
pub struct OpenapiArgs {}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven senders\n  hookhaven senders stripe\n  hookhaven senders --json")]
pub struct SendersArgs {
    /// One of them, by name or alias
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
