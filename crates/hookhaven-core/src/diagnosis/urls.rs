//! Findings about the URL, for senders that sign it: how it may look outside the proxy, tried until one holds.
//!
//! What the request says of its own host is anybody's word, and never believed when a request is accepted. Here it
//! only suggests addresses to try, and a person decides whether that is where the sender should post.

use super::{Bench, Cause, Change, Finding};

/// Headers in which proxies tell host, path and port.
const HOSTS: [&str; 4] = ["host", "x-forwarded-host", "x-original-host", "x-forwarded-server"];
const PATHS: [&str; 5] =
    ["x-original-uri", "x-original-url", "x-rewrite-url", "x-envoy-original-path", "x-forwarded-uri"];
const PREFIX: &str = "x-forwarded-prefix";
const PORT: &str = "x-forwarded-port";
/// More addresses are not tried.
const TRIES_MAX: usize = 10_000;

pub(super) fn look(bench: &Bench<'_>) -> Vec<Finding> {
    let source = bench.case.source;
    if !bench.sender().signs_url() {
        return Vec::new();
    }
    let configured = source.public_url.as_deref().and_then(Address::parse);
    let base = configured.clone().unwrap_or_else(|| Address::of_request(bench));
    let holds = |address: &Address| bench.holds(Change { url: Some(&address.signed()), ..Change::default() });
    let hit = candidates(bench, &base).into_iter().take(TRIES_MAX).find(holds);
    match (hit, configured) {
        (Some(hit), Some(configured)) => vec![differs(bench, &configured, &hit)],
        (Some(hit), None) => vec![unknown_but_found(bench, &hit)],
        (None, None) => vec![unknown(bench)],
        (None, Some(_)) => Vec::new(),
    }
}

fn differs(bench: &Bench<'_>, configured: &Address, hit: &Address) -> Finding {
    let query = bench.case.rejected.query();
    let mut parts = Vec::new();
    let mut compare = |what: &str, theirs: &str, ours: &str| {
        if theirs != ours {
            parts.push(format!("{what} ({} there, {} here)", shown(theirs), shown(ours)));
        }
    };
    compare("scheme", &hit.scheme, &configured.scheme);
    compare("host", &hit.host, &configured.host);
    compare("port", &hit.port, &configured.port);
    compare("path", &hit.path, &configured.path);
    // Credentials may stand in a query, so nothing of it is shown.
    if hit.query.as_deref() != query {
        parts.push("query".to_owned());
    }
    let sentence = format!(
        "The sender signed the address {}; what is configured is {}. They differ in {}.",
        hit.plain(),
        configured.plain(),
        parts.join(", ")
    );
    let mend = if hit.query.as_deref() != query {
        "let the proxy pass the query on as it came: it is signed".to_owned()
    } else {
        mend(bench, hit)
    };
    Finding::certain(Cause::UrlDiffers, sentence, mend)
}

fn unknown_but_found(bench: &Bench<'_>, hit: &Address) -> Finding {
    let sentence =
        format!("The sender signs the URL, no public_url is set, and with {} the signature holds.", hit.plain());
    Finding::certain(Cause::UrlUnknown, sentence, mend(bench, hit))
}

fn unknown(bench: &Bench<'_>) -> Finding {
    let name = &bench.case.source.name;
    let sentence = "The sender signs the URL that it posts to, and no public_url is set.";
    let mend = format!("set public_url under [sources.{name}] to the address exactly as it is entered at the sender");
    Finding::likely(Cause::UrlUnknown, sentence, mend)
}

fn mend(bench: &Bench<'_>, hit: &Address) -> String {
    let name = &bench.case.source.name;
    let whole =
        format!("if that is where the sender should post, set public_url = \"{}\" under [sources.{name}]", hit.plain());
    match hit.plain().strip_suffix(&format!("/webhooks/{name}")) {
        Some(base) => format!("{whole}, or public_url = \"{base}\" under [server] if that is so for all sources"),
        None => whole,
    }
}

fn shown(part: &str) -> &str {
    if part.is_empty() { "none" } else { part }
}

/// A URL in its parts, as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    scheme: String,
    host: String,
    /// Without the colon; empty: none is written.
    port: String,
    path: String,
    query: Option<String>,
}

