//! What holds of every report.

use proptest::prelude::*;

use super::*;

/// Much is wrong with it.
fn muddle(seed: u64) -> Input {
    let mut world = World::new(seed);
    world.minutes = 600;
    world.traffic(20, |w, sees| match sees.event_type {
        _ if w.chance(4) => times_out(),
        "push" if sees.at > ago(200) => answers(422),
        "invoice.paid" if w.chance(30) => answers(503),
        _ => w.fine(),
    });
    world.destination = "mail";
    world.traffic(400, |w, _| if w.chance(50) { answers(401) } else { w.fine() });
    world.input()
}

#[test]
fn more_attempts_than_are_looked_at_are_sampled_evenly_and_said() {
    let mut world = World::new(1);
    world.traffic(2, |w, sees| if sees.at >= ago(300) { answers(401) } else { w.fine() });
    let report = analyze(world.input());
    assert_eq!(report.looked_at, ATTEMPTS_MAX);
    assert!(report.attempts > ATTEMPTS_MAX, "{}", report.attempts);
    assert_eq!(report.findings[0].cause, Cause::AuthBroken);
}

#[test]
fn attempts_outside_the_span_are_left_out() {
    let mut input = muddle(1);
    let all = input.attempts.len();
    input.since = ago(60);
    let report = analyze(input);
    assert!(report.attempts < all / 2);
    assert!(report.findings.iter().all(|f| f.since.is_none_or(|since| since >= ago(60))));
}

#[test]
fn keys_are_only_those_of_configured_destinations() {
    let mut world = World::new(1);
    world.destination = "https://api.example.com";
    world.traffic(60, |w, _| if w.chance(25) { times_out() } else { ok(5_000 + w.below(4_800)) });
    let report = reported(world);
    assert_eq!(report.findings[0].cause, Cause::TimeoutNearLimit);
    assert_eq!(report.findings[0].suggestions, []);
}

#[test]
fn what_has_changed_since_is_not_suggested_again() {
    let mut world = World::new(1);
    world.traffic(60, |w, _| if w.chance(25) { times_out() } else { ok(5_000 + w.below(4_800)) });
    let mut input = world.input();
    input.destinations.values_mut().for_each(|f| f.timeout = Duration::from_secs(30));
    let report = analyze(input);
    assert!(
        report.findings[0].suggestions.iter().all(|s| s.key != "destinations.billing.timeout"),
        "{}",
        text(&report)
    );
}

#[test]
fn causes_have_names_of_their_own() {
    let names: BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
    assert_eq!(names.len(), Cause::ALL.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_order_of_the_attempts_does_not_matter(seed in 1u64..1_000, swaps in prop::collection::vec(any::<(usize, usize)>(), 500)) {
        let input = muddle(seed);
        let mut mixed = input.clone();
        mixed.attempts.reverse();
        let n = mixed.attempts.len();
        swaps.iter().for_each(|(a, b)| mixed.attempts.swap(a % n, b % n));
        prop_assert_eq!(analyze(input), analyze(mixed));
    }

    #[test]
    fn few_attempts_or_few_failures_are_no_finding(
        seed in 1u64..1_000, some in 0usize..ATTEMPTS_MIN, bad in 0usize..FAILURES_MIN
    ) {
        let mut world = World::new(seed);
        world.traffic(60, |w, _| if w.chance(50) { answers(503) } else { ok(80) });
        world.attempts.truncate(some);
        prop_assert_eq!(reported(world).findings, []);
        let mut world = World::new(seed);
        world.traffic(60, |_, sees| if sees.event as usize <= bad { answers(503) } else { ok(80) });
        let mut failed = 0;
        world.attempts.retain(|o| {
            failed += usize::from(o.failed());
            !o.failed() || failed <= bad
        });
        prop_assert_eq!(reported(world).findings, []);
    }

    #[test]
    fn figures_add_up(seed in 1u64..1_000) {
        let report = analyze(muddle(seed));
        prop_assert!(!report.findings.is_empty());
        for f in &report.findings {
            prop_assert!(f.failures <= f.attempts && f.attempts <= report.looked_at);
            prop_assert!(!f.sentence.contains("NaN") && f.sentence.ends_with('.'));
            prop_assert!(f.since.zip(f.until).is_none_or(|(since, until)| since <= until));
        }
    }
}
