//! What fires, and where it is told (`[alerts]`).
//!
//! Not here: the file's syntax (`parse/alerts`), how a channel is spoken to (`crate::alerts`).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hookhaven_core::{
    Secret,
    alert::{Rule, Severity},
};
use lettre::message::Mailbox;
use url::Url;

#[derive(Clone, Debug, PartialEq)]
pub struct Alerts {
    pub enabled: bool,
    /// Between looks at the figures.
    pub every: Duration,
    /// Between reminders that an alert still fires.
    pub repeat: Duration,
    /// Told in a minute, over all rules and channels.
    pub per_minute_max: usize,
    /// The defaults as the file changes them, then the file's own.
    pub rules: Vec<Rule>,
    pub channels: BTreeMap<Arc<str>, Arc<Channel>>,
}

/// Where alerts are told.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    pub name: Arc<str>,
    /// Of rules that name no channels.
    pub severities: Vec<Severity>,
    pub kind: ChannelKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ChannelKind {
    /// An incoming webhook: whoever knows the address may post.
    Slack {
        url: Secret,
    },
    /// Events API v2.
    PagerDuty {
        routing_key: Secret,
        url: Url,
    },
    /// Signed like attempts are, Standard Webhooks style.
    Webhook {
        url: Url,
        secret: Secret,
    },
    Email(Box<Email>),
}

impl ChannelKind {
    pub fn as_str(&self) -> &'static str {
        match self {
            ChannelKind::Slack { .. } => "slack",
            ChannelKind::PagerDuty { .. } => "pagerduty",
            ChannelKind::Webhook { .. } => "webhook",
            ChannelKind::Email(_) => "email",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Email {
    /// The mail server, with user name and password.
    pub smtp: Secret,
    pub from: Mailbox,
    pub to: Vec<Mailbox>,
}

impl Default for Alerts {
    fn default() -> Self {
        Alerts {
            enabled: true,
            every: Duration::from_secs(10),
            repeat: Duration::from_secs(4 * 3_600),
            per_minute_max: 20,
            rules: Rule::defaults(),
            channels: BTreeMap::new(),
        }
    }
}

impl Alerts {
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| &*rule.name == name)
    }

    /// Where an alert of this rule and severity is told.
    pub fn channels_of(&self, rule: Option<&Rule>, severity: Severity) -> Vec<Arc<str>> {
        match rule.and_then(|rule| rule.channels.as_ref()) {
            Some(named) => named.iter().filter(|name| self.channels.contains_key(*name)).cloned().collect(),
            None => {
                let takes = |channel: &&Arc<Channel>| channel.severities.contains(&severity);
                self.channels.values().filter(takes).map(|channel| channel.name.clone()).collect()
            }
        }
    }
}
