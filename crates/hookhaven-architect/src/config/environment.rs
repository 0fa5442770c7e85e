//! `.env.example`: every variable that the config names, with where its value is found.
//!
//! Never a value, not even one that is made up: somebody would use it.

use super::{alerts, write::wrapped};
use crate::{Plan, design::StorePlace};

pub const VARIABLES_FILE: &str = ".env.example";

const COLUMNS: usize = 98;
const HANDLER_SECRET: &str = "made by\n  echo \"whsec_$(openssl rand -base64 32)\"";

/// A value that the config asks the environment for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// What it is.
    pub what: String,
    /// Where it is found or how it is made; a command on a line of its own.
    pub from: String,
}

/// In the config file's order.
pub fn variables(plan: &Plan) -> Vec<Variable> {
    let variable = |name: &str, what: &str, from: &str| Variable {
        name: name.to_owned(),
        what: what.to_owned(),
        from: from.to_owned(),
    };
    let mut all = Vec::new();
    if plan.design.store.value == StorePlace::Postgres {
        let token = "made, the same for every node, by\n  openssl rand -hex 32";
        all.push(variable("HOOKHAVEN_ADMIN_TOKEN", "opens the admin side", token));
        all.push(variable("HOOKHAVEN_DB_PASSWORD", "of the database's user", "as the database was set up"));
    }
    if plan.intake.requirements.regulated.is_some() {
        let from = "made once, and a copy kept apart from the data, which cannot be read without it, by\n  hookhaven \
        master-key generate";
        all.push(variable("HOOKHAVEN_MASTER_KEY", "what stored secrets are encrypted under", from));
    }
    for source in &plan.design.sources {
        let title = source.sender.map_or(&*source.name, |declared| declared.title);
        let from =
            source.sender.map_or("as the sender gives it, or as you agree on it", |declared| declared.about.secret);
        let what = format!("what {title}'s requests are verified with");
        all.extend(source.secret_variables.iter().map(|name| variable(name, &what, from)));
        let token = source.verify_token_variable.as_deref();
        let what = format!("with which {title} confirms the subscription");
        all.extend(token.map(|name| variable(name, &what, "a text of your own, which you also enter there")));
    }
    for destination in &plan.design.destinations {
        let what = format!("signs what {} gets; its handler has the same", destination.name);
        all.push(variable(&destination.secret_variable, &what, HANDLER_SECRET));
    }
    if alerts::publishes(plan) {
        let from = "made, and given to your programs as QSTASH_TOKEN, by\n  openssl rand -hex 32";
        all.push(variable("HOOKHAVEN_TOKEN", "with which your programs publish", from));
    }
    all.extend(plan.intake.infrastructure.alert_channels.iter().map(|kind| channel(kind)));
    all
}

fn channel(kind: &str) -> Variable {
    let (name, what, from) = match kind {
        "slack" => {
            ("ALERTS_SLACK_URL", "where alerts are posted", "Slack: an app with Incoming Webhooks → Webhook URL")
        }
        "pagerduty" => (
            "ALERTS_PAGERDUTY_KEY",
            "whom alerts wake",
            "PagerDuty: the service → Integrations → Events API v2 → Integration Key",
        ),
        "webhook" => ("ALERTS_WEBHOOK_SECRET", "signs alerts that are posted", HANDLER_SECRET),
        _ => (
            "ALERTS_SMTP_URL",
            "the mail server for alerts, with user and password",
            "your mail service: smtp://USER:PASSWORD@HOST:587",
        ),
    };
    Variable { name: name.to_owned(), what: what.to_owned(), from: from.to_owned() }
}

pub fn text(plan: &Plan) -> String {
    let mut text = comment(
        "Copy this to where the deployment reads it (deploy/README.md), readable by its owner alone, and fill it in. \
         It is no shell script: NAME=value, without quotes. `hookhaven check` says which are missing.",
    );
    for Variable { name, what, from } in variables(plan) {
        text.push('\n');
        text.push_str(&comment(&format!("{}. Where: {from}", capital(&what))));
        text.push_str(&format!("{name}=\n"));
    }
    text
}

/// A line that begins with a blank is a command and stays whole.
fn comment(text: &str) -> String {
    let wrap = |line: &str| match line.starts_with(' ') {
        true => vec![line.to_owned()],
        false => wrapped(line, COLUMNS),
    };
    text.lines().flat_map(wrap).map(|line| format!("# {line}\n")).collect()
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
