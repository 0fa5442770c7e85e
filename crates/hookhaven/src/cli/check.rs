//! `hookhaven check`: would the gateway start, and would it do what was meant? Every problem at once, with
//! file and line where there is one, and how to mend it.
//!
//! Changes nothing: ports are bound and let go, the data directory is not created.

use std::{process::ExitCode, sync::Arc};

use hookhaven_core::{sender::Cover, source::Source};
use serde::Serialize;

use super::{
    Context, USAGE,
    args::CheckArgs,
    probe::{self, SenderNetworks},
};
use crate::config::{Config, Loaded, Problem, Severity};

pub async fn run(args: CheckArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let report = report(args.offline, context).await;
    if context.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.text());
    }
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::from(USAGE) })
}

/// What was found, as `--json` prints it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether the gateway would start.
    pub ok: bool,
    /// The config file, or that there is none.
    pub config: Option<std::path::PathBuf>,
    /// Whether a hookhaven runs with this data directory, or at this admin address.
    pub running: bool,
    pub problems: Vec<Problem>,
    /// What is no problem, and good to know.
    pub notes: Vec<String>,
    /// What senders publish of their addresses, where a source goes by it; not asked for offline.
    pub sender_networks: Vec<SenderNetworks>,
    /// Its store may have other nodes.
    #[serde(skip)]
    shared: bool,
    #[serde(skip)]
    content: Option<String>,
}

async fn report(offline: bool, context: &Context) -> Report {
    let origin = context.origin();
    let config = origin.file.clone();
    match context.load() {
        Err(refused) => {
            let (problems, notes, sender_networks) = (refused.problems, Vec::new(), Vec::new());
            let content = None;
            Report { ok: false, config, running: false, problems, notes, sender_networks, shared: false, content }
        }
        Ok(loaded) => {
            let probe::Found { running, mut problems } = probe::machine(&loaded).await;
            let mut sender_networks = Vec::new();
            if !offline {
                problems.extend(probe::destinations(&loaded.config).await);
                problems.extend(probe::collector(&loaded.config).await);
                let (known, unknown) = probe::sender_networks(&loaded.config).await;
                sender_networks = known;
                problems.extend(unknown);
            }
            if running && !offline {
                problems.extend(probe::secrets(context).await);
            }
            let Loaded { config: settings, warnings, places, .. } = loaded;
            let problems = problems.into_iter().map(|problem| places.locate(problem));
            let problems: Vec<Problem> = warnings.into_iter().chain(problems).collect();
            let ok = !problems.iter().any(Problem::is_error);
            let (shared, notes, content) = (settings.shares_store(), notes(&settings), Some(content(&settings)));
            Report { ok, config, running, problems, notes, sender_networks, shared, content }
        }
    }
}

impl Report {
    fn text(&self) -> String {
        let mut text: String = self.problems.iter().map(|problem| format!("{problem}\n")).collect();
        self.notes.iter().for_each(|note| text.push_str(&format!("note: {note}\n")));
        if self.running {
            let of = if self.shared { "at this admin address" } else { "with this data directory" };
            text.push_str(&format!("a hookhaven is running {of}; it takes a changed file by itself\n"));
        }
        for SenderNetworks { sender, networks } in &self.sender_networks {
            text.push_str(&format!("{sender} publishes {}\n", counted(*networks, "network")));
        }
        let errors = self.count(Severity::Error);
        let warnings = self.count(Severity::Warning);
        let name = self.config.as_ref().map_or("no config file, the defaults".to_owned(), |f| f.display().to_string());
        let verdict = match (errors, warnings) {
            (0, 0) => "fine".to_owned(),
            (0, n) => format!("fine, with {}", counted(n, "warning")),
            (n, 0) => counted(n, "error"),
            (n, m) => format!("{}, {}", counted(n, "error"), counted(m, "warning")),
        };
        let content = self.content.as_ref().map(|c| format!(" ({c})")).unwrap_or_default();
        text.push_str(&format!("{name}: {verdict}{content}\n"));
        text
    }

    fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|p| p.severity == severity).count()
    }
}

/// Sources whose sender signs the body and neither an id nor a time.
fn notes(config: &Config) -> Vec<String> {
    let open = |source: &&Arc<Source>| {
        let sender = &source.sender;
        let covers = matches!(sender.covers(), Cover::Whole | Cover::Checksum);
        covers && !sender.signs_id() && !sender.signs_time() && !source.refuses_replay
    };
    let note = |source: &Arc<Source>| {
        format!(
            "sources.{}: {} does not sign the event's id, so whoever holds one of its requests can send it again under \
             another id; that is counted (webhook_suspicious_total), and refused with replay = \"refuse\"",
            source.name,
            source.sender.name()
        )
    };
    let of_sources = config.sources.values().filter(open).map(note);
    of_sources.chain(bare_keys(config)).collect()
}

/// Where what is encrypted is no safer than the admin token.
fn bare_keys(config: &Config) -> Option<String> {
    let wrapped_by_token = config.shares_store() && config.encryption.master.is_none();
    wrapped_by_token.then(|| {
        "encryption.master_key is not set, so what is encrypted in the database is protected by the admin token alone: \
         who has a copy of the database can try tokens on it (`hookhaven master-key generate` makes a key)"
            .to_owned()
    })
}

fn content(config: &Config) -> String {
    let sources = counted(config.sources.len(), "source");
    let destinations = counted(config.destinations.len(), "destination");
    let routes = counted(config.routes.len(), "route");
    format!("{sources}, {destinations}, {routes}")
}

