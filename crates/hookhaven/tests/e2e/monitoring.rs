//! What is shipped for Prometheus and Grafana, held against the metrics of a gateway that did everything: each metric and
//! label that a rule or a panel names is there. And the rules themselves, by Prometheus's own judge.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

use clap::CommandFactory as _;
use hookhaven::cli::args::Cli;
use hookhaven_testbed::promtool::promtool;
use serde_json::Value;

use crate::support::{
    collector::Collector,
    gateway::Gateway,
    handler::{Handler, Reply},
    load::stripe_headers,
    sign,
};

const SECRET: &str = "whsec_of_the_source";

/// What PromQL itself has a meaning for.
const WORDS: [&str; 24] = [
    "sum",
    "max",
    "min",
    "by",
    "rate",
    "increase",
    "histogram_quantile",
    "topk",
    "absent",
    "or",
    "and",
    "unless",
    "on",
    "without",
    "avg",
    "count",
    "label_values",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "offset",
    "inf",
    "nan",
];
/// Labels that Prometheus adds to whatever it scrapes.
const OF_THE_SCRAPE: [&str; 2] = ["job", "instance"];

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(shipped(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Metrics, or recorded series, with the labels that their samples have.
type Known = BTreeMap<String, BTreeSet<String>>;

/// A gateway that did everything there is a metric of.
async fn everything() -> Known {
    let good = Handler::answering(200).await;
    let bad = Handler::answering(500).await;
    // It takes the first batch and hangs from then on, so that there is something of both.
    let collector = Collector::doing(|r| if r.number == 1 { Reply::Status(200) } else { Reply::Hang }).await;
    let gateway = Gateway::start(&config(&good, &bad, &collector)).await;
    let post = async |id: &str, event_type: &str, secret: &str, status: u16| {
        let body = format!("{{\"id\":\"{id}\",\"type\":\"{event_type}\"}}");
        let answer = gateway.post("/webhooks/shop", &stripe_headers(secret, body.as_bytes()), body.as_bytes()).await;
        assert_eq!(answer.status, status, "{id}");
        body
    };
    let body = post("evt_1", "good.one", SECRET, 200).await;
    post("evt_1", "good.one", SECRET, 200).await;
    post("evt_2", "nobody.wants", SECRET, 200).await;
    post("evt_3", "good.two", "whsec_of_somebody_else", 401).await;
    post("evt_4", "bad.one", SECRET, 200).await;
    post("evt_5", "late.one", SECRET, 200).await;
    // The second waits behind the first, which dies.
    post("evt_6", "bad.line", SECRET, 200).await;
    post("evt_7", "bad.line", SECRET, 200).await;
    let plain = [("content-type".to_owned(), "text/plain".to_owned())];
    assert_eq!(gateway.post("/webhooks/shop", &plain, b"x").await.status, 415);
    // The same bytes under another id, where that is not signed.
    for id in ["one", "two"] {
        let headers = sign::github(SECRET, Some("push"), Some(id), body.as_bytes());
        assert_eq!(gateway.post("/webhooks/code", &headers, body.as_bytes()).await.status, 200);
    }
    gateway.until("/api/v1/status", |status| status["store"]["dead_letters"] == 2).await;
    bad.until(5).await;
    gateway.until("/api/v1/deliveries?destination=late", |page| page["items"][0]["attempt_count"] == 1).await;
    gateway.admin().post("/api/v1/destinations/good/pause", &serde_json::json!({})).await.expect("it can be paused");
    for n in 0..40 {
        post(&format!("evt_more_{n}"), "nobody.wants", SECRET, 200).await;
    }
    let found = hookhaven_load::gateway::poll(crate::support::PATIENCE, async || {
        let text = scrape(&gateway).await;
        let there = ["fate=\"exported\"", "fate=\"queue_full\"", "webhook_rejected_kept_total{"];
        there.iter().all(|sample| text.contains(sample)).then_some(text)
    });
    known(&found.await.expect("everything has been counted"))
}

fn config(good: &Handler, bad: &Handler, collector: &Collector) -> String {
    let (good, bad, telemetry) = (good.url(), bad.url(), collector.config("queue_max = 16\nbatch_max = 4"));
    format!(
        r#"[sources.shop]
sender = "stripe"
secrets = ["{SECRET}"]
[sources.code]
sender = "github"
secrets = ["{SECRET}"]
[[routes]]
source = "shop"
events = ["good.*"]
to = ["good"]
deadline = "0s"
[[routes]]
source = "shop"
events = ["bad.line"]
to = ["line"]
ordering = {{ mode = "fifo", key = "json:/type" }}
retry = {{ attempts = 2, initial = "1ms" }}
[[routes]]
source = "shop"
events = ["bad.one"]
to = ["bad"]
critical = true
retry = {{ attempts = 2, initial = "1ms" }}
[[routes]]
source = "shop"
events = ["late.*"]
to = ["late"]
retry = {{ attempts = 2, initial = "1h" }}
[destinations.good]
url = "{good}"
[destinations.bad]
url = "{bad}"
[destinations.line]
url = "{bad}"
[destinations.late]
url = "{bad}"
breaker = {{ failures = 1, deliveries = 1, rest = "1h" }}
{telemetry}"#
    )
}

async fn scrape(gateway: &Gateway) -> String {
    let answer = gateway.admin().send("GET", "/metrics", b"").await.expect("metrics");
    String::from_utf8(answer.body).expect("text")
}

fn known(exposition: &str) -> Known {
    let mut known = Known::new();
    for line in exposition.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_once(['{', ' ']).expect("a sample");
        let labels = known.entry(name.to_owned()).or_default();
        labels.extend(OF_THE_SCRAPE.map(str::to_owned));
        if line.as_bytes()[name.len()] == b'{' {
            let inside = rest.rsplit_once('}').expect("a sample's labels").0;
            labels.extend(inside.split("\",").filter_map(|pair| Some(pair.split_once("=\"")?.0.to_owned())));
        }
    }
    known
}

/// A piece of an expression that names something.
#[derive(Debug, PartialEq)]
enum Named {
    Metric(String),
    /// A label, and the metric that it stands at; `None` for one that a result is grouped by.
    Label(String, Option<String>),
}

/// Everything that an expression of PromQL names.
fn named(expression: &str) -> Vec<Named> {
    let mut named = Vec::new();
    let (mut metric, mut grouping, mut rest) = (None::<String>, false, expression);
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic() || "_{(}),\"[0123456789".contains(c)) {
        rest = &rest[start..];
        let first = rest.as_bytes()[0];
        let word =
            rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).next().unwrap_or_default();
        let length = match first {
            // Texts, ranges and numbers name nothing.
            b'"' => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
            b'[' => rest.find(']').map_or(rest.len(), |end| end + 1),
            b'}' => 1,
            b'(' | b',' => 1,
            b')' => {
                grouping = false;
                1
            }
            b'{' => 1,
            b'0'..=b'9' => word.len(),
            _ => {
                let after = rest[word.len()..].trim_start();
                let inside = ["=", "!="].iter().any(|operator| after.starts_with(operator)) && !after.starts_with("==");
                if word == "by" || word == "on" || word == "without" {
                    grouping = true;
                } else if grouping {
                    named.push(Named::Label(word.to_owned(), None));
                } else if inside {
                    named.push(Named::Label(word.to_owned(), metric.clone()));
                } else if !WORDS.contains(&word) {
                    metric = Some(word.to_owned());
                    named.push(Named::Metric(word.to_owned()));
                }
                word.len()
            }
        };
        rest = &rest[length..];
    }
    named
}

