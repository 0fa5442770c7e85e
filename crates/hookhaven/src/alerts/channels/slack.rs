//! Slack's incoming webhooks: blocks, and a text for notifications. In its `mrkdwn` `&`, `<` and `>` are control
//! characters and are written as entities (docs.slack.dev/messaging/formatting-message-text).

use hookhaven_core::alert::{Kind, Notice, Severity};
use serde_json::json;
use url::Url;

use super::Post;

/// A header block's text, and a section's (docs.slack.dev/reference/block-kit/blocks).
const HEADER_CHARS_MAX: usize = 150;
const SECTION_CHARS_MAX: usize = 3_000;

pub fn post(url: Url, notice: &Notice) -> Post {
    let sign = match (notice.kind, notice.severity) {
        (Kind::Ended, _) => ":white_check_mark:",
        (_, Severity::Page) => ":rotating_light:",
        (_, Severity::Notify) => ":warning:",
    };
    let headline = format!("{sign} {}", notice.headline());
    let mut section = escaped(&notice.text);
    if notice.kind != Kind::Ended && !notice.runbook.is_empty() {
        section.push_str(&format!("\n{}\n`{}`", escaped(&notice.runbook), escaped(&notice.command)));
    }
    let mut context = vec![format!("{} · {}", notice.severity.as_str(), escaped(&notice.rule))];
    if !notice.link.is_empty() {
        context.push(format!("<{}|all alerts>", escaped(&notice.link)));
    }
    Post::json(
        url,
        &json!({
            "text": format!("{} – {}", escaped(&headline), escaped(&notice.text)),
            "blocks": [
                // Plain text: nothing in it is read as control characters.
                { "type": "header", "text": { "type": "plain_text", "text": cut(&headline, HEADER_CHARS_MAX), "emoji": true } },
                { "type": "section", "text": { "type": "mrkdwn", "text": cut(&section, SECTION_CHARS_MAX) } },
                { "type": "context", "elements": [{ "type": "mrkdwn", "text": context.join(" · ") }] },
            ],
        }),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

#[cfg(test)]
mod tests {
    use hookhaven_core::Time;

    use super::*;

    #[test]
    fn what_slack_reads_as_control_characters_is_escaped() {
        let mut notice = Notice::trial("ops", "http://127.0.0.1:1", Time::EPOCH, "r");
        notice.text = "a <!channel> & more".to_owned();
        let post = post(Url::parse("http://127.0.0.1:2/").unwrap(), &notice);
        let body: serde_json::Value = serde_json::from_slice(&post.body).unwrap();
        let section = body["blocks"][1]["text"]["text"].as_str().unwrap();
        assert!(section.starts_with("a &lt;!channel&gt; &amp; more\n"), "{section}");
        assert!(body["text"].as_str().unwrap().contains("&lt;!channel&gt;"));
        assert_eq!(
            body["blocks"][2]["elements"][0]["text"],
            "notify · trial · <http://127.0.0.1:1/settings/alerts|all alerts>"
        );
    }
}
