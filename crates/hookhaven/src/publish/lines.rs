//! The settings of a message as they were written: lower-case header lines, from a request's headers, from
//! its query, or from a batch entry's JSON. They are what an event keeps, and are parsed again
//! (`settings`) whenever they are needed.
//!
//! Only what has a meaning gets through: no telemetry, no credentials, nothing that could break a header.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::error::ApiError;
use crate::headers::is_of_the_connection;

/// A header line; its name in lower case.
pub type Line = (Arc<str>, Bytes);

/// Lines of one message.
pub const LINES_MAX: usize = 128;
/// All of them together, names included.
pub const LINES_BYTES_MAX: usize = 64 * 1_024;

/// Prefix of what goes to the destination.
pub const FORWARD: &str = "upstash-forward-";
/// Prefix of what we add: nothing of a request's comes in under it.
pub const OURS: &str = "hookhaven-publish-";

/// What else has a meaning, behind `upstash-`.
const SETTINGS: [&str; 18] = [
    "method",
    "delay",
    "not-before",
    "retries",
    "retry-delay",
    "timeout",
    "callback",
    "failure-callback",
    "deduplication-id",
    "content-based-deduplication",
    "label",
    "flow-control-key",
    "flow-control-value",
    "redact-fields",
    "cron",
    "schedule-id",
    "queue-name",
    "header-forward",
];

/// How a request's headers are to be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    /// `Upstash-Header-Forward` by default (of a URL group).
    pub forward_all: bool,
    /// The `Authorization` header is ours, and goes nowhere.
    pub authorized_by_header: bool,
}

/// Of a request: its headers, and what its query says that no header does.
pub fn of_request(headers: &HeaderMap, query: &[Line], reading: Reading) -> Result<Vec<Line>, ApiError> {
    let forward_all =
        reading.forward_all || headers.get("upstash-header-forward").is_some_and(|v| is_true(v.as_bytes()));
    let mut lines = Lines::default();
    for (name, value) in headers {
        let (name, value) = (name.as_str(), value.as_bytes());
        if keeps(name)? {
            lines.push(name, value)?;
        } else if forward_all && is_forwarded(name, reading) {
            lines.push(&format!("{FORWARD}{name}"), value)?;
        }
    }
    for (name, value) in query.iter().filter(|(name, _)| !headers.contains_key(&**name)) {
        if keeps(name)? {
            lines.push(name, value)?;
        }
    }
    Ok(lines.lines)
}

/// Of a JSON object: names to texts, or to lists of texts.
pub fn of_json(headers: &Map<String, Value>) -> Result<Vec<Line>, ApiError> {
    let mut lines = Lines::default();
    for (name, value) in headers {
        let lower = name.trim().to_ascii_lowercase();
        HeaderName::try_from(&*lower).map_err(|_| ApiError::bad(format!("invalid header name {lower:?}")))?;
        if !keeps(&lower)? {
            continue;
        }
        match value {
            Value::String(text) => lines.push(&lower, text.as_bytes())?,
            Value::Array(texts) => {
                for text in texts {
                    let text = text.as_str().ok_or_else(|| not_text(&lower))?;
                    lines.push(&lower, text.as_bytes())?;
                }
            }
            Value::Null => {}
            _ => return Err(not_text(&lower)),
        }
    }
    Ok(lines.lines)
}

/// Takes settings out of the raw text behind `/v2/publish/`: `qstash_token` and `upstash-…` parameters. What
/// remains is the destination's, byte for byte.
pub fn take_from_query(raw: &str) -> Result<(String, Vec<Line>), ApiError> {
    let Some((path, query)) = raw.split_once('?') else {
        return Ok((raw.to_owned(), Vec::new()));
    };
    let (mut kept, mut lines) = (Vec::new(), Lines::default());
    for parameter in query.split('&') {
        let (name, value) = form_urlencoded::parse(parameter.as_bytes()).next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        if name.starts_with("upstash-") {
            if HeaderName::try_from(&*name).is_ok() {
                lines.push(&name, value.as_bytes())?;
            }
        } else if name != "qstash_token" {
            kept.push(parameter);
        }
    }
    let nothing_taken = kept.len() == query.split('&').count();
    let rest = if nothing_taken { raw.to_owned() } else { joined(path, &kept) };
    Ok((rest, lines.lines))
}

