//! One planted cause in each: the report must name it, and nothing else.

use super::*;

/// The one finding there is, whatever the seed.
fn only(cause: Cause, script: impl Fn(&mut World)) -> Finding {
    let mut last = None;
    for seed in SEEDS {
        let mut world = World::new(seed);
        script(&mut world);
        let report = reported(world);
        let causes: Vec<_> = report.findings.iter().map(|f| f.cause).collect();
        assert_eq!(causes, [cause], "seed {seed}: {}", text(&report));
        last = report.findings.into_iter().next();
    }
    last.unwrap()
}

fn key(finding: &Finding, key: &str) -> String {
    let found = finding.suggestions.iter().find(|s| s.key == key);
    found.unwrap_or_else(|| panic!("no {key}: {:?}", finding.suggestions)).value.clone()
}

/// Whether a time is within five minutes of another.
fn about(found: Option<Time>, planted: Time) -> bool {
    found.is_some_and(|found| found.since(planted).max(planted.since(found)) <= Duration::from_secs(300))
}

fn says(finding: &Finding, words: &[&str]) {
    for word in words {
        assert!(finding.sentence.contains(word), "{word:?}: {}", finding.sentence);
    }
}

#[test]
fn timeouts_near_the_limit() {
    let finding = only(Cause::TimeoutNearLimit, |world| {
        world.traffic(60, |w, _| match w.below(4) {
            0 => times_out(),
            _ => ok(5_000 + w.below(4_800)),
        })
    });
    says(&finding, &["failures of `billing`", "timeouts at 10 s", "at p95", "raise `timeout` or lower `concurrency`"]);
    assert_eq!(key(&finding, "destinations.billing.timeout"), "\"20s\"");
    assert_eq!(key(&finding, "destinations.billing.concurrency"), "8");
}

#[test]
fn a_handler_that_hangs_since_then() {
    let planted = ago(200);
    let finding = only(Cause::HandlerHangs, |world| {
        world.traffic(30, |w, sees| if sees.at >= planted && w.chance(40) { times_out() } else { w.fine() })
    });
    assert!(about(finding.since, planted), "{}", finding.sentence);
    assert_eq!(finding.until, None);
    assert!(finding.suggestions.is_empty());
}

#[test]
fn a_handler_that_is_down_since_then() {
    let planted = ago(11 * 60 + 50);
    let finding = only(Cause::HandlerDown, |world| {
        let down = || fails(ErrorClass::Connect, "connection refused by 127.0.0.1:3000", 1);
        world.traffic(60, |w, sees| if sees.at >= planted { down() } else { w.fine() })
    });
    assert!(about(finding.since, planted), "{}", finding.sentence);
    says(&finding, &["100% of the failures of `billing` since 02:1", "refused connections"]);
}

#[test]
fn a_handler_that_was_down_for_a_while() {
    let (from, to) = (ago(400), ago(340));
    let finding = only(Cause::HandlerDown, |world| {
        let down = || fails(ErrorClass::Connect, "connection refused by 127.0.0.1:3000", 1);
        world.traffic(30, |w, sees| if (from..to).contains(&sees.at) { down() } else { w.fine() })
    });
    assert!(about(finding.since, from) && about(finding.until, to), "{}", finding.sentence);
    says(&finding, &["between 07:20 and 08:", "That is over."]);
}

#[test]
fn a_name_that_is_not_resolved() {
    let planted = ago(90);
    let finding = only(Cause::Dns, |world| {
        let gone = || fails(ErrorClass::Dns, "the name billing.internal does not exist", 5);
        world.traffic(30, |w, sees| if sees.at >= planted { gone() } else { w.fine() })
    });
    assert!(about(finding.since, planted));
}

#[test]
fn an_address_where_nothing_answers() {
    let planted = ago(90);
    only(Cause::Unreachable, |world| {
        let gone = || fails(ErrorClass::Timeout, "no connection to 10.0.0.7:443 within 10 s", 10_000);
        world.traffic(30, |w, sees| if sees.at >= planted { gone() } else { w.fine() })
    });
}

#[test]
fn a_certificate_that_has_expired() {
    let planted = ago(14 * 60);
    let finding = only(Cause::Certificate, |world| {
        let error = "no TLS with billing:443: its certificate is not valid (Expired)";
        world.traffic(60, |w, sees| if sees.at >= planted { fails(ErrorClass::Tls, error, 20) } else { w.fine() })
    });
    assert!(about(finding.since, planted));
    says(&finding, &["since 00:0", "it has expired"]);
}

