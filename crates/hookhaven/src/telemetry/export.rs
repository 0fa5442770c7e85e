//! The one task that brings finished spans to the collector, in batches. Nobody waits for it: while it cannot get rid of
//! a batch the queue fills, and what does not fit is dropped where it is made.
//!
//! A batch is tried again after what may pass (no connection, 429, 502 to 504), a bounded number of times, with growing
//! waits or as the collector asks; anything else is the collector's no. Whatever becomes of a span is counted.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{Time, retry::parse_retry_after};
use hookhaven_store::clock::{Clock, Entropy};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT},
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    Span,
    encode::{self, Speaker},
};
use crate::{
    config::Telemetry,
    egress::{Egress, Outbound, To},
    metrics::Metrics,
};

/// Tries of one batch.
const TRIES_MAX: u32 = 5;
/// Before the second try; twice as long before each further one.
const WAIT_FIRST: Duration = Duration::from_secs(1);
/// No wait is longer, whatever the collector asks for.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Read of a collector's answer.
const ANSWER_BYTES_MAX: usize = 16 << 10;
/// Of its words, this much is logged.
const WORDS_CHARS_MAX: usize = 200;
/// How long a stop waits until what is left has gone out.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

const AGENT: &str = concat!("Hookhaven-OTLP/", env!("CARGO_PKG_VERSION"));

/// Exporting that goes on.
#[derive(Debug)]
pub struct Exporting {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Exporting {
    /// Brings out what is left, in bounded time.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(FLUSH_TIMEOUT, &mut self.task).await.is_err() {
            tracing::warn!("the last spans were not exported: the collector did not answer in time");
            self.task.abort();
        }
    }
}

pub(super) struct Exporter {
    endpoint: url::Url,
    headers: HeaderMap,
    speaker: Speaker,
    batch_max: usize,
    batch_delay: Duration,
    timeout: Duration,
    egress: Arc<dyn Egress>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    /// Whether the last batch was lost, which has been told.
    failing: bool,
}

/// What a try came to.
enum Tried {
    Taken(Bytes),
    /// It may be otherwise soon; after this time if the collector named one.
    Later(String, Option<Duration>),
    Refused(String),
}

impl Exporter {
    pub fn new(
        endpoint: url::Url,
        settings: &Telemetry,
        egress: Arc<dyn Egress>,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
        metrics: Arc<Metrics>,
    ) -> Self {
        Exporter {
            endpoint,
            headers: headers(settings),
            speaker: Speaker { service_name: settings.service_name.clone(), instance: hex::encode(entropy.id_bytes()) },
            batch_max: settings.batch_max,
            batch_delay: settings.batch_delay,
            timeout: settings.timeout,
            egress,
            clock,
            metrics,
            stop: CancellationToken::new(),
            failing: false,
        }
    }

    pub fn start(self, spans: mpsc::Receiver<Span>) -> Exporting {
        let stop = self.stop.clone();
        Exporting { stop, task: tokio::spawn(self.run(spans)) }
    }

    async fn run(mut self, mut spans: mpsc::Receiver<Span>) {
        let mut batch = Vec::with_capacity(self.batch_max);
        while self.gather(&mut spans, &mut batch).await {
            self.export(&batch).await;
            batch.clear();
        }
    }

    /// Waits for a batch: full, or its first span old enough. False once there will be no more.
    async fn gather(&self, spans: &mut mpsc::Receiver<Span>, batch: &mut Vec<Span>) -> bool {
        let mut until: Option<Time> = None;
        while batch.len() < self.batch_max {
            let more = self.batch_max - batch.len();
            let old_enough = async {
                match until {
                    Some(at) => self.clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.stop.cancelled(), if !spans.is_closed() => spans.close(),
                got = spans.recv_many(batch, more) => {
                    if got == 0 {
                        break;
                    }
                    until.get_or_insert_with(|| self.clock.now().plus(self.batch_delay));
                }
                () = old_enough => break,
            }
        }
        !batch.is_empty()
    }

    async fn export(&mut self, batch: &[Span]) {
        let body = Bytes::from(encode::request(&self.speaker, batch));
        let (count, mut wait) = (batch.len() as u64, WAIT_FIRST);
        for number in 1.. {
            let (why, after, fate) = match self.send(body.clone()).await {
                Tried::Taken(answer) => return self.taken(count, &answer),
                Tried::Later(why, after) => (why, after, "failed"),
                Tried::Refused(why) => (why, None, "refused"),
            };
            let last = fate == "refused" || number == TRIES_MAX || self.stop.is_cancelled();
            if last {
                return self.lost(count, fate, &why);
            }
            tokio::select! {
                () = self.clock.sleep_until(self.clock.now().plus(after.unwrap_or(wait).min(WAIT_MAX))) => {}
                () = self.stop.cancelled() => {}
            }
            wait = (wait * 2).min(WAIT_MAX);
        }
    }

    async fn send(&self, body: Bytes) -> Tried {
        let outbound = Outbound {
            method: Method::POST,
            to: To::Configured(self.endpoint.clone()),
            headers: self.headers.clone(),
            body,
            timeout: self.timeout,
            excerpt_bytes_max: ANSWER_BYTES_MAX,
            response_bytes_max: ANSWER_BYTES_MAX,
        };
        let answered = match self.egress.send(outbound).await.result {
            Ok(answered) => answered,
            Err(failure) => return Tried::Later(failure.error, None),
        };
        match answered.status {
            status if status.is_success() => Tried::Taken(answered.excerpt),
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                let hint = answered.headers.get(RETRY_AFTER);
                let hint = hint.and_then(|value| parse_retry_after(value.as_bytes(), self.clock.now()));
                Tried::Later(format!("the collector answered {}", answered.status), hint)
            }
            status => Tried::Refused(format!("the collector answered {status}")),
        }
    }

    fn taken(&mut self, count: u64, answer: &[u8]) {
        let refused = encode::refused(answer);
        let (not, why) = refused.map_or((0, String::new()), |(not, why)| (not.min(count), why));
        self.metrics.trace_spans("exported", count - not);
        if not > 0 {
            let why: String = why.chars().take(WORDS_CHARS_MAX).collect();
            return self.lost(not, "refused", &format!("the collector took only a part: {why}"));
        }
        if std::mem::take(&mut self.failing) {
            tracing::info!("spans are exported again");
        }
    }

    /// Tells the first of several in a row.
    fn lost(&mut self, count: u64, fate: &'static str, error: &str) {
        self.metrics.trace_spans(fate, count);
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(spans = count, error, "spans cannot be exported and are dropped; what is lost is counted");
        }
    }
}

/// Those of the configuration, which hold secrets, and those that say what the body is.
fn headers(settings: &Telemetry) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, secret) in &settings.headers {
        // Checked when the configuration was read.
        if let Ok(mut value) = HeaderValue::from_bytes(secret.expose()) {
            value.set_sensitive(true);
            headers.insert(name.clone(), value);
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
    headers
}

#[cfg(test)]
mod tests;
