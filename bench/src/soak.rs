//! Soaks: one part of the gateway for long enough that whatever grows is seen to.
//!
//! A soak is one function and one line in [`run`]. Figures go to `target/soak/`; a bound that is not kept
//! fails the run.

mod retention;

use std::{fs, path::PathBuf};

use anyhow::{Result, bail};

use crate::scenarios::Figures;

const RESULTS: &str = "target/soak";

/// Runs the named soak.
pub async fn run(name: &str, events: u64) -> Result<()> {
    let results = PathBuf::from(RESULTS);
    fs::create_dir_all(&results)?;
    let figures: Figures = match name {
        "retention" => retention::run(&results, events).await?,
        other => bail!("there is no soak {other:?}; there is retention"),
    };
    println!("\n{name}\n{figures}");
    fs::write(results.join(name).with_extension("json"), serde_json::to_vec_pretty(&figures)?)?;
    if figures.all_kept() { Ok(()) } else { bail!("a bound was not kept") }
}
