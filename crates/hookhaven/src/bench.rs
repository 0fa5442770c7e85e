//! `hookhaven bench`: what this machine and this disk allow, in a table. A gateway as a child process on
//! loopback, a closed loop of signed 2 KB events over 64 connections, twice: while the destination is
//! paused (durable answers alone), and delivering to a fast handler in this process.
//!
//! Load and handler share the machine with the gateway: on machines of its own it does better. Comparing
//! with a bare server, steady load and backlogs are the matter of `cargo xtask bench`.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result};
use axum::{Router, body::Bytes, routing::post};
use comfy_table::{Table, presets};
use hookhaven_load::{
    event::Events,
    gateway::{Home, Running, poll},
    latency::Summary,
    load::{Report, Until, closed},
    now::unix_us,
    sink::Seen,
};
use hookhaven_store::clock::Entropy;
use serde::Serialize;
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::stage;

pub const CONNECTIONS: usize = 64;
pub const BODY_BYTES: usize = 2_048;
/// How long what was accepted may take to be delivered after the load's end.
const DRAIN_PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub struct Bench {
    /// The gateway's binary.
    pub binary: PathBuf,
    /// Of each of the two loads.
    pub time: Duration,
}

/// Both measurements.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    pub connections: usize,
    pub body_bytes: usize,
    /// The destination paused.
    pub accepting: Answers,
    /// To a fast handler.
    pub delivering: Answers,
    pub delivered: Delivered,
}

/// What senders saw.
#[derive(Clone, Debug, Serialize)]
pub struct Answers {
    /// Answers with 200, a second; each after its event was on disk.
    pub per_second: f64,
    pub answered: u64,
    /// Other answers, and none.
    pub refused: u64,
    pub latency: Summary,
}

/// What the handler saw.
#[derive(Clone, Debug, Serialize)]
pub struct Delivered {
    /// From the load's begin to the last delivery.
    pub per_second: f64,
    pub events: u64,
    /// Still to be delivered when the load ended.
    pub backlog: u64,
    /// How long that took.
    pub drained_ms: u64,
    /// From when a request was meant to be sent to its first delivery.
    pub end_to_end: Summary,
}

impl Bench {
    /// Measures in a directory, which may be removed afterwards.
    pub async fn run(&self, directory: &Path, entropy: &dyn Entropy, say: &dyn Fn(&str)) -> Result<Figures> {
        let seconds = self.time.as_secs();
        say(&format!("{seconds} s of durable answers, the destination paused"));
        let paused = Stage::start(&self.binary, &directory.join("accepting"), entropy).await?;
        paused.running.admin.post("/api/v1/destinations/sink/pause", &json!({})).await?;
        let accepting = paused.load(self.time).await;
        paused.running.kill().await?;

        say(&format!("{seconds} s end to end, to a fast handler"));
        let stage = Stage::start(&self.binary, &directory.join("delivering"), entropy).await?;
        let started_us = unix_us();
        let report = stage.load(self.time).await;
        let (ended_us, delivered) = (unix_us(), stage.sink.seen().distinct());
        let accepted = report.answered(200);
        let drained = poll(DRAIN_PATIENCE, async || (stage.sink.seen().distinct() >= accepted).then_some(())).await;
        drained.context("what was accepted was not delivered within two minutes of the end")?;
        let stats = stage.sink.seen().stats();
        stage.running.kill().await?;
        let took_us = stats.last_us.saturating_sub(started_us).max(1);
        Ok(Figures {
            connections: CONNECTIONS,
            body_bytes: BODY_BYTES,
            accepting: Answers::of(&accepting),
            delivering: Answers::of(&report),
            delivered: Delivered {
                per_second: stats.distinct as f64 * 1e6 / took_us as f64,
                events: stats.distinct,
                backlog: accepted.saturating_sub(delivered),
                drained_ms: stats.last_us.saturating_sub(ended_us) / 1_000,
                end_to_end: stats.end_to_end,
            },
        })
    }
}

impl Answers {
    fn of(report: &Report) -> Self {
        let answered = report.answered(200);
        let refused = report.answers.values().sum::<u64>() - answered + report.unanswered;
        Answers { per_second: report.rate(), answered, refused, latency: report.latency }
    }
}

impl Figures {
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY);
        let mut row = |name: &str, value: String, note: &str| {
            table.add_row([name.to_owned(), value, note.to_owned()]);
        };
        let ms = |us: u32| f64::from(us) / 1_000.0;
        let latency = |of: &Summary| format!("{:.1} / {:.1} ms", ms(of.p50_us), ms(of.p99_us));
        let load = format!("{} connections, {} B bodies", self.connections, self.body_bytes);
        row("durable answers", format!("{:.0}/s", self.accepting.per_second), &load);
        row("  latency", latency(&self.accepting.latency), "p50 / p99, on disk before each answer");
        row("end to end", format!("{:.0}/s", self.delivered.per_second), "events delivered to a fast handler");
        row("  answers", format!("{:.0}/s", self.delivering.per_second), "at the same time");
        row("  latency", latency(&self.delivered.end_to_end), "p50 / p99, from sending to the handler");
        let backlog = format!("{} events", self.delivered.backlog);
        row("  left at the end", backlog, &format!("delivered {} ms later", self.delivered.drained_ms));
        row("refused", (self.accepting.refused + self.delivering.refused).to_string(), "answers other than 200");
        table
    }
}

/// A gateway on a fresh store with one source and one destination, our sink.
struct Stage {
    running: Running,
    sink: Sink,
    secret: String,
}

impl Stage {
    async fn start(binary: &Path, directory: &Path, entropy: &dyn Entropy) -> Result<Self> {
        std::fs::create_dir(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        let home = Home::new(binary.to_owned(), directory.to_owned());
        let sink = Sink::start().await?;
        let secret = stage::plain(&stage::secret("whsec_", entropy)?);
        home.write_config(&format!(
            "[server]\ningest = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\n[store]\nurl = \"file:{}\"\n\n\
             [sources.stripe]\nsender = \"stripe\"\nsecrets = [\"{secret}\"]\n\n\
             [destinations.sink]\nurl = \"http://{}/\"\nconcurrency = 64\nsecret = \"{secret}\"\n\n\
             [[routes]]\nsource = \"stripe\"\nto = [\"sink\"]\n",
            home.data().display(),
            sink.address,
        ))?;
        Ok(Stage { running: home.serve().await?, sink, secret })
    }

    async fn load(&self, time: Duration) -> Report {
        let events = Events { run: "bench".to_owned(), secret: self.secret.clone(), body_bytes: BODY_BYTES };
        let host = self.running.ingest.to_string();
        let request = move |number, intended_us: u64| {
            events.request(&host, "/webhooks/stripe", number, intended_us, intended_us / 1_000_000)
        };
        closed(self.running.ingest, CONNECTIONS, Until { requests: u64::MAX, time }, request).await
    }
}

/// A handler that answers at once. Ends when dropped.
struct Sink {
    address: std::net::SocketAddr,
    seen: Arc<Mutex<Seen>>,
    serving: JoinHandle<()>,
}

impl Sink {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("the handler cannot listen on loopback")?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let of_server = seen.clone();
        let take = async move |body: Bytes| of_server.lock().unwrap_or_else(PoisonError::into_inner).take(&body);
        let serving = tokio::spawn(async move {
            // It ends by being dropped; an error of the listener shows as events that never arrive.
            let _ = axum::serve(listener, Router::new().route("/", post(take))).await;
        });
        Ok(Sink { address, seen, serving })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
