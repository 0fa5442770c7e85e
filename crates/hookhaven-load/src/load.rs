//! Load: many connections, closed loop (each sends as soon as it is answered) or open loop (requests at
//! fixed times, whether the server keeps up or not). Latency counts from when a request was meant to be
//! sent, so that a server that stalls is charged for all who had to wait.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};

use crate::{
    client::Connection,
    latency::{Latencies, Summary},
    now,
};

/// What is sent, and whoever wants to know what came of it.
pub trait Requests: Send + Sync + 'static {
    /// The bytes of request `number`, meant to be sent at `intended_us` (since 1970).
    fn request(&self, number: u64, intended_us: u64) -> Vec<u8>;

    /// It was answered so. Requests that get no answer are not told.
    fn answered(&self, _number: u64, _status: u16) {}
}

impl<T: Requests + ?Sized> Requests for Arc<T> {
    fn request(&self, number: u64, intended_us: u64) -> Vec<u8> {
        (**self).request(number, intended_us)
    }

    fn answered(&self, number: u64, status: u16) {
        (**self).answered(number, status);
    }
}

impl<F: Fn(u64, u64) -> Vec<u8> + Send + Sync + 'static> Requests for F {
    fn request(&self, number: u64, intended_us: u64) -> Vec<u8> {
        self(number, intended_us)
    }
}

/// When a closed loop ends: after so many requests or so much time, whichever comes first.
#[derive(Clone, Copy, Debug)]
pub struct Until {
    pub requests: u64,
    pub time: Duration,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Answers by status.
    pub answers: BTreeMap<u16, u64>,
    /// Requests that got no answer: refused, cut, unreadable.
    pub unanswered: u64,
    pub elapsed_ms: u64,
    /// Of all answers.
    pub latency: Summary,
}

impl Report {
    pub fn answered(&self, status: u16) -> u64 {
        self.answers.get(&status).copied().unwrap_or(0)
    }

    /// Answers with 200, a second.
    pub fn rate(&self) -> f64 {
        self.answered(200) as f64 * 1_000.0 / self.elapsed_ms.max(1) as f64
    }
}

/// What one connection saw.
#[derive(Default)]
struct Tally {
    answers: BTreeMap<u16, u64>,
    unanswered: u64,
    latencies: Latencies,
}

impl Tally {
    fn count(&mut self, answer: &io::Result<u16>, latency: Duration) {
        match answer {
            Ok(status) => {
                *self.answers.entry(*status).or_default() += 1;
                self.latencies.record(latency);
            }
            Err(_) => self.unanswered += 1,
        }
    }
}

/// Each of the connections sends its next request when the last is answered.
pub async fn closed(address: SocketAddr, connections: usize, until: Until, requests: impl Requests) -> Report {
    let requests: Arc<dyn Requests> = Arc::new(requests);
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..connections {
        let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
        running.spawn(async move {
            let (mut tally, mut wire) = (Tally::default(), Wire::new(address));
            while started.elapsed() < until.time {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= until.requests {
                    break;
                }
                let request = requests.request(number, now::unix_us());
                let sent = Instant::now();
                let answer = wire.send(&request).await;
                tally.count(&answer, sent.elapsed());
                if let Ok(status) = answer {
                    requests.answered(number, status);
                }
            }
            tally
        });
    }
    finish(running, started).await
}

/// `count` requests at `per_second`, over as many of the connections as are free; late ones go as soon as
/// one is.
pub async fn open(
    address: SocketAddr,
    connections: usize,
    per_second: f64,
    count: u64,
    requests: impl Requests,
) -> Report {
    let requests: Arc<dyn Requests> = Arc::new(requests);
    let started = Instant::now();
    let due = Arc::new(Mutex::new(pace(started, per_second, count)));
    let mut running = JoinSet::new();
    for _ in 0..connections {
        let (requests, due) = (Arc::clone(&requests), Arc::clone(&due));
        running.spawn(async move {
            let (mut tally, mut wire) = (Tally::default(), Wire::new(address));
            loop {
                let next = due.lock().await.recv().await;
                let Some((number, intended)) = next else { break };
                let late_us = u64::try_from(intended.elapsed().as_micros()).unwrap_or(0);
                let request = requests.request(number, now::unix_us().saturating_sub(late_us));
                let answer = wire.send(&request).await;
                tally.count(&answer, intended.elapsed());
                if let Ok(status) = answer {
                    requests.answered(number, status);
                }
            }
            tally
        });
    }
    finish(running, started).await
}

/// Hands out numbers at their times. Ends by itself when all are out or nobody listens any more.
#[expect(clippy::disallowed_methods, reason = "the runtime's timer is a millisecond coarse, which would be measured")]
fn pace(started: Instant, per_second: f64, count: u64) -> mpsc::UnboundedReceiver<(u64, Instant)> {
    let (due, numbers) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for number in 0..count {
            let intended = started + Duration::from_secs_f64(number as f64 / per_second);
            std::thread::sleep(intended.saturating_duration_since(Instant::now()));
            if due.send((number, intended)).is_err() {
                return;
            }
        }
    });
    numbers
}

async fn finish(mut running: JoinSet<Tally>, started: Instant) -> Report {
    let mut report = Report::default();
    let mut latencies = Latencies::default();
    while let Some(tally) = running.join_next().await {
        let Ok(tally) = tally else { continue };
        for (status, count) in tally.answers {
            *report.answers.entry(status).or_default() += count;
        }
        report.unanswered += tally.unanswered;
        latencies.extend(tally.latencies);
    }
    report.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    report.latency = latencies.summary();
    report
}

/// A connection that is opened when needed and again after a failure.
struct Wire {
    address: SocketAddr,
    connection: Option<Connection>,
}

impl Wire {
    fn new(address: SocketAddr) -> Self {
        Wire { address, connection: None }
    }

    async fn send(&mut self, request: &[u8]) -> io::Result<u16> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.address).await?,
        };
        let answer = connection.exchange(request).await?;
        if answer.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Ok(answer.status)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::client::post;

    /// Answers each request of one byte of body with 200.
    async fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut buffer = [0; 512];
                    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                    }
                });
            }
        });
        address
    }

    fn tiny(number: u64, _: u64) -> Vec<u8> {
        post("h", &format!("/{number}"), &[], b"x")
    }

    #[tokio::test]
    async fn a_closed_loop_sends_exactly_what_it_was_told() {
        let until = Until { requests: 100, time: Duration::from_secs(60) };
        let report = closed(server().await, 7, until, tiny).await;
        assert_eq!((report.answered(200), report.unanswered, report.latency.count), (100, 0, 100));
    }

    #[tokio::test]
    async fn an_open_loop_keeps_its_times() {
        let report = open(server().await, 4, 1_000.0, 50, tiny).await;
        assert_eq!((report.answered(200), report.unanswered), (50, 0));
        assert!(report.elapsed_ms >= 49, "50 requests at 1,000/s take 49 ms at least: {}", report.elapsed_ms);
    }

    #[tokio::test]
    async fn what_nobody_answers_is_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = listener.local_addr().unwrap();
        drop(listener);
        let report = closed(nobody, 2, Until { requests: 5, time: Duration::from_secs(60) }, tiny).await;
        assert_eq!((report.answers.len(), report.unanswered), (0, 5));
    }
}
