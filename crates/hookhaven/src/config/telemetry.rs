//! `[telemetry]` as the gateway uses it, and what the environment adds where the file says nothing: the variables that
//! programs instrumented with OpenTelemetry have in common.
//!
//! Not here: the file's syntax (`parse::telemetry`), what is made of it (`crate::telemetry`).

use std::time::Duration;

use hookhaven_core::Secret;
use http::{HeaderName, HeaderValue};
use url::Url;

use super::{
    environment::Environment,
    model::Config,
    problem::{Problem, Severity},
};

/// Stands in for `telemetry.otlp`: the collector's base address.
const ENDPOINT_VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// The same for traces alone, and the whole address; it wins.
const TRACES_ENDPOINT_VARIABLE: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
/// Stands in for `telemetry.headers`: `name=value,name=value`, values percent-encoded.
const HEADERS_VARIABLE: &str = "OTEL_EXPORTER_OTLP_HEADERS";
/// Stands in for `telemetry.service_name`.
const SERVICE_VARIABLE: &str = "OTEL_SERVICE_NAME";

pub const SERVICE_NAME: &str = "hookhaven";
/// Headers of an export.
pub const HEADERS_MAX: usize = 32;
/// Where a collector takes traces (OTLP/HTTP).
const TRACES_PATH: &str = "/v1/traces";

/// Where traces go, and how many. Each is a key under `[telemetry]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// Where the collector takes spans; `None`: none are made.
    pub endpoint: Option<Url>,
    pub headers: Vec<(HeaderName, Secret)>,
    /// The share that is recorded of the traces that begin here, from 0 to 1. One that began elsewhere is recorded if
    /// it is there.
    pub sample: f64,
    pub service_name: String,
    /// Spans that may wait; further ones are dropped and counted.
    pub queue_max: usize,
    /// Spans in one export.
    pub batch_max: usize,
    /// How long a span waits for others to go with.
    pub batch_delay: Duration,
    /// Of one try to export.
    pub timeout: Duration,
}

impl Default for Telemetry {
    fn default() -> Self {
        Telemetry {
            endpoint: None,
            headers: Vec::new(),
            sample: 1.0,
            service_name: SERVICE_NAME.to_owned(),
            queue_max: 8_192,
            batch_max: 512,
            batch_delay: Duration::from_secs(1),
            timeout: Duration::from_secs(10),
        }
    }
}

/// Where spans go, for a collector's base address.
pub fn traces_of(mut base: Url) -> Url {
    if !base.path().ends_with(TRACES_PATH) {
        let path = format!("{}{TRACES_PATH}", base.path().trim_end_matches('/'));
        base.set_path(&path);
    }
    base
}

/// A header of an export, if that is one, and not ours to write.
pub fn header(name: &str, value: &Secret) -> Result<HeaderName, &'static str> {
    let name = HeaderName::try_from(name).map_err(|_| "the name is none that a header can have")?;
    if matches!(name.as_str(), "content-type" | "content-length" | "host" | "connection" | "transfer-encoding") {
        return Err("this header is the gateway's to write");
    }
    HeaderValue::from_bytes(value.expose()).map_err(|_| "the value holds what no header can carry")?;
    Ok(name)
}

/// Takes from the environment what the file does not say. The variables are there for many programs, so one that cannot
/// be used is warned of and keeps nobody from starting.
pub fn complete(config: &mut Config, environment: &Environment) -> Vec<Problem> {
    let (telemetry, mut problems) = (&mut config.telemetry, Vec::new());
    let set = |name: &str| environment.get(name).filter(|value| !value.trim().is_empty());
    let mut warn = |name: &str, what: &str, mend: &str| {
        problems.push(Problem::of(Severity::Warning, name, what, mend));
    };
    if telemetry.endpoint.is_none() {
        let given = [(TRACES_ENDPOINT_VARIABLE, false), (ENDPOINT_VARIABLE, true)];
        let given = given.into_iter().find_map(|(name, is_base)| Some((name, is_base, set(name)?)));
        let Some((name, is_base, text)) = given else { return problems };
        match Url::parse(text).ok().filter(is_usable) {
            Some(url) if is_base => telemetry.endpoint = Some(traces_of(url)),
            Some(url) => telemetry.endpoint = Some(url),
            None => {
                warn(name, "no address to export to, so no traces are", "write one such as http://127.0.0.1:4318");
                return problems;
            }
        }
    }
    if telemetry.headers.is_empty()
        && let Some(text) = set(HEADERS_VARIABLE)
    {
        match headers(text) {
            Some(headers) => telemetry.headers = headers,
            None => warn(HEADERS_VARIABLE, "cannot be read, and is left out", "write name=value,name=value"),
        }
    }
    if let Some(name) = set(SERVICE_VARIABLE).filter(|_| telemetry.service_name == SERVICE_NAME) {
        telemetry.service_name = name.to_owned();
    }
    problems
}