/// Adds what a message does not say itself.
pub fn add_defaults(lines: &mut Vec<Line>, defaults: &[Line]) {
    let said: Vec<Arc<str>> = lines.iter().map(|(name, _)| name.clone()).collect();
    lines.extend(defaults.iter().filter(|(name, _)| !said.contains(name)).cloned());
}

/// `true` in any case; the Python client writes `True`.
pub fn is_true(value: &[u8]) -> bool {
    value.trim_ascii().eq_ignore_ascii_case(b"true")
}

fn joined(path: &str, kept: &[&str]) -> String {
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

/// Whether a line of this name has a meaning of its own.
fn keeps(name: &str) -> Result<bool, ApiError> {
    let Some(setting) = name.strip_prefix("upstash-") else {
        return Ok(name == "content-type");
    };
    if setting.starts_with("workflow-") {
        return Err(ApiError::out_of_scope("Workflow"));
    }
    if let Some(forwarded) = name.strip_prefix(FORWARD) {
        return check_forwarded(forwarded).map(|()| true);
    }
    for callback in ["callback-forward-", "failure-callback-forward-"] {
        if let Some(forwarded) = setting.strip_prefix(callback) {
            return check_forwarded(forwarded).map(|()| true);
        }
    }
    Ok(SETTINGS.contains(&setting) || setting.starts_with("callback-") || setting.starts_with("failure-callback-"))
}

fn check_forwarded(name: &str) -> Result<(), ApiError> {
    if name.is_empty() || is_of_the_connection(name) {
        return Err(ApiError::bad(format!("invalid header: {name:?} cannot be forwarded")));
    }
    Ok(())
}

fn is_forwarded(name: &str, reading: Reading) -> bool {
    let ours = name == "authorization" && reading.authorized_by_header;
    !ours && !is_of_the_connection(name) && !name.starts_with("upstash-")
}

fn not_text(name: &str) -> ApiError {
    ApiError::bad(format!("invalid header {name}: its value must be text"))
}

/// Lines that grow up to their limits.
#[derive(Debug, Default)]
struct Lines {
    lines: Vec<Line>,
    bytes: usize,
}

impl Lines {
    fn push(&mut self, name: &str, value: &[u8]) -> Result<(), ApiError> {
        let value = value.trim_ascii();
        HeaderValue::from_bytes(value)
            .map_err(|_| ApiError::bad(format!("invalid header {name}: its value holds control characters")))?;
        self.lines.push((name.into(), Bytes::copy_from_slice(value)));
        self.bytes += name.len() + value.len();
        if self.lines.len() > LINES_MAX || self.bytes > LINES_BYTES_MAX {
            let limits = format!("at most {LINES_MAX} headers of {LINES_BYTES_MAX} bytes together");
            return Err(ApiError::bad(format!("too many headers: {limits}")));
        }
        Ok(())
    }
}

/// A header's name as QStash shows it: `test-header` is `Test-Header`.
pub fn canonical(name: &str) -> String {
    let mut first = true;
    let letter = |c: char| {
        let shown = if first { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        first = c == '-';
        shown
    };
    name.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use super::*;

    fn texts(lines: &[Line]) -> Vec<String> {
        let mut texts: Vec<_> = lines.iter().map(|(n, v)| format!("{n}: {}", String::from_utf8_lossy(v))).collect();
        texts.sort();
        texts
    }

    fn request(headers: &[(&str, &str)], query: &[Line], reading: Reading) -> Result<Vec<String>, ApiError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
        }
        of_request(&map, query, reading).map(|lines| texts(&lines))
    }

    fn json(value: Value) -> Result<Vec<String>, ApiError> {
        of_json(value.as_object().unwrap()).map(|lines| texts(&lines))
    }

    #[test]
    fn only_what_has_a_meaning_is_kept() {
        let kept = request(
            &[
                ("Authorization", "Bearer secret"),
                ("Content-Type", "application/json"),
                ("User-Agent", "node"),
                ("Host", "gateway"),
                ("Hookhaven-Publish-Group", "forged"),
                ("Upstash-Telemetry-Sdk", "js"),
                ("Upstash-Unknown", "x"),
                ("Upstash-Method", "PUT"),
                ("Upstash-Forward-X-A", " 1 "),
                ("Upstash-Forward-X-A", "2"),
                ("Upstash-Callback-Forward-X", "3"),
                ("Upstash-Failure-Callback-Retries", "0"),
            ],
            &[],
            Reading::default(),
        );
        let expected = [
            "content-type: application/json",
            "upstash-callback-forward-x: 3",
            "upstash-failure-callback-retries: 0",
            "upstash-forward-x-a: 1",
            "upstash-forward-x-a: 2",
            "upstash-method: PUT",
        ];
        assert_eq!(kept.unwrap(), expected);
    }

    #[test]
    fn all_headers_may_be_forwarded_but_not_the_token() {
        let headers = [("authorization", "Bearer t"), ("x-a", "1"), ("connection", "close"), ("user-agent", "u")];
        let reading = Reading { forward_all: true, authorized_by_header: true };
        let all = request(&headers, &[], reading).unwrap();
        assert_eq!(all, ["upstash-forward-user-agent: u", "upstash-forward-x-a: 1"]);
        let by_query = Reading { authorized_by_header: false, ..reading };
        assert!(request(&headers, &[], by_query).unwrap().contains(&"upstash-forward-authorization: Bearer t".into()));
        let asked = [("upstash-header-forward", "True"), ("x-a", "1")];
        assert!(request(&asked, &[], Reading::default()).unwrap().contains(&"upstash-forward-x-a: 1".into()));
    }

    #[test]
    fn the_query_s_settings_are_taken_out_and_headers_win() {
        let raw = "https://a.example/x?b=1&upstash-retries=0&c=%20&Upstash-Method=PUT&qstash_token=t&d";
        let (rest, lines) = take_from_query(raw).unwrap();
        assert_eq!(rest, "https://a.example/x?b=1&c=%20&d");
        assert_eq!(texts(&lines), ["upstash-method: PUT", "upstash-retries: 0"]);
        let both = request(&[("upstash-method", "GET")], &lines, Reading::default()).unwrap();
        assert_eq!(both, ["upstash-method: GET", "upstash-retries: 0"]);
        for raw in ["https://a/?", "https://a/?&&x=?&", "https://a", "https://a/?x=upstash-retries=1"] {
            assert_eq!(take_from_query(raw).unwrap().0, raw);
        }
        assert_eq!(take_from_query("https://a/?qstash_token=x").unwrap().0, "https://a/");
    }

    #[test]
    fn json_headers_are_texts_and_cannot_break_out() {
        let lines =
            json(json!({"Upstash-Delay": "5s", "Upstash-Forward-X": ["a", "b"], "x-other": 1, "Upstash-Label": null}));
        assert_eq!(lines.unwrap(), ["upstash-delay: 5s", "upstash-forward-x: a", "upstash-forward-x: b"]);
        for bad in [
            json!({"Upstash-Forward-X": "a\r\nX-Admin: 1"}),
            json!({"Upstash-Forward-X\r\nX-Admin": "1"}),
            json!({"Upstash-Forward-": "1"}),
            json!({"Upstash-Forward-Host": "evil"}),
            json!({"upstash-forward-content-length": "0"}),
            json!({"Upstash-Callback-Forward-Connection": "close"}),
            json!({"Upstash-Delay": 5}),
            json!({"Upstash-Delay": [5]}),
            json!({"": "x"}),
        ] {
            assert_eq!(json(bad.clone()).map_err(|e| e.status), Err(StatusCode::BAD_REQUEST), "{bad}");
        }
        let workflow = json(json!({"Upstash-Workflow-Init": "true"}));
        assert_eq!(workflow.unwrap_err().status, StatusCode::NOT_IMPLEMENTED);
    }

    #[test]
    fn there_are_limits() {
        let many: Map<String, Value> =
            (0..=LINES_MAX).map(|n| (format!("upstash-forward-{n}"), Value::from("x"))).collect();
        assert!(of_json(&many).is_err());
        assert!(json(json!({"upstash-forward-x": "x".repeat(LINES_BYTES_MAX)})).is_err());
    }

    #[test]
    fn defaults_fill_in_what_is_not_said() {
        let line = |n: &str, v: &'static str| (Arc::from(n), Bytes::from_static(v.as_bytes()));
        let mut lines = vec![line("upstash-retries", "1")];
        add_defaults(
            &mut lines,
            &[line("upstash-retries", "9"), line("upstash-forward-a", "1"), line("upstash-forward-a", "2")],
        );
        assert_eq!(texts(&lines), ["upstash-forward-a: 1", "upstash-forward-a: 2", "upstash-retries: 1"]);
    }
}
