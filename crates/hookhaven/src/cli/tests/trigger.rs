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
    let (mut screen, out, err) = capture::screen(false, None, START);
    let code = trigger::act(args, &config, &ManualClock::at(START), &SeededEntropy::new(1), &mut screen).await;
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
