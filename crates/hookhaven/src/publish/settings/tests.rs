//! Settings: each header, its errors, and what follows from them.

use std::num::NonZero;

use http::StatusCode;

use super::*;

const NOW: Time = Time::from_s(1_700_000_000);

fn lines(pairs: &[(&str, &str)]) -> Vec<Line> {
    pairs.iter().map(|(n, v)| (Arc::from(*n), Bytes::copy_from_slice(v.as_bytes()))).collect()
}

fn settings(pairs: &[(&str, &str)]) -> Settings {
    Settings::parse(&lines(pairs)).unwrap_or_else(|e| panic!("{pairs:?}: {e}"))
}

fn refusal(pairs: &[(&str, &str)]) -> String {
    let error = Settings::parse(&lines(pairs)).map(|_| ()).unwrap_err();
    assert_eq!(error.status, StatusCode::BAD_REQUEST);
    error.text
}

#[test]
fn without_settings_the_documented_defaults() {
    let plain = settings(&[]);
    assert_eq!((&plain.method, plain.retries(), plain.due_at(NOW)), (&Method::POST, 3, NOW));
    assert_eq!(plain.event_type(), "message");
    let policy = plain.policy();
    let waits: Vec<_> = (1..=4).map(|n| policy.retry.wait(n, 0.0).map(|d| d.as_secs())).collect();
    assert_eq!(waits, [Some(12), Some(148), Some(1_808), None]);
    let long = settings(&[("upstash-retries", "5")]).policy();
    let waits: Vec<_> = (4..=6).map(|n| long.retry.wait(n, 0.0).map(|d| d.as_secs())).collect();
    assert_eq!(waits, [Some(22_026), Some(86_400), None]);
}

#[test]
fn every_header_is_understood() {
    let s = settings(&[
        ("content-type", "text/plain;charset=UTF-8"),
        ("upstash-method", "put"),
        ("upstash-forward-x-a", "1"),
        ("upstash-forward-x-a", "2"),
        ("upstash-delay", "1d10h30m"),
        ("upstash-retries", "0"),
        ("upstash-retry-delay", "pow(2, retried) * 1000"),
        ("upstash-timeout", "1.5s"),
        ("upstash-deduplication-id", "a:b"),
        ("upstash-content-based-deduplication", "True"),
        ("upstash-label", " one, two ,,"),
        ("upstash-label", "three"),
        ("upstash-flow-control-key", "k"),
        ("upstash-flow-control-value", "period=1m,rate=10, parallelism=3"),
        ("upstash-redact-fields", "body"),
        ("upstash-cron", " CRON_TZ=America/New_York 0 4 * * * "),
        ("upstash-schedule-id", "daily"),
        ("upstash-queue-name", "q"),
        ("hookhaven-publish-group", "g"),
    ]);
    assert_eq!((s.method.as_str(), s.content_type.as_deref()), ("PUT", Some(&b"text/plain;charset=UTF-8"[..])));
    assert_eq!(s.forward, lines(&[("x-a", "1"), ("x-a", "2")]));
    assert_eq!((s.due_at(NOW).since(NOW).as_secs(), s.retries()), (124_200, 0));
    let delay = s.retry_delay.as_ref().unwrap();
    assert_eq!((&*delay.text, delay.expression.wait(2).as_secs()), ("pow(2, retried) * 1000", 4));
    assert_eq!((s.timeout, s.redact.body), (Some(Duration::from_millis(1_500)), true));
    assert_eq!(s.deduplication, Deduplication::Id("a:b".into()), "an id wins over the content");
    assert_eq!((s.labels.join("|"), s.event_type()), ("one|two|three".into(), "one"));
    let flow = s.flow.unwrap();
    assert_eq!((flow.key.as_str(), flow.parallelism, flow.rate), ("k", NonZero::new(3), NonZero::new(10)));
    assert_eq!(flow.period.as_secs(), 60);
    assert_eq!(s.cron.as_deref(), Some("CRON_TZ=America/New_York 0 4 * * *"));
    assert_eq!((s.schedule_id.as_deref(), s.queue.as_deref()), (Some("daily"), Some("q")));
}

#[test]
fn the_smaller_rules() {
    let both = settings(&[("upstash-delay", "10s"), ("upstash-not-before", "1700000100")]);
    assert_eq!(both.due_at(NOW), Time::from_s(1_700_000_100));
    assert_eq!(settings(&[("upstash-not-before", "1600000000")]).due_at(NOW), NOW, "the past is now");
    let forwarded = settings(&[("content-type", "text/plain"), ("upstash-forward-content-type", "application/json")]);
    assert_eq!(forwarded.content_type.as_deref(), Some(&b"application/json"[..]));
    assert!(forwarded.forward.is_empty());
    for (text, on) in [("true", true), ("True", true), ("False", false), ("1", false)] {
        let by_content = settings(&[("upstash-content-based-deduplication", text)]).deduplication;
        assert_eq!(by_content == Deduplication::Content, on, "{text}");
    }
    let flow =
        |value| settings(&[("upstash-flow-control-key", "k"), ("upstash-flow-control-value", value)]).flow.unwrap();
    assert_eq!((flow("parallelism=1").period.as_secs(), flow("rate=1").parallelism), (1, None));
    assert_eq!((flow("ratePerSecond=5").rate, flow("rate=1, period=60").period.as_secs()), (NonZero::new(5), 60));
    assert_eq!(settings(&[("upstash-unknown", "?"), ("x", "y")]), Settings::default());
}

