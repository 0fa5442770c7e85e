//! What the config file may say, and the exact message for each thing that it may not.

mod alerts;
mod clients;
mod names;
mod ordering;
mod secrets;
mod sources;

use std::{path::Path, time::Duration};

use hookhaven_core::destination::DestinationState;

use super::*;
use crate::config::model::{LogFormat, Place};

/// A secret of the form that senders of the Standard Webhooks family need.
const WHSEC: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn environment() -> Environment {
    let variables = [("STRIPE_SECRET", "whsec_abc"), ("GITHUB_SECRET", "hush"), ("BLANK", " "), ("BILLING", WHSEC)];
    Environment::from_iter(variables)
}

fn problems(text: &str) -> Vec<String> {
    let parsed = parse(Path::new("hookhaven.toml"), text, &environment());
    assert_eq!(parsed.config.is_none(), parsed.problems.iter().any(Problem::is_error), "{:?}", parsed.problems);
    parsed.problems.iter().map(ToString::to_string).collect()
}

fn config(text: &str) -> Config {
    let parsed = parse(Path::new("hookhaven.toml"), text, &environment());
    let shown: Vec<String> = parsed.problems.iter().map(ToString::to_string).collect();
    parsed.config.unwrap_or_else(|| panic!("{}", shown.join("\n")))
}

/// A source, a destination and a route, on lines 1 to 8; `more` begins on line 9.
fn with(more: &str) -> String {
    let sound = "[sources.stripe]\nsender = \"stripe\"\nsecrets = [\"env:STRIPE_SECRET\"]\n\
                 [destinations.billing]\nurl = \"http://127.0.0.1:3000/hooks\"\n\
                 [[routes]]\nsource = \"stripe\"\nto = [\"billing\"]\n";
    format!("{sound}{more}")
}

#[track_caller]
fn says(text: &str, expected: &[&str]) {
    assert_eq!(problems(text), expected, "\n{text}");
}

/// Extra lines inside a section of its own: the problem must be the only one.
#[track_caller]
fn says_of(more: &str, expected: &str) {
    says(&with(more), &[expected]);
}

#[test]
fn an_empty_file_is_the_defaults() {
    let config = config("");
    assert_eq!(config.server.ingest.to_string(), "127.0.0.1:8080");
    assert_eq!(config.store.place, Place::Directory("hookhaven-data".into()));
    assert!(config.sources.is_empty() && config.destinations.is_empty() && config.routes.is_empty());
}

