//! Events on their way into the store and out of it: header lines that may be credentials, and bodies that are marked,
//! go into one envelope, which is stored as a header line of ours. Everything else of an event stays as it is.
//!
//! A body is marked by a line of ours ([`SEAL_BODY`]), by those who know that it holds a credential: callbacks, which
//! repeat the headers of the message they tell of; requests of senders that show their secret in the body. It is
//! sealed without a change of its length. Its bytes are then no piece of a shared request's any more.

use std::sync::Arc;

use bytes::Bytes;
use hookhaven_core::Event;

use super::{
    SealError,
    contents::{Contents, Line},
    envelope::SealedIn,
    ring::OpenError,
    vault::Vault,
};
use crate::headers::is_sealed;

/// Header line that holds the envelope, in the store only.
pub const SEALED: &str = "hookhaven-sealed";
/// Header line that asks for the body to be sealed, too. It is not stored, and is there again when the event was opened.
pub const SEAL_BODY: &str = "hookhaven-seal-body";

/// A line that marks a body.
pub fn mark_body() -> Line {
    (SEAL_BODY.into(), Bytes::new())
}

/// The event as it is stored.
pub fn seal(mut event: Event, vault: &Vault) -> Result<Event, SealError> {
    let seals_body = event.header(SEAL_BODY).is_some();
    if !seals_body && !event.headers.iter().any(|(name, _)| is_sealed(name)) {
        return Ok(event);
    }
    event.headers.retain(|(name, _)| &**name != SEAL_BODY);
    let mut contents = Contents::take(&mut event.headers, is_sealed);
    if seals_body {
        let (body, stub) = vault.seal_apart(SealedIn::EventBody(event.id), &event.body)?;
        event.body = body.into();
        contents.stub = stub;
        if let Some(part) = &mut event.part {
            part.whole = None;
        }
    }
    let envelope = vault.seal(SealedIn::Event(event.id), &contents.encode())?;
    event.headers.push((SEALED.into(), envelope.into()));
    Ok(event)
}

/// The event as it was, or as it is if nothing of it is sealed.
pub async fn open(event: &Arc<Event>, vault: &Vault) -> Result<Arc<Event>, OpenError> {
    // What somebody else sent under this name stands in the envelope.
    let Some((_, envelope)) = event.headers.last().filter(|(name, _)| &**name == SEALED) else {
        return Ok(event.clone());
    };
    let contents = vault.open(SealedIn::Event(event.id), envelope).await?;
    let contents = Contents::decode(contents.into())?;
    let mut opened = Event::clone(event);
    opened.headers.pop();
    let mut mark = None;
    if !contents.stub.is_empty() {
        let body = vault.open_apart(SealedIn::EventBody(event.id), &event.body, &contents.stub).await?;
        opened.body = body.into();
        // Whoever shows it has to know.
        mark = Some(mark_body());
    }
    contents.put_back(&mut opened.headers);
    opened.headers.extend(mark);
    Ok(Arc::new(opened))
}

/// An event that cannot be opened, for those who only look: without what is sealed, and saying why.
pub fn unopened(event: &Arc<Event>, why: &OpenError) -> Arc<Event> {
    let mut shown = Event::clone(event);
    shown.headers.pop();
    shown.headers.push((SEALED.into(), format!("cannot be shown: {why}").into()));
    Arc::new(shown)
}

#[cfg(test)]
mod tests {
    use hookhaven_core::{EventId, Time, event::Part};
    use hookhaven_store::clock::SeededEntropy;

    use super::*;

