//! What `check` and `migrate` say of a database before a node is started on it.

use std::process::Output;

use hookhaven_testbed::{Cluster, ClusterOptions};

use super::*;
use crate::support::output::stdout;

fn told(output: &Output) -> String {
    stdout(output) + &String::from_utf8_lossy(&output.stderr)
}

async fn checked(url: &str) -> (Option<i32>, String) {
    let handler = Handler::answering(200).await;
    let node = Gateway::node(url, "all", &config(&handler, ""));
    let output = node.cli(&["check"]).await;
    (output.status.code(), told(&output))
}

#[tokio::test]
async fn a_database_that_will_do_is_fine_and_one_that_will_not_is_explained() {
    let databases = hookhaven_testbed::shared().unwrap_or_else(|error| panic!("{error:#}"));
    let url = database();
    let (code, text) = checked(&url).await;
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(databases.sql_at(&url, "SELECT to_regnamespace('hookhaven') IS NULL").unwrap(), "t");

    let none = format!("{url}_none");
    let nobody = url.replace("hookhaven@", "nobody:hunter2@");
    let closed = "postgres://u:hunter2@127.0.0.1:1/db".to_owned();
    for (url, what) in [
        (&none, "does not exist (SQLSTATE 3D000); create it"),
        (&nobody, "check the user in store.url, store.password"),
        (&closed, "check host and port in store.url, and that the database is up"),
    ] {
        let (code, text) = checked(url).await;
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(what) && text.contains("hookhaven.toml:8:7: store.url:"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    databases.sql_at(&url, "CREATE ROLE reader LOGIN").ok();
    let reader = url.replace("hookhaven@", "reader@");
    let (code, text) = checked(&reader).await;
    assert!(code == Some(2) && text.contains("which this user may not bring it to; GRANT CREATE"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_sync_is_refused_by_check_and_by_serve() {
    let settings = vec![("fsync".to_owned(), "off".to_owned())];
    let cluster = Cluster::start(ClusterOptions { settings, ..ClusterOptions::default() }).expect("a server");
    let url = cluster.databases().create().expect("a database");
    let (code, text) = checked(&url).await;
    assert!(code == Some(2) && text.contains("fsync = off"), "{text}");
    let handler = Handler::answering(200).await;
    let node = Gateway::node(&url, "all", &config(&handler, ""));
    let output = node.cli(&["serve"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("fsync = off"), "{output:?}");
}

#[tokio::test]
async fn migrate_makes_the_schema_and_says_so() {
    let (url, handler) = (database(), Handler::answering(200).await);
    let config = format!("migrate = false\n{}", config(&handler, ""));
    let node = Gateway::node(&url, "all", &config);
    let output = node.cli(&["serve"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("run `hookhaven migrate`"), "{output:?}");
    let (mut together, again) = (Vec::new(), ["The schema is up to date", "The schema was made"]);
    for output in [node.cli(&["migrate"]).await, node.cli(&["migrate"]).await] {
        assert!(output.status.success(), "{output:?}");
        together.push(stdout(&output));
    }
    assert!(together[0].starts_with(again[1]) && together[1].starts_with(again[0]), "{together:?}");
    let [mut node] = nodes(&url, ["all"], &config).await;
    assert!(node.terminate().await.success());
    let newer = "INSERT INTO hookhaven.schema_version VALUES (1001, 1000)";
    hookhaven_testbed::shared().expect("a server").sql_at(&url, newer).expect("it is written");
    let (code, text) = checked(&url).await;
    assert!(code == Some(2) && text.contains("use the newer Hookhaven"), "{text}");
}
