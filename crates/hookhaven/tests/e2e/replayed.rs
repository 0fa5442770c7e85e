//! Thirty days of events, replayed twice to a handler that goes by its idempotency key: the end is the same, and
//! nothing is processed twice.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use hookhaven_load::gateway::poll;
use serde_json::{Value, json};

use crate::support::{
    PATIENCE,
    clocked::{Clocked, SECRET},
    handler::{Handler, Received, Reply},
    load::number_of,
};

const DAYS: usize = 30;
const A_DAY: usize = 12;
const DAY: Duration = Duration::from_secs(86_400);

/// What the team keeps: a sum by day, and which keys are in it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Books {
    sums: BTreeMap<u64, u64>,
    keys: HashSet<String>,
    /// Events that were processed, each as often as that.
    processed: BTreeMap<u64, usize>,
}

impl Books {
    fn take(&mut self, received: &Received) {
        let number = number_of(&received.body).expect("one of ours");
        if self.keys.insert(received.header("webhook-id").to_owned()) {
            *self.sums.entry(number / A_DAY as u64).or_insert(0) += number * 7 + 1;
            *self.processed.entry(number).or_insert(0) += 1;
        }
    }
}

async fn until_settled(clocked: &Clocked) {
    let settled = poll(PATIENCE, async || {
        let status: Value = clocked.get("/api/v1/status").await;
        (status.pointer("/store/pending") == Some(&Value::from(0))).then_some(())
    });
    settled.await.expect("everything is delivered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_days_replayed_twice_leave_the_same_end() {
    let books = Arc::new(Mutex::new(Books::default()));
    let taking = books.clone();
    let handler = Handler::start(move |received| {
        taking.lock().unwrap().take(received);
        Reply::Status(200)
    })
    .await;
    let config = format!(
        "[sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\
         [[routes]]\nsource = \"shop\"\nto = [\"app\"]\n[destinations.app]\nurl = \"{}\"\n",
        handler.url()
    );
    let clocked = Clocked::start(&config).await;
    for day in 0..DAYS {
        clocked.until_ready().await;
        for n in 0..A_DAY {
            clocked.accept("shop", (day * A_DAY + n) as u64).await;
            clocked.clock.advance(Duration::from_secs(1));
        }
        handler.until((day + 1) * A_DAY).await;
        until_settled(&clocked).await;
        clocked.clock.advance(DAY);
    }
    let count = DAYS * A_DAY;
    let before = books.lock().unwrap().clone();
    assert_eq!((before.processed.len(), before.keys.len()), (count, count));
    for time in 1..=2 {
        clocked.until_ready().await;
        let order = json!({"act": "replay", "of": "events", "filter": {"source": "shop"}});
        let asked = clocked.admin().post("/api/v1/jobs", &order).await.expect("a job");
        let path = format!("/api/v1/jobs/{}", asked["id"].as_str().expect("an id"));
        let ended = poll(PATIENCE, async || {
            let job: Value = clocked.get(&path).await;
            (!job["ended_at"].is_null()).then_some(job)
        });
        let job = ended.await.expect("the job ends");
        assert_eq!((&job["state"], &job["done"]), (&"done".into(), &count.into()), "{job:#}");
        handler.until(count * (time + 1)).await;
        until_settled(&clocked).await;
        assert_eq!(handler.received().len(), count * (time + 1), "each came once more");
        let after = books.lock().unwrap().clone();
        assert!(after == before, "replay {time} changed the books");
        assert!(after.processed.values().all(|times| *times == 1));
        clocked.clock.advance(Duration::from_secs(60));
    }
}
