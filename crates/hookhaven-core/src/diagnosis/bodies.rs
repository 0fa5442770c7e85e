//! Findings about the body: the same content, written otherwise by something on the way.

use super::{Bench, Cause, Change, Finding, json_forms};
use crate::sender::{Cover, Proof};

/// Longest body that is written in other ways: each of some two hundred is one signature.
const BYTES_MAX: usize = 256 << 10;

pub(super) fn look(bench: &Bench<'_>) -> Vec<Finding> {
    let Some((found, _)) = found(bench) else { return Vec::new() };
    let cause = if found.reserialised { Cause::BodyReserialised } else { Cause::BodyChanged };
    let what = if found.reserialised {
        "The body was re-serialised on the way: the JSON is the same, the bytes are not."
    } else {
        "The body was changed on the way."
    };
    let sentence = format!("{what} Written {}, the signature holds.", found.how);
    let mend = "let the proxy pass the body on as it came, byte for byte (no JSON or text transformation before this \
                gateway); a release restores what was signed";
    vec![Finding::certain(cause, sentence, mend)]
}

pub(super) fn missing() -> Finding {
    let sentence = "The body is empty: something on the way dropped it, as proxies do when they follow a redirect.";
    Finding::likely(Cause::BodyMissing, sentence, "enter the final address at the sender, and let POST bodies through")
}

/// The body that was signed.
pub(super) fn restored(bench: &Bench<'_>) -> Option<(Vec<u8>, Proof)> {
    found(bench).map(|(variant, proof)| (variant.body, proof))
}

/// The same body, written otherwise.
pub(super) struct Variant {
    pub body: Vec<u8>,
    /// As in "written … the signature holds".
    pub how: String,
    pub reserialised: bool,
}

/// Judged as it would be on a release, at its own time and under the secrets of now.
fn found(bench: &Bench<'_>) -> Option<(Variant, Proof)> {
    let body = &bench.case.rejected.body;
    if bench.sender().covers() != Cover::Whole || body.is_empty() || body.len() > BYTES_MAX {
        return None;
    }
    let holds = |variant: Variant| {
        let change = Change { body: Some(&variant.body), ..Change::default() };
        let keys = bench.keys(change, None, None);
        let proof = bench.sender().verify(&bench.request(change), &keys).ok()?;
        Some((variant, proof)).filter(|(_, proof)| proof.secret.is_some())
    };
    ends(body).into_iter().chain(json_forms::all(body)).find_map(holds)
}

/// Other ends of lines, encodings of forms, marks at the beginning.
fn ends(body: &[u8]) -> Vec<Variant> {
    let plain = |body: Vec<u8>, how: &str| Variant { body, how: how.to_owned(), reserialised: false };
    let unix = replace(body, b"\r\n", b"\n");
    let mut all = vec![
        plain(body.trim_ascii_end().to_vec(), "without the line break or blanks at its end"),
        plain(body.trim_ascii().to_vec(), "without the blanks around it"),
        plain([body, b"\n"].concat(), "with a line break at its end"),
        plain([body, b"\r\n"].concat(), "with a line break (CR LF) at its end"),
        plain(replace(&unix, b"\n", b"\r\n"), "with CR LF at the ends of lines"),
        plain(unix, "with LF alone at the ends of lines"),
        plain([b"\xef\xbb\xbf", body].concat(), "with a byte order mark"),
        plain(replace(body, b"+", b"%20"), "with blanks as %20 instead of +"),
        plain(replace(body, b"%20", b"+"), "with blanks as + instead of %20"),
        plain(escapes(body, u8::to_ascii_lowercase), "with lower-case percent escapes"),
        plain(escapes(body, u8::to_ascii_uppercase), "with upper-case percent escapes"),
    ];
    if let Some(rest) = body.strip_prefix(b"\xef\xbb\xbf") {
        all.push(plain(rest.to_vec(), "without the byte order mark"));
    }
    all.retain(|variant| variant.body != body);
    all
}

/// Each `from`, which is not empty, by `to`.
pub fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// The two digits behind each percent sign, changed.
fn escapes(text: &[u8], change: fn(&u8) -> u8) -> Vec<u8> {
    let near = |at: usize| (1..=2).any(|back| at >= back && text[at - back] == b'%');
    text.iter().enumerate().map(|(at, byte)| if near(at) { change(byte) } else { *byte }).collect()
}
