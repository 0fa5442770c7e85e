//! `hookhaven audit`: who did what.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    Context, DONE,
    args::AuditArgs,
    client::{Client, Query, with_gateway},
    print::{Screen, clean, column, optional, second, short, whole},
};
use crate::{access::audit::AuditEntry, api::view::Listing};

/// Most of a state that fits a table.
const STATE_CHARS_MAX: usize = 60;

pub async fn run(args: AuditArgs, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(args, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(args: AuditArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let query = Query::default()
        .with("who", args.who)
        .with("action", args.action)
        .with("subject", args.subject)
        .with("since", args.since.map(|since| since.resolve(screen.now)))
        .with("until", args.until.map(|until| until.resolve(screen.now)));
    let limit = usize::try_from(args.page.limit)?;
    let answer = client.list("/audit", &query, limit, args.page.after).await?;
    if screen.json {
        screen.value(&answer)?;
        return Ok(DONE);
    }
    let page: Listing<AuditEntry> = serde_json::from_value(answer)?;
    if page.items.is_empty() {
        screen.remark("Nothing was done that would be written down.");
        return Ok(DONE);
    }
    let columns = [
        whole("WHEN"),
        column("WHO"),
        column("ACTION"),
        column("TO"),
        column("ANSWER"),
        optional("BEFORE"),
        optional("AFTER"),
        optional("FROM"),
    ];
    let rows: Vec<_> = page.items.iter().map(row).collect();
    screen.table(&columns, &rows)?;
    if let Some(next) = page.next {
        screen.remark(format!("There is more: --after {next}"));
    }
    Ok(DONE)
}

fn row(entry: &AuditEntry) -> Vec<String> {
    let text = |text: &Option<String>| text.as_deref().map(|t| clean(t).into_owned()).unwrap_or_default();
    let state = |state: &Option<Value>| {
        let text = state.as_ref().map(Value::to_string).unwrap_or_default();
        clean(&short(&text, STATE_CHARS_MAX)).into_owned()
    };
    vec![
        second(entry.at),
        clean(&entry.who).into_owned(),
        clean(&entry.action).into_owned(),
        text(&entry.subject),
        entry.status.map(|status| status.to_string()).unwrap_or_default(),
        state(&entry.before),
        state(&entry.after),
        text(&entry.address),
    ]
}
