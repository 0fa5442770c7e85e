//! The worked intake: read whole, and designed as somebody who has done it before would.

#![allow(clippy::unwrap_used)]

use std::{path::Path, time::Duration};

use hookhaven_architect::{
    Plan,
    design::{Loss, Mode, OrderingDesign, StorePlace},
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
    assert_eq!(intake.senders[2].latency.some, [("app_mention".to_owned(), Duration::from_secs(5))]);
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

/// The findings, by rule.
fn told<'p>(plan: &'p Plan, id: &str) -> Vec<&'p hookhaven_architect::Finding> {
    plan.findings.iter().filter(|finding| finding.rule.id == id).collect()
}

#[test]
fn receiving_leaves_the_functions_and_a_small_machine_is_ample() {
    let plan = plan();
    let [functions] = told(&plan, "serverless-receiver")[..] else { panic!("{:?}", plan.findings) };
    assert!(functions.mend.contains("under 10") && functions.mend.contains("1 core"), "{}", functions.mend);
    let [ample] = told(&plan, "one-machine-is-ample")[..] else { panic!("{:?}", plan.findings) };
    assert!(ample.text.starts_with("21,500 events on your busiest day are 0.25/s on average"), "{}", ample.text);
    let [cold] = told(&plan, "cold-start-within-the-limit")[..] else { panic!("{:?}", plan.findings) };
    assert!(cold.text.contains("Slack has 3 s"), "{}", cold.text);
}

#[test]
fn its_two_incidents_are_explained_and_have_one_cause_in_common() {
    let plan = plan();
    let [slow] = told(&plan, "retries-from-slow-answers")[..] else { panic!("{:?}", plan.findings) };
    assert!(slow.text.contains("Slack waits 3 s") && slow.text.contains("processed twice"), "{}", slow.text);
    let [twice] = told(&plan, "processed-twice")[..] else { panic!("{:?}", plan.findings) };
    assert!(twice.text.contains("not one transaction") && twice.mend.contains("unique constraint"), "{}", twice.text);
    let beyond = told(&plan, "constraint-does-not-cover-effects");
    assert_eq!(beyond.iter().map(|f| f.source.as_deref()).collect::<Vec<_>>(), [Some("stripe"), Some("github")]);
    assert!(beyond[0].mend.contains("outbox"), "{}", beyond[0].mend);
}

#[test]
fn what_a_downtime_costs_is_said_of_github_and_not_of_stripe() {
    let plan = plan();
    let [lost] = told(&plan, "downtime-loses-what-must-not-be-lost")[..] else { panic!("{:?}", plan.findings) };
    assert_eq!(lost.source.as_deref(), Some("github"));
    assert!(lost.text.contains("never comes again") && lost.text.contains("for good"), "{}", lost.text);
    let [soon] = told(&plan, "retries-end-soon")[..] else { panic!("{:?}", plan.findings) };
    assert!(soon.text.contains("Slack after 6 minutes") && !soon.text.contains("Stripe"), "{}", soon.text);
}

#[test]
fn no_order_is_enforced_that_stripe_does_not_promise() {
    let plan = plan();
    assert!(plan.design.routes.iter().all(|route| route.ordering.value == OrderingDesign::None));
    let [order] = told(&plan, "order-wished-not-promised")[..] else { panic!("{:?}", plan.findings) };
    assert!(order.mend.contains("event_at <= "), "{}", order.mend);
}

#[test]
fn the_proxy_is_to_be_known_before_twilio_comes_and_a_channel_before_the_first_dead_letter() {
    let plan = plan();
    let [url] = told(&plan, "planned-sender-signs-the-url")[..] else { panic!("{:?}", plan.findings) };
    assert!(url.text.starts_with("Twilio is to come in 6 months") && url.mend.contains("proxy"), "{}", url.text);
    let [channel] = told(&plan, "nobody-is-told")[..] else { panic!("{:?}", plan.findings) };
    assert!(channel.text.contains("Stripe and GitHub"), "{}", channel.text);
}
