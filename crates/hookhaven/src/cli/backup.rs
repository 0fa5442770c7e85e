//! `hookhaven backup`: asks for a copy of the store and watches it being written.

use std::{path::Path, process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use serde_json::json;

use super::{
    Context, DONE,
    args::BackupArgs,
    client::{Client, Query, Refusal, with_gateway},
    print::{Screen, clean},
};
use crate::api::{BackupRequest, BackupState, BackupView};

/// Between two looks at how far it has come.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub async fn run(args: BackupArgs, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(args, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(args: BackupArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let dir = absolute(&args.dir)?;
    let mut view: BackupView = client.post("/backup", &BackupRequest { dir: dir.clone() }).await?;
    let mut told = 0;
    while view.state == BackupState::Running {
        let tenths = (view.bytes_done * 10).checked_div(view.bytes_total).unwrap_or(0);
        if tenths > told && view.bytes_done < view.bytes_total {
            told = tenths;
            screen.remark(format!("{} of {}", amount(view.bytes_done), amount(view.bytes_total)));
        }
        tokio::time::sleep(LOOK_EVERY).await;
        view = client.get("/backup", &Query::default()).await?;
    }
    if view.dir != dir {
        bail!("another backup was begun meanwhile, to {}", clean(&view.dir));
    }
    if let Some(problem) = view.problem {
        return Err(Refusal(problem).into());
    }
    if screen.json {
        screen.value(&json!({ "dir": view.dir, "bytes": view.bytes_done }))?;
    } else {
        screen.line(format!("{} written to {}.", amount(view.bytes_done), clean(&view.dir)))?;
    }
    Ok(DONE)
}

fn amount(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// As the gateway, which may have another working directory, is to understand it.
fn absolute(dir: &Path) -> anyhow::Result<String> {
    let path = std::path::absolute(dir).with_context(|| format!("{} is no path", dir.display()))?;
    let text = path.into_os_string().into_string();
    text.map_err(|path| anyhow::anyhow!("{} is not UTF-8", path.display()))
}
