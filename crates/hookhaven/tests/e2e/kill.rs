//! `kill -9` at random moments under load, again and again on the same data: nothing that was
//! acknowledged is lost, and nothing that was refused is delivered (I1, I11).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hookhaven_load::{
    event::Events,
    load::{Requests, Until, closed},
};
use tokio::sync::watch;

use crate::support::{chance::Chance, gateway::Gateway, handler::Handler, load::number_of, soon};

const LIVES: u64 = 20;
const CONNECTIONS: usize = 8;
/// A life ends after at most so many acknowledged requests.
const ACKNOWLEDGED_MAX: u64 = 300;
const SECRET: &str = "whsec_the_right_one";

/// One request in ten is a duplicate of a recent event, one is signed with another secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fresh,
    Again(u64),
    Forged,
}

fn kind(seed: u64, number: u64) -> Kind {
    let roll = |number: u64| Chance::of(seed ^ number.wrapping_mul(0x9e37_79b9)).below(100);
    let earlier = number.saturating_sub(1 + roll(number) % 20);
    match roll(number) {
        0..10 => Kind::Forged,
        10..20 if roll(earlier) >= 20 => Kind::Again(earlier),
        _ => Kind::Fresh,
    }
}

struct Load {
    seed: u64,
    /// The first request of this life.
    first: u64,
    right: Events,
    wrong: Events,
    told: Mutex<Told>,
    acknowledged: watch::Sender<u64>,
}

/// What the senders were answered.
#[derive(Default)]
struct Told {
    acknowledged: BTreeSet<u64>,
    /// Answers that no request should have got, by request.
    odd: BTreeMap<u64, u16>,
}

impl Load {
    fn new(seed: u64, first: u64) -> Arc<Self> {
        let signed_with = |secret: &str| Events { run: "kill".into(), secret: secret.into(), body_bytes: 2_048 };
        Arc::new(Load {
            seed,
            first,
            right: signed_with(SECRET),
            wrong: signed_with("whsec_of_somebody_else"),
            told: Mutex::default(),
            acknowledged: watch::Sender::new(0),
        })
    }
}

impl Requests for Load {
    fn request(&self, number: u64, intended_us: u64) -> Vec<u8> {
        let number = self.first + number;
        let (events, number) = match kind(self.seed, number) {
            Kind::Fresh => (&self.right, number),
            Kind::Again(earlier) => (&self.right, earlier),
            Kind::Forged => (&self.wrong, number),
        };
        events.request("hooks.example.test", "/webhooks/shop", number, intended_us, intended_us / 1_000_000)
    }

    fn answered(&self, number: u64, status: u16) {
        let number = self.first + number;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let acknowledged = match (kind(self.seed, number), status) {
            (Kind::Fresh, 200) => number,
            (Kind::Again(earlier), 200) => earlier,
            (Kind::Forged, 401) => return,
            _ => {
                told.odd.insert(number, status);
                return;
            }
        };
        told.acknowledged.insert(acknowledged);
        drop(told);
        self.acknowledged.send_modify(|count| *count += 1);
    }
}

fn config(handler: &Handler) -> String {
    format!(
        "segment = \"1MiB\"\n\n[sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\n\
         [[routes]]\nsource = \"shop\"\nto = [\"app\"]\n\n[destinations.app]\nurl = \"{}\"\n",
        handler.url()
    )
}

/// Serves, loads, and kills after a random number of acknowledged requests.
async fn live_and_die(gateway: &mut Gateway, load: &Arc<Load>, until: u64) {
    gateway.serve().await;
    let forever = Until { requests: u64::MAX, time: Duration::from_secs(300) };
    let loading = tokio::spawn(closed(gateway.ingest(), CONNECTIONS, forever, Arc::clone(load)));
    let mut acknowledged = load.acknowledged.subscribe();
    soon("the acknowledged requests of a life", acknowledged.wait_for(|count| *count >= until))
        .await
        .expect("the load lasts");
    gateway.kill().await;
    loading.abort();
    // Nothing is told after this: answers that were read have been counted.
    let _ = loading.await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_it_loses_nothing() {
    let (seed, chance) = Chance::new();
    let handler = Handler::answering(200).await;
    let mut gateway = Gateway::prepare(&config(&handler));
    let mut acknowledged = BTreeSet::new();
    for life in 0..LIVES {
        let load = Load::new(seed, life * 1_000_000);
        live_and_die(&mut gateway, &load, chance.below(ACKNOWLEDGED_MAX)).await;
        let mut told = load.told.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(told.odd.is_empty(), "seed {seed}, life {life}: answered {:?}", told.odd);
        acknowledged.append(&mut told.acknowledged);
    }
    gateway.serve().await;
    gateway.until_drained().await;

    let delivered: BTreeSet<u64> = handler.received().iter().filter_map(|r| number_of(&r.body)).collect();
    let lost: Vec<_> = acknowledged.difference(&delivered).collect();
    assert!(lost.is_empty(), "seed {seed}: acknowledged and never delivered: {lost:?}");
    let refused: Vec<_> = delivered.iter().filter(|number| kind(seed, **number) == Kind::Forged).collect();
    assert!(refused.is_empty(), "seed {seed}: refused and yet delivered: {refused:?}");
    assert!(acknowledged.len() > 500, "seed {seed}: {} events are no load", acknowledged.len());

    let keys = gateway.keys().await;
    let distinct: BTreeSet<&String> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len(), "seed {seed}: a key has more than one event");
    let gone = acknowledged.iter().filter(|number| !distinct.contains(&format!("evt_kill{number:012}"))).count();
    assert_eq!(gone, 0, "seed {seed}: acknowledged events that are not in the list");
    let journal = gateway.get("/api/v1/status").await["store"]["journal_bytes"].as_u64();
    assert!(journal > Some(1 << 20), "seed {seed}: {journal:?} bytes fit into one segment");
    assert!(gateway.terminate().await.success(), "seed {seed}");
}
