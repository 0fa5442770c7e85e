//! The id by which a request can be followed through log lines, the store and handlers: the caller's
//! if it is well formed, else ours.

use std::sync::Arc;

use hookhaven_store::clock::Entropy;
use http::HeaderMap;

use crate::telemetry::Context;

const CALLER_BYTES_MAX: usize = 128;

/// `X-Request-Id`, else the trace id of `traceparent` (W3C Trace Context, version 00 and later), else
/// 32 random hex digits. A header that is there twice is nobody's.
pub fn of(headers: &HeaderMap, entropy: &dyn Entropy) -> Arc<str> {
    let once = |name: &str| {
        let mut values = headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none()).and_then(|v| v.to_str().ok())
    };
    if let Some(id) = once("x-request-id").filter(|id| well_formed(id)) {
        return id.into();
    }
    if let Some(context) = once("traceparent").and_then(Context::parse) {
        return context.trace_id().into();
    }
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    let mut text = [0; 32];
    // It cannot fail: the text is twice as long as the bytes.
    let _ = hex::encode_to_slice(bytes, &mut text);
    std::str::from_utf8(&text).unwrap_or_default().into()
}

/// Only what can stand in a header, a log line and a shell command without harm.
fn well_formed(id: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&b);
    !id.is_empty() && id.len() <= CALLER_BYTES_MAX && id.bytes().all(fine)
}

#[cfg(test)]
mod tests {
    use hookhaven_store::clock::SeededEntropy;
    use http::{HeaderName, HeaderValue};

    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn id(headers: &[(&'static str, &str)]) -> Arc<str> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        of(&map, &SeededEntropy::new(1))
    }

    #[test]
    fn the_caller_s_id_is_kept_if_well_formed() {
        assert_eq!(&*id(&[("x-request-id", "req_1:a/b.c-d=="), ("traceparent", TRACE)]), "req_1:a/b.c-d==");
        assert_eq!(&*id(&[("x-request-id", "two words"), ("traceparent", TRACE)]), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn anything_else_gets_one_of_ours() {
        let long = "x".repeat(129);
        for headers in [
            &[][..],
            &[("x-request-id", "")],
            &[("x-request-id", &long)],
            &[("x-request-id", "a\tb")],
            &[("x-request-id", "é")],
            &[("x-request-id", "a"), ("x-request-id", "b")],
            &[("traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01")],
            &[("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x")],
            &[("traceparent", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")],
            &[("traceparent", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01")],
        ] {
            let id = id(headers);
            assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{headers:?} {id}");
            assert!(!headers.iter().any(|(_, value)| value.contains(&*id)), "{headers:?} {id}");
        }
    }
}
