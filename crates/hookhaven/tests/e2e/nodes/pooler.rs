//! Through PgBouncer in transaction mode, with and without another address to listen at.

use super::*;

const COUNT: u64 = 300;
/// Nobody is there.
const NOWHERE: &str = "postgres://hookhaven@127.0.0.1:1/none";

async fn works(direct: &str, listen_url: &str, listening: &str) {
    let pooler = hookhaven_testbed::pooler::shared().unwrap_or_else(|error| panic!("{error:#}"));
    let pooled = pooler.url(direct.rsplit('/').next().expect("a name"));
    let handler = Handler::answering(200).await;
    let config = format!("listen_url = \"{listen_url}\"\n{}", config(&handler, ""));
    let [ingest, worker, _other] = nodes(&pooled, ["ingest", "worker", "worker"], &config).await;
    soon("the sender's end", sender(&[&ingest], COUNT).send()).await;
    all_stored_once_and_delivered(&worker, &handler, COUNT).await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN hookhaven_wake' \
               AND datname = current_database()";
    let databases = hookhaven_testbed::shared().expect("a server");
    assert_eq!(databases.sql_at(direct, sql).expect("an answer"), listening);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_in_transaction_mode_may_stand_between() {
    let direct = database();
    works(&direct, &direct, "3").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_notifications_cannot_be_heard_it_looks_every_second() {
    works(&database(), NOWHERE, "0").await;
}
