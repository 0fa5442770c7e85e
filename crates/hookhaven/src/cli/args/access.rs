//! Commands about who may do what: tokens, the audit log, logging in to a gateway elsewhere.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::PageArgs;
use crate::{
    access::Scope,
    cli::values::{self, Moment},
    config::duration,
};

#[derive(Debug, Subcommand)]
pub enum TokensCommand {
    /// Make a token and print it, once
    Create(TokensCreateArgs),
    /// List tokens: what they open, when they end, when they were last used
    List(TokensListArgs),
    /// End a token, on all nodes
    Revoke(TokensRevokeArgs),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven tokens create grafana --scope read --expires never\n  \
                        hookhaven tokens create anna --scope operate\n  \
                        hookhaven tokens create shop --scope publish --expires 365d > shop.token\n\n\
                        Scopes: read looks at everything but secrets; operate also acts (replay, pause ...); publish \
                        is for\nthe publishing API alone; admin may do everything.")]
pub struct TokensCreateArgs {
    /// What it is known by, in lists and in the audit log
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What it opens: read, operate, publish or admin; may be given several times
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    pub scopes: Vec<Scope>,
    /// How long it lasts (90d), or never
    #[arg(long, value_name = "HOW LONG", default_value = "90d", value_parser = expiry)]
    pub expires: Expiry,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// How long something lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    After(Duration),
    Never,
}

fn expiry(text: &str) -> Result<Expiry, String> {
    if text == "never" {
        return Ok(Expiry::Never);
    }
    let after = duration::parse(text).filter(|after| after.as_secs() > 0);
    after.map(Expiry::After).ok_or_else(|| "write how long, e.g. \"30d\" or \"12h\", or \"never\"".to_owned())
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven tokens list --json")]
pub struct TokensListArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven tokens revoke grafana")]
pub struct TokensRevokeArgs {
    /// Its name, or its id
    #[arg(value_name = "TOKEN")]
    pub which: String,
}

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  hookhaven audit --since 24h\n  hookhaven audit --who anna --action destinations\n  \
                        hookhaven audit --subject billing --json"
)]
pub struct AuditArgs {
    /// Only what was done with the token of this name; or by "admin token", "command line", config or system
    #[arg(long, value_name = "NAME")]
    pub who: Option<String>,
    /// Only this action, such as destinations.pause, or all that begin so, such as destinations
    #[arg(long)]
    pub action: Option<String>,
    /// Only what was done to this
    #[arg(long, value_name = "NAME")]
    pub subject: Option<String>,
    /// Done then or later: how long ago (2h, 7d) or a time (2026-11-21T09:30:00Z)
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub since: Option<Moment>,
    /// Done before then
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub until: Option<Moment>,
    #[command(flatten)]
    pub page: PageArgs,
}

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  hookhaven dashboard\n  hookhaven dashboard --url https://hooks-admin.example.com\n  \
                        xdg-open \"$(hookhaven dashboard)\"\n\n\
                        The link is good once, for ten minutes. The session that it begins opens what the token opens,\n\
                        and ends with it, or after 12 hours."
)]
pub struct DashboardArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven login https://hooks-admin.example.com\n  \
                        hookhaven login https://hooks-admin.example.com < anna.token\n\n\
                        The token is asked for, or read from standard input. It is kept, owner-only, in\n\
                        hookhaven/credentials.json of your configuration directory ($XDG_CONFIG_HOME, else ~/.config);\n\
                        from then on every command with this --url (or HOOKHAVEN_URL) uses it.")]
pub struct LoginArgs {
    /// The gateway's admin address
    #[arg(value_name = "URL")]
    pub gateway: String,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven logout https://hooks-admin.example.com\n  hookhaven logout\n\n\
                        The token itself stays good: `hookhaven tokens revoke` ends it.")]
pub struct LogoutArgs {
    /// The gateway's admin address; not needed if there is only one
    #[arg(value_name = "URL")]
    pub gateway: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum SourcesCommand {
    /// List sources: state, sender, path, what waits
    List(SourcesListArgs),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven sources list --json")]
pub struct SourcesListArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
