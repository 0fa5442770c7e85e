//! What becomes of changed files, in a directory of their own and on a clock that the test moves.

use std::path::PathBuf;

use hookhaven_store::clock::ManualClock;

use super::*;
use crate::config::model::Publish;

const SOUND: &str = "[destinations.a]\nurl = \"http://127.0.0.1:3000/\"\nsecret = \"file:secret\"\n\
                     [sources.s]\nsender = \"stripe\"\nsecrets = [\"one\"]\n\
                     [[routes]]\nsource = \"s\"\nto = [\"a\"]\n";
const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A watched config in a directory of its own, on a clock that the test moves.
struct Watched {
    dir: tempfile::TempDir,
    clock: ManualClock,
    live: Live,
    task: tokio::task::JoinHandle<()>,
}

impl Watched {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hookhaven.toml");
        std::fs::write(&file, SOUND).unwrap();
        std::fs::write(dir.path().join("secret"), SECRET).unwrap();
        let clock = ManualClock::at(Time::from_s(1_000));
        let origin = Origin { file: Some(file), ..Origin::default() };
        let loaded = load::load(origin, &Environment::default()).unwrap();
        let (live, watcher) = watch(loaded, Environment::default(), Arc::new(clock.clone()));
        Watched { dir, clock, live, task: tokio::spawn(watcher.run()) }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("hookhaven.toml")
    }

    fn write(&self, text: &str) {
        std::fs::write(self.file(), text).unwrap();
    }

    /// Lets one round pass, to its end.
    async fn round(&self) {
        self.asleep().await;
        self.clock.advance(POLL);
        self.asleep().await;
    }

    async fn asleep(&self) {
        while self.clock.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
    }

    fn state(&self) -> ReloadState {
        self.live.state().borrow().clone()
    }

    fn url(&self) -> String {
        self.live.config().destinations["a"].url.to_string()
    }
}

#[tokio::test]
async fn a_changed_file_is_taken_once_it_has_stood_still() {
    let watched = Watched::start();
    watched.round().await;
    watched.round().await;
    assert_eq!(watched.state().generation, 1);

    watched.write(&SOUND.replace("3000", "3001"));
    watched.round().await;
    assert_eq!(watched.state().generation, 1);
    watched.round().await;
    assert_eq!((watched.state().generation, watched.url().as_str()), (2, "http://127.0.0.1:3001/"));
    assert_eq!(watched.state().last_ok_at, watched.clock.now());
    watched.round().await;
    assert_eq!(watched.state().generation, 2);
}

#[tokio::test]
async fn a_half_written_file_is_never_acted_upon() {
    let watched = Watched::start();
    // Valid as far as it goes, and without any source.
    watched.write("[destinations.a]\nurl = \"http://127.0.0.1:3000/\"\n");
    watched.round().await;
    watched.write(&SOUND.replace("3000", "3001"));
    watched.round().await;
    assert_eq!((watched.state().generation, watched.state().last_error), (1, None));
    watched.round().await;
    assert_eq!((watched.state().generation, watched.live.config().sources.len()), (2, 1));
}

#[tokio::test]
async fn a_bad_file_is_refused_with_the_message_of_check_and_mended_later() {
    let watched = Watched::start();
    watched.write(&SOUND.replace("sender", "sendr"));
    watched.round().await;
    watched.round().await;
    let state = watched.state();
    let error = state.last_error.unwrap();
    assert!(error.contains("hookhaven.toml:5:1: sources.s.sendr: unknown key; did you mean \"sender\"?"), "{error}");
    assert_eq!((state.generation, state.last_ok_at), (1, Time::from_s(1_000)));
    assert!(state.file.is_some_and(|file| file.get("sources.s.sendr").is_some()), "as it stands now");
    assert_eq!(watched.live.config().sources.len(), 1);

    watched.write(SOUND);
    watched.round().await;
    watched.round().await;
    assert_eq!((watched.state().generation, watched.state().last_error), (2, None));
}

