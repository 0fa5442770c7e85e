//! `hookhaven reindex`: makes the index of history again, from the journal alone. For a stopped gateway
//! whose index is damaged or in doubt; the journal is only read.

use std::{process::ExitCode, sync::Arc};

use anyhow::anyhow;
use hookhaven_store::{
    clock::OsEntropy,
    embedded::{self, ReindexRefused, disk::RealDisk},
};

use super::{Context, args::ReindexArgs, doctor, print::count};

pub async fn run(args: ReindexArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let dir = doctor::data_dir(context)?;
    let (of, bar) = (dir.clone(), doctor::progress("reading", context.terminal));
    let make = move || {
        let made = embedded::reindex(Arc::new(RealDisk), &of, Arc::new(OsEntropy), args.force, |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        made
    };
    let made = tokio::task::spawn_blocking(make).await?.map_err(|refused| match &refused {
        ReindexRefused::WouldForget(_) => anyhow!(
            "{refused}; it is left as it is. `hookhaven doctor` shows it; --force makes an index that knows nothing of it"
        ),
        ReindexRefused::Store(_) => refused.into(),
    })?;
    let events = count(made.events, "event");
    println!("{}: a new index with {events}; deliveries: {}", dir.display(), made.deliveries);
    for damage in &made.damages {
        println!("  without what was lost: {damage}");
    }
    Ok(ExitCode::SUCCESS)
}
