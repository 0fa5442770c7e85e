//! Any HTTP endpoint: the [`Notice`] as JSON, signed as attempts are (Standard Webhooks). `webhook-id` is the event's id,
//! the same however often it is tried.

use hookhaven_core::{Secret, Time, alert::Notice, sign::sign};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::Post;

pub fn post(url: Url, secret: &Secret, notice: &Notice, id: &str, now: Time) -> Post {
    // Texts and numbers: there is nothing in it that JSON could not say.
    let body = serde_json::to_vec(notice).unwrap_or_default();
    let mut headers = HeaderMap::new();
    if let Some(signature) = sign(id, now, &body, std::slice::from_ref(secret)) {
        for (name, value) in [
            ("webhook-id", signature.id),
            ("webhook-timestamp", signature.timestamp),
            ("webhook-signature", signature.signature),
        ] {
            // Ids, digits and base64 are all a header can hold.
            headers.extend(HeaderValue::try_from(value).ok().map(|value| (HeaderName::from_static(name), value)));
        }
    }
    Post { url, headers, body: body.into() }
}
