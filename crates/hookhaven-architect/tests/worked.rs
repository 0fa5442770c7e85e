//! The worked intake: read whole, and designed as somebody who has done it before would.

#![allow(clippy::unwrap_used)]

use std::{path::Path, time::Duration};

use hookhaven_architect::{
    Plan,
    design::{Loss, Mode, StorePlace},
    intake::{self, Framework, Given, Host, State, Trouble},
};

fn plan() -> Plan {
    let read = intake::read(Path::new("worked.toml"), include_str!("intakes/worked.toml"), &Given::default());
    assert!(read.missing.is_empty() && read.problems.is_empty(), "{:?} {:?}", read.missing, read.problems);
    Plan::of(read.intake.unwrap())
}

#[test]
fn it_is_read_as_it_was_meant() {
    let intake = plan().intake;
    assert_eq!(intake.senders.iter().map(|s| &*s.name).collect::<Vec<_>>(), ["stripe", "github", "slack"]);
    assert_eq!(intake.infrastructure.host, Host::Serverless);
    assert_eq!(intake.infrastructure.frameworks, [Framework::Fastify]);
    assert_eq!(intake.existing.kind, State::Synchronous);
    assert_eq!(intake.existing.troubles, [Trouble::TimedOut, Trouble::Twice]);
    assert_eq!(*intake.senders[2].latency.of("app_mention"), Duration::from_secs(5));
    assert!(intake.senders[2].processing.answers_user);
}

#[test]
fn one_small_machine_does_it_and_githubs_events_are_what_a_downtime_costs() {
    let design = plan().design;
    assert_eq!(design.mode, Mode::Several);
    assert!(design.needed.value);
    assert_eq!((design.store.value, design.nodes.value), (StorePlace::Embedded, 1));
    assert!(design.load.mean_per_second < 0.1 && design.load.burst_per_second < 10.0);
    assert!(matches!(design.source("github").unwrap().loss.value, Loss::Events(_)));
    assert!(matches!(design.source("stripe").unwrap().loss.value, Loss::NothingWithin(_)));
    let critical: Vec<_> = design.routes.iter().filter(|r| r.critical.value && r.source == "stripe").collect();
    assert_eq!(
        critical[0].events,
        ["payment_intent.succeeded", "customer.subscription.deleted", "charge.dispute.created"]
    );
}
