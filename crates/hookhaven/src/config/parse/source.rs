//! `[sources.NAME]`: who may post where, and how it is verified.

use std::{sync::Arc, time::Duration};

use hookhaven_core::{
    Secret,
    destination::Rate,
    sender::Sender,
    senders::{self, SECRETS_MAX, SenderDef, SenderOptions},
    source::Source,
};
use ipnet::IpNet;

use super::{
    document::{Item, Table},
    hmac,
    name::Named,
    values::quote,
};
use crate::config::{secret::Resolver, suggest};

/// Unless the file says otherwise; the longest body is the sender's own matter.
pub const TOLERANCE: Duration = Duration::from_secs(300);
pub const DEDUPE_WINDOW: Duration = Duration::from_secs(7 * 86_400);

/// Body, headers and deliveries of an event are one record of the journal, and a record is at most 64 MiB.
const BODY_BYTES_MAX: u64 = 60 << 20;

/// `publish` is the source of published messages.
const RESERVED: &str = "publish";

pub fn all(root: &mut Table<'_>, secrets: &Resolver<'_>, public_url: Option<&url::Url>) -> Named<Source> {
    Named::read(root, "sources", RESERVED, |name, table| one(name, table, secrets, public_url))
}

fn one(
    name: &Arc<str>,
    mut table: Table<'_>,
    resolver: &Resolver<'_>,
    public_url: Option<&url::Url>,
) -> Option<Source> {
    let sender_item = table.require("sender", "add sender = \"stripe\", or which one it is");
    let def = sender_item.as_ref().and_then(known_sender);
    let sender = built(&mut table, def);
    let secrets = secrets(&mut table, name, def, sender.as_deref(), resolver);
    let allow = allow(&mut table, def, sender_item.as_ref());
    let (second, day) = (Duration::from_secs(1), Duration::from_secs(86_400));
    let tolerance = table.take("tolerance").map_or(Some(TOLERANCE), |i| i.duration(second..=day));
    let dedupe_window = table.take("dedupe_window").map_or(Some(DEDUPE_WINDOW), |i| i.duration(60 * second..=90 * day));
    let body_max = match table.take("body_max") {
        Some(item) => item.size(1..=BODY_BYTES_MAX).and_then(|bytes| usize::try_from(bytes).ok()),
        None => sender.as_ref().map(|sender| sender.body_bytes_default()),
    };
    let (rate, reserved) = shedding(&mut table);
    table.not_yet("verify_token");
    let needs_url = sender.as_ref().filter(|s| s.signs_url() && public_url.is_none());
    if let Some((item, sender)) = sender_item.as_ref().zip(needs_url) {
        let mend =
            "add public_url = \"https://…\" under [server]: the address under which the sender knows this gateway";
        item.error(format!("{} signs the URL it posts to, and no public_url is set", sender.name()), mend);
    }
    table.finish();
    Some(Source {
        name: name.clone(),
        secrets: secrets?,
        tolerance: tolerance?,
        dedupe_window: dedupe_window?,
        body_bytes_max: body_max?,
        public_url: public_url.map(|url| address_of(url, name)),
        allow: allow?,
        rate,
        reserved,
        sender: sender?,
    })
}

/// When it is asked to come later, and whether it may use what others must leave.
fn shedding(table: &mut Table<'_>) -> (Option<Rate>, bool) {
    let rate = table.take("rate");
    let reserved = table.take("reserved").and_then(|item| item.boolean()).unwrap_or(false);
    if let Some(item) = rate.as_ref().filter(|_| reserved) {
        item.warn(
            "what goes beyond this rate is refused, and a reserved source is one whose sender does not come again",
            "take the rate out, or reserved",
        );
    }
    (rate.and_then(|item| item.rate()), reserved)
}

/// Where the sender posts to, as it knows it.
fn address_of(public_url: &url::Url, name: &str) -> Arc<str> {
    format!("{}/webhooks/{name}", public_url.as_str().trim_end_matches('/')).into()
}

fn known_sender(item: &Item<'_>) -> Option<&'static SenderDef> {
    let word = item.text("the name of a sender in quotes, such as \"stripe\"")?;
    let def = senders::find(word);
    if def.is_none() {
        let names: Vec<&str> = senders::names().collect();
        item.error(
            format!("there is no sender {}", quote(word)),
            suggest::mend(word, names.iter().copied(), "senders"),
        );
    }
    def
}

/// The sender with its options: `[sources.NAME.hmac]`, which `sender = "hmac"` needs and no other takes.
fn built(table: &mut Table<'_>, def: Option<&SenderDef>) -> Option<Arc<dyn Sender>> {
    let described = table.take("hmac");
    let hmac = match &described {
        // Read even if the sender is unknown, for the mistakes in it.
        Some(item) => Some(hmac::options(item)?),
        None => None,
    };
    match (def?.build)(&SenderOptions { hmac }) {
        Ok(sender) => Some(sender),
        Err(why) => {
            let key = why.key().unwrap_or_default();
            match described.as_ref().map(|item| item.under(key)) {
                Some(item) => item.error(why.to_string(), ""),
                None => table.error(why.to_string(), ""),
            }
            None
        }
    }
}

/// The variable that a source's secret would naturally stand in: `STRIPE_SECRET`.
pub fn variable_for(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("{}_SECRET", name.chars().map(plain).collect::<String>())
}

/// `None` if something is wrong with them, which is then reported.
fn secrets(
    table: &mut Table<'_>,
    name: &str,
    def: Option<&SenderDef>,
    sender: Option<&dyn Sender>,
    resolver: &Resolver<'_>,
) -> Option<Vec<Secret>> {
    if def.is_some_and(|def| !def.verifies) {
        if let Some(item) = table.take("secrets") {
            item.error("an unverified source has no secrets", "take them out, or name the sender that signs with them");
            return None;
        }
        return Some(Vec::new());
    }
    let mend = format!("add secrets = [\"env:{}\"]; without one, anybody could post here", variable_for(name));
    let item = table.require("secrets", mend)?;
    let items = item.list("a list of secrets, such as [\"env:STRIPE_WEBHOOK_SECRET\"]")?;
    if items.is_empty() {
        item.error("the list is empty", "give at least one secret; without one, anybody could post here");
        return None;
    }
    if let Some(item) = items.get(SECRETS_MAX) {
        item.error(format!("more than {SECRETS_MAX} secrets"), "take out those no longer in use");
    }
    let mut found: Vec<Secret> = Vec::new();
    let mut fine = true;
    for item in &items {
        let Some(secret) = resolver.resolve(item) else {
            fine = false;
            continue;
        };
        if let Some(Err(why)) = sender.map(|s| s.check_secret(&secret)) {
            item.error(why, "");
            fine = false;
        }
        if found.contains(&secret) {
            item.warn("the same secret is in the list twice", "keep one of them");
        }
        found.push(secret);
    }
    fine.then_some(found)
}

/// Peers that may post. An unverified source has nothing else, so it must have this.
fn allow(table: &mut Table<'_>, def: Option<&SenderDef>, sender: Option<&Item<'_>>) -> Option<Vec<IpNet>> {
    let item = table.take("allow");
    let nets = match &item {
        Some(item) => item.nets()?,
        None => Vec::new(),
    };
    if def.is_none_or(|def| def.verifies) {
        return Some(nets);
    }
    let sender = sender?;
    if nets.is_empty() {
        let mend = "add allow = [\"10.0.0.0/8\"], the addresses that may post here";
        sender.error("an unverified source must say who may post to it", mend);
        return None;
    }
    sender.warn("nothing that comes in here is verified", "any program at the allowed addresses can post events");
    Some(nets)
}
