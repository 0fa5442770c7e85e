//! Failure analysis: what stands out among the attempts of a span of time, in sentences with the figures behind them,
//! and which keys of the configuration would help. Made when somebody asks.
//!
//! Each destination is looked at by itself; what began at several at once is said with each (`together`). First go single events that fail whatever else is delivered (`poison`), then
//! answers that get slower and slower (`latency`), then what depends on the hour of the day (`hours`) or on how much
//! comes at once (`load`). What is left is taken one kind of failure at a time (`kinds`): whom it hits (`who`), since
//! when (`when`), and what that kind means (`answers`). Every explanation divides attempts into those inside and those
//! outside; of two that both hold, the one that tells them apart better is said (`tally`).
//!
//! The same attempts give the same report, in whatever order they come. Few attempts or few failures are said to be
//! few. Not here: reading attempts from a store, and how a report is printed. Nothing here sees a body or a header.

mod answers;
mod hours;
mod kinds;
mod latency;
mod load;
mod poison;
mod tally;
mod together;
mod when;
mod who;
mod words;

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use self::tally::Tally;
use crate::{
    attempt::ErrorClass,
    destination::{BreakerPolicy, Destination, Rate},
    id::{DeliveryId, EventId},
    time::Time,
};

/// Attempts that are looked at; of more, so many evenly spread over time. Enough for a share of one in a thousand to
/// show, and looked at within a second.
pub const ATTEMPTS_MAX: usize = 50_000;
/// Attempts of a destination below which nothing is concluded: one more or less would change any share by 5 points.
pub const ATTEMPTS_MIN: usize = 20;
/// Failures below which nothing is concluded: four of anything happen by chance.
pub const FAILURES_MIN: usize = 5;
/// The share of attempts that must fail before a failure that is everywhere stands out: what is retried anyway may
/// well fail now and then.
const SHARE_MIN: f64 = 0.05;
/// Different events that must fail before it is not the event's fault. The breaker's rule is alike.
const EVENTS_MIN: usize = 3;
/// Findings in one report: who has more of them has one cause that stands in the first.
pub const FINDINGS_MAX: usize = 20;
/// Destinations named as having too few attempts.
const TOO_FEW_MAX: usize = 20;
/// Deliveries named with a finding.
const EXAMPLES_MAX: usize = 3;

/// One attempt, as far as an analysis needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    pub started_at: Time,
    pub destination: Arc<str>,
    pub delivery: DeliveryId,
    /// Of its delivery, from 1.
    pub number: u32,
    pub event: EventId,
    pub source: Arc<str>,
    pub event_type: Arc<str>,
    pub duration_us: u64,
    pub class: ErrorClass,
    pub status: Option<u16>,
    /// As recorded: it holds no secret.
    pub error: Arc<str>,
}

impl Observed {
    fn failed(&self) -> bool {
        self.class != ErrorClass::Ok
    }

    /// By time, then by everything else, so that the order they came in leaves no trace.
    fn order(&self, other: &Self) -> Ordering {
        let key = |o: &Self| (o.started_at, o.delivery, o.number, o.duration_us, o.class.as_str(), o.status, o.event);
        let names = |o: &Self| [&o.destination, &o.source, &o.event_type, &o.error].map(Arc::clone);
        key(self).cmp(&key(other)).then_with(|| names(self).cmp(&names(other)))
    }
}

/// What the configuration says of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    pub timeout: Duration,
    pub concurrency: NonZeroU32,
    pub rate: Option<Rate>,
    pub breaker: BreakerPolicy,
    /// Whether attempts are signed.
    pub signs: bool,
}

impl From<&Destination> for Figures {
    fn from(d: &Destination) -> Self {
        Figures {
            timeout: d.timeout,
            concurrency: d.concurrency,
            rate: d.rate,
            breaker: d.breaker,
            signs: !d.secrets.is_empty(),
        }
    }
}

/// What an analysis is made from.
#[derive(Clone, Debug)]
pub struct Input {
    /// Attempts that began before are left out.
    pub since: Time,
    pub now: Time,
    /// In any order.
    pub attempts: Vec<Observed>,
    /// Those in the configuration.
    pub destinations: BTreeMap<Arc<str>, Figures>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub since: Time,
    pub now: Time,
    /// Attempts of the span.
    pub attempts: usize,
    /// How many of them were looked at: all, or [`ATTEMPTS_MAX`] spread evenly.
    pub looked_at: usize,
    /// Of those looked at.
    pub failures: usize,
    /// What goes on comes first, then what failed most; at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// Destinations with failures, but too few attempts or failures to conclude anything.
    pub too_few: Vec<TooFew>,
}

