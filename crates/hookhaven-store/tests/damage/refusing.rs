//! A directory that cannot be written, and a sync that fails: refused, and nothing half done.

use std::{collections::BTreeSet, process::Command, sync::Arc, time::Duration};

use hookhaven_store::{Accepted, Leave, Store, StoreError, embedded::disk::SimDisk};

use crate::world::{World, body, listed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_became_read_only_refuses_and_keeps_what_there_is() {
    let world = World::new(1);
    let disk = SimDisk::new(1, world.dir.path());
    let store = world.open_on(Arc::new(disk.clone()));
    world.accept(&store, "before").await.unwrap();
    disk.read_only();
    let during = world.accept(&store, "during").await;
    assert!(matches!(during, Err(StoreError::Unavailable(_))), "{during:?}");
    assert_eq!(listed(&store).await.into_keys().collect::<Vec<_>>(), ["before"]);
    store.close().await;
    let again = world.try_open_on(Arc::new(disk), world.data()).unwrap_err();
    assert!(matches!(&again, StoreError::Failed(why) if why.contains("read-only")), "{again}");
}

/// The same on a real mount, where this machine allows one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_read_only_directory_is_refused_with_its_name_and_can_be_examined() {
    let world = World::new(1);
    let store = world.open();
    world.accept(&store, "before").await.unwrap();
    store.close().await;
    let Some(_mount) = Mount::read_only(&world.data()) else { return };
    let told = world.try_open_on(Arc::new(hookhaven_store::embedded::disk::RealDisk), world.data()).unwrap_err();
    assert!(told.to_string().contains(&*world.data().to_string_lossy()), "{told}");
    let report = world.doctor();
    assert!(report.is_sound() && report.events == 1, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_sync_fails_all_who_wait_are_refused_and_nothing_of_it_is_applied() {
    for seed in 0..10 {
        let world = World::new(seed);
        let disk = SimDisk::new(seed, world.dir.path());
        let store = Arc::new(world.open_on(Arc::new(disk.clone())));
        world.accept(&store, "before").await.unwrap();
        // Once this is answered, the writer has told all there was to tell of the event before.
        assert_eq!(store.release_lapsed().await, Ok(0));
        let wake = store.wake();
        let _ = tokio::time::timeout(Duration::ZERO, wake.notified()).await;
        disk.fail_sync_after(0);
        let waiters: Vec<_> = (0..8)
            .map(|n| {
                let (store, new) = (store.clone(), world.event(&format!("k{n}"), body("k")));
                tokio::spawn(async move { store.accept(vec![new]).await })
            })
            .collect();
        let mut stored = BTreeSet::from(["before".to_owned()]);
        let mut refused = 0;
        for (n, waiter) in waiters.into_iter().enumerate() {
            match waiter.await.unwrap() {
                Ok(answer) => {
                    assert_eq!(answer, [Accepted::New { twin: None }]);
                    stored.insert(format!("k{n}"));
                }
                Err(StoreError::Unavailable(_)) => refused += 1,
                Err(e) => panic!("{e}"),
            }
        }
        assert!(refused > 0);
        // Woken when it is open again.
        wake.notified().await;
        assert_eq!(store.ready(Leave::NOTHING), Ok(()));
        // What it says now it says after a power cut, and all who were told yes are among it.
        let said = listed(&store).await;
        assert!(stored.iter().all(|key| said.contains_key(key)), "seed {seed}");
        let store = world.open_on(Arc::new(disk.power_cut(seed)));
        assert_eq!(listed(&store).await, said, "seed {seed}");
    }
}

/// A mount that goes with the value. Only root may, and not everywhere.
pub struct Mount(std::path::PathBuf);

impl Mount {
    fn run(arguments: &[&std::ffi::OsStr]) -> bool {
        Command::new("mount").args(arguments).output().is_ok_and(|done| done.status.success())
    }

    pub fn tmpfs(at: &std::path::Path, options: &str) -> Option<Self> {
        let given = ["-t", "tmpfs", "-o", options, "none"].map(std::ffi::OsStr::new);
        Self::run(&[&given[..], &[at.as_os_str()]].concat()).then(|| Mount(at.to_owned()))
    }

    /// Mounts a directory over itself, read-only.
    pub fn read_only(at: &std::path::Path) -> Option<Self> {
        if !Self::run(&["--bind".as_ref(), at.as_os_str(), at.as_os_str()]) {
            return None;
        }
        let mount = Mount(at.to_owned());
        Self::run(&["-o".as_ref(), "remount,bind,ro".as_ref(), at.as_os_str()]).then_some(mount)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).output();
    }
}
