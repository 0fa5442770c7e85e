//! What a person may type: every command, its arguments and its help, as clap reads them.
//!
//! Nothing is done here. Each command is one file beside this one, with a `run` that takes its
//! arguments and the [`Context`](super::Context).

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};
use hookhaven_core::{DeliveryId, DeliveryState, ErrorClass, EventId, Secret};

use super::values::{self, Moment};
use crate::config::Role;

/// A webhook gateway in one binary: takes webhooks in, verifies and stores them, and delivers them to
/// your handlers until they are done.
#[derive(Debug, Parser)]
#[command(
    name = "hookhaven",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "Start with:\n  hookhaven demo     everything on this machine in a minute, no account needed\n  \
                  hookhaven init     write a commented hookhaven.toml\n\n\
                  Exit codes: 0 done, 1 failed, 2 wrong usage or configuration."
)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Command,
}

/// Options that several commands share. One that a command has no use for is refused by it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Shared options")]
pub struct Globals {
    /// The config file [default: hookhaven.toml in this directory, if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data directory, instead of the one under [store] in the config file
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The running gateway's admin address [default: `admin` under [server] in the config file]
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// The admin token [env: HOOKHAVEN_ADMIN_TOKEN] [default: the one in the data directory]
    #[arg(long, global = true, value_name = "TOKEN", value_parser = values::secret)]
    pub token: Option<Secret>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try everything on this machine in a minute: no config, no account
    Demo(DemoArgs),
    /// Run the gateway
    Serve(ServeArgs),
    /// Write a commented hookhaven.toml
    Init(InitArgs),
    /// Say what is wrong with the configuration, and how to mend it, without starting
    Check(CheckArgs),
    /// Send a correctly signed sample event to a running gateway
    Trigger(TriggerArgs),
    /// List, show and replay events
    #[command(subcommand)]
    Events(EventsCommand),
    /// List, show and replay deliveries
    #[command(subcommand)]
    Deliveries(DeliveriesCommand),
    /// List, show, replay and dismiss dead letters
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// List, pause and resume destinations
    #[command(subcommand)]
    Destinations(DestinationsCommand),
    /// Show and rotate the keys that published messages are signed with
    #[command(subcommand)]
    Keys(KeysCommand),
    /// List the nodes that share the store
    Nodes(NodesArgs),
    /// Bring a PostgreSQL store's schema up to date
    Migrate(MigrateArgs),
    /// Write a copy of the store while it runs
    Backup(BackupArgs),
    /// Tell one event's whole story: where it went, every attempt, and why
    Why(WhyArgs),
    /// Kill -9 the gateway under load, again and again, and prove that nothing acknowledged is lost
    Torture(TortureArgs),
    /// Measure what this machine and this disk allow
    Bench(BenchArgs),
    /// Say whether anything in the data directory is damaged, and what that costs
    Doctor(DoctorArgs),
    /// Make the index of history again, from the journal alone
    Reindex(ReindexArgs),
    /// Move everything from a data directory to PostgreSQL
    Copy(CopyArgs),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven demo --keep")]
pub struct DemoArgs {
    /// Leave the gateway running afterwards and print addresses to play with
    #[arg(long)]
    pub keep: bool,
}

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  hookhaven torture\n  hookhaven torture --minutes 10 --data /var/lib/hookhaven-test\n  \
                        hookhaven torture --seed 2718281828 --json\n  \
                        hookhaven torture --store postgres://hookhaven@localhost/torture --minutes 10 \\\n    \
                        --store-restart 'pg_ctl -D /srv/pg stop -m immediate; pg_ctl -D /srv/pg -l /srv/pg.log start'\n\n\
                        It starts a gateway of its own on free loopback ports, in a directory of its own under the\n\
                        temporary directory or --data, and removes it at the end. Exits with 1 on any breach; then\n\
                        the directory stays, and the line to repeat it is printed."
)]
pub struct TortureArgs {
    /// How long to go on; the end takes a little longer
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = values::minutes)]
    pub minutes: f64,
    /// Where everything random comes from [default: a fresh one, printed]
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,
    /// The store to torture: "file:", the embedded one, or postgres://user@host/database, which nobody may use;
    /// then three nodes run on it. env:NAME names a variable that holds it
    #[arg(long, value_name = "URL", value_parser = values::store)]
    pub store: Option<Secret>,
    /// Crash the database, too, at random moments: a line for sh that stops it at once and has it come back
    #[arg(long, value_name = "CMD", requires = "store")]
    pub store_restart: Option<String>,
    /// End after so many kills, however long they take
    #[arg(long, hide = true, value_name = "N", conflicts_with = "minutes")]
    pub kills: Option<u64>,
    /// Print the verdict as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven bench\n  hookhaven bench --data /var/lib/hookhaven-test --json\n\n\
                        It starts a gateway of its own on free loopback ports, in a directory of its own under the\n\
                        temporary directory or --data: name one on the disk that you mean to use.")]
