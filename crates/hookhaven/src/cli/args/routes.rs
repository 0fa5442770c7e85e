//! Commands about routes.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use http::{HeaderName, HeaderValue};

use crate::cli::values;

#[derive(Debug, Subcommand)]
pub enum RoutesCommand {
    /// List routes, in the order that decides between them
    List(RoutesListArgs),
    /// Say which routes take an event and why; exit code 1 if it would go nowhere
    Test(RoutesTestArgs),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven routes list --json")]
pub struct RoutesListArgs {
    /// Only routes of this source
    #[arg(long)]
    pub source: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven routes test evt_06dz9k3m8r4v2w1x5y7t0q6n3p\n  \
                  hookhaven routes test invoice.json --source stripe\n  \
                  hookhaven routes test push.json --source github --header 'X-GitHub-Event: push'\n\n\
                  An event is judged by the gateway's config in force, a file by the config file, which need not be \
                  in force yet.")]
pub struct RoutesTestArgs {
    /// An event's id, or the one its sender knows it by; or a file with a body, - for standard input
    #[arg(value_name = "EVENT_ID|FILE")]
    pub what: PathBuf,
    /// Of a file: the source it would come in by [default: the only one there is]
    #[arg(long)]
    pub source: Option<String>,
    /// Of a file: the event's type [default: what the sender's rules make of body and headers]
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Option<String>,
    /// Of a file: a header that would come with it; may be given several times
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = values::header)]
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
