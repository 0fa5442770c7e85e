//! Nothing is wrong here, or nothing that so few attempts could show: no wolf is cried.

use super::*;

fn nothing(script: impl Fn(&mut World)) -> Report {
    let mut last = None;
    for seed in (1..=12).map(|n| n * 7_919) {
        let mut world = World::new(seed);
        script(&mut world);
        let report = reported(world);
        assert_eq!(report.findings, [], "seed {seed}: {}", text(&report));
        last = Some(report);
    }
    last.unwrap()
}

#[test]
fn now_and_then_something_fails() {
    let report = nothing(|world| world.traffic(30, |w, _| w.fine()));
    assert!(report.headline().starts_with("Nothing stands out: "), "{}", report.headline());
    assert!(report.failures > 0 && report.too_few.is_empty());
}

#[test]
fn failures_of_all_kinds_at_random() {
    nothing(|world| {
        world.traffic(30, |w, _| match w.below(300) {
            0 => answers(500),
            1 => answers(503),
            2 => times_out(),
            3 => answers(429),
            4 => fails(ErrorClass::Connect, "connection refused by 127.0.0.1:3000", 1),
            5 => answers(404),
            _ => w.fine(),
        })
    });
}

#[test]
fn a_slow_handler_that_is_always_as_slow() {
    nothing(|world| world.traffic(30, |w, _| if w.chance(1) { answers(502) } else { ok(2_000 + w.below(3_000)) }));
}

#[test]
fn traffic_that_comes_in_bursts_and_is_taken() {
    nothing(|world| {
        world.traffic(60, |w, _| w.fine());
        for burst in 0..8 {
            for i in 0..100 {
                let at = ago(1_300 - burst * 150).plus(Duration::from_millis(i * 40));
                world.deliver(at, "stripe", "invoice.paid", &mut |w: &mut World, _: &Sees<'_>| w.fine());
            }
        }
    });
}

#[test]
fn latency_that_follows_the_day() {
    nothing(|world| {
        world.minutes = 2 * 1_440;
        world.traffic(60, |w, sees| {
            let hour = (sees.at.as_s().rem_euclid(86_400) / 3_600 - 12).unsigned_abs();
            ok(300 + (12 - hour) * 350 + w.below(400))
        })
    });
}

#[test]
fn latency_that_went_up_once_and_stayed() {
    nothing(|world| {
        world.traffic(60, |w, sees| ok(if sees.at >= ago(600) { 4_000 + w.below(2_000) } else { 100 + w.below(100) }))
    });
}

#[test]
fn two_bursts_are_not_enough_to_blame_the_load() {
    nothing(|world| {
        world.traffic(60, |w, _| w.fine());
        for at in [ago(900), ago(400)] {
            for i in 0..100u64 {
                let at = at.plus(Duration::from_millis(i * 60));
                let mut bad = |w: &mut World, sees: &Sees<'_>| {
                    if sees.at == at && w.chance(60) { answers(503) } else { w.fine() }
                };
                let event_type = ["invoice.paid", "push", "charge.refunded"][i as usize % 3];
                world.deliver(at, "stripe", event_type, &mut bad);
            }
        }
    });
}

#[test]
fn a_restart_of_seconds() {
    nothing(|world| {
        let down = || fails(ErrorClass::Connect, "connection refused by 127.0.0.1:3000", 1);
        let restart = ago(300)..ago(300).plus(Duration::from_secs(60));
        world.traffic(30, |w, sees| if restart.contains(&sees.at) { down() } else { w.fine() })
    });
}

#[test]
fn a_stray_failure_does_not_make_a_restart_long() {
    nothing(|world| {
        let mut strays = 0;
        world.traffic(60, |_, sees| {
            strays += u32::from(sees.at >= ago(304));
            if strays == 1 { answers(503) } else { ok(80) }
        });
        for i in 0..120 {
            let at = ago(300).plus(Duration::from_millis(i * 60));
            let mut down = |w: &mut World, sees: &Sees<'_>| {
                if sees.at == at && w.chance(50) { answers(503) } else { ok(80) }
            };
            world.deliver(at, "stripe", ["invoice.paid", "charge.refunded"][i as usize % 2], &mut down);
        }
    });
}

#[test]
fn a_few_attempts_say_nothing() {
    let report = nothing(|world| {
        world.minutes = 20;
        world.traffic(240, |_, sees| if sees.event % 2 == 0 { answers(500) } else { ok(80) });
        world.attempts.truncate(12);
    });
    assert_eq!(report.too_few.len(), 1);
    assert!(report.too_few[0].mostly.starts_with("500 ("), "{:?}", report.too_few);
}

#[test]
fn nothing_at_all() {
    let report = nothing(|_| {});
    assert_eq!(report.headline(), "No attempt was made.");
}
