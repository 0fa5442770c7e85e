//! A gateway's state for tests: a memory store on a clock that stands still, a config with two
//! sources, and the router over them.

mod config;
mod signals;
mod trials;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use axum::{Router, body::Body};
use bytes::Bytes;
use hookhaven_core::{
    Attempt, AttemptId, DeliveryId, EndReason, ErrorClass, Event, EventId, Lane, Phases, Secret, Time, route,
    sender::{CannotSign, Facts, Keys, Proof, Rejection, Request, Sample, Sender, Signed},
};
use hookhaven_store::{
    LaneRoom, Leased, NewDelivery, NewEvent, Next, Settlement, Store,
    clock::{Entropy, ManualClock, SeededEntropy},
    memory::MemoryStore,
    quarantine::MemoryQuarantine,
};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub(crate) use self::{
    config::{config, route},
    signals::TestSignals,
    trials::Scripted,
};
use super::{ApiParts, router, tests::document};
use crate::{
    access::{self, Access},
    app::{self, KeyRing},
    config::Config,
    jobs::{Jobs, JobsParts},
    publish::{book::Book, manage::Manager},
    quarantine::Rejections,
    trials::Trials,
};

pub(crate) const TOKEN: &str = "t0ken";
pub(crate) const START: Time = Time::from_s(1_790_000_000);

/// Signs with nothing but a header that says so.
#[derive(Debug)]
pub(crate) struct TestSender;

impl Sender for TestSender {
    fn name(&self) -> &'static str {
        "test-sender"
    }

    fn verify(&self, _: &Request<'_>, _: &Keys<'_>) -> Result<Proof, Rejection> {
        Ok(Proof { secret: Some(0) })
    }

    fn facts(&self, request: &Request<'_>) -> Facts {
        let body: serde_json::Value = serde_json::from_slice(request.body).unwrap_or_default();
        Facts { idempotency_key: body["id"].as_str().map(str::to_owned), ..Facts::default() }
    }

    fn sample(&self, event_type: &str, id: &str, _: Time) -> Result<Sample, CannotSign> {
        let body = format!("{{\"id\":{id:?},\"type\":{event_type:?}}}").into_bytes();
        Ok(Sample { id: id.into(), event_type: event_type.into(), body })
    }

    fn sign(&self, sample: &Sample, _: Option<&str>, secret: &Secret, _: Time) -> Result<Signed, CannotSign> {
        let seal = format!("{}:{}", String::from_utf8_lossy(secret.expose()), sample.body.len());
        let headers = vec![("x-seal".into(), seal), ("content-type".into(), "application/json".into())];
        Ok(Signed { headers, query: String::new(), body: sample.body.clone() })
    }
}

pub(crate) struct Scene {
    pub quarantine: Arc<MemoryQuarantine>,
    pub clock: ManualClock,
    pub entropy: Arc<dyn Entropy>,
    pub store: Arc<MemoryStore>,
    pub config: Arc<ArcSwap<Config>>,
    pub signals: Arc<TestSignals>,
    /// What publishers made.
    pub book: Arc<Book>,
    pub router: Router,
    /// Ends what runs jobs.
    pub stop_jobs: CancellationToken,
    /// What tries things out, if a test brings it.
    pub trials: Option<Arc<dyn Trials>>,
}

/// An answer of the router.
pub(crate) struct Got {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.body))
    }

    pub fn code(&self) -> String {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        problem["code"].as_str().unwrap().to_owned()
    }

    /// The ids of a list.
    pub fn ids(&self) -> Vec<String> {
        let page = self.json();
        page["items"].as_array().unwrap().iter().map(|i| i["id"].as_str().unwrap().to_owned()).collect()
    }
}