#[tokio::test]
async fn a_file_that_is_gone_keeps_the_old_config() {
    let watched = Watched::start();
    std::fs::remove_file(watched.file()).unwrap();
    watched.round().await;
    watched.round().await;
    assert!(watched.state().last_error.is_some_and(|e| e.contains("there is no such file")));
    assert_eq!(watched.live.config().sources.len(), 1);
}

#[tokio::test]
async fn a_changed_secret_file_is_a_changed_config() {
    let watched = Watched::start();
    let path = watched.dir.path().join("secret");
    std::fs::remove_file(&path).unwrap();
    watched.round().await;
    watched.round().await;
    assert!(watched.state().last_error.is_some_and(|e| e.contains("cannot read the secret file")));

    std::fs::write(&path, format!("{SECRET}\n")).unwrap();
    watched.round().await;
    watched.round().await;
    assert_eq!((watched.state().generation, watched.state().last_error), (2, None));
    assert_eq!(watched.live.config().destinations["a"].secrets[0].expose(), SECRET.as_bytes());
}

#[tokio::test]
async fn when_asked_it_reads_at_once() {
    let watched = Watched::start();
    watched.write(&SOUND.replace("3000", "3001"));
    assert_eq!(watched.live.reload().await, Some(Reload::Taken { generation: 2 }));
    assert_eq!(watched.url(), "http://127.0.0.1:3001/");
    watched.write("[");
    assert!(matches!(watched.live.reload().await, Some(Reload::Refused(_))));
    assert_eq!(watched.url(), "http://127.0.0.1:3001/");
}

#[tokio::test]
async fn what_cannot_change_keeps_its_value_and_is_warned_of() {
    let watched = Watched::start();
    let old = watched.live.config();
    watched.write(&format!("{SOUND}[server]\nadmin = \"127.0.0.1:9\"\nadmin_hosts = [\"h\"]\n[worker]\nslots = 9\n"));
    watched.live.reload().await;
    let new = watched.live.config();
    assert_eq!((new.server.admin, new.worker.slots), (old.server.admin, old.worker.slots));
    assert_eq!(new.server.admin_hosts, ["h"]);
    let file = watched.state().file.unwrap();
    let differing: Vec<_> = new.written.differences(&file, false).into_iter().map(|d| d.key).collect();
    assert_eq!(differing, ["server.admin", "worker.slots"], "what is shown as in force is what is");

    let mut wanted = Config::clone(&old);
    wanted.server.admin.set_port(9);
    wanted.worker.slots = 9;
    let warnings: Vec<String> = at_next_start(&old, &wanted).iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "warning: server.admin: changed, and takes effect at the next start",
            "warning: worker: changed, and takes effect at the next start",
        ]
    );
}

#[tokio::test]
async fn tokens_and_networks_are_taken_at_once_and_credentials_never_vanish() {
    let watched = Watched::start();
    let (token, other) = ("0123456789abcdef0123", "other-0123456789abcdef");
    let publish = |token: &str| format!("{SOUND}[publish]\ntokens = [\"{token}\"]\n[net]\nallow = [\"10.0.0.0/8\"]\n");
    for now in [token, other] {
        watched.write(&publish(now));
        watched.live.reload().await;
        let config = watched.live.config();
        assert_eq!(config.publish.full_tokens()[0].expose(), now.as_bytes());
        assert_eq!(config.net.allow.len(), 1);
    }
    // Without any, nobody could publish, and none is made while it runs.
    let old = watched.live.config();
    watched.write(SOUND);
    watched.live.reload().await;
    let new = watched.live.config();
    assert_eq!(new.publish.full_tokens()[0].expose(), other.as_bytes());
    assert!(new.net.allow.is_empty());
    assert!(new.written.get("publish.tokens").is_some() && new.written.get("net.allow").is_none());
    let warned = at_next_start(&old, &Config { publish: Publish::default(), ..Config::clone(&old) });
    assert_eq!(
        warned.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["warning: publish.tokens: changed, and takes effect at the next start"]
    );
}

#[tokio::test]
async fn the_watcher_ends_with_those_who_use_it() {
    let Watched { live, task, .. } = Watched::start();
    drop(live);
    task.await.unwrap();
}
