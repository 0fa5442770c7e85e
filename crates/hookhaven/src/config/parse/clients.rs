//! Who may post to a source, beside the signature: `allow` and `client_certificate`.
//!
//! Whether somebody may is judged in `ingest`.

use std::net::IpAddr;

use hookhaven_core::{senders::Declaration, source::ClientName};
use ipnet::IpNet;

use super::{
    document::{Item, Table},
    values::quote,
};
use crate::config::model::Server;

/// In `allow`: what the sender publishes.
const PUBLISHED: &str = "published";

/// Addresses that may post.
#[derive(Debug, Default)]
pub struct Allow {
    pub nets: Vec<IpNet>,
    pub published: bool,
}

/// An unverified source has nothing else, so it must have this.
pub fn allow(
    table: &mut Table<'_>,
    def: Option<&Declaration>,
    sender: Option<&Item<'_>>,
    server: &Server,
) -> Option<Allow> {
    let item = table.take("allow");
    let allow = match &item {
        Some(item) => read(item, def)?,
        None => Allow::default(),
    };
    if let Some(item) = item.filter(|_| is_never_met(&allow, server)) {
        let what = format!(
            "no sender reaches {} but through a proxy, and without trusted_proxies every client has the proxy's address",
            server.ingest.ip()
        );
        item.warn(what, "set trusted_proxies = [\"127.0.0.1\"], or where the proxy is, under [server]");
    }
    if def.is_none_or(|def| def.verifies()) {
        return Some(allow);
    }
    let sender = sender?;
    if allow.nets.is_empty() && !allow.published {
        let mend = "add allow = [\"10.0.0.0/8\"], the addresses that may post here";
        sender.error("an unverified source must say who may post to it", mend);
        return None;
    }
    sender.warn("nothing that comes in here is verified", "any program at the allowed addresses can post events");
    Some(allow)
}

fn read(item: &Item<'_>, def: Option<&Declaration>) -> Option<Allow> {
    let items = item.list("a list of addresses, such as [\"10.0.0.0/8\"]")?;
    let (words, nets): (Vec<_>, Vec<_>) = items.iter().partition(|item| item.is_text(PUBLISHED));
    let nets: Vec<Option<IpNet>> = nets.into_iter().map(Item::net).collect();
    if let Some((word, def)) = words.first().zip(def.filter(|def| def.addresses.is_empty())) {
        let what = format!("{} publishes no list of its addresses that a program could read", def.name);
        word.error(what, "write the addresses themselves, such as \"10.0.0.0/8\"");
        return None;
    }
    Some(Allow { nets: nets.into_iter().collect::<Option<_>>()?, published: !words.is_empty() })
}

/// Whether every peer is on an inner network, and some of those allowed are not.
fn is_never_met(allow: &Allow, server: &Server) -> bool {
    let outer = allow.published || allow.nets.iter().any(|net| !is_inner(net.addr()));
    outer && is_inner(server.ingest.ip()) && server.trusted_proxies.is_empty()
}

fn is_inner(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// `client_certificate = { names = ["api.example.com"] }`.
pub fn names(table: &mut Table<'_>, server: &Server) -> Option<Vec<ClientName>> {
    let Some(item) = table.take("client_certificate") else { return Some(Vec::new()) };
    let mut table = item.table("a table such as { names = [\"api.example.com\"] }")?;
    let names = table.require("names", "add names = [\"api.example.com\"], for whom the certificate must be made out");
    table.finish();
    let names = names?;
    let items = names.list("a list of host names, such as [\"api.example.com\"]")?;
    if items.is_empty() {
        names.error("the list is empty", "name whom the certificate must be made out for");
        return None;
    }
    if !server.tls.ingest.as_ref().is_some_and(|tls| tls.asks_clients()) {
        let mend = "set ingest = { cert = …, key = …, client_ca = … } under [server.tls]";
        item.error("no client is asked for a certificate on the ingest address", mend);
        return None;
    }
    let names: Vec<Option<ClientName>> = items.iter().map(name).collect();
    names.into_iter().collect()
}

fn name(item: &Item<'_>) -> Option<ClientName> {
    let text = item.text("a host name or address in quotes, such as \"api.example.com\"")?;
    let name = ClientName::try_from(text.to_owned()).ok();
    if name.is_none() {
        item.error(format!("{} is no host name", quote(text)), "write one such as \"api.example.com\"");
    }
    name
}
