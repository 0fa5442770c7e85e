//! `hookhaven secrets`: which secrets are in use, which can go, which are too old.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    Context, DONE,
    args::SecretsArgs,
    client::{Client, Query, with_gateway},
    print::{Screen, clean, column, relative},
};
use crate::api::{SecretView, view::Listing};

pub async fn run(args: SecretsArgs, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(args, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(_: SecretsArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let answer: Value = client.get("/secrets", &Query::default()).await?;
    if screen.json {
        screen.value(&answer)?;
        return Ok(DONE);
    }
    let all = serde_json::from_value::<Listing<SecretView>>(answer)?.items;
    if all.is_empty() {
        screen.remark("No source and no destination has a secret.");
        return Ok(DONE);
    }
    let columns = ["OF", "SECRET", "FINGERPRINT", "FIRST SEEN", "LAST MATCHED", "VERDICT"].map(column);
    let rows: Vec<_> = all.iter().map(|it| row(it, screen)).collect();
    screen.table(&columns, &rows)?;
    Ok(DONE)
}

fn row(it: &SecretView, screen: &Screen) -> Vec<String> {
    let at = |at: Option<hookhaven_core::Time>| at.map_or("-".to_owned(), |at| relative(at, screen.now));
    vec![
        format!("{} {}", clean(&it.of), clean(&it.name)),
        it.position.to_string(),
        clean(it.fingerprint.as_deref().unwrap_or("-")).into_owned(),
        at(it.first_seen),
        at(it.last_matched),
        clean(&it.verdict).into_owned(),
    ]
}