#[test]
fn what_is_wrong_is_named() {
    let table = [
        ("upstash-method", "BREW", "invalid Upstash-Method: use GET, POST, PUT, PATCH or DELETE"),
        ("upstash-delay", "10", "invalid Upstash-Delay: time: missing unit in duration \"10\""),
        ("upstash-not-before", "soon", "invalid Upstash-Not-Before: \"soon\" is not a whole number"),
        ("upstash-retries", "-1", "invalid Upstash-Retries: \"-1\" is not a whole number"),
        ("upstash-retries", "1.5", "invalid Upstash-Retries: \"1.5\" is not a whole number"),
        ("upstash-timeout", "", "invalid Upstash-Timeout: time: invalid duration \"\""),
        (
            "upstash-callback",
            "ftp://x",
            "invalid callback url: invalid destination url: endpoint has invalid scheme, add http:// or https://",
        ),
        ("upstash-redact-fields", "query", "invalid Upstash-Redact-Fields: use body, header or header[Name]"),
        ("upstash-schedule-id", "a/b", "invalid schedule id: must be 1 to 256 letters, digits, '.', '_' or '-'"),
        ("upstash-flow-control-key", "k", "invalid Upstash-Flow-Control-Value: a key needs a parallelism or a rate"),
    ];
    for (name, value, expected) in table {
        assert_eq!(refusal(&[(name, value)]), expected);
    }
    assert!(refusal(&[("upstash-retry-delay", "retries * 2")]).starts_with("invalid Upstash-Retry-Delay: "));
    assert!(refusal(&[("upstash-cron", "* * *")]).starts_with("Invalid cron expression"));
    for value in [
        "",
        "period=1s",
        "rate=0",
        "rate=-1",
        "parallelism=x",
        "rate",
        "speed=1",
        "rate=1,period=8d",
        "rate=1,period=0",
    ] {
        let refusal = refusal(&[("upstash-flow-control-key", "k"), ("upstash-flow-control-value", value)]);
        assert!(refusal.starts_with("invalid Upstash-Flow-Control-Value"), "{value}");
    }
    let not_utf8 = [(Arc::from("upstash-label"), Bytes::from_static(b"\xff"))];
    assert!(Settings::parse(&not_utf8).is_err());
}

#[test]
fn limits_answer_in_quotas() {
    let limits = Limits { retries_max: 5, delay_max: Duration::from_secs(604_800) };
    let check = |pairs: &[(&str, &str)]| settings(pairs).check(limits, NOW).map_err(|e| (e.status.as_u16(), e.text));
    assert_eq!(check(&[("upstash-retries", "5"), ("upstash-delay", "7d")]), Ok(()));
    assert_eq!(check(&[("upstash-retries", "6")]), Err((412, "quota maxRetries exceeded".into())));
    let delay = Err((412, "quota maxDelay exceeded, current limit: 604800".into()));
    assert_eq!(check(&[("upstash-delay", "8d")]), delay);
    assert_eq!(check(&[("upstash-not-before", "1800000000")]), delay);
    let callback = [("upstash-callback", "https://a/"), ("upstash-callback-retries", "6")];
    assert_eq!(check(&callback), Err((412, "quota maxRetries exceeded".into())));
}

#[test]
fn callbacks_have_settings_of_their_own_and_inherit_the_rest() {
    let source = lines(&[
        ("content-type", "text/plain"),
        ("upstash-retries", "7"),
        ("upstash-timeout", "5s"),
        ("upstash-label", "l"),
        ("upstash-forward-x", "source"),
        ("upstash-callback", "https://a.example/cb?x=1"),
        ("upstash-callback-retries", "1"),
        ("upstash-callback-method", "PUT"),
        ("upstash-callback-x", "ignored"),
        ("upstash-callback-forward-x", "callback"),
        ("upstash-callback-callback", "https://b.example/"),
        ("upstash-failure-callback", "https://a.example/failed"),
    ]);
    let settings = Settings::parse(&source).unwrap();
    let message =
        settings.callback.as_ref().map(|callback| Settings::parse(&callback.message(&source)).unwrap()).unwrap();
    assert_eq!(settings.callback.unwrap().url, "https://a.example/cb?x=1");
    assert_eq!((message.method.as_str(), message.retries()), ("PUT", 1));
    assert_eq!(message.timeout, Some(Duration::from_secs(5)));
    assert_eq!(message.content_type.as_deref(), Some(&b"application/json"[..]));
    assert_eq!(message.forward, lines(&[("x", "callback")]));
    assert!(message.labels.is_empty() && message.callback.is_none());
    let failure = settings.failure_callback.unwrap();
    let failure = Settings::parse(&failure.message(&source)).unwrap();
    assert_eq!((failure.method, failure.retries, failure.forward), (Method::POST, Some(7), vec![]));
}
