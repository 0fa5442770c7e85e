//! PagerDuty's Events API v2 (developer.pagerduty.com/docs/send-alert-event): all tellings of one episode share a
//! `dedup_key`, so that they are one incident, which its end resolves.

use hookhaven_core::{
    Secret,
    alert::{Kind, Notice, Severity},
};
use serde_json::json;
use url::Url;

use super::Post;

/// Longest summary that is taken.
const SUMMARY_CHARS_MAX: usize = 1_024;
/// Longest dedup_key that is taken.
const KEY_CHARS_MAX: usize = 255;

pub fn post(url: Url, routing_key: &Secret, notice: &Notice) -> Post {
    let action = if notice.kind == Kind::Ended { "resolve" } else { "trigger" };
    let severity = match notice.severity {
        Severity::Page => "critical",
        Severity::Notify => "warning",
    };
    let summary: String = format!("{}: {}", notice.title, notice.text).chars().take(SUMMARY_CHARS_MAX).collect();
    let links = if notice.link.is_empty() { json!([]) } else { json!([{ "href": notice.link, "text": "All alerts" }]) };
    Post::json(
        url,
        &json!({
            "routing_key": String::from_utf8_lossy(routing_key.expose()).trim(),
            "event_action": action,
            "dedup_key": dedup_key(notice),
            "client": "Hookhaven",
            "links": links,
            "payload": {
                "summary": summary,
                "source": "hookhaven",
                "severity": severity,
                "timestamp": notice.at,
                "component": notice.scope,
                "class": notice.rule,
                "custom_details": {
                    "runbook": notice.runbook,
                    "command": notice.command,
                    "value": notice.value,
                    "threshold": notice.threshold,
                    "peak": notice.peak,
                    "fired_at": notice.fired_at,
                },
            },
        }),
    )
}

/// What is too long keeps its end, which tells episodes apart.
fn dedup_key(notice: &Notice) -> String {
    let surplus = notice.thread.chars().count().saturating_sub(KEY_CHARS_MAX);
    notice.thread.chars().skip(surplus).collect()
}

#[cfg(test)]
mod tests {
    use hookhaven_core::Time;
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_end_resolves_what_the_beginning_triggered() {
        let key = Secret::new("R0UTING").unwrap();
        let said = |notice: &Notice| -> Value {
            serde_json::from_slice(&post(Url::parse("http://127.0.0.1:2/").unwrap(), &key, notice).body).unwrap()
        };
        let fired = Notice { severity: Severity::Page, ..Notice::trial("ops", "", Time::EPOCH, "r") };
        let ended = Notice { kind: Kind::Ended, ..fired.clone() };
        let (fired, ended) = (said(&fired), said(&ended));
        assert_eq!((&fired["event_action"], &ended["event_action"]), (&json!("trigger"), &json!("resolve")));
        assert_eq!(fired["dedup_key"], ended["dedup_key"]);
        assert_eq!((&fired["payload"]["severity"], &fired["routing_key"]), (&json!("critical"), &json!("R0UTING")));
        assert_eq!(fired["payload"]["timestamp"], "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn a_key_is_never_too_long() {
        let notice =
            Notice { thread: format!("hookhaven/{}/7", "x".repeat(400)), ..Notice::trial("a", "", Time::EPOCH, "") };
        let key = dedup_key(&notice);
        assert!(key.chars().count() == KEY_CHARS_MAX && key.ends_with("/7"));
    }
}
