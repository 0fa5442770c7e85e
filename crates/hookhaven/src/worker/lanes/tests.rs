//! The sharing of slots, by numbers.

use std::{num::NonZeroU32, sync::Arc};

use hookhaven_core::{
    Event,
    breaker::Health,
    destination::{BreakerPolicy, DestinationState, Rate},
    lifecycle::{self, Answer, Outcome, Standing},
    retry::RetryPolicy,
};

use super::*;
use crate::{
    config,
    published::{FlowLimits, Message},
};

const NOW: Time = Time::from_s(1_700_000_000);
const SLOTS: usize = 16;

fn config(names: &[&str]) -> Config {
    let destination = |name: &str| Destination {
        name: name.into(),
        url: "http://127.0.0.1:1/".parse().unwrap(),
        timeout: Duration::from_secs(10),
        concurrency: NonZeroU32::new(1_000).unwrap(),
        rate: None,
        secrets: Vec::new(),
        breaker: BreakerPolicy::default(),
        state: DestinationState::Active,
    };
    Config {
        encryption: Default::default(),
        telemetry: Default::default(),
        server: config::Server::default(),
        store: config::Store::default(),
        limits: config::Limits::default(),
        worker: config::Worker { slots: SLOTS, ..config::Worker::default() },
        publish: Default::default(),
        net: Default::default(),
        log: config::Log::default(),
        quarantine: Default::default(),
        secret_ages: Default::default(),
        redactions: Default::default(),
        alerts: Default::default(),
        fingerprint: Default::default(),
        written: Default::default(),
        switches: Default::default(),
        sources: Default::default(),
        destinations: names.iter().map(|n| (Arc::from(*n), Arc::new(destination(n)))).collect(),
        routes: Vec::new(),
    }
}

fn lanes() -> Lanes {
    Lanes::new(Arc::new(Unpublished))
}

/// Nothing is published.
#[derive(Debug)]
struct Unpublished;

impl Published for Unpublished {
    fn is_paused(&self, _: &Lane) -> bool {
        false
    }

    fn flow(&self, _: &str) -> FlowLimits {
        FlowLimits::default()
    }

    fn message(&self, _: &Delivery, _: &Arc<Event>) -> Box<dyn Message> {
        unreachable!("nothing is attempted here")
    }
}

fn change(config: &mut Config, name: &str, change: impl Fn(&mut Destination)) {
    change(Arc::make_mut(config.destinations.get_mut(name).unwrap()));
}

fn due(names: &[&str]) -> Vec<LaneDue> {
    names.iter().map(|n| LaneDue { lane: Lane::of_destination(n), due_at: NOW }).collect()
}

/// Claims all there is room for, from lanes with endless work, and starts it.
fn fill(lanes: &mut Lanes, config: &Config, names: &[&str], now: Time) -> HashMap<String, Vec<Ticket>> {
    let mut started: HashMap<String, Vec<Ticket>> = HashMap::new();
    loop {
        let (claims, _) = lanes.claims(config, &due(names), now);
        if claims.is_empty() {
            return started;
        }
        for claim in claims {
            let rooms = claim.lanes.iter().flat_map(|l| std::iter::repeat_n(&l.lane, l.room));
            for lane in rooms.take(claim.max) {
                let ticket = lanes.started(lane, None, now);
                started.entry(lane.destination().unwrap().to_owned()).or_default().push(ticket);
            }
        }
    }
}

fn outcome(status: u16) -> Decision {
    let outcome = Outcome::Answered(Answer { status, retry_after: None, abort: false });
    lifecycle::decide(&outcome, Standing { retry: &RetryPolicy::default(), attempts: 0 }, NOW, 0.0)
}

fn finish(lanes: &mut Lanes, config: &Config, ticket: Ticket, status: u16, now: Time) -> Effect {
    let name = ticket.lane.destination().unwrap().to_owned();
    let delivery = DeliveryId::from_bytes([1; 16]);
    lanes.finished(ticket, Some((delivery, &outcome(status), Some(&*config.destinations[&*name]))), now)
}

/// Makes a lane fast: one attempt, quickly answered.
fn prove(lanes: &mut Lanes, config: &Config, name: &str, now: Time) {
    let ticket = lanes.started(&Lane::of_destination(name), None, now);
    let _ = finish(lanes, config, ticket, 200, now);
}

fn later(by_ms: u64) -> Time {
    NOW.plus(Duration::from_millis(by_ms))
}

