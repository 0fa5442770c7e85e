//! SIGTERM: what is under way is finished or given back, in bounded time and with exit code 0, and
//! nothing that was acknowledged is lost.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use hookhaven_load::{
    client::{Connection, post},
    load::{Requests, Until, closed},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
};

use crate::support::{
    PATIENCE,
    gateway::Gateway,
    handler::{Handler, Reply},
    load::{Stripe, number_of, stripe_headers},
    soon,
};

const SECRET: &str = "whsec_shutdown";

fn config(handler: &Handler, limits: &str, route: &str) -> String {
    format!(
        "[limits]\n{limits}\n\n[sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\n\
         [[routes]]\nsource = \"shop\"\nto = [\"app\"]\n{route}\n\n\
         [destinations.app]\nurl = \"{}\"\ntimeout = \"60s\"\n",
        handler.url()
    )
}

/// Load that tells how much of it was acknowledged.
struct Counted(Arc<Stripe>, watch::Sender<u64>);

impl Requests for Counted {
    fn request(&self, number: u64, intended_us: u64) -> Vec<u8> {
        self.0.request(number, intended_us)
    }

    fn answered(&self, number: u64, status: u16) {
        self.0.answered(number, status);
        self.1.send_modify(|count| *count += 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_loses_nothing_that_was_acknowledged() {
    let handler = Handler::answering(200).await;
    let mut gateway = Gateway::start(&config(&handler, "", "")).await;
    let sender = Stripe::new("shop", SECRET);
    let counts = watch::Sender::new(0);
    let mut counted = counts.subscribe();
    let forever = Until { requests: u64::MAX, time: Duration::from_secs(300) };
    let load = tokio::spawn(closed(gateway.ingest(), 16, forever, Counted(Arc::clone(&sender), counts)));
    soon("some load", counted.wait_for(|count| *count >= 500)).await.unwrap();

    assert!(gateway.terminate().await.success());
    load.abort();
    let _ = load.await;
    gateway.serve().await;
    gateway.until_drained().await;
    let delivered: BTreeSet<u64> = handler.received().iter().filter_map(|r| number_of(&r.body)).collect();
    let acknowledged = sender.acknowledged();
    let lost: Vec<_> = acknowledged.difference(&delivered).collect();
    assert!(lost.is_empty(), "acknowledged and never delivered: {lost:?}");
}

#[tokio::test]
async fn a_request_under_way_is_finished_and_no_new_one_begins() {
    let handler = Handler::answering(200).await;
    let mut gateway = Gateway::start(&config(&handler, "", "")).await;
    let body = br#"{"id":"evt_half","type":"invoice.paid"}"#;
    let mut headers = stripe_headers(SECRET, body);
    headers.push(("expect".into(), "100-continue".into()));
    let request = post("hooks.example.test", "/webhooks/shop", &headers, body);
    let (first, rest) = request.split_at(request.len() - 10);
    let mut stream = TcpStream::connect(gateway.ingest()).await.unwrap();
    stream.write_all(first).await.unwrap();
    // It says so when it waits for the body: the request is under way.
    let mut interim = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    soon("a word that it waits", stream.read_exact(&mut interim)).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");

    let (ingest, admin) = (gateway.ingest(), gateway.admin().clone());
    let stopping = async {
        let refusing =
            hookhaven_load::gateway::poll(PATIENCE, async || TcpStream::connect(ingest).await.is_err().then_some(()));
        refusing.await.expect("no new connection is taken");
        let ready = admin.send("GET", "/readyz", b"").await.expect("the admin side is there to the end");
        assert_eq!(ready.status, 503);
        assert!(String::from_utf8_lossy(&ready.body).contains("stopping"));
        stream.write_all(rest).await.unwrap();
        let mut answer = Vec::new();
        soon("the answer and the end", stream.read_to_end(&mut answer)).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.contains("HTTP/1.1 200 OK\r\n"), "{answer}");
    };
    let (status, ()) = tokio::join!(gateway.terminate(), stopping);
    assert!(status.success());
    gateway.serve().await;
    assert_eq!(&handler.nth(1).await.body[..], body);
}

#[tokio::test]
async fn an_attempt_that_hangs_is_aborted_and_costs_no_retry() {
    let handler = Handler::start(|_| Reply::Hang).await;
    // A single attempt: if the aborted one counted, the delivery would be dead.
    let config = config(&handler, "drain_timeout = \"200ms\"", "retry = { attempts = 1 }");
    let mut gateway = Gateway::start(&config).await;
    let body = br#"{"id":"evt_hang","type":"invoice.paid"}"#;
    assert_eq!(gateway.post("/webhooks/shop", &stripe_headers(SECRET, body), body).await.status, 200);
    handler.nth(1).await;
    // It hangs for a minute; that this comes back at all is the abort.
    assert!(gateway.terminate().await.success());
    assert!(gateway.log().contains(r#""aborted":1"#), "{}", gateway.log());

    handler.change(|_| Reply::Status(200));
    gateway.serve().await;
    let again = handler.nth(2).await;
    assert_eq!(&again.body[..], body);
    let ended = |page: &Value| page.pointer("/items/0/state") == Some(&json!("delivered"));
    let page = gateway.until("/api/v1/deliveries", ended).await;
    assert_eq!(page["items"][0]["attempt_count"], 1, "{page:#}");
    // A connection that the sender keeps open does not keep it either.
    let mut idle = Connection::open(gateway.ingest()).await.unwrap();
    idle.exchange(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert!(gateway.terminate().await.success());
}
