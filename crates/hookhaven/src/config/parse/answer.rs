//! `[sources.NAME] answer = { status, content_type, body }`: what accepted events are answered.
//!
//! For senders that want a certain text, above all those described by `hmac`; named senders have their answers.

use std::borrow::Cow;

use hookhaven_core::sender::Answer;
use http::{HeaderValue, StatusCode};

use super::document::Item;

/// Longer than what any sender reads.
const BODY_BYTES_MAX: usize = 16 << 10;
/// Of a body without one.
const CONTENT_TYPE: &str = "text/plain";

/// `None` if something is wrong with it, which is then reported.
pub fn read(item: &Item<'_>) -> Option<Answer> {
    let mut table = item.table("a table such as { status = 200, content_type = \"text/plain\", body = \"ok\" }")?;
    let status = table.take("status").map_or(Some(StatusCode::OK), |item| status(&item));
    let content_type = table.take("content_type").map_or(Some(None), |item| content_type(&item).map(Some));
    let body = table.take("body").map_or(Some(String::new()), |item| {
        let text = item.text("a text in quotes, such as \"ok\"")?;
        if text.len() > BODY_BYTES_MAX {
            item.error("longer than 16 KiB", "senders read a few words, if any");
            return None;
        }
        Some(text.to_owned())
    });
    table.finish();
    let (status, content_type, body) = (status?, content_type?, body?);
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT) && !body.is_empty() {
        item.error(format!("a {} has no body", status.as_u16()), "take the body out, or write status = 200");
        return None;
    }
    let content_type = content_type.or_else(|| (!body.is_empty()).then_some(Cow::Borrowed(CONTENT_TYPE)));
    Some(Answer { status, content_type, headers: Vec::new(), body: body.into_bytes() })
}

/// A success: anything else would have the sender come again for what is stored.
fn status(item: &Item<'_>) -> Option<StatusCode> {
    let number = item.integer(200..=299)?;
    u16::try_from(number).ok().and_then(|number| StatusCode::from_u16(number).ok())
}

fn content_type(item: &Item<'_>) -> Option<Cow<'static, str>> {
    let text = item.text("a content type in quotes, such as \"application/json\"")?;
    if !text.contains('/') || HeaderValue::from_str(text).is_err() {
        item.error("this is not a content type", "write one such as \"application/json\"");
        return None;
    }
    Some(Cow::Owned(text.to_owned()))
}