#[test]
fn a_fast_lane_may_use_what_is_free_but_never_more_than_half_alone() {
    let config = config(&["a", "b"]);
    let mut lanes = lanes();
    prove(&mut lanes, &config, "a", NOW);
    prove(&mut lanes, &config, "b", NOW);
    assert_eq!(fill(&mut lanes, &config, &["a"], NOW)["a"].len(), SLOTS / 2);
    assert_eq!(fill(&mut lanes, &config, &["b"], NOW)["b"].len(), SLOTS / 2);
    assert_eq!(lanes.in_flight(), SLOTS);
}

#[test]
fn hanging_destinations_share_half_and_fast_ones_have_the_other() {
    let names = ["h1", "h2", "h3", "h4", "fast"];
    let config = config(&names);
    let mut lanes = lanes();
    prove(&mut lanes, &config, "fast", NOW);
    let hanging = fill(&mut lanes, &config, &names[..4], NOW);
    let each: Vec<_> = names[..4].iter().map(|n| hanging[*n].len()).collect();
    assert_eq!(each, [2, 2, 2, 2]);
    let fast = fill(&mut lanes, &config, &names, later(2_000));
    assert_eq!(fast.keys().collect::<Vec<_>>(), ["fast"]);
    assert_eq!(fast["fast"].len(), SLOTS / 2);
}

#[test]
fn a_fast_lane_that_begins_to_hang_leaves_half_to_the_others() {
    let names = ["a", "b", "c", "d"];
    let config = config(&names);
    let mut lanes = lanes();
    names.iter().for_each(|n| prove(&mut lanes, &config, n, NOW));
    assert_eq!(fill(&mut lanes, &config, &names[..2], NOW).len(), 2);
    // All slots are taken; nobody else has room, and the plan says when that changes.
    assert!(fill(&mut lanes, &config, &names[2..], NOW).is_empty());
    assert_eq!(lanes.plan(&config, NOW).next, Some(later(1_000).plus(Duration::from_micros(1))));
    assert_eq!(fill(&mut lanes, &config, &names[2..], later(2_000))["c"].len(), SLOTS / 2);
    // Even if those hang as well, there is an end to it.
    assert!(fill(&mut lanes, &config, &names, later(4_000)).is_empty());
    assert_eq!(lanes.in_flight(), SLOTS + SLOTS / 2);
}

#[test]
fn a_new_destination_proves_itself_while_others_fill_the_slow_half() {
    let names = ["h1", "h2", "new"];
    let config = config(&names);
    let mut lanes = lanes();
    fill(&mut lanes, &config, &names[..2], NOW);
    let mut started = fill(&mut lanes, &config, &names, later(2_000));
    assert_eq!((started.len(), started["new"].len()), (1, 1));
    let ticket = started.remove("new").unwrap().remove(0);
    finish(&mut lanes, &config, ticket, 200, later(2_100));
    assert_eq!(fill(&mut lanes, &config, &names, later(2_100))["new"].len(), SLOTS / 2);
}

#[test]
fn an_attempt_over_a_second_makes_a_lane_slow_until_a_quick_one() {
    let config = config(&["a", "b"]);
    let mut lanes = lanes();
    let ticket = lanes.started(&Lane::of_destination("a"), None, NOW);
    finish(&mut lanes, &config, ticket, 200, later(1_001));
    let speed = |lanes: &Lanes, now| lanes.lanes[&Lane::of_destination("a")].speed(now);
    assert_eq!(speed(&lanes, later(1_001)), Speed::Slow);
    prove(&mut lanes, &config, "a", later(1_001));
    assert_eq!(speed(&lanes, later(1_001)), Speed::Fast);
}

#[test]
fn attempts_being_recorded_count_against_the_slots() {
    let config = config(&["a", "b"]);
    let mut lanes = lanes();
    prove(&mut lanes, &config, "a", NOW);
    (0..SLOTS + SLOTS / 2).for_each(|_| lanes.settling());
    assert!(fill(&mut lanes, &config, &["a"], NOW).is_empty());
    lanes.settled();
    assert_eq!(fill(&mut lanes, &config, &["a"], NOW)["a"].len(), 1);
}

