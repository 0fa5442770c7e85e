//! `hookhaven sources list`.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    Context, DONE,
    args::SourcesCommand,
    client::{Client, Query, with_gateway},
    print::{Screen, clean, column, optional, whole},
};
use crate::api::{SourceView, view::Listing};

pub async fn run(command: SourcesCommand, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(command, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(command: SourcesCommand, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let SourcesCommand::List(_) = command;
    let answer: Value = client.get("/sources", &Query::default()).await?;
    if screen.json {
        screen.value(&answer)?;
        return Ok(DONE);
    }
    let sources = serde_json::from_value::<Listing<SourceView>>(answer)?.items;
    if sources.is_empty() {
        screen.remark("The config file names no sources.");
        return Ok(DONE);
    }
    let columns = [
        whole("SOURCE"),
        column("STATE"),
        column("SENDER"),
        whole("PATH"),
        column("WAITING"),
        column("DEAD"),
        optional("ROUTES"),
    ];
    let rows: Vec<_> = sources.iter().map(row).collect();
    screen.table(&columns, &rows)?;
    Ok(DONE)
}

fn row(source: &SourceView) -> Vec<String> {
    let texts = [&source.name, &source.state, &source.sender, &source.path].map(|text| clean(text).into_owned());
    let mut cells = texts.to_vec();
    cells.extend([source.depth.to_string(), source.dead_letters.to_string()]);
    cells.push(clean(&source.routes.join(", ")).into_owned());
    cells
}