/// What of an expression nobody knows.
fn unknown(expression: &str, known: &Known) -> Vec<String> {
    let all = named(expression);
    let metrics: Vec<&String> =
        all.iter().filter_map(|n| if let Named::Metric(m) = n { Some(m) } else { None }).collect();
    let has = |metric: &str, label: &str| known.get(metric).is_none_or(|labels| labels.contains(label));
    let mut wrong = Vec::new();
    for one in &all {
        match one {
            Named::Metric(metric) if !known.contains_key(metric) => wrong.push(format!("no metric {metric}")),
            Named::Label(label, Some(metric)) if !has(metric, label) => wrong.push(format!("{metric} has no {label}")),
            // A quotient is grouped side by side; each side by labels that one of its metrics has.
            Named::Label(label, None) if label != "le" && !metrics.iter().any(|metric| has(metric, label)) => {
                wrong.push(format!("nothing in it has {label}"));
            }
            _ => {}
        }
    }
    wrong
}

/// The labels of a recorded series: those that it is grouped by, else those of what it is made from.
fn recorded(expression: &str) -> BTreeSet<String> {
    let labels =
        named(expression).into_iter().filter_map(|n| if let Named::Label(l, None) = n { Some(l) } else { None });
    labels.filter(|label| label != "le").collect()
}

