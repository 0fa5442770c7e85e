//! `hookhaven keys`: what published messages are signed with, as lines for the receivers' environment.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    Context, DONE,
    args::KeysCommand,
    client::{Client, Query, with_gateway},
    print::{Screen, clean},
};
use crate::api::SigningKeysView;

pub async fn run(command: KeysCommand, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(command, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(command: KeysCommand, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let (answer, rotated): (Value, _) = match command {
        KeysCommand::Show(_) => (client.get("/publish/keys", &Query::default()).await?, false),
        KeysCommand::Rotate(_) => (client.post("/publish/keys/rotate", &Value::Null).await?, true),
    };
    if screen.json {
        screen.value(&answer)?;
        return Ok(DONE);
    }
    let keys: SigningKeysView = serde_json::from_value(answer)?;
    screen.line(lines(&clean(&keys.current), &clean(&keys.next)))?;
    if rotated {
        screen.remark(
            "Give receivers both lines before the next rotation: until then they know the current key as the next.",
        );
    } else if keys.configured {
        screen.remark("The configuration gives them; they are rotated there.");
    }
    Ok(DONE)
}

/// For a .env file.
pub(super) fn lines(current: &str, next: &str) -> String {
    format!("QSTASH_CURRENT_SIGNING_KEY=\"{current}\"\nQSTASH_NEXT_SIGNING_KEY=\"{next}\"")
}
