//! The settings of a message, parsed: from what a publisher wrote, and again from the event that keeps it.
//!
//! Not here: where the lines come from (`lines`), the destination (`destination`), what the path or the
//! connection says (`message`).

mod flow;

use std::{str::FromStr, sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{Event, Policy, Time, cron::Cron, expression::Expression, retry::RetryPolicy};
use http::Method;

pub use self::flow::{Flow, PERIOD_MAX as FLOW_PERIOD_MAX};
use super::{
    destination, duration,
    error::ApiError,
    lines::{FORWARD, Line, is_true},
    names,
    redact::Redact,
};

/// Retries where a message asks for no other number.
pub const RETRIES_DEFAULT: u32 = 3;
/// Base of the default schedule: before retry n it waits e^(2.5 n) seconds.
const BACKOFF_EXPONENT: f64 = 2.5;
/// No wait is longer.
const BACKOFF_MAX: Duration = Duration::from_secs(86_400);
/// A published message waits for as long as it must.
const AGE_MAX: Duration = Duration::from_secs(3_650 * 86_400);
/// How soon after it is due an attempt should begin.
const DEADLINE: Duration = Duration::from_secs(30);

const LABELS_MAX: usize = 32;
/// Of labels, flow-control keys and the like.
const TEXT_BYTES_MAX: usize = 256;
const DEDUPLICATION_ID_BYTES_MAX: usize = 1_024;

/// Limits that the operator sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub retries_max: u32,
    pub delay_max: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub method: Method,
    pub content_type: Option<Bytes>,
    /// Lower-case names without the prefix, in order; no content type.
    pub forward: Vec<Line>,
    pub delay: Option<Duration>,
    /// Wins over `delay`.
    pub not_before: Option<Time>,
    pub retries: Option<u32>,
    pub retry_delay: Option<RetryDelay>,
    /// Limit of one attempt.
    pub timeout: Option<Duration>,
    pub callback: Option<Callback>,
    pub failure_callback: Option<Callback>,
    pub deduplication: Deduplication,
    pub labels: Vec<String>,
    pub flow: Option<Flow>,
    pub redact: Redact,
    pub cron: Option<String>,
    pub schedule_id: Option<String>,
    /// Of schedules only; a message's own queue is in the path.
    pub queue: Option<String>,
    /// Whether every header of the request is forwarded; done when it was read, here for a group's defaults.
    pub forward_all: bool,
}

/// An expression with its text, which is shown as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryDelay {
    pub text: String,
    pub expression: Expression,
}

/// Where the outcome of an attempt is told, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    pub url: String,
    /// Settings of the callback message, under a message's own names.
    pub lines: Vec<Line>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Deduplication {
    #[default]
    None,
    Id(String),
    Content,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            method: Method::POST,
            content_type: None,
            forward: Vec::new(),
            delay: None,
            not_before: None,
            retries: None,
            retry_delay: None,
            timeout: None,
            callback: None,
            failure_callback: None,
            deduplication: Deduplication::None,
            labels: Vec::new(),
            flow: None,
            redact: Redact::default(),
            cron: None,
            schedule_id: None,
            queue: None,
            forward_all: false,
        }
    }
}

impl Settings {
    /// Reads the lines. Of a setting that is there twice the first counts, of lists all; names without a
    /// meaning here are passed over, so that an event's other headers may stand among them.
    pub fn parse(lines: &[Line]) -> Result<Self, ApiError> {
        let mut settings = Settings::default();
        let mut raw = Raw::default();
        for (name, value) in lines {
            settings.take(&mut raw, name, value)?;
        }
        settings.flow = flow::parse(raw.flow_key, raw.flow_value)?;
        settings.callback = callback(raw.callback, "upstash-callback-", lines)?;
        settings.failure_callback = callback(raw.failure_callback, "upstash-failure-callback-", lines)?;
        if raw.by_content && settings.deduplication == Deduplication::None {
            settings.deduplication = Deduplication::Content;
        }
        settings.forward.retain(|(name, value)| {
            let content_type = &**name == "content-type";
            if content_type {
                settings.content_type = Some(value.clone());
            }
            !content_type
        });
        Ok(settings)
    }

    /// Of a stored event. They held when it was accepted; should a later version read them otherwise, the
    /// message goes out with the defaults rather than not at all.
    pub fn of(event: &Event) -> Self {
        Self::parse(&event.headers).unwrap_or_default()
    }

