//! `[server]`, `[store]` and what belongs to the process.

use super::write::{Toml, listed, quoted};
use crate::{
    Plan,
    deploy::Site,
    design::StorePlace,
    words::{duration, list},
};

/// Fields that nobody should see who looks after deliveries, where the law looks at it.
const REDACTED: &[&str] =
    &["email", "phone", "address", "card", "last4", "iban", "account_number", "tax_id", "date_of_birth"];
const SLOTS_USUAL: u32 = 512;
const URL_EXAMPLE: &str = "https://hooks.example.com";

pub fn write(toml: &mut Toml, plan: &Plan) {
    redact(toml, plan);
    let site = Site::of(plan);
    server(toml, plan, &site);
    store(toml, plan, &site);
    encryption(toml, plan);
    worker(toml, plan);
    quarantine(toml, plan);
}

/// Above the first section: it holds for everything.
fn redact(toml: &mut Toml, plan: &Plan) {
    toml.blank();
    match &plan.intake.requirements.regulated {
        Some(why) => toml.set(
            &format!(
                "Fields of bodies that are masked wherever the gateway shows a body ({why}). Handlers still get \
                 every byte. Read a body of each sender and add what is missing."
            ),
            "redact",
            &listed(REDACTED),
        ),
        None => toml.off(
            "Fields of bodies that are masked wherever the gateway shows a body; handlers get every byte.",
            "redact",
            &listed(&["email", "json:/data/object/card"]),
        ),
    }
}

fn server(toml: &mut Toml, plan: &Plan, site: &Site) {
    toml.table("server");
    let [ingest, admin] = site.ports;
    toml.set(site.ingest_why, "ingest", &quoted(&format!("{}:{ingest}", site.ingest)));
    toml.set(site.admin_why, "admin", &quoted(&format!("{}:{admin}", site.admin)));
    public_url(toml, plan);
    let proxy = plan.intake.infrastructure.proxy.as_deref();
    let named =
        proxy.map(|name| format!(" You named one ({name}): its addresses belong here too.")).unwrap_or_default();
    let why = format!("{}{named}", site.proxies_why);
    match site.proxies {
        Some(nets) => toml.set(&why, "trusted_proxies", &listed(&[nets])),
        None => toml.off(&why, "trusted_proxies", &listed(&["10.0.0.0/8"])),
    }
    if plan.design.store.value == StorePlace::Postgres {
        toml.set("All nodes of one database share it.", "admin_token", &quoted("env:HOOKHAVEN_ADMIN_TOKEN"));
    }
}

fn public_url(toml: &mut Toml, plan: &Plan) {
    let signing: Vec<&str> = plan
        .intake
        .senders
        .iter()
        .filter(|sender| plan.design.source(&sender.name).is_some_and(|source| source.needs_public_url))
        .map(|sender| sender.title())
        .collect();
    let sign = if signing.len() == 1 { "signs" } else { "sign" };
    let told = &plan.intake.infrastructure.public_url;
    match (told, signing.is_empty()) {
        (Some(url), true) => toml.set("Where senders reach it.", "public_url", &quoted(url)),
        (Some(url), false) => {
            let why = format!("{} {sign} the URL: it must be what was entered there, byte for byte.", list(&signing));
            toml.set(&why, "public_url", &quoted(url));
        }
        (None, false) => {
            let why = format!(
                "CHANGE THIS to where senders reach the gateway: {} {sign} the URL, and a wrong one fails every \
                 signature.",
                list(&signing)
            );
            toml.set(&why, "public_url", &quoted(URL_EXAMPLE));
        }
        (None, true) => {
            let why =
                "Where senders reach it; needed once a sender comes that signs the URL (Twilio, Square, HubSpot).";
            toml.off(why, "public_url", &quoted(URL_EXAMPLE));
        }
    }
}

fn store(toml: &mut Toml, plan: &Plan, site: &Site) {
    let design = &plan.design;
    toml.table("store");
    match design.store.value {
        StorePlace::Embedded => {
            let why = format!("{} The deployment names its own directory with --data.", design.store.why);
            toml.set(&why, "url", &quoted("file:hookhaven-data"));
        }
        StorePlace::Postgres => {
            let why = format!("{} {}", design.store.why, site.database_why);
            toml.set(&why, "url", &quoted(site.database));
            toml.set("It stands in no file.", "password", &quoted("env:HOOKHAVEN_DB_PASSWORD"));
        }
    }
    toml.set(&design.retention.why, "retention", &quoted(&duration(design.retention.value)));
    let dead = design.retention_dead.value.map_or_else(|| "forever".to_owned(), duration);
    toml.set(&design.retention_dead.why, "retention_dead", &quoted(&dead));
    toml.set(&design.pending_max.why, "pending_max", &design.pending_max.value.to_string());
    toml.note(&format!("Disk: {} Memory: {}", design.disk_bytes.why, design.memory_bytes.why));
}

fn encryption(toml: &mut Toml, plan: &Plan) {
    let key = quoted("env:HOOKHAVEN_MASTER_KEY");
    match &plan.intake.requirements.regulated {
        Some(regulated) => {
            toml.table("encryption");
            let why = format!(
                "Secrets and credentials are encrypted where they are stored, under a key that lies elsewhere \
                 ({regulated}). Bodies are not: put the disk itself under encryption."
            );
            toml.set(&why, "master_key", &key);
        }
        None => {
            toml.blank();
            toml.note(
                "Secrets are encrypted where they are stored; `hookhaven master-key generate` makes a key that lies \
                 elsewhere.",
            );
            toml.line("# [encryption]");
            toml.line(&format!("# master_key = {key}"));
        }
    }
}

fn worker(toml: &mut Toml, plan: &Plan) {
    let slots = &plan.design.slots;
    if slots.value == SLOTS_USUAL {
        return;
    }
    toml.table("worker");
    toml.set(&slots.why, "slots", &slots.value.to_string());
}

fn quarantine(toml: &mut Toml, plan: &Plan) {
    toml.table("quarantine");
    let (age, why) = match &plan.intake.requirements.regulated {
        Some(_) => ("3d", "Refused requests hold the same data as others: kept only until somebody has looked."),
        None => {
            ("14d", "Refused requests are kept: `hookhaven rejected list` says why, and releases them after the mend.")
        }
    };
    toml.set(why, "max_age", &quoted(age));
}
