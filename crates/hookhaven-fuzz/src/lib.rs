//! What must hold whatever the bytes: one file and one function for each fuzz target. libFuzzer drives
//! them from `fuzz/`; `tests/corpus.rs` runs every corpus file through them as plain tests.
//!
//! Each function panics when something does not hold, and only then; most compare with a second,
//! naive way to the same answer. Not here: the fuzzer itself, and cases that somebody thought of (those
//! are tests beside the code).

mod diagnosis;
mod reference;
mod requests;

pub mod bodies;
pub mod config;
pub mod filters;
pub mod patterns;
pub mod records;
pub mod redact;
pub mod screen;
pub mod segments;
pub mod signatures;
pub mod values;

/// What a target does with an input.
pub type Run = fn(&[u8]);

/// Every target, by the name of its binary and of its corpus.
pub const TARGETS: &[(&str, Run)] = &[
    ("bodies", bodies::run),
    ("config", config::run),
    ("filters", filters::run),
    ("patterns", patterns::run),
    ("records", records::run),
    ("redact", redact::run),
    ("screen", screen::run),
    ("segments", segments::run),
    ("signatures", signatures::run),
    ("values", values::run),
];

/// The first line, and what follows it.
fn first_line(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|b| *b == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[]),
    }
}