impl Report {
    /// The outcome in one line.
    pub fn headline(&self) -> String {
        let of = words::counted(self.failures, self.looked_at);
        match self.findings.len() {
            _ if self.looked_at == 0 => "No attempt was made.".to_owned(),
            0 => format!("Nothing stands out: of the attempts, {of} failed."),
            1 => format!("One thing stands out: of the attempts, {of} failed."),
            n => format!("{n} things stand out: of the attempts, {of} failed."),
        }
    }
}

/// One cause, the figures behind it, and what to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub cause: Cause,
    pub destination: Arc<str>,
    /// Whom it hits, if not everything that goes there.
    pub scope: Option<Scope>,
    /// When it began; `None`: no later than the span.
    pub since: Option<Time>,
    /// When it ended; `None`: it had not at the last attempt.
    pub until: Option<Time>,
    /// Failures that it explains, and the attempts that it could have hit.
    pub failures: usize,
    pub attempts: usize,
    pub sentence: String,
    pub evidence: Vec<String>,
    pub mend: String,
    pub suggestions: Vec<Suggestion>,
    /// Deliveries to look at, the newest first.
    pub examples: Vec<DeliveryId>,
}

/// Whom a failure hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Type(Arc<str>),
    Source(Arc<str>),
    Event(EventId),
}

/// A change of the configuration, as it would stand in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// `destinations.billing.timeout`.
    pub key: String,
    /// In TOML.
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooFew {
    pub destination: Arc<str>,
    pub attempts: usize,
    pub failures: usize,
    /// What happened most often.
    pub mostly: String,
}

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What can be the matter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cause { $($(#[$doc])* $name,)* }

        impl Cause {
            pub const ALL: &[Cause] = &[$(Cause::$name),*];

            /// The stable name to branch on.
            pub fn as_str(self) -> &'static str {
                match self { $(Cause::$name => $text,)* }
            }
        }
    };
}

causes! {
    /// Successes take nearly as long as may be waited.
    TimeoutNearLimit = "timeout_near_limit",
    /// Timeouts, though successes are fast.
    HandlerHangs = "handler_hangs",
    /// Answers take longer and longer.
    LatencyRising = "latency_rising",
    /// Connections are refused.
    HandlerDown = "handler_down",
    /// No connection comes about, and nobody refuses it.
    Unreachable = "unreachable",
    Dns = "dns",
    Certificate = "certificate",
    /// TLS fails otherwise.
    Tls = "tls",
    /// Connections break, or what comes is not HTTP.
    ConnectionBreaks = "connection_breaks",
    ServerErrors = "server_errors",
    RateLimited = "rate_limited",
    /// 401 or 403, after it had been accepted.
    AuthBroken = "auth_broken",
    /// 401 or 403, and nothing was accepted.
    AuthNeverHeld = "auth_never_held",
    /// 401 or 403 to some, while others are accepted.
    AuthPartly = "auth_partly",
    /// 404, 405 or 410.
    WrongAddress = "wrong_address",
    PayloadTooLarge = "payload_too_large",
    Redirect = "redirect",
    /// Any other 4xx, to events of one type.
    TypeRejected = "type_rejected",
    /// Any other 4xx.
    RequestsRejected = "requests_rejected",
    /// One event fails whatever else is delivered.
    PoisonEvent = "poison_event",
    /// It fails when much comes at once.
    Overload = "overload",
    /// It fails at the same hours, day after day.
    DailyWindow = "daily_window",
    /// The gateway may not call the address.
    AddressRefused = "address_refused",
    /// The gateway's own nodes went away.
    NodesLost = "nodes_lost",
    /// The gateway's own store could not be read.
    StoreDamaged = "store_damaged",
}