fn counted(n: usize, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, path::Path};

    use super::*;
    use crate::config::Environment;

    /// A config on any free ports whose one destination is `url`.
    fn written(dir: &Path, url: &str) -> Context {
        let text = format!(
            "[server]\ningest = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n[sources.s]\nsender = \"stripe\"\nsecrets = [\"env:S\"]\n\
             [destinations.d]\nurl = \"{url}\"\n[[routes]]\nsource = \"s\"\nto = [\"d\"]\n"
        );
        let path = dir.join("hookhaven.toml");
        std::fs::write(&path, text).unwrap();
        let environment = Environment::from_iter([("S", "whsec_x")]);
        Context { config_path: Some(path), environment, ..Context::default() }
    }

    fn shown(report: &Report, dir: &Path) -> String {
        report.text().replace(&format!("{}/", dir.display()), "")
    }

    #[tokio::test]
    async fn a_sound_config_is_fine_and_nothing_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let handler = TcpListener::bind("127.0.0.1:0").unwrap();
        let context = written(dir.path(), &format!("http://{}/", handler.local_addr().unwrap()));
        let report = report(false, &context).await;
        assert_eq!(shown(&report, dir.path()), "hookhaven.toml: fine (1 source, 1 destination, 1 route)\n");
        assert!(report.ok);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn sources_with_unsigned_ids_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let context = written(dir.path(), "http://127.0.0.1:9/");
        let path = dir.path().join("hookhaven.toml");
        let text = std::fs::read_to_string(&path).unwrap().replace("\"stripe\"", "\"github\"");
        std::fs::write(&path, &text).unwrap();
        let told = shown(&report(true, &context).await, dir.path());
        assert!(told.starts_with("note: sources.s: github does not sign the event's id"), "{told}");
        std::fs::write(&path, text.replace("sender =", "replay = \"refuse\"\nsender =")).unwrap();
        let told = shown(&report(true, &context).await, dir.path());
        assert!(!told.contains("note:"), "{told}");
    }

    #[tokio::test]
    async fn a_destination_that_does_not_answer_is_a_warning_unless_offline() {
        let dir = tempfile::tempdir().unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let context = written(dir.path(), &format!("http://{gone}/"));
        let online = report(false, &context).await;
        let text = shown(&online, dir.path());
        assert!(
            online.ok && text.contains("hookhaven.toml:7:15: warning: destinations.d: cannot connect to 127.0.0.1:"),
            "{text}"
        );
        assert!(text.ends_with("fine, with 1 warning (1 source, 1 destination, 1 route)\n"), "{text}");
        assert!(report(true, &context).await.problems.is_empty());
    }

    #[tokio::test]
    async fn a_collector_that_does_not_answer_is_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        let handler = TcpListener::bind("127.0.0.1:0").unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let context = written(dir.path(), &format!("http://{}/", handler.local_addr().unwrap()));
        let path = dir.path().join("hookhaven.toml");
        let text = std::fs::read_to_string(&path).unwrap() + &format!("[telemetry]\notlp = \"http://{gone}\"\n");
        std::fs::write(&path, text).unwrap();
        let told = shown(&report(false, &context).await, dir.path());
        assert!(told.contains("warning: telemetry.otlp: cannot connect to 127.0.0.1:"), "{told}");
    }

    #[tokio::test]
    async fn a_taken_port_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let context = written(dir.path(), "http://127.0.0.1:9/");
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let ingest = other.local_addr().unwrap();
        let path = dir.path().join("hookhaven.toml");
        let text = std::fs::read_to_string(&path).unwrap().replacen("127.0.0.1:0", &ingest.to_string(), 1);
        std::fs::write(&path, text).unwrap();
        let report = report(true, &context).await;
        let expected = format!(
            "hookhaven.toml:2:10: server.ingest: {ingest} is taken by another program; stop it, or choose another port\n\
             hookhaven.toml: 1 error (1 source, 1 destination, 1 route)\n"
        );
        assert_eq!(shown(&report, dir.path()), expected);
        assert!(!report.ok);
    }

    #[tokio::test]
    async fn a_gateway_that_runs_here_is_said_and_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let context = written(dir.path(), "http://127.0.0.1:9/");
        let config = context.load().unwrap().config;
        let _bound = TcpListener::bind(config.server.ingest).unwrap();
        std::fs::create_dir(dir.path().join("hookhaven-data")).unwrap();
        let lock = std::fs::File::create(dir.path().join("hookhaven-data").join(probe::LOCK_FILE)).unwrap();
        lock.lock().unwrap();
        let report = report(true, &context).await;
        assert!(report.ok && report.running, "{report:?}");
    }

    #[tokio::test]
    async fn a_data_directory_that_is_a_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let context = written(dir.path(), "http://127.0.0.1:9/");
        std::fs::write(dir.path().join("hookhaven-data"), "").unwrap();
        let report = report(true, &context).await;
        let text = shown(&report, dir.path());
        assert!(text.starts_with("store.url: hookhaven-data is not a directory; "), "{text}");
        assert!(!report.ok);
    }

    #[tokio::test]
    async fn a_named_file_that_is_not_there_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let context = Context { config_path: Some(dir.path().join("no.toml")), ..Context::default() };
        let report = report(true, &context).await;
        let expected = "no.toml: there is no such file; `hookhaven init` writes one\nno.toml: 1 error\n";
        assert_eq!(shown(&report, dir.path()), expected);
    }
}
