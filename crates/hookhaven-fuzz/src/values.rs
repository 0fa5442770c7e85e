//! Numbers with units and times as others write them: `Retry-After`, durations, sizes, rates. What is read lies
//! within its bounds, and what is printed is read back.

use std::time::Duration;

use hookhaven::config::{duration, size};
use hookhaven_core::{
    Time,
    retry::{HINT_MAX, parse_retry_after},
    senders::Unit,
};

/// Ten years.
const DURATION_MAX: Duration = Duration::from_secs(3_650 * 86_400);

/// An input is a text to be read as each of them.
pub fn run(data: &[u8]) {
    retry_after(data);
    for unit in [Unit::S, Unit::Ms] {
        if let Some(at) = unit.read_strict(data) {
            assert_eq!(unit.write(at).as_bytes(), without_zeros(data));
        }
    }
    let _ = Unit::Rfc3339.read_strict(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(read) = duration::parse(text) {
        assert!(read <= DURATION_MAX, "{text:?}");
        assert_eq!(duration::parse(&duration::print(read)), Some(read), "{text:?}");
    }
    if let Some(bytes) = size::parse(text) {
        assert_eq!(size::parse(&size::print(bytes)), Some(bytes), "{text:?}");
    }
    if let Some(rate) = size::parse_rate(text) {
        assert!(rate.per > Duration::ZERO && rate.per <= DURATION_MAX, "{text:?}");
    }
    if let Some(at) = Time::parse_rfc3339(text) {
        assert_eq!(Time::parse_rfc3339(&at.to_string()), Some(at), "{text:?}");
    }
}

fn retry_after(data: &[u8]) {
    for now in [Time::EPOCH, Time::from_s(1_790_000_000), Time::MAX, Time::from_us(i64::MIN), Time::from_us(i64::MAX)] {
        let Some(wait) = parse_retry_after(data, now) else { continue };
        assert!(wait <= HINT_MAX);
        if data.iter().all(u8::is_ascii_digit) {
            let seconds = data.iter().fold(0u64, |n, b| n.saturating_mul(10).saturating_add(u64::from(b - b'0')));
            assert_eq!(wait, Duration::from_secs(seconds).min(HINT_MAX));
        }
    }
}

/// The digits as they are written again.
fn without_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|b| **b == b'0').count();
    &digits[zeros.min(digits.len().saturating_sub(1))..]
}