/// Without credentials, which would be seen wherever the address is.
fn is_usable(url: &Url) -> bool {
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    matches!(url.scheme(), "http" | "https") && url.has_host() && plain
}

fn headers(text: &str) -> Option<Vec<(HeaderName, Secret)>> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = Secret::new(percent_decoded(value.trim()))?;
        Some((header(name.trim(), &value).ok()?, value))
    };
    let headers: Option<Vec<_>> = pairs.map(pair).collect();
    headers.filter(|headers| headers.len() <= HEADERS_MAX)
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let (bytes, mut decoded, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let code = bytes.get(at + 1..at + 3).filter(|_| byte == b'%').and_then(|digits| hex::decode(digits).ok());
        at += if code.is_some() { 3 } else { 1 };
        decoded.push(code.map_or(byte, |code| code[0]));
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(telemetry: Telemetry, variables: &[(&str, &str)]) -> (Telemetry, Vec<String>) {
        let mut config = Config { telemetry, ..Config::default() };
        let problems = complete(&mut config, &Environment::from_iter(variables.iter().copied()));
        (config.telemetry, problems.iter().map(ToString::to_string).collect())
    }

    fn endpoint(variables: &[(&str, &str)]) -> Option<String> {
        completed(Telemetry::default(), variables).0.endpoint.map(String::from)
    }

    #[test]
    fn the_environment_s_variables_stand_in_where_the_file_is_silent() {
        let variables = [
            (ENDPOINT_VARIABLE, "http://collector:4318"),
            (HEADERS_VARIABLE, "authorization=Bearer%20t, x-team=a"),
            (SERVICE_VARIABLE, "hooks"),
        ];
        let (telemetry, problems) = completed(Telemetry::default(), &variables);
        assert_eq!(telemetry.endpoint.unwrap().as_str(), "http://collector:4318/v1/traces");
        let values: Vec<_> = telemetry.headers.iter().map(|(n, v)| (n.as_str(), v.expose())).collect();
        assert_eq!(values, [("authorization", &b"Bearer t"[..]), ("x-team", b"a")]);
        assert_eq!((telemetry.service_name.as_str(), problems.len()), ("hooks", 0));

        let said = Telemetry {
            endpoint: Some("https://mine/v1/traces".parse().unwrap()),
            headers: vec![(HeaderName::from_static("x-mine"), Secret::new("1").unwrap())],
            service_name: "mine".to_owned(),
            ..Telemetry::default()
        };
        assert_eq!(completed(said.clone(), &variables).0, said);
    }

    #[test]
    fn an_address_for_traces_alone_is_taken_as_it_is() {
        let base = (ENDPOINT_VARIABLE, "http://collector:4318/otlp/");
        assert_eq!(endpoint(&[base]).as_deref(), Some("http://collector:4318/otlp/v1/traces"));
        let whole = (TRACES_ENDPOINT_VARIABLE, "http://traces:4318/take");
        assert_eq!(endpoint(&[base, whole]).as_deref(), Some("http://traces:4318/take"));
        assert_eq!(endpoint(&[(ENDPOINT_VARIABLE, " "), (SERVICE_VARIABLE, "x")]), None);
    }

    #[test]
    fn what_cannot_be_used_is_warned_of_and_not_repeated() {
        for bad in ["collector:4318", "ftp://collector", "http://user:hunter2@collector", "http://"] {
            let (telemetry, problems) = completed(Telemetry::default(), &[(ENDPOINT_VARIABLE, bad)]);
            assert_eq!(telemetry.endpoint, None, "{bad}");
            assert!(problems[0].contains("warning") && !problems[0].contains("hunter2"), "{problems:?}");
        }
        for bad in ["authorization", "a b=c", "x=a%0Ab", "x=", "host=evil"] {
            let variables = [(ENDPOINT_VARIABLE, "http://c"), (HEADERS_VARIABLE, bad)];
            let (telemetry, problems) = completed(Telemetry::default(), &variables);
            assert!(telemetry.headers.is_empty() && problems.len() == 1, "{bad}: {problems:?}");
        }
    }
}
