//! What becomes of spans when the collector answers as it should, and when it does not.

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

/// Status, `Retry-After` and body; or why nobody answered.
type Answer = Result<(u16, &'static str, Vec<u8>), &'static str>;

/// Answers as it was told, then with 200; remembers how many spans each request held.
#[derive(Debug, Default)]
struct Collector {
    answers: Mutex<VecDeque<Answer>>,
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
    fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
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
        let mut fates: Vec<String> =
            shown.lines().filter_map(|line| line.strip_prefix("hookhaven_trace_spans_total")).map(Into::into).collect();
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
