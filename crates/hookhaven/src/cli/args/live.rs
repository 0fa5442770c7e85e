//! Commands that follow what happens: `tail` and `listen`.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::Args;
use hookhaven_core::Secret;

use crate::cli::values::{self, Moment};

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  hookhaven tail\n  hookhaven tail --source stripe --type 'invoice.*' --since 1h\n  \
                        hookhaven tail --failed --destination billing --json\n\n\
                        Goes on over restarts of the gateway; Ctrl-C ends it."
)]
pub struct TailArgs {
    /// Only events of this source, and what becomes of them
    #[arg(long)]
    pub source: Option<String>,
    /// Only events of these types: a pattern such as 'invoice.*'
    #[arg(long = "type", value_name = "PATTERN", value_parser = values::pattern)]
    pub event_type: Option<String>,
    /// Only attempts and dead letters of this destination
    #[arg(long, value_name = "NAME")]
    pub destination: Option<String>,
    /// Only attempts that failed, and dead letters
    #[arg(long)]
    pub failed: bool,
    /// Begin with what happened since then: how long ago (2h, 7d) or a time (2026-11-21T09:30:00Z) [default: now]
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub since: Option<Moment>,
    /// Print JSON, a line each
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven listen --forward-to http://127.0.0.1:3000/hooks\n  \
                  hookhaven listen --forward-to http://127.0.0.1:3000/hooks --source stripe --type 'invoice.*' \\\n      \
                  --url https://admin.example.com --since 1h --state listen.json\n\n\
                  The gateway makes no deliveries for it and does not hear what the local server answers. While that \
                  server is down events wait; Ctrl-C ends it.")]
pub struct ListenArgs {
    /// Where each event is posted to, as a destination would get it
    #[arg(long, value_name = "URL", value_parser = values::http_url)]
    pub forward_to: url::Url,
    /// Only events of this source
    #[arg(long)]
    pub source: Option<String>,
    /// Only events of these types: a pattern such as 'invoice.*'
    #[arg(long = "type", value_name = "PATTERN", value_parser = values::pattern)]
    pub event_type: Option<String>,
    /// Begin with what came since then: how long ago (2h, 7d) or a time (2026-11-21T09:30:00Z); a --state that came
    /// somewhere goes on from there all the same [default: now]
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub since: Option<Moment>,
    /// What requests are signed with, as a destination's secret signs them [default: one is made and printed]
    #[arg(long, value_name = "SECRET", value_parser = values::secret)]
    pub secret: Option<Secret>,
    /// Keep in this file how far it came, and go on from there
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Requests under way at once; with more than 1 the order is lost
    #[arg(long, value_name = "N", default_value = "1", value_parser = values::in_flight)]
    pub in_flight: NonZeroUsize,
    /// How long the local server may take to answer
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = values::time_span)]
    pub timeout: Duration,
    /// Print JSON, a line each
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven stats\n  hookhaven stats --since 7d --source stripe --json\n\n\
                        Single minutes are known for two days, hours for 35; the minute under way is not in it.")]
pub struct StatsArgs {
    /// From when on: how long ago (2h, 7d) or a time (2026-11-21T09:30:00Z)
    #[arg(long, value_name = "WHEN", value_parser = values::moment, default_value = "24h")]
    pub since: Moment,
    /// Only this source
    #[arg(long)]
    pub source: Option<String>,
    /// Only this destination; says nothing of what came in
    #[arg(long, value_name = "NAME")]
    pub destination: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
