//! Sample events, signed and sent to an ingest address.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, http::Uri, routing::post};
use clap::Parser;
use hookhaven_store::clock::{ManualClock, SeededEntropy};
use http::{HeaderMap, StatusCode};

use super::{Ran, Served, nobody, serve};
use crate::{
    api::fixture::{START, config},
    cli::{
        UsageError,
        args::{Cli, Command},
        print::capture,
        trigger,
    },
    config::{Config, Server},
};

type Requests = Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>;

/// An ingest address that keeps what it gets.
async fn ingest(status: StatusCode) -> (Served, Requests) {
    let requests = Requests::default();
    let kept = requests.clone();
    let keep = move |uri: Uri, headers: HeaderMap, body: Bytes| {
        kept.lock().unwrap().push((uri.to_string(), headers, body));
        async move { (status, "\u{1b}[2Jthanks") }
    };
    (serve(Router::new().fallback(post(keep))).await, requests)
}

async fn typed(url: &str, line: &str) -> Ran {
    let ingest = url.strip_prefix("http://").unwrap().parse().unwrap();
    let config = Config { server: Server { ingest, ..Server::default() }, ..config() };
    let cli = Cli::try_parse_from(["hookhaven", "trigger"].into_iter().chain(line.split(' '))).unwrap();
    let Command::Trigger(args) = cli.command else { panic!("{line}") };
    let (mut screen, out, err) = capture::screen(args.json, None, START);
    let (clock, entropy) = (ManualClock::at(START), SeededEntropy::new(1));
    let stand = trigger::Stand { config: &config, clock: &clock, entropy: &entropy, admin: None };
    let code = trigger::act(args, &stand, &mut screen).await;
    Ran { code, out: out.text(), err: err.text() }
}

#[tokio::test]
async fn a_sample_is_signed_with_the_sources_secret_and_sent_to_its_path() {
    let (served, requests) = ingest(StatusCode::OK).await;
    let out = typed(&served.url, "stripe invoice.paid --id evt_1").await.done();
    assert!(out.starts_with("200  evt_1  in 0 µs"), "{out}");
    assert!(!out.contains('\u{1b}'), "{out:?}");
    let (uri, headers, body) = requests.lock().unwrap().remove(0);
    assert_eq!(uri, "/webhooks/stripe");
    assert_eq!(body, r#"{"id":"evt_1","type":"invoice.paid"}"#);
    assert_eq!(headers["x-seal"], "source-s3cret:36");
    assert_eq!(headers["content-type"], "application/json");
}

#[tokio::test]
async fn many_have_ids_of_their_own_unless_one_is_given() {
    let (served, requests) = ingest(StatusCode::OK).await;
    assert_eq!(typed(&served.url, "stripe a.b --count 3").await.done().lines().count(), 3);
    let mut bodies: Vec<_> = requests.lock().unwrap().drain(..).map(|(_, _, b)| b).collect();
    bodies.dedup();
    assert_eq!(bodies.len(), 3);
    typed(&served.url, "stripe a.b --count 2 --id same").await.done();
    let sent = requests.lock().unwrap();
    assert_eq!(sent[0].2, sent[1].2);
}

#[tokio::test]
async fn a_body_of_ones_own_is_sent_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("body");
    std::fs::write(&file, b"{ \"mine\": \xff }").unwrap();
    let (served, requests) = ingest(StatusCode::OK).await;
    typed(&served.url, &format!("stripe a.b --body {}", file.display())).await.done();
    assert_eq!(requests.lock().unwrap()[0].2, &b"{ \"mine\": \xff }"[..]);
    std::fs::write(&file, br#"{"id":"evt_mine","type":"a.b"}"#).unwrap();
    let out = typed(&served.url, &format!("stripe a.b --body {}", file.display())).await.done();
    assert!(out.starts_with("200  evt_mine  "), "{out}");
    let missing = format!("stripe a.b --body {}", Path::new("/nowhere/body").display());
    assert!(typed(&served.url, &missing).await.code.unwrap_err().to_string().contains("/nowhere/body"));
}

#[tokio::test]
async fn a_refusal_is_a_failure_with_a_hint() {
    let (served, _) = ingest(StatusCode::UNAUTHORIZED).await;
    let ran = typed(&served.url, "stripe a.b").await;
    assert_eq!(ran.code.unwrap(), 1);
    assert!(ran.out.starts_with("401") && ran.out.contains("same secret"), "{}", ran.out);
}

#[tokio::test]
async fn what_cannot_be_sent_says_why() {
    let url = nobody().await;
    let error = typed(&url, "stripe a.b").await.code.unwrap_err();
    assert!(error.to_string().contains("start one with `hookhaven serve`"), "{error:#}");
    let error = typed(&url, "strip a.b").await.code.unwrap_err();
    assert!(error.is::<UsageError>() && error.to_string().contains("there are: github, stripe"), "{error:#}");
}

#[tokio::test]
async fn each_may_be_sent_again_with_the_same_id_and_bytes() {
    let (served, requests) = ingest(StatusCode::OK).await;
    let out = typed(&served.url, "stripe a.b --count 2 --duplicate 2").await.done();
    assert!(out.contains("sent        6") && out.contains("accepted    6, 4 duplicates of them"), "{out}");
    let bodies: Vec<_> = requests.lock().unwrap().drain(..).map(|(_, _, body)| body).collect();
    assert!(bodies[..3].iter().all(|body| *body == bodies[0]) && bodies[3..].iter().all(|body| *body == bodies[3]));
    assert_ne!(bodies[0], bodies[3]);
    assert_eq!(out.matches(", again").count(), 4, "{out}");
}

#[tokio::test]
async fn a_seed_makes_the_same_order() {
    let (served, requests) = ingest(StatusCode::OK).await;
    let mut orders = Vec::new();
    for seed in [7, 7, 8] {
        let ran = typed(&served.url, &format!("stripe a.b --count 8 --out-of-order --seed {seed}")).await;
        assert!(ran.err.contains(&format!("--seed {seed}")), "{}", ran.err);
        ran.done();
        orders.push(requests.lock().unwrap().drain(..).map(|(_, _, body)| body).collect::<Vec<_>>());
    }
    assert_eq!(orders[0], orders[1], "the ids are those of the same entropy");
    assert_ne!(orders[0], orders[2]);
    let told = typed(&served.url, "stripe a.b --count 3 --out-of-order").await.err;
    assert!(told.contains("--seed "), "{told}");
}

#[tokio::test]
async fn a_report_counts_what_was_refused_and_how() {
    let (served, _) = ingest(StatusCode::TOO_MANY_REQUESTS).await;
    let ran = typed(&served.url, "stripe a.b --count 3 --json").await;
    assert_eq!(ran.code.unwrap(), 1);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&report["sent"], &report["accepted"]), (&3.into(), &0.into()));
    assert_eq!(report["refused"], serde_json::json!({ "429": 3 }));
    assert_eq!(report["answers"]["count"], 3);
}

