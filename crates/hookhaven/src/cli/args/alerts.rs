//! Commands about alerts.

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::config::duration;

#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// List what fires, waits and ended lately, and who was told
    List(AlertsListArgs),
    /// List the rules, or show one with its runbook
    Rules(AlertsRulesArgs),
    /// Tell a channel that nothing is wrong, to see that it works
    Test(AlertsTestArgs),
    /// Tell nobody for a while that alerts of a rule fire
    Silence(AlertsSilenceArgs),
    /// List silences
    Silences(AlertsSilencesArgs),
    /// Take a silence away
    Unsilence(AlertsUnsilenceArgs),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven alerts list\n  hookhaven alerts list --all --json")]
pub struct AlertsListArgs {
    /// Those that are over, too
    #[arg(long)]
    pub all: bool,
    /// Only of this rule
    #[arg(long)]
    pub rule: Option<String>,
    /// Only of this source, destination or route
    #[arg(long)]
    pub scope: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven alerts rules\n  hookhaven alerts rules invalid_signatures")]
pub struct AlertsRulesArgs {
    #[arg(value_name = "RULE")]
    pub rule: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven alerts test ops")]
pub struct AlertsTestArgs {
    /// A channel under [alerts.channels]
    #[arg(value_name = "CHANNEL")]
    pub channel: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  hookhaven alerts silence breaker_open --scope billing --for 2h --reason 'planned move'\n  \
                  hookhaven alerts silence '*' --for 30m --reason upgrade"
)]
pub struct AlertsSilenceArgs {
    /// A rule, or a pattern with *
    #[arg(value_name = "RULE")]
    pub rule: String,
    /// Only this source, destination or route, or a pattern with *
    #[arg(long)]
    pub scope: Option<String>,
    /// For how long: 30m, 2h, 7d
    #[arg(long = "for", value_name = "DURATION", value_parser = lasting)]
    pub lasting: Duration,
    /// Why, for those who wonder
    #[arg(long, default_value = "")]
    pub reason: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven alerts silences")]
pub struct AlertsSilencesArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven alerts unsilence 3f9a2c41d07b")]
pub struct AlertsUnsilenceArgs {
    #[arg(value_name = "SILENCE_ID")]
    pub id: String,
}

impl AlertsCommand {
    pub fn json(&self) -> bool {
        match self {
            AlertsCommand::List(a) => a.json,
            AlertsCommand::Rules(a) => a.json,
            AlertsCommand::Test(a) => a.json,
            AlertsCommand::Silence(a) => a.json,
            AlertsCommand::Silences(a) => a.json,
            AlertsCommand::Unsilence(_) => false,
        }
    }
}

fn lasting(text: &str) -> Result<Duration, String> {
    let lasting = duration::parse(text).filter(|lasting| !lasting.is_zero());
    lasting.ok_or_else(|| format!("write {}", duration::EXAMPLES))
}
