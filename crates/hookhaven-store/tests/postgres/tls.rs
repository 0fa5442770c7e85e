//! TLS: only to a server whose certificate and name were checked.

use hookhaven_store::{Accepted, StoreError, clock::Clock};
use hookhaven_testbed::{Cluster, ClusterOptions};

use crate::{bench::*, world};

#[tokio::test]
async fn a_connection_is_made_only_to_a_server_that_is_who_it_should_be() {
    let cluster = Cluster::start(ClusterOptions { tls: true, ..ClusterOptions::default() }).unwrap();
    let (clock, plain) = (world::clock(), cluster.databases().create().unwrap());
    let root = cluster.root_certificate().display().to_string();
    let named = plain.replace("127.0.0.1", "localhost");
    for mode in ["require", "verify-full"] {
        let store = world::node(&format!("{named}?sslmode={mode}&sslrootcert={root}"), &clock).await;
        assert_eq!(accept(&store, event(mode, clock.now(), &["billing"])).await, Accepted::New { twin: None });
        let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
            WHERE application_name = 'hookhaven'";
        assert_eq!(cluster.databases().sql_at(&plain, encrypted).unwrap(), "t");
        store.close().await;
    }
    for (case, url) in [
        ("another root", format!("{named}?sslmode=require")),
        ("another name", format!("{plain}?sslmode=require&sslrootcert={root}")),
    ] {
        let opened = world::try_open(world::options(&url, &clock)).await;
        let Err(StoreError::Unavailable(why)) = opened else { panic!("{case}: {opened:?}") };
        assert!(why.contains("certificate"), "{case}: {why}");
    }
}