impl Scene {
    pub fn new() -> Self {
        let clock = ManualClock::at(START);
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(7));
        let store = Arc::new(MemoryStore::new(Arc::new(clock.clone()), entropy.clone()));
        let config = Arc::new(ArcSwap::from_pointee(config()));
        let signals = Arc::new(TestSignals::default());
        let (quarantine, book) = (Arc::default(), Arc::default());
        let (router, stop_jobs, trials) = (Router::new(), CancellationToken::new(), None);
        let store_here = store.clone();
        let mut scene =
            Scene { quarantine, clock, entropy, store: store_here, config, signals, book, router, stop_jobs, trials };
        scene.router = scene.router_over(store);
        scene
    }

    fn rejections(&self, store: Arc<dyn Store>) -> Arc<dyn Rejections> {
        let (clock, entropy) = (Arc::new(self.clock.clone()), self.entropy.clone());
        app::rejections(store, self.quarantine.clone(), self.config.clone(), clock, entropy).unwrap()
    }

    /// Bulk work over a store, run until the scene or the test ends.
    fn jobs(&self, store: Arc<dyn Store>) -> Arc<Jobs> {
        let jobs = self.node(store, "here");
        // Without a runtime nothing runs.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(jobs.clone().run(self.stop_jobs.clone()));
        }
        jobs
    }

    /// What runs jobs on a node of this name.
    pub fn node(&self, store: Arc<dyn Store>, node: &str) -> Arc<Jobs> {
        Arc::new(Jobs::new(JobsParts {
            store,
            clock: Arc::new(self.clock.clone()),
            entropy: self.entropy.clone(),
            config: self.config.clone(),
            node: node.into(),
            runs: true,
        }))
    }

    pub fn access(&self, store: Arc<dyn Store>) -> Arc<Access> {
        let token = Secret::new(TOKEN).unwrap();
        let (clock, entropy) = (Arc::new(self.clock.clone()), self.entropy.clone());
        Arc::new(Access::new(&token, access::ADMIN_TOKEN, store, clock, entropy))
    }

    /// The same API over another store.
    pub fn router_over(&self, store: Arc<dyn Store>) -> Router {
        router(self.parts_over(store.clone(), self.jobs(store)))
    }

    /// What the API here is made of, for who puts more before it. Jobs are run by the scene's own.
    pub fn parts(&self) -> ApiParts {
        let store = self.store.clone();
        self.parts_over(store.clone(), self.node(store, "here"))
    }

    fn parts_over(&self, store: Arc<dyn Store>, jobs: Arc<Jobs>) -> ApiParts {
        let keys = KeyRing::new(store.clone(), self.config.clone(), self.entropy.clone(), None);
        ApiParts {
            store: store.clone(),
            keys: Arc::new(keys),
            publications: Arc::new(Manager::running(
                store.clone(),
                Arc::new(self.clock.clone()),
                self.book.clone(),
                None,
            )),
            clock: Arc::new(self.clock.clone()),
            entropy: self.entropy.clone(),
            config: self.config.clone(),
            access: self.access(store.clone()),
            bound: "10.1.2.3:8081".parse().unwrap(),
            signals: self.signals.clone(),
            quarantine: self.quarantine.clone(),
            rejections: self.rejections(store),
            jobs,
            secrets: None,
            alerts: None,
            trials: self.trials.clone(),
        }
    }

    /// Accepts an event as ingest would, a millisecond after the one before.
    pub async fn accept(&self, source: &str, event_type: &str, body: &[u8]) -> EventId {
        self.clock.advance(Duration::from_millis(1));
        let now = hookhaven_store::clock::Clock::now(&self.clock);
        let event = Event {
            digest: None,
            part: None,
            id: EventId::mint(now, self.entropy.id_bytes()),
            source: source.into(),
            event_type: event_type.into(),
            idempotency_key: format!("key-{}", now.as_us()).into(),
            received_at: now,
            occurred_at: Some(now.minus(Duration::from_secs(3))),
            correlation_id: "corr-1".into(),
            matched_secret: Some(0),
            remote: "192.0.2.7".into(),
            headers: vec![
                ("content-type".into(), Bytes::from("application/json")),
                ("authorization".into(), Bytes::from("Basic hunter2")),
            ],
            body: Bytes::copy_from_slice(body),
        };
        let id = event.id;
        let config = self.config.load();
        let deliveries = route::matches(&config.routes, &event)
            .into_iter()
            .map(|m| NewDelivery {
                order: None,
                id: DeliveryId::mint(now, self.entropy.id_bytes()),
                destination: m.destination.clone(),
                lane: Lane::of_destination(m.destination),
                route: m.route.name.clone(),
                policy: m.route.policy.clone(),
                due_at: now,
            })
            .collect();
        let key_until = now.plus(Duration::from_secs(3_600));
        self.store
            .accept(vec![NewEvent { refuses_replay: false, revives: true, event, key_until, deliveries }])
            .await
            .unwrap();
        id
    }

    /// Attempts everything that is due at a destination once, with this end.
    pub async fn settle(&self, destination: &str, class: ErrorClass, status: Option<u16>, next: Next) -> usize {
        self.settle_saying(b"down for \xff\x1b[2J repairs", destination, class, status, next).await
    }

    /// Everything due at a destination becomes a dead letter of the class `http_5xx` that was answered so.
    pub async fn kill_saying(&self, answer: &'static str, destination: &str) -> usize {
        let next = Next::Dead(EndReason::Exhausted);
        self.settle_saying(answer.as_bytes(), destination, ErrorClass::Http5xx, Some(503), next).await
    }

    async fn settle_saying(
        &self,
        answer: &'static [u8],
        destination: &str,
        class: ErrorClass,
        status: Option<u16>,
        next: Next,
    ) -> usize {
        let session = self.store.open_session(Duration::from_secs(3_600)).await.unwrap();
        let lanes = [LaneRoom { lane: Lane::of_destination(destination), room: 10_000, limit: None }];
        let leased = self.store.claim(session, &lanes, 10_000).await.unwrap();
        let now = hookhaven_store::clock::Clock::now(&self.clock);
        let attempt = |l: &Leased| Attempt {
            id: AttemptId::mint(now, self.entropy.id_bytes()),
            delivery: l.delivery.id,
            number: l.attempt_number,
            started_at: now,
            duration_us: 12_345,
            phases: Phases::default(),
            status,
            class,
            error: if class == ErrorClass::Ok { "".into() } else { "it said \u{1b}[31mno".into() },
            response_headers: vec![("set-cookie".into(), Bytes::from("session=hunter2"))],
            response_excerpt: Bytes::from_static(answer),
            next_attempt_at: match next {
                Next::Retry { due_at } => Some(due_at),
                _ => None,
            },
        };
        let settlements: Vec<_> = leased
            .iter()
            .map(|l| Settlement {
                follows: vec![],
                delivery: l.delivery.id,
                fence: l.fence,
                attempt: Some(attempt(l)),
                next,
            })
            .collect();
        let n = settlements.len();
        self.store.settle(session, settlements).await.unwrap();
        self.store.close_session(session).await.unwrap();
        n
    }

    /// Everything due at a destination becomes a dead letter of the class `http_5xx`.
    pub async fn kill(&self, destination: &str) -> usize {
        self.settle(destination, ErrorClass::Http5xx, Some(503), Next::Dead(EndReason::Exhausted)).await
    }

    pub async fn get(&self, path: &str) -> Got {
        self.send("GET", path, &[], Body::empty()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Got {
        let headers = [("content-type", "application/json")];
        self.send("POST", path, &headers, Body::from(body.to_string())).await
    }

    /// With the token and the name `localhost`, unless headers say otherwise. `-name` leaves one out.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Body) -> Got {
        let mut request = http::Request::builder().method(method).uri(path);
        let token = format!("Bearer {TOKEN}");
        for (name, value) in [("host", "localhost:8081"), ("authorization", &token)] {
            if !headers.iter().any(|(n, _)| n.trim_start_matches('-') == name) {
                request = request.header(name, value);
            }
        }
        for (name, value) in headers.iter().filter(|(n, _)| !n.starts_with('-')) {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        // A stream has no end to wait for.
        let endless = head.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        let body = if endless { Body::empty() } else { body };
        let body = body.collect().await.unwrap().to_bytes();
        let got = Got { status: head.status, headers: head.headers, body };
        document::hold_against(method, path, &got);
        got
    }
}