pub struct BenchArgs {
    /// How long each of the two loads takes
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=3_600))]
    pub seconds: u16,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
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
#[command(after_help = "Examples:\n  hookhaven doctor\n  hookhaven doctor --data /var/lib/hookhaven --json\n\n\
                  The gateway must be stopped; nothing is changed. Exits with 0 if all is sound, 1 if something is \
                  damaged, 2 if it could not look.")]
pub struct DoctorArgs {
    /// Print what was found as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven reindex\n  hookhaven reindex --data /var/lib/hookhaven\n\n\
                        The gateway must be stopped. The old index stays until the new one is whole.")]
pub struct ReindexArgs {
    /// Even if the journal is damaged and the old index knows what was there
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  hookhaven copy --from file:/var/lib/hookhaven --to postgres://hookhaven@db/hookhaven\n  \
                  hookhaven copy --from file:hookhaven-data --to postgres://hookhaven@db/hookhaven --password env:PGPASSWORD\n  \
                  hookhaven copy --from file:hookhaven-data --to env:DATABASE_URL --json\n\n\
                  Stop the gateway first, and give a database that none has used. The data directory is sealed at once: \n\
                  `serve` refuses it from then on (`hookhaven serve --unseal` goes back to it), and refuses the database \n\
                  until everything is there. Interrupted at any moment, the same command again goes on where it was.\n\
                  At the end both sides are counted: exits with 0 if they agree, 1 if they do not."
)]
pub struct CopyArgs {
    /// The data directory: file:DIR
    #[arg(long, value_name = "file:DIR", value_parser = values::data_directory)]
    pub from: PathBuf,
    /// The database: postgres://user@host/database, or env:NAME of a variable that holds that
    #[arg(long, value_name = "URL", value_parser = values::database)]
    pub to: Secret,
    /// Its password, if the URL has none: env:NAME or file:PATH
    #[arg(long, value_name = "REFERENCE")]
    pub password: Option<String>,
    /// End although damage took something from the journal, which is then left behind
    #[arg(long)]
    pub leave_damaged: bool,
    /// Print what was copied as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  hookhaven trigger stripe invoice.paid\n  hookhaven trigger github push --body push.json"
)]
pub struct TriggerArgs {
    /// Name of the source in the config file
    pub source: String,
    /// The event's type, e.g. invoice.paid
    #[arg(value_name = "TYPE")]
    pub event_type: String,
    /// Send this file's bytes as the body instead of a sample ("-" is standard input)
    #[arg(long, value_name = "FILE")]
    pub body: Option<PathBuf>,
    /// The event id to send [default: a fresh one each]; with --count it makes duplicates
    #[arg(long)]
    pub id: Option<String>,
    /// Send so many, one after the other
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub count: u32,
}

