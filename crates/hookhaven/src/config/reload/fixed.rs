//! What cannot change while the process runs: what keeps its old value, and what is said of it. Pure.

use std::sync::Arc;

use crate::config::{
    model::{Config, Publish, Server, ServerTls},
    problem::{Problem, Severity},
};

/// The new configuration with the old values of what cannot change while the process runs.
pub(super) fn keep_fixed(old: &Config, new: Config) -> Config {
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
pub(super) fn at_next_start(old: &Config, new: &Config) -> Vec<Problem> {
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
