//! `[alerts]`: rules, channels, and how often anything is told.

use std::{sync::Arc, time::Duration};

use hookhaven_core::{
    Secret,
    alert::{Condition, Metric, Per, Rule, Severity, WINDOW_MAX},
};
use lettre::message::Mailbox;
use url::Url;

use super::{
    document::{Item, Table},
    name::Named,
    server::{section, set, usize_of},
    values::quote,
};
use crate::config::{
    alerts::{Alerts, Channel, ChannelKind, Email},
    secret::Resolver,
    suggest,
};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Rules and channels, each.
const ENTRIES_MAX: usize = 200;
/// Addresses that one mail goes to.
const RECIPIENTS_MAX: usize = 50;
const THRESHOLD_MAX: f64 = 1e15;

/// Where PagerDuty takes events, in its US service region; `https://events.eu.pagerduty.com/v2/enqueue` in the EU.
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

pub fn alerts(root: &mut Table<'_>, secrets: &Resolver<'_>) -> Alerts {
    let mut alerts = Alerts::default();
    let Some(mut table) = section(root, "alerts") else { return alerts };
    set(&mut alerts.enabled, table.take("enabled").and_then(|item| item.boolean()));
    set(&mut alerts.every, table.take("every").and_then(|item| item.duration(SECOND..=60 * SECOND)));
    set(&mut alerts.repeat, table.take("repeat").and_then(|item| item.duration(60 * SECOND..=30 * DAY)));
    set(&mut alerts.per_minute_max, usize_of(&mut table, "per_minute_max", 1..=1_000));
    let channels = Named::read(&mut table, "channels", "", |name, table| channel(name, table, secrets));
    rules(&mut table, &mut alerts.rules, &channels);
    too_many(&table, "channels", channels.names().count());
    too_many(&table, "rules", alerts.rules.len());
    table.finish();
    alerts.channels = channels.into_values();
    alerts
}

fn too_many(table: &Table<'_>, what: &str, count: usize) {
    if count > ENTRIES_MAX {
        table.error(format!("{count} {what}"), format!("at most {ENTRIES_MAX} are taken"));
    }
}

fn rules(table: &mut Table<'_>, rules: &mut Vec<Rule>, channels: &Named<Channel>) {
    let defaults: Vec<Arc<str>> = rules.iter().map(|rule| rule.name.clone()).collect();
    let named = Named::read(table, "rules", "", |name, table| {
        let known = rules.iter().find(|rule| rule.name == *name);
        rule(name, table, known, &defaults, channels)
    });
    for (name, read) in named.into_values() {
        let read = Arc::unwrap_or_clone(read);
        match rules.iter_mut().find(|rule| rule.name == name) {
            Some(rule) => *rule = read,
            None => rules.push(read),
        }
    }
}

fn rule(
    name: &str,
    mut table: Table<'_>,
    known: Option<&Rule>,
    defaults: &[Arc<str>],
    channels: &Named<Channel>,
) -> Option<Rule> {
    let metrics: Vec<_> = Metric::ALL.iter().map(|metric| (metric.as_str(), *metric)).collect();
    let metric = match known {
        Some(_) => table.take("metric"),
        None => {
            let similar = suggest::nearest(name, defaults.iter().map(|name| &**name));
            let similar =
                similar.map(|name| format!(" (or did you mean the rule \"{name}\", which is there already?)"));
            let mend = format!("say what the rule looks at, such as \"queue_depth\"{}", similar.unwrap_or_default());
            table.require("metric", mend)
        }
    };
    let metric = metric.and_then(|item| item.one_of(&metrics));
    let mut rule = match (known, metric) {
        (Some(known), None) => known.clone(),
        (Some(known), Some(metric)) if known.metric == metric => known.clone(),
        (_, Some(metric)) => Rule::new(name, metric),
        (None, None) => Rule { enabled: false, ..Rule::new(name, Metric::QueueDepth) },
    };
    let conditions = Condition::ALL.map(|condition| (condition.sign(), condition));
    let severities = Severity::ALL.map(|severity| (severity.as_str(), severity));
    set(&mut rule.condition, table.take("condition").and_then(|item| item.one_of(&conditions)));
    set(&mut rule.threshold, table.take("threshold").and_then(|item| item.number(0.0..=THRESHOLD_MAX)));
    set(&mut rule.window, table.take("window").and_then(|item| window(&item, rule.metric)));
    set(&mut rule.hold, table.take("for").and_then(|item| item.duration(Duration::ZERO..=30 * DAY)));
    set(&mut rule.clear, table.take("clear").and_then(|item| item.duration(Duration::ZERO..=DAY)));
    set(&mut rule.severity, table.take("severity").and_then(|item| item.one_of(&severities)));
    set(&mut rule.per, table.take("per").and_then(|item| per(&item, rule.metric)));
    if let Some(again) = table.take("again") {
        rule.again = again.duration(60 * SECOND..=30 * DAY);
    }
    if let Some(named) = table.take("channels") {
        rule.channels = Some(channels_of(&named, channels));
    }
    set(&mut rule.enabled, table.take("enabled").and_then(|item| item.boolean()));
    table.finish();
    Some(rule)
}