impl Address {
    fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = host_and_port(authority);
        Some(Address { scheme: scheme.into(), host, port, path: path.into(), query: None })
    }

    fn of_request(bench: &Bench<'_>) -> Self {
        let (host, port) = host_and_port(&told(bench, "host").unwrap_or_default());
        Address { scheme: "https".into(), host, port, path: bench.case.rejected.path().into(), query: None }
    }

    /// Without the query.
    fn plain(&self) -> String {
        let colon = if self.port.is_empty() { "" } else { ":" };
        format!("{}://{}{colon}{}{}", self.scheme, self.host, self.port, self.path)
    }

    fn signed(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.plain()),
            None => self.plain(),
        }
    }

    /// In how many parts two differ.
    fn distance(&self, other: &Self) -> usize {
        [
            self.scheme != other.scheme,
            self.host != other.host,
            self.port != other.port,
            self.path != other.path,
            self.query != other.query,
        ]
        .into_iter()
        .map(usize::from)
        .sum()
    }
}

fn host_and_port(authority: &str) -> (String, String) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            (host.into(), port.into())
        }
        _ => (authority.into(), String::new()),
    }
}

/// What a header tells, the first of several in it.
fn told(bench: &Bench<'_>, name: &str) -> Option<String> {
    let text = bench.headers.get(name)?.to_str().ok()?;
    let first = text.split(',').next().unwrap_or_default().trim();
    (!first.is_empty()).then(|| first.to_owned())
}

/// Addresses to try, those that differ least from `base` first.
fn candidates(bench: &Bench<'_>, base: &Address) -> Vec<Address> {
    let own_query = bench.case.rejected.query().map(str::to_owned);
    let base = Address { query: own_query.clone(), ..base.clone() };
    let told_paths: Vec<String> = PATHS.iter().filter_map(|name| told(bench, name)).collect();
    let queries = [own_query, None]
        .into_iter()
        .chain(told_paths.iter().filter_map(|path| path.split_once('?')).map(|(_, query)| Some(query.to_owned())));
    let queries = distinct(queries);
    let schemes = ["https", "http"].map(str::to_owned);
    let hosts = HOSTS.iter().filter_map(|name| told(bench, name)).map(|text| host_and_port(&text));
    let hosts: Vec<_> = std::iter::once((base.host.clone(), base.port.clone())).chain(hosts).collect();
    let ports = hosts.iter().map(|(_, port)| port.clone()).chain(told(bench, PORT));
    let ports = distinct(ports.chain(["", "443", "80", "8443", "8080"].map(str::to_owned)));
    let hosts = distinct(hosts.into_iter().map(|(host, _)| host));
    let mut all = Vec::new();
    for path in paths(bench, &base.path, &told_paths) {
        for query in &queries {
            for host in &hosts {
                for port in &ports {
                    all.extend(schemes.iter().map(|scheme| Address {
                        scheme: scheme.clone(),
                        host: host.clone(),
                        port: port.clone(),
                        path: path.clone(),
                        query: query.clone(),
                    }));
                }
            }
        }
    }
    all.sort_by_key(|address| address.distance(&base));
    all
}

fn paths(bench: &Bench<'_>, configured: &str, told_paths: &[String]) -> Vec<String> {
    let (here, name) = (bench.case.rejected.path(), &bench.case.source.name);
    let mut paths = vec![configured.to_owned(), here.to_owned()];
    paths.extend(told_paths.iter().map(|path| path.split('?').next().unwrap_or_default().to_owned()));
    paths.extend(told(bench, PREFIX).map(|prefix| format!("{}{here}", prefix.trim_end_matches('/'))));
    paths.extend([format!("/{name}"), format!("/webhook/{name}"), format!("/hooks/{name}"), String::new()]);
    let slashed = paths.iter().flat_map(|path| {
        let bare = path.trim_end_matches('/');
        [path.clone(), bare.to_owned(), format!("{bare}/")]
    });
    distinct(slashed)
}

fn distinct<T: PartialEq>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut kept = Vec::new();
    for one in all {
        if !kept.contains(&one) {
            kept.push(one);
        }
    }
    kept
}
