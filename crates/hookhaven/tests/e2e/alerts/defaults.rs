//! Each alert that is on by default fires for what it is for, says so everywhere, and ends.

use std::{collections::BTreeSet, fs, os::unix::fs::FileExt, time::Duration};

use hookhaven_core::alert::Rule;
use hookhaven_store::{
    StoreError,
    clock::SeededEntropy,
    faulty::{Faulty, Verb, When},
    memory::MemoryStore,
};

use super::*;
use crate::support::handler::{Gate, Reply};

const HOUR: Duration = Duration::from_secs(3_600);

/// What the cases below are about; each default stands in one of them.
const CASES: [&str; 16] = [
    "invalid_signatures",
    "critical_dead_letter",
    "critical_dead_letters_many",
    "queue_deep",
    "dead_letters_waiting",
    "answers_slow",
    "deadlines_missed",
    "breaker_open",
    "breaker_open_long",
    "destination_paused",
    "destination_gone",
    "secret_old",
    "clock_step",
    "store_damaged",
    "store_refusing",
    "config_refused",
];

#[test]
fn no_default_is_without_its_case() {
    let rules: BTreeSet<String> = Rule::defaults().iter().map(|rule| rule.name.to_string()).collect();
    assert_eq!(rules, CASES.map(str::to_owned).into());
}

#[tokio::test]
async fn invalid_signatures() {
    let handler = Handler::answering(200).await;
    let town = Town::start(&billing(&handler, "", "")).await;
    forge(&town.gateway, "stripe", 10).await;
    town.pass(TICK).await;
    assert_eq!(town.alert("invalid_signatures", "stripe").await, None, "ten are not more than ten");
    forge(&town.gateway, "stripe", 27).await;
    let notice = town.fires("invalid_signatures", "stripe", TICK, TICK).await;
    assert_eq!(notice.text, "37 invalid signatures of stripe in the last 1m (page above 10)");
    let ended = town.ends("invalid_signatures", "stripe", TICK, 3 * MINUTE).await;
    assert_eq!(ended.peak, 37.0);
}

#[tokio::test]
async fn critical_dead_letters() {
    let handler = Handler::answering(500).await;
    let town = Town::start(&billing(&handler, "", "critical = true\nretry = { attempts = 1 }\nname = \"money\"")).await;
    let die = async |number| {
        town.gateway.accept("stripe", number).await;
        town.gateway.until_state(town.gateway.delivery_of(number).await, "dead").await;
    };
    die(1).await;
    let notice = town.fires("critical_dead_letter", "money", TICK, TICK).await;
    assert_eq!(notice.text, "1 critical dead letter of money for a person (page above 0)");
    for number in 2..=5 {
        die(number).await;
    }
    town.pass(TICK).await;
    assert_eq!(town.alert("critical_dead_letters_many", "money").await, None);
    die(6).await;
    town.fires("critical_dead_letters_many", "money", TICK, TICK).await;
    // Told anew with the count, once in five minutes.
    assert_eq!(town.hooks("critical_dead_letter", "money", "grown").len(), 0);
    town.pass(5 * MINUTE).await;
    let grown = town.everybody_hears_again("critical_dead_letter", "money").await;
    assert_eq!(grown.value, 6.0);
    town.gateway.says(&["dlq", "dismiss", "--all", "--yes"]).await;
    town.ends("critical_dead_letter", "money", TICK, 3 * MINUTE).await;
    town.ends("critical_dead_letters_many", "money", TICK, 3 * MINUTE).await;
}

#[tokio::test]
async fn queue_deep() {
    let handler = Handler::answering(200).await;
    let town = Town::start(&billing(&handler, "", "")).await;
    town.gateway.says(&["destinations", "pause", "billing"]).await;
    for number in 0..1_001 {
        town.gateway.accept("stripe", number).await;
    }
    town.pass(TICK).await;
    assert_eq!(town.alert("queue_deep", "billing").await.map(|alert| alert.state), Some(AlertState::Pending));
    let notice = town.fires("queue_deep", "billing", TICK, 2 * MINUTE).await;
    assert_eq!(notice.value, 1_001.0);
    town.gateway.says(&["destinations", "resume", "billing"]).await;
    handler.until(1_001).await;
    town.ends("queue_deep", "billing", TICK, 3 * MINUTE).await;
}

