//! Intakes for tests: those that stand beside them, and those that rules bring, with the rest taken as `--defaults`
//! takes it.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses its part")]

use std::path::Path;

use hookhaven_architect::{
    Intake, Plan,
    intake::{self, Given},
};

macro_rules! intakes {
    ($($name:literal),* $(,)?) => {
        /// The intakes beside the tests, by name.
        pub const INTAKES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../intakes/", $name, ".toml")))),*];
    };
}

intakes!(
    "contradictory",
    "five-thousand-a-second",
    "incomplete",
    "many-senders",
    "mature-existing",
    "needs-nothing",
    "never-retries-long-downtime",
    "regulated-payments",
    "strict-order",
    "tiny",
    "unknown-sender",
    "user-waiting",
    "worked",
);

/// What the text answers, and for the rest what is taken when nobody knows.
pub fn read(text: &str) -> Intake {
    let mut given = Given::new();
    given.insert("senders".to_owned(), "[\"stripe\"]".to_owned());
    given.insert("infrastructure.stack".to_owned(), "[\"node 20\", \"fastify\"]".to_owned());
    for _ in 0..2 {
        let read = intake::read(Path::new("intake.toml"), text, &given);
        let errors: Vec<_> = read.problems.iter().filter(|p| p.severity == hookhaven_toml::Severity::Error).collect();
        assert!(errors.is_empty(), "{errors:?} in {text}");
        match read.intake {
            Some(intake) => return intake,
            None => given.extend(read.missing.into_iter().map(|q| (q.path, q.default.unwrap()))),
        }
    }
    panic!("still incomplete with every default: {text}");
}

pub fn plan(text: &str) -> Plan {
    Plan::of(read(text))
}

/// Every intake beside the tests, by name.
pub fn intakes() -> Vec<(&'static str, Plan)> {
    INTAKES.iter().map(|(name, text)| (*name, plan(text))).collect()
}
