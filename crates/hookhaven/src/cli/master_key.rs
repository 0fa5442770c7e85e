//! `hookhaven master-key`: makes one, says what it protects, and takes data keys from one to the next. Works on the data
//! directory or the database itself, never through a gateway: who may do this has the configuration and the files.
//!
//! What data keys are and where they are kept is `crate::seal`'s.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use hookhaven_core::Time;
use hookhaven_store::{
    Store,
    clock::{Clock, OsEntropy, SystemClock},
};
use serde::Serialize;

use super::{
    Context, DONE, FAILED, UsageError,
    args::MasterKeyCommand,
    print::{Screen, clean, column, count},
};
use crate::{
    app,
    config::{Config, Place},
    seal::{self, KeyId, MasterKey, Vault, WrapKeys, keys, keys::KeyPlace},
};

pub async fn run(command: MasterKeyCommand, context: &Context) -> anyhow::Result<ExitCode> {
    let done = match command {
        MasterKeyCommand::Generate(_) => {
            println!("{}", MasterKey::made(&OsEntropy).context("no random bytes")?.to_text());
            DONE
        }
        MasterKeyCommand::Status(_) => At::of(context).await?.status(context).await?,
        MasterKeyCommand::Rotate(args) => At::of(context).await?.rotate(args.new_data_key, context).await?,
        MasterKeyCommand::Abandon(args) => abandon(args.yes, context).await?,
    };
    Ok(ExitCode::from(done))
}

/// What a configuration says of data keys, and the way to them.
struct At {
    config: Config,
    with: WrapKeys,
    /// The database, open; a data directory need not be.
    store: Option<Arc<dyn Store>>,
}

/// A data key as it is shown.
#[derive(Debug, Serialize)]
struct KeyView {
    id: KeyId,
    made_at: Time,
    /// `null`: it lies bare, in a file that only its owner reads.
    encrypted_under: Option<String>,
    /// Whether the configuration has the key to it.
    readable: bool,
}

#[derive(Debug, Serialize)]
struct StatusView {
    place: String,
    /// What the configuration wants data keys to be encrypted under.
    configured: Option<String>,
    keys: Vec<KeyView>,
}

impl At {
    async fn of(context: &Context) -> anyhow::Result<Self> {
        let config = context.load()?.config;
        let with = WrapKeys::of(&config);
        let store = match &config.store.place {
            Place::Memory => bail!(UsageError("this store ends with its process, and its data key with it".to_owned())),
            Place::Directory(_) => None,
            Place::Database(_) => Some(open(&config).await?),
        };
        Ok(At { config, with, store })
    }

    fn place(&self) -> KeyPlace<'_> {
        match (&self.config.store.place, &self.store) {
            (Place::Directory(dir), _) => KeyPlace::Directory(dir),
            (_, Some(store)) => KeyPlace::Database(store.clone()),
            // `of` refused it.
            (_, None) => KeyPlace::Directory(std::path::Path::new("")),
        }
    }

    async fn status(self, context: &Context) -> anyhow::Result<u8> {
        let place = self.place();
        let kept = place.read().await?;
        let view = |key: &seal::KeptKey| KeyView {
            id: key.id,
            made_at: key.made_at,
            encrypted_under: key.wrapped_by.clone(),
            readable: key.unwrap(&self.with, &place.name()).is_ok(),
        };
        let view = StatusView {
            place: place.name(),
            configured: self.with.own.as_ref().map(|key| key.name().to_owned()),
            keys: kept.iter().map(view).collect(),
        };
        let fine = view.keys.iter().all(|key| key.readable && key.encrypted_under == view.configured);
        show(&view, &mut Screen::of(context, SystemClock::start().now()))?;
        self.close().await;
        Ok(if fine { DONE } else { FAILED })
    }

    async fn rotate(self, new_data_key: bool, context: &Context) -> anyhow::Result<u8> {
        let (place, entropy) = (self.place(), OsEntropy);
        if place.read().await?.is_empty() {
            bail!("{} holds no data key yet: start a gateway first", place.name());
        }
        let anew = keys::rewrap(&place, &self.with, &entropy).await?;
        let made = match new_data_key {
            true => Some(keys::add(&place, &self.with, &entropy, SystemClock::start().now()).await?.id),
            false => None,
        };
        let under = self.with.own.as_ref().map(|key| key.name().to_owned());
        if context.json {
            let value = serde_json::json!({ "rewrapped": anew, "made": made, "encrypted_under": under });
            println!("{}", serde_json::to_string_pretty(&value)?);
        } else {
            let under = under.map_or("bare".to_owned(), |name| format!("encrypted under {name}"));
            println!("{} changed; all are {under} now.", count(anew as u64, "data key"));
            if let Some(made) = made {
                println!("Made the data key {made}: what is stored after the next start is encrypted with it.");
            }
        }
        self.close().await;
        Ok(DONE)
    }

    async fn close(self) {
        if let Some(store) = self.store {
            store.close().await;
        }
    }
}