fn window(item: &Item<'_>, metric: Metric) -> Option<Duration> {
    if !metric.is_windowed() {
        let mend = "take it out; `for` says how long the condition must hold";
        item.error(format!("{metric} is not counted over a window: it is what it is now"), mend);
        return None;
    }
    item.duration(10 * SECOND..=WINDOW_MAX)
}

/// `Some(None)`: over everything.
fn per(item: &Item<'_>, metric: Metric) -> Option<Option<Per>> {
    let mut choices: Vec<_> = Per::ALL.iter().map(|per| (per.as_str(), Some(*per))).collect();
    choices.push(("none", None));
    let per = item.one_of(&choices)?;
    if per.is_some_and(|per| !metric.per().contains(&per)) {
        let ways: Vec<_> = metric.per().iter().map(|per| format!("\"{}\"", per.as_str())).collect();
        let mend =
            if ways.is_empty() { "take it out".to_owned() } else { format!("choose {} or \"none\"", ways.join(", ")) };
        item.error(format!("{metric} is not known by {}", per.map(Per::as_str).unwrap_or_default()), mend);
        return None;
    }
    Some(per)
}

fn channels_of(item: &Item<'_>, channels: &Named<Channel>) -> Vec<Arc<str>> {
    let items = item.list("a list of channels, such as [\"ops\"]").unwrap_or_default();
    let name = |item: &Item<'_>| {
        let name = item.text("the name of a channel in quotes")?;
        if !channels.contains(name) {
            let mend = suggest::mend(name, channels.names(), "channels under [alerts.channels]");
            item.error(format!("there is no channel {}", quote(name)), mend);
        }
        Some(name.into())
    };
    items.iter().filter_map(name).collect()
}

fn channel(name: &Arc<str>, mut table: Table<'_>, secrets: &Resolver<'_>) -> Option<Channel> {
    const KINDS: &str = "give one of slack, pagerduty, webhook, email";
    let [slack, pagerduty, webhook, email] = ["slack", "pagerduty", "webhook", "email"].map(|key| table.take(key));
    let given = [&slack, &pagerduty, &webhook, &email].into_iter().flatten().count();
    let kind = match (slack, pagerduty, webhook, email) {
        _ if given > 1 => {
            table.error(format!("a channel is of one kind, and this is of {given}"), "make a channel of each");
            None
        }
        (Some(slack), ..) => secret_url(&slack, secrets).map(|url| ChannelKind::Slack { url }),
        (_, Some(key), ..) => pagerduty_of(&key, &mut table, secrets),
        (_, _, Some(url), _) => webhook_of(&url, &mut table, secrets),
        (.., Some(email)) => email_of(&email, secrets).map(|email| ChannelKind::Email(Box::new(email))),
        _ => {
            table.error("where it is told is missing", KINDS);
            None
        }
    };
    let severities = table.take("severities").map_or_else(|| Some(Severity::ALL.to_vec()), |item| severities(&item));
    table.finish();
    Some(Channel { name: name.clone(), severities: severities?, kind: kind? })
}

fn severities(item: &Item<'_>) -> Option<Vec<Severity>> {
    let choices = Severity::ALL.map(|severity| (severity.as_str(), severity));
    let items = item.list("a list, such as [\"page\"]")?;
    items.iter().map(|item| item.one_of(&choices)).collect()
}

