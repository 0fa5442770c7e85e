//! What is told, in words and figures: the body of the event that a telling is. Channels make their own form of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    episode::{Episode, Kind},
    metric::{Metric, Unit},
    rule::{Condition, Rule, Severity},
    runbook::runbook,
};
use crate::time::Time;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    pub kind: Kind,
    pub rule: String,
    pub scope: String,
    pub severity: Severity,
    pub episode: u64,
    /// The same for all that is told of one episode, and for nothing else.
    pub thread: String,
    /// One line without line ends.
    pub title: String,
    /// What is wrong, with figures: one line.
    pub text: String,
    pub value: f64,
    pub threshold: f64,
    pub peak: f64,
    pub at: Time,
    pub fired_at: Option<Time>,
    pub ended_at: Option<Time>,
    /// What to look at, and what puts it right.
    pub runbook: String,
    pub command: String,
    /// Where it can be looked at; empty if nobody knows.
    pub link: String,
}

impl Notice {
    /// `rule` may be gone by now; `base` is the admin side's address.
    pub fn of(episode: &Episode, rule: Option<&Rule>, kind: Kind, base: &str, now: Time) -> Self {
        let book = rule.map(|rule| runbook(rule.metric));
        let subject = book.map_or_else(|| episode.rule.replace('_', " "), |book| book.title.to_owned());
        let title = match &*episode.scope {
            "" => subject,
            scope => format!("{subject}: {scope}"),
        };
        let words = rule.map_or_else(|| "its rule is gone".to_owned(), |rule| measured(rule, episode));
        let fired_for = span(episode.ended_at.unwrap_or(now).since(episode.fired_at.unwrap_or(now)));
        let peak = || rule.map_or_else(|| format!("{}", episode.peak), |rule| number(rule.metric, episode.peak));
        let text = match kind {
            Kind::Fired => words,
            Kind::Grown => format!("it has become more: {words}"),
            Kind::Repeated => format!("for {fired_for} now: {words}"),
            Kind::Ended => format!("over after {fired_for}; at its peak {}", peak()),
        };
        let fill = |text: &str| text.replace("{scope}", if episode.scope.is_empty() { "…" } else { &episode.scope });
        Notice {
            kind,
            rule: episode.rule.clone(),
            scope: episode.scope.clone(),
            severity: episode.severity,
            episode: episode.number,
            thread: episode.thread(),
            title,
            text,
            value: episode.value,
            threshold: episode.threshold,
            peak: episode.peak,
            at: now,
            fired_at: episode.fired_at,
            ended_at: episode.ended_at,
            runbook: book.map(|book| fill(book.look)).unwrap_or_default(),
            command: book.map(|book| fill(book.command)).unwrap_or_default(),
            link: link(base, &episode.rule, &episode.scope),
        }
    }

    /// To see that a channel works.
    pub fn trial(channel: &str, base: &str, now: Time, random: &str) -> Self {
        Notice {
            kind: Kind::Fired,
            rule: "trial".to_owned(),
            scope: channel.to_owned(),
            severity: Severity::Notify,
            episode: 0,
            thread: format!("hookhaven/trial/{channel}/{random}"),
            title: format!("Trial of the channel {channel}"),
            text: "somebody asked for it; nothing is wrong".to_owned(),
            value: 0.0,
            threshold: 0.0,
            peak: 0.0,
            at: now,
            fired_at: Some(now),
            ended_at: None,
            runbook: "If you can read this, alerts reach you here.".to_owned(),
            command: "hookhaven alerts list".to_owned(),
            link: link(base, "", ""),
        }
    }

    /// `FIRING`, `STILL FIRING` or `ENDED`, and the title.
    pub fn headline(&self) -> String {
        let word = match self.kind {
            Kind::Fired | Kind::Grown => "FIRING",
            Kind::Repeated => "STILL FIRING",
            Kind::Ended => "ENDED",
        };
        format!("{word}: {}", self.title)
    }
}

