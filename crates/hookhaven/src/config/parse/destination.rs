//! `[destinations.NAME]`: where deliveries go.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use hookhaven_core::{
    Destination, Secret,
    delivery::PUBLISHED_ADDRESSES,
    destination::{BreakerPolicy, DestinationState},
    senders::SECRETS_MAX,
    sign,
};

use super::{
    document::{Item, Table},
    name::Named,
};
use crate::config::{duration, model::Server, secret::Resolver};

/// Unless the file says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(10);
pub const CONCURRENCY: NonZeroU32 = NonZeroU32::new(16).expect("not zero");

/// Above it a handler does its work before it answers, which is what queues are for.
const TIMEOUT_WARN: Duration = Duration::from_secs(60);
const TIMEOUT_MAX: Duration = Duration::from_secs(900);

pub fn all(root: &mut Table<'_>, secrets: &Resolver<'_>, server: &Server) -> Named<Destination> {
    Named::read(root, "destinations", PUBLISHED_ADDRESSES, |name, table| one(name, table, secrets, server))
}

fn one(name: &Arc<str>, mut table: Table<'_>, secrets: &Resolver<'_>, server: &Server) -> Option<Destination> {
    let url = table.require("url", "add url = \"http://127.0.0.1:3000/hooks\"").and_then(|item| url(&item, server));
    let timeout = match table.take("timeout") {
        Some(item) => timeout(&item),
        None => Some(TIMEOUT),
    };
    let concurrency = match table.take("concurrency") {
        Some(item) => item.count(1..=10_000),
        None => Some(CONCURRENCY),
    };
    let rate = table.take("rate").and_then(|item| item.rate());
    let secrets = signing(&mut table, secrets);
    let breaker = table.take("breaker").map_or_else(|| Some(BreakerPolicy::default()), |item| breaker(&item));
    let states = [
        ("active", DestinationState::Active),
        ("paused", DestinationState::Paused),
        ("disabled", DestinationState::Disabled),
    ];
    let state = table.take("state").map_or(Some(DestinationState::Active), |item| item.one_of(&states));
    table.finish();
    Some(Destination {
        name: name.clone(),
        url: url?,
        timeout: timeout?,
        concurrency: concurrency?,
        rate,
        secrets,
        breaker: breaker?,
        state: state?,
    })
}

fn url(item: &Item<'_>, server: &Server) -> Option<url::Url> {
    let url = item.http_url("http://127.0.0.1:3000/hooks")?;
    let port = url.port_or_known_default().unwrap_or(0);
    let loopback = match url.host()? {
        url::Host::Domain(name) => name == "localhost",
        url::Host::Ipv4(ip) => ip.is_loopback() || ip.is_unspecified() || server.admin.ip() == ip,
        url::Host::Ipv6(ip) => ip.is_loopback() || ip.is_unspecified() || server.admin.ip() == ip,
    };
    if loopback && port == server.admin.port() {
        item.error("this is the gateway's own admin address", "write the address of your handler");
        return None;
    }
    if loopback && port == server.ingest.port() && url.path().starts_with("/webhooks/") {
        item.warn("this is the gateway's own ingest address", "events may go round in a circle");
    }
    Some(url)
}

fn timeout(item: &Item<'_>) -> Option<Duration> {
    let timeout = item.duration(Duration::from_millis(1)..=TIMEOUT_MAX)?;
    if timeout > TIMEOUT_WARN {
        item.warn(
            format!("\"{}\" is a long time to wait for an answer", duration::print(timeout)),
            "let the handler answer first and work afterwards; up to \"60s\" is fine",
        );
    }
    Some(timeout)
}

/// `secret` for one, `secrets` for several during rotation.
fn signing(table: &mut Table<'_>, resolver: &Resolver<'_>) -> Vec<Secret> {
    let one = table.take("secret");
    let several = table.take("secrets");
    if let (Some(_), Some(item)) = (&one, &several) {
        item.error("secret and secrets are both there", "keep one of them: secrets takes a list");
    }
    let listed = several.and_then(|item| item.list("a list of secrets, such as [\"env:NEW\", \"env:OLD\"]"));
    let items: Vec<Item<'_>> = one.into_iter().chain(listed.into_iter().flatten()).collect();
    if let Some(item) = items.get(SECRETS_MAX) {
        item.error(format!("more than {SECRETS_MAX} secrets"), "take out those no longer in use");
    }
    items.iter().filter_map(|item| checked(item, resolver)).collect()
}

fn checked(item: &Item<'_>, resolver: &Resolver<'_>) -> Option<Secret> {
    let secret = resolver.resolve(item)?;
    match sign::check_secret(&secret) {
        Ok(()) => Some(secret),
        Err(why) => {
            item.error(why, "");
            None
        }
    }
}

fn breaker(item: &Item<'_>) -> Option<BreakerPolicy> {
    let default = BreakerPolicy::default();
    let mut table = item.table("a table such as { failures = 10, deliveries = 5, rest = \"30s\" }")?;
    let failures = table.take("failures").map_or(Some(default.failures), |i| i.count(1..=1_000));
    let deliveries = table.take("deliveries").map_or(Some(default.deliveries), |i| i.count(1..=1_000));
    let bounds = Duration::from_millis(100)..=Duration::from_secs(86_400);
    let rest = table.take("rest").map_or(Some(default.rest), |i| i.duration(bounds));
    table.finish();
    let policy = BreakerPolicy { failures: failures?, deliveries: deliveries?, rest: rest? };
    if policy.deliveries > policy.failures {
        item.error(
            format!("deliveries ({}) is more than failures ({})", policy.deliveries, policy.failures),
            "each failure belongs to one delivery, so deliveries may be at most failures",
        );
        return None;
    }
    Some(policy)
}
