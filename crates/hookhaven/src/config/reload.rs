//! Picking up a changed config file, or a changed secret file, without a restart.
//!
//! A fingerprint of the files' content is polled; file events would miss the renames and symbolic links
//! by which editors and orchestrators replace files. A change is parsed and swapped in as one value, or
//! refused with every problem logged while the old one stays. Polling acts on a change only when it has
//! stood still for a whole round: a file caught half-written can be valid TOML and lack half its sources.
//!
//! What cannot change while the process runs (addresses, the store, limits) keeps its old value in the
//! swapped configuration, so that nothing in the process can disagree about it; a warning says so.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use hookhaven_core::Time;
use hookhaven_store::clock::Clock;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    environment::Environment,
    files::Files,
    load::{self, Loaded, Origin, Reading},
    model::{Config, Publish, Server, ServerTls},
    problem::{Problem, Refused, Severity},
    written::Written,
};

/// How often the files are looked at. With the round of standing still, a change counts within twice that.
pub const POLL: Duration = Duration::from_secs(2);

/// How the last reading went; for `/readyz` and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadState {
    /// When the configuration in use, or one equal to it, was last read.
    pub last_ok_at: Time,
    /// Why the files as they stand now are refused: every problem, one a line. `None` if they are in use.
    pub last_error: Option<String>,
    /// Since when they are refused.
    pub refused_at: Option<Time>,
    /// Counts the configurations taken, the first one as 1.
    pub generation: u64,
    /// What the file says as it was last read, refused or not; `None` if it could not be read.
    pub file: Option<Arc<Written>>,
}

/// What a reading came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reload {
    /// In use now. Warnings have been logged.
    Taken { generation: u64 },
    /// The old one stays.
    Refused(Refused),
}

/// The configuration in use. Cheap to clone; one value is shared by all.
#[derive(Clone, Debug)]
pub struct Live {
    config: Arc<ArcSwap<Config>>,
    state: watch::Receiver<ReloadState>,
    ask: mpsc::Sender<oneshot::Sender<Reload>>,
}

impl Live {
    /// The configuration as it is now. Taken once for one piece of work, so that it sees one value.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// The cell itself, for parts that read it at every request.
    pub fn shared(&self) -> Arc<ArcSwap<Config>> {
        self.config.clone()
    }

    /// The state now; its `changed()` tells of every reading.
    pub fn state(&self) -> watch::Receiver<ReloadState> {
        self.state.clone()
    }

    /// Reads the files now (SIGHUP), whether they changed or not. `None` once the watcher has stopped.
    pub async fn reload(&self) -> Option<Reload> {
        let (answer, answered) = oneshot::channel();
        self.ask.send(answer).await.ok()?;
        answered.await.ok()
    }
}

/// The one task that reads the files again.
#[derive(Debug)]
pub struct Watcher {
    origin: Origin,
    environment: Environment,
    clock: Arc<dyn Clock>,
    config: Arc<ArcSwap<Config>>,
    state: watch::Sender<ReloadState>,
    asked: mpsc::Receiver<oneshot::Sender<Reload>>,
    /// The files as last read.
    read: Files,
    /// The files as last looked at; a change counts once two looks agree.
    seen: Files,
}

/// Begins with what was loaded at start. The watcher does nothing until [`Watcher::run`].
pub fn watch(loaded: Loaded, environment: Environment, clock: Arc<dyn Clock>) -> (Live, Watcher) {
    let file = Some(loaded.config.written.clone());
    let state = ReloadState { last_ok_at: clock.now(), last_error: None, refused_at: None, generation: 1, file };
    let (state, state_now) = watch::channel(state);
    let (ask, asked) = mpsc::channel(1);
    let config = Arc::new(ArcSwap::from_pointee(loaded.config));
    let watcher = Watcher {
        origin: loaded.origin,
        environment,
        clock,
        config: config.clone(),
        state,
        asked,
        read: loaded.files.clone(),
        seen: loaded.files,
    };
    (Live { config, state: state_now, ask }, watcher)
}

impl Watcher {
    /// Polls and answers until every [`Live`] is gone or the future is dropped.
    pub async fn run(mut self) {
        loop {
            let round = self.clock.sleep_until(self.clock.now().plus(POLL));
            tokio::select! {
                () = round => {
                    if self.changed().await {
                        self.read().await;
                    }
                }
                asked = self.asked.recv() => {
                    let Some(answer) = asked else { return };
                    let reload = self.read().await;
                    // Whoever asked may have gone away; the reading counts all the same.
                    let _ = answer.send(reload);
                }
            }
        }
    }

    /// Whether the files differ from those last read, and have stood still since the last look.
    async fn changed(&mut self) -> bool {
        let read = self.read.clone();
        // Files may lie on a slow disk or a network mount.
        let Ok(now) = tokio::task::spawn_blocking(move || read.look()).await else { return false };
        let still = now == self.seen;
        self.seen = now;
        still && self.seen != self.read
    }