#[derive(Debug, Subcommand)]
pub enum EventsCommand {
    /// List events, newest first
    List(EventsListArgs),
    /// Show one event: headers, body, deliveries
    Show(EventShowArgs),
    /// Deliver old events again
    Replay(EventsReplayArgs),
}

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  hookhaven events list --source stripe --since 2h\n  hookhaven events list --unrouted --json"
)]
pub struct EventsListArgs {
    #[command(flatten)]
    pub filter: EventFilterArgs,
    #[command(flatten)]
    pub page: PageArgs,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven events show evt_06dz9k3m8r4v2w1x5y7t0q6n3p\n  \
                        hookhaven events show evt_06dz9k3m8r4v2w1x5y7t0q6n3p --body > body.json")]
pub struct EventShowArgs {
    /// The event's id, or the one its sender knows it by
    #[arg(value_name = "EVENT_ID")]
    pub id: String,
    /// Print the body's bytes, exactly as received, and nothing else
    #[arg(long, conflicts_with = "json")]
    pub body: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(
    group(ArgGroup::new("selection").required(true).multiple(true)
        .args(["ids", "source", "event_type", "key", "since", "until", "unrouted"])),
    after_help = "Examples:\n  hookhaven events replay evt_06dz9k3m8r4v2w1x5y7t0q6n3p\n  \
                  hookhaven events replay --source stripe --unrouted --since 1d\n\n\
                  By filter it says how many it found and asks; --yes answers."
)]
pub struct EventsReplayArgs {
    #[arg(value_name = "EVENT_ID", conflicts_with_all = ["source", "event_type", "key", "since", "until", "unrouted"])]
    pub ids: Vec<EventId>,
    #[command(flatten)]
    pub filter: EventFilterArgs,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum DeliveriesCommand {
    /// List deliveries, newest first
    List(DeliveriesListArgs),
    /// Show one delivery and its attempts
    Show(DeliveryShowArgs),
    /// Replace dead deliveries by new ones with a fresh budget
    Replay(DeliveriesReplayArgs),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven deliveries list --destination billing --state pending\n  \
                        hookhaven deliveries list --class timeout --since 1h --json")]
pub struct DeliveriesListArgs {
    #[command(flatten)]
    pub filter: DeliveryFilterArgs,
    /// pending, leased, delivered, dead or cancelled
    #[arg(long, value_parser = values::delivery_state)]
    pub state: Option<DeliveryState>,
    #[command(flatten)]
    pub page: PageArgs,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven deliveries show dlv_06dz9k3m8r4v2w1x5y7t0q6n3p")]
pub struct DeliveryShowArgs {
    #[arg(value_name = "DELIVERY_ID")]
    pub id: DeliveryId,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(
    group(ArgGroup::new("selection").required(true).multiple(true)
        .args(["ids", "event", "source", "destination", "event_type", "class", "since", "until"])),
    after_help = "Examples:\n  hookhaven deliveries replay dlv_06dz9k3m8r4v2w1x5y7t0q6n3p\n  \
                  hookhaven deliveries replay --destination billing --since 2h\n\n\
                  By filter it says how many it found and asks; --yes answers."
)]
pub struct DeliveriesReplayArgs {
    #[command(flatten)]
    pub select: SelectArgs,
}

#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// List dead letters, newest first
    List(DlqListArgs),
    /// Show one dead letter: sender, event, last error, when it failed, payload
    Show(DeliveryShowArgs),
    /// Deliver dead letters again, each once, with a fresh budget
    Replay(DlqSelectArgs),
    /// Mark dead letters as done with
    Dismiss(DlqSelectArgs),
}

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  hookhaven dlq list\n  hookhaven dlq list --destination billing --class http_5xx --json"
)]
pub struct DlqListArgs {
    #[command(flatten)]
    pub filter: DeliveryFilterArgs,
    #[command(flatten)]
    pub page: PageArgs,
}

#[derive(Clone, Debug, Args)]
#[command(
    group(ArgGroup::new("selection").required(true).multiple(true)
        .args(["all", "ids", "event", "source", "destination", "event_type", "class", "since", "until"])),
    after_help = "Examples:\n  hookhaven dlq replay dlv_06dz9k3m8r4v2w1x5y7t0q6n3p\n  \
                  hookhaven dlq replay --destination billing --class http_5xx --since 2h\n  \
                  hookhaven dlq dismiss --source github --type 'check_run.*' --yes\n\n\
                  By filter it says how many it found and asks; --yes answers."
)]
pub struct DlqSelectArgs {
    /// All dead letters
    #[arg(
        long,
        conflicts_with_all = ["ids", "event", "source", "destination", "event_type", "class", "since", "until"]
    )]
    pub all: bool,
    #[command(flatten)]
    pub select: SelectArgs,
}

