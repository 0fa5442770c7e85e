//! What happened in a run, line by line: hashed, so that two runs can be compared, and kept if asked for.

use std::fmt;

use hookhaven_core::Time;

/// The hash is FNV-1a over every line and its time: to compare runs, not to defend against anybody.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    lines: u64,
    kept: Option<Vec<String>>,
}

/// A run has some thousands. One that gets here goes round in circles.
const LINES_MAX: u64 = 2_000_000;

impl Trace {
    pub fn new(keep: bool) -> Self {
        Trace { hash: 0xcbf2_9ce4_8422_2325, lines: 0, kept: keep.then(Vec::new) }
    }

    pub fn line(&mut self, at: Time, what: fmt::Arguments<'_>) {
        let line = format!("{:>13.6} {what}", at.since(crate::clock::START).as_secs_f64());
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.lines += 1;
        assert!(self.lines < LINES_MAX, "the run does not come to an end; its last line: {line}");
        if let Some(kept) = &mut self.kept {
            kept.push(line);
        }
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub fn lines(&self) -> u64 {
        self.lines
    }

    pub fn take(&mut self) -> Vec<String> {
        self.kept.take().unwrap_or_default()
    }
}
