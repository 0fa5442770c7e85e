//! From a team's answers to a set-up.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven architect --out hooks                     asks what it has to know\n  \
                  hookhaven architect --example > intake.toml         an intake to fill in\n  \
                  hookhaven architect intake.toml --out hooks\n  \
                  hookhaven architect intake.toml --explain           says why, and writes nothing\n  \
                  hookhaven architect intake.toml --out hooks --only report --force\n\n\
                  At a terminal it asks for what the file does not say. Elsewhere that is an error which lists all of\n\
                  it, and exits with 2; with --defaults the usual answers are taken, and named. Nothing that is there\n\
                  and differs is replaced without --force, and all files are written or none.\n\
                  docs/architect.md has every key.")]
pub struct ArchitectArgs {
    /// The answers, as TOML ("-" is standard input) [default: intake.toml in --out's directory, if it is there]
    #[arg(value_name = "INTAKE")]
    pub intake: Option<PathBuf>,
    /// The directory that the set-up is written to
    #[arg(long, value_name = "DIR", required_unless_present_any = ["explain", "json", "example"])]
    pub out: Option<PathBuf>,
    /// Replace files that are there and differ
    #[arg(long, requires = "out")]
    pub force: bool,
    /// Say which rules fired and why everything is as it is, each with the answers behind it
    #[arg(long)]
    pub explain: bool,
    /// Take the usual answer where there is none, and say which
    #[arg(long)]
    pub defaults: bool,
    /// Print everything that was decided as JSON
    #[arg(long)]
    pub json: bool,
    /// Write only these parts, separated by commas
    #[arg(long, value_name = "PARTS", value_delimiter = ',', requires = "out")]
    pub only: Vec<Part>,
    /// Print an intake with every key explained, and do nothing else
    #[arg(long, conflicts_with_all = ["intake", "out", "explain", "defaults", "json"])]
    pub example: bool,
}

/// A part of a set-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// hookhaven.toml and .env.example
    Config,
    /// report.md and report.html
    Report,
    /// What it is deployed with
    Deploy,
    /// Handlers to start from
    Skeletons,
}
