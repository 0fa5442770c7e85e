//! Commands about requests that were refused, and about secrets.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use hookhaven_core::{RejectedId, Time, sender::Rejection};

use super::PageArgs;
use crate::cli::values::{self, Moment};

#[derive(Debug, Subcommand)]
pub enum RejectedCommand {
    /// List rejected requests that are kept, newest first
    List(RejectedListArgs),
    /// Show one: why it was refused, and how to mend it
    Show(RejectedShowArgs),
    /// Accept those whose signature now holds, judged at the time of their arrival
    Release(RejectedReleaseArgs),
}

/// All given must hold.
#[derive(Clone, Debug, Default, Args)]
pub struct RejectedFilterArgs {
    /// Only requests to this source
    #[arg(long)]
    pub source: Option<String>,
    /// Only those refused for this reason, as the log names it: signature_mismatch, timestamp_stale ...
    #[arg(long, value_parser = rejection)]
    pub reason: Option<Rejection>,
    /// Received then or later: how long ago (2h, 7d) or a time (2026-11-21T09:30:00Z)
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub since: Option<Moment>,
    /// Received before then
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub until: Option<Moment>,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven rejected list --source stripe --since 2h\n  \
                        hookhaven rejected list --reason timestamp_stale --json")]
pub struct RejectedListArgs {
    #[command(flatten)]
    pub filter: RejectedFilterArgs,
    #[command(flatten)]
    pub page: PageArgs,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven rejected show rej_06dz9k3m8r4v2w1x5y7t0q6n3p")]
pub struct RejectedShowArgs {
    #[arg(value_name = "REJECTED_ID")]
    pub id: RejectedId,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(
    group(ArgGroup::new("selection").required(true).multiple(true)
        .args(["all", "ids", "source", "reason", "since", "until"])),
    after_help = "Examples:\n  hookhaven rejected release rej_06dz9k3m8r4v2w1x5y7t0q6n3p\n  \
                  hookhaven rejected release --source stripe --since 2h\n  \
                  hookhaven rejected release --all --dry-run\n\n\
                  By filter it says how many there are and how many would be accepted, and asks; --yes answers."
)]
pub struct RejectedReleaseArgs {
    #[arg(value_name = "REJECTED_ID", conflicts_with_all = ["source", "reason", "since", "until"])]
    pub ids: Vec<RejectedId>,
    /// Every one that was not released yet
    #[arg(long, conflicts_with_all = ["ids", "source", "reason", "since", "until"])]
    pub all: bool,
    #[command(flatten)]
    pub filter: RejectedFilterArgs,
    /// Only say which would be accepted
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven verify rej_06dz9k3m8r4v2w1x5y7t0q6n3p\n  \
                        hookhaven verify stripe --request saved.http\n  \
                        curl -s http://old-receiver/last | hookhaven verify stripe --request - --at 2026-11-21T09:30:00Z\n\n\
                        A saved request is raw HTTP text, from its first line to its body, or JSON:\n  \
                        {\"method\": \"POST\", \"target\": \"/webhooks/stripe\", \"headers\": [{\"name\": …, \"value\": …}], \
                        \"body\": …}")]
pub struct VerifyArgs {
    /// A source of the config file, or the id of a rejected request
    #[arg(value_name = "SOURCE|REJECTED_ID")]
    pub what: String,
    /// The request, as a file ("-" is standard input)
    #[arg(long, value_name = "FILE")]
    pub request: Option<PathBuf>,
    /// When it arrived [default: what the JSON says, else now]
    #[arg(long, value_name = "TIME", value_parser = time, requires = "request")]
    pub at: Option<Time>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven secrets\n  hookhaven secrets --json")]
pub struct SecretsArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

fn rejection(text: &str) -> Result<Rejection, String> {
    let names = || Rejection::ALL.map(Rejection::as_str).join(", ");
    Rejection::parse(text).ok_or_else(|| format!("known reasons are {}", names()))
}

fn time(text: &str) -> Result<Time, String> {
    Time::parse_rfc3339(text).ok_or_else(|| "write a time such as 2026-11-21T09:30:00Z".to_owned())
}
