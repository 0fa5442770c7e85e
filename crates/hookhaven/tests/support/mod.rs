//! A gateway's near half for tests: sources, routes and a memory store behind a real socket, with a
//! clock that stands still. Not the worker.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use hookhaven::{
    config::{Config, Limits},
    egress::{Answered as Fetched, Egress, Outbound, Sent, To},
    ingest::{Ingest, IngestParts, IngestService, keys::SenderKeys, networks::Networks},
    metrics::Metrics,
    server::{Drained, Server, ServerLimits},
};
use hookhaven_core::{
    Destination, Policy, Secret, Time,
    destination::{BreakerPolicy, DestinationState},
    glob::Glob,
    retry::RetryPolicy,
    route::Route,
    sender::{Sender, Signed},
    senders::{SenderOptions, TABLE},
    source::Source,
};
use hookhaven_store::{
    Depth, EventFilter, EventRow, Page, Store,
    clock::{ManualClock, SeededEntropy},
    memory::MemoryStore,
};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{sync::oneshot, task::JoinHandle};

pub const NOW: Time = Time::from_s(1_790_000_000);
pub const NEVER: Duration = Duration::from_secs(3600);
pub const SOON: Duration = Duration::from_millis(50);
/// Not where the tests listen: signatures over URLs hold by configuration.
pub const PUBLIC: &str = "https://hooks.example.com/webhooks/twilio";

/// Sources of these names exist in every test, each of the sender of that name.
pub const SENDERS: [&str; 5] = ["stripe", "github", "slack", "twilio", "standard-webhooks"];

pub fn sender(name: &str) -> Arc<dyn Sender> {
    let def = TABLE.iter().find(|def| def.name == name).unwrap();
    def.build(&SenderOptions::default()).unwrap()
}

pub fn secret(sender: &str) -> Secret {
    let text = if sender == "standard-webhooks" {
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()
    } else {
        format!("whsec_of_{sender}")
    };
    Secret::new(text).unwrap()
}

pub fn source(name: &str, sender_name: &str) -> Source {
    Source {
        age_max: None,
        refuses_replay: false,
        splits: false,
        name: name.into(),
        sender: sender(sender_name),
        secrets: vec![secret(sender_name)],
        tolerance: Duration::from_secs(300),
        dedupe_window: Duration::from_secs(7 * 86_400),
        body_bytes_max: 64 << 10,
        public_url: (sender_name == "twilio").then(|| PUBLIC.into()),
        allow: Vec::new(),
        allow_published: false,
        client_names: Vec::new(),
        rate: None,
        reserved: false,
        verify_token: None,
        handover: None,
        answer: None,
    }
}

pub fn destination(name: &str, state: DestinationState) -> Destination {
    Destination {
        name: name.into(),
        url: "http://127.0.0.1:9/".parse().unwrap(),
        timeout: Duration::from_secs(10),
        concurrency: 4.try_into().unwrap(),
        rate: None,
        secrets: Vec::new(),
        breaker: BreakerPolicy::default(),
        state,
    }
}

pub fn route(source: &str, events: &str, to: &[&str]) -> Route {
    let policy = Policy {
        retry: RetryPolicy::default(),
        deadline: Duration::from_secs(30),
        max_age: Duration::from_secs(86_400),
        critical: false,
    };
    Route {
        answer_within: None,
        ordering: None,
        name: format!("{source}#1").into(),
        source: source.into(),
        events: vec![Glob::parse(events).unwrap()],
        when: None,
        to: to.iter().map(|name| Arc::from(*name)).collect(),
        policy: Arc::new(policy),
    }
}

/// The five sources, all routed to `billing`; nothing times out.
pub fn config() -> Config {
    let destinations = [
        destination("billing", DestinationState::Active),
        destination("archive", DestinationState::Active),
        destination("old", DestinationState::Disabled),
    ];
    Config {
        limits: Limits {
            header_timeout: NEVER,
            body_timeout: NEVER,
            idle_timeout: NEVER,
            drain_timeout: NEVER,
            ..Limits::default()
        },
        sources: SENDERS.iter().map(|name| (Arc::from(*name), Arc::new(source(name, name)))).collect(),
        destinations: destinations.into_iter().map(|d| (d.name.clone(), Arc::new(d))).collect(),
        routes: SENDERS.iter().map(|name| route(name, "*", &["billing"])).collect(),
        ..Config::default()
    }
}

