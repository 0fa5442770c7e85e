//! `[sources.NAME]`: who may post where, and how it is verified.

use std::{path::PathBuf, sync::Arc, time::Duration};

use hookhaven_core::{
    Secret,
    destination::Rate,
    sender::Sender,
    senders::{self, Declaration, Handshake, SECRETS_MAX, SenderOptions},
    source::Source,
};

use super::{
    answer, clients,
    document::{Item, Table},
    hmac,
    name::Named,
    quarantine, redact,
    values::quote,
};
use crate::config::{
    model::Server,
    quarantine::{Quarantine, SecretAges},
    redact::Redactions,
    secret::Resolver,
    suggest,
};

/// Unless the file says otherwise; tolerance and longest body are the sender's own matter.
pub const DEDUPE_WINDOW: Duration = Duration::from_secs(7 * 86_400);

/// Body, headers and deliveries of an event are one record of the journal, and a record is at most 64 MiB.
const BODY_BYTES_MAX: u64 = 60 << 20;

/// `publish` is the source of published messages.
const RESERVED: &str = "publish";

/// What a source says that is no part of it.
#[derive(Debug)]
pub struct Beside<'b> {
    pub quarantine: &'b mut Quarantine,
    pub secret_ages: &'b mut SecretAges,
    pub redactions: &'b mut Redactions,
}

pub fn all(root: &mut Table<'_>, secrets: &Resolver<'_>, server: &Server, beside: Beside<'_>) -> Named<Source> {
    Named::read(root, "sources", RESERVED, |name, mut table| {
        quarantine::of_source(name, &mut table, beside.quarantine);
        quarantine::secrets_max_age(name, &mut table, beside.secret_ages);
        redact::of_source(name, &mut table, beside.redactions);
        one(name, table, secrets, server)
    })
}

fn one(name: &Arc<str>, mut table: Table<'_>, resolver: &Resolver<'_>, server: &Server) -> Option<Source> {
    let public_url = server.public_url.as_ref();
    let sender_item = table.require("sender", "add sender = \"stripe\", or which one it is");
    let def = sender_item.as_ref().and_then(known_sender);
    let sender = built(&mut table, def);
    let handed = handover(&mut table, def, resolver);
    let secrets = secrets(&mut table, name, def, sender.as_deref(), resolver, handed.as_ref());
    let verify_token = verify_token(&mut table, def, sender_item.as_ref(), resolver);
    let answer = table.take("answer").map_or(Some(None), |item| answer::read(&item).map(Some));
    let allow = clients::allow(&mut table, def, sender_item.as_ref(), server);
    let client_names = clients::names(&mut table, server);
    let (second, day) = (Duration::from_secs(1), Duration::from_secs(86_400));
    let tolerance = match table.take("tolerance") {
        Some(item) => item.duration(second..=7 * day),
        None => sender.as_ref().map(|sender| sender.tolerance_default()),
    };
    let dedupe_window = table.take("dedupe_window").map_or(Some(DEDUPE_WINDOW), |i| i.duration(60 * second..=90 * day));
    let body_max = match table.take("body_max") {
        Some(item) => item.size(1..=BODY_BYTES_MAX).and_then(|bytes| usize::try_from(bytes).ok()),
        None => sender.as_ref().map(|sender| sender.body_bytes_default()),
    };
    let (rate, reserved) = shedding(&mut table);
    let splits = splits(&mut table, sender.as_deref());
    let refuses_replay = refuses_replay(&mut table, sender.as_deref());
    let age_max = table.take("max_age").map_or(Some(None), |item| item.duration(60 * second..=365 * day).map(Some));
    let own_url = table.take("public_url").map_or(Some(None), |item| own_url(&item).map(Some));
    let no_url = public_url.is_none() && own_url == Some(None);
    let needs_url = sender.as_ref().filter(|s| s.signs_url() && no_url);
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
        public_url: own_url?.or_else(|| public_url.map(|url| address_of(url, name))),
        allow_published: allow.as_ref()?.published,
        allow: allow?.nets,
        client_names: client_names?,
        rate,
        reserved,
        verify_token: verify_token?,
        handover: handed.map(|handed| handed.path),
        answer: answer?,
        splits: splits?,
        refuses_replay: refuses_replay?,
        age_max: age_max?,
        sender: sender?,
    })
}

/// A file for a secret that the sender hands over, and the secret if it is there already.
struct Handed {
    path: PathBuf,
    secret: Option<Secret>,
}

/// `handover`, for the senders that do.
fn handover(table: &mut Table<'_>, def: Option<&Declaration>, resolver: &Resolver<'_>) -> Option<Handed> {
    let item = table.take("handover")?;
    if let Some(def) = def.filter(|def| !def.hands_over()) {
        item.error(format!("{} hands over no secret", def.name), "take it out, and give its secrets");
        return None;
    }
    let (path, secret) = resolver.handed_over(&item)?;
    if secret.is_none() {
        item.warn(
            "no secret has been handed over yet; until then every event is refused",
            "make the hook, and it is kept there",
        );
    }
    Some(Handed { path, secret })
}

