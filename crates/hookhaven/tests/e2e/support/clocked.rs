//! A gateway in the test's own process: real store, real sockets, but a clock that stands still until the
//! test moves it, so that minutes of retries take no time and fall on exact moments.

use std::{
    path::PathBuf,
    process::{Output, Stdio},
    sync::Arc,
    time::Duration,
};

use hookhaven::{
    api::{
        DestinationView,
        view::{DeliveryDetail, DeliveryView, EventView, Listing},
    },
    app::{Gateway, Outside},
    config::{self, Environment, Origin},
    egress::Egress,
};
use hookhaven_core::{DeliveryId, Time};
use hookhaven_load::{
    client::{Answer, Connection},
    event::Events,
    gateway::{Admin, poll},
};
use hookhaven_store::{
    Store,
    clock::{Clock, ManualClock, SeededEntropy},
};
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::process::Command;

use super::{PATIENCE, soon};

pub const START: Time = Time::from_s(1_790_000_000);
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The shortest time there is.
const TICK: Duration = Duration::from_micros(1);

pub struct Clocked {
    pub clock: ManualClock,
    pub directory: TempDir,
    gateway: Option<Gateway>,
    starts: u64,
    /// Instead of the real way out.
    pub egress: Option<Arc<dyn Egress>>,
}

impl Clocked {
    /// `config` is what stands after `[server]` and `[store]`. The store is the embedded one.
    pub async fn start(config: &str) -> Self {
        let mut clocked = Self::prepare("", config);
        clocked.serve().await;
        clocked
    }

    /// Not started yet; `store` are further lines of the section `[store]`.
    pub fn prepare(store: &str, config: &str) -> Self {
        let directory = TempDir::new().expect("a directory for the test");
        let data = directory.path().join("data");
        let text = format!(
            "[server]\ningest = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\n\
             [store]\nurl = \"file:{}\"\n{store}\n\n{config}",
            data.display()
        );
        std::fs::write(directory.path().join("hookhaven.toml"), text).expect("the config file can be written");
        Clocked { clock: ManualClock::at(START), directory, gateway: None, starts: 0, egress: None }
    }

    pub async fn serve(&mut self) {
        let (loaded, outside) = self.parts();
        self.gateway = Some(Gateway::start(loaded, outside).await.expect("the gateway starts"));
    }

    /// Starts it on a store of the test's own.
    pub async fn serve_on(&mut self, store: Arc<dyn Store>) {
        std::fs::create_dir_all(self.directory.path().join("data")).expect("a place for the admin token");
        let (loaded, outside) = self.parts();
        self.gateway = Some(Gateway::start_on(loaded, outside, store).await.expect("the gateway starts"));
    }

    fn parts(&mut self) -> (config::Loaded, Outside) {
        self.starts += 1;
        let environment = Environment::default();
        let origin = Origin { file: Some(self.directory.path().join("hookhaven.toml")), ..Default::default() };
        let outside = Outside {
            environment: environment.clone(),
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(SeededEntropy::new(self.starts)),
            egress: self.egress.clone(),
            log_lines_dropped: Arc::default(),
        };
        (config::load(origin, &environment).unwrap_or_else(|refused| panic!("{refused}")), outside)
    }

    pub async fn restart(&mut self) {
        self.stop().await;
        self.serve().await;
    }

    pub async fn stop(&mut self) {
        soon("the end", self.gateway.take().expect("it runs").stop()).await;
    }

