//! Bodies: the scan for a few values says what a whole parser says, where both can read the text; forms are
//! read as another library reads them; and id and type are usable whatever the body.

use hookhaven_core::{
    json::{Found, Pointer, SCALAR_BYTES_MAX, scan},
    sender::{Request, Sender},
    senders::{FIELDS_MAX, FORM, KEY_BYTES_MAX, TYPE_BYTES_MAX, facts_or_fallback, fields},
};
use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use serde_json::Value;

use crate::{
    first_line,
    requests::{CASES, OWN},
};

/// Pointers of one input.
const POINTERS_MAX: usize = 16;

/// An input is a line of pointers, then a body.
pub fn run(data: &[u8]) {
    let (first, body) = first_line(data);
    let words = std::str::from_utf8(first).unwrap_or_default().split(' ');
    let pointers: Vec<Pointer> = words.filter_map(|word| Pointer::parse(word).ok()).take(POINTERS_MAX).collect();
    scan_agrees(body, &pointers);
    form_agrees(body);
    for content_type in ["application/json", FORM] {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        let request = Request { method: &Method::POST, url: None, query: None, headers: &headers, body };
        for case in CASES.iter() {
            facts_are_usable(&*case.sender, &request);
            let _ = (case.sender.handshake(&request, &OWN), case.sender.greet(&request, &OWN));
        }
    }
}

/// Key and type are there, bounded and printable, and the same each time.
pub fn facts_are_usable(sender: &dyn Sender, request: &Request<'_>) {
    let (key, event_type, at) = facts_or_fallback(sender, request);
    for (text, bytes_max) in [(&key, KEY_BYTES_MAX), (&event_type, TYPE_BYTES_MAX)] {
        assert!(!text.trim().is_empty() && text.len() <= bytes_max, "{text:?}");
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    if let Some(at) = at {
        // A time that is kept can be shown and read again.
        assert_eq!(hookhaven_core::Time::parse_rfc3339(&at.to_string()), Some(at));
    }
    assert_eq!(facts_or_fallback(sender, request), (key, event_type, at));
}

fn scan_agrees(body: &[u8], pointers: &[Pointer]) {
    let found = scan(body, pointers);
    assert_eq!(found.len(), pointers.len());
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    assert!(is_json || found.iter().all(Option::is_none), "found in what is not JSON");
    // Too deep, a number out of range, half a surrogate: the scan can read more than a tree can hold.
    let Ok(tree) = serde_json::from_slice::<Value>(body) else { return };
    for (pointer, found) in pointers.iter().zip(found) {
        let there = tree.pointer(&pointer.to_string());
        assert_eq!(found.is_some(), there.is_some(), "{pointer}");
        let (Some(found), Some(there)) = (found, there) else { continue };
        value_agrees(found, there, pointer);
    }
}

fn value_agrees(found: Found<'_>, there: &Value, pointer: &Pointer) {
    let scalar = found.scalar();
    match (there, scalar.as_deref()) {
        // Escapes may make the text far longer than what it says.
        (Value::String(text), None) => assert!(text.is_empty() || text.len() * 6 + 2 > SCALAR_BYTES_MAX, "{pointer}"),
        (Value::String(text), Some(scalar)) => assert_eq!(text, scalar, "{pointer}"),
        (Value::Number(_), Some(digits)) => {
            assert_eq!(serde_json::from_str::<Value>(digits).ok().as_ref(), Some(there), "{pointer}");
        }
        (Value::Number(_), None) => {}
        (_, scalar) => assert_eq!(scalar, None, "{pointer}"),
    }
    let text = found.text();
    assert_eq!(text, if there.is_string() { scalar } else { None }, "{pointer}");
}

/// That library repairs what is not UTF-8; ours must not, and differs in nothing else.
fn form_agrees(body: &[u8]) {
    let ours = fields(body).map(|(name, value)| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&name), text(&value))
    });
    let theirs = url::form_urlencoded::parse(body).take(FIELDS_MAX);
    assert!(ours.eq(theirs.map(|(name, value)| (name.into_owned(), value.into_owned()))));
}