#[test]
fn errors_since_a_deploy() {
    let planted = ago(260);
    let finding = only(Cause::ServerErrors, |world| {
        world.traffic(30, |w, sees| if sees.at >= planted && w.chance(60) { answers(500) } else { w.fine() })
    });
    assert!(about(finding.since, planted), "{}", finding.sentence);
    says(&finding, &["since 09:", "as a deploy does"]);
}

#[test]
fn one_type_that_the_handler_does_not_understand() {
    let finding = only(Cause::TypeRejected, |world| {
        world.traffic(60, |w, sees| if sees.event_type == "invoice.paid" { answers(422) } else { w.fine() })
    });
    assert_eq!(finding.scope, Some(Scope::Type("invoice.paid".into())));
    assert_eq!((finding.since, finding.until), (None, None), "{}", finding.sentence);
    says(&finding, &["`invoice.paid`", "422"]);
}

#[test]
fn one_type_since_then() {
    let planted = ago(300);
    let finding = only(Cause::TypeRejected, |world| {
        let bad = |sees: &Sees<'_>| sees.event_type == "push" && sees.at >= planted;
        world.traffic(30, |w, sees| if bad(sees) { answers(400) } else { w.fine() })
    });
    assert_eq!(finding.scope, Some(Scope::Type("push".into())));
    // The type comes every two to three minutes.
    assert!(finding.since.is_some_and(|since| since >= planted && since <= ago(280)), "{}", finding.sentence);
}

#[test]
fn one_poison_event() {
    let finding = only(Cause::PoisonEvent, |world| {
        world.traffic(30, |w, sees| if sees.event == 700 { answers(500) } else { w.fine() })
    });
    assert_eq!(finding.scope, Some(Scope::Event(EventId::from_bytes(700u128.to_be_bytes()))));
    assert_eq!(finding.failures, 5);
}

#[test]
fn a_handler_that_limits_its_rate() {
    let finding = only(Cause::RateLimited, |world| {
        let mut minutes = BTreeMap::<i64, u32>::new();
        world.minutes = 120;
        world.traffic(1, move |w, sees| {
            let taken = minutes.entry(sees.at.as_s() / 60).or_default();
            *taken += 1;
            if *taken > 40 { answers(429) } else { w.fine() }
        })
    });
    let rate = key(&finding, "destinations.billing.rate");
    assert!(["\"35/m\"", "\"36/m\""].contains(&rate.as_str()), "{rate}");
}

#[test]
fn credentials_that_broke() {
    let planted = ago(150);
    let finding = only(Cause::AuthBroken, |world| {
        world.traffic(30, |w, sees| if sees.at >= planted { answers(401) } else { w.fine() })
    });
    assert!(about(finding.since, planted));
    says(&finding, &["since 11:3", "401"]);
}

#[test]
fn a_secret_that_never_was_the_handlers() {
    let finding = only(Cause::AuthNeverHeld, |world| world.traffic(300, |_, _| answers(401)));
    says(&finding, &["100% of the failures of `billing` are answers 401", "the handler's secret"]);
    assert!(finding.mend.contains("`secret`"));
}

#[test]
fn failures_of_every_night() {
    let finding = only(Cause::DailyWindow, |world| {
        world.minutes = 7 * 1_440;
        world.traffic(300, |w, sees| {
            let hour = sees.at.as_s().rem_euclid(86_400) / 3_600;
            if hour == 3 && w.chance(80) { answers(503) } else { w.fine() }
        })
    });
    says(&finding, &["between 03:00 and 04:", "on 7 of 7 days"]);
}

#[test]
fn answers_that_get_slower_towards_the_timeout() {
    let finding = only(Cause::LatencyRising, |world| {
        world.traffic(60, |w, sees| {
            let done = 1.0 - now().since(sees.at).as_secs_f64() / 86_400.0;
            let base = (200.0 * (35.0f64).powf(done)) as u64;
            ok(base + w.below(base / 3 + 1))
        })
    });
    says(&finding, &["slower and slower", "nothing has timed out yet"]);
    assert_eq!(finding.failures, 0);
}

