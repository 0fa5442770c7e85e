//! Commands about bulk work: jobs, and the replay of events.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use hookhaven_core::JobId;

use crate::cli::values::{self, Moment};

#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// List jobs, newest first: those that have not ended, and the last hundred that have
    List(JobsListArgs),
    /// Show one job: what it was asked to do, and how far it is
    Show(JobArgs),
    /// Watch a job until it ends
    Watch(JobArgs),
    /// Hold a job back
    Pause(JobArgs),
    /// Let a paused job go on, or one that was counted begin
    Resume(JobArgs),
    /// End a job; what it did stays done
    Cancel(JobArgs),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven jobs list")]
pub struct JobsListArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven jobs watch job_06dz9k3m8r4v2w1x5y7t0q6n3p\n  \
                        hookhaven jobs cancel job_06dz9k3m8r4v2w1x5y7t0q6n3p")]
pub struct JobArgs {
    #[arg(value_name = "JOB_ID")]
    pub id: JobId,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// How bulk work by filter goes on.
#[derive(Clone, Debug, Default, Args)]
pub struct PaceArgs {
    /// At most so many in so long, such as 50/s; without, as fast as the gateway's other work allows
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    pub rate: Option<String>,
    /// Only say how many there are
    #[arg(long)]
    pub dry_run: bool,
    /// Do not wait for the end: the gateway goes on by itself
    #[arg(long)]
    pub detach: bool,
}

/// What replays have beside their pace.
#[derive(Clone, Debug, Default, Args)]
pub struct ToArgs {
    /// Replay to this destination instead of where they went
    #[arg(long, value_name = "DESTINATION")]
    pub to: Option<String>,
    /// Replay one, and go on only once it is delivered
    #[arg(long)]
    pub one_first: bool,
    /// With --to: give handlers an idempotency key that they do not know yet
    #[arg(long, requires = "to")]
    pub new_key: bool,
}

#[derive(Clone, Debug, Args)]
#[command(
    group(ArgGroup::new("selection").required(true).multiple(true)
        .args(["all", "source", "event_type", "destination", "since", "until", "resume"])),
    after_help = "Examples:\n  hookhaven replay --since 30d --source stripe --type 'invoice.*' --to staging --rate 50/s\n  \
                  hookhaven replay --since 2h --destination billing --one-first\n  \
                  hookhaven replay --since 1d --to staging --check './totals.sh' --yes --json\n\n\
                  It says how many there are and asks; --yes answers. Without --to, what was delivered or died is\n\
                  delivered again to where it went. Exit code 0: everything was delivered and the check passes."
)]
pub struct ReplayArgs {
    /// All events
    #[arg(long, conflicts_with_all = ["source", "event_type", "destination", "since", "until", "resume"])]
    pub all: bool,
    /// Only events of this source
    #[arg(long)]
    pub source: Option<String>,
    /// Only events of such types: `*` stands for anything
    #[arg(long = "type", value_name = "PATTERN")]
    pub event_type: Option<String>,
    /// Only what went to this destination
    #[arg(long, conflicts_with = "to")]
    pub destination: Option<String>,
    /// Received then or later: how long ago (2h, 30d) or a time (2026-11-21T09:30:00Z)
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub since: Option<Moment>,
    /// Received before then
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub until: Option<Moment>,
    #[command(flatten)]
    pub to: ToArgs,
    #[command(flatten)]
    pub pace: PaceArgs,
    /// A command, run by sh before and after: if it fails before, nothing is replayed; after, the replay fails
    #[arg(long, value_name = "COMMAND", conflicts_with = "detach")]
    pub check: Option<String>,
    /// Take up this job again instead of asking for a new one
    #[arg(long, value_name = "JOB_ID",
          conflicts_with_all = ["source", "event_type", "destination", "since", "until", "to", "one_first", "rate", "dry_run"])]
    pub resume: Option<JobId>,
    /// How long to wait for deliveries that are still under way once all were made
    #[arg(long, value_name = "DURATION", value_parser = values::span, default_value = "10m")]
    pub wait: Duration,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
