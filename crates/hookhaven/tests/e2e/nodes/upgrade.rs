//! A rolling upgrade: the schema is expanded under nodes of the version before, which go on working.

use hookhaven_store::postgres::{
    PostgresAddress,
    examine::{self, Migration},
};

use super::*;

const COUNT: u64 = 2_000;

/// What a later version may do first: add columns, indexes and tables, and change nothing that is there.
const EXPAND: &str = "ALTER TABLE live ADD COLUMN shade text; ALTER TABLE ended ADD COLUMN shade text; \
    ALTER TABLE events ADD COLUMN origin text NOT NULL DEFAULT 'here'; \
    ALTER TABLE nodes ADD COLUMN zone text NOT NULL DEFAULT ''; \
    ALTER TABLE sessions ADD COLUMN zone text; ALTER TABLE keys ADD COLUMN shade int; \
    CREATE TABLE later (id bigint PRIMARY KEY); CREATE INDEX live_shade ON live (shade)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_of_the_version_before_go_on_while_the_schema_is_expanded() {
    let handler = Handler::answering(200).await;
    let (database, config) = (database(), config(&handler, "concurrency = 64"));
    let [first, mut second, worker] = nodes(&database, ["all", "ingest", "worker"], &config).await;
    let sender = sender(&[&first, &second], COUNT);
    let sending = tokio::spawn(sender.clone().send());
    until_acknowledged(&sender, COUNT / 4).await;
    let address = PostgresAddress { url: database.clone(), password: None, user: None };
    let expand = [Migration { version: 1000, oldest: 2, sql: EXPAND }];
    assert_eq!(examine::migrate_by(&address, &expand).await, Ok((6, 1000)));
    until_acknowledged(&sender, COUNT / 2).await;
    // One of the version before may even start anew.
    let [late] = nodes(&database, ["worker"], &config).await;
    soon("the sender's end", sending).await.expect("the sender does not panic");
    all_stored_once_and_delivered(&first, &handler, COUNT).await;
    assert_eq!(sender.failed(), 0, "some try failed");
    for node in [&first, &second, &worker, &late] {
        assert!(!node.log().contains("\"level\":\"ERROR\""), "{}", node.log());
        assert!(!node.log().contains("\"level\":\"WARN\""), "{}", node.log());
    }
    assert!(second.terminate().await.success());
}
