//! The architect: from a team's answers to a set-up that it can run.
//!
//! `intake` reads the answers, `design` decides from them and the sender catalogue what to run, `rules` say what
//! stands out, and of these three together, the [`Plan`], every file is written: `config` (`hookhaven.toml`,
//! `.env.example`), `deploy`, `report`, `skeletons`. All of it is pure: no file is read or written here, no clock, no
//! randomness, no environment; the same answers give the same bytes.
//!
//! A new rule is one item in a file of `rules/`, a new framework one file in `skeletons/`, a new place to run one file
//! in `deploy/`. Not here: asking on a terminal and writing to disk (`hookhaven architect`), how a sender signs
//! (`hookhaven_core::senders`).

pub mod choice;
pub mod config;
pub mod deploy;
pub mod design;
pub mod explain;
pub mod file;
pub mod intake;
pub mod report;
pub mod rules;
pub mod skeletons;
pub mod words;

pub use choice::Choice;
pub use design::Design;
pub use file::File;
pub use intake::{Answers, Intake};
pub use rules::{Finding, Rule};

/// Everything that files are written from.
#[derive(Clone, Debug)]
pub struct Plan {
    pub intake: Intake,
    pub design: Design,
    /// In the rules' order.
    pub findings: Vec<Finding>,
}

impl Plan {
    pub fn of(intake: Intake) -> Plan {
        let design = Design::of(&intake);
        let findings = rules::findings(&intake, &design);
        Plan { intake, design, findings }
    }

    /// Every file of the set-up, each path once.
    pub fn files(&self) -> Vec<File> {
        [config::files(self), deploy::files(self), report::files(self), skeletons::files(self)].concat()
    }
}
