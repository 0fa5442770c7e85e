//! What the store asks of a server and of the schema it finds.

use hookhaven_store::{Accepted, StoreError, clock::Clock};
use hookhaven_testbed::{Cluster, ClusterOptions};

use crate::{bench::*, world};

#[tokio::test]
async fn a_schema_that_is_newer_and_fits_is_worked_with_and_one_that_does_not_is_refused() {
    let (url, clock) = (world::database(), world::clock());
    let databases = hookhaven_testbed::shared().unwrap();
    world::node(&url, &clock).await.close().await;
    // As a node that is a version ahead leaves it: expanded only.
    databases.sql_at(&url, "INSERT INTO hookhaven.schema_version VALUES (1000, 1)").unwrap();
    let store = world::node(&url, &clock).await;
    assert_eq!(accept(&store, event("k", clock.now(), &["billing"])).await, Accepted::New { twin: None });
    databases.sql_at(&url, "INSERT INTO hookhaven.schema_version VALUES (1001, 1000)").unwrap();
    let Err(StoreError::Incompatible(why)) = world::try_open(world::options(&url, &clock)).await else {
        panic!("opened")
    };
    assert!(why.contains("1001") && why.contains("newer Hookhaven"), "{why}");
}

#[tokio::test]
async fn nodes_that_start_together_make_the_schema_once() {
    let (url, clock) = (world::database(), world::clock());
    let nodes = (0..6).map(|_| {
        let options = world::options(&url, &clock);
        tokio::spawn(async move { world::try_open(options).await.map(drop) })
    });
    for node in nodes.collect::<Vec<_>>() {
        assert_eq!(node.await.unwrap(), Ok(()));
    }
    let versions = "SELECT count(*), max(version) FROM hookhaven.schema_version";
    assert_eq!(hookhaven_testbed::shared().unwrap().sql_at(&url, versions).unwrap(), "6|6");
}

#[tokio::test]
async fn without_leave_to_migrate_an_old_schema_is_refused() {
    let (url, clock) = (world::database(), world::clock());
    let only_check = || hookhaven_store::postgres::PostgresOptions { migrate: false, ..world::options(&url, &clock) };
    assert!(matches!(world::try_open(only_check()).await, Err(StoreError::Incompatible(_))));
    world::node(&url, &clock).await.close().await;
    assert!(world::try_open(only_check()).await.is_ok());
}

#[tokio::test]
async fn a_server_that_would_lose_what_it_has_is_refused() {
    for setting in ["fsync", "full_page_writes"] {
        let settings = vec![(setting.to_owned(), "off".to_owned())];
        let cluster = Cluster::start(ClusterOptions { settings, ..ClusterOptions::default() }).unwrap();
        let url = cluster.databases().create().unwrap();
        let Err(StoreError::Refused(why)) = world::try_open(world::options(&url, &world::clock())).await else {
            panic!("opened with {setting} off")
        };
        assert!(why.contains(&format!("{setting} = off")), "{why}");
    }
}

#[tokio::test]
async fn commits_are_synchronous_whatever_the_role_says() {
    let (url, clock) = (world::database(), world::clock());
    let databases = hookhaven_testbed::shared().unwrap();
    world::node(&url, &clock).await.close().await;
    let name = url.rsplit('/').next().unwrap();
    databases.sql_at(&url, &format!("ALTER DATABASE {name} SET synchronous_commit = off")).unwrap();
    // What each inserting transaction went by.
    let spy = "CREATE TABLE public.spied (how text); \
        CREATE FUNCTION public.spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
          INSERT INTO public.spied VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$; \
        CREATE TRIGGER spy AFTER INSERT ON hookhaven.keys FOR EACH ROW EXECUTE FUNCTION public.spy()";
    databases.sql_at(&url, spy).unwrap();
    let store = world::node(&url, &clock).await;
    accept(&store, event("k", clock.now(), &["billing"])).await;
    assert_eq!(databases.sql_at(&url, "SELECT DISTINCT how FROM public.spied").unwrap(), "on");
}
