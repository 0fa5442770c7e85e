//! Chains of every sender that has some: each step is accepted as an event of its own, and together they are one story.

use std::{collections::BTreeSet, time::Duration};

use hookhaven_core::{
    Time,
    senders::{Chain, Common},
};
use serde_json::Value;

use crate::support::{Case, NOW, TOLERANCE, cases, with_request};

fn chains() -> Vec<(Case, &'static Chain)> {
    let with = |case: Case| {
        let label = case.label.clone();
        let fresh = move || cases().into_iter().find(|case| case.label == label).unwrap();
        case.declaration.chains.iter().map(move |chain| (fresh(), chain)).collect::<Vec<_>>()
    };
    cases().into_iter().filter(|case| !case.declaration.chains.is_empty()).flat_map(with).collect()
}

fn common(id: &str, chain: &Chain) -> Common {
    Common { id: id.into(), began: NOW.minus(chain.length()) }
}

#[test]
fn the_big_ones_have_chains() {
    let named: Vec<String> =
        chains().iter().map(|(case, chain)| format!("{} {}", case.declaration.name, chain.name)).collect();
    for wanted in [
        "stripe subscription",
        "github build",
        "github pull-request",
        "slack conversation",
        "twilio message",
        "twilio call",
    ] {
        assert!(named.iter().any(|name| name == wanted), "{named:?}");
    }
}

#[test]
fn steps_rise_in_time_within_what_a_signature_allows() {
    for (case, chain) in chains() {
        let name = (case.declaration.name, chain.name);
        let kebab = chain.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        assert!(kebab && !chain.title.ends_with('.') && !case.sender.sample_types().contains(&chain.name), "{name:?}");
        assert!(chain.steps.len() >= 2 && chain.steps[0].after_s == 0, "{name:?}");
        assert!(chain.steps.windows(2).all(|two| two[0].after_s < two[1].after_s), "{name:?}");
        assert!(chain.length() + Duration::from_secs(60) < TOLERANCE, "{name:?}: it happened before it is sent");
        let same: Vec<_> = case.declaration.chains.iter().filter(|other| other.name == chain.name).collect();
        assert_eq!(same.len(), 1, "{name:?}");
    }
}

#[test]
fn each_step_is_accepted_and_is_an_event_of_its_own_at_its_own_time() {
    for (case, chain) in chains() {
        let common = common("evt_chain1", chain);
        let (mut keys, mut last) = (BTreeSet::new(), None);
        for (n, step) in chain.steps.iter().enumerate() {
            let sample = step.sample(&*case.sender, &format!("evt_{n}"), &common).unwrap();
            let signed = case.sign(&sample, 0).unwrap();
            assert!(case.verify(&signed, NOW).is_ok(), "{case:?} {}", step.event_type);
            let facts = with_request(&signed, |request| case.sender.facts(request));
            assert_eq!(facts.event_type.as_deref(), Some(&*sample.event_type), "{case:?}");
            assert!(keys.insert(facts.idempotency_key.unwrap()), "{case:?}: every step has an id of its own");
            if let Some(at) = facts.occurred_at {
                assert_eq!(at.as_s(), step.at(&common).as_s(), "{case:?} {}", step.event_type);
                assert!(last.replace(at).is_none_or(|before| before < at), "{case:?} {}", step.event_type);
            }
        }
    }
}

/// With the same event id and time, so that nothing else differs.
#[test]
fn every_step_shows_which_chain_it_is_of() {
    for (case, chain) in chains() {
        for step in chain.steps {
            let body = |chain_id: &str| step.sample(&*case.sender, "evt_1", &common(chain_id, chain)).unwrap().body;
            assert_eq!(body("evt_a"), body("evt_a"), "{case:?}");
            assert_ne!(body("evt_a"), body("evt_b"), "{case:?}: {}", step.event_type);
        }
    }
}

#[test]
fn one_customer_and_one_subscription_go_through_a_subscriptions_life() {
    let (case, chain) = chains().into_iter().find(|(_, chain)| chain.name == "subscription").unwrap();
    let common = common("evt_chain7", chain);
    let step = |(n, step): (usize, &hookhaven_core::senders::Step)| -> Value {
        let sample = step.sample(&*case.sender, &format!("evt_{n}"), &common).unwrap();
        serde_json::from_slice(&sample.body).unwrap()
    };
    let events: Vec<Value> = chain.steps.iter().enumerate().map(step).collect();
    let at = |event: &Value, place: &str| event.pointer(place).cloned().unwrap_or_default();
    let types: Vec<Value> = events.iter().map(|event| at(event, "/type")).collect();
    assert_eq!(
        types,
        [
            "customer.subscription.created",
            "customer.subscription.updated",
            "invoice.paid",
            "invoice.payment_failed",
            "customer.subscription.deleted"
        ]
    );
    assert!(events.iter().all(|event| at(event, "/data/object/customer") == "cus_evtchain7"));
    let of = |event: &Value| match at(event, "/data/object/object") == "invoice" {
        true => at(event, "/data/object/parent/subscription_details/subscription"),
        false => at(event, "/data/object/id"),
    };
    assert!(events.iter().all(|event| of(event) == "sub_evtchain7"), "{events:#?}");
    let statuses: Vec<Value> = events.iter().map(|event| at(event, "/data/object/status")).collect();
    assert_eq!(statuses, ["trialing", "active", "paid", "open", "canceled"]);
    let created: Vec<i64> = events.iter().filter_map(|event| at(event, "/created").as_i64()).collect();
    assert!(created.len() == 5 && created.is_sorted() && Time::from_s(created[4]) == NOW, "{created:?}");
}
