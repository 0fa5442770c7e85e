//! Ingest in trouble: a store that fails or panics, hostile bytes, and what the log says of it all.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod support;

use std::{path::Path, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use hookhaven::{
    ingest::{Ingest, IngestParts, keys::SenderKeys},
    metrics::Metrics,
    server::Peer,
};
use hookhaven_core::{Attempt, DeliveryId, Event, EventId, Lane};
use hookhaven_store::{
    Accepted, AttemptAt, AttemptRow, BackupProgress, Cancelled, CatalogEntry, DeadLetter, DeliveryFilter, DeliveryRow,
    Dismissed, Due, EventFilter, EventRow, LaneRoom, LaneSize, Leased, Leave, Looked, Needle, NewDelivery, NewEvent,
    NodeReport, NodeRow, OnBackup, Page, Redelivered, Redelivery, Renewed, ReplayAs, Replayed, Retained, Retention,
    Routed, Searched, SessionId, Settled, Settlement, Stats, Step, StepFilter, Store, StoreError,
    clock::{Entropy, ManualClock, SeededEntropy},
};
use http_body_util::Full;
use support::{Gateway, NOW, SOON, config};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    time::Instant,
};

/// Ready, and then not able after all; `None` never answers.
#[derive(Debug)]
struct Failing(Option<Accept>);

type Accept = fn() -> Result<Vec<Accepted>, StoreError>;

#[async_trait]
impl Store for Failing {
    fn ready(&self, _: Leave) -> Result<(), StoreError> {
        Ok(())
    }
    async fn accept(&self, _: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        match self.0 {
            Some(answer) => answer(),
            None => std::future::pending().await,
        }
    }
    async fn stats(&self) -> Result<Stats, StoreError> {
        Ok(Stats::default())
    }
    fn wake(&self) -> Arc<Notify> {
        Arc::default()
    }
    async fn close(&self) {}
    async fn accept_together(&self, _: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        unreachable!()
    }
    async fn claim_one(&self, _: SessionId, _: DeliveryId, _: Option<usize>) -> Result<Option<Leased>, StoreError> {
        unreachable!()
    }
    async fn in_line(&self, _: &[DeliveryId]) -> Result<Vec<Option<hookhaven_store::InLine>>, StoreError> {
        unreachable!()
    }
    async fn retain(&self, _: Retention) -> Result<Retained, StoreError> {
        unreachable!()
    }
    async fn backup(&self, _: &Path, _: OnBackup) -> Result<BackupProgress, StoreError> {
        unreachable!()
    }

    // Ingest has no business with the rest.
    async fn report_node(&self, _: NodeReport) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        unreachable!()
    }
    async fn forget_node(&self, _: &str) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn open_session(&self, _: Duration) -> Result<SessionId, StoreError> {
        unreachable!()
    }
    async fn renew_session(&self, _: SessionId) -> Result<Renewed, StoreError> {
        unreachable!()
    }
    async fn close_session(&self, _: SessionId) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn due(&self, _: &[Lane], _: usize) -> Result<Due, StoreError> {
        unreachable!()
    }
    async fn claim(&self, _: SessionId, _: &[LaneRoom], _: usize) -> Result<Vec<Leased>, StoreError> {
        unreachable!()
    }
    async fn settle(&self, _: SessionId, _: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        unreachable!()
    }
    async fn release_lapsed(&self) -> Result<usize, StoreError> {
        unreachable!()
    }
    async fn expire(&self, _: &[Lane]) -> Result<usize, StoreError> {
        unreachable!()
    }
    async fn replay(&self, _: &[DeliveryId]) -> Result<Vec<Replayed>, StoreError> {
        unreachable!()
    }
    async fn replay_as(&self, _: &[ReplayAs]) -> Result<Vec<Replayed>, StoreError> {
        unreachable!()
    }
    async fn redeliver(&self, _: Vec<Redelivery>) -> Result<Vec<Redelivered>, StoreError> {
        unreachable!()
    }
    async fn route(&self, _: EventId, _: Vec<NewDelivery>) -> Result<Routed, StoreError> {
        unreachable!()
    }
    async fn dismiss(&self, _: &[DeliveryId]) -> Result<Vec<Dismissed>, StoreError> {
        unreachable!()
    }
    async fn cancel(&self, _: &[DeliveryId]) -> Result<Vec<Cancelled>, StoreError> {
        unreachable!()
    }
    async fn attempts_after(&self, _: AttemptAt, _: usize) -> Result<Vec<AttemptRow>, StoreError> {
        unreachable!()
    }
    async fn steps(&self, _: &StepFilter, _: Page<u64>) -> Result<Vec<Step>, StoreError> {
        unreachable!()
    }
    async fn lane_sizes(&self, _: &[Lane]) -> Result<Vec<LaneSize>, StoreError> {
        unreachable!()
    }
    async fn put_catalog(&self, _: CatalogEntry) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn add_catalog(&self, _: CatalogEntry) -> Result<CatalogEntry, StoreError> {
        unreachable!()
    }
    async fn delete_catalog(&self, _: &str, _: &str) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn catalog(&self, _: &str) -> Result<Vec<CatalogEntry>, StoreError> {
        unreachable!()
    }
    async fn look_events(&self, _: &EventFilter, _: Page<EventId>) -> Result<Looked<EventRow, EventId>, StoreError> {
        unreachable!()
    }
    async fn search(&self, _: &Needle, _: &EventFilter, _: Option<EventId>) -> Result<Searched, StoreError> {
        unreachable!()
    }
    async fn event(&self, _: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        unreachable!()
    }
    async fn look_deliveries(
        &self,
        _: &DeliveryFilter,
        _: Page<DeliveryId>,
    ) -> Result<Looked<DeliveryRow, DeliveryId>, StoreError> {
        unreachable!()
    }
    async fn newest_dead_letters(&self, _: usize) -> Result<Vec<DeadLetter>, StoreError> {
        unreachable!()
    }
    async fn delivery(&self, _: DeliveryId) -> Result<Option<DeliveryRow>, StoreError> {
        unreachable!()
    }
    async fn attempts(&self, _: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        unreachable!()
    }
}