/// The page for people: who clicks has a session there, and no token for the API. Names are plain ([a-z0-9-_.]) but for
/// routes', whose odd characters are written as hex.
fn link(base: &str, rule: &str, scope: &str) -> String {
    if base.is_empty() {
        return String::new();
    }
    let encoded = |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let query = match (rule, scope) {
        ("", _) => String::new(),
        (rule, "") => format!("?rule={}", encoded(rule)),
        (rule, scope) => format!("?rule={}&scope={}", encoded(rule), encoded(scope)),
    };
    format!("{}/settings/alerts{query}", base.trim_end_matches('/'))
}

/// `37 invalid signatures of stripe in the last 1m (page above 10)`.
fn measured(rule: &Rule, episode: &Episode) -> String {
    let value = number(rule.metric, episode.value);
    let of = if episode.scope.is_empty() { String::new() } else { format!(" of {}", episode.scope) };
    let window = span(rule.window);
    let many = |one: &str, more: &str| format!("{value} {}", if episode.value == 1.0 { one } else { more });
    let what = match rule.metric {
        Metric::SignaturesInvalid => {
            format!("{}{of} in the last {window}", many("invalid signature", "invalid signatures"))
        }
        Metric::DeadLetters => format!("{}{of} for a person", many("dead letter", "dead letters")),
        Metric::DeadLettersCritical => {
            format!("{}{of} for a person", many("critical dead letter", "critical dead letters"))
        }
        Metric::QueueDepth => format!("{}{of} waiting or in hand", many("delivery", "deliveries")),
        Metric::QueueOldest => format!("the oldest due delivery{of} has waited for {value}"),
        Metric::AnswerP95 => format!("the slowest 5% of answers took longer than {value} in the last {window}"),
        Metric::DeadlinesMissed => {
            format!("{value} of the attempts{of} in the last {window} began after their deadline")
        }
        Metric::AttemptsFailed => format!("{value} of the attempts{of} in the last {window} failed"),
        Metric::BreakerOpen => match &*episode.scope {
            "" => many("destination rests because it kept failing", "destinations rest because they kept failing"),
            scope => format!("{scope} rests because it kept failing"),
        },
        Metric::DestinationPaused => match &*episode.scope {
            "" => many("destination was paused by its 410 Gone", "destinations were paused by their 410 Gone"),
            scope => format!("{scope} was paused because it answered 410 Gone"),
        },
        Metric::DestinationGone => {
            let which = if episode.scope.is_empty() { "a destination" } else { &*episode.scope };
            format!("{} for {which}, which the config file does not name", many("delivery waits", "deliveries wait"))
        }
        Metric::SecretsOld => {
            format!("{}{of} older than secrets_max_age", many("secret", "secrets"))
        }
        Metric::ClockDrift => format!("the machine's clock is {value} away from the gateway's"),
        Metric::StoreDamages => {
            format!("{} met in the journal in the last {window}", many("damaged place was", "damaged places were"))
        }
        Metric::StoreRefusing => {
            format!("the store cannot accept on {}: senders are answered 503", many("node", "nodes"))
        }
        Metric::ConfigRefused => {
            format!("the changed config file was refused by {}", many("node", "nodes"))
        }
    };
    let condition = match rule.condition {
        Condition::Above => "above",
        Condition::AtLeast => "from",
        Condition::Below => "below",
    };
    let held = if rule.hold.is_zero() { String::new() } else { format!(" for {}", span(rule.hold)) };
    let threshold = number(rule.metric, rule.threshold);
    format!("{what} ({} {condition} {threshold}{held})", rule.severity.as_str())
}

/// A figure in its metric's unit.
pub fn number(metric: Metric, value: f64) -> String {
    let plain = if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    match metric.unit() {
        Unit::Count => plain,
        Unit::Percent => format!("{plain}%"),
        Unit::Seconds if value >= 120.0 => span(Duration::from_secs(value as u64)),
        Unit::Seconds => format!("{plain}s"),
    }
}

/// `4h`, `1h12m`, `12m`, `45s`: the two largest units.
pub fn span(duration: Duration) -> String {
    let mut left_s = duration.as_secs();
    if left_s == 0 {
        return "0s".to_owned();
    }
    let (mut text, mut units) = (String::new(), 0);
    for (unit, unit_s) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        if left_s >= unit_s && units < 2 {
            text.push_str(&format!("{}{unit}", left_s / unit_s));
            left_s %= unit_s;
            units += 1;
        } else if units == 1 {
            break;
        }
    }
    text
}
