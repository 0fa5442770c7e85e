//! From the text of `hookhaven.toml` to a [`Config`]: one file per section, every problem reported at
//! once, each with its place and its mend.
//!
//! Not here: finding the file (`load`), noticing that it changed (`reload`).

mod alerts;
mod answer;
mod ask;
mod clients;
mod cross;
mod destination;
mod encryption;
mod filter;
mod fingerprint;
mod hmac;
mod name;
mod ordering;
mod publish;
mod quarantine;
mod redact;
mod route;
mod server;
mod source;
mod store;
mod telemetry;
#[cfg(test)]
mod tests;
mod tls;

use std::{path::Path, sync::Arc};

pub use self::route::{DEADLINE, MAX_AGE};

pub(crate) use hookhaven_toml::document;
use hookhaven_toml::{
    document::{Document, Table},
    values,
};
use toml::de::DeTable;

use super::{
    environment::Environment,
    files::Files,
    model::Config,
    problem::{Places, Problem, Severity},
    secret::Resolver,
    written::Written,
};

/// What a text came to.
#[derive(Debug)]
pub struct Parsed {
    /// `None` if there are errors among the problems.
    pub config: Option<Config>,
    /// In the file's order.
    pub problems: Vec<Problem>,
    /// Secret files that were read, or should have been: a change in one is a change of the config.
    pub secret_files: Files,
    pub places: Places,
    /// What it says, as it may be shown; `None` of a text that is not TOML.
    pub written: Option<Written>,
}

/// Parses the text of `file`. Secrets come from `environment` and from files relative to `file`.
pub fn parse(file: &Path, text: &str, environment: &Environment) -> Parsed {
    let (root, errors) = DeTable::parse_recoverable(text);
    let doc = Document::new(file, text);
    let base = file.parent().unwrap_or(Path::new("")).to_owned();
    // Apart, because nodes of one store need not agree on those of the process.
    let [of_process, shared] = [(); 2].map(|()| Resolver::new(environment, base.clone()));
    let readable = report_syntax(&doc, &errors);
    // After a syntax error, what follows from it would be reported too, and mislead.
    let config = readable.then(|| read(&doc, root.get_ref(), &of_process, &shared, &base));
    let config = config.filter(|_| !doc.has_errors());
    let secrets = [of_process.places(), shared.places()].concat();
    let written = readable.then(|| Written::of(root.get_ref(), &secrets));
    let config = config.map(|config| Config { written: Arc::new(written.clone().unwrap_or_default()), ..config });
    let (problems, places) = doc.into_problems();
    let mut secret_files = of_process.into_files();
    secret_files.extend(shared.into_files());
    Parsed { config, secret_files, problems, places, written }
}

/// Whether the tree can be trusted all the same: a name that is there twice spoils nothing else.
fn report_syntax(doc: &Document<'_>, errors: &[toml::de::Error]) -> bool {
    let mut readable = true;
    let mut second_table = 0..0;
    for error in errors {
        let at = error.span().unwrap_or_default();
        if error.message() != "duplicate key" {
            readable = false;
            doc.report(Severity::Error, &at, "", format!("not TOML: {}", error.message()), String::new());
        } else if !second_table.contains(&at.start) {
            // Where a whole table is there twice, nothing more is said about its keys.
            second_table = doc.table_begun_at(&at);
            let what = format!("{} is there twice", values::quote(doc.slice(&at)));
            doc.report(Severity::Error, &at, "", what, "rename one of the two, or take it out".to_owned());
        }
    }
    readable
}

fn read(
    doc: &Document<'_>,
    tree: &DeTable<'_>,
    of_process: &Resolver<'_>,
    secrets: &Resolver<'_>,
    base: &Path,
) -> Config {
    let mut root = Table::new(doc, String::new(), 0..0, tree);
    let server = server::server(&mut root, of_process);
    let store = store::store(&mut root, base, of_process);
    let encryption = encryption::encryption(&mut root, of_process);
    let limits = server::limits(&mut root);
    let worker = server::worker(&mut root);
    let publish = publish::publish(&mut root, secrets, &limits);
    let net = publish::net(&mut root);
    let log = server::log(&mut root);
    let telemetry = telemetry::telemetry(&mut root, of_process);
    let mut quarantine = quarantine::quarantine(&mut root);
    let mut secret_ages = quarantine::secret_ages(&mut root);
    let mut redactions = redact::everywhere(&mut root);
    let beside =
        source::Beside { quarantine: &mut quarantine, secret_ages: &mut secret_ages, redactions: &mut redactions };
    let sources = source::all(&mut root, secrets, &server, beside);
    let destinations = destination::all(&mut root, secrets, &server);
    let routes = route::all(&mut root, &sources, &destinations);
    let alerts = alerts::alerts(&mut root, of_process);
    cross::check(doc, &sources, &destinations, &routes);
    root.finish();
    Config {
        server,
        store,
        encryption,
        limits,
        worker,
        publish,
        net,
        log,
        telemetry,
        quarantine,
        secret_ages,
        redactions,
        alerts,
        sources: sources.into_values(),
        destinations: destinations.into_values(),
        routes: routes.routes.into_iter().map(|r| r.route).collect(),
        fingerprint: fingerprint::of(tree, secrets),
        written: Arc::default(),
        switches: Arc::default(),
    }
}
