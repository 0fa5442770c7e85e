//! The gateway that does not run: its store is opened, and the router of its API answers in this process.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use arc_swap::ArcSwap;
use hookhaven_core::Secret;
use hookhaven_store::{
    Store, StoreError,
    clock::{Clock, Entropy},
    quarantine::Quarantine,
};
use tokio_util::sync::CancellationToken;

use super::{Client, Running, Via};
use crate::{
    access::{self, Access},
    api::{self, ApiParts, Offline},
    app::{self, Opened},
    cli::settings::Settings,
    config::{Config, Place},
    jobs::{Jobs, JobsParts},
};

impl Client {
    /// The data directory, or the database, itself.
    pub(super) async fn opened(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> anyhow::Result<Self> {
        let mut config = settings.config()?.clone();
        if let Place::Database(database) = &mut config.store.place {
            // A look at it changes nothing, its schema least of all.
            database.migrate = false;
        }
        let shared = config.shares_store();
        let name = match &settings.data_dir {
            _ if shared => settings.url.clone(),
            dir => dir.as_ref().map(|d| d.display().to_string()).unwrap_or_default(),
        };
        let opened = app::open_store(&config, clock, entropy.clone(), Duration::ZERO).await;
        let Opened { store, quarantine, clock, .. } = opened.map_err(|error| match error {
            StoreError::Locked(who) => anyhow!(
                "a process holds the data directory {name}, but no gateway answers at {}; say where it listens with \
                 --url ({who})",
                settings.url
            ),
            other if shared => {
                anyhow!(other).context(format!("no gateway at {name}, so the database was asked itself"))
            }
            other => anyhow!(other).context(format!("opening the data directory {name}")),
        })?;
        config.switches.load(&*store).await?;
        Client::of_store(store, quarantine, config, clock, entropy, name)
    }

    /// The API over an open store, in this process.
    pub fn of_store(
        store: Arc<dyn Store>,
        quarantine: Arc<dyn Quarantine>,
        config: Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        name: String,
    ) -> anyhow::Result<Self> {
        let mut random = [0u8; 32];
        entropy.fill(&mut random);
        let token = Secret::new(hex::encode(random)).context("no random bytes")?;
        let access = Access::new(&token, access::COMMAND_LINE, store.clone(), clock.clone(), entropy.clone());
        let shared = config.shares_store();
        let config = Arc::new(ArcSwap::from_pointee(config));
        let keys = Arc::new(app::KeyRing::new(store.clone(), config.clone(), entropy.clone(), None));
        let publications = app::publications(store.clone(), clock.clone());
        let rejections =
            app::rejections(store.clone(), quarantine.clone(), config.clone(), clock.clone(), entropy.clone())?;
        let jobs = Arc::new(Jobs::new(JobsParts {
            store: store.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            config: config.clone(),
            node: format!("command-{}", hex::encode(&random[..6])),
            runs: true,
        }));
        let stop = CancellationToken::new();
        let running = Running { task: tokio::spawn(jobs.clone().run(stop.clone())), stop };
        let router = api::router(ApiParts {
            store: store.clone(),
            clock,
            entropy,
            config,
            keys,
            publications,
            access: Arc::new(access),
            bound: SocketAddr::from(([127, 0, 0, 1], 0)),
            signals: Arc::new(Offline),
            quarantine,
            rejections,
            jobs,
            secrets: None,
            alerts: None,
            trials: None,
        });
        Ok(Client {
            via: Via::Opened { router, store, shared, jobs: running },
            name,
            base: "http://localhost".to_owned(),
            token: Some(token),
        })
    }
}
