//! Schedules against tables, and against a scan of every minute over the changes of several zones.

use jiff::{Zoned, civil::Date};
use proptest::prelude::*;

use super::*;

fn cron(text: &str) -> Cron {
    Cron::parse(text).unwrap_or_else(|e| panic!("{e}"))
}

fn time(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

/// The next so many ticks, in UTC without the seconds.
fn ticks(text: &str, from: &str, n: usize) -> Vec<String> {
    let (cron, mut at) = (cron(text), time(from));
    let next = std::iter::from_fn(|| {
        at = cron.next_after(at)?;
        assert_eq!(cron.latest_until(at), Some(at), "{text}");
        Some(at.to_string()[..16].to_owned())
    });
    next.take(n).collect()
}

#[test]
fn fields_in_all_their_forms() {
    let table: [(&str, &[&str]); 13] = [
        ("* * * * *", &["2026-01-01T00:01", "2026-01-01T00:02"]),
        ("*/20 * * * *", &["2026-01-01T00:20", "2026-01-01T00:40", "2026-01-01T01:00"]),
        ("5/25 3 * * *", &["2026-01-01T03:05", "2026-01-01T03:30", "2026-01-01T03:55", "2026-01-02T03:05"]),
        ("0 9-17/4 * * MON-fri", &["2026-01-01T09:00", "2026-01-01T13:00", "2026-01-01T17:00", "2026-01-02T09:00"]),
        ("30 4 1,15 * ?", &["2026-01-01T04:30", "2026-01-15T04:30", "2026-02-01T04:30"]),
        ("0 0 * feb,Nov sun", &["2026-02-01T00:00", "2026-02-08T00:00"]),
        ("0 0 * * 7", &["2026-01-04T00:00", "2026-01-11T00:00"]),
        ("0 0 * * 5-7", &["2026-01-02T00:00", "2026-01-03T00:00", "2026-01-04T00:00", "2026-01-09T00:00"]),
        ("0 0 29 2 *", &["2028-02-29T00:00"]),
        ("  @daily ", &["2026-01-02T00:00"]),
        ("@hourly", &["2026-01-01T01:00"]),
        ("@weekly", &["2026-01-04T00:00"]),
        ("@yearly", &["2027-01-01T00:00"]),
    ];
    for (text, expected) in table {
        assert_eq!(ticks(text, "2026-01-01T00:00:00Z", expected.len()), expected, "{text}");
    }
}

#[test]
fn two_restricted_day_fields_match_either() {
    let first = |text: &str| ticks(text, "2026-01-01T00:00:00Z", 3);
    assert_eq!(first("0 0 13 * fri"), ["2026-01-02T00:00", "2026-01-09T00:00", "2026-01-13T00:00"]);
    assert_eq!(first("0 0 13 * *"), ["2026-01-13T00:00", "2026-02-13T00:00", "2026-03-13T00:00"]);
    // A step restricts; a bare star in a list does not.
    assert_eq!(first("0 0 */10 * mon"), ["2026-01-05T00:00", "2026-01-11T00:00", "2026-01-12T00:00"]);
    assert_eq!(first("0 0 *,13 * mon"), ["2026-01-05T00:00", "2026-01-12T00:00", "2026-01-19T00:00"]);
}

#[test]
fn zones_and_their_changes() {
    // Berlin, summer to winter: 03:00 becomes 02:00 at 01:00 UTC.
    let autumn = "2026-10-24T12:00:00Z";
    assert_eq!(ticks("CRON_TZ=Europe/Berlin 30 2 * * *", autumn, 2), ["2026-10-25T00:30", "2026-10-26T01:30"]);
    assert_eq!(
        ticks("TZ=Europe/Berlin 0,30 * * * *", "2026-10-24T23:45:00Z", 5),
        ["2026-10-25T00:00", "2026-10-25T00:30", "2026-10-25T01:00", "2026-10-25T01:30", "2026-10-25T02:00"]
    );
    // Winter to summer: 02:00 becomes 03:00 at 01:00 UTC.
    let spring = "2026-03-28T12:00:00Z";
    assert_eq!(ticks("CRON_TZ=Europe/Berlin 30 2 * * *", spring, 2), ["2026-03-30T00:30", "2026-03-31T00:30"]);
    assert_eq!(
        ticks("CRON_TZ=Europe/Berlin 30 * * * *", "2026-03-28T23:45:00Z", 3),
        ["2026-03-29T00:30", "2026-03-29T01:30", "2026-03-29T02:30"]
    );
    assert_eq!(
        ticks("CRON_TZ=America/New_York 0 4 * * *", "2026-03-07T12:00:00Z", 2),
        ["2026-03-08T08:00", "2026-03-09T08:00"]
    );
    // Half an hour, and a day that never was.
    assert_eq!(ticks("CRON_TZ=Asia/Kolkata 0 0 * * *", "2026-01-01T00:00:00Z", 1), ["2026-01-01T18:30"]);
    assert_eq!(ticks("CRON_TZ=Pacific/Apia 0 12 30 12 *", "2011-12-01T00:00:00Z", 1), ["2012-12-29T22:00"]);
}

#[test]
fn a_day_of_minutes_has_1440_whatever_the_clock_does() {
    for zone in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns"] {
        let cron = cron(&format!("CRON_TZ={zone} * * * * *"));
        for start in ["2006-10-28T12:00:00Z", "2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z", "2026-11-01T00:00:00Z"] {
            let start = time(start);
            let next = |at: &Time| cron.next_after(*at);
            let ticks: Vec<_> = std::iter::successors(Some(start), next).take(1 + 1_440).collect();
            let whole = ticks.windows(2).all(|pair| pair[1].since(pair[0]).as_secs() == 60);
            assert!(whole, "{zone} {start}");
        }
    }
}

