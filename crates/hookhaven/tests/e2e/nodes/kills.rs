//! `kill -9` of a worker and of an ingest node under load: nothing but a little time is lost.

use super::*;
use crate::support::handler::Reply;

const COUNT: u64 = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_death_of_a_worker_and_of_an_ingest_node_loses_nothing() {
    // What the first worker gets in hand stays there until it dies.
    let handler = Handler::start(|_| Reply::Hang).await;
    let (database, config) = (database(), config(&handler, "concurrency = 64"));
    let [first, mut doomed_ingest, mut doomed] = nodes(&database, ["ingest", "ingest", "worker"], &config).await;
    let sender = sender(&[&first, &doomed_ingest], COUNT);
    let sending = tokio::spawn(sender.clone().send());
    handler.until(20).await;
    let in_hand: Vec<u64> = handler.received().iter().filter_map(|r| number_of(&r.body)).collect();

    doomed.kill().await;
    handler.change(|_| Reply::Status(200));
    let [second, third] = nodes(&database, ["worker", "worker"], &config).await;
    until_acknowledged(&sender, COUNT / 2).await;
    doomed_ingest.kill().await;
    soon("the sender's end", sending).await.expect("the sender does not panic");

    all_stored_once_and_delivered(&first, &handler, COUNT).await;
    assert!(sender.failed() > 0, "the sender noticed nothing of the ingest node's death");
    // Leases of the dead were taken over, and who has the event twice can tell.
    let received = handler.received();
    for number in in_hand {
        let attempts: Vec<_> = received.iter().filter(|r| number_of(&r.body) == Some(number)).collect();
        assert!(attempts.len() > 1, "event {number} was not delivered by another");
        let ids: std::collections::BTreeSet<_> = attempts.iter().map(|r| r.header("webhook-id")).collect();
        assert_eq!(ids.len(), 1, "every attempt carries the same id");
    }
    let lines = |node: &Gateway| node.log().matches("\"outcome\":\"delivered\"").count();
    assert!(lines(&second) > 0 && lines(&third) > 0, "both of the others took part");
    for mut node in [first, second, third] {
        assert!(node.terminate().await.success());
    }
}