    pub fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().expect("it runs")
    }

    pub fn now(&self) -> Time {
        self.clock.now()
    }

    pub fn advance_to(&self, at: Time) {
        self.clock.advance(at.since(self.now()));
    }

    /// Moves to the last moment before `at`, and waits until nobody has anything to do before `at`.
    pub async fn rest_until(&self, at: Time) {
        self.clock.advance(at.since(self.now()).saturating_sub(TICK));
        let idle = poll(PATIENCE, async || (self.clock.next_wake() == Some(at)).then_some(()));
        idle.await.unwrap_or_else(|| panic!("nobody sleeps until {at}, but until {:?}", self.clock.next_wake()));
    }

    /// Waits until it can make attempts.
    pub async fn until_ready(&self) {
        let ready = poll(PATIENCE, async || {
            let answer = self.admin().send("GET", "/readyz", b"").await.ok()?;
            (answer.status == 200).then_some(())
        });
        ready.await.expect("it is ready");
    }

    /// Posts this event to a source with Stripe's scheme, signed now. The same number is the same event.
    pub async fn post(&self, source: &str, number: u64) -> Answer {
        self.exchange(&self.request(source, number)).await
    }

    /// An event that is taken.
    pub async fn accept(&self, source: &str, number: u64) {
        assert_eq!(self.post(source, number).await.status, 200);
    }

    pub fn request(&self, source: &str, number: u64) -> Vec<u8> {
        let events = Events { run: "t".into(), secret: SECRET.into(), body_bytes: 400 };
        let intended_us = START.as_us().unsigned_abs();
        let at_s = self.now().as_s().unsigned_abs();
        events.request("hooks.example.test", &format!("/webhooks/{source}"), number, intended_us, at_s)
    }

    pub async fn exchange(&self, request: &[u8]) -> Answer {
        let address = self.gateway().ingest_addr.expect("it takes requests in");
        let exchange = async { Connection::open(address).await?.exchange(request).await };
        soon("an answer", exchange).await.expect("an answer that can be read")
    }

    pub fn admin(&self) -> Admin {
        let gateway = self.gateway();
        let token = String::from_utf8_lossy(gateway.admin_token.expose()).into_owned();
        Admin { address: gateway.admin_addr, token }
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let answer = self.admin().get(path).await.unwrap_or_else(|error| panic!("{error:#}"));
        serde_json::from_value(answer).expect("the API's own types")
    }

    /// In no order: on a clock that stands still, all are of the same age.
    pub async fn deliveries(&self) -> Vec<DeliveryView> {
        self.get::<Listing<DeliveryView>>("/api/v1/deliveries?limit=500").await.items
    }

    /// What event `number` made when it came, to its one destination.
    pub async fn delivery_of(&self, number: u64) -> DeliveryId {
        let key = format!("evt_t{number:012}");
        let events = self.events().await;
        let event = events.iter().find(|event| event.idempotency_key == key).expect("the event was accepted");
        let all = self.deliveries().await;
        let first: Vec<_> = all.iter().filter(|d| d.event == event.id && d.replaces.is_none()).collect();
        assert_eq!(first.len(), 1, "event {number} made one delivery");
        first[0].id
    }

    /// The deliveries that replace this one: one or none, if all is well.
    pub async fn replays_of(&self, id: DeliveryId) -> Vec<DeliveryId> {
        self.deliveries().await.into_iter().filter(|d| d.replaces == Some(id)).map(|d| d.id).collect()
    }

    pub async fn events(&self) -> Vec<EventView> {
        self.get::<Listing<EventView>>("/api/v1/events?limit=500").await.items
    }

    pub async fn delivery(&self, id: DeliveryId) -> DeliveryDetail {
        self.get(&format!("/api/v1/deliveries/{id}")).await
    }

    pub async fn until_delivery(&self, id: DeliveryId, holds: impl Fn(&DeliveryDetail) -> bool) -> DeliveryDetail {
        let mut last = None;
        let found = poll(PATIENCE, async || {
            let detail = self.delivery(id).await;
            let held = holds(&detail).then(|| detail.clone());
            last = Some(detail);
            held
        });
        found.await.unwrap_or_else(|| panic!("waited in vain; it stays {last:#?}"))
    }

    /// Waits until so many attempts of it counted and it is in nobody's hands.
    pub async fn attempted(&self, id: DeliveryId, attempts: u32) -> DeliveryDetail {
        self.until_delivery(id, |d| d.delivery.attempt_count >= attempts && d.delivery.state != "leased").await
    }

    /// Fails a delivery to its death, and leaves the clock there.
    pub async fn exhaust(&self, id: DeliveryId) -> DeliveryDetail {
        for attempts in 1.. {
            let detail = self.attempted(id, attempts).await;
            match detail.delivery.due_at {
                Some(due) => self.advance_to(due),
                None => return detail,
            }
        }
        unreachable!("no policy grants so many attempts")
    }

    pub async fn until_state(&self, id: DeliveryId, state: &str) -> DeliveryDetail {
        self.until_delivery(id, |d| d.delivery.state == state).await
    }

    pub async fn destination(&self, name: &str) -> DestinationView {
        self.get(&format!("/api/v1/destinations/{name}")).await
    }

    pub async fn until_destination(&self, name: &str, holds: impl Fn(&DestinationView) -> bool) -> DestinationView {
        let found = poll(PATIENCE, async || Some(self.destination(name).await).filter(&holds));
        match found.await {
            Some(view) => view,
            None => panic!("waited in vain; it stays {:#?}", self.destination(name).await),
        }
    }

    /// Sum of a metric's samples whose line holds `label`.
    pub async fn metric(&self, name: &str, label: &str) -> f64 {
        let answer = self.admin().send("GET", "/metrics", b"").await.expect("metrics");
        let text = String::from_utf8(answer.body).expect("metrics are text");
        let samples = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
        samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// The real binary against this gateway, to its end.
    pub async fn cli(&self, arguments: &[&str]) -> Output {
        let Admin { address, token } = self.admin();
        let mut command = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_hookhaven")));
        command.args(arguments).args(["--url", &format!("http://{address}"), "--token", &token]);
        command.current_dir(self.directory.path()).stdin(Stdio::null()).kill_on_drop(true);
        soon("the command's end", command.output()).await.expect("the binary runs")
    }

    /// What a command prints that ends well.
    pub async fn says(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments).await;
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} ends with {}: {errors}", output.status);
        String::from_utf8(output.stdout).expect("it prints text")
    }
}
