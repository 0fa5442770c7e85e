//! What a person may type: every command, its arguments and its help, as clap reads them; the arguments in one
//! file for each group of commands.
//!
//! Nothing is done here. Each command is one file of `cli`, with a `run` that takes its
//! arguments and the [`Context`](super::Context).

mod access;
mod alerts;
mod architect;
mod jobs;
mod live;
mod look;
mod machine;
mod marks;
mod master_key;
mod rejected;
mod routes;
mod run;
mod shell;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use hookhaven_core::Secret;

use super::values;

pub use access::*;
pub use alerts::*;
pub use architect::*;
pub use jobs::*;
pub use live::*;
pub use look::*;
pub use machine::*;
pub use marks::*;
pub use master_key::*;
pub use rejected::*;
pub use routes::*;
pub use run::*;
pub use shell::*;

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
    /// The running gateway's admin address [env: HOOKHAVEN_URL] [default: `admin` under [server] in the config file]
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// The token [env: HOOKHAVEN_ADMIN_TOKEN] [default: that of `hookhaven login`, else the one in the data directory]
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
    /// Design a set-up from a team's answers: config, report, deployment, handlers to start from
    Architect(ArchitectArgs),
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
    /// Deliver old events again, where they went or elsewhere
    Replay(ReplayArgs),
    /// List, watch, pause, resume and cancel bulk work
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// List and show rejected requests, and release them once what was wrong is mended
    #[command(subcommand)]
    Rejected(RejectedCommand),
    /// Say why a signature fails, of a rejected request or a saved one
    Verify(VerifyArgs),
    /// List secrets by fingerprint: which are in use, which can go, which are too old
    Secrets(SecretsArgs),
    /// List routes, and say which take an event and why
    #[command(subcommand)]
    Routes(RoutesCommand),
    /// List destinations; try them out; pause and resume, disable and enable them
    #[command(subcommand)]
    Destinations(DestinationsCommand),
    /// List alerts, try a channel, silence what nobody wants to hear
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// List sources
    #[command(subcommand)]
    Sources(SourcesCommand),
    /// Make, list and revoke tokens
    #[command(subcommand)]
    Tokens(TokensCommand),
    /// Mark a moment on the charts, such as a deploy
    Mark(MarkArgs),
    /// Say who did what, and what it was before and after
    Audit(AuditArgs),
    /// Print a link that signs a browser in to the dashboard
    Dashboard(DashboardArgs),
    /// Keep a token for a gateway elsewhere
    Login(LoginArgs),
    /// Forget it
    Logout(LogoutArgs),
    /// Show and rotate the keys that published messages are signed with
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Make, look at and change the key that everything secret is encrypted under
    #[command(subcommand)]
    MasterKey(MasterKeyCommand),
    /// List the senders that are known, or show one: its secret, its signature, its quirks
    Senders(SendersArgs),
    /// Print the description of the admin API (OpenAPI 3.1)
    Openapi(OpenapiArgs),
    /// Print what a shell completes of this command line
    Completions(CompletionsArgs),
    /// Write a page for `man` of every command
    Man(ManArgs),
    /// List the nodes that share the store
    Nodes(NodesArgs),
    /// Bring a PostgreSQL store's schema up to date
    Migrate(MigrateArgs),
    /// Write a copy of the store while it runs
    Backup(BackupArgs),
    /// Show what happens, as it happens: events, attempts, dead letters, a line each
    Tail(TailArgs),
    /// Bring a gateway's events to a server on this machine; survives sleep and lost connections
    Listen(ListenArgs),
    /// Show what was received, delivered and lost over time, and how fast
    Stats(StatsArgs),
    /// Tell one event's whole story: where it went, every attempt, and why
    Why(WhyArgs),
    /// Say what stands out among failures: what, since when, why, and which settings would help
    Analyze(AnalyzeArgs),
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