#[test]
fn held_lanes_are_skipped_until_their_time() {
    let mut config = config(&["paused", "rate", "breaker", "asked"]);
    change(&mut config, "paused", |d| d.state = DestinationState::Paused);
    let rate = Rate { count: NonZeroU32::MIN, per: Duration::from_secs(10) };
    change(&mut config, "rate", |d| d.rate = Some(rate));
    let mut lanes = lanes();
    let names = ["paused", "gone", "rate", "breaker", "asked"];
    lanes.claims(&config, &due(&names), NOW);
    lanes.plan(&config, NOW);
    lanes.started(&Lane::of_destination("rate"), Some(&config.destinations["rate"]), NOW);

    let asked = lanes.started(&Lane::of_destination("asked"), None, NOW);
    let wish = Decision { hold: Some(Duration::from_secs(7)), ..outcome(503) };
    let delivery = DeliveryId::from_bytes([1; 16]);
    lanes.finished(asked, Some((delivery, &wish, Some(&*config.destinations["asked"]))), NOW);

    for n in 0..10 {
        let ticket = lanes.started(&Lane::of_destination("breaker"), None, NOW);
        let told = Some((DeliveryId::from_bytes([n; 16]), &outcome(500), Some(&*config.destinations["breaker"])));
        lanes.finished(ticket, told, NOW);
    }
    let views: HashMap<_, _> =
        lanes.view(&config, NOW).into_iter().map(|v| (v.lane.destination().unwrap().to_owned(), v.hold)).collect();
    assert_eq!(views["paused"], Some(Hold::Paused));
    assert_eq!(views["gone"], Some(Hold::Gone));
    assert_eq!(views["rate"], Some(Hold::Rate(later(10_000).plus(Duration::from_micros(1)))));
    assert_eq!(views["asked"], Some(Hold::RetryAfter(later(7_000))));
    assert_eq!(views["breaker"], Some(Hold::Breaker(Some(later(30_000)))));
    let plan = lanes.plan(&config, NOW);
    assert_eq!((plan.skip.len(), plan.next), (5, Some(later(7_000))));
    let now: HashSet<_> = lanes.plan(&config, later(7_000)).skip.into_iter().collect();
    assert!(!now.contains(&Lane::of_destination("asked")) && now.len() == 4);
}

#[test]
fn a_new_address_is_tried_at_once() {
    let mut config = config(&["a"]);
    let mut lanes = lanes();
    lanes.claims(&config, &due(&["a"]), NOW);
    assert!(lanes.plan(&config, NOW).skip.is_empty());
    for n in 0..10 {
        let ticket = lanes.started(&Lane::of_destination("a"), None, NOW);
        let told = Some((DeliveryId::from_bytes([n; 16]), &outcome(500), Some(&*config.destinations["a"])));
        lanes.finished(ticket, told, NOW);
    }
    assert_eq!(lanes.plan(&config, NOW).skip.len(), 1);
    change(&mut config, "a", |d| d.url = "http://127.0.0.1:2/".parse().unwrap());
    assert!(lanes.plan(&config, NOW).skip.is_empty());
    // By one probe.
    assert_eq!(fill(&mut lanes, &config, &["a"], NOW)["a"].len(), 1);
}

#[test]
fn destinations_that_left_the_config_are_told_of_once() {
    let mut lanes = lanes();
    let (with, without) = (config(&["a"]), config(&[]));
    lanes.claims(&with, &due(&["a"]), NOW);
    assert!(lanes.newly_gone(&with).is_empty());
    assert_eq!(lanes.newly_gone(&without), [Lane::of_destination("a")]);
    assert!(lanes.newly_gone(&without).is_empty());
    assert!(lanes.newly_gone(&with).is_empty());
    assert_eq!(lanes.newly_gone(&without).len(), 1);
}

#[test]
fn an_attempt_given_up_tells_nothing() {
    let config = config(&["a"]);
    let mut lanes = lanes();
    let ticket = lanes.started(&Lane::of_destination("a"), None, NOW);
    let effect = lanes.finished(ticket, None, later(60_000));
    assert_eq!(effect, Effect::default());
    assert_eq!(lanes.in_flight(), 0);
    assert_eq!(lanes.lanes[&Lane::of_destination("a")].speed(later(60_000)), Speed::Unproven);
    assert_eq!(outcome(500).health, Health::Failing);
    assert_eq!(lanes.view(&config, NOW)[0].breaker, BreakerState::Closed);
}

/// The same config on a store that other nodes share.
fn shared(mut config: Config) -> Config {
    let address = hookhaven_store::postgres::PostgresAddress { url: String::new(), password: None, user: None };
    config.store.place = config::Place::Database(Box::new(config::Database { address, listen: None, migrate: true }));
    config
}

fn limits(lanes: &mut Lanes, config: &Config, now: Time) -> Vec<Option<usize>> {
    let (claims, _) = lanes.claims(config, &due(&["a"]), now);
    claims.into_iter().flat_map(|claim| claim.lanes).map(|room| room.limit).collect()
}

