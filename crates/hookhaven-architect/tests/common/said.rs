//! An intake of one sender, said in a line: for tests that look at one answer and what comes of it.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses its part")]

use std::{path::Path, time::Duration};

use hookhaven_architect::{
    Design, Intake,
    intake::{self, Given},
};

pub const S: fn(u64) -> Duration = Duration::from_secs;

pub fn read(text: &str) -> Intake {
    let read = intake::read(Path::new("intake.toml"), text, &Given::default());
    let problems: Vec<String> = read.problems.iter().map(ToString::to_string).collect();
    read.intake.unwrap_or_else(|| panic!("{problems:?} {:?}\n{text}", read.missing))
}

/// One sender, with what is said of it.
pub struct Said<'a> {
    pub sender: &'a str,
    pub volume: &'a str,
    pub processing: &'a str,
    pub once: &'a str,
    pub latency: &'a str,
    pub more: &'a str,
}

pub const SAID: Said<'static> = Said {
    sender: "stripe",
    volume: "1000",
    processing: "{ does = \"update the database\", takes = \"200ms\" }",
    once: "\"must\"",
    latency: "\"30s\"",
    more: "",
};

impl Said<'_> {
    pub fn intake(&self) -> Intake {
        let Said { sender, volume, processing, once, latency, more } = self;
        let (tables, infrastructure) = more.split_once("infrastructure:").unwrap_or((more, ""));
        read(&format!(
            "senders = [\"{sender}\"]\n[volume]\n{sender} = {volume}\n[processing]\n{sender} = {processing}\n[idempotency]\n\
             {sender} = {once}\n[latency]\n{sender} = {latency}\n{tables}\n[infrastructure]\nstack = [\"node\"]\n\
             hosting = \"one virtual machine\"\n{infrastructure}\n[existing]\nstate = \"nothing yet\"\n"
        ))
    }

    pub fn design(&self) -> Design {
        Design::of(&self.intake())
    }
}