    async fn read(&mut self) -> Reload {
        let (origin, environment) = (self.origin.clone(), self.environment.clone());
        let reading = tokio::task::spawn_blocking(move || load::read(&origin, &environment)).await;
        let Ok(Reading { outcome, warnings, files, written, .. }) = reading else {
            let problem = Problem::of(Severity::Error, "", "reading the configuration failed", "");
            return self.refuse(Refused { problems: vec![problem] }, None);
        };
        self.seen = files.clone();
        self.read = files;
        match outcome {
            Ok(config) => self.take(config, &warnings),
            Err(refused) => self.refuse(refused, written),
        }
    }

    fn take(&self, new: Config, warnings: &[Problem]) -> Reload {
        let old = self.config.load_full();
        for warning in warnings.iter().chain(&at_next_start(&old, &new)) {
            tracing::warn!(problem = %warning, "config");
        }
        let file = Some(new.written.clone());
        self.config.store(Arc::new(keep_fixed(&old, new)));
        let at = self.clock.now();
        let generation = self.state.borrow().generation + 1;
        self.state.send_replace(ReloadState { last_ok_at: at, last_error: None, refused_at: None, generation, file });
        tracing::info!(generation, "config read again and in use");
        Reload::Taken { generation }
    }

    fn refuse(&self, refused: Refused, file: Option<Arc<Written>>) -> Reload {
        for problem in &refused.problems {
            tracing::error!(problem = %problem, "config refused, the old one stays");
        }
        let at = self.clock.now();
        self.state.send_modify(|state| {
            state.last_error = Some(refused.to_string());
            state.refused_at.get_or_insert(at);
            state.file = file;
        });
        Reload::Refused(refused)
    }
}

/// The new configuration with the old values of what cannot change while the process runs.
fn keep_fixed(old: &Config, new: Config) -> Config {
    let old = old.clone();
    let publish = Publish {
        made_token: old.publish.made_token,
        tokens: kept(&old.publish.tokens, new.publish.tokens, Vec::is_empty),
        current_signing_key: kept(&old.publish.current_signing_key, new.publish.current_signing_key, Option::is_none),
        next_signing_key: kept(&old.publish.next_signing_key, new.publish.next_signing_key, Option::is_none),
        ..new.publish
    };
    let tls = ServerTls {
        ingest: kept_open(old.server.tls.ingest, new.server.tls.ingest),
        admin: kept_open(old.server.tls.admin, new.server.tls.admin),
    };
    let server = Server {
        public_url: new.server.public_url,
        admin_hosts: new.server.admin_hosts,
        admin_url: new.server.admin_url,
        trusted_proxies: new.server.trusted_proxies,
        tls,
        ..old.server
    };
    Config {
        server,
        store: old.store,
        encryption: old.encryption,
        limits: old.limits,
        worker: old.worker,
        publish,
        net: new.net,
        log: old.log,
        telemetry: old.telemetry,
        quarantine: new.quarantine,
        secret_ages: new.secret_ages,
        redactions: new.redactions,
        alerts: new.alerts,
        sources: new.sources,
        destinations: new.destinations,
        routes: new.routes,
        fingerprint: new.fingerprint,
        written: Arc::new(old.written.after_reload(&new.written)),
        switches: old.switches,
    }
}

/// Credentials that are taken out are only made, or found, at a start.
fn kept<T: Clone>(old: &T, new: T, gone: impl Fn(&T) -> bool) -> T {
    if gone(&new) { old.clone() } else { new }
}

/// A listener with TLS can change what it shows, and never become one without.
fn kept_open<T>(old: Option<T>, new: Option<T>) -> Option<T> {
    old.map(|old| new.unwrap_or(old))
}

/// What the file now says differently and the process cannot change.
fn at_next_start(old: &Config, new: &Config) -> Vec<Problem> {
    let differing = [
        ("server.role", old.server.role != new.server.role),
        ("encryption", old.encryption != new.encryption),
        ("server.ingest", old.server.ingest != new.server.ingest),
        ("server.admin", old.server.admin != new.server.admin),
        ("server.admin_token", old.server.admin_token != new.server.admin_token),
        ("server.tls.ingest", old.server.tls.ingest.is_some() != new.server.tls.ingest.is_some()),
        ("server.tls.admin", old.server.tls.admin.is_some() != new.server.tls.admin.is_some()),
        ("store", old.store != new.store),
        ("limits", old.limits != new.limits),
        ("worker", old.worker != new.worker),
        ("log", old.log != new.log),
        ("telemetry", old.telemetry != new.telemetry),
        ("publish.tokens", new.publish.tokens.is_empty() && !old.publish.tokens.is_empty()),
        ("publish.current_signing_key", new.publish.signing_keys().is_none() && old.publish.signing_keys().is_some()),
    ];
    let warning = |key| Problem::of(Severity::Warning, key, "changed, and takes effect at the next start", "");
    differing.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| warning(key)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use hookhaven_store::clock::ManualClock;

    use super::*;

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
        assert!(
            error.contains("hookhaven.toml:5:1: sources.s.sendr: unknown key; did you mean \"sender\"?"),
            "{error}"
        );
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
        watched
            .write(&format!("{SOUND}[server]\nadmin = \"127.0.0.1:9\"\nadmin_hosts = [\"h\"]\n[worker]\nslots = 9\n"));
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
        let publish =
            |token: &str| format!("{SOUND}[publish]\ntokens = [\"{token}\"]\n[net]\nallow = [\"10.0.0.0/8\"]\n");
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
}