/// By ids or by filter, never both.
#[derive(Clone, Debug, Args)]
pub struct SelectArgs {
    #[arg(
        value_name = "DELIVERY_ID",
        conflicts_with_all = ["event", "source", "destination", "event_type", "class", "since", "until"]
    )]
    pub ids: Vec<DeliveryId>,
    #[command(flatten)]
    pub filter: DeliveryFilterArgs,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum DestinationsCommand {
    /// List destinations: state, breaker, how many deliveries wait
    List(DestinationsListArgs),
    /// Hold deliveries back; events are still accepted
    Pause(DestinationArgs),
    /// Let deliveries go again
    Resume(DestinationArgs),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven destinations list --json")]
pub struct DestinationsListArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven destinations pause billing")]
pub struct DestinationArgs {
    #[arg(value_name = "DESTINATION")]
    pub name: String,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven backup /backups/monday\n  \
                        hookhaven serve --data /backups/monday      to go on from it\n\n\
                        A running gateway writes it, on its own machine, without stopping; if none runs, this command\n\
                        does. It holds everything that was accepted before it began. The admin token is not in it.")]
pub struct BackupArgs {
    /// A directory that is new or empty
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven why evt_06dz9k3m8r4v2w1x5y7t0q6n3p\n  \
                        hookhaven why evt_1PfXl2KZ3s8Qz7   (Stripe's own id, from its dashboard)")]
pub struct WhyArgs {
    /// The event's id, or the one its sender knows it by
    #[arg(value_name = "EVENT_ID")]
    pub id: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// All given must hold.
#[derive(Clone, Debug, Default, Args)]
pub struct EventFilterArgs {
    /// Only events of this source
    #[arg(long)]
    pub source: Option<String>,
    /// Only events of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Option<String>,
    /// Only the event with this idempotency key (the sender's event id)
    #[arg(long)]
    pub key: Option<String>,
    /// Received then or later: how long ago (2h, 7d) or a time (2026-11-21T09:30:00Z)
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub since: Option<Moment>,
    /// Received before then
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub until: Option<Moment>,
    /// Only events that no route took
    #[arg(long)]
    pub unrouted: bool,
}

/// All given must hold.
#[derive(Clone, Debug, Default, Args)]
pub struct DeliveryFilterArgs {
    /// Only deliveries of this event
    #[arg(long, value_name = "EVENT_ID")]
    pub event: Option<EventId>,
    /// Only deliveries of events of this source
    #[arg(long)]
    pub source: Option<String>,
    /// Only deliveries to this destination
    #[arg(long)]
    pub destination: Option<String>,
    /// Only deliveries of events of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Option<String>,
    /// Only those whose last attempt ended so: dns, connect, tls, timeout, protocol, rate_limited, http_5xx, http_4xx ...
    #[arg(long, value_parser = values::error_class)]
    pub class: Option<ErrorClass>,
    /// Accepted (dead letters: died) then or later: how long ago (2h, 7d) or a time (2026-11-21T09:30:00Z)
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub since: Option<Moment>,
    /// Accepted (dead letters: died) before then
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub until: Option<Moment>,
}

#[derive(Clone, Debug, Args)]
pub struct PageArgs {
    /// Show at most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// Go on after this id, the last of the page before
    #[arg(long, value_name = "ID")]
    pub after: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl Command {
    /// Whether the command was asked to print JSON.
    pub fn json(&self) -> bool {
        match self {
            Command::Check(a) => a.json,
            Command::Events(EventsCommand::List(a)) => a.page.json,
            Command::Events(EventsCommand::Show(a)) => a.json,
            Command::Events(EventsCommand::Replay(a)) => a.json,
            Command::Deliveries(DeliveriesCommand::List(a)) => a.page.json,
            Command::Deliveries(DeliveriesCommand::Show(a)) | Command::Dlq(DlqCommand::Show(a)) => a.json,
            Command::Deliveries(DeliveriesCommand::Replay(a)) => a.select.json,
            Command::Dlq(DlqCommand::List(a)) => a.page.json,
            Command::Dlq(DlqCommand::Replay(a) | DlqCommand::Dismiss(a)) => a.select.json,
            Command::Destinations(DestinationsCommand::List(a)) => a.json,
            Command::Why(a) => a.json,
            Command::Backup(a) => a.json,
            Command::Torture(a) => a.json,
            Command::Bench(a) => a.json,
            Command::Doctor(a) => a.json,
            Command::Copy(a) => a.json,
            Command::Nodes(a) => a.json,
            Command::Keys(KeysCommand::Show(KeysShowArgs { json }) | KeysCommand::Rotate(KeysRotateArgs { json })) => {
                *json
            }
            Command::Demo(_)
            | Command::Serve(_)
            | Command::Init(_)
            | Command::Trigger(_)
            | Command::Reindex(_)
            | Command::Migrate(_) => false,
            Command::Destinations(DestinationsCommand::Pause(_) | DestinationsCommand::Resume(_)) => false,
        }
    }

    /// Shared options that the command has no use for; given all the same, they are refused.
    pub fn unused_options(&self) -> &'static [&'static str] {
        match self {
            Command::Demo(_) | Command::Copy(_) => &["--config", "--data", "--url", "--token"],
            Command::Torture(_) | Command::Bench(_) => &["--config", "--url", "--token"],
            Command::Init(_) => &["--data", "--url", "--token"],
            Command::Migrate(_) => &["--data", "--url", "--token"],
            Command::Serve(_) | Command::Check(_) | Command::Trigger(_) | Command::Doctor(_) | Command::Reindex(_) => {
                &["--url", "--token"]
            }
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn leaves(command: &clap::Command, path: String, missing: &mut Vec<String>) {
            let mut below = command.get_subcommands().peekable();
            if below.peek().is_none() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                if !help.contains("Example") {
                    missing.push(path);
                }
                return;
            }
            below.for_each(|sub| leaves(sub, format!("{path} {}", sub.get_name()), missing));
        }
        let mut missing = Vec::new();
        leaves(&Cli::command(), "hookhaven".to_owned(), &mut missing);
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn bulk_work_needs_a_selection_and_takes_ids_or_a_filter() {
        let id = "dlv_00000000000000000000000000";
        for (line, fine) in [
            ("hookhaven dlq replay".to_owned(), false),
            ("hookhaven dlq replay --yes".to_owned(), false),
            ("hookhaven dlq replay --all".to_owned(), true),
            (format!("hookhaven dlq replay {id}"), true),
            (format!("hookhaven dlq replay {id} --source stripe"), false),
            ("hookhaven dlq replay --all --source stripe".to_owned(), false),
            ("hookhaven dlq dismiss --source stripe --class timeout --since 2h".to_owned(), true),
            ("hookhaven deliveries replay --until 2h".to_owned(), true),
            ("hookhaven events replay --unrouted".to_owned(), true),
            ("hookhaven events replay".to_owned(), false),
            ("hookhaven dlq replay evt_00000000000000000000000000".to_owned(), false),
        ] {
            assert_eq!(parse(&line).is_ok(), fine, "{line}");
        }
    }

    #[test]
    fn shared_options_stand_before_or_after_the_command() {
        for line in ["hookhaven --config a.toml check", "hookhaven check --config a.toml"] {
            let config = parse(line).ok().and_then(|cli| cli.globals.config);
            assert_eq!(config, Some(PathBuf::from("a.toml")), "{line}");
        }
    }

    #[test]
    fn a_token_is_not_printed() {
        let cli = parse("hookhaven --token hunter2 dlq list");
        assert!(!format!("{cli:?}").contains("hunter2"));
    }
}
