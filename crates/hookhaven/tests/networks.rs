//! Who may post by its address: published lists with their copies, and clients behind proxies. Over real HTTP, with a
//! clock that stands still; what senders publish is scripted.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod support;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven::{
    config::{Config, reload::ReloadState},
    ingest::networks::{EVERY, Networks, Renewal, RenewalParts},
};
use hookhaven_core::source::Source;
use hookhaven_store::clock::{Clock, ManualClock, SeededEntropy};
use support::{Gateway, NOW, config, source};
use tokio::{sync::watch, task::JoinHandle};

const META: &str = "https://api.github.com/meta";
/// Where the tests' own requests come from.
const HERE: &str = r#"{"hooks":["127.0.0.0/8","2001:db8::/32"]}"#;
const ELSEWHERE: &str = r#"{"hooks":["192.0.2.0/24"]}"#;

fn with(change: impl FnOnce(&mut Source)) -> Config {
    let mut github = source("github", "github");
    change(&mut github);
    let mut config = config();
    config.sources.insert("github".into(), Arc::new(github));
    config
}

fn published() -> Config {
    with(|source| source.allow_published = true)
}

/// A gateway with the task that keeps lists fresh.
struct Lists {
    gateway: Gateway,
    reloads: watch::Sender<ReloadState>,
    renewal: JoinHandle<()>,
}

impl Lists {
    async fn start(gateway: Gateway) -> Self {
        let lists = Self::begin(gateway);
        lists.asleep().await;
        lists
    }

    /// Without waiting for its first round: where no list is wanted there is nothing that it waits for.
    fn begin(gateway: Gateway) -> Self {
        let (reloads, reloaded) = watch::channel(reload(1));
        let renewal = Renewal::new(RenewalParts {
            networks: gateway.networks.clone(),
            store: gateway.store.clone(),
            clock: Arc::new(gateway.clock.clone()),
            entropy: Arc::new(SeededEntropy::new(3)),
            sender_keys: gateway.sender_keys.clone(),
            metrics: gateway.metrics.clone(),
        });
        let config = gateway.config.clone();
        let renewal = tokio::spawn(async move { renewal.run(config, reloaded).await });
        Lists { gateway, reloads, renewal }
    }

    /// Until the task waits for its next time.
    async fn asleep(&self) {
        while self.gateway.clock.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
    }

    async fn advance(&self, by: Duration) {
        self.gateway.clock.advance(by);
        // Woken, it goes back to sleep by asking for another time.
        self.asleep().await;
    }

    fn publishes(&self, status: u16, document: &str) {
        let page = (status, Bytes::copy_from_slice(document.as_bytes()));
        self.gateway.web.pages.lock().unwrap().insert(META.to_owned(), page);
    }

    fn asked(&self) -> usize {
        self.gateway.web.asked.lock().unwrap().len()
    }

    async fn post(&self, id: &str) -> u16 {
        self.gateway.post("github", &self.gateway.signed("github", "push", id)).await.status.as_u16()
    }

