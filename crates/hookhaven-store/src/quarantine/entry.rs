//! A rejected request as bytes: what is known of it as JSON, then the body as it is. Rings and the database keep
//! the same, so that a later version can add to it and an earlier one still reads the rest.
//!
//! Header values are bytes, and JSON has only text: each byte stands as the character of that number.

use std::sync::Arc;

use bytes::Bytes;
use hookhaven_core::{Rejected, RejectedId, Time, sender::Rejection};
use http::Method;
use serde::{Deserialize, Serialize};

/// Bytes that no rejected request can be read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a rejected request")]
pub(crate) struct BadEntry;

#[derive(Serialize, Deserialize)]
struct Head {
    id: RejectedId,
    at_us: i64,
    source: Arc<str>,
    reason: String,
    method: String,
    target: Arc<str>,
    headers: Vec<(Arc<str>, String)>,
    body_bytes: u64,
    remote: Arc<str>,
}

/// The length of the head, the head, the body.
pub(crate) fn write_rejected(it: &Rejected) -> Vec<u8> {
    let text = |bytes: &Bytes| bytes.iter().map(|b| char::from(*b)).collect();
    let head = Head {
        id: it.id,
        at_us: it.received_at.as_us(),
        source: it.source.clone(),
        reason: it.reason.as_str().to_owned(),
        method: it.method.to_string(),
        target: it.target.clone(),
        headers: it.headers.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        body_bytes: it.body_bytes,
        remote: it.remote.clone(),
    };
    let head = serde_json::to_vec(&head).unwrap_or_default();
    let length = u32::try_from(head.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes()[..], &head, &it.body].concat()
}

pub(crate) fn read_rejected(bytes: &[u8]) -> Result<Rejected, BadEntry> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(BadEntry)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| BadEntry)?;
    let (head, body) = rest.split_at_checked(length).ok_or(BadEntry)?;
    let head: Head = serde_json::from_slice(head).map_err(|_| BadEntry)?;
    let value = |text: String| text.chars().map(|c| u8::try_from(c).ok()).collect::<Option<Vec<u8>>>();
    let header = |(name, text)| Some((name, Bytes::from(value(text)?)));
    Ok(Rejected {
        id: head.id,
        received_at: Time::from_us(head.at_us),
        source: head.source,
        reason: Rejection::parse(&head.reason).ok_or(BadEntry)?,
        method: Method::from_bytes(head.method.as_bytes()).map_err(|_| BadEntry)?,
        target: head.target,
        headers: head.headers.into_iter().map(header).collect::<Option<_>>().ok_or(BadEntry)?,
        body: Bytes::copy_from_slice(body),
        body_bytes: head.body_bytes,
        remote: head.remote,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn odd() -> Rejected {
        Rejected {
            id: RejectedId::from_bytes([7; 16]),
            received_at: Time::from_us(1_790_000_000_123_456),
            source: "shop".into(),
            reason: Rejection::TimestampStale,
            method: Method::POST,
            target: "/webhooks/shop?a=%20".into(),
            headers: vec![("x-odd".into(), Bytes::from_static(b"\xff\x00\"\\ \t\xc3"))],
            body: Bytes::from_static(b"\x00\xff{"),
            body_bytes: 70_000,
            remote: "2001:db8::1".into(),
        }
    }

    #[test]
    fn everything_comes_back_as_it_was() {
        assert_eq!(read_rejected(&write_rejected(&odd())), Ok(odd()));
    }

    #[test]
    fn what_this_version_wrote_is_read_for_ever() {
        let head = r#"{"id":"rej_070w3ge1r70w3ge1r70w3ge1r7","at_us":1790000000123456,"source":"shop","reason":"timestamp_stale","method":"POST","target":"/webhooks/shop?a=%20","headers":[["x-odd","ÿ\u0000\"\\ \tÃ"]],"body_bytes":70000,"remote":"2001:db8::1"}"#;
        let golden = [&u32::try_from(head.len()).unwrap().to_le_bytes()[..], head.as_bytes(), b"\x00\xff{"].concat();
        assert_eq!(read_rejected(&golden), Ok(odd()));
        assert_eq!(String::from_utf8_lossy(&write_rejected(&odd())), String::from_utf8_lossy(&golden));
    }

    #[test]
    fn other_bytes_are_refused_and_do_no_harm() {
        let whole = write_rejected(&odd());
        for end in 0..whole.len() - odd().body.len() {
            assert_eq!(read_rejected(&whole[..end]), Err(BadEntry), "{end}");
        }
        assert_eq!(read_rejected(&[0xff; 64]), Err(BadEntry));
    }
}
