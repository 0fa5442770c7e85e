//! The reader of answers, by the intake that it is given and what comes of it.
//!
//! Not here: single words and figures, which are tested where they are read.

#![allow(clippy::unwrap_used)]

mod answers;
mod hostile;
mod pages;
mod problems;

use std::path::Path;

use hookhaven_architect::intake::{self, Given, Intake, Read};

/// What a small intake needs beside what a case is about.
pub const PLAIN: &str = "senders = [\"stripe\"]\n[volume]\nstripe = 10\n[processing]\nstripe = \"update a row\"\n\
    [idempotency]\nstripe = \"must\"\n[latency]\nstripe = \"30s\"\n\
    [infrastructure]\nstack = [\"node\"]\nhosting = \"a VM\"\n[existing]\nstate = \"nothing yet\"\n";

pub fn read(text: &str) -> Read {
    intake::read(Path::new("intake.toml"), text, &Given::new())
}

pub fn whole(text: &str) -> Intake {
    let read = read(text);
    assert!(read.problems.is_empty() && read.missing.is_empty(), "{:?} {:?}", read.problems, read.missing);
    read.intake.unwrap()
}

pub fn problems(text: &str) -> Vec<String> {
    let read = read(text);
    read.problems.iter().map(ToString::to_string).collect()
}

/// With one piece of the plain intake put in place of another.
pub fn with(from: &str, to: &str) -> String {
    assert!(PLAIN.contains(from), "{from}");
    PLAIN.replacen(from, to, 1)
}
