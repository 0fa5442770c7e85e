//! `[telemetry]`: where traces go, how many of them, and within which limits.
//!
//! Not here: what the environment adds (`config::telemetry`).

use std::time::Duration;

use super::{
    document::{Item, Table},
    server::{section, set, usize_of},
};
use crate::config::{
    secret::Resolver,
    telemetry::{self, HEADERS_MAX, Telemetry},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const EXAMPLE: &str = "http://127.0.0.1:4318";
const SERVICE_NAME_CHARS_MAX: usize = 100;

pub fn telemetry(root: &mut Table<'_>, secrets: &Resolver<'_>) -> Telemetry {
    let mut telemetry = Telemetry::default();
    let Some(mut table) = section(root, "telemetry") else { return telemetry };
    telemetry.endpoint = table.take("otlp").and_then(|item| item.http_url(EXAMPLE)).map(telemetry::traces_of);
    set(&mut telemetry.headers, table.take("headers").and_then(|item| headers(&item, secrets)));
    set(&mut telemetry.sample, table.take("sample").and_then(|item| item.number(0.0..=1.0)));
    set(&mut telemetry.service_name, table.take("service_name").and_then(|item| service_name(&item)));
    set(&mut telemetry.queue_max, usize_of(&mut table, "queue_max", 16..=1_000_000));
    set(&mut telemetry.batch_max, usize_of(&mut table, "batch_max", 1..=10_000));
    set(&mut telemetry.batch_delay, table.take("batch_delay").and_then(|i| i.duration(10 * MS..=60 * SECOND)));
    set(&mut telemetry.timeout, table.take("timeout").and_then(|i| i.duration(100 * MS..=60 * SECOND)));
    table.finish();
    telemetry
}

fn headers(item: &Item<'_>, secrets: &Resolver<'_>) -> Option<Vec<(http::HeaderName, hookhaven_core::Secret)>> {
    let table = item.table("a table such as { authorization = \"env:OTLP_AUTHORIZATION\" }")?;
    let mut headers = Vec::new();
    for (name, _, item) in table.named() {
        let value = secrets.resolve(&item)?;
        match telemetry::header(name, &value) {
            Ok(name) => headers.push((name, value)),
            Err(why) => item.error(why, "write one such as authorization = \"env:OTLP_AUTHORIZATION\""),
        }
    }
    if headers.len() > HEADERS_MAX {
        item.error(format!("more than {HEADERS_MAX} headers"), "take out those that the collector does not need");
    }
    Some(headers)
}

fn service_name(item: &Item<'_>) -> Option<String> {
    let text = item.text("a name in quotes, such as \"hookhaven\"")?;
    let fine = !text.trim().is_empty() && text.chars().count() <= SERVICE_NAME_CHARS_MAX;
    if !fine {
        item.error("not a name", format!("write one of 1 to {SERVICE_NAME_CHARS_MAX} characters"));
    }
    fine.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{
        Environment,
        parse::{Parsed, parse},
        telemetry::Telemetry,
    };

    fn parsed(text: &str) -> Parsed {
        let environment = Environment::from_iter([("OTLP", "Bearer hunter2")]);
        parse(Path::new("hookhaven.toml"), &format!("[telemetry]\n{text}\n"), &environment)
    }

    #[test]
    fn everything_can_be_said() {
        let parsed = parsed(
            "otlp = \"https://collector:4318\"\nheaders = { Authorization = \"env:OTLP\" }\nsample = 0.1\n\
             service_name = \"hooks\"\nqueue_max = 100\nbatch_max = 10\nbatch_delay = \"200ms\"\ntimeout = \"2s\"",
        );
        assert!(parsed.problems.is_empty(), "{:?}", parsed.problems);
        let telemetry = parsed.config.unwrap().telemetry;
        assert_eq!(telemetry.endpoint.as_ref().unwrap().as_str(), "https://collector:4318/v1/traces");
        let [(name, value)] = &telemetry.headers[..] else { panic!("{telemetry:?}") };
        assert_eq!((name.as_str(), value.expose()), ("authorization", &b"Bearer hunter2"[..]));
        assert!(!format!("{telemetry:?}").contains("hunter2"));
        assert_eq!((telemetry.sample, telemetry.service_name.as_str()), (0.1, "hooks"));
        assert_eq!((telemetry.queue_max, telemetry.batch_max), (100, 10));
        assert_eq!((telemetry.batch_delay.as_millis(), telemetry.timeout.as_secs()), (200, 2));
    }

    #[test]
    fn nothing_said_is_no_traces() {
        assert_eq!(parsed("").config.unwrap().telemetry, Telemetry::default());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, said) in [
            ("otlp = \"collector:4318\"", "telemetry.otlp"),
            ("otlp = \"http://user:hunter2@collector\"", "user name or password is refused"),
            ("sample = 2", "out of range"),
            ("sample = 10.5", "out of range"),
            ("headers = { \"a b\" = \"env:OTLP\" }", "the name is none that a header can have"),
            ("headers = { host = \"env:OTLP\" }", "the gateway's to write"),
            ("headers = { x = \"env:NONE\" }", "the environment variable NONE is not set"),
            ("headers = \"x\"", "expected a table such as"),
            ("service_name = \" \"", "not a name"),
            ("batch_delay = \"2m\"", "out of range"),
            ("endpoint = \"http://c\"", "unknown key"),
        ] {
            let parsed = parsed(text);
            let problems: Vec<String> = parsed.problems.iter().map(ToString::to_string).collect();
            assert!(parsed.config.is_none(), "{text}");
            assert!(
                problems.iter().any(|p| p.contains(said)) && !problems.concat().contains("hunter2"),
                "{problems:?}"
            );
        }
    }
}
