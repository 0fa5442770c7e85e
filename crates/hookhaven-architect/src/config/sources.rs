//! `[sources.NAME]`.

use hookhaven_core::senders::SenderOptions;
use hookhaven_toml::size;

use super::write::{Toml, listed, quoted};
use crate::{Plan, design::SourceDesign, intake::SenderAnswers, words::duration};

pub fn write(toml: &mut Toml, plan: &Plan) {
    for (sender, source) in plan.intake.senders.iter().zip(&plan.design.sources) {
        one(toml, sender, source);
    }
}

fn one(toml: &mut Toml, sender: &SenderAnswers, source: &SourceDesign) {
    let name = &source.name;
    toml.blank();
    toml.note(&format!("{} posts to /webhooks/{name}. {}", sender.title(), source.loss.why));
    toml.line(&format!("[sources.{name}]"));
    toml.line(&format!("sender = {}", quoted(source.sender.map_or("hmac", |declared| declared.name))));
    proof(toml, source);
    let timeless = if source.signs_time { String::new() } else { format!(" {}", source.tolerance.why) };
    let why = format!("{}{timeless}", source.dedupe_window.why);
    toml.set(&why, "dedupe_window", &quoted(&duration(source.dedupe_window.value)));
    if source.signs_time {
        toml.set(&source.tolerance.why, "tolerance", &quoted(&duration(source.tolerance.value)));
    }
    toml.set(&source.body_max_bytes.why, "body_max", &quoted(&size::print(source.body_max_bytes.value)));
    if source.reserved.value {
        toml.set(&source.reserved.why, "reserved", "true");
    } else if let Some(rate) = source.rate_per_second.value {
        toml.set(&source.rate_per_second.why, "rate", &quoted(&format!("{rate}/s")));
    }
    replay(toml, source);
    addresses(toml, source);
    if source.sender.is_none_or(|declared| declared.name == "hmac") {
        described(toml, sender, source);
    }
}

/// What it verifies with.
fn proof(toml: &mut Toml, source: &SourceDesign) {
    let secret =
        source.sender.map_or("as the sender gives it, or as you agree on it", |declared| declared.about.secret);
    if let Some(file) = &source.handover {
        let why = format!("The secret is {secret}. It is kept there; several nodes need a copy each.",);
        toml.set(&why, "handover", &quoted(&format!("/var/lib/hookhaven/{file}")));
    } else if source.secret_variables.is_empty() {
        let why = format!("CHANGE THIS to the addresses that may post here. There is no secret: {}.", unsaid(secret));
        toml.set(&why, "allow", &listed(&["127.0.0.1"]));
    } else {
        let all: Vec<String> = source.secret_variables.iter().map(|variable| format!("env:{variable}")).collect();
        let why = format!("The secret: {secret}. Two while one replaces the other.");
        toml.set(&why, "secrets", &listed(&all));
    }
    if let Some(variable) = &source.verify_token_variable {
        let why = "A text of your own, which you also enter there; the subscription is confirmed with it.";
        toml.set(why, "verify_token", &quoted(&format!("env:{variable}")));
    }
}

/// Without the word that it begins with where there is no secret.
fn unsaid(secret: &str) -> &str {
    secret.strip_prefix("none: ").unwrap_or(secret)
}

/// What stops a replay under another id, where the id is not signed.
fn replay(toml: &mut Toml, source: &SourceDesign) {
    let sender = source.sender.filter(|declared| declared.verifies());
    let Some(sender) = sender.and_then(|declared| declared.build(&SenderOptions::default()).ok()) else { return };
    if sender.signs_id() || sender.signs_time() {
        return;
    }
    let why = "Its id is not signed, so whoever holds one of its requests can send it again under another. That is \
               counted (webhook_suspicious_total); refuse it once you know that equal bodies never come twice.";
    toml.off(why, "replay", &quoted("refuse"));
}

fn addresses(toml: &mut Toml, source: &SourceDesign) {
    let Some(declared) = source.sender.filter(|declared| !declared.addresses.is_empty()) else { return };
    let signed = if source.signs_time || declared.verifies() {
        "A second lock beside the signature"
    } else {
        "The only lock there is"
    };
    let why = format!(
        "{signed}: {} publishes the addresses that it posts from. Switch it on once its first events have come in \
         and show the right client, for a wrong trusted_proxies would refuse them all; `hookhaven trigger` then \
         needs its own address in the list.",
        declared.title
    );
    toml.off(&why, "allow", &listed(&["published"]));
}

/// The scheme of a sender that nobody described yet.
fn described(toml: &mut Toml, sender: &SenderAnswers, source: &SourceDesign) {
    toml.blank();
    toml.note(&format!(
        "CHANGE THIS to what the documentation of {} says. What stands here is the most usual scheme; if it is \
         another, every request is refused and kept in quarantine, and `hookhaven rejected release --source {}` lets \
         them in after the mend.",
        sender.title(),
        source.name
    ));
    toml.line(&format!("[sources.{}.hmac]", source.name));
    toml.line("header    = \"X-Signature\"      # which header carries the signature");
    toml.line("algorithm = \"sha256\"           # sha1, sha256 or sha512");
    toml.line("encoding  = \"hex\"              # hex or base64");
    toml.line("signed    = \"{body}\"           # with a signed time: \"{timestamp}.{body}\", and timestamp below");
    toml.line("# prefix    = \"sha256=\"        # what stands before the signature");
    toml.line("# timestamp = { header = \"X-Timestamp\", unit = \"s\" }   # s, ms or rfc3339");
    toml.line("# id        = \"header:X-Event-Id\"   # or \"json:/path\"; without it a hash of the body is the key");
    toml.line("# type      = \"json:/type\"     # or \"header:NAME\"; without it every event is of type \"unknown\"");
}