    fn event(headers: &[(&str, &str)]) -> Event {
        let whole = Bytes::from_static(b"[{\"a\":1},{\"b\":\"canary\"}]");
        Event {
            id: EventId::from_bytes([1; 16]),
            source: "publish".into(),
            event_type: "message".into(),
            idempotency_key: "k".into(),
            received_at: Time::EPOCH,
            occurred_at: None,
            correlation_id: "c".into(),
            matched_secret: None,
            remote: "".into(),
            headers: headers.iter().map(|(n, v)| (Arc::from(*n), Bytes::copy_from_slice(v.as_bytes()))).collect(),
            body: whole.slice(9..23),
            part: Some(Part { number: 2, of: 2, whole: Some(whole) }),
            digest: None,
        }
    }

    fn vault(seed: u64) -> Vault {
        Vault::in_memory(Arc::new(SeededEntropy::new(seed))).unwrap()
    }

    fn holds(event: &Event, canary: &[u8]) -> bool {
        let whole = event.part.as_ref().and_then(|part| part.whole.clone()).unwrap_or_default();
        let values =
            event.headers.iter().flat_map(|(name, value)| [Bytes::copy_from_slice(name.as_bytes()), value.clone()]);
        values.chain([event.body.clone(), whole]).any(|bytes| bytes.windows(canary.len()).any(|w| w == canary))
    }

    #[tokio::test]
    async fn credentials_are_sealed_and_come_back_in_their_order() {
        let plain = event(&[
            ("upstash-retries", "1"),
            ("upstash-forward-authorization", "Bearer canary"),
            ("content-type", "text/plain"),
            ("upstash-failure-callback-forward-x", "canary"),
            ("x-gitlab-token", "canary"),
            (SEALED, "canary of a stranger"),
            ("x-last", "1"),
        ]);
        let plain = Event { part: None, body: Bytes::from_static(b"{}"), ..plain };
        let vault = vault(1);
        let sealed = Arc::new(seal(plain.clone(), &vault).unwrap());
        assert!(!holds(&sealed, b"canary") && holds(&plain, b"canary"));
        let names: Vec<_> = sealed.headers.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["upstash-retries", "content-type", "x-last", SEALED]);
        assert_eq!(*open(&sealed, &vault).await.unwrap(), plain);
    }

    #[tokio::test]
    async fn a_marked_body_is_sealed_in_its_length_and_is_no_piece_of_a_request() {
        let vault = vault(1);
        let mut plain = event(&[("a", "1"), (SEAL_BODY, ""), ("b", "2")]);
        let sealed = Arc::new(seal(plain.clone(), &vault).unwrap());
        assert!(!holds(&sealed, b"canary") && sealed.body.len() == plain.body.len());
        let mark = plain.headers.remove(1);
        plain.headers.push(mark);
        plain.part = Some(Part { number: 2, of: 2, whole: None });
        assert_eq!(*open(&sealed, &vault).await.unwrap(), plain);
    }

    #[tokio::test]
    async fn what_holds_no_credential_is_left_alone() {
        let (vault, plain) = (vault(1), event(&[("upstash-retries", "1"), ("stripe-signature", "v1=x")]));
        let stored = Arc::new(seal(plain.clone(), &vault).unwrap());
        assert_eq!(*stored, plain);
        assert!(Arc::ptr_eq(&open(&stored, &vault).await.unwrap(), &stored));
    }

    #[tokio::test]
    async fn an_envelope_opens_in_its_own_event_only_and_a_lost_key_is_named() {
        let (here, elsewhere) = (vault(1), vault(2));
        let sealed = seal(event(&[("cookie", "canary")]), &here).unwrap();
        let moved = Arc::new(Event { id: EventId::from_bytes([2; 16]), ..sealed.clone() });
        assert!(matches!(open(&moved, &here).await, Err(OpenError::Damaged(_))));
        let sealed = Arc::new(sealed);
        let error = open(&sealed, &elsewhere).await.unwrap_err();
        assert!(matches!(error, OpenError::NoKey(_)));
        let shown = unopened(&sealed, &error);
        let text = String::from_utf8_lossy(shown.header(SEALED).unwrap()).into_owned();
        assert!(text.contains("data key") && shown.headers.len() == 1, "{text}");
    }
}