#[tokio::test]
async fn dead_letters_waiting() {
    let handler = Handler::answering(500).await;
    let town = Town::start(&billing(&handler, "", "retry = { attempts = 1 }")).await;
    town.gateway.accept("stripe", 1).await;
    let delivery = town.gateway.delivery_of(1).await;
    town.gateway.until_state(delivery, "dead").await;
    town.pass(TICK).await;
    town.pass(HOUR - TICK).await;
    let waiting = town.alert("dead_letters_waiting", "billing").await.expect("it waits");
    assert_eq!(waiting.state, AlertState::Pending);
    town.fires("dead_letters_waiting", "billing", TICK, TICK).await;
    handler.change(|_| Reply::Status(200));
    town.gateway.says(&["dlq", "replay", &delivery.to_string()]).await;
    town.ends("dead_letters_waiting", "billing", TICK, 3 * MINUTE).await;
}

async fn on_a_store_that_may_fail(handler: &Handler) -> (Town, Arc<Faulty>) {
    let mut faulty = None;
    let town = Town::start_on(&billing(handler, "", ""), |gateway| {
        let clock = Arc::new(gateway.clock.clone());
        let store = Arc::new(Faulty::over(Arc::new(MemoryStore::new(clock, Arc::new(SeededEntropy::new(9))))));
        faulty = Some(store.clone());
        store
    })
    .await;
    (town, faulty.expect("the store is there"))
}

#[tokio::test]
async fn answers_slow() {
    let handler = Handler::answering(200).await;
    let (town, store) = on_a_store_that_may_fail(&handler).await;
    let slow = async |number| {
        let held = store.hold(Verb::Accept, When::Before);
        let (answer, ()) = tokio::join!(town.gateway.post("stripe", number), async {
            held.reached(1).await;
            town.gateway.clock.advance(Duration::from_secs(3));
            store.mend();
            held.release();
        });
        assert_eq!(answer.status, 200);
    };
    for number in 0..12 {
        slow(number).await;
        town.pass(Duration::from_secs(27)).await;
    }
    let notice = town.fires("answers_slow", "", TICK, TICK).await;
    assert!(notice.value > 2.0 && notice.value <= 5.0, "{}", notice.value);
    // Nobody comes any more.
    town.ends("answers_slow", "", TICK, 3 * MINUTE).await;
}

#[tokio::test]
async fn deadlines_missed() {
    let gate = Gate::closed();
    let waits = gate.clone();
    let handler = Handler::start(move |_| Reply::After(waits.clone(), 200)).await;
    let town = Town::start(&billing(&handler, "concurrency = 1\ntimeout = \"60s\"", "deadline = \"5s\"")).await;
    town.gateway.accept("stripe", 1).await;
    handler.until(1).await;
    town.gateway.accept("stripe", 2).await;
    town.pass(TICK).await;
    gate.open();
    for number in 1..=2 {
        town.gateway.until_state(town.gateway.delivery_of(number).await, "delivered").await;
    }
    let notice = town.fires("deadlines_missed", "billing", TICK, TICK).await;
    assert_eq!(
        notice.text,
        "50% of the attempts of billing in the last 5m began after their deadline (notify above 1%)"
    );
    town.ends("deadlines_missed", "billing", MINUTE, 8 * MINUTE).await;
}

#[tokio::test]
async fn breaker_open() {
    let handler = Handler::answering(500).await;
    let town = Town::start(&billing(&handler, "", "")).await;
    for number in 0..10 {
        town.gateway.accept("stripe", number).await;
    }
    handler.until(10).await;
    town.fires("breaker_open", "billing", TICK, TICK).await;
    town.pass(9 * MINUTE).await;
    assert!(town.alert("breaker_open_long", "billing").await.is_some_and(|alert| alert.state == AlertState::Pending));
    town.fires("breaker_open_long", "billing", MINUTE, 2 * MINUTE).await;
    handler.change(|_| Reply::Status(200));
    town.ends("breaker_open", "billing", MINUTE, HOUR).await;
    town.ends("breaker_open_long", "billing", MINUTE, HOUR).await;
}

#[tokio::test]
async fn destination_paused() {
    let handler = Handler::answering(410).await;
    let town = Town::start(&billing(&handler, "", "")).await;
    for number in 0..3 {
        town.gateway.accept("stripe", number).await;
    }
    town.gateway.until_destination("billing", |view| view.state == "paused").await;
    let notice = town.fires("destination_paused", "billing", TICK, TICK).await;
    assert_eq!(notice.command, "hookhaven destinations resume billing");
    handler.change(|_| Reply::Status(200));
    town.gateway.says(&["destinations", "resume", "billing"]).await;
    town.ends("destination_paused", "billing", TICK, 3 * MINUTE).await;
    // A person's pause is nothing to be told of.
    town.gateway.says(&["destinations", "pause", "billing"]).await;
    town.pass(TICK).await;
    assert_eq!(town.alert("destination_paused", "billing").await.map(|alert| alert.state), Some(AlertState::Ended));
}

