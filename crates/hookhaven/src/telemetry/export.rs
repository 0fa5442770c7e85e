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
mod tests {
    use std::{
        collections::VecDeque,
        sync::{Mutex, PoisonError},
    };

    use async_trait::async_trait;
    use hookhaven_core::{ErrorClass, Phases};
    use hookhaven_store::{
        Stats,
        clock::{ManualClock, SeededEntropy},
    };
    use opentelemetry_proto::tonic::collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    };
    use prost::Message as _;

    use super::*;
    use crate::{
        egress::{Answered, Failure, Sent},
        telemetry::{Kind, Tracer, start},
    };

    const NOW: Time = Time::from_s(1_790_000_000);

    /// Answers as it was told, then with 200; remembers how many spans each request held.
    #[derive(Debug, Default)]
    struct Collector {
        answers: Mutex<VecDeque<Result<(u16, &'static str, Vec<u8>), &'static str>>>,
        got: Mutex<Vec<usize>>,
    }

    #[async_trait]
    impl Egress for Collector {
        async fn send(&self, outbound: Outbound) -> Sent {
            let request = ExportTraceServiceRequest::decode(outbound.body).unwrap();
            let spans = request.resource_spans.iter().flat_map(|r| &r.scope_spans).map(|s| s.spans.len()).sum();
            let answer = self.answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            self.got.lock().unwrap_or_else(PoisonError::into_inner).push(spans);
            let result = match answer.unwrap_or(Ok((200, "", Vec::new()))) {
                Ok((status, retry_after, body)) => {
                    let mut headers = HeaderMap::new();
                    if !retry_after.is_empty() {
                        headers.insert(RETRY_AFTER, HeaderValue::from_static(retry_after));
                    }
                    Ok(Answered { status: StatusCode::from_u16(status).unwrap(), headers, excerpt: body.into() })
                }
                Err(error) => Err(Failure { class: ErrorClass::Connect, error: error.to_owned(), status: None }),
            };
            Sent { result, phases: Phases::default(), duration: Duration::ZERO }
        }
    }

    struct Scene {
        collector: Arc<Collector>,
        clock: ManualClock,
        metrics: Arc<Metrics>,
        tracer: Tracer,
        exporting: Option<Exporting>,
    }

    impl Scene {
        fn new(answers: impl IntoIterator<Item = Result<(u16, &'static str, Vec<u8>), &'static str>>) -> Self {
            let settings = Telemetry {
                endpoint: Some("http://collector/v1/traces".parse().unwrap()),
                batch_max: 2,
                ..Telemetry::default()
            };
            let collector =
                Arc::new(Collector { answers: Mutex::new(answers.into_iter().collect()), ..Collector::default() });
            let (clock, metrics) = (ManualClock::at(NOW), Arc::new(Metrics::new(1, NOW, Arc::default())));
            let (egress, time) = (collector.clone(), Arc::new(clock.clone()));
            let (tracer, exporting) = start(&settings, egress, time, Arc::new(SeededEntropy::new(1)), metrics.clone());
            Scene { collector, clock, metrics, tracer, exporting }
        }

        fn spans(&self, count: usize) {
            for _ in 0..count {
                self.tracer.begin("x", Kind::Internal, || None, NOW).unwrap().end(NOW);
            }
        }

        fn got(&self) -> Vec<usize> {
            self.collector.got.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }

        /// Waits until so many requests were made.
        async fn requests(&self, count: usize) -> Vec<usize> {
            while self.got().len() < count {
                tokio::task::yield_now().await;
            }
            self.got()
        }

        async fn asleep_until(&self, s: u64) {
            while self.clock.next_wake() != Some(NOW.plus(Duration::from_secs(s))) {
                tokio::task::yield_now().await;
            }
        }

        async fn fates(self) -> Vec<String> {
            self.exporting.unwrap().stop().await;
            let shown = self.metrics.render(&Stats::default(), &[], self.clock.now());
            let mut fates: Vec<String> = shown
                .lines()
                .filter_map(|line| line.strip_prefix("hookhaven_trace_spans_total"))
                .map(Into::into)
                .collect();
            fates.sort();
            fates
        }
    }

    #[tokio::test]
    async fn a_batch_goes_when_it_is_full_or_old_enough() {
        let scene = Scene::new([]);
        scene.spans(5);
        assert_eq!(scene.requests(2).await, [2, 2]);
        scene.asleep_until(1).await;
        scene.clock.advance(Duration::from_secs(1));
        assert_eq!(scene.requests(3).await, [2, 2, 1]);
        assert_eq!(scene.fates().await, ["{fate=\"exported\"} 5"]);
    }

    #[tokio::test]
    async fn what_may_pass_is_tried_again_after_growing_waits_or_as_asked() {
        let scene = Scene::new([Err("refused"), Ok((503, "", vec![])), Ok((429, "20", vec![]))]);
        scene.spans(2);
        for (requests, wakes_s) in [(1, 1), (2, 3), (3, 23)] {
            scene.requests(requests).await;
            scene.asleep_until(wakes_s).await;
            scene.clock.advance(Duration::from_secs(wakes_s).saturating_sub(scene.clock.now().since(NOW)));
        }
        assert_eq!(scene.requests(4).await, [2, 2, 2, 2]);
        assert_eq!(scene.fates().await, ["{fate=\"exported\"} 2"]);
    }

    #[tokio::test]
    async fn after_the_last_try_it_is_lost_and_the_next_one_goes() {
        let scene = Scene::new((0..5).map(|_| Err("refused")));
        scene.spans(4);
        for wakes_s in [1, 3, 7, 15] {
            scene.asleep_until(wakes_s).await;
            scene.clock.advance(Duration::from_secs(wakes_s).saturating_sub(scene.clock.now().since(NOW)));
        }
        scene.requests(6).await;
        assert_eq!(scene.fates().await, ["{fate=\"exported\"} 2", "{fate=\"failed\"} 2"]);
    }

    #[tokio::test]
    async fn a_no_is_not_asked_again_and_a_part_that_was_refused_is_counted() {
        let partial = ExportTracePartialSuccess { rejected_spans: 1, error_message: "too old".into() };
        let partial = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
        let scene = Scene::new([Ok((400, "", vec![])), Ok((200, "", partial))]);
        scene.spans(4);
        assert_eq!(scene.requests(2).await, [2, 2]);
        assert_eq!(scene.fates().await, ["{fate=\"exported\"} 1", "{fate=\"refused\"} 3"]);
    }

    #[tokio::test]
    async fn a_stop_brings_out_what_waits_and_tries_each_once_more() {
        let scene = Scene::new([Err("refused"), Err("refused")]);
        scene.spans(3);
        scene.asleep_until(1).await;
        let fates = scene.fates().await;
        assert_eq!(fates, ["{fate=\"exported\"} 1", "{fate=\"failed\"} 2"]);
    }
}