impl Command {
    /// Whether the command was asked to print JSON.
    pub fn json(&self) -> bool {
        match self {
            Command::Architect(a) => a.json,
            Command::Check(a) => a.json,
            Command::Events(EventsCommand::List(a)) => a.page.json,
            Command::Events(EventsCommand::Search(a)) => a.json,
            Command::Events(EventsCommand::Show(a)) => a.json,
            Command::Events(EventsCommand::Replay(a)) => a.json,
            Command::Deliveries(DeliveriesCommand::List(a)) => a.page.json,
            Command::Deliveries(DeliveriesCommand::Show(a)) | Command::Dlq(DlqCommand::Show(a)) => a.json,
            Command::Deliveries(DeliveriesCommand::Replay(a) | DeliveriesCommand::Cancel(a)) => a.select.json,
            Command::Dlq(DlqCommand::Groups(a)) => a.json,
            Command::Dlq(DlqCommand::List(a)) => a.page.json,
            Command::Dlq(DlqCommand::Replay(a)) => a.letters.select.json,
            Command::Dlq(DlqCommand::Dismiss(a)) => a.select.json,
            Command::Replay(a) => a.json,
            Command::Jobs(JobsCommand::List(a)) => a.json,
            Command::Jobs(
                JobsCommand::Show(a)
                | JobsCommand::Watch(a)
                | JobsCommand::Pause(a)
                | JobsCommand::Resume(a)
                | JobsCommand::Cancel(a),
            ) => a.json,
            Command::Rejected(RejectedCommand::List(a)) => a.page.json,
            Command::Rejected(RejectedCommand::Show(a)) => a.json,
            Command::Rejected(RejectedCommand::Release(a)) => a.json,
            Command::Trigger(a) => a.json,
            Command::Verify(a) => a.json,
            Command::Secrets(a) => a.json,
            Command::Destinations(DestinationsCommand::List(a)) => a.json,
            Command::Destinations(DestinationsCommand::Test(a)) => a.json,
            Command::Alerts(command) => command.json(),
            Command::Routes(RoutesCommand::List(a)) => a.json,
            Command::Routes(RoutesCommand::Test(a)) => a.json,
            Command::Sources(SourcesCommand::List(a)) => a.json,
            Command::Tokens(TokensCommand::Create(a)) => a.json,
            Command::Tokens(TokensCommand::List(a)) => a.json,
            Command::Tokens(TokensCommand::Revoke(_)) => false,
            Command::Mark(a) => a.json,
            Command::Audit(a) => a.page.json,
            Command::Dashboard(a) => a.json,
            Command::Login(_) | Command::Logout(_) => false,
            Command::Why(a) => a.json,
            Command::Tail(a) => a.json,
            Command::Stats(a) => a.json,
            Command::Listen(a) => a.json,
            Command::Analyze(a) => a.json,
            Command::Backup(a) => a.json,
            Command::Torture(a) => a.json,
            Command::Bench(a) => a.json,
            Command::Doctor(a) => a.json,
            Command::Copy(a) => a.json,
            Command::Nodes(a) => a.json,
            Command::Senders(a) => a.json,
            Command::Keys(KeysCommand::Show(KeysShowArgs { json }) | KeysCommand::Rotate(KeysRotateArgs { json })) => {
                *json
            }
            Command::MasterKey(MasterKeyCommand::Status(a)) => a.json,
            Command::MasterKey(MasterKeyCommand::Rotate(a)) => a.json,
            Command::MasterKey(MasterKeyCommand::Generate(_) | MasterKeyCommand::Abandon(_)) => false,
            Command::Demo(_)
            | Command::Serve(_)
            | Command::Init(_)
            | Command::Openapi(_)
            | Command::Completions(_)
            | Command::Man(_)
            | Command::Reindex(_)
            | Command::Migrate(_) => false,
            Command::Destinations(_) => false,
        }
    }

    /// Shared options that the command has no use for; given all the same, they are refused.
    pub fn unused_options(&self) -> &'static [&'static str] {
        match self {
            Command::Demo(_)
            | Command::Architect(_)
            | Command::Copy(_)
            | Command::Senders(_)
            | Command::Openapi(_)
            | Command::Completions(_)
            | Command::Man(_) => &["--config", "--data", "--url", "--token"],
            Command::Login(_) => &["--config", "--data", "--url"],
            Command::Logout(_) => &["--config", "--data", "--url", "--token"],
            Command::Torture(_) | Command::Bench(_) => &["--config", "--url", "--token"],
            Command::MasterKey(MasterKeyCommand::Generate(_)) => &["--config", "--data", "--url", "--token"],
            Command::MasterKey(_) => &["--url", "--token"],
            Command::Init(_) => &["--data", "--url", "--token"],
            Command::Migrate(_) => &["--data", "--url", "--token"],
            Command::Serve(_) | Command::Check(_) | Command::Doctor(_) | Command::Reindex(_) => &["--url", "--token"],
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
    fn what_runbooks_say_to_type_can_be_typed() {
        for metric in hookhaven_core::alert::Metric::ALL {
            let command = hookhaven_core::alert::runbook(*metric).command.replace("{scope}", "billing");
            if command.starts_with("hookhaven ") {
                assert!(parse(&command).is_ok(), "{command}: {}", parse(&command).unwrap_err());
            }
        }
    }

    #[test]
    fn what_the_architect_s_report_says_to_type_can_be_typed() {
        use clap::error::ErrorKind::*;
        let report = include_str!("../../../../hookhaven-architect/tests/report/worked.md");
        let code = report.split('`').skip(1).step_by(2).flat_map(str::lines);
        let commands: Vec<&str> = code.filter(|line| line.starts_with("hookhaven ")).collect();
        assert!(commands.len() >= 40, "{}", commands.len());
        for command in commands {
            // What stands for a value (ID, NAME) need not be one, and what is named need not be whole.
            let is_typed = parse(command).map_or_else(
                |e| matches!(e.kind(), MissingRequiredArgument | ValueValidation | InvalidValue),
                |_| true,
            );
            assert!(is_typed, "{command}: {}", parse(command).unwrap_err());
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