#[tokio::test]
async fn what_does_not_fit_together_is_said() {
    let url = nobody().await;
    for (line, said) in [
        ("--profile /nowhere/intake.toml", "/nowhere/intake.toml"),
        ("stripe a.b --speed 2x", "--rate paces the rest"),
        ("stripe a.b --burst 2x", "--count says how many"),
        ("stripe a.b --seed 7", "--seed is for --out-of-order"),
        ("stripe a.b --to 127.0.0.1:1", "no gateway takes webhooks at http://127.0.0.1:1/webhooks/stripe"),
    ] {
        let error = typed(&url, line).await.code.unwrap_err();
        assert!(format!("{error:#}").contains(said), "{line}: {error:#}");
    }
    for wrong in [
        "stripe",
        "--list --profile x",
        "stripe a.b --speed fast",
        "stripe a.b --rate fast",
        "stripe a.b --rate 0/s",
        "stripe a.b --rate 1/0s",
        "stripe a.b --rate 4294967296/s",
        "stripe a.b --count 0",
        "stripe a.b --count -1",
        "stripe a.b --count 100001",
        "stripe a.b --duplicate 0",
        "stripe a.b --duplicate 101",
        "--profile x --speed nan",
        "--profile x --speed infx",
        "--profile x --speed -1x",
        "--profile x --speed 1x --for 1m",
        "--profile x --for 0s",
        "--profile x --burst 100001x",
        "stripe a.b --seed 18446744073709551616",
    ] {
        let words = ["hookhaven", "trigger"].into_iter().chain(wrong.split(' '));
        assert!(Cli::try_parse_from(words).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn an_hour_has_a_length_and_a_number_that_can_be_sent() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("intake.toml");
    std::fs::write(&file, include_str!("../../../../hookhaven-architect/tests/intakes/worked.toml")).unwrap();
    let url = nobody().await;
    for (how, said) in [
        ("--speed 0x", "takes more than 30 days"),
        ("--speed 1e-300x", "takes more than 30 days"),
        ("--for 31d", "takes more than 30 days"),
        ("--burst 100000x --duplicate 100", "are too many for one run"),
    ] {
        let ran = typed(&url, &format!("--profile {} {how}", file.display())).await;
        let error = format!("{:#}", ran.code.unwrap_err());
        assert!(error.contains(said), "{how}: {error}");
    }
}

#[tokio::test]
async fn an_intake_that_is_not_whole_says_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("intake.toml");
    std::fs::write(&file, "senders = [\"stripe\"]\n").unwrap();
    let url = nobody().await;
    let error = typed(&url, &format!("--profile {}", file.display())).await.code.unwrap_err();
    let text = format!("{error:#}");
    assert!(error.is::<UsageError>() && text.contains("[volume]") | text.contains("volume"), "{text}");
}
