//! Durations in QStash's headers: Go's, and days.

use std::time::Duration;

use hookhaven_core::go_duration;

use super::error::ApiError;

/// `header` is the name of the setting, for the message.
pub fn parse(header: &str, text: &str) -> Result<Duration, ApiError> {
    go_duration::parse(text, true).map_err(|why| ApiError::bad(format!("invalid {header}: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_one_is_named() {
        assert_eq!(parse("Upstash-Delay", "1d2h"), Ok(Duration::from_secs(26 * 3_600)));
        let error = parse("Upstash-Delay", "10").unwrap_err();
        assert_eq!(error.text, "invalid Upstash-Delay: time: missing unit in duration \"10\"");
    }
}
