//! Where a trace stands: what one program tells the next (W3C Trace Context), in headers, and in lines of ours that an
//! event keeps, so that attempts of any hour and node know of it.

use std::sync::Arc;

use bytes::Bytes;
use hookhaven_core::Event;
use http::{HeaderMap, HeaderValue};

/// Theirs, as they come and go.
const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";
/// Lines of ours, kept with an event; handlers are not sent them.
const KEPT_PARENT: &str = "hookhaven-traceparent";
const KEPT_STATE: &str = "hookhaven-tracestate";
/// A longer `tracestate` is left out; the least that programs must pass on.
const STATE_BYTES_MAX: usize = 512;

/// A place in a trace: what comes after it is its child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    /// Whether spans are recorded.
    pub sampled: bool,
    /// What other systems say beside it (`tracestate`), passed on as it came.
    pub state: Option<Arc<str>>,
}

/// Whether a header's name is one of our lines: no sender can speak for us.
pub fn is_line(name: &str) -> bool {
    matches!(name, KEPT_PARENT | KEPT_STATE)
}

impl Context {
    /// A `traceparent`, of version 00 or later. `None` unless it is well formed.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.split('-');
        let version = bytes::<1>(parts.next()?)?;
        let (trace_id, span_id) = (bytes::<16>(parts.next()?)?, bytes::<8>(parts.next()?)?);
        let [flags] = bytes::<1>(parts.next()?)?;
        let ends = version != [0] || parts.next().is_none();
        let sound = version != [0xff] && ends && trace_id != [0; 16] && span_id != [0; 8];
        sound.then_some(Context { trace_id, span_id, sampled: flags & 1 == 1, state: None })
    }

    /// Of a request. A `traceparent` that is there twice is nobody's.
    pub fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(PARENT).iter();
        let parent = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
        let states: Vec<&str> = headers.get_all(STATE).iter().map_while(|value| value.to_str().ok()).collect();
        Some(Self::parse(parent)?.with_state(&states.join(",")))
    }

    /// Of a stored event: what we kept with it, else what its sender said.
    pub fn of_event(event: &Event) -> Option<Self> {
        let text = |name: &str| event.header(name).and_then(|value| std::str::from_utf8(value).ok());
        let of = |parent: &str, state: &str| Some(Self::parse(text(parent)?)?.with_state(text(state).unwrap_or("")));
        of(KEPT_PARENT, KEPT_STATE).or_else(|| of(PARENT, STATE))
    }

    fn with_state(self, state: &str) -> Self {
        let fine = !state.is_empty() && state.len() <= STATE_BYTES_MAX;
        let fine = fine && state.bytes().all(|b| matches!(b, b'\t' | 0x20..=0x7e));
        Context { state: fine.then(|| state.into()), ..self }
    }

    /// As a `traceparent` of version 00.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id(), hex::encode(self.span_id), u8::from(self.sampled))
    }

    /// 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        hex::encode(self.trace_id)
    }

    /// What an event keeps of it.
    pub fn lines(&self) -> impl Iterator<Item = (Arc<str>, Bytes)> {
        let line = |name: &str, value: String| (Arc::from(name), Bytes::from(value));
        let state = self.state.as_ref().map(|state| line(KEPT_STATE, state.to_string()));
        std::iter::once(line(KEPT_PARENT, self.traceparent())).chain(state)
    }

    /// Says it to whoever gets these headers, instead of what they said so far.
    pub fn inject(&self, headers: &mut HeaderMap) {
        headers.remove(STATE);
        if let Ok(value) = HeaderValue::try_from(self.traceparent()) {
            headers.insert(PARENT, value);
        }
        if let Some(Ok(value)) = self.state.as_deref().map(HeaderValue::try_from) {
            headers.insert(STATE, value);
        }
    }

    /// Whether these headers say something of a trace.
    pub fn is_in(headers: &HeaderMap) -> bool {
        headers.contains_key(PARENT)
    }
}

/// Lower-case hexadecimal digits, exactly as many as there must be.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let lower = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn what_is_well_formed_is_read_and_written_again() {
        let context = Context::parse(TRACE).unwrap();
        assert_eq!((context.traceparent(), context.sampled), (TRACE.to_owned(), true));
        // Flags that we do not know are not ours to set; what follows in later versions is passed over.
        assert!(!Context::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02").unwrap().sampled);
        assert!(Context::parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more").is_some());
    }

    #[test]
    fn what_is_not_is_nothing() {
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-é",
        ] {
            assert_eq!(Context::parse(bad), None, "{bad}");
        }
        assert_eq!(Context::of_headers(&headers(&[("traceparent", TRACE), ("traceparent", TRACE)])), None);
    }

    #[test]
    fn a_request_s_place_is_kept_with_its_event_and_wins_over_the_sender_s() {
        let told = headers(&[("traceparent", TRACE), ("tracestate", "a=1"), ("tracestate", "b=2")]);
        let sender = Context::of_headers(&told).unwrap();
        assert_eq!(sender.state.as_deref(), Some("a=1,b=2"));
        let ours = Context { span_id: [9; 8], ..sender.clone() };
        let mut event = hookhaven_core::Event {
            digest: None,
            part: None,
            id: hookhaven_core::EventId::from_bytes([1; 16]),
            source: "s".into(),
            event_type: "t".into(),
            idempotency_key: "k".into(),
            received_at: hookhaven_core::Time::EPOCH,
            occurred_at: None,
            correlation_id: "c".into(),
            matched_secret: None,
            remote: "".into(),
            headers: vec![("traceparent".into(), Bytes::from_static(TRACE.as_bytes()))],
            body: Bytes::new(),
        };
        assert_eq!(Context::of_event(&event), Some(Context { state: None, ..sender }));
        event.headers.extend(ours.lines());
        assert_eq!(Context::of_event(&event), Some(ours));
        assert!(event.headers[1..].iter().all(|(name, _)| is_line(name)));
    }

    #[test]
    fn what_cannot_be_passed_on_is_left_out() {
        for state in ["", "a=\u{7f}", &"x".repeat(513)] {
            assert_eq!(Context::parse(TRACE).unwrap().with_state(state).state, None);
        }
        let mut map = headers(&[("traceparent", TRACE), ("tracestate", "a=1")]);
        Context { span_id: [9; 8], ..Context::parse(TRACE).unwrap() }.inject(&mut map);
        assert_eq!(map["traceparent"], "00-4bf92f3577b34da6a3ce929d0e0e4736-0909090909090909-01");
        assert!(!map.contains_key("tracestate"), "that was said of another place");
    }
}
