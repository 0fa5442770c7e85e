//! Set-ups that are broken in the ways in which set-ups break. What they refuse is kept; the command line says what is
//! wrong; once that is mended in the config file, what was refused is released and delivered, once.

use std::collections::BTreeMap;

use hookhaven_load::now::unix_s;
use serde_json::Value;

use crate::support::{
    gateway::Gateway,
    handler::Handler,
    output::{failed, id, items, well},
    sign::{self, Headers},
};

const COMPACT: &str = r#"{"id":"evt_reencoded","action":"opened","name":"Zoë","total":12.50}"#;
const PYTHON: &str = r#"{"id": "evt_reencoded", "action": "opened", "name": "Zo\u00eb", "total": 12.50}"#;

/// One source, and what is wrong with it.
struct Broken {
    source: &'static str,
    /// Under `[sources.NAME]`, before and after.
    config: [&'static str; 2],
    cause: &'static str,
    /// Stands in the sentence or the mend.
    told: &'static str,
    /// What is released without a change of the config: the body was changed on the way.
    restored: bool,
}

const PLAIN: Broken = Broken { source: "", config: ["", ""], cause: "", told: "", restored: false };

const BROKEN: [Broken; 14] = [
    Broken {
        source: "wrong",
        config: ["sender = \"stripe\"\nsecrets = [\"whsec_wrong\"]", "sender = \"stripe\"\nsecrets = [\"whsec_good\"]"],
        cause: "secret_of_other_source",
        told: "source \"good\"",
        ..PLAIN
    },
    Broken {
        source: "rotated",
        config: [
            "sender = \"github\"\nsecrets = [\"the new one\"]",
            "sender = \"github\"\nsecrets = [\"the new one\", \"the old one\"]",
        ],
        cause: "previous_secret",
        told: "put that secret back",
        ..PLAIN
    },
    Broken {
        source: "left",
        config: ["sender = \"github\"\nsecrets = [\"hush\"]", "sender = \"stripe\"\nsecrets = [\"whsec_right\"]"],
        cause: "request_of_other_source",
        told: "genuine request of source \"right\"",
        ..PLAIN
    },
    Broken {
        source: "right",
        config: ["sender = \"stripe\"\nsecrets = [\"whsec_right\"]", "sender = \"github\"\nsecrets = [\"hush\"]"],
        cause: "request_of_other_source",
        told: "genuine request of source \"left\"",
        ..PLAIN
    },
    Broken {
        source: "reencoded",
        config: ["sender = \"github\"\nsecrets = [\"re-encoded\"]"; 2],
        cause: "body_reserialised",
        told: "compactly",
        restored: true,
    },
    Broken {
        source: "newline",
        config: ["sender = \"stripe\"\nsecrets = [\"whsec_newline\"]"; 2],
        cause: "body_changed",
        told: "without the line break",
        restored: true,
    },
    Broken {
        source: "late",
        config: [
            "sender = \"stripe\"\nsecrets = [\"whsec_late\"]",
            "sender = \"stripe\"\nsecrets = [\"whsec_late\"]\ntolerance = \"15m\"",
        ],
        cause: "timestamp_old",
        told: "clock",
        ..PLAIN
    },
    Broken {
        source: "scheme",
        config: [
            "sender = \"twilio\"\nsecrets = [\"scheme\"]",
            "sender = \"twilio\"\nsecrets = [\"scheme\"]\npublic_url = \"http://hooks.example.test/webhooks/scheme\"",
        ],
        cause: "url_differs",
        told: "public_url = \"http://hooks.example.test/webhooks/scheme\"",
        ..PLAIN
    },
    Broken {
        source: "port",
        config: [
            "sender = \"twilio\"\nsecrets = [\"port\"]",
            "sender = \"twilio\"\nsecrets = [\"port\"]\npublic_url = \"https://hooks.example.test:8443/in/webhooks/port\"",
        ],
        cause: "url_differs",
        told: "port (8443 there, none here), path (/in/webhooks/port there, /webhooks/port here)",
        ..PLAIN
    },
    Broken {
        source: "mistaken",
        config: ["sender = \"stripe\"\nsecrets = [\"whsec_x\"]", "sender = \"github\"\nsecrets = [\"mistaken\"]"],
        cause: "header_of_other_scheme",
        told: "GitHub (sender = \"github\")",
        ..PLAIN
    },
    Broken {
        source: "bare",
        config: ["sender = \"github\"\nsecrets = [\"bare\"]", "sender = \"bearer\"\nsecrets = [\"canary-token\"]"],
        cause: "header_of_other_scheme",
        told: "sender = \"bearer\"",
        ..PLAIN
    },
    Broken {
        source: "unsigned",
        config: ["sender = \"github\"\nsecrets = [\"x\"]", "sender = \"unverified\"\nallow = [\"127.0.0.1\"]"],
        cause: "header_missing",
        told: "x-hub-signature-256 is missing",
        ..PLAIN
    },
    Broken {
        source: "blank",
        config: [
            "sender = \"github\"\nsecrets = [\"hidden blank \\n\"]",
            "sender = \"github\"\nsecrets = [\"hidden blank\"]",
        ],
        cause: "secret_whitespace",
        told: "take them out of the secret",
        ..PLAIN
    },
    Broken {
        source: "prefix",
        config: [
            "sender = \"stripe\"\nsecrets = [\"of its prefix\"]",
            "sender = \"stripe\"\nsecrets = [\"whsec_of its prefix\"]",
        ],
        cause: "secret_encoding",
        told: "whsec_",
        ..PLAIN
    },
];

/// What its sender posts, through whatever stands between.
fn request(source: &str) -> (Headers, Vec<u8>) {
    let body = format!(r#"{{"id":"evt_{source}","type":"invoice.paid"}}"#).into_bytes();
    let more = |headers: Headers, pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        headers.into_iter().chain(pairs).collect::<Headers>()
    };
    let stripe = |secret: &str| (sign::stripe(secret, &body), body.clone());
    let github = |secret: &str| (sign::github(secret, Some("push"), Some(source), &body), body.clone());
    let form = [("MessageSid", source), ("MessageStatus", "sent")];
    match source {
        "wrong" => stripe("whsec_good"),
        "rotated" => github("the old one"),
        "left" => stripe("whsec_right"),
        "right" => github("hush"),
        "reencoded" => (sign::github("re-encoded", Some("push"), Some(source), COMPACT.as_bytes()), PYTHON.into()),
        "newline" => (sign::stripe("whsec_newline", &body), [&body[..], b"\n"].concat()),
        "late" => (sign::stripe_at("whsec_late", &body, unix_s() - 600), body),
        "scheme" => sign::twilio("scheme", "http://hooks.example.test/webhooks/scheme", &form),
        "port" => {
            let (headers, body) = sign::twilio("port", "https://hooks.example.test:8443/in/webhooks/port", &form);
            (more(headers, &[("x-forwarded-port", "8443"), ("x-forwarded-prefix", "/in")]), body)
        }
        "mistaken" => github("mistaken"),
        "bare" => (more(Vec::new(), &[("authorization", "Bearer canary-token")]), body),
        "unsigned" => (Vec::new(), body),
        "blank" => github("hidden blank"),
        "prefix" => stripe("whsec_of its prefix"),
        other => panic!("nobody posts to {other}"),
    }
}

/// With `of` it: 0 broken, 1 mended; `rotated` is what that source has.
fn config(handler: &Handler, of: usize, rotated: Option<&str>) -> String {
    let mut text = format!("[destinations.app]\nurl = \"{}\"\n\n", handler.url());
    text.push_str("[sources.good]\nsender = \"stripe\"\nsecrets = [\"whsec_good\"]\n");
    for broken in &BROKEN {
        let own = rotated.filter(|_| broken.source == "rotated").unwrap_or(broken.config[of]);
        let name = broken.source;
        text.push_str(&format!("\n[sources.{name}]\n{own}\n\n[[routes]]\nsource = \"{name}\"\nto = [\"app\"]\n"));
    }
    text
}

async fn reconfigure(gateway: &Gateway, text: &str) {
    let before = gateway.get("/api/v1/status").await["config"]["loaded_at"].clone();
    gateway.configure(text);
    gateway.reload().await;
    gateway.until("/api/v1/status", |status| status["config"]["loaded_at"] != before).await;
}

async fn json(gateway: &Gateway, arguments: &[&str]) -> Value {
    let arguments = [arguments, &["--json"]].concat();
    let text = well(&arguments, gateway.ask(&arguments).await);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().expect("a text")
}

/// A gateway that has refused each, and their ids by source.
async fn refused(handler: &Handler) -> (Gateway, BTreeMap<String, String>) {
    let gateway = Gateway::start(&config(handler, 0, Some(BROKEN[1].config[1]))).await;
    reconfigure(&gateway, &config(handler, 0, None)).await;
    for broken in &BROKEN {
        let (headers, body) = request(broken.source);
        let answer = gateway.post(&format!("/webhooks/{}", broken.source), &headers, &body).await;
        assert_eq!((answer.status, &answer.body[..]), (401, &b""[..]), "{}", broken.source);
    }
    // Written behind the answer.
    let all = |list: &Value| items(list).len() == BROKEN.len();
    let list = gateway.until("/api/v1/rejected", all).await;
    let ids = items(&list).iter().map(|it| (text(it, "source").to_owned(), id(it).to_owned()));
    (gateway, ids.collect())
}

async fn is_told(gateway: &Gateway, broken: &Broken, rejected: &str) {
    let shown = json(gateway, &["rejected", "show", rejected]).await;
    let finding = &shown["diagnosis"]["findings"][0];
    assert_eq!(finding["cause"], broken.cause, "{}: {shown:#}", broken.source);
    let told = format!("{} {}", text(finding, "sentence"), text(finding, "mend"));
    assert!(told.contains(broken.told), "{}: {told}", broken.source);
    assert_eq!(shown["diagnosis"]["may_be_released"], broken.restored, "{}: {shown:#}", broken.source);
    assert!(!shown.to_string().contains("canary"), "{shown:#}");
    let page = well(&["show"], gateway.ask(&["rejected", "show", rejected]).await);
    assert!(page.contains("why ") || page.contains("perhaps "), "{page}");
    assert!(!page.contains("canary") && !page.contains("whsec_good"), "{page}");
    let verified = well(&["verify"], gateway.ask(&["verify", rejected]).await);
    assert_eq!(without_age(&verified), without_age(&page), "verify says the same");
}

/// A page but for the line that says how long ago the request came, which another second changes.
fn without_age(page: &str) -> Vec<&str> {
    page.lines().filter(|line| !line.starts_with("received ")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_set_ups_are_told_mended_and_what_they_refused_is_delivered_once() {
    let handler = Handler::answering(200).await;
    let (mut gateway, ids) = refused(&handler).await;
    for broken in &BROKEN {
        is_told(&gateway, broken, &ids[broken.source]).await;
    }
    let dry = json(&gateway, &["rejected", "release", "--all", "--dry-run"]).await;
    let restored = BROKEN.iter().filter(|broken| broken.restored).count();
    assert_eq!((&dry["matched"], &dry["released"]), (&BROKEN.len().into(), &restored.into()), "{dry:#}");
    failed(&gateway.ask(&["rejected", "release", &ids["wrong"]]).await, 1);
    assert!(gateway.items("/api/v1/events").await.is_empty(), "nothing of it was accepted");

    reconfigure(&gateway, &config(&handler, 1, None)).await;
    // Its sender comes again, after the mend and before the release: no second event.
    let (headers, body) = request("wrong");
    assert_eq!(gateway.post("/webhooks/wrong", &headers, &body).await.status, 200);
    let one = json(&gateway, &["rejected", "release", &ids["left"]]).await;
    assert_eq!(one["items"][0]["outcome"], "released", "{one:#}");
    let late = json(&gateway, &["rejected", "release", "--source", "late", "--since", "1h", "--yes"]).await;
    assert_eq!((&late["matched"], &late["released"]), (&1.into(), &1.into()), "{late:#}");
    let rest = json(&gateway, &["rejected", "release", "--all", "--yes"]).await;
    assert_eq!(rest["released"], BROKEN.len() - 2, "{rest:#}");
    assert_eq!((&rest["duplicates"], &rest["restored"]), (&1.into(), &restored.into()), "{rest:#}");

    gateway.until_drained().await;
    all_delivered_once(&gateway, &handler, &ids).await;
    let again = json(&gateway, &["rejected", "release", &ids["left"], &ids["late"]]).await;
    assert_eq!((&again["released"], &again["already"]), (&0.into(), &2.into()), "{again:#}");
    assert_eq!(json(&gateway, &["rejected", "release", "--all", "--yes"]).await["matched"], 0);
    gateway.until_logged("\"action\":\"rejected.release\"").await;

    gateway.restart().await;
    let every: Vec<&str> = ids.values().map(String::as_str).collect();
    let again = json(&gateway, &[&["rejected", "release"], &every[..]].concat()).await;
    assert_eq!(again["already"], BROKEN.len(), "the marks outlast kill -9: {again:#}");
    gateway.until_drained().await;
    assert_eq!(handler.received().len(), BROKEN.len());
    assert!(!gateway.log().contains("canary"));
}

async fn all_delivered_once(gateway: &Gateway, handler: &Handler, ids: &BTreeMap<String, String>) {
    let mut sources: Vec<_> = handler.received().iter().map(|got| got.header("hookhaven-source").to_owned()).collect();
    sources.sort_unstable();
    assert_eq!(sources, ids.keys().cloned().collect::<Vec<_>>(), "each once");
    for got in handler.received() {
        if got.header("hookhaven-source") == "reencoded" {
            assert_eq!(got.body, COMPACT.as_bytes(), "what was signed, not what arrived");
        }
    }
    for it in gateway.items("/api/v1/rejected").await {
        let event = gateway.get(&format!("/api/v1/events/{}", text(&it, "event"))).await;
        if it["source"] != "wrong" {
            assert_eq!(event["received_at"], it["received_at"], "received when it arrived");
        }
    }
}

#[tokio::test]
async fn what_is_not_to_be_kept_is_not_and_a_long_body_only_in_part() {
    let source =
        |name: &str, more: &str| format!("[sources.{name}]\nsender = \"stripe\"\nsecrets = [\"whsec_x\"]\n{more}\n");
    let gateway = Gateway::start(&[source("off", "quarantine = { keep = false }"), source("on", "")].concat()).await;
    let long = format!(r#"{{"id":"evt_1","type":"x","text":"{}"}}"#, "y".repeat(100_000)).into_bytes();
    for name in ["off", "on"] {
        let answer = gateway.post(&format!("/webhooks/{name}"), &sign::stripe("whsec_y", &long), &long).await;
        assert_eq!(answer.status, 401);
    }
    let list = gateway.until("/api/v1/rejected", |list| !items(list).is_empty()).await;
    let [it] = &items(&list)[..] else { panic!("{list:#}") };
    assert_eq!((&it["source"], &it["whole"], &it["body_bytes"]), (&"on".into(), &false.into(), &long.len().into()));
    let shown = json(&gateway, &["rejected", "show", id(it)]).await;
    assert_eq!(shown["diagnosis"]["verdict"], "truncated");
    failed(&gateway.ask(&["rejected", "release", id(it)]).await, 1);
}

#[tokio::test]
async fn a_saved_request_is_verified_without_a_gateway() {
    let gateway = Gateway::prepare("[sources.shop]\nsender = \"stripe\"\nsecrets = [\"whsec_shop\"]\n");
    let body = br#"{"id": "evt_1", "type": "x"}"#;
    let signed = sign::stripe_at("whsec_shop", br#"{"id":"evt_1","type":"x"}"#, 1_790_000_000);
    let head: String = signed.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let raw = [format!("POST /webhooks/shop HTTP/1.1\r\n{head}\r\n").as_bytes(), body].concat();
    let file = gateway.directory().join("saved.http");
    std::fs::write(&file, raw).unwrap();
    let file = file.to_str().unwrap();
    let at = hookhaven_core::Time::from_s(1_790_000_030).to_string();
    let arguments = ["verify", "shop", "--request", file, "--at", &at, "--json"];
    let found: Value = serde_json::from_str(&well(&arguments, gateway.cli(&arguments).await)).unwrap();
    assert_eq!(found["findings"][0]["cause"], "body_reserialised", "{found:#}");
    let now = gateway.cli(&["verify", "shop", "--request", file]).await;
    assert!(failed(&now, 1).is_empty(), "why stands in its output");
    failed(&gateway.cli(&["verify", "shop"]).await, 2);
}