/// `verify_token`, with which some senders confirm a subscription.
fn verify_token(
    table: &mut Table<'_>,
    def: Option<&Declaration>,
    sender: Option<&Item<'_>>,
    resolver: &Resolver<'_>,
) -> Option<Option<Secret>> {
    let item = table.take("verify_token");
    let def = def?;
    let asks = def.handshakes.iter().any(Handshake::compares_token);
    match (&item, sender) {
        (Some(item), _) if !asks => {
            item.error(format!("{} asks for no such token", def.name), "take it out");
            None
        }
        (None, Some(sender)) if asks => {
            let what = format!("without verify_token, {} cannot confirm its subscription", def.name);
            sender.warn(what, "add verify_token = \"env:…\", a text of your own that you also enter there");
            Some(None)
        }
        (Some(item), _) => resolver.resolve(item).map(Some),
        (None, _) => Some(None),
    }
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

/// `split`, for senders that send several events in one request.
fn splits(table: &mut Table<'_>, sender: Option<&dyn Sender>) -> Option<bool> {
    let Some(item) = table.take("split") else { return Some(false) };
    let splits = item.boolean()?;
    if let Some(sender) = sender.filter(|sender| splits && !sender.has_batches()) {
        item.error(format!("{} sends one event a request", sender.name()), "take it out");
        return None;
    }
    Some(splits)
}

/// `replay`, for senders that do not sign the id.
fn refuses_replay(table: &mut Table<'_>, sender: Option<&dyn Sender>) -> Option<bool> {
    let Some(item) = table.take("replay") else { return Some(false) };
    let refuses = match item.text("\"count\" or \"refuse\"")? {
        "count" => false,
        "refuse" => true,
        other => {
            item.error(format!("{} is not known", quote(other)), "use \"count\" or \"refuse\"");
            return None;
        }
    };
    if let Some(sender) = sender.filter(|sender| refuses && sender.signs_id()) {
        item.warn(format!("{} signs the id, so a replay is a duplicate", sender.name()), "take it out");
    }
    Some(refuses)
}

/// Where the sender posts to, as it knows it.
fn address_of(public_url: &url::Url, name: &str) -> Arc<str> {
    format!("{}/webhooks/{name}", public_url.as_str().trim_end_matches('/')).into()
}

/// The whole address as it is entered at the sender, where it is not `server.public_url` and the path here. Kept as
/// it is written, for that is what is signed.
fn own_url(item: &Item<'_>) -> Option<Arc<str>> {
    let url = item.http_url("https://hooks.example.com/stripe")?;
    if url.query().is_some() {
        item.error("a public URL has no query (?…)", "take the query out");
        return None;
    }
    item.text("a URL").map(Arc::from)
}

fn known_sender(item: &Item<'_>) -> Option<&'static Declaration> {
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
fn built(table: &mut Table<'_>, def: Option<&'static Declaration>) -> Option<Arc<dyn Sender>> {
    let described = table.take("hmac");
    let hmac = match &described {
        // Read even if the sender is unknown, for the mistakes in it.
        Some(item) => Some(hmac::options(item)?),
        None => None,
    };
    match def?.build(&SenderOptions { hmac }) {
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
    def: Option<&Declaration>,
    sender: Option<&dyn Sender>,
    resolver: &Resolver<'_>,
    handed: Option<&Handed>,
) -> Option<Vec<Secret>> {
    if def.is_some_and(|def| !def.verifies()) {
        if let Some(item) = table.take("secrets") {
            item.error("an unverified source has no secrets", "take them out, or name the sender that signs with them");
            return None;
        }
        return Some(Vec::new());
    }
    let mend = format!("add secrets = [\"env:{}\"]; without one, anybody could post here", variable_for(name));
    let item = match handed {
        Some(handed) => match table.take("secrets") {
            Some(item) => item,
            None => return Some(handed.secret.iter().cloned().collect()),
        },
        None => table.require("secrets", mend)?,
    };
    let items = item.list("a list of secrets, such as [\"env:STRIPE_WEBHOOK_SECRET\"]")?;
    if items.is_empty() {
        item.error("the list is empty", "give at least one secret; without one, anybody could post here");
        return None;
    }
    if let Some(item) = items.get(SECRETS_MAX) {
        item.error(format!("more than {SECRETS_MAX} secrets"), "take out those no longer in use");
    }
    let mut found: Vec<Secret> = handed.and_then(|handed| handed.secret.clone()).into_iter().collect();
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
