//! What a person types: the command line, read by `args` and handed to one file per command.
//!
//! Commands that look at or change what the gateway holds talk to the running gateway over its admin
//! API, or open its data directory if none runs (`client`); only `serve`, `demo`, `torture`, `bench`,
//! `init`, `architect`, `check`, `senders`, `openapi`, `migrate`, `doctor`, `reindex`, `master-key` and `copy` work on this machine
//! alone. A new command is one new
//! file, one entry in `args::Command` and one line in [`dispatch`].

pub mod alerts;
mod analyze;
pub mod architect;
pub mod args;
pub mod audit;
pub mod backup;
pub mod bench;
pub mod check;
pub mod client;
pub mod completions;
pub mod copy;
pub mod credentials;
pub mod dashboard;
pub mod deliveries;
pub mod destinations;
pub mod dlq;
pub mod doctor;
pub mod events;
mod follow;
pub mod init;
pub mod jobs;
pub mod keys;
pub mod listen;
pub mod login;
pub mod man;
pub mod mark;
pub mod master_key;
pub mod migrate;
pub mod nodes;
pub mod openapi;
pub mod print;
mod probe;
pub mod reindex;
pub mod rejected;
pub mod replay;
pub mod routes;
pub mod secrets;
pub mod senders;
pub mod serve;
pub mod settings;
pub mod sources;
pub mod stats;
pub mod tail;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod torture;
pub mod trigger;
pub mod values;
pub(crate) mod verdict;
pub mod verify;
pub mod why;

use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

use hookhaven_core::Secret;

use crate::{
    config::{self, Environment, Loaded, Origin, Refused},
    demo,
};
use args::{Cli, Command};

/// The command did what it was asked.
pub const DONE: u8 = 0;
/// It could not.
pub const FAILED: u8 = 1;
/// It was asked wrongly, or the configuration is wrong. The same as clap's own.
pub const USAGE: u8 = 2;

/// The command line or the configuration is wrong, not the world: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// What every command gets beside its own arguments.
#[derive(Clone, Debug, Default)]
pub struct Context {
    pub environment: Environment,
    pub config_path: Option<PathBuf>,
    pub data_dir: Option<PathBuf>,
    pub url: Option<String>,
    /// From the command line, else from the environment.
    pub token: Option<Secret>,
    pub json: bool,
    /// Whether a person looks at standard output: colour and progress bars only then.
    pub terminal: bool,
}

impl Context {
    fn of(cli: &Cli, environment: Environment) -> Self {
        let globals = cli.globals.clone();
        let token = globals.token.or_else(|| environment.get("HOOKHAVEN_ADMIN_TOKEN").and_then(Secret::new));
        Context {
            config_path: globals.config,
            data_dir: globals.data,
            url: globals
                .url
                .or_else(|| environment.get("HOOKHAVEN_URL").filter(|url| !url.is_empty()).map(str::to_owned)),
            token,
            json: cli.command.json(),
            terminal: std::io::stdout().is_terminal(),
            environment,
        }
    }

    /// Where the configuration comes from, by `--config` and `--data`.
    pub fn origin(&self) -> Origin {
        Origin::find(self.config_path.clone(), self.data_dir.clone())
    }

    /// The configuration that the command line points at.
    ///
    /// # Errors
    /// Every problem at once. Passed on, it is printed line by line, and the exit code is [`USAGE`].
    pub fn load(&self) -> Result<Loaded, Refused> {
        config::load(self.origin(), &self.environment)
    }
}

/// Runs one command to its end. Errors are printed here, once.
pub async fn run(cli: Cli, environment: Environment) -> ExitCode {
    let context = Context::of(&cli, environment);
    let done = match refuse_unused(&cli) {
        Ok(()) => dispatch(cli.command, &context).await,
        Err(wrong) => Err(wrong.into()),
    };
    done.unwrap_or_else(|error| {
        // Problems of a configuration speak for themselves, one a line.
        match error.downcast_ref::<Refused>() {
            Some(refused) => eprintln!("{refused}"),
            None => eprintln!("error: {error:#}"),
        }
        ExitCode::from(if error.is::<UsageError>() || error.is::<Refused>() { USAGE } else { FAILED })
    })
}

/// An option accepted and ignored would be a lie.
fn refuse_unused(cli: &Cli) -> Result<(), UsageError> {
    let globals = &cli.globals;
    let given = [
        ("--config", globals.config.is_some()),
        ("--data", globals.data.is_some()),
        ("--url", globals.url.is_some()),
        ("--token", globals.token.is_some()),
    ];
    match given.into_iter().find(|(name, given)| *given && cli.command.unused_options().contains(name)) {
        Some((name, _)) => Err(UsageError(format!("this command has no use for {name}"))),
        None => Ok(()),
    }
}

async fn dispatch(command: Command, context: &Context) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::run(args, context).await,
        Command::Serve(args) => serve::run(args, context).await,
        Command::Init(args) => init::run(args, context).await,
        Command::Architect(args) => architect::run(&args, context),
        Command::Check(args) => check::run(args, context).await,
        Command::Trigger(args) => trigger::run(args, context).await,
        Command::Events(command) => events::run(command, context).await,
        Command::Deliveries(command) => deliveries::run(command, context).await,
        Command::Dlq(command) => dlq::run(command, context).await,
        Command::Replay(args) => replay::run(args, context).await,
        Command::Jobs(command) => jobs::run(command, context).await,
        Command::Destinations(command) => destinations::run(command, context).await,
        Command::Alerts(command) => alerts::run(command, context).await,
        Command::Rejected(command) => rejected::run(command, context).await,
        Command::Verify(args) => verify::run(args, context).await,
        Command::Secrets(args) => secrets::run(args, context).await,
        Command::Routes(command) => routes::run(command, context).await,
        Command::Analyze(args) => analyze::run(args, context).await,
        Command::Tail(args) => tail::run(args, context).await,
        Command::Stats(args) => stats::run(args, context).await,
        Command::Listen(args) => listen::run(args, context).await,
        Command::Why(args) => why::run(args, context).await,
        Command::Sources(command) => sources::run(command, context).await,
        Command::Tokens(command) => tokens::run(command, context).await,
        Command::Mark(args) => mark::run(args, context).await,
        Command::Audit(args) => audit::run(args, context).await,
        Command::Dashboard(args) => dashboard::run(args, context).await,
        Command::Login(args) => login::log_in(args, context).await,
        Command::Logout(args) => login::log_out(args, context),
        Command::Keys(command) => keys::run(command, context).await,
        Command::MasterKey(command) => master_key::run(command, context).await,
        Command::Senders(args) => senders::run(args, context),
        Command::Openapi(args) => openapi::run(args, context),
        Command::Completions(args) => completions::run(&args, context),
        Command::Man(args) => man::run(&args),
        Command::Nodes(args) => nodes::run(args, context).await,
        Command::Migrate(args) => migrate::run(args, context).await,
        Command::Backup(args) => backup::run(args, context).await,
        Command::Torture(args) => torture::run(args, context).await,
        Command::Bench(args) => bench::run(args, context).await,
        Command::Doctor(args) => doctor::run(args, context).await,
        Command::Reindex(args) => reindex::run(args, context).await,
        Command::Copy(args) => copy::run(args, context).await,
    }
}
