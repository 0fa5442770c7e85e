//! `hookhaven nodes`: who shares the store.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    Context, DONE,
    args::NodesArgs,
    client::{Client, Query, with_gateway},
    print::{Screen, clean, column, count, optional, relative},
};
use crate::api::{NodeView, view::Listing};

pub async fn run(args: NodesArgs, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(args, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(_: NodesArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let answer: Value = client.get("/nodes", &Query::default()).await?;
    if screen.json {
        screen.value(&answer)?;
        return Ok(DONE);
    }
    let nodes = serde_json::from_value::<Listing<NodeView>>(answer)?.items;
    if nodes.is_empty() {
        screen.remark("No node has been heard of lately.");
        return Ok(DONE);
    }
    let columns = [
        ["NODE", "ROLE", "STATE", "LEASES", "STARTED"].map(column).as_slice(),
        &["VERSION", "CONFIG", "ADMIN"].map(optional),
    ]
    .concat();
    let rows: Vec<_> = nodes.iter().map(|node| row(node, screen)).collect();
    screen.table(&columns, &rows)?;
    let living = nodes.iter().filter(|node| node.alive);
    let mut configs: Vec<_> = living.map(|node| (&node.version, &node.config)).collect();
    configs.sort_unstable();
    configs.dedup();
    if configs.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        screen.remark(format!("{} are in use: nodes should have the same.", count(configs.len() as u64, "config")));
    }
    Ok(DONE)
}

fn row(node: &NodeView, screen: &Screen) -> Vec<String> {
    let seen = relative(node.seen_at, screen.now);
    vec![
        clean(&node.id).into_owned(),
        clean(&node.role).into_owned(),
        if node.alive { "alive".to_owned() } else { format!("silent, last seen {seen}") },
        node.leases.to_string(),
        relative(node.started_at, screen.now),
        clean(&node.version).into_owned(),
        clean(&node.config).into_owned(),
        clean(&node.address).into_owned(),
    ]
}
