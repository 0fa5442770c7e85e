//! A flow-control key with its limits, as a message carries them.

use std::{num::NonZeroU32, time::Duration};

use super::{super::duration, ApiError, TEXT_BYTES_MAX, number};

const PERIOD_DEFAULT: Duration = Duration::from_secs(1);
/// Longest period of a rate.
pub const PERIOD_MAX: Duration = Duration::from_secs(7 * 86_400);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    pub key: String,
    /// Calls in flight at once.
    pub parallelism: Option<NonZeroU32>,
    /// Calls started in each period.
    pub rate: Option<NonZeroU32>,
    pub period: Duration,
}

pub(super) fn parse(key: Option<&str>, value: Option<&str>) -> Result<Option<Flow>, ApiError> {
    let Some(key) = key.filter(|key| !key.is_empty()) else { return Ok(None) };
    if key.len() > TEXT_BYTES_MAX {
        return Err(ApiError::bad(format!("invalid Upstash-Flow-Control-Key: longer than {TEXT_BYTES_MAX} bytes")));
    }
    let missing = || ApiError::bad("invalid Upstash-Flow-Control-Value: a key needs a parallelism or a rate");
    let mut flow = Flow { key: key.to_owned(), parallelism: None, rate: None, period: PERIOD_DEFAULT };
    for pair in value.ok_or_else(missing)?.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| bad(pair))?;
        let (name, value) = (name.trim(), value.trim());
        match name.to_ascii_lowercase().as_str() {
            "parallelism" => flow.parallelism = Some(count(pair, value)?),
            "rate" | "ratepersecond" => flow.rate = Some(count(pair, value)?),
            "period" => flow.period = period(pair, value)?,
            _ => return Err(bad(pair)),
        }
    }
    if flow.parallelism.is_none() && flow.rate.is_none() {
        return Err(missing());
    }
    Ok(Some(flow))
}

fn count(pair: &str, value: &str) -> Result<NonZeroU32, ApiError> {
    number::<u32>("Upstash-Flow-Control-Value", value).ok().and_then(NonZeroU32::new).ok_or_else(|| bad(pair))
}

/// A duration; a plain number is seconds.
fn period(pair: &str, value: &str) -> Result<Duration, ApiError> {
    let period = match number("Upstash-Flow-Control-Value", value) {
        Ok(s) => Duration::from_secs(s),
        Err(_) => duration::parse("Upstash-Flow-Control-Value", value)?,
    };
    if period.is_zero() || period > PERIOD_MAX { Err(bad(pair)) } else { Ok(period) }
}

fn bad(pair: &str) -> ApiError {
    let rule = "use parallelism=N, rate=N and period=DURATION of at most 7 days";
    ApiError::bad(format!("invalid Upstash-Flow-Control-Value: {pair:?}; {rule}"))
}