#[tokio::test]
async fn destination_gone() {
    let handler = Handler::answering(200).await;
    let town = Town::start(&billing(&handler, "", "")).await;
    town.gateway.says(&["destinations", "pause", "billing"]).await;
    town.gateway.accept("stripe", 1).await;
    let taken = town.reload(|text| text.replace("billing", "other")).await;
    assert!(taken);
    town.fires("destination_gone", "billing", TICK, 2 * MINUTE).await;
    assert!(town.reload(str::to_owned).await);
    town.ends("destination_gone", "billing", TICK, 3 * MINUTE).await;
}

#[tokio::test]
async fn secret_old() {
    let handler = Handler::answering(200).await;
    let aging = billing(&handler, "", "").replace("secrets =", "secrets_max_age = \"1d\"\nsecrets =");
    let town = Town::start(&aging).await;
    town.pass(23 * HOUR).await;
    assert_eq!(town.alert("secret_old", "stripe").await, None);
    town.pass(HOUR + TICK).await;
    town.fires("secret_old", "stripe", 5 * MINUTE, HOUR).await;
    assert!(town.reload(|text| text.replace(crate::support::clocked::SECRET, "whsec_a_new_one")).await);
    town.ends("secret_old", "stripe", 5 * MINUTE, HOUR).await;
}

#[tokio::test]
async fn clock_step() {
    let handler = Handler::answering(200).await;
    let town = Town::start(&billing(&handler, "", "")).await;
    town.gateway.clock.step_wall(-59_000_000);
    town.pass(TICK).await;
    assert_eq!(town.alert("clock_step", "").await, None);
    town.gateway.clock.step_wall(-61_000_000);
    let notice = town.fires("clock_step", "", TICK, TICK).await;
    assert_eq!(notice.text, "the machine's clock is 61s away from the gateway's (notify above 60s)");
    town.gateway.clock.step_wall(0);
    town.ends("clock_step", "", TICK, 3 * MINUTE).await;
}

#[tokio::test]
async fn store_damaged() {
    let handler = Handler::answering(200).await;
    let mut town = Town::start(&billing(&handler, "", "")).await;
    for number in 0..3 {
        town.gateway.accept("stripe", number).await;
        town.gateway.until_state(town.gateway.delivery_of(number).await, "delivered").await;
    }
    town.gateway.stop().await;
    let path = town.gateway.directory.path().join("data/journal/00000001.seg");
    let (bytes, wanted) = (fs::read(&path).expect("the journal's first segment"), b"evt_t000000000001");
    let at = bytes.windows(wanted.len()).position(|window| window == wanted).expect("the second event is there");
    let file = fs::OpenOptions::new().write(true).open(&path).expect("the segment");
    file.write_all_at(&[bytes[at + 5] ^ 0xff], at as u64 + 5).expect("a byte is written");
    town.gateway.serve().await;
    town.settled().await;
    town.fires("store_damaged", "", TICK, TICK).await;
    town.ends("store_damaged", "", 10 * MINUTE, 2 * HOUR).await;
}

#[tokio::test]
async fn store_refusing() {
    let handler = Handler::answering(200).await;
    let (town, store) = on_a_store_that_may_fail(&handler).await;
    for verb in [Verb::Ready, Verb::Accept, Verb::PutCatalog] {
        store.fail(verb, When::Before, StoreError::Unavailable("the disk is full".into()), usize::MAX);
    }
    assert_eq!(town.gateway.post("stripe", 1).await.status, 503);
    // The store takes no event of it, so the channels are told directly.
    town.fires("store_refusing", "", TICK, MINUTE).await;
    town.pass(MINUTE).await;
    assert_eq!(town.hooks("store_refusing", "", "fired").len(), 1, "once is once");
    store.mend();
    town.ends("store_refusing", "", TICK, 3 * MINUTE).await;
}

#[tokio::test]
async fn config_refused() {
    let handler = Handler::answering(200).await;
    let town = Town::start(&billing(&handler, "", "")).await;
    assert!(!town.reload(|text| text.replace("secrets =", "secrtes =")).await);
    let notice = town.fires("config_refused", "", TICK, TICK).await;
    assert_eq!(notice.command, "hookhaven check");
    assert!(town.reload(str::to_owned).await);
    town.ends("config_refused", "", TICK, 3 * MINUTE).await;
}

impl Town {
    async fn everybody_hears_again(&self, rule: &str, scope: &str) -> Notice {
        let told = poll(PATIENCE, async || self.hooks(rule, scope, "grown").pop());
        told.await.unwrap_or_else(|| panic!("nobody heard that {rule} of {scope:?} has grown"))
    }
}
