//! What makes two publishes the same message: the publisher's id, or a hash over what would be sent. The
//! result is the event's idempotency key; the window is the store's business.

use aws_lc_rs::digest::{Context, SHA256};

/// What is hashed for content-based deduplication.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// The address, or the endpoint's within a group.
    pub url: &'a str,
    pub queue: Option<&'a str>,
    pub method: &'a str,
    pub content_type: Option<&'a [u8]>,
    /// Names lower-case; order does not count.
    pub forwarded: &'a [(&'a str, &'a [u8])],
    pub body: &'a [u8],
}

/// Key of a publisher's id. The address does not matter; each endpoint of a group has its own key.
pub fn by_id(id: &str, endpoint: Option<&str>) -> String {
    let mut hash = Context::new(&SHA256);
    part(&mut hash, id.as_bytes());
    part(&mut hash, endpoint.unwrap_or_default().as_bytes());
    format!("id:{}", hex::encode(hash.finish()))
}

/// Key of the content.
pub fn by_content(content: &Content<'_>) -> String {
    let mut hash = Context::new(&SHA256);
    for bytes in [
        content.url.as_bytes(),
        content.queue.unwrap_or_default().as_bytes(),
        content.method.as_bytes(),
        content.content_type.unwrap_or_default(),
        content.body,
    ] {
        part(&mut hash, bytes);
    }
    let mut forwarded = content.forwarded.to_vec();
    forwarded.sort_unstable();
    for (name, value) in forwarded {
        part(&mut hash, name.as_bytes());
        part(&mut hash, value);
    }
    format!("content:{}", hex::encode(hash.finish()))
}

/// With its length before it, so that no two lists of parts run together.
fn part(hash: &mut Context, bytes: &[u8]) {
    hash.update(&(bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Content<'_> = Content {
        url: "https://a/",
        queue: None,
        method: "POST",
        content_type: Some(b"text/plain"),
        forwarded: &[("x-a", b"1"), ("x-b", b"2")],
        body: b"hello",
    };

    #[test]
    fn an_id_is_the_key_whatever_the_address_but_by_endpoint() {
        assert_eq!(by_id("a", None), by_id("a", None));
        let keys =
            [by_id("a", None), by_id("b", None), by_id("a", Some("https://e1/")), by_id("a", Some("https://e2/"))];
        assert!((1..keys.len()).all(|n| !keys[..n].contains(&keys[n])));
        assert!(by_id(&"x".repeat(10_000), None).len() < 100);
    }

    #[test]
    fn all_that_would_be_sent_counts_and_order_does_not() {
        let key = by_content(&PLAIN);
        assert_eq!(by_content(&Content { forwarded: &[("x-b", b"2"), ("x-a", b"1")], ..PLAIN }), key);
        for other in [
            Content { url: "https://b/", ..PLAIN },
            Content { queue: Some("q"), ..PLAIN },
            Content { method: "PUT", ..PLAIN },
            Content { content_type: None, ..PLAIN },
            Content { body: b"hello!", ..PLAIN },
            Content { forwarded: &[("x-a", b"1")], ..PLAIN },
            Content { forwarded: &[("x-a", b"1x-b"), ("", b"2")], ..PLAIN },
        ] {
            assert_ne!(by_content(&other), key, "{other:?}");
        }
    }
}
