//! A rule: which metric, above what, for how long, and who should hear of it. With the rules that every gateway
//! begins with.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::metric::{Metric, Per};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// How urgent an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AlertSeverity)]
pub enum Severity {
    /// Somebody should be woken up.
    Page,
    /// Somebody should look when there is time.
    Notify,
}

impl Severity {
    pub const ALL: [Severity; 2] = [Severity::Page, Severity::Notify];

    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Page => "page",
            Severity::Notify => "notify",
        }
    }
}

/// How a figure is held against the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Above,
    AtLeast,
    Below,
}

impl Condition {
    pub const ALL: [Condition; 3] = [Condition::Above, Condition::AtLeast, Condition::Below];

    /// As it is written in the config file.
    pub fn sign(self) -> &'static str {
        match self {
            Condition::Above => ">",
            Condition::AtLeast => ">=",
            Condition::Below => "<",
        }
    }

    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Condition::Above => value > threshold,
            Condition::AtLeast => value >= threshold,
            Condition::Below => value < threshold,
        }
    }
}

/// What fires.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub name: Arc<str>,
    pub metric: Metric,
    pub condition: Condition,
    /// In the metric's unit.
    pub threshold: f64,
    /// Over which a windowed metric is counted.
    pub window: Duration,
    /// How long the condition must hold (`for`).
    pub hold: Duration,
    /// How long it must not hold before the alert ends (`clear`), so that it does not flap.
    pub clear: Duration,
    pub severity: Severity,
    /// Where it is told; `None`: wherever its severity goes.
    pub channels: Option<Vec<Arc<str>>>,
    /// `None`: over everything.
    pub per: Option<Per>,
    /// While it fires, it is told anew if the figure has grown, at most this often; `None`: only by the reminder.
    pub again: Option<Duration>,
    pub enabled: bool,
}

impl Rule {
    /// A rule on a metric as the config file begins one.
    pub fn new(name: &str, metric: Metric) -> Self {
        Rule {
            name: name.into(),
            metric,
            condition: Condition::Above,
            threshold: 0.0,
            window: MINUTE,
            hold: Duration::ZERO,
            clear: MINUTE,
            severity: Severity::Notify,
            channels: None,
            per: metric.per().first().copied(),
            again: None,
            enabled: true,
        }
    }

    /// What every gateway begins with.
    pub fn defaults() -> Vec<Rule> {
        use Metric::*;
        let notify = Rule::new;
        let page = |name: &str, metric| Rule { severity: Severity::Page, ..Rule::new(name, metric) };
        vec![
            Rule { threshold: 10.0, ..page("invalid_signatures", SignaturesInvalid) },
            Rule { again: Some(5 * MINUTE), ..page("critical_dead_letter", DeadLettersCritical) },
            Rule { threshold: 5.0, ..page("critical_dead_letters_many", DeadLettersCritical) },
            Rule { threshold: 1_000.0, hold: MINUTE, ..notify("queue_deep", QueueDepth) },
            Rule { hold: 60 * MINUTE, ..notify("dead_letters_waiting", DeadLetters) },
            Rule { threshold: 2.0, hold: 5 * MINUTE, ..page("answers_slow", AnswerP95) },
            Rule { threshold: 1.0, window: 5 * MINUTE, ..notify("deadlines_missed", DeadlinesMissed) },
            notify("breaker_open", BreakerOpen),
            Rule { hold: 10 * MINUTE, ..page("breaker_open_long", BreakerOpen) },
            notify("destination_paused", DestinationPaused),
            Rule { hold: MINUTE, ..notify("destination_gone", DestinationGone) },
            notify("secret_old", SecretsOld),
            Rule { threshold: 60.0, ..notify("clock_step", ClockDrift) },
            Rule { window: 60 * MINUTE, ..page("store_damaged", StoreDamages) },
            Rule { hold: 30 * SECOND, ..page("store_refusing", StoreRefusing) },
            notify("config_refused", ConfigRefused),
        ]
    }

    pub(super) fn holds(&self, value: Option<f64>) -> bool {
        value.is_some_and(|value| self.condition.holds(value, self.threshold))
    }
}
