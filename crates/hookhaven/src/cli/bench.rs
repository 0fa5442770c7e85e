//! `hookhaven bench`: the arguments, the directory and what is printed. What is measured stands in
//! [`crate::bench`].

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, Result};
use hookhaven_store::clock::OsEntropy;

use super::{Context, FAILED, args::BenchArgs};
use crate::{
    bench::Bench,
    stage::{Directory, Stop},
};

pub async fn run(args: BenchArgs, context: &Context) -> Result<ExitCode> {
    let parent = Directory::parent(context.data_dir.as_deref())?;
    let binary = std::env::current_exe().context("where this program's own file is cannot be told")?;
    let mut stop = Stop::listen().context("signals cannot be taken on this system")?;
    let directory = Directory::under(&parent, "bench", &OsEntropy)?;
    let bench = Bench { binary, time: Duration::from_secs(args.seconds.into()) };
    let say = |text: &str| if context.json { eprintln!("{text}") } else { println!("{text}") };
    let figures = tokio::select! {
        figures = bench.run(directory.path(), &OsEntropy, &say) => Some(figures),
        () = stop.asked() => None,
    };
    directory.remove().await;
    let Some(figures) = figures else {
        eprintln!("interrupted");
        return Ok(ExitCode::from(FAILED));
    };
    let figures = figures?;
    if context.json {
        println!("{}", serde_json::to_string_pretty(&figures)?);
    } else {
        println!("{}", figures.table());
    }
    Ok(ExitCode::SUCCESS)
}