    /// A figure of the metrics.
    async fn figure(&self, name: &str) -> Option<f64> {
        let now = self.gateway.clock.now();
        let text = self.gateway.metrics.render(&self.gateway.store.stats().await.unwrap(), &[], now);
        let name = format!("{name}{{sender=\"github\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)).map(|figure| figure.parse().unwrap())
    }
}

fn reload(generation: u64) -> ReloadState {
    ReloadState { last_ok_at: NOW, last_error: None, refused_at: None, generation, file: None }
}

#[tokio::test]
async fn before_the_first_copy_senders_are_asked_to_come_again_and_then_the_list_decides() {
    let lists = Lists::start(Gateway::start(published())).await;
    assert_eq!(lists.asked(), 1, "on start");
    let answer = lists.gateway.post("github", &lists.gateway.signed("github", "push", "1")).await;
    assert_eq!((answer.status.as_u16(), answer.headers["retry-after"].to_str().unwrap()), (503, "5"));
    assert_eq!((lists.figure("hookhaven_sender_networks").await, lists.post("1").await), (Some(0.0), 503));

    lists.publishes(200, HERE);
    lists.advance(Duration::from_secs(11)).await;
    assert_eq!(lists.post("1").await, 200);
    assert_eq!(lists.figure("hookhaven_sender_networks").await, Some(2.0));
    assert_eq!(lists.gateway.web.asked.lock().unwrap()[..], [META, META]);

    lists.publishes(200, ELSEWHERE);
    lists.advance(EVERY + Duration::from_secs(3_600)).await;
    assert_eq!(lists.post("2").await, 401);
    assert!(lists.gateway.exposition().await.contains("reason=\"address_not_allowed\"} 1"));
}

#[tokio::test]
async fn what_the_file_names_is_allowed_beside_the_list_and_before_it() {
    let config = with(|source| {
        source.allow_published = true;
        source.allow = vec!["127.0.0.1/32".parse().unwrap()];
    });
    let lists = Lists::start(Gateway::start(config)).await;
    assert_eq!(lists.post("1").await, 200);
    lists.publishes(200, ELSEWHERE);
    lists.advance(Duration::from_secs(11)).await;
    assert_eq!(lists.post("2").await, 200);
}

#[tokio::test]
async fn a_bad_answer_changes_nothing_but_the_age() {
    let gateway = Gateway::start(published());
    gateway.web.pages.lock().unwrap().insert(META.to_owned(), (200, Bytes::from(HERE)));
    let lists = Lists::start(gateway).await;
    assert_eq!(lists.figure("hookhaven_sender_networks_age_seconds").await, Some(0.0));
    let mut asked = lists.asked();
    lists.gateway.clock.advance(EVERY);
    for (status, document) in [
        (500, ""),
        (404, HERE),
        (301, HERE),
        (200, ""),
        (200, "<html>"),
        (200, "{\"hooks\":[]}"),
        (200, "{\"hooks\":[\"0.0.0.0/0\"]}"),
    ] {
        lists.publishes(status, document);
        lists.advance(Duration::from_secs(3_960)).await;
        assert_eq!(lists.post(&format!("{asked}")).await, 200, "{status} {document}");
        asked += 1;
        assert_eq!(lists.asked(), asked, "once each: {status} {document}");
    }
    assert!(lists.figure("hookhaven_sender_networks_age_seconds").await.unwrap() > EVERY.as_secs_f64());
    assert_eq!(lists.figure("hookhaven_sender_networks").await, Some(2.0));
}

#[tokio::test]
async fn a_copy_outlives_a_restart_and_is_not_fetched_again_while_it_is_fresh() {
    let gateway = Gateway::start(published());
    gateway.web.pages.lock().unwrap().insert(META.to_owned(), (200, Bytes::from(HERE)));
    let lists = Lists::start(gateway).await;
    let (store, clock) = (lists.gateway.store.clone(), lists.gateway.clock.clone());
    lists.renewal.abort();
    assert!(lists.renewal.await.unwrap_err().is_cancelled());
    assert_eq!(clock.next_wake(), None);

    let later = ManualClock::at(NOW.plus(Duration::from_secs(60)));
    let after = Gateway::over(published(), later, store, None);
    after.networks.load(&*after.store).await.unwrap();
    let lists = Lists::start(after).await;
    assert_eq!((lists.asked(), lists.post("1").await), (0, 200));
    assert_eq!(lists.figure("hookhaven_sender_networks_age_seconds").await, Some(60.0));
    lists.advance(EVERY).await;
    assert_eq!((lists.asked(), lists.post("2").await), (1, 200), "nobody answers now: the last good copy stays");
}

#[tokio::test]
async fn a_copy_that_another_node_has_just_fetched_will_do() {
    let one = Gateway::start(published());
    one.web.pages.lock().unwrap().insert(META.to_owned(), (200, Bytes::from(HERE)));
    let one = Lists::start(one).await;
    let other = Gateway::over(published(), ManualClock::at(NOW), one.gateway.store.clone(), None);
    let other = Lists::start(other).await;
    assert_eq!((other.asked(), other.post("1").await), (0, 200));
}

#[tokio::test]
async fn a_source_that_wants_a_list_later_gets_it_then() {
    let lists = Lists::begin(Gateway::start(config()));
    assert_eq!((lists.asked(), lists.post("1").await), (0, 200));
    lists.publishes(200, ELSEWHERE);
    lists.gateway.config.store(Arc::new(published()));
    lists.reloads.send_replace(reload(2));
    lists.asleep().await;
    assert_eq!((lists.asked(), lists.post("2").await), (1, 401));
}

#[tokio::test]
async fn a_copy_that_cannot_be_read_is_none() {
    let gateway = Gateway::start(config());
    for value in [&b""[..], b"{}", b"{\"nets\":[],\"fetched_at_us\":1}", b"{\"nets\":[\"x\"],\"fetched_at_us\":1}"] {
        let entry = hookhaven_store::CatalogEntry {
            kind: hookhaven::ingest::networks::NETWORKS_KIND.to_owned(),
            name: "github".to_owned(),
            value: value.to_vec(),
        };
        gateway.store.put_catalog(entry).await.unwrap();
        let networks = Networks::default();
        networks.load(&*gateway.store).await.unwrap();
        let source = with(|source| source.allow_published = true).sources["github"].clone();
        let here = "127.0.0.1".parse().unwrap();
        assert_eq!(networks.judge(&source, Some(here)), hookhaven::ingest::networks::Admission::Undecided);
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_client_is_judged_and_kept() {
    let mut config = with(|source| source.allow = vec!["203.0.113.0/24".parse().unwrap()]);
    config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let gateway = Gateway::start(config);
    let mut statuses = BTreeMap::new();
    for told in ["203.0.113.9", "203.0.113.9, 198.51.100.7", "198.51.100.7, 203.0.113.8", "unknown", ""] {
        let mut signed = gateway.signed("github", "push", told);
        if !told.is_empty() {
            signed.headers.push(("x-forwarded-for".to_owned(), told.to_owned()));
        }
        statuses.insert(told, gateway.post("github", &signed).await.status.as_u16());
    }
    let expected = [
        ("", 401),
        ("198.51.100.7, 203.0.113.8", 200),
        ("203.0.113.9", 200),
        ("203.0.113.9, 198.51.100.7", 401),
        ("unknown", 401),
    ];
    assert_eq!(statuses, BTreeMap::from(expected));
    let mut remotes = Vec::new();
    for row in gateway.events().await {
        remotes.push(gateway.store.event(row.id).await.unwrap().unwrap().remote.to_string());
    }
    remotes.sort();
    assert_eq!(remotes, ["203.0.113.8", "203.0.113.9"]);
}

#[tokio::test]
async fn without_a_trusted_proxy_a_header_says_nothing() {
    let gateway = Gateway::start(with(|source| source.allow = vec!["203.0.113.0/24".parse().unwrap()]));
    for (name, value) in [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9")] {
        let mut signed = gateway.signed("github", "push", "1");
        signed.headers.push((name.to_owned(), value.to_owned()));
        assert_eq!(gateway.post("github", &signed).await.status, 401, "{name}");
    }
}
