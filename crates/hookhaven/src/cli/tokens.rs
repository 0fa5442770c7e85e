//! `hookhaven tokens create|list|revoke`.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    Context, DONE,
    args::{Expiry, TokensCommand, TokensCreateArgs},
    client::{Client, Query, with_gateway},
    print::{Screen, clean, column, optional, relative, second, whole},
};
use crate::{
    access::{Scope, Scopes},
    api::{CreateToken, CreatedToken, TokenView, segment, view::Listing},
};

pub async fn run(command: TokensCommand, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(command, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(command: TokensCommand, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    match command {
        TokensCommand::Create(args) => create(args, client, screen).await,
        TokensCommand::List(_) => list(client, screen).await,
        TokensCommand::Revoke(args) => {
            let revoked: TokenView = client.delete(&format!("/tokens/{}", segment(&args.which))).await?;
            screen.line(format!("{} is revoked: it opens nothing any more.", clean(&revoked.name)))?;
            Ok(DONE)
        }
    }
}

/// The token alone goes to standard output, so that a script can keep it.
async fn create(args: TokensCreateArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let (expires_in_s, never_expires) = match args.expires {
        Expiry::After(after) => (Some(after.as_secs()), false),
        Expiry::Never => (None, true),
    };
    let request = CreateToken { name: args.name, scopes: args.scopes, expires_in_s, never_expires };
    let created: CreatedToken = client.post("/tokens", &request).await?;
    if screen.json {
        screen.value(&serde_json::to_value(&created)?)?;
        return Ok(DONE);
    }
    screen.line(clean(&created.token))?;
    let TokenView { name, scopes, expires_at, .. } = &created.view;
    let scopes: Scopes = scopes.iter().copied().collect();
    let end = expires_at.map_or("it never expires".to_owned(), |end| format!("it expires at {}", second(end)));
    screen.remark(format!("This is {}, with the scope {scopes}; {end}. It is shown this once.", clean(name)));
    if scopes.iter().any(|scope| scope == Scope::Publish) {
        screen.remark("It works on the publishing API (/v2) as well as the tokens under [publish] do.");
    }
    Ok(DONE)
}

async fn list(client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let answer: Value = client.get("/tokens", &Query::default()).await?;
    if screen.json {
        screen.value(&answer)?;
        return Ok(DONE);
    }
    let tokens = serde_json::from_value::<Listing<TokenView>>(answer)?.items;
    if tokens.is_empty() {
        screen.remark("There is none beside the admin token; `hookhaven tokens create` makes one.");
        return Ok(DONE);
    }
    let columns = [
        whole("TOKEN"),
        column("SCOPES"),
        column("STATE"),
        column("EXPIRES"),
        column("LAST USED"),
        optional("CREATED"),
        optional("BY"),
        optional("ID"),
    ];
    let rows: Vec<_> = tokens.iter().map(|token| row(token, screen)).collect();
    screen.table(&columns, &rows)?;
    Ok(DONE)
}

fn row(token: &TokenView, screen: &Screen) -> Vec<String> {
    let scopes: Scopes = token.scopes.iter().copied().collect();
    vec![
        clean(&token.name).into_owned(),
        scopes.to_string(),
        clean(&token.state).into_owned(),
        token.expires_at.map_or("never".to_owned(), |at| relative(at, screen.now)),
        token.last_used_at.map_or("-".to_owned(), |at| relative(at, screen.now)),
        relative(token.created_at, screen.now),
        clean(&token.created_by).into_owned(),
        clean(&token.id).into_owned(),
    ]
}
