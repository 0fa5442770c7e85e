//! A disk that fills up under load: 503 before the body is read, nothing acknowledged lost, what was taken
//! is delivered, and with room it goes on without a restart.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use futures_util::future::join_all;
use hookhaven_load::gateway::poll;
use hookhaven_store::{
    EventFilter, Page, Store,
    clock::SeededEntropy,
    embedded::{EmbeddedOptions, EmbeddedStore, disk::SimDisk, space::SpaceLimits},
};

use crate::support::{
    PATIENCE,
    clocked::{Clocked, SECRET},
    gateway::Gateway,
    handler::Handler,
};

const SENDERS: u64 = 4;

fn store_on(gateway: &Clocked, disk: &SimDisk) -> Arc<dyn Store> {
    let store = EmbeddedStore::open(EmbeddedOptions {
        dir: gateway.directory.path().join("simulated"),
        pending_max: 100_000,
        segment_bytes: 128 << 10,
        index_lag_bytes_max: 64 << 20,
        queue: Default::default(),
        space: SpaceLimits { free_min_bytes: 300_000, reserve_bytes: 100_000 },
        disk: Arc::new(disk.clone()),
        clock: Arc::new(gateway.clock.clone()),
        entropy: Arc::new(SeededEntropy::new(9)),
    });
    Arc::new(store.expect("it opens"))
}

async fn keys(store: &dyn Store) -> BTreeSet<String> {
    let rows = store.events(&EventFilter::default(), Page::first(100_000)).await.expect("a list");
    rows.into_iter().map(|row| row.idempotency_key.to_string()).collect()
}

async fn all_settled(store: &dyn Store) {
    let settled = poll(PATIENCE, async || (store.stats().await.ok()?.pending == 0).then_some(()));
    settled.await.expect("all is settled in the end");
}

/// Posts until refused; the keys of what was taken.
async fn sender(gateway: &Clocked, which: u64) -> BTreeSet<String> {
    let mut taken = BTreeSet::new();
    for n in 0..5_000 {
        let number = which * 10_000 + n;
        let answer = gateway.post("stripe", number).await;
        match answer.status {
            200 => taken.insert(format!("evt_t{number:012}")),
            503 => {
                assert_eq!(answer.header("retry-after"), Some("5"));
                return taken;
            }
            status => panic!("answered {status}"),
        };
    }
    panic!("the disk does not fill up");
}

#[tokio::test]
async fn a_simulated_disk_that_fills_up_under_load() {
    let handler = Handler::answering(200).await;
    let config = format!(
        "[worker]\nsession_ttl = \"1h\"\n\n\
         [sources.stripe]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\n\
         [destinations.billing]\nurl = \"{}\"\n\n[[routes]]\nsource = \"stripe\"\nto = [\"billing\"]\n",
        handler.url()
    );
    let mut gateway = Clocked::prepare("", &config);
    let disk = SimDisk::new(1, gateway.directory.path());
    let store = store_on(&gateway, &disk);
    disk.quota(disk.used_bytes() + 1_000_000);
    gateway.serve_on(store.clone()).await;
    let taken = join_all((0..SENDERS).map(|which| sender(&gateway, which))).await;
    let mut taken: BTreeSet<String> = taken.into_iter().flatten().collect();
    assert!(taken.len() > 100, "{} were taken", taken.len());
    // Refused before the body is read: it never comes.
    let head =
        b"POST /webhooks/stripe HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n";
    assert_eq!(gateway.exchange(head).await.status, 503);
    // And then others take all that is left. What was taken is delivered, and its end recorded.
    disk.quota(disk.used_bytes());
    handler.until(taken.len()).await;
    // Although the disk is full.
    all_settled(&*store).await;
    assert_eq!(gateway.metric("webhook_refused_total", "store_not_ready").await.min(1.0), 1.0);
    // Room again, and no restart.
    disk.quota(disk.used_bytes() + 2_000_000);
    let again = poll(PATIENCE, async || (gateway.post("stripe", 99_999).await.status == 200).then_some(()));
    again.await.expect("it is taken in the end");
    taken.insert("evt_t000000099999".into());
    assert_eq!(keys(&*store).await, taken, "what was taken, and nothing that was refused");

    all_settled(&*store).await;
    let after = disk.power_cut(7);
    gateway.stop().await;
    assert_eq!(keys(&*store_on(&gateway, &after)).await, taken);
}

/// A mount that goes with the value.
struct Mount(PathBuf);

impl Mount {
    /// `None` where this is not allowed.
    fn tmpfs(at: &Path, size: &str) -> Option<Self> {
        let options = format!("size={size}");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(at).output().ok()?;
        done.status.success().then(|| Mount(at.to_owned()))
    }

    fn resize(&self, size: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,size={size}")]).arg(&self.0).output();
        assert!(done.expect("mount runs").status.success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

/// The real binary on a real file system, where this machine allows a mount.
#[tokio::test]
async fn a_real_disk_that_fills_up_under_load() {
    let handler = Handler::answering(200).await;
    let mut gateway = Gateway::prepare("");
    std::fs::create_dir_all(gateway.data()).expect("a place for the mount");
    let Some(mount) = Mount::tmpfs(&gateway.data(), "24m") else { return };
    gateway.write_file(&format!(
        "[server]\ningest = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\n\
         [store]\nurl = \"file:{}\"\nfree_min = \"6MiB\"\nreserve = \"2MiB\"\n\n\
         [sources.plain]\nsender = \"unverified\"\nallow = [\"127.0.0.1\"]\n\n\
         [destinations.billing]\nurl = \"{}\"\n\n[[routes]]\nsource = \"plain\"\nto = [\"billing\"]\n",
        gateway.data().display(),
        handler.url()
    ));
    gateway.serve().await;
    let json = [("content-type".to_owned(), "application/json".to_owned())];
    let body = |n: usize| format!("{{\"n\":{n},\"filling\":\"{}\"}}", "x".repeat(50_000));
    let mut taken = 0;
    let refused = loop {
        let answer = gateway.post("/webhooks/plain", &json, body(taken).as_bytes()).await;
        if answer.status != 200 {
            break answer;
        }
        taken += 1;
    };
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")), "after {taken}");
    assert!(taken > 100, "{taken} were taken");
    let other = gateway.data().join("of-somebody-else");
    let filled = File::create(&other).and_then(|mut file| io::copy(&mut io::repeat(7), &mut file));
    assert_eq!(filled.expect_err("it is full").kind(), io::ErrorKind::StorageFull);
    handler.until(taken).await;
    gateway.until_drained().await;
    let status = gateway.get("/api/v1/status").await;
    assert_eq!(status["accepting"], false);
    assert!(status["reasons"][0].as_str().is_some_and(|why| why.contains("store.free_min")), "{status:#}");

    std::fs::remove_file(other).expect("a file that is there");
    mount.resize("64m");
    let again = poll(PATIENCE, async || {
        let answer = gateway.post("/webhooks/plain", &json, body(taken).as_bytes()).await;
        (answer.status == 200).then_some(())
    });
    again.await.expect("it is taken in the end");
    gateway.restart().await;
    assert_eq!(gateway.items("/api/v1/events?limit=500").await.len(), taken + 1);
    gateway.terminate().await;
}
