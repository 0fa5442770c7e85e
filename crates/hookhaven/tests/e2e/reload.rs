//! A changed config or secret file counts without a restart and under load: whole, or not at all.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use hookhaven_load::{
    client::{Connection, post},
    gateway::poll,
};
use serde_json::Value;
use tokio::{
    sync::{RwLock, watch},
    task::JoinHandle,
};

use crate::support::{PATIENCE, gateway::Gateway, handler::Handler, load::stripe_headers, soon};

const OLD: &str = "whsec_the_old_one";
const NEW: &str = "whsec_the_new_one";
const NEWEST: &str = "whsec_the_newest_one";
const CONNECTIONS: usize = 4;

/// What the load shares with the case.
#[derive(Default)]
struct Shared {
    /// The secrets to sign with, in turn. Whoever sends holds it, so that after a change of it no request
    /// signed with another is under way.
    secrets: RwLock<Vec<&'static str>>,
    number: AtomicU64,
    stop: AtomicBool,
    answered: watch::Sender<u64>,
}

/// Connections that are never opened again: each request must be answered with 200 on its own.
struct Load {
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(to: SocketAddr) -> Self {
        let shared = Arc::new(Shared { secrets: RwLock::new(vec![OLD]), ..Shared::default() });
        let senders = (0..CONNECTIONS).map(|_| tokio::spawn(send(to, Arc::clone(&shared)))).collect();
        Load { shared, senders }
    }

    async fn sign_with(&self, secrets: &[&'static str]) {
        *self.shared.secrets.write().await = secrets.to_vec();
    }

    /// Waits until so many more were answered.
    async fn go_on(&self) {
        let mut answered = self.shared.answered.subscribe();
        let now = *answered.borrow_and_update();
        soon("more answers", answered.wait_for(|count| *count >= now + 100)).await.expect("the load runs");
    }

    async fn end(self) -> u64 {
        self.shared.stop.store(true, Ordering::Relaxed);
        for sender in self.senders {
            soon("the end of a sender", sender).await.expect("each request was answered with 200");
        }
        self.shared.number.load(Ordering::Relaxed)
    }
}

async fn send(to: SocketAddr, shared: Arc<Shared>) {
    let mut connection = Connection::open(to).await.expect("a connection");
    while !shared.stop.load(Ordering::Relaxed) {
        let number = shared.number.fetch_add(1, Ordering::Relaxed);
        let body = format!("{{\"id\":\"evt_{number}\",\"type\":\"invoice.paid\"}}");
        let secrets = shared.secrets.read().await;
        let secret = secrets[usize::try_from(number).expect("few requests") % secrets.len()];
        let request = post("h", "/webhooks/shop", &stripe_headers(secret, body.as_bytes()), body.as_bytes());
        let answer = soon("an answer", connection.exchange(&request)).await.expect("the connection stays");
        assert_eq!(answer.status, 200, "request {number}, signed with {secret}");
        drop(secrets);
        shared.answered.send_modify(|count| *count += 1);
    }
}

/// Puts a file in another's place at once, as editors and orchestrators do.
fn replace(path: &Path, text: &str) {
    let draft = path.with_extension("draft");
    fs::write(&draft, text).and_then(|()| fs::rename(&draft, path)).expect("the file can be replaced");
}

struct Scene {
    gateway: Gateway,
    handlers: [Handler; 2],
}

impl Scene {
    async fn start() -> Self {
        let handlers = [Handler::answering(200).await, Handler::answering(200).await];
        let mut scene = Scene { gateway: Gateway::prepare(""), handlers };
        for (name, secret) in [("old", OLD), ("new", NEW)] {
            replace(&scene.secret_file(name), secret);
        }
        replace(&scene.gateway.config(), &scene.config(&["old"], 1));
        scene.gateway.serve().await;
        scene
    }

    fn secret_file(&self, name: &str) -> std::path::PathBuf {
        self.gateway.directory().join(name)
    }

    /// With these files of secrets, and routes to the first handlers.
    fn config(&self, secrets: &[&str], routes: usize) -> String {
        let secrets: Vec<_> = secrets.iter().map(|name| format!("\"file:{name}\"")).collect();
        let mut text = format!(
            "[server]\ningest = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\n\
             [sources.shop]\nsender = \"stripe\"\nsecrets = [{}]\n",
            secrets.join(", ")
        );
        for (n, handler) in self.handlers.iter().enumerate().take(routes) {
            text.push_str(&format!(
                "\n[destinations.to{n}]\nurl = \"{}\"\n\n[[routes]]\nsource = \"shop\"\nto = [\"to{n}\"]\n",
                handler.url()
            ));
        }
        text
    }

    async fn status(&self) -> Value {
        self.gateway.get("/api/v1/status").await
    }

    /// When the configuration in use was read.
    async fn loaded_at(&self) -> Value {
        self.status().await["config"]["loaded_at"].clone()
    }

    async fn until_loaded_after(&self, before: &Value) {
        self.gateway.until("/api/v1/status", |status| status["config"]["loaded_at"] != *before).await;
    }

