//! Masking of named fields over any body: what may be shown of JSON is what a whole parser masks, and of a body that was
//! cut off anywhere no more.

use hookhaven_core::redact::{MASK, Redact};
use serde_json::Value;

use crate::first_line;

/// Names of one input.
const NAMES_MAX: usize = 8;
/// Longer bodies are not cut at every byte.
const CUT_BYTES_MAX: usize = 512;

/// An input is a line of names, then a body.
pub fn run(data: &[u8]) {
    let (first, body) = first_line(data);
    let names: Vec<&str> = std::str::from_utf8(first).unwrap_or_default().split(' ').take(NAMES_MAX).collect();
    let mut redact = Redact::default();
    let known = names.iter().filter(|name| !name.starts_with("json:") && redact.add(name).is_ok()).count();
    if known == 0 {
        return;
    }
    let shown = redact.body(body);
    assert_eq!(redact.body(&shown), shown, "what may be shown may be shown");
    if let Ok(whole @ (Value::Object(_) | Value::Array(_))) = serde_json::from_slice::<Value>(body) {
        // Deeper than is read, nothing is shown.
        match serde_json::from_slice::<Value>(&shown) {
            Ok(shown) => same(&whole, &shown, &names),
            Err(error) => assert_eq!(shown, MASK.as_bytes(), "{error}"),
        }
    }
    for end in 0..body.len().min(CUT_BYTES_MAX) {
        redact.excerpt(&body[..end]);
    }
}

/// Every value is masked or as it was, and what has such a name is masked.
fn same(was: &Value, is: &Value, names: &[&str]) {
    match (was, is) {
        (Value::Object(was), Value::Object(is)) => {
            for (name, was) in was {
                if names.iter().any(|named| named.eq_ignore_ascii_case(name)) {
                    assert_eq!(is[name], MASK, "{name}");
                } else {
                    same(was, &is[name], names);
                }
            }
        }
        (Value::Array(was), Value::Array(is)) => {
            assert_eq!(was.len(), is.len());
            was.iter().zip(is).enumerate().for_each(|(n, (was, is))| {
                if !names.contains(&&*n.to_string()) {
                    same(was, is, names);
                }
            });
        }
        // A text may be JSON itself.
        (Value::String(was), Value::String(is)) if was.contains(['{', '[']) => {
            assert!(was == is || is.contains(MASK), "{was}: {is}");
        }
        (was, is) => assert_eq!(was, is),
    }
}
