//! `hookhaven mark TEXT`: marks a moment on the charts, such as a deploy.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    Context, DONE,
    args::MarkArgs,
    client::{Client, with_gateway},
    print::{Screen, clean, second},
};
use crate::{api::TellMark, marks::Mark};

pub async fn run(args: MarkArgs, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(args, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(args: MarkArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let at = args.at.map(|at| at.resolve(screen.now));
    let answer: Value = client.post("/marks", &TellMark { text: args.text, at }).await?;
    if screen.json {
        screen.value(&answer)?;
        return Ok(DONE);
    }
    let mark: Mark = serde_json::from_value(answer)?;
    screen.line(format!("{} is marked at {}.", clean(&mark.text), second(mark.at)))?;
    Ok(DONE)
}