fn over(accept: Accept) -> Gateway {
    Gateway::over(config(), ManualClock::at(NOW), Arc::new(Failing(Some(accept))), None)
}

#[tokio::test]
async fn whatever_the_store_s_trouble_the_sender_is_asked_to_come_again() {
    for accept in [
        (|| Err(StoreError::Unavailable("disk".into()))) as Accept,
        || Err(StoreError::Full { limit: "store.pending_max", value: 1 }),
        || Err(StoreError::Failed("disk".into())),
        || Ok(Vec::new()),
    ] {
        let gateway = over(accept);
        let answer = gateway.post("stripe", &gateway.signed("stripe", "a", "evt_1")).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (503, 0));
        assert_eq!(answer.headers["retry-after"], "5");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_a_503_before_the_sender_gives_up() {
    let clock = Arc::new(ManualClock::at(NOW));
    let ingest = Ingest::new(IngestParts {
        tracer: hookhaven::telemetry::Tracer::default(),
        store: Arc::new(Failing(None)),
        clock: clock.clone(),
        entropy: Arc::new(SeededEntropy::new(1)),
        config: Arc::new(ArcSwap::from_pointee(config())),
        metrics: Arc::new(Metrics::new(1, NOW, Arc::default())),
        budget: Arc::default(),
        sender_keys: Arc::new(SenderKeys::new(Arc::new(support::Web::default()), clock)),
        asker: None,
        keeper: None,
        secrets: None,
        networks: Arc::default(),
    });
    let sender = support::sender("github");
    let sample = sender.sample("push", "1", NOW).unwrap();
    let signed = sender.sign(&sample, None, &support::secret("github"), NOW).unwrap();
    let mut request = http::Request::post("/webhooks/github");
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(Bytes::from(signed.body))).unwrap();
    let before = Instant::now();
    let answer = ingest.receive("github", request, Peer(([127, 0, 0, 1], 1).into())).await;
    assert_eq!(answer.status(), 503);
    assert!(before.elapsed() <= Duration::from_secs(20), "senders wait hardly longer");
}

#[tokio::test]
async fn a_panic_is_an_answer_too() {
    let gateway = over(|| panic!("on purpose"));
    let answer = gateway.post("stripe", &gateway.signed("stripe", "a", "evt_1")).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (500, 0));
}

/// Bytes that a peer with bad intentions or a broken program might send; the same in each run.
fn hostile(n: u64) -> Vec<u8> {
    let random = SeededEntropy::new(n);
    let mut noise = vec![0; 1 + (n as usize * 37) % 3_000];
    random.fill(&mut noise);
    let head: &[u8] = match n % 8 {
        0 => b"",
        1 => b"POST /webhooks/stripe HTTP/1.1\r\nhost: a\r\ncontent-length: 18446744073709551616\r\n\r\n",
        2 => b"POST /webhooks/stripe HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        3 => b"POST /webhooks/stripe HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        4 => b"POST /webhooks/stripe HTTP/1.1\r\nhost: a\r\ncontent-length: 400\r\nstripe-signature: t=,v1=,,=\r\n\r\n",
        5 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        6 => b"BREW /webhooks/../../etc/passwd HTTP/1.1\r\nhost: a\r\nx:",
        _ => b"POST /webhooks/stripe HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, gzip\r\ncontent-length: 3\r\n\r\n",
    };
    [head, &noise].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_bytes_store_nothing_and_stop_nothing() {
    let mut config = config();
    (config.limits.header_timeout, config.limits.body_timeout) = (SOON, SOON);
    let gateway = Gateway::start(config);
    for batch in 0..16 {
        let attacks = (0..32).map(|n| {
            let (addr, bytes) = (gateway.addr, hostile(batch * 32 + n));
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(addr).await.unwrap();
                let _ = stream.write_all(&bytes).await;
                let mut answer = Vec::new();
                let _ = stream.read_to_end(&mut answer).await;
                let answer = String::from_utf8_lossy(&answer).into_owned();
                assert!(!answer.contains("HTTP/1.1 2") && !answer.contains("HTTP/1.1 5"), "{answer}");
            })
        });
        for attack in futures_util::future::join_all(attacks).await {
            attack.unwrap();
        }
    }
    assert!(gateway.events().await.is_empty());
    let answer = gateway.post("stripe", &gateway.signed("stripe", "a", "evt_1")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(gateway.stop().await.cut, 0);
}
