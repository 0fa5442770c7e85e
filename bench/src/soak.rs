//! Soaks: one part of the gateway for long enough that whatever grows is seen to.
//!
//! A soak is one function and one line in [`run`]. Figures go to `target/soak/`; a bound that is not kept
//! fails the run.

mod live_view;
mod retention;

use std::{fs, path::PathBuf};

use anyhow::{Result, bail};

use crate::scenarios::Figures;

const RESULTS: &str = "target/soak";

/// What soaks are run with; each takes what it needs.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Of retention: events in all
    #[arg(long, default_value_t = 2_000_000)]
    pub events: u64,
    /// Of live-view: for how long
    #[arg(long, default_value_t = 10)]
    pub minutes: u64,
    /// Of live-view: the gateway's binary
    #[arg(long)]
    pub gateway: Option<PathBuf>,
}

/// Runs the named soak.
pub async fn run(name: &str, options: &Options) -> Result<()> {
    let results = PathBuf::from(RESULTS);
    fs::create_dir_all(&results)?;
    let figures: Figures = match name {
        "retention" => retention::run(&results, options.events).await?,
        "live-view" => live_view::run(&fs::canonicalize(&results)?, options).await?,
        other => bail!("there is no soak {other:?}; there are retention and live-view"),
    };
    println!("\n{name}\n{figures}");
    fs::write(results.join(name).with_extension("json"), serde_json::to_vec_pretty(&figures)?)?;
    if figures.all_kept() { Ok(()) } else { bail!("a bound was not kept") }
}
