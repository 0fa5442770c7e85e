//! Request headers: which are kept with the event, and the check of the content type.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, header};

use super::answer::Refusal;
use crate::headers::is_kept;

/// Kept at most; the rest is left out, in the order received.
const KEPT_MAX: usize = 64;
/// Names and values kept at most, in all.
const KEPT_BYTES_MAX: usize = 16 << 10;

/// The headers that are of use to a handler, lower-case names, values as received. They are copied into
/// one buffer, so that keeping them does not keep the connection's.
pub(super) fn kept(headers: &HeaderMap) -> Vec<(Arc<str>, Bytes)> {
    let useful = || headers.iter().filter(|(name, _)| is_kept(name.as_str()));
    let mut bytes = 0;
    let fits = |(name, value): &(&HeaderName, &http::HeaderValue)| {
        bytes += name.as_str().len() + value.len();
        bytes <= KEPT_BYTES_MAX
    };
    let chosen: Vec<_> = useful().take(KEPT_MAX).take_while(fits).collect();
    let mut values = BytesMut::with_capacity(chosen.iter().map(|(_, value)| value.len()).sum());
    let mut kept = Vec::with_capacity(chosen.len());
    for (name, value) in chosen {
        values.extend_from_slice(value.as_bytes());
        kept.push((Arc::from(name.as_str()), values.split().freeze()));
    }
    kept
}

/// 415 where the sender uses certain content types and this is another one. No content type at all is
/// left to the signature to judge.
pub(super) fn check_content_type(headers: &HeaderMap, used: &[&str]) -> Result<(), Refusal> {
    let Some(value) = headers.get(header::CONTENT_TYPE).filter(|_| !used.is_empty()) else {
        return Ok(());
    };
    let essence = value.as_bytes().split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    let known = used.iter().any(|used| used.as_bytes().eq_ignore_ascii_case(essence));
    if known { Ok(()) } else { Err(Refusal::ContentType) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn map(headers: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn what_helps_a_handler_is_kept_and_credentials_are_not() {
        let headers = map(&[
            ("Stripe-Signature", "t=1,v1=ab"),
            ("Content-Type", "application/json"),
            ("User-Agent", "Stripe/1.0"),
            ("X-GitHub-Event", "push"),
            ("webhook-id", "msg_1"),
            ("traceparent", "00-x"),
            ("Authorization", "Basic secret"),
            ("Cookie", "secret"),
            ("Proxy-Authorization", "secret"),
            ("X-Forwarded-For", "10.0.0.1"),
            ("Forwarded", "for=10.0.0.1"),
            ("Host", "inside"),
            ("Content-Length", "3"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "close"),
            ("Keep-Alive", "timeout=5"),
        ]);
        let kept = kept(&headers);
        let names: Vec<_> = kept.iter().map(|(name, _)| &**name).collect();
        assert_eq!(
            names,
            ["stripe-signature", "content-type", "user-agent", "x-github-event", "webhook-id", "traceparent"]
        );
        assert_eq!(&kept[0].1[..], b"t=1,v1=ab");
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_bytes() {
        let many: Vec<_> = (0..200).map(|n| (format!("x-{n}"), "v".to_owned())).collect();
        let many: Vec<_> = many.iter().map(|(n, v)| (&**n, &**v)).collect();
        assert_eq!(kept(&map(&many)).len(), KEPT_MAX);
        let big = "v".repeat(KEPT_BYTES_MAX - 20);
        assert_eq!(kept(&map(&[("x-big", &big), ("x-next", &big), ("x-last", "v")])).len(), 1);
    }

    #[test]
    fn content_types_are_compared_without_case_and_parameters() {
        let json = ["application/json"];
        for (value, used, ok) in [
            ("application/json", &json[..], true),
            ("Application/JSON ; charset=utf-8", &json, true),
            ("text/plain", &json, false),
            ("application/jsonp", &json, false),
            ("", &json, false),
            ("text/plain", &[], true),
        ] {
            assert_eq!(check_content_type(&map(&[("content-type", value)]), used).is_ok(), ok, "{value}");
        }
        assert!(check_content_type(&HeaderMap::new(), &json).is_ok());
    }
}
