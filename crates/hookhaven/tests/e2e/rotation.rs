//! A secret is replaced while its sender posts: nothing signed with either is refused, nothing is restarted, and it is
//! told which one can go.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use hookhaven_load::{
    client::{Connection, post},
    gateway::poll,
};
use serde_json::Value;

use crate::support::{
    PATIENCE,
    gateway::Gateway,
    output::{items, well},
    sign, soon,
};

const OLD: &str = "whsec_canary_old";
const NEW: &str = "whsec_canary_new";

fn config(secrets: &[&str]) -> String {
    let secrets: Vec<_> = secrets.iter().map(|secret| format!("\"{secret}\"")).collect();
    format!("[sources.shop]\nsender = \"stripe\"\nsecrets = [{}]\n", secrets.join(", "))
}

/// Posts without end, each signed with the secret of the moment; each must be taken.
struct Sender {
    new: AtomicBool,
    stop: AtomicBool,
    taken: [AtomicU64; 2],
}

impl Sender {
    async fn run(self: Arc<Self>, to: std::net::SocketAddr) {
        let mut connection = Connection::open(to).await.expect("a connection");
        for number in 0_u64.. {
            if self.stop.load(Relaxed) {
                return;
            }
            let which = usize::from(self.new.load(Relaxed));
            let body = format!(r#"{{"id":"evt_{number}","type":"x"}}"#).into_bytes();
            let request = post("h", "/webhooks/shop", &sign::stripe([OLD, NEW][which], &body), &body);
            let answer = soon("an answer", connection.exchange(&request)).await.expect("the connection stays");
            assert_eq!(answer.status, 200, "request {number}, signed with {which}");
            self.taken[which].fetch_add(1, Relaxed);
        }
    }

    async fn until_more(&self, which: usize) {
        let before = self.taken[which].load(Relaxed);
        let more = poll(PATIENCE, async || (self.taken[which].load(Relaxed) > before + 20).then_some(()));
        more.await.expect("it goes on");
    }
}

async fn secrets(gateway: &Gateway) -> Vec<Value> {
    let arguments = ["secrets", "--json"];
    let text = well(&arguments, gateway.ask(&arguments).await);
    assert!(!text.contains("canary"), "{text}");
    items(&serde_json::from_str(&text).expect("JSON")).clone()
}

async fn rewrite(gateway: &Gateway, secrets: &[&str]) {
    let before = gateway.get("/api/v1/status").await["config"]["loaded_at"].clone();
    gateway.configure(&config(secrets));
    gateway.until("/api/v1/status", |status| status["config"]["loaded_at"] != before).await;
}

async fn metrics(gateway: &Gateway) -> String {
    let answer = gateway.admin().send("GET", "/metrics", b"").await.expect("metrics");
    String::from_utf8_lossy(&answer.body).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_rotated_under_traffic_and_nothing_is_refused() {
    let mut gateway = Gateway::start(&config(&[OLD])).await;
    let sender = Arc::new(Sender {
        new: AtomicBool::new(false),
        stop: AtomicBool::new(false),
        taken: [AtomicU64::new(0), AtomicU64::new(0)],
    });
    let sending = tokio::spawn(sender.clone().run(gateway.ingest()));
    sender.until_more(0).await;
    let only = secrets(&gateway).await;
    assert_eq!((only.len(), &only[0]["use"]), (1, &"current".into()));

    // The new one before the old one; the sender does not know of it yet.
    rewrite(&gateway, &[NEW, OLD]).await;
    sender.until_more(0).await;
    let both = secrets(&gateway).await;
    assert_eq!((&both[0]["use"], &both[1]["use"]), (&"never_matched".into(), &"previous".into()), "{both:#?}");
    assert_eq!(both[1]["fingerprint"], only[0]["fingerprint"], "known by its fingerprint wherever it stands");
    assert_eq!(both[1]["first_seen"], only[0]["first_seen"]);

    sender.new.store(true, Relaxed);
    sender.until_more(1).await;
    let both = secrets(&gateway).await;
    assert_eq!((&both[0]["use"], &both[1]["use"]), (&"current".into(), &"previous".into()), "{both:#?}");
    let text = metrics(&gateway).await;
    for line in ["secret=\"1\"} ", "secret=\"2\"} "] {
        assert!(text.contains(&format!("webhook_secret_matched_total{{source=\"shop\",{line}")), "{text}");
        assert!(text.contains(&format!("webhook_secret_age_seconds{{source=\"shop\",{line}")), "{text}");
    }

    rewrite(&gateway, &[NEW]).await;
    sender.until_more(1).await;
    sender.stop.store(true, Relaxed);
    soon("the sender's end", sending).await.expect("each request was taken");
    let text = metrics(&gateway).await;
    assert!(!text.contains("webhook_secret_age_seconds{source=\"shop\",secret=\"2\"}"), "{text}");
    assert!(!text.contains("webhook_signature_invalid_total{"), "nothing was refused: {text}");
    let last = secrets(&gateway).await;
    assert!(gateway.terminate().await.success());
    gateway.serve().await;
    let after = secrets(&gateway).await;
    assert_eq!(after[0]["last_matched"], last[0]["last_matched"], "kept at the end");
    assert!(!gateway.log().contains("canary"));
}
