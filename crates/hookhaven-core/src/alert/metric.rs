//! What a rule can look at.

use std::fmt;

use serde::{Deserialize, Serialize};

/// By what a figure is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    Source,
    Destination,
    Route,
}

impl Per {
    pub const ALL: [Per; 3] = [Per::Source, Per::Destination, Per::Route];

    pub fn as_str(self) -> &'static str {
        match self {
            Per::Source => "source",
            Per::Destination => "destination",
            Per::Route => "route",
        }
    }
}

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Count,
    Seconds,
    Percent,
}

/// How figures of one metric come to be, and come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Counted over a window; adds up.
    Counted,
    /// A part of a whole, both counted over a window.
    Share,
    /// The 95th of a hundred durations, over a window.
    P95,
    /// As it stands now; adds up.
    Level,
    /// As it stands now; the largest counts.
    Peak,
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $form:ident, $unit:ident, $local:literal, [$($per:ident),*];)*) => {
        /// What a rule can look at.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Metric { $($(#[$doc])* $variant),* }

        impl Metric {
            pub const ALL: &'static [Metric] = &[$(Metric::$variant),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Metric::$variant => $name),* }
            }

            pub fn form(self) -> Form {
                match self { $(Metric::$variant => Form::$form),* }
            }

            pub fn unit(self) -> Unit {
                match self { $(Metric::$variant => Unit::$unit),* }
            }

            /// Whether each node knows a part of it; else the store says the same to all.
            pub fn is_local(self) -> bool {
                match self { $(Metric::$variant => $local),* }
            }

            /// By what it can be told apart, the usual one first; empty: not at all.
            pub fn per(self) -> &'static [Per] {
                match self { $(Metric::$variant => &[$(Per::$per),*]),* }
            }
        }
    };
}

metrics! {
    /// Requests whose signature did not hold.
    SignaturesInvalid = "signatures_invalid", Counted, Count, true, [Source];
    /// Dead letters, critical ones too.
    DeadLetters = "dead_letters", Level, Count, false, [Destination, Source];
    /// Dead letters of critical routes.
    DeadLettersCritical = "dead_letters_critical", Level, Count, false, [Route, Destination, Source];
    /// Deliveries waiting or in hand.
    QueueDepth = "queue_depth", Level, Count, false, [Destination, Source];
    /// How long ago the oldest due delivery fell due.
    QueueOldest = "queue_oldest", Peak, Seconds, false, [Destination];
    /// Arrival to answer, of 95 requests in a hundred.
    AnswerP95 = "answer_p95", P95, Seconds, true, [];
    /// Attempts begun after their deadline, of all attempts.
    DeadlinesMissed = "deadlines_missed", Share, Percent, true, [Destination, Source];
    /// Attempts that failed, of all attempts.
    AttemptsFailed = "attempts_failed", Share, Percent, true, [Destination, Source];
    /// Destinations that rest because they kept failing.
    BreakerOpen = "breaker_open", Level, Count, false, [Destination];
    /// Destinations paused by their own 410.
    DestinationPaused = "destination_paused", Level, Count, false, [Destination];
    /// Deliveries waiting for a destination that is not in the config file.
    DestinationGone = "destination_gone", Level, Count, false, [Destination];
    /// Secrets older than `secrets_max_age`.
    SecretsOld = "secrets_old", Level, Count, false, [Source];
    /// How far the machine's clock has moved away from the one the gateway goes by.
    ClockDrift = "clock_drift", Peak, Seconds, true, [];
    /// Damaged places of the journal.
    StoreDamages = "store_damages", Counted, Count, true, [];
    /// Nodes whose store cannot accept.
    StoreRefusing = "store_refusing", Level, Count, true, [];
    /// Nodes that refused a changed config file.
    ConfigRefused = "config_refused", Level, Count, true, [];
}

impl Metric {
    /// Whether it is counted over a window.
    pub fn is_windowed(self) -> bool {
        matches!(self.form(), Form::Counted | Form::Share | Form::P95)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
