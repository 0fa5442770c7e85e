//! A sender that has been told of several nodes and behaves as senders do: it sends an event until somebody
//! acknowledges it, to the next node when one does not answer, and some of them twice.
//!
//! Not for measuring what a server can take: it waits between tries.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinSet};

use crate::{client::Connection, event::Events, latency::Latencies, now};

/// Between tries.
const AGAIN: Duration = Duration::from_millis(20);
/// Until a node that says nothing is given up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// What is sent.
#[derive(Clone, Debug)]
pub struct Plan {
    pub events: Events,
    pub path: String,
    pub count: u64,
    pub connections: u64,
    /// Events a second; `None`: each connection sends as soon as it is answered.
    pub per_second: Option<u64>,
    /// Of a hundred, so many are sent once more after they were acknowledged, to another node.
    pub twice_percent: u64,
}

#[derive(Debug)]
pub struct Faithful {
    plan: Plan,
    nodes: Vec<SocketAddr>,
    next: AtomicU64,
    acknowledged: watch::Sender<u64>,
    /// Tries that came to nothing: not answered, or not with 200.
    failed: AtomicU64,
    /// 503 without saying when to come again.
    rude: AtomicU64,
    latencies: Mutex<Latencies>,
}

impl Faithful {
    pub fn new(plan: Plan, nodes: Vec<SocketAddr>) -> Arc<Self> {
        let (next, failed, rude) = Default::default();
        Arc::new(Faithful {
            plan,
            nodes,
            next,
            acknowledged: watch::Sender::new(0),
            failed,
            rude,
            latencies: Mutex::default(),
        })
    }

    /// How many events were acknowledged so far, each counted once.
    pub fn acknowledged(&self) -> watch::Receiver<u64> {
        self.acknowledged.subscribe()
    }

    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    pub fn rude(&self) -> u64 {
        self.rude.load(Ordering::Relaxed)
    }

    /// Of each event, from when it was meant to be sent until it was acknowledged.
    pub fn latencies(&self) -> Latencies {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends when every event was acknowledged.
    pub async fn send(self: Arc<Self>) {
        let began = Instant::now();
        let mut running = JoinSet::new();
        for _ in 0..self.plan.connections {
            running.spawn(self.clone().connection(began));
        }
        running.join_all().await;
    }

    async fn connection(self: Arc<Self>, began: Instant) {
        let mut open: Vec<Option<Connection>> = self.nodes.iter().map(|_| None).collect();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.plan.count {
                return;
            }
            let mut meant = Instant::now();
            if let Some(per_second) = self.plan.per_second {
                meant = began + Duration::from_secs_f64(number as f64 / per_second as f64);
                tokio::time::sleep_until(meant.into()).await;
            }
            let first = usize::try_from(number).unwrap_or(0);
            let node = self.until_acknowledged(&mut open, number, first).await;
            self.latencies.lock().unwrap_or_else(PoisonError::into_inner).record(meant.elapsed());
            self.acknowledged.send_modify(|count| *count += 1);
            // Spread over all the numbers, whatever the share.
            if number * self.plan.twice_percent % 100 < self.plan.twice_percent {
                self.until_acknowledged(&mut open, number, node + 1).await;
            }
        }
    }

    /// Answers which node it was.
    async fn until_acknowledged(&self, open: &mut [Option<Connection>], number: u64, first: usize) -> usize {
        let mut node = first;
        loop {
            node %= self.nodes.len();
            if self.tried(&mut open[node], self.nodes[node], number).await {
                return node;
            }
            self.failed.fetch_add(1, Ordering::Relaxed);
            open[node] = None;
            node += 1;
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn tried(&self, open: &mut Option<Connection>, node: SocketAddr, number: u64) -> bool {
        let now_us = now::unix_us();
        let request =
            self.plan.events.request("hooks.example.test", &self.plan.path, number, now_us, now_us / 1_000_000);
        let exchange = async {
            let connection = match open {
                Some(connection) => connection,
                None => open.insert(Connection::open(node).await?),
            };
            connection.exchange(&request).await
        };
        match tokio::time::timeout(ANSWER_TIMEOUT, exchange).await {
            Ok(Ok(answer)) => {
                if answer.status == 503 && answer.header("retry-after").is_none() {
                    self.rude.fetch_add(1, Ordering::Relaxed);
                }
                answer.status == 200
            }
            Ok(Err(_)) | Err(_) => false,
        }
    }
}