    fn take<'l>(&mut self, raw: &mut Raw<'l>, name: &str, value: &'l Bytes) -> Result<(), ApiError> {
        if let Some(forwarded) = name.strip_prefix(FORWARD) {
            self.forward.push((forwarded.into(), value.clone()));
            return Ok(());
        }
        let Some(setting) = name.strip_prefix("upstash-") else {
            if name == "content-type" && self.content_type.is_none() {
                self.content_type = Some(value.clone());
            }
            return Ok(());
        };
        let text = || text(name, value);
        match setting {
            "method" => self.method = method(text()?)?,
            "delay" => set(&mut self.delay, duration::parse("Upstash-Delay", text()?)?),
            "not-before" => set(&mut self.not_before, Time::from_s(number("Upstash-Not-Before", text()?)?)),
            "retries" => set(&mut self.retries, number("Upstash-Retries", text()?)?),
            "retry-delay" => set(&mut self.retry_delay, RetryDelay::parse(text()?)?),
            "timeout" => set(&mut self.timeout, duration::parse("Upstash-Timeout", text()?)?),
            "callback" => set(&mut raw.callback, text()?),
            "failure-callback" => set(&mut raw.failure_callback, text()?),
            "deduplication-id" => self.deduplication = deduplication(text()?)?,
            "content-based-deduplication" => raw.by_content = is_true(value),
            "label" => labels(&mut self.labels, text()?)?,
            "flow-control-key" => set(&mut raw.flow_key, text()?),
            "flow-control-value" => set(&mut raw.flow_value, text()?),
            "redact-fields" => self.redact = Redact::parse(text()?)?,
            "cron" => set(&mut self.cron, cron(text()?)?),
            "schedule-id" => set(&mut self.schedule_id, name_of("schedule id", text()?)?),
            "queue-name" => set(&mut self.queue, name_of("queue name", text()?)?),
            "header-forward" => self.forward_all = is_true(value),
            _ => {}
        }
        Ok(())
    }

    /// Whether it stays within the operator's limits, in QStash's words.
    pub fn check(&self, limits: Limits, now: Time) -> Result<(), ApiError> {
        let callbacks = [&self.callback, &self.failure_callback].into_iter().flatten();
        let of_callbacks: Vec<Settings> = callbacks.map(|c| Self::parse(&c.lines)).collect::<Result<_, _>>()?;
        for settings in std::iter::once(self).chain(&of_callbacks) {
            if settings.retries.is_some_and(|retries| retries > limits.retries_max) {
                return Err(ApiError::quota("quota maxRetries exceeded"));
            }
            if settings.due_at(now).since(now) > limits.delay_max {
                let limit_s = limits.delay_max.as_secs();
                return Err(ApiError::quota(format!("quota maxDelay exceeded, current limit: {limit_s}")));
            }
        }
        Ok(())
    }

    /// When a message published now may go out first.
    pub fn due_at(&self, now: Time) -> Time {
        match (self.not_before, self.delay) {
            (Some(at), _) => at.max(now),
            (None, Some(delay)) => now.plus(delay),
            (None, None) => now,
        }
    }

    pub fn retries(&self) -> u32 {
        self.retries.unwrap_or(RETRIES_DEFAULT)
    }

    /// The delivery's policy: QStash's schedule, without jitter. An expression replaces its waits.
    pub fn policy(&self) -> Policy {
        let step_s = BACKOFF_EXPONENT.exp();
        Policy {
            retry: RetryPolicy {
                attempts: self.retries().saturating_add(1),
                initial: Duration::from_secs_f64(step_s),
                factor: step_s,
                max: BACKOFF_MAX,
            },
            deadline: DEADLINE,
            max_age: AGE_MAX,
            critical: false,
        }
    }

    /// The event's type: the first label.
    pub fn event_type(&self) -> &str {
        self.labels.first().map_or("message", String::as_str)
    }
}

impl RetryDelay {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let expression = Expression::parse(text);
        let expression = expression.map_err(|why| ApiError::bad(format!("invalid Upstash-Retry-Delay: {why}")))?;
        Ok(RetryDelay { text: text.to_owned(), expression })
    }
}