#[test]
fn where_nodes_share_lanes_the_store_holds_each_to_its_concurrency() {
    let mut alone = config(&["a"]);
    change(&mut alone, "a", |d| d.concurrency = NonZeroU32::new(7).unwrap());
    assert_eq!(limits(&mut lanes(), &alone, NOW), [None]);
    let shared = shared(alone);
    assert_eq!(limits(&mut lanes(), &shared, NOW), [Some(7)]);
    let mut lanes = lanes();
    let rests = HashMap::from([("a".to_owned(), Rest { until: NOW.plus(SLOW_AFTER), number: 1 })]);
    assert_eq!(lanes.follow(&rests), [(Lane::of_destination("a"), Change::Opened)]);
    assert_eq!(limits(&mut lanes, &shared, NOW), []);
    assert_eq!(limits(&mut lanes, &shared, NOW.plus(SLOW_AFTER)), [Some(1)], "one probe in all");
    assert_eq!(lanes.follow(&HashMap::new()), [(Lane::of_destination("a"), Change::Closed)]);
    assert_eq!(limits(&mut lanes, &shared, NOW), [Some(7)]);
}

#[test]
fn a_rest_that_nobody_was_told_of_is_not_ended_by_the_silence_of_others() {
    let (config, lane) = (shared(config(&["a"])), Lane::of_destination("a"));
    let destination = config.destinations["a"].clone();
    let failing = Outcome::Failed(hookhaven_core::ErrorClass::Timeout);
    let retry = RetryPolicy::default();
    let decision = lifecycle::decide(&failing, Standing { retry: &retry, attempts: 0 }, NOW, 0.0);
    let mut lanes = lanes();
    let mut told = None;
    for n in 0..10u8 {
        let ticket = lanes.started(&lane, Some(&destination), NOW);
        told =
            lanes.finished(ticket, Some((DeliveryId::from_bytes([n; 16]), &decision, Some(&*destination))), NOW).tell;
    }
    let Some(Tell::Rests(rest)) = told else { panic!("{told:?}") };
    assert_eq!((rest.until, rest.number), (NOW.plus(destination.breaker.rest), 1));
    lanes.untold("a");
    assert_eq!(lanes.follow(&HashMap::new()), []);
    assert_eq!(lanes.view(&config, NOW)[0].hold, Some(Hold::Breaker(Some(rest.until))));
}

#[test]
fn a_rate_is_shared_out_among_the_nodes_that_make_attempts() {
    let mut config = config(&["a"]);
    let per = Duration::from_secs(1);
    change(&mut config, "a", |d| d.rate = Some(Rate { count: NonZeroU32::new(10).unwrap(), per }));
    let (lane, destination) = (Lane::of_destination("a"), config.destinations["a"].clone());
    for (others, in_a_second) in [(0, 10), (1, 5), (4, 2)] {
        let mut lanes = lanes();
        lanes.set_others(others);
        let mut started = 0;
        for ms in 0..1_000 {
            let now = NOW.plus(Duration::from_millis(ms));
            let (claims, _) = lanes.claims(&config, &due(&["a"]), now);
            if !claims.is_empty() {
                let ticket = lanes.started(&lane, Some(&destination), now);
                lanes.finished(ticket, None, now);
                started += 1;
            }
        }
        assert_eq!(started, in_a_second, "beside {others} others");
    }
}

#[test]
fn a_seat_is_room_by_the_rule_of_claims_and_counts_from_then_on() {
    let mut config = config(&["a", "off"]);
    change(&mut config, "a", |d| d.concurrency = NonZeroU32::new(2).unwrap());
    change(&mut config, "off", |d| d.state = DestinationState::Paused);
    let (mut lanes, a) = (lanes(), Lane::of_destination("a"));
    assert!(lanes.seat(&a, &config, NOW).is_none(), "nobody knows who is paused");
    lanes.set_all_paused(HashSet::new());
    for lane in [Lane::of_destination("off"), Lane::of_destination("gone")] {
        assert!(lanes.seat(&lane, &config, NOW).is_none(), "{lane:?}");
    }
    let (first, limit) = lanes.seat(&a, &config, NOW).unwrap();
    assert_eq!(limit, None);
    let (second, _) = lanes.seat(&a, &config, NOW).unwrap();
    assert!(lanes.seat(&a, &config, NOW).is_none(), "its concurrency");
    assert!(lanes.claims(&config, &due(&["a"]), NOW).0.is_empty(), "which claims see too");
    finish(&mut lanes, &config, first, 200, NOW);
    lanes.set_paused("a", true);
    assert!(lanes.seat(&a, &config, NOW).is_none());
    lanes.set_paused("a", false);
    let (third, limit) = lanes.seat(&a, &shared(config.clone()), NOW).unwrap();
    assert_eq!(limit, Some(2));
    for ticket in [second, third] {
        lanes.finished(ticket, None, NOW);
    }
    for n in 0..10 {
        let (ticket, _) = lanes.seat(&a, &config, NOW).unwrap();
        let told = Some((DeliveryId::from_bytes([n; 16]), &outcome(500), Some(&*config.destinations["a"])));
        lanes.finished(ticket, told, NOW);
    }
    assert!(lanes.seat(&a, &config, NOW).is_none(), "it rests");
}