async fn abandon(yes: bool, context: &Context) -> anyhow::Result<u8> {
    if !yes {
        let what = "what only the lost keys read cannot be had again; if no backup has them, give --yes";
        bail!(UsageError(what.to_owned()));
    }
    let config = context.load()?.config;
    let with = WrapKeys::of(&config);
    let store = open(&config).await?;
    let done = give_up(&config, &with, store.clone()).await;
    store.close().await;
    let (lost, entries) = done?;
    println!(
        "Gave up {} and {} of the catalog that nobody can read.",
        count(lost as u64, "data key"),
        count(entries.len() as u64, "thing")
    );
    for entry in entries {
        println!("  {}", clean(&entry));
    }
    Ok(DONE)
}

/// How many keys are lost, and the names of the entries that went with them.
async fn give_up(config: &Config, with: &WrapKeys, store: Arc<dyn Store>) -> anyhow::Result<(usize, Vec<String>)> {
    let (entropy, now) = (Arc::new(OsEntropy), SystemClock::start().now());
    let (lost, vault) = match &config.store.place {
        Place::Memory => bail!(UsageError("this store ends with its process".to_owned())),
        Place::Directory(dir) => {
            let lost = keys::give_up(&KeyPlace::Directory(dir), with, &*entropy, now).await?;
            (lost, Vault::of_directory(dir, &*store, with, entropy, now).await?)
        }
        Place::Database(_) => {
            let lost = keys::give_up(&KeyPlace::Database(store.clone()), with, &*entropy, now).await?;
            (lost, Vault::of_database(store.clone(), WrapKeys::of(config), entropy, now).await?)
        }
    };
    let mut names = Vec::new();
    for entry in seal::unopened(&*store, &vault).await? {
        store.delete_catalog(&entry.kind, &entry.name).await?;
        names.push(format!("{}/{}", entry.kind, entry.name));
    }
    Ok((lost, names))
}

/// The store with nothing before it, its schema left as it is.
async fn open(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let mut config = config.clone();
    if let Place::Database(database) = &mut config.store.place {
        database.migrate = false;
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    Ok(app::open_bare(&config, clock, Arc::new(OsEntropy), Duration::ZERO).await?.store)
}

fn show(view: &StatusView, screen: &mut Screen) -> anyhow::Result<()> {
    if screen.json {
        return screen.value(&serde_json::to_value(view)?);
    }
    if view.keys.is_empty() {
        screen.remark(format!("{} holds no data key yet.", clean(&view.place)));
        return Ok(());
    }
    let columns = ["DATA KEY", "MADE", "ENCRYPTED UNDER", "READABLE"].map(column);
    let row = |key: &KeyView| {
        let under = key.encrypted_under.as_deref().unwrap_or("nothing (owner-only file)");
        let readable = if key.readable { "yes" } else { "no" };
        vec![key.id.to_string(), key.made_at.to_string(), clean(under).into_owned(), readable.to_owned()]
    };
    screen.table(&columns, &view.keys.iter().map(row).collect::<Vec<_>>())?;
    let configured = view.configured.as_deref().unwrap_or("nothing");
    if view.keys.iter().any(|key| key.encrypted_under != view.configured) {
        screen.remark(format!("The configuration wants {configured}: run `hookhaven master-key rotate`."));
    }
    Ok(())
}