    /// What a request of its own gets.
    async fn answer_to(&self, secret: &str) -> u16 {
        let body = br#"{"id":"evt_probe","type":"invoice.paid"}"#;
        self.gateway.post("/webhooks/shop", &stripe_headers(secret, body), body).await.status
    }

    /// Waits until the metrics have this line.
    async fn until_metric(&self, line: &str) {
        let there = poll(PATIENCE, async || {
            let answer = self.gateway.admin().send("GET", "/metrics", b"").await.expect("metrics");
            String::from_utf8_lossy(&answer.body).lines().any(|l| l == line).then_some(())
        });
        there.await.unwrap_or_else(|| panic!("no metric {line}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_secrets_are_rotated_and_a_route_added() {
    let scene = Scene::start().await;
    assert_eq!(scene.answer_to(NEW).await, 401);
    let load = Load::start(scene.gateway.ingest());
    load.go_on().await;

    // Both secrets and a second route, found by itself.
    replace(&scene.gateway.config(), &scene.config(&["new", "old"], 2));
    scene.gateway.until("/api/v1/status", |status| status["routes"] == 2).await;
    load.sign_with(&[OLD, NEW]).await;
    scene.handlers[1].until(100).await;
    load.go_on().await;

    // The old one out again, when asked.
    load.sign_with(&[NEW]).await;
    let before = scene.loaded_at().await;
    replace(&scene.gateway.config(), &scene.config(&["new"], 2));
    scene.gateway.reload().await;
    scene.until_loaded_after(&before).await;
    assert_eq!(scene.answer_to(OLD).await, 401);
    load.go_on().await;

    // A file of a secret changes; the config file does not. While both count, the load may use both.
    replace(&scene.gateway.config(), &scene.config(&["new", "old"], 2));
    scene.gateway.reload().await;
    let both = poll(PATIENCE, async || (scene.answer_to(OLD).await == 200).then_some(())).await;
    both.expect("the old one is back");
    let before = scene.loaded_at().await;
    replace(&scene.secret_file("old"), NEWEST);
    scene.until_loaded_after(&before).await;
    assert_eq!(scene.answer_to(OLD).await, 401);
    load.sign_with(&[NEWEST, NEW]).await;
    load.go_on().await;

    let sent = load.end().await;
    scene.gateway.until_drained().await;
    let got = scene.handlers[0].received().len() as u64;
    assert!(got > sent, "{got} of {sent} events and two of our own were delivered to the first handler");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_edit_changes_nothing_and_says_so() {
    let scene = Scene::start().await;
    let load = Load::start(scene.gateway.ingest());
    load.go_on().await;
    scene.until_metric("hookhaven_config_current 1").await;
    let before = scene.loaded_at().await;

    replace(&scene.gateway.config(), &scene.config(&["old"], 1).replace("secrets", "secretz"));
    scene.gateway.reload().await;
    let told = scene.gateway.until("/api/v1/status", |status| status["config"]["error"].is_string()).await;
    assert_eq!(told["config"]["loaded_at"], before, "the old one stays");
    let error = told["config"]["error"].as_str().unwrap();
    assert!(error.contains("hookhaven.toml:7:1: sources.shop.secretz: unknown key"), "{error}");
    let check = scene.gateway.cli(&["check", "--offline"]).await;
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert_eq!(check.status.code(), Some(2));
    assert!(said.starts_with(error), "check says\n{said}\nand the gateway\n{error}");
    // Able to accept it is, and says what is wrong all the same.
    let ready = scene.gateway.admin().send("GET", "/readyz", b"").await.unwrap();
    let body: Value = serde_json::from_slice(&ready.body).unwrap();
    assert_eq!((ready.status, &body["config"]["error"]), (200, &Value::from(error)));
    scene.until_metric("hookhaven_config_current 0").await;
    scene.until_metric("hookhaven_config_reloads_total{result=\"refused\"} 1").await;
    load.go_on().await;

    replace(&scene.gateway.config(), &scene.config(&["old"], 2));
    scene.gateway.reload().await;
    let mended = scene.gateway.until("/api/v1/status", |status| status["routes"] == 2).await;
    assert_eq!((&mended["config"]["error"], &mended["config"]["refused_at"]), (&Value::Null, &Value::Null));
    scene.until_metric("hookhaven_config_current 1").await;
    load.go_on().await;
    load.end().await;
}

/// Looking now and then acts only on a file that stands still; this one never does.
#[tokio::test]
async fn when_told_it_reads_at_once() {
    let scene = Scene::start().await;
    let file = scene.gateway.config();
    let wanted = scene.config(&["old"], 2);
    let mut edits = 0;
    let mut edit = || {
        edits += 1;
        replace(&file, &format!("{wanted}# {edits}\n"));
    };
    edit();
    scene.gateway.reload().await;
    let taken = poll(PATIENCE, async || {
        edit();
        (scene.status().await["routes"] == 2).then_some(())
    });
    taken.await.expect("the file as it stood at the signal, or soon after");
}