impl Callback {
    /// Headers that go along with it, under their own names.
    pub fn forwarded(&self) -> impl Iterator<Item = Line> + '_ {
        self.lines.iter().filter_map(|(name, value)| Some((name.strip_prefix(FORWARD)?.into(), value.clone())))
    }

    /// The lines of the callback message of a source: what it does not say is as the source's. Of its own it
    /// has no callbacks, no deduplication, no flow control, no labels.
    pub fn message(&self, source: &[Line]) -> Vec<Line> {
        let mut lines = self.lines.clone();
        let inherited = ["upstash-retries", "upstash-retry-delay", "upstash-timeout"];
        let inherited = source.iter().filter(|(name, _)| inherited.contains(&&**name)).cloned();
        super::lines::add_defaults(&mut lines, &inherited.collect::<Vec<_>>());
        lines.push((Arc::from("content-type"), Bytes::from_static(b"application/json")));
        lines
    }
}

/// What only makes sense together.
#[derive(Debug, Default)]
struct Raw<'l> {
    callback: Option<&'l str>,
    failure_callback: Option<&'l str>,
    flow_key: Option<&'l str>,
    flow_value: Option<&'l str>,
    by_content: bool,
}

fn set<T>(field: &mut Option<T>, value: T) {
    field.get_or_insert(value);
}

fn text<'l>(name: &str, value: &'l Bytes) -> Result<&'l str, ApiError> {
    let text = std::str::from_utf8(value).map(str::trim);
    text.map_err(|_| ApiError::bad(format!("invalid header {name}: it is not UTF-8")))
}

fn number<T: FromStr>(header: &str, text: &str) -> Result<T, ApiError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.ok_or_else(|| ApiError::bad(format!("invalid {header}: {text:?} is not a whole number")))
}

fn method(text: &str) -> Result<Method, ApiError> {
    let known = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let found = known.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text));
    found.ok_or_else(|| ApiError::bad("invalid Upstash-Method: use GET, POST, PUT, PATCH or DELETE"))
}

fn deduplication(text: &str) -> Result<Deduplication, ApiError> {
    match text.len() {
        0 => Ok(Deduplication::None),
        1..=DEDUPLICATION_ID_BYTES_MAX => Ok(Deduplication::Id(text.to_owned())),
        _ => Err(ApiError::bad(format!(
            "invalid Upstash-Deduplication-Id: longer than {DEDUPLICATION_ID_BYTES_MAX} bytes"
        ))),
    }
}

fn labels(labels: &mut Vec<String>, text: &str) -> Result<(), ApiError> {
    labels.extend(text.split(',').map(str::trim).filter(|label| !label.is_empty()).map(str::to_owned));
    if labels.len() > LABELS_MAX || labels.iter().any(|label| label.len() > TEXT_BYTES_MAX) {
        let limits = format!("at most {LABELS_MAX} labels of {TEXT_BYTES_MAX} bytes");
        return Err(ApiError::bad(format!("invalid Upstash-Label: {limits}")));
    }
    Ok(())
}

fn cron(text: &str) -> Result<String, ApiError> {
    Cron::parse(text).map_err(|why| ApiError::bad(why.to_string()))?;
    Ok(text.to_owned())
}

fn name_of(what: &str, text: &str) -> Result<String, ApiError> {
    names::check(what, text)?;
    Ok(text.to_owned())
}

fn callback(url: Option<&str>, prefix: &str, lines: &[Line]) -> Result<Option<Callback>, ApiError> {
    let Some(url) = url.filter(|url| !url.is_empty()) else { return Ok(None) };
    let kind = prefix.trim_start_matches("upstash-").trim_end_matches('-');
    let bad = |why: &ApiError| ApiError::bad(format!("invalid {kind} url: {}", why.text));
    let url = destination::url(url).map_err(|why| bad(&why))?;
    let own = ["method", "retries", "retry-delay", "timeout", "delay"];
    let own = lines.iter().filter_map(|(name, value)| {
        let setting = name.strip_prefix(prefix)?;
        let meant = own.contains(&setting) || setting.starts_with("forward-");
        meant.then(|| (format!("upstash-{setting}").into(), value.clone()))
    });
    let lines: Vec<Line> = own.collect();
    Settings::parse(&lines)?;
    Ok(Some(Callback { url, lines }))
}

#[cfg(test)]
mod tests;