#[test]
fn what_never_ticks_is_found_out() {
    for text in ["0 0 30 2 *", "0 0 31 4,6,9,11 *"] {
        let cron = cron(text);
        let now = time("2026-01-01T00:00:00Z");
        assert_eq!((cron.next_after(now), cron.latest_until(now)), (None, None), "{text}");
    }
    assert_eq!(cron("* * * * *").next_after(Time::MAX), None);
}

#[test]
fn what_is_no_schedule_is_refused() {
    let long = "*".repeat(501);
    let bad = [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "5-3 * * * *",
        "*/0 * * * *",
        "*/x * * * *",
        "a * * * *",
        "-1 * * * *",
        "1,,2 * * * *",
        "1-2-3 * * * *",
        "+1 * * * *",
        "@every 5m",
        "@never",
        "CRON_TZ=Mars/Olympus * * * * *",
        "CRON_TZ= * * * * *",
        "CRON_TZ=UTC",
        &long,
    ];
    for text in bad {
        let error = Cron::parse(text).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with("Invalid cron expression"), "{text}: {error}");
    }
}

/// Whether a real minute is a tick, by the words of the rule and nothing else.
fn is_tick(cron: &Cron, now: &Zoned) -> bool {
    let fields = cron.minutes.has(now.minute()) && cron.hours.has(now.hour()) && cron.admits(now.date());
    // A second pass: the same local time was, up to two hours ago.
    let again = || (1..=120).any(|m| now.checked_sub(Span::new().minutes(m)).unwrap().datetime() == now.datetime());
    fields && (cron.every_hour() || !again())
}

fn fields() -> impl Strategy<Value = String> {
    let minute = prop_oneof![
        Just("*".to_owned()),
        Just("*/7".into()),
        Just("0,30".into()),
        (0..60u32).prop_map(|m| m.to_string())
    ];
    let hour = prop_oneof![
        Just("*".to_owned()),
        Just("*/2".into()),
        Just("0-3".into()),
        (0..24u32).prop_map(|h| h.to_string())
    ];
    let day = prop_oneof![Just("*".to_owned()), Just("*/2".into()), (1..32u32).prop_map(|d| d.to_string())];
    let weekday = prop_oneof![Just("*".to_owned()), Just("sun".into()), Just("mon-fri".into())];
    (minute, hour, day, weekday).prop_map(|(m, h, d, w)| format!("{m} {h} {d} * {w}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Three days around a change: each minute is asked by the plain rule.
    #[test]
    fn the_same_as_looking_at_every_minute(
        fields in fields(),
        (zone, year, month, day) in prop_oneof![
            Just(("Europe/Berlin", 2026, 3, 28)),
            Just(("Europe/Berlin", 2026, 10, 24)),
            Just(("America/New_York", 2026, 11, 1)),
            Just(("Australia/Lord_Howe", 2026, 4, 4)),
            Just(("Australia/Lord_Howe", 2026, 10, 3)),
            // Set back over midnight, and forward at midnight.
            Just(("America/St_Johns", 2006, 10, 28)),
            Just(("America/Havana", 2026, 3, 7)),
            Just(("Africa/Casablanca", 2026, 2, 14)),
            Just(("UTC", 2026, 2, 27)),
        ],
    ) {
        let cron = cron(&format!("CRON_TZ={zone} {fields}"));
        let start = Date::new(year, month, day).unwrap().to_zoned(cron.zone.clone()).unwrap();
        let minutes: Vec<Zoned> = (0..3 * 1_440).map(|m| start.checked_add(Span::new().minutes(m)).unwrap()).collect();
        let expected: Vec<Time> = minutes.iter().filter(|m| is_tick(&cron, m)).map(|m| time_of(m.timestamp())).collect();
        let (mut from, end) = (time_of(start.timestamp()), time_of(minutes.last().unwrap().timestamp()));
        let mut found = Vec::new();
        from = Time::from_us(from.as_us() - 1);
        while let Some(tick) = cron.next_after(from).filter(|t| *t <= end) {
            found.push(tick);
            from = tick;
        }
        prop_assert_eq!(&found, &expected);
        // Between ticks the latest is the one before.
        for pair in expected.windows(2) {
            let between = Time::from_us(pair[1].as_us() - 1);
            prop_assert_eq!(cron.latest_until(between), Some(pair[0]));
        }
    }
}