/// An address that is itself a secret.
fn secret_url(item: &Item<'_>, secrets: &Resolver<'_>) -> Option<Secret> {
    let secret = secrets.resolve(item)?;
    let url = std::str::from_utf8(secret.expose()).ok().and_then(|text| Url::parse(text.trim()).ok());
    if url.is_none_or(|url| !matches!(url.scheme(), "http" | "https")) {
        item.error(
            "this is not an address that can be posted to",
            "copy the webhook URL from Slack, https:// included",
        );
        return None;
    }
    Some(secret)
}

fn pagerduty_of(item: &Item<'_>, table: &mut Table<'_>, secrets: &Resolver<'_>) -> Option<ChannelKind> {
    let url = match table.take("url") {
        Some(item) => item.http_url(PAGERDUTY),
        None => Url::parse(PAGERDUTY).ok(),
    };
    Some(ChannelKind::PagerDuty { routing_key: secrets.resolve(item)?, url: url? })
}

fn webhook_of(item: &Item<'_>, table: &mut Table<'_>, secrets: &Resolver<'_>) -> Option<ChannelKind> {
    let mend = "what is told is signed: give a secret that the receiver knows, such as \"env:ALERTS_SECRET\"";
    let secret = table.require("secret", mend).and_then(|item| {
        let secret = secrets.resolve(&item)?;
        if let Err(what) = hookhaven_core::sign::check_secret(&secret) {
            item.error("this secret cannot be signed with", what);
            return None;
        }
        Some(secret)
    });
    Some(ChannelKind::Webhook { url: item.http_url("https://example.com/alerts")?, secret: secret? })
}

fn email_of(item: &Item<'_>, secrets: &Resolver<'_>) -> Option<Email> {
    const TABLE: &str =
        "a table such as { smtp = \"env:SMTP_URL\", from = \"hookhaven@example.com\", to = [\"ops@example.com\"] }";
    let mut table = item.table(TABLE)?;
    let smtp = table.require("smtp", "the mail server, such as \"smtp://user:password@mail.example.com:587\"");
    let from = table.require("from", "the sender's address, such as \"hookhaven@example.com\"");
    let to = table.require("to", "who gets it, such as [\"ops@example.com\"]");
    table.finish();
    let smtp = smtp.and_then(|item| smtp_url(&item, secrets));
    let from = from.and_then(|item| mailbox(&item));
    let to = to.and_then(|item| {
        let items = item.list("a list of addresses, such as [\"ops@example.com\"]")?;
        if items.is_empty() || items.len() > RECIPIENTS_MAX {
            item.error(format!("{} addresses", items.len()), format!("give 1 to {RECIPIENTS_MAX}"));
        }
        items.iter().map(mailbox).collect::<Option<Vec<_>>>()
    });
    Some(Email { smtp: smtp?, from: from?, to: to? })
}

fn mailbox(item: &Item<'_>) -> Option<Mailbox> {
    let text = item.text("an e-mail address in quotes")?;
    let mailbox = text.parse().ok();
    if mailbox.is_none() {
        item.error(format!("{} is not an e-mail address", quote(text)), "write one such as \"ops@example.com\"");
    }
    mailbox
}

/// Nothing of it is repeated: it holds a password.
fn smtp_url(item: &Item<'_>, secrets: &Resolver<'_>) -> Option<Secret> {
    const EXAMPLE: &str = "write \"smtp://user:password@mail.example.com:587\" (STARTTLS), or \"smtps://…:465\"";
    let secret = secrets.resolve(item)?;
    let url = std::str::from_utf8(secret.expose()).ok().and_then(|text| Url::parse(text.trim()).ok());
    let Some(url) = url.filter(|url| matches!(url.scheme(), "smtp" | "smtps") && url.has_host()) else {
        item.error("this is not the address of a mail server", EXAMPLE);
        return None;
    };
    let odd = url.query_pairs().find(|(key, value)| {
        key != "tls" || url.scheme() != "smtp" || !matches!(&**value, "required" | "opportunistic" | "none")
    });
    if odd.is_some() {
        item.error(
            "what follows the ? is not understood",
            "only ?tls=required, ?tls=opportunistic or ?tls=none can stand there, and only after smtp://",
        );
        return None;
    }
    Some(secret)
}