/// Finds out what stands out.
pub fn analyze(input: Input) -> Report {
    let Input { since, now, mut attempts, destinations } = input;
    attempts.retain(|o| o.started_at >= since && o.started_at <= now);
    attempts.sort_unstable_by(Observed::order);
    let (all, kept) = (attempts.len(), spread(&attempts));
    let mut cases: BTreeMap<&Arc<str>, Vec<&Observed>> = BTreeMap::new();
    kept.iter().for_each(|o| cases.entry(&o.destination).or_default().push(o));
    let failures = kept.iter().filter(|o| o.failed()).count();
    let (mut findings, mut too_few) = (Vec::new(), Vec::new());
    for (name, attempts) in cases {
        let case = Case { name, figures: destinations.get(name), attempts, now };
        too_few.extend(case.too_few());
        findings.extend(case.look());
    }
    findings.sort_by(|a, b| {
        let key = |f: &Finding| (f.until.is_some(), usize::MAX - f.failures, f.destination.clone(), f.cause);
        key(a).cmp(&key(b)).then_with(|| a.sentence.cmp(&b.sentence))
    });
    together::look(&mut findings);
    findings.truncate(FINDINGS_MAX);
    too_few.truncate(TOO_FEW_MAX);
    Report { since, now, attempts: all, looked_at: kept.len(), failures, findings, too_few }
}

/// At most [`ATTEMPTS_MAX`] of them, evenly.
fn spread(sorted: &[Observed]) -> Vec<&Observed> {
    let (have, take) = (sorted.len(), sorted.len().min(ATTEMPTS_MAX));
    (0..take).map(|i| &sorted[i * have / take]).collect()
}

/// One kind of finding: it takes out of the attempts what it has explained, for those that come after it.
type Look = for<'a> fn(&Case<'a>, &mut Vec<&'a Observed>) -> Vec<Finding>;

/// One destination and its attempts, oldest first.
struct Case<'a> {
    name: &'a Arc<str>,
    figures: Option<&'a Figures>,
    attempts: Vec<&'a Observed>,
    now: Time,
}

impl<'a> Case<'a> {
    /// Failures that would be worth a word if there were more of them.
    fn too_few(&self) -> Option<TooFew> {
        let failed: Vec<_> = self.attempts.iter().copied().filter(|o| o.failed()).collect();
        let few = self.attempts.len() < ATTEMPTS_MIN || failed.len() < FAILURES_MIN;
        let tally = Tally { attempts: self.attempts.len(), failures: failed.len() };
        (few && tally.share() >= SHARE_MIN).then(|| TooFew {
            destination: self.name.clone(),
            attempts: tally.attempts,
            failures: tally.failures,
            mostly: words::mostly(&failed).unwrap_or_default(),
        })
    }

    fn look(&self) -> Vec<Finding> {
        if self.attempts.len() < ATTEMPTS_MIN {
            return Vec::new();
        }
        let looks: [Look; 5] = [poison::look, latency::look, hours::look, load::look, kinds::look];
        let mut rest = self.attempts.clone();
        looks.iter().flat_map(|look| look(self, &mut rest)).collect()
    }

    /// `destinations.NAME.KEY = VALUE`, if the destination is one of the configuration.
    fn suggest(&self, key: &str, value: impl Into<String>) -> Option<Suggestion> {
        self.figures.map(|_| Suggestion { key: format!("{}.{key}", words::table(self.name)), value: value.into() })
    }

    /// Half of what may go at once.
    fn suggest_less_at_once(&self) -> Option<Suggestion> {
        let half = self.figures?.concurrency.get() / 2;
        self.suggest("concurrency", half.to_string()).filter(|_| half > 0)
    }

    /// A rate, unless a lower one is set.
    fn suggest_rate(&self, per_s: f64, text: &str) -> Option<Suggestion> {
        let set = self.figures?.rate.map(|rate| f64::from(rate.count.get()) / rate.per.as_secs_f64());
        self.suggest("rate", format!("\"{text}\"")).filter(|_| set.is_none_or(|set| set > per_s))
    }
}

/// How many different events there are among attempts.
fn events<'a>(attempts: impl IntoIterator<Item = &'a &'a Observed>) -> usize {
    attempts.into_iter().map(|o| o.event).collect::<BTreeSet<_>>().len()
}

/// The newest deliveries among attempts.
fn examples(attempts: &[&Observed]) -> Vec<DeliveryId> {
    let mut found = Vec::new();
    for o in attempts.iter().rev() {
        if found.len() < EXAMPLES_MAX && !found.contains(&o.delivery) {
            found.push(o.delivery);
        }
    }
    found
}

#[cfg(test)]
mod tests;