#[test]
fn answers_that_got_too_slow() {
    let finding = only(Cause::LatencyRising, |world| {
        world.traffic(60, |w, sees| {
            let done = 1.0 - now().since(sees.at).as_secs_f64() / 86_400.0;
            let ms = (200.0 * (60.0f64).powf(done)) as u64;
            let ms = ms + w.below(ms / 3 + 1);
            if ms >= 10_000 { times_out() } else { ok(ms) }
        })
    });
    assert!(finding.failures > 20, "{}", finding.sentence);
}

#[test]
fn one_source_whose_payloads_are_too_large() {
    let finding = only(Cause::PayloadTooLarge, |world| {
        world.traffic(60, |w, sees| if sees.source == "github" && w.chance(50) { answers(413) } else { w.fine() })
    });
    assert_eq!(finding.scope, Some(Scope::Source("github".into())));
}

#[test]
fn a_handler_that_moved() {
    let planted = ago(500);
    let finding = only(Cause::Redirect, |world| {
        world.traffic(60, |w, sees| if sees.at >= planted { answers(301) } else { w.fine() })
    });
    assert!(about(finding.since, planted));
    assert!(finding.mend.contains("`url`"));
}

#[test]
fn a_path_that_is_gone() {
    let planted = ago(500);
    only(Cause::WrongAddress, |world| {
        world.traffic(60, |w, sees| if sees.at >= planted { answers(404) } else { w.fine() })
    });
}

#[test]
fn too_much_at_once() {
    let finding = only(Cause::Overload, |world| {
        world.traffic(60, |w, _| w.fine());
        for burst in 0..6 {
            let at = ago(1_300 - burst * 200);
            for i in 0..120u64 {
                let at = at.plus(Duration::from_millis(i * 60));
                let mut overloaded = |w: &mut World, sees: &Sees<'_>| {
                    let early = sees.at.since(at) < Duration::from_secs(1);
                    if early && i > 30 && w.chance(60) { answers(503) } else { w.fine() }
                };
                world.deliver(at, "stripe", "invoice.paid", &mut overloaded);
            }
        }
    });
    assert!(key(&finding, "destinations.billing.rate").ends_with("/s\""));
    assert_eq!(key(&finding, "destinations.billing.concurrency"), "8");
}

/// A hundred events within seconds.
fn burst(world: &mut World, at: Time, event_type: &str, mut does: impl FnMut(&mut World, &Sees<'_>) -> Does) {
    for i in 0..100 {
        world.deliver(at.plus(Duration::from_millis(i * 60)), "stripe", event_type, &mut does);
    }
}

#[test]
fn a_type_that_comes_in_bursts_is_no_overload() {
    let finding = only(Cause::ServerErrors, |world| {
        // It fails at the first attempt only, so that retries do not tell.
        let mut seen = BTreeSet::new();
        let mut bad = |w: &mut World, sees: &Sees<'_>| match sees.event_type {
            "report" if seen.insert(sees.event) => answers(500),
            _ => w.fine(),
        };
        world.traffic(60, &mut bad);
        for n in 0..6 {
            burst(world, ago(1_300 - n * 200), "report", &mut bad);
            burst(world, ago(1_200 - n * 200), "invoice.paid", &mut bad);
        }
    });
    assert_eq!(finding.scope, Some(Scope::Type("report".into())));
}

#[test]
fn a_deploy_with_more_traffic_after_it_is_no_overload() {
    let planted = ago(200);
    let finding = only(Cause::ServerErrors, |world| {
        world.traffic(60, |w, sees| if sees.at >= planted && w.chance(60) { answers(500) } else { w.fine() });
        for n in 0..60 {
            let at = ago(199 - n * 3);
            burst(world, at, "invoice.paid", |w, _| if w.chance(60) { answers(500) } else { w.fine() });
        }
    });
    assert!(about(finding.since, planted), "{}", finding.sentence);
}

#[test]
fn what_retries_add_is_no_overload() {
    for seed in SEEDS {
        let mut world = World::new(seed);
        let down = |at: Time| [1_200, 900, 600, 300].iter().any(|m| at >= ago(*m) && at < ago(*m - 4));
        world.traffic(5, |w, sees| if down(sees.at) { answers(503) } else { w.fine() });
        let report = reported(world);
        assert_eq!(report.findings.len(), 4, "{}", text(&report));
        assert!(report.findings.iter().all(|f| f.cause == Cause::ServerErrors), "{}", text(&report));
    }
}

