//! `hookhaven dashboard`: a link that signs a browser in to the running gateway's dashboard.

use std::process::ExitCode;

use anyhow::bail;
use serde_json::json;

use super::{
    Context, DONE,
    args::DashboardArgs,
    client::{Client, with_gateway},
    print::{Screen, clean, second},
};
use crate::api::SignInLink;

pub async fn run(args: DashboardArgs, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(args, client, screen).await).await.map(ExitCode::from)
}

/// The link alone goes to standard output, so that a script can open it.
pub(super) async fn act(_: DashboardArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let Some(base) = client.url() else {
        bail!("no gateway is running, so there is no dashboard; start one with `hookhaven serve`");
    };
    let SignInLink { path, expires_at } = client.post("/sign-in-links", &json!({})).await?;
    let url = format!("{base}{path}");
    if screen.json {
        screen.value(&json!({ "url": url, "expires_at": expires_at }))?;
        return Ok(DONE);
    }
    screen.line(clean(&url))?;
    screen.remark(format!(
        "It signs in once, until {}, and opens what this token opens. Keep it to yourself.",
        second(expires_at)
    ));
    Ok(DONE)
}
