//! `hookhaven mark`.

use clap::Args;

use crate::cli::values::{self, Moment};

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  hookhaven mark \"billing v42\"\n  hookhaven mark \"billing v42 rolled back\" --at 10m\n\n\
                        Made for the end of a deploy script: charts show the moment, so that failures can be seen to begin \
                        there.\nThe token needs the scope operate."
)]
pub struct MarkArgs {
    /// What it was, in a line
    #[arg(value_name = "TEXT")]
    pub text: String,
    /// When it was: how long ago, or a time [default: now]
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub at: Option<Moment>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