#[test]
fn a_type_that_comes_by_night_is_no_matter_of_the_hour() {
    let finding = only(Cause::TypeRejected, |world| {
        world.minutes = 5 * 1_440;
        let bad = |w: &mut World, sees: &Sees<'_>| if sees.event_type == "report" { answers(422) } else { w.fine() };
        world.traffic(120, bad);
        for day in 0..5 {
            for i in 0..20 {
                // At three in the morning.
                let at = ago(11 * 60 - i + day * 1_440);
                world.deliver(at, "stripe", "report", &mut { bad });
            }
        }
    });
    assert_eq!(finding.scope, Some(Scope::Type("report".into())));
}

#[test]
fn what_goes_on_is_not_over_after_a_few_successes() {
    let planted = ago(200);
    let finding = only(Cause::ServerErrors, |world| {
        let broken = planted..ago(1);
        world.traffic(30, |w, sees| if broken.contains(&sees.at) && w.chance(40) { answers(500) } else { w.fine() })
    });
    assert_eq!(finding.until, None, "{}", finding.sentence);
}

#[test]
fn connections_that_break() {
    let planted = ago(300);
    only(Cause::ConnectionBreaks, |world| {
        let breaks = || fails(ErrorClass::Protocol, "billing:443 closed the connection before it answered", 30);
        world.traffic(30, |w, sees| if sees.at >= planted && w.chance(40) { breaks() } else { w.fine() })
    });
}

#[test]
fn what_several_destinations_share() {
    let mut world = World::new(1);
    for (i, destination) in ["billing", "crm", "mail", "search"].into_iter().enumerate() {
        world.destination = destination;
        let planted = if destination == "crm" { ago(400) } else { ago(120).plus(Duration::from_secs(i as u64 * 10)) };
        let gone = || fails(ErrorClass::Dns, "the name does not exist", 5);
        world.traffic(30, |w, sees| if sees.at >= planted { gone() } else { w.fine() });
    }
    let report = reported(world);
    let shared = |f: &&Finding| f.evidence.iter().any(|line| line.starts_with("2 other destinations"));
    let mut said: Vec<_> = report.findings.iter().filter(shared).map(|f| &*f.destination).collect();
    said.sort();
    assert_eq!((report.findings.len(), said), (4, vec!["billing", "mail", "search"]), "{}", text(&report));
}

#[test]
fn what_fails_all_the_time_is_not_said_to_have_begun_together() {
    let mut world = World::new(1);
    for destination in ["billing", "mail", "search"] {
        world.destination = destination;
        world.traffic(300, |_, _| fails(ErrorClass::Dns, "the name does not exist", 5));
    }
    let report = reported(world);
    let says = |f: &Finding| f.evidence.iter().find(|line| line.contains("other destinations")).cloned();
    let said: Vec<_> = report.findings.iter().filter_map(says).collect();
    assert_eq!(said.len(), 3, "{}", text(&report));
    assert!(said.iter().all(|line| line.contains("for as long") && !line.contains("began")), "{said:?}");
}

#[test]
fn two_causes_at_two_destinations() {
    for seed in SEEDS {
        let mut world = World::new(seed);
        world.traffic(60, |w, sees| if sees.at >= ago(300) { answers(401) } else { w.fine() });
        world.destination = "mail";
        world.traffic(60, |w, sees| if sees.event_type == "push" { answers(400) } else { w.fine() });
        let report = reported(world);
        let mut found: Vec<_> = report.findings.iter().map(|f| (&*f.destination, f.cause)).collect();
        found.sort();
        let planted = [("billing", Cause::AuthBroken), ("mail", Cause::TypeRejected)];
        assert_eq!(found, planted, "{}", text(&report));
    }
}

#[test]
fn two_causes_at_one_destination() {
    for seed in SEEDS {
        let mut world = World::new(seed);
        let down = || fails(ErrorClass::Connect, "connection refused by 127.0.0.1:3000", 1);
        world.traffic(30, |w, sees| match sees.event_type {
            _ if sees.at >= ago(60) => down(),
            "push" => answers(400),
            _ => w.fine(),
        });
        let report = reported(world);
        let mut found: Vec<_> = report.findings.iter().map(|f| f.cause).collect();
        found.sort();
        assert_eq!(found, [Cause::HandlerDown, Cause::TypeRejected], "{}", text(&report));
    }
}