/// What stands on the senders' own hosts: an answer for each address, 404 for any other.
#[derive(Debug, Default)]
pub struct Web {
    pub pages: Mutex<HashMap<String, (u16, Bytes)>>,
    pub asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Egress for Web {
    async fn send(&self, outbound: Outbound) -> Sent {
        let To::Sender(url) = outbound.to else { panic!("{outbound:?} is not for a sender") };
        let url = url.to_string();
        self.asked.lock().unwrap().push(url.clone());
        let (status, excerpt) = self.pages.lock().unwrap().get(&url).cloned().unwrap_or((404, Bytes::new()));
        let status = StatusCode::from_u16(status).unwrap();
        let result = Ok(Fetched { status, headers: HeaderMap::new(), excerpt });
        Sent { result, phases: Default::default(), duration: Duration::ZERO }
    }
}

pub struct Gateway {
    pub addr: SocketAddr,
    pub store: Arc<dyn Store>,
    pub clock: ManualClock,
    pub config: Arc<ArcSwap<Config>>,
    pub metrics: Arc<Metrics>,
    pub web: Arc<Web>,
    pub networks: Arc<Networks>,
    pub sender_keys: Arc<SenderKeys>,
    ingest: Arc<Ingest>,
    pub stop: oneshot::Sender<()>,
    pub ended: JoinHandle<Drained>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Gateway {
    pub fn start(config: Config) -> Self {
        let clock = ManualClock::at(NOW);
        let store = MemoryStore::new(Arc::new(clock.clone()), Arc::new(SeededEntropy::new(1)));
        Self::over(config, clock, Arc::new(store), None)
    }

    pub fn over(config: Config, clock: ManualClock, store: Arc<dyn Store>, beside: Option<axum::Router>) -> Self {
        let limits = ServerLimits::from(&config.limits);
        let metrics = Arc::new(Metrics::new(config.limits.metric_types_max, NOW, Arc::default()));
        let config = Arc::new(ArcSwap::from_pointee(config));
        let web = Arc::new(Web::default());
        let sender_keys = Arc::new(SenderKeys::new(web.clone(), Arc::new(clock.clone())));
        let networks = Arc::new(Networks::default());
        let ingest = Ingest::new(IngestParts {
            tracer: hookhaven::telemetry::Tracer::default(),
            store: store.clone(),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SeededEntropy::new(2)),
            config: config.clone(),
            metrics: metrics.clone(),
            budget: Arc::default(),
            sender_keys: sender_keys.clone(),
            asker: None,
            keeper: None,
            secrets: None,
            networks: networks.clone(),
        });
        let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let addr = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(server.run(ingest.service(beside), limits, async { drop(stopped.await) }));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Gateway { addr, store, clock, config, metrics, web, networks, sender_keys, ingest, stop, ended, client }
    }

    /// Its ingest address's handler, to be put behind another listener.
    pub fn service(&self) -> IngestService<axum::Router> {
        self.ingest.service(None)
    }

    /// Signs a sample of this id as the source's sender would.
    pub fn signed(&self, source: &str, event_type: &str, id: &str) -> Signed {
        let config = self.config.load();
        let source = &config.sources[source];
        let sample = source.sender.sample(event_type, id, NOW).unwrap();
        source.sender.sign(&sample, source.public_url.as_deref(), &source.secrets[0], NOW).unwrap()
    }

    pub async fn post(&self, source: &str, signed: &Signed) -> Answered {
        let path = format!("/webhooks/{source}{}", signed.query);
        let headers: Vec<_> = signed.headers.iter().map(|(n, v)| (&**n, &**v)).collect();
        self.send("POST", &path, &headers, signed.body.clone()).await
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answered {
        let mut request = http::Request::builder().method(method).uri(format!("http://{}{path}", self.addr));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.client.request(request.body(Full::from(body)).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        Answered { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    /// Newest first.
    pub async fn events(&self) -> Vec<EventRow> {
        self.store.events(&EventFilter::default(), Page::first(1_000)).await.unwrap()
    }

    pub async fn depths(&self) -> Vec<Depth> {
        self.store.stats().await.unwrap().depths
    }

    pub async fn exposition(&self) -> String {
        self.metrics.render(&self.store.stats().await.unwrap(), &[], NOW)
    }

    pub async fn stop(self) -> Drained {
        let _ = self.stop.send(());
        self.ended.await.unwrap()
    }
}

#[derive(Debug)]
pub struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answered {
    /// Status, body and headers but the date: what a sender can tell apart.
    pub fn visible(&self) -> (StatusCode, Bytes, Vec<(String, String)>) {
        let headers = self.headers.iter().filter(|(name, _)| *name != "date");
        let headers = headers.map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect();
        (self.status, self.body.clone(), headers)
    }
}
