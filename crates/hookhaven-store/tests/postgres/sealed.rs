//! A network between that lets nothing through, or only one way.

use std::{sync::Arc, time::Duration};

use hookhaven_store::{Accepted, StoreError, clock::Clock, postgres::PostgresOptions};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

use crate::{bench::*, world};

/// Which directions are let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    there: bool,
    back: bool,
}

const ALL: Open = Open { there: true, back: true };

/// A relay to the database of a URL.
struct Relay {
    url: String,
    open: Arc<watch::Sender<Open>>,
}

impl Relay {
    async fn before(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = listener.local_addr().unwrap().to_string();
        let theirs = url.split(['@', '/']).nth(3).unwrap().to_owned();
        let open = Arc::new(watch::Sender::new(ALL));
        let relay = Relay { url: url.replace(&theirs, &ours), open: open.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&theirs).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(pass(from_client, to_server, open.subscribe(), |open| open.there));
                tokio::spawn(pass(from_server, to_client, open.subscribe(), |open| open.back));
            }
        });
        relay
    }

    fn set(&self, open: Open) {
        self.open.send_replace(open);
    }
}

/// Nothing is lost while it is shut, only late, as on a network that is cut.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut open: watch::Receiver<Open>,
    let_through: fn(&Open) -> bool,
) {
    let mut bytes = vec![0; 65_536];
    while let Ok(n @ 1..) = from.read(&mut bytes).await {
        if open.wait_for(let_through).await.is_err() || to.write_all(&bytes[..n]).await.is_err() {
            return;
        }
    }
}

fn impatient(relay: &Relay, clock: &hookhaven_store::clock::ManualClock) -> PostgresOptions {
    PostgresOptions { answer_timeout: Duration::from_millis(500), ..world::options(&relay.url, clock) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_says_so_and_goes_on_when_it_is_not() {
    let (url, clock) = (world::database(), world::clock());
    let relay = Relay::before(&url).await;
    let store = world::try_open(impatient(&relay, &clock)).await.unwrap();
    accept(&store, event("before", clock.now(), &["billing"])).await;
    relay.set(Open { there: false, back: false });
    let cut_off = store.accept(vec![event("cut off", clock.now(), &["billing"])]).await;
    assert!(matches!(cut_off, Err(StoreError::Unavailable(_))), "{cut_off:?}");
    // Once it could not connect either, everybody is told at once, the listener's wait aside.
    assert!(matches!(store.due(&[], 9).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.ready(Default::default()), Err(StoreError::Unavailable(_))));
    relay.set(ALL);
    world::ready(&store).await;
    assert_eq!(accept(&store, event("after", clock.now(), &["billing"])).await, Accepted::New);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_not_acknowledged_and_not_repeated() {
    let (url, clock) = (world::database(), world::clock());
    let relay = Relay::before(&url).await;
    let store = world::try_open(impatient(&relay, &clock)).await.unwrap();
    let databases = hookhaven_testbed::shared().unwrap();
    // It may also be the way to a new connection that is cut: then nothing was stored, and we try again.
    for n in 0..20 {
        let key = format!("k{n}");
        while store.accept(vec![event(&format!("before {n}"), clock.now(), &["billing"])]).await.is_err() {
            world::ready(&store).await;
        }
        relay.set(Open { there: true, back: false });
        let new = event(&key, clock.now(), &["billing"]);
        let id = new.event.id;
        assert!(matches!(store.accept(vec![new]).await, Err(StoreError::Unavailable(_))));
        relay.set(ALL);
        world::ready(&store).await;
        let stored = format!("SELECT count(*) FROM hookhaven.events WHERE idempotency_key = '{key}'");
        if databases.sql_at(&url, &stored).unwrap() == "1" {
            let again = loop {
                match store.accept(vec![event(&key, clock.now(), &["billing"])]).await {
                    Ok(answer) => break answer,
                    Err(_) => world::ready(&store).await,
                }
            };
            assert_eq!(again, [Accepted::Duplicate { event: id, revived: vec![] }]);
            return;
        }
    }
    panic!("no commit went through");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_claimed_without_our_knowing_is_given_back() {
    let (url, clock) = (world::database(), world::clock());
    let relay = Relay::before(&url).await;
    let store = world::try_open(impatient(&relay, &clock)).await.unwrap();
    let session = store.open_session(Duration::from_secs(3_600)).await.unwrap();
    accept(&store, event("held", clock.now(), &["log"])).await;
    let held = claim_one(&store, session, "log").await;
    accept(&store, event("k", clock.now(), &["billing"])).await;
    relay.set(Open { there: true, back: false });
    assert!(store.claim(session, &[room("billing", 1)], 1).await.is_err());
    relay.set(ALL);
    world::ready(&store).await;
    let leased = claim_one(&store, session, "billing").await;
    assert_eq!((leased.attempt_number, leased.delivery.lost), (1, 0));
    // And what we do hold is still ours.
    assert!(claim(&store, session, "log", 1).await.is_empty());
    let done =
        settle(&store, session, &held, hookhaven_core::ErrorClass::Ok, hookhaven_store::Next::Delivered, clock.now());
    assert_eq!(done.await, hookhaven_store::Settled::Done);
}