/// `(record or alert, its name, its expression)`, in the file's order. Our rules have each on one line.
fn rules() -> Vec<(String, String, String)> {
    let text = read("prometheus/rules.yml");
    let mut rules: Vec<(String, String, String)> = Vec::new();
    for line in text.lines().map(str::trim) {
        for kind in ["record", "alert"] {
            if let Some(name) = line.strip_prefix(&format!("- {kind}: ")) {
                rules.push((kind.to_owned(), name.to_owned(), String::new()));
            }
        }
        if let (Some(expression), Some(rule)) = (line.strip_prefix("expr: "), rules.last_mut()) {
            rule.2 = expression.to_owned();
        }
    }
    assert!(rules.len() > 20 && rules.iter().all(|(_, _, expression)| expression.len() > 5), "{rules:?}");
    rules
}

fn collect<'j>(json: &'j Value, key: &str, found: &mut Vec<&'j str>) {
    match json {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(text) if name == key => found.push(text),
                    other => collect(other, key, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, key, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_metric_and_label_that_is_named_exists() {
    let mut known = everything().await;
    let mut wrong = Vec::new();
    for (kind, name, expression) in rules() {
        wrong.extend(unknown(&expression, &known).into_iter().map(|what| format!("{name}: {what}")));
        if kind == "record" {
            known.insert(name, recorded(&expression));
        }
    }
    let dashboard: Value = serde_json::from_str(&read("grafana/hookhaven.json")).expect("the dashboard is JSON");
    let mut expressions = Vec::new();
    collect(&dashboard, "expr", &mut expressions);
    collect(&dashboard, "definition", &mut expressions);
    assert!(expressions.len() > 40, "{}", expressions.len());
    for expression in expressions {
        // `label_values(metric, label)` names a label by its place.
        let expression = match expression.strip_prefix("label_values(").and_then(|inside| inside.rsplit_once(", ")) {
            Some((metric, label)) => format!("max by ({}) ({metric})", label.trim_end_matches(')')),
            None => expression.to_owned(),
        };
        wrong.extend(unknown(&expression, &known).into_iter().map(|what| format!("{expression}: {what}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_typing_error_is_found() {
    let known = known("a_total{source=\"s\",type=\"x,y=\\\"z\"} 1\nb 2\nc_bucket{le=\"+Inf\"} 1\n");
    for (expression, wrong) in [
        ("sum by (source) (rate(a_total{type=~\"x|y\", job=~\"$job\"}[5m])) > 10", &[][..]),
        ("histogram_quantile(0.95, sum by (le, job) (rate(c_bucket[1m]))) / (b > 0)", &[]),
        ("rate(a_totl[5m])", &["no metric a_totl"]),
        ("a_total{sorce=\"s\"}", &["a_total has no sorce"]),
        ("b{source!=\"s\"} == 1", &["b has no source"]),
        ("sum by (sauce) (a_total)", &["nothing in it has sauce"]),
    ] {
        assert_eq!(unknown(expression, &known), wrong, "{expression}");
    }
}

fn judged(arguments: &[&str]) {
    let mut command: Command = promtool().unwrap_or_else(|error| panic!("{error:#}"));
    let output = command.args(arguments).current_dir(shipped("prometheus")).output().expect("promtool runs");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn prometheus_accepts_the_rules() {
    judged(&["check", "rules", "rules.yml"]);
}

#[test]
fn each_alert_fires_and_ends() {
    judged(&["test", "rules", "rules_test.yml"]);
    let tests = read("prometheus/rules_test.yml");
    let of = |alert: &str| -> Vec<bool> {
        let looks = tests.split("- eval_time:").skip(1).filter(|look| look.contains(&format!("alertname: {alert}\n")));
        // Up to the next test; what is expected stands right behind.
        looks.map(|look| look.split("- name:").next().unwrap_or_default().contains("exp_alerts")).collect()
    };
    for (_, alert, _) in rules().into_iter().filter(|(kind, ..)| kind == "alert") {
        assert_eq!(of(&alert), [false, true, false], "{alert} is quiet, fires, and ends");
    }
}

#[test]
fn runbooks_name_commands_that_there_are() {
    let cli = Cli::command();
    let rules = read("prometheus/rules.yml");
    let mut seen = 0;
    for line in rules.lines().filter(|line| line.contains("runbook:")) {
        for after in line.split("hookhaven ").skip(1) {
            let mut words = after.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
            let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let command = cli.find_subcommand(first).unwrap_or_else(|| panic!("no command {first:?}: {line}"));
            assert!(
                !command.has_subcommands() || command.find_subcommand(second).is_some(),
                "{first} {second}: {line}"
            );
            seen += 1;
        }
    }
    assert!(seen > 8, "{seen}");
}