#[test]
fn everything_that_is_written_counts() {
    let config = config(
        r#"
        [server]
        ingest = "0.0.0.0:9000"
        admin = "127.0.0.1:9001"
        public_url = "https://hooks.example.com/base/"
        admin_token = "literal"
        admin_hosts = ["Hooks.internal"]
        [store]
        url = "file:data"
        pending_max = 1_000
        segment = "1MiB"
        index_lag_max = "2MiB"
        free_min = "1GiB"
        reserve = "0B"
        [limits]
        connections_max = 10
        header_max = "16KiB"
        headers_max = 50
        header_timeout = "1s"
        body_timeout = "2s"
        idle_timeout = "3s"
        bodies_in_flight_max = "64MiB"
        drain_timeout = "4s"
        metric_types_max = 7
        reserved_percent = 30
        [worker]
        slots = 8
        excerpt_max = "1KiB"
        response_max = "2KiB"
        session_ttl = "10s"
        [log]
        format = "text"
        level = "debug"
        [sources.stripe]
        sender = "stripe"
        secrets = ["env:STRIPE_SECRET", "older"]
        tolerance = "1m"
        dedupe_window = "1d"
        body_max = "2MiB"
        allow = ["10.0.0.0/8", "192.0.2.7"]
        rate = "100/s"
        [destinations.billing]
        url = "http://127.0.0.1:3000/hooks"
        timeout = "5s"
        concurrency = 4
        rate = "200/s"
        secrets = ["env:BILLING"]
        state = "paused"
        breaker = { failures = 3, deliveries = 2, rest = "1m" }
        [[routes]]
        name = "money"
        source = "stripe"
        events = ["invoice.*", "charge.failed"]
        to = ["billing"]
        deadline = "15s"
        max_age = "1d"
        critical = true
        ordering = "none"
        retry = { attempts = 3, initial = "1s", factor = 2, max = "1m" }
        "#,
    );
    let seconds = Duration::from_secs;
    let server = &config.server;
    assert_eq!((server.ingest.port(), server.admin.port()), (9000, 9001));
    assert_eq!(server.admin_hosts, ["hooks.internal"]);
    assert_eq!(server.admin_token.as_ref().map(|t| t.expose()), Some(&b"literal"[..]));
    let store = &config.store;
    assert_eq!((store.pending_max, store.segment_bytes, store.index_lag_bytes_max), (1_000, 1 << 20, 2 << 20));
    assert_eq!((store.free_min_bytes, store.reserve_bytes), (1 << 30, 0));
    assert_eq!(store.place, Place::Directory("data".into()));
    let limits = &config.limits;
    assert_eq!((limits.connections_max, limits.header_bytes_max, limits.headers_max), (10, 16 << 10, 50));
    assert_eq!((limits.header_timeout, limits.body_timeout, limits.idle_timeout), (seconds(1), seconds(2), seconds(3)));
    assert_eq!((limits.body_bytes_in_flight_max, limits.metric_types_max), (64 << 20, 7));
    assert_eq!((limits.drain_timeout, limits.reserved_percent), (seconds(4), 30));
    let worker = &config.worker;
    assert_eq!((worker.slots, worker.excerpt_bytes_max, worker.response_bytes_max), (8, 1_024, 2_048));
    assert_eq!(worker.session_ttl, seconds(10));
    assert_eq!((config.log.format, config.log.level), (LogFormat::Text, tracing::Level::DEBUG));
    let source = &config.sources["stripe"];
    assert_eq!(source.sender.name(), "stripe");
    assert_eq!(source.secrets.iter().map(|s| s.expose()).collect::<Vec<_>>(), [&b"whsec_abc"[..], b"older"]);
    assert_eq!(
        (source.tolerance, source.dedupe_window, source.body_bytes_max),
        (seconds(60), seconds(86_400), 2 << 20)
    );
    assert_eq!(source.public_url.as_deref(), Some("https://hooks.example.com/base/webhooks/stripe"));
    assert_eq!(source.allow.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.0/8", "192.0.2.7/32"]);
    let destination = &config.destinations["billing"];
    assert_eq!((destination.timeout, destination.concurrency.get()), (seconds(5), 4));
    assert_eq!(destination.rate.map(|r| (r.count.get(), r.per)), Some((200, seconds(1))));
    assert_eq!((destination.secrets.len(), destination.state), (1, DestinationState::Paused));
    assert_eq!((destination.breaker.failures.get(), destination.breaker.rest), (3, seconds(60)));
    let route = &config.routes[0];
    assert_eq!((&*route.name, &*route.source, &*route.to[0]), ("money", "stripe", "billing"));
    assert!(route.takes_type("stripe", "invoice.paid") && !route.takes_type("stripe", "charge.paid"));
    let policy = &route.policy;
    assert_eq!((policy.deadline, policy.max_age, policy.critical), (seconds(15), seconds(86_400), true));
    assert_eq!((policy.retry.attempts, policy.retry.initial, policy.retry.factor), (3, seconds(1), 2.0));
}

#[test]
fn routes_are_named_after_source_and_position() {
    let config = config(&with("[[routes]]\nsource = \"stripe\"\nevents = [\"x\"]\nto = [\"billing\"]\n"));
    assert_eq!(config.routes.iter().map(|r| &*r.name).collect::<Vec<_>>(), ["stripe#1", "stripe#2"]);
    assert_eq!(config.routes[0].policy.deadline, route::DEADLINE);
}

#[test]
fn unknown_keys_are_errors_with_a_did_you_mean() {
    says_of("[sevrer]\n", "hookhaven.toml:9:2: sevrer: unknown key; did you mean \"server\"?");
    says_of("[log]\nlevle = \"info\"\n", "hookhaven.toml:10:1: log.levle: unknown key; did you mean \"level\"?");
    says_of("[log]\ncolour = true\n", "hookhaven.toml:10:1: log.colour: unknown key; known keys: format, level");
    says(
        "[sources.stripe]\nsender = \"stripe\"\n  secret = \"x\"\n",
        &[
            "hookhaven.toml:1:10: warning: sources.stripe: no route takes this source; its events will be stored and go \
             nowhere until a [[routes]] names it",
            "hookhaven.toml:3:3: sources.stripe.secret: unknown key; did you mean \"secrets\"?",
        ],
    );
    says_of(
        "retry = { atempts = 3 }\n",
        "hookhaven.toml:9:11: routes[0].retry.atempts: unknown key; did you mean \"attempts\"?",
    );
}

#[test]
fn all_problems_are_told_at_once_in_the_files_order() {
    let text =
        "[server]\ningest = \"nowhere\"\n[store]\nurl = 7\n[limits]\nheader_timeout = \"soon\"\nheader_max = \"big\"\n";
    let found = problems(text);
    let lines: Vec<&str> = found.iter().filter_map(|p| p.split(':').nth(1)).collect();
    assert_eq!(lines, ["2", "4", "6", "7"], "{found:?}");
}

#[test]
fn what_is_not_toml_is_told_where() {
    let found = problems("[server]\ningest = \n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("hookhaven.toml:2:") && found[0].contains("not TOML"), "{found:?}");
}

#[test]
fn globs_that_mean_nothing() {
    says_of(
        "events = [\"invoice.?\"]\n",
        "hookhaven.toml:9:11: routes[0].events[0]: bad pattern \"invoice.?\"; '?' has no meaning in an event type pattern; \
         only * does (e.g. \"invoice.*\")",
    );
    says_of(
        "events = []\n",
        "hookhaven.toml:9:10: routes[0].events: the list is empty, so the route would take nothing; take the key out to \
         take every type",
    );
    says_of(
        "events = \"a\"\n",
        "hookhaven.toml:9:10: routes[0].events: expected a list of event types, such as [\"invoice.*\"], not a text",
    );
}

#[test]
fn values_that_are_no_values() {
    says_of(
        "deadline = \"soon\"\n",
        "hookhaven.toml:9:12: routes[0].deadline: \"soon\" is not a duration; write \"500ms\", \"10s\", \"5m\", \"1h30m\" or \
         \"7d\"",
    );
    says_of(
        "deadline = 10\n",
        "hookhaven.toml:9:12: routes[0].deadline: expected a duration in quotes, such as \"500ms\", \"10s\", \"5m\", \
         \"1h30m\" or \"7d\", not a number",
    );
    says_of(
        "deadline = \"2d\"\n",
        "hookhaven.toml:9:12: routes[0].deadline: \"2d\" is out of range; must lie between \"0s\" and \"1d\"",
    );
    says_of(
        "[limits]\nheader_max = \"big\"\n",
        "hookhaven.toml:10:14: limits.header_max: \"big\" is not a size; write \"512KiB\", \"1MiB\" or \"1GiB\"",
    );
    says_of(
        "[server]\nadmin = \"localhost:8081\"\n",
        "hookhaven.toml:10:9: server.admin: \"localhost:8081\" is not an IP address and a port; write \"127.0.0.1:8080\", or \
         \"0.0.0.0:8080\" for every interface",
    );
    says_of(
        "[log]\nlevel = \"inof\"\n",
        "hookhaven.toml:10:9: log.level: \"inof\" is not known here; did you mean \"info\"?",
    );
    says_of(
        "critical = \"yes\"\n",
        "hookhaven.toml:9:12: routes[0].critical: expected true or false, without quotes, not a text",
    );
    says_of(
        "retry = { attempts = 0 }\n",
        "hookhaven.toml:9:22: routes[0].retry.attempts: 0 is out of range; must lie between 1 and 100",
    );
    says_of(
        "retry = { factor = 0.5 }\n",
        "hookhaven.toml:9:20: routes[0].retry.factor: 0.5 is out of range; must lie between 1 and 100",
    );
    says_of("[worker]\nslots = -1\n", "hookhaven.toml:10:9: worker.slots: must lie between 2 and 100000");
}

#[test]
fn destinations_that_cannot_be_called() {
    let of = |line: &str, expected: &str| {
        let text = with("").replace("url = \"http://127.0.0.1:3000/hooks\"", line);
        says(&text, &[&format!("hookhaven.toml:{expected}")]);
    };
    of("", "4:15: destinations.billing: url is missing; add url = \"http://127.0.0.1:3000/hooks\"");
    of(
        "url = \"127.0.0.1:3000\"",
        "5:7: destinations.billing.url: not a URL: relative URL without a base; write one such as \
         \"http://127.0.0.1:3000/hooks\"",
    );
    of(
        "url = \"ftp://h/\"",
        "5:7: destinations.billing.url: a \"ftp\" URL cannot be used here; write one such as \"http://127.0.0.1:3000/hooks\"",
    );
    of(
        "url = \"http://me:pw@h/\"",
        "5:7: destinations.billing.url: a URL with a user name or password is refused: it would be seen in logs and lists; \
         take it out",
    );
    of(
        "url = \"http://localhost:8081/\"",
        "5:7: destinations.billing.url: this is the gateway's own admin address; write the address of your handler",
    );
    of(
        "url = \"http://h/\"\nrate = \"fast\"",
        "6:8: destinations.billing.rate: \"fast\" is not a rate; write \"200/s\", \"1000/m\" or \"50/10s\"",
    );
    of(
        "url = \"http://h/\"\ntimeout = \"2m\"",
        "6:11: warning: destinations.billing.timeout: \"2m\" is a long time to wait for an answer; let the handler answer \
         first and work afterwards; up to \"60s\" is fine",
    );
    of(
        "url = \"http://h/\"\nsecret = \"a\"\nsecrets = [\"b\"]",
        "7:11: destinations.billing.secrets: secret and secrets are both there; keep one of them: secrets takes a list",
    );
    of(
        "url = \"http://h/\"\nbreaker = { failures = 2, deliveries = 3 }",
        "6:11: destinations.billing.breaker: deliveries (3) is more than failures (2); each failure belongs to one delivery, \
         so deliveries may be at most failures",
    );
}

#[test]
fn things_that_get_in_each_others_way_are_warned_of() {
    says_of(
        "[[routes]]\nsource = \"stripe\"\nevents = [\"invoice.*\"]\nto = [\"billing\"]\n",
        "hookhaven.toml:9:1: warning: routes[1]: some events also go to \"billing\" by routes[0]; the first route wins: its \
         policy counts, and one delivery is made",
    );
    says_of(
        "[destinations.spare]\nurl = \"http://h/\"\n",
        "hookhaven.toml:9:15: warning: destinations.spare: no route goes to this destination; nothing will be delivered to \
         it until a [[routes]] names it",
    );
    says_of(
        "[server]\nadmin = \"127.0.0.1:8080\"\n",
        "hookhaven.toml:10:9: server.admin: ingest and admin are both on port 8080; give each a port of its own, e.g. 8080 \
         and 8081",
    );
}

#[test]
fn retention_is_a_duration_and_that_of_dead_letters_may_be_for_ever() {
    let store = |more: &str| config(&format!("[store]\n{more}")).store;
    let days = |n: u64| Duration::from_secs(n * 24 * 3_600);
    let plain = store("");
    assert_eq!((plain.retention, plain.retention_dead), (days(35), None));
    let said = store("retention = \"2w\"\nretention_dead = \"90d\"\n");
    assert_eq!((said.retention, said.retention_dead), (days(14), Some(days(90))));
    assert_eq!(store("retention_dead = \"forever\"\n").retention_dead, None);
    says_of(
        "[store]\nretention = \"5s\"\n",
        "hookhaven.toml:10:13: store.retention: \"5s\" is out of range; must lie between \"1h\" and \"3650d\"",
    );
    says_of(
        "[store]\nretention_dead = \"never\"\n",
        "hookhaven.toml:10:18: store.retention_dead: \"never\" is not a duration; write \"forever\", or a duration \
         such as \"90d\"",
    );
}
