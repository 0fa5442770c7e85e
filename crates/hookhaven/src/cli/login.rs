//! `hookhaven login` and `logout`: keeping a token for a gateway elsewhere, after having tried it.

use std::{
    io::{IsTerminal, Read},
    net::IpAddr,
    process::ExitCode,
};

use anyhow::{Context as _, anyhow};
use hookhaven_core::Secret;
use hookhaven_store::clock::{Clock, SystemClock};

use super::{
    Context, UsageError,
    args::{LoginArgs, LogoutArgs},
    client::{Client, Query},
    credentials::Credentials,
    print::{Screen, clean, second},
    settings::checked,
};
use crate::{access::Scopes, api::MeView};

/// No token is longer.
const TOKEN_BYTES_MAX: u64 = 4_096;

pub async fn log_in(args: LoginArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let url = checked(&args.gateway)?;
    let mut screen = Screen::of(context, SystemClock::start().now());
    let mut credentials = Credentials::read(&context.environment)?;
    if crosses_networks_in_clear(&url) {
        screen.remark("Take care: over http the token goes through the network in clear text. Use https.");
    }
    let token = match context.token.clone() {
        Some(token) => token,
        None => asked(&url)?,
    };
    let client = Client::remote(&url, Some(token.clone()))?;
    let me: MeView = client.get("/me", &Query::default()).await?;
    let path = credentials.keep(&url, &token)?.display().to_string();
    let scopes: Scopes = me.scopes.into_iter().collect();
    let end = me.expires_at.map_or("never expires".to_owned(), |end| format!("expires at {}", second(end)));
    screen.line(format!("Logged in to {url} as {}: scope {scopes}, {end}.", clean(&me.name)))?;
    screen.remark(format!("The token is in {path}. Commands use it with --url {url}, or HOOKHAVEN_URL={url}."));
    Ok(ExitCode::SUCCESS)
}

pub fn log_out(args: LogoutArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let mut credentials = Credentials::read(&context.environment)?;
    let url = match args.gateway {
        Some(url) => checked(&url)?,
        None => only(&credentials)?,
    };
    let mut screen = Screen::of(context, SystemClock::start().now());
    if !credentials.forget(&url)? {
        return Err(anyhow!("there is no token for {url}{}", others(&credentials)));
    }
    screen.line(format!("Logged out of {url}."))?;
    screen.remark("The token itself is as good as before; `hookhaven tokens revoke` ends it.");
    Ok(ExitCode::SUCCESS)
}

fn only(credentials: &Credentials) -> anyhow::Result<String> {
    let mut urls = credentials.urls();
    match (urls.next(), urls.next()) {
        (Some(url), None) => Ok(url.to_owned()),
        (None, _) => Err(anyhow!("there is nothing to log out of")),
        (Some(_), Some(_)) => Err(UsageError(format!("say which{}", others(credentials))).into()),
    }
}

fn others(credentials: &Credentials) -> String {
    let urls: Vec<_> = credentials.urls().collect();
    if urls.is_empty() { String::new() } else { format!("; there is one for {}", urls.join(", ")) }
}

/// Without showing what is typed; from a pipe, what comes.
fn asked(url: &str) -> anyhow::Result<Secret> {
    let mut text = String::new();
    if std::io::stdin().is_terminal() {
        eprint!("Token for {url}: ");
        text = console::Term::stderr().read_secure_line().context("reading the token")?;
    } else {
        std::io::stdin().lock().take(TOKEN_BYTES_MAX).read_to_string(&mut text).context("reading the token")?;
    }
    Secret::new(text.trim()).ok_or_else(|| UsageError("no token was given".to_owned()).into())
}

fn crosses_networks_in_clear(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    url.scheme() == "http" && !here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_to_elsewhere_is_warned_of() {
        for (url, warned) in [
            ("http://127.0.0.1:8081", false),
            ("http://[::1]:8081", false),
            ("http://localhost:8081", false),
            ("https://a.example", false),
            ("http://a.example", true),
            ("http://10.0.0.1:8081", true),
        ] {
            assert_eq!(crosses_networks_in_clear(url), warned, "{url}");
        }
    }
}
