//! A network between that lets nothing through, or only one way.

use std::{sync::Arc, time::Duration};

use hookhaven_core::{DeliveryState, ErrorClass};
use hookhaven_store::{Accepted, Next, StoreError, clock::Clock, postgres::PostgresOptions};
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

/// Again until it can be done: a busy machine may be later than an impatient store waits.
macro_rules! insist {
    ($store:expr, $call:expr) => {
        loop {
            match $call.await {
                Ok(done) => break done,
                Err(StoreError::Unavailable(_)) => world::ready(&$store).await,
                Err(other) => panic!("{other}"),
            }
        }
    };
}

fn impatient(relay: &Relay, clock: &hookhaven_store::clock::ManualClock) -> PostgresOptions {
    PostgresOptions { answer_timeout: Duration::from_millis(500), ..world::options(&relay.url, clock) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_says_so_and_goes_on_when_it_is_not() {
    let (url, clock) = (world::database(), world::clock());
    let relay = Relay::before(&url).await;
    let store = world::try_open(impatient(&relay, &clock)).await.unwrap();
    insist!(store, store.accept(vec![event("before", clock.now(), &["billing"])]));
    relay.set(Open { there: false, back: false });
    let cut_off = store.accept(vec![event("cut off", clock.now(), &["billing"])]).await;
    assert!(matches!(cut_off, Err(StoreError::Unavailable(_))), "{cut_off:?}");
    // Once it could not connect either, everybody is told at once, the listener's wait aside.
    assert!(matches!(store.due(&[], 9).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.ready(Default::default()), Err(StoreError::Unavailable(_))));
    relay.set(ALL);
    world::ready(&store).await;
    let accepted = insist!(store, store.accept(vec![event("after", clock.now(), &["billing"])]));
    assert_eq!(accepted.len(), 1);
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
        insist!(store, store.accept(vec![event(&format!("before {n}"), clock.now(), &["billing"])]));
        relay.set(Open { there: true, back: false });
        let new = event(&key, clock.now(), &["billing"]);
        let id = new.event.id;
        assert!(matches!(store.accept(vec![new]).await, Err(StoreError::Unavailable(_))));
        relay.set(ALL);
        world::ready(&store).await;
        let stored = format!("SELECT count(*) FROM hookhaven.events WHERE idempotency_key = '{key}'");
        if databases.sql_at(&url, &stored).unwrap() == "1" {
            let again = insist!(store, store.accept(vec![event(&key, clock.now(), &["billing"])]));
            assert_eq!(again, [Accepted::Duplicate { other_bytes: false, event: id, revived: vec![] }]);
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
    let session = insist!(store, store.open_session(Duration::from_secs(3_600)));
    insist!(store, store.accept(vec![event("held", clock.now(), &["log"])]));
    let held = loop {
        if let Some(held) = insist!(store, store.claim(session, &[room("log", 1)], 1)).pop() {
            break held;
        }
    };
    insist!(store, store.accept(vec![event("k", clock.now(), &["billing"])]));
    relay.set(Open { there: true, back: false });
    assert!(store.claim(session, &[room("billing", 1)], 1).await.is_err());
    relay.set(ALL);
    let leased = loop {
        if let Some(leased) = insist!(store, store.claim(session, &[room("billing", 1)], 1)).pop() {
            break leased;
        }
    };
    assert_eq!((leased.attempt_number, leased.delivery.lost), (1, 0));
    // And what we do hold is still ours.
    assert!(insist!(store, store.claim(session, &[room("log", 1)], 1)).is_empty());
    let done = || vec![settlement(&held, ErrorClass::Ok, Next::Delivered, clock.now())];
    insist!(store, store.settle(session, done()));
    let row = insist!(store, store.delivery(held.delivery.id)).unwrap();
    assert_eq!(row.delivery.state, DeliveryState::Delivered);
}
