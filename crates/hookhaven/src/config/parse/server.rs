//! `[server]`, `[limits]`, `[worker]` and `[log]`: settings of the process.

use std::{ops::RangeInclusive, time::Duration};

use ipnet::IpNet;

use super::{
    document::{Item, Table},
    tls,
    values::quote,
};
use crate::config::{
    model::{Limits, Log, LogFormat, Role, Server, Worker},
    secret::Resolver,
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
pub(super) const HOUR: Duration = Duration::from_secs(3_600);

pub(super) const KIB: u64 = 1 << 10;
pub(super) const MIB: u64 = 1 << 20;
pub(super) const GIB: u64 = 1 << 30;

/// A section that may be absent, with the place of its name.
pub(super) fn section<'d>(root: &mut Table<'d>, name: &'static str) -> Option<Table<'d>> {
    root.take(name)?.table(&format!("a table [{name}]"))
}

/// Overwrites a default with what the file says, if it says it rightly.
pub(super) fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

pub fn server(root: &mut Table<'_>, secrets: &Resolver<'_>) -> Server {
    let mut server = Server::default();
    let Some(mut table) = section(root, "server") else { return server };
    set(&mut server.role, table.take("role").and_then(|item| item.one_of(&Role::ALL.map(|r| (r.as_str(), r)))));
    let ingest = table.take("ingest");
    let admin = table.take("admin");
    set(&mut server.ingest, ingest.as_ref().and_then(Item::address));
    set(&mut server.admin, admin.as_ref().and_then(Item::address));
    let collide = server.role.ingests() && collide(&server);
    if let Some(item) = admin.or(ingest).filter(|_| collide) {
        let what = format!("ingest and admin are both on port {}", server.admin.port());
        item.error(what, "give each a port of its own, e.g. 8080 and 8081");
    }
    server.public_url = table.take("public_url").and_then(|item| public_url(&item));
    server.admin_url = table.take("admin_url").and_then(|item| public_url(&item));
    server.admin_token = table.take("admin_token").and_then(|item| secrets.resolve(&item));
    if let Some(hosts) = table.take("admin_hosts").and_then(|item| item.list("a list of host names")) {
        server.admin_hosts = hosts.iter().filter_map(host).collect();
    }
    set(&mut server.trusted_proxies, table.take("trusted_proxies").and_then(|item| trusted_proxies(&item)));
    server.tls = tls::tls(&mut table, secrets);
    table.finish();
    server
}

fn trusted_proxies(item: &Item<'_>) -> Option<Vec<IpNet>> {
    let nets = item.nets()?;
    if nets.iter().any(|net| net.prefix_len() == 0) {
        item.error("this would believe everybody who they are", "name the addresses of your proxies");
        return None;
    }
    Some(nets)
}

fn collide(server: &Server) -> bool {
    let (ingest, admin) = (server.ingest, server.admin);
    let same_ip = ingest.ip() == admin.ip() || ingest.ip().is_unspecified() || admin.ip().is_unspecified();
    ingest.port() != 0 && ingest.port() == admin.port() && same_ip
}

fn public_url(item: &Item<'_>) -> Option<url::Url> {
    let mut url = item.http_url("https://hooks.example.com")?;
    if url.query().is_some() {
        item.error("a public URL has no query (?…)", "take the query out");
        return None;
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Some(url)
}

fn host(item: &Item<'_>) -> Option<String> {
    let text = item.text("a host name in quotes, such as \"hooks.internal\"")?;
    if url::Host::parse(text).is_err() || text.is_empty() {
        let mend = "write the name alone, without scheme, port or path, such as \"hooks.internal\"";
        item.error(format!("{} is not a host name", quote(text)), mend);
        return None;
    }
    Some(text.to_ascii_lowercase())
}

pub fn limits(root: &mut Table<'_>) -> Limits {
    let mut limits = Limits::default();
    let Some(mut table) = section(root, "limits") else { return limits };
    let waits = 100 * MS..=HOUR;
    set(&mut limits.connections_max, usize_of(&mut table, "connections_max", 1..=1_000_000));
    set(&mut limits.header_bytes_max, bytes_of(&mut table, "header_max", 8 * KIB..=MIB));
    set(&mut limits.headers_max, usize_of(&mut table, "headers_max", 16..=1_000));
    set(&mut limits.header_timeout, table.take("header_timeout").and_then(|i| i.duration(waits.clone())));
    set(&mut limits.body_timeout, table.take("body_timeout").and_then(|i| i.duration(waits.clone())));
    set(&mut limits.idle_timeout, table.take("idle_timeout").and_then(|i| i.duration(waits)));
    set(&mut limits.body_bytes_in_flight_max, bytes_of(&mut table, "bodies_in_flight_max", MIB..=64 * GIB));
    set(&mut limits.drain_timeout, table.take("drain_timeout").and_then(|i| i.duration(Duration::ZERO..=HOUR)));
    set(&mut limits.metric_types_max, usize_of(&mut table, "metric_types_max", 1..=10_000));
    let percent = table.take("reserved_percent").and_then(|i| i.integer(0..=90));
    set(&mut limits.reserved_percent, percent.and_then(|n| u8::try_from(n).ok()));
    table.finish();
    limits
}

pub fn worker(root: &mut Table<'_>) -> Worker {
    let mut worker = Worker::default();
    let Some(mut table) = section(root, "worker") else { return worker };
    set(&mut worker.slots, usize_of(&mut table, "slots", 2..=100_000));
    set(&mut worker.excerpt_bytes_max, bytes_of(&mut table, "excerpt_max", 0..=64 * KIB));
    set(&mut worker.response_bytes_max, bytes_of(&mut table, "response_max", KIB..=64 * MIB));
    set(&mut worker.session_ttl, table.take("session_ttl").and_then(|i| i.duration(5 * SECOND..=HOUR)));
    table.finish();
    worker
}

pub fn log(root: &mut Table<'_>) -> Log {
    use tracing::Level;
    let mut log = Log::default();
    let Some(mut table) = section(root, "log") else { return log };
    let levels = [
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("info", Level::INFO),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
    ];
    set(&mut log.format, table.take("format").and_then(|i| i.one_of(&LogFormat::ALL)));
    set(&mut log.level, table.take("level").and_then(|i| i.one_of(&levels)));
    table.finish();
    log
}

pub(super) fn usize_of(table: &mut Table<'_>, key: &'static str, range: RangeInclusive<u64>) -> Option<usize> {
    table.take(key)?.integer(range).and_then(|n| usize::try_from(n).ok())
}

pub(super) fn bytes_of(table: &mut Table<'_>, key: &'static str, range: RangeInclusive<u64>) -> Option<usize> {
    table.take(key)?.size(range).and_then(|n| usize::try_from(n).ok())
}
