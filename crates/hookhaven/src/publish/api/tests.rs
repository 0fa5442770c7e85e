//! Calls against a store in memory, as each client makes them, and what they answer.

mod lists;
mod making;
mod publishing;

use hookhaven_core::{Attempt, AttemptId, EndReason, ErrorClass, Phases, Secret};
use hookhaven_store::{
    LaneRoom, Leased, Next, Settled, Settlement,
    clock::{ManualClock, SeededEntropy},
};
use http_body_util::BodyExt;
use serde_json::Value;

use super::*;
use crate::{
    config::SigningKeys,
    publish::testing::{NOW, store_on},
};

/// The API, with a clock to move and a store to look into.
struct Api {
    service: PublishService,
    clock: ManualClock,
}

struct Answered {
    status: u16,
    headers: http::HeaderMap,
    text: String,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {:?}", self.text))
    }

    fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

impl Api {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let clock = ManualClock::at(NOW);
        let mut config = Config::default();
        config.publish.tokens = Secret::new("full").into_iter().collect();
        config.publish.read_tokens = Secret::new("read").into_iter().collect();
        change(&mut config);
        let config = Arc::new(ArcSwap::from_pointee(config));
        let key = |text: &str| Secret::new(text).unwrap();
        let keys = SigningKeys { current: key("sig_current"), next: key("sig_next") };
        let service = PublishService::new(PublishParts {
            tracer: crate::telemetry::Tracer::default(),
            store: Arc::new(store_on(&clock)),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SeededEntropy::new(3)),
            config: config.clone(),
            metrics: Arc::new(Metrics::new(10, NOW, Arc::default())),
            budget: Arc::default(),
            book: Arc::default(),
            keys: Arc::new(Keys::new(config, keys)),
            failures: Arc::default(),
            tokens: Arc::default(),
            audit: None,
            traffic: None,
        });
        Api { service, clock }
    }

    fn store(&self) -> &dyn Store {
        &*self.service.0.store
    }

    async fn call(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answered {
        let mut request = Request::builder().method(method).uri(target);
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.header("authorization", "Bearer full");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
        let peer = Peer(std::net::SocketAddr::from(([203, 0, 113, 9], 4_000)));
        let (head, body) = self.service.call(request, peer).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answered { status: head.status.as_u16(), headers: head.headers, text }
    }

    async fn get(&self, target: &str) -> Answered {
        self.call("GET", target, &[], "").await
    }

    /// Publishes, and answers the message's id.
    async fn publish(&self, target: &str, headers: &[(&str, &str)]) -> String {
        let answered = self.call("POST", target, headers, "hello").await;
        assert_eq!(answered.status, 200, "{}", answered.text);
        answered.json()["messageId"].as_str().unwrap().to_owned()
    }

    /// Claims everything that is due.
    async fn claim(&self) -> (hookhaven_store::SessionId, Vec<Leased>) {
        let session = self.store().open_session(Duration::from_secs(60)).await.unwrap();
        let due = self.store().due(&[], 1_000).await.unwrap();
        let room = |lane: &hookhaven_store::LaneDue| LaneRoom { lane: lane.lane.clone(), room: 1_000, limit: None };
        let rooms: Vec<_> = due.lanes.iter().map(room).collect();
        (session, self.store().claim(session, &rooms, 1_000).await.unwrap())
    }

    /// Attempts everything that is due: a success, or a failure for good.
    async fn attempt_all(&self, succeeds: bool) -> usize {
        let (session, leased) = self.claim().await;
        let settlements: Vec<_> = leased.iter().map(|leased| settlement(self, leased, succeeds)).collect();
        let count = settlements.len();
        let settled = self.store().settle(session, settlements).await.unwrap();
        assert!(settled.iter().all(|settled| *settled == Settled::Done));
        count
    }
}

#[tokio::test]
async fn who_guesses_tokens_is_told_to_wait_and_a_right_one_is_let_in() {
    let api = Api::new();
    let guess = |at: u32| (at, format!("Bearer guess{at}"));
    for (at, authorization) in (0..12).map(guess) {
        let answered = api.call("GET", "/v2/queues", &[("authorization", &authorization)], "").await;
        assert_eq!(answered.status, if at < 10 { 401 } else { 429 }, "{at}: {}", answered.text);
    }
    assert_eq!(api.get("/v2/queues").await.status, 200);
}

fn settlement(api: &Api, leased: &Leased, succeeds: bool) -> Settlement {
    let attempt = Attempt {
        id: AttemptId::mint(api.clock.now(), [leased.attempt_number as u8; 10]),
        delivery: leased.delivery.id,
        number: leased.attempt_number,
        started_at: api.clock.now(),
        duration_us: 1_000,
        phases: Phases::default(),
        status: Some(if succeeds { 200 } else { 500 }),
        class: if succeeds { ErrorClass::Ok } else { ErrorClass::Http5xx },
        error: if succeeds { "".into() } else { "answered 500".into() },
        response_headers: vec![("x-reply".into(), Bytes::from_static(b"r"))],
        response_excerpt: Bytes::from_static(b"oops"),
        next_attempt_at: None,
    };
    let next = if succeeds { Next::Delivered } else { Next::Dead(EndReason::Exhausted) };
    Settlement { delivery: leased.delivery.id, fence: leased.fence, attempt: Some(attempt), next, follows: Vec::new() }
}
