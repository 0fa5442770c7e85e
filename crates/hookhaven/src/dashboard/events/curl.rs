//! An event as a command: what its handler is sent, for `curl`. Credentials and signatures are left for the reader to
//! fill in, since nobody is shown any.
//!
//! What is pasted into a terminal must do nothing but what it says: everything foreign stands in single quotes, and
//! what holds control characters is not written out.

use std::fmt::Write as _;

use crate::{
    api::view::{EventDetail, REDACTED, Text},
    headers::is_of_the_connection,
};

/// Stands where the reader has to put something.
const FILL_IN: &str = "REPLACE_ME";
/// A longer body is sent from a file.
const INLINE_BYTES_MAX: usize = 8 << 10;

/// `url`: where to, as it is shown. `file`: the name of the body's download.
pub fn command(detail: &EventDetail, url: &str, body: &[u8], is_whole: bool, file: &str) -> String {
    let event = &detail.event;
    let mut out = format!("curl -X POST {}", quoted(&url.replace('…', FILL_IN)));
    let mut header = |name: &str, value: &str| {
        // Writing to a String does not fail.
        let _ = write!(out, " \\\n  -H {}", quoted(&format!("{name}: {}", plain(value))));
    };
    for line in &detail.headers {
        let name = line.name.to_ascii_lowercase();
        let ours = name.starts_with("hookhaven-") || name.starts_with("webhook-") || name == "user-agent";
        if ours || is_of_the_connection(&name) {
            continue;
        }
        match &line.value {
            Text::Utf8(value) if value == REDACTED => header(&line.name, FILL_IN),
            Text::Utf8(value) => header(&line.name, value),
            Text::Base64 { .. } => {}
        }
    }
    header("hookhaven-event-id", &event.id.to_string());
    header("hookhaven-event-type", &event.event_type);
    header("hookhaven-source", &event.source);
    header("hookhaven-attempt", "1");
    header("hookhaven-received-at", &event.received_at.to_string());
    header("webhook-id", &event.id.to_string());
    header("webhook-timestamp", FILL_IN);
    header("webhook-signature", &format!("v1,{FILL_IN}"));
    let inline = std::str::from_utf8(body).ok().filter(|text| is_whole && is_harmless(text));
    let body = match inline {
        Some(text) => format!("--data-raw {}", quoted(text)),
        None => format!("--data-binary {}", quoted(&format!("@{file}"))),
    };
    let _ = write!(out, " \\\n  {body}");
    out
}

fn is_harmless(text: &str) -> bool {
    text.len() <= INLINE_BYTES_MAX && !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t')
}

/// Without what could end a line or drive a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::view::{HeaderView, Routing};

    fn detail(headers: &[(&str, &str)]) -> EventDetail {
        let event = serde_json::from_value(serde_json::json!({
            "id": format!("evt_{}", "0".repeat(26)), "source": "s", "type": "it's $(x) `y`\n\u{1b}[201~rm", "idempotency_key": "k",
            "received_at": "2026-01-01T00:00:00Z", "occurred_at": null, "correlation_id": "c", "matched_secret": 0,
            "remote": "", "body_bytes": 3, "part": null, "delivery_count": 1,
        }));
        let header = |(name, value): &(&str, &str)| HeaderView {
            name: (*name).to_owned(),
            value: Text::Utf8((*value).to_owned()),
        };
        EventDetail {
            event: event.unwrap(),
            headers: headers.iter().map(header).collect(),
            deliveries: vec![],
            routing: Routing::default(),
        }
    }

    #[test]
    fn foreign_text_stays_in_its_quotes_and_no_secret_is_written() {
        let detail =
            detail(&[("x-a", "b'; rm -rf /"), ("authorization", REDACTED), ("host", "h"), ("webhook-id", "w")]);
        let text = command(&detail, "https://h.example/x?…", b"{\"it's\":1}", true, "evt.body");
        assert!(text.contains(r"-H 'x-a: b'\''; rm -rf /'"), "{text}");
        assert!(text.contains("-H 'authorization: REPLACE_ME'") && !text.contains("host:"), "{text}");
        assert!(text.contains(r"-H 'hookhaven-event-type: it'\''s $(x) `y`??[201~rm'"), "{text}");
        assert!(text.starts_with("curl -X POST 'https://h.example/x?REPLACE_ME' \\\n"), "{text}");
        assert!(text.ends_with(r#"--data-raw '{"it'\''s":1}'"#), "{text}");
        for (body, whole) in [(&b"\x1b[201~"[..], true), (b"\xff", true), (b"{}", false)] {
            assert!(command(&detail, "http://h/", body, whole, "e.body").ends_with("--data-binary '@e.body'"));
        }
    }
}
