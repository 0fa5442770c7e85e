//! What the parts of a gateway share, and how each of them is started with it. Not here: in which order, and the end.

use std::{net::SocketAddr, sync::Arc};

use hookhaven_store::{
    Store,
    clock::{Clock, Entropy},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{StartError, marking::Marker, told::Told, trials::Hands, wires::Surroundings};
use crate::{
    access::Access,
    alerts::{AlertParts, Alerts, channels::Channels},
    asking::Asker,
    body::Budget,
    config::{Config, reload::Live},
    egress::{Egress, Transport, TransportOptions},
    ingest::{
        Ingest, IngestParts,
        keys::SenderKeys,
        networks::{Networks, Renewal, RenewalParts},
    },
    jobs::{Jobs, JobsParts},
    metrics::Metrics,
    publish::{
        api::{PublishParts, PublishService, Traffic},
        book::Book,
        keys::Keys,
        manage::Manager,
        outgoing::Outgoing,
        scheduler::{Scheduler, SchedulerParts},
    },
    quarantine::Keeper,
    secrets::SecretUse,
    server::{Server, ServerLimits},
    sweeps::{Keep, SweepParts, Sweeps},
    telemetry::Tracer,
    worker::{WorkerHandle, WorkerParts},
};

/// What the parts of a gateway share.
pub(super) struct Parts {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub metrics: Arc<Metrics>,
    pub config: Live,
    pub keys: Arc<Keys>,
    pub egress: Arc<dyn Egress>,
    pub book: Arc<Book>,
    pub budget: Arc<Budget>,
    pub secrets: Arc<SecretUse>,
    pub sender_keys: Arc<SenderKeys>,
    pub networks: Arc<Networks>,
    pub channels: Arc<Channels>,
    pub access: Arc<Access>,
    pub tracer: Tracer,
}

/// The one way out, which never leads to our own admin side.
pub(super) fn way_out(admin: SocketAddr) -> Result<Arc<dyn Egress>, StartError> {
    let options = TransportOptions { own_addresses: vec![admin], ..TransportOptions::default() };
    Ok(Arc::new(Transport::new(options)?))
}

impl Parts {
    /// What makes attempts.
    pub fn worker(&self) -> WorkerParts {
        WorkerParts {
            store: self.store.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            config: self.config.shared(),
            transport: self.egress.clone(),
            published: Arc::new(Outgoing {
                config: self.config.shared(),
                keys: self.keys.clone(),
                gates: self.book.clone(),
            }),
            teller: self.channels.clone(),
            signals: Arc::new(Told { metrics: self.metrics.clone(), audit: self.access.audit.clone() }),
            tracer: self.tracer.clone(),
        }
    }

    /// Starts the upkeep.
    pub fn sweeps(&self, settings: &Config, lanes: WorkerHandle) -> Sweeps {
        Sweeps::start(SweepParts {
            store: self.store.clone(),
            clock: self.clock.clone(),
            failing_lanes: Arc::new(move || lanes.failing_lanes()),
            keep: Keep { events: settings.store.retention, dead_letters: settings.store.retention_dead },
        })
    }

    /// What looks at the figures and tells people of them.
    pub fn alerts(&self, around: Surroundings) -> Arc<Alerts> {
        Alerts::new(AlertParts {
            store: self.store.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            config: self.config.shared(),
            metrics: self.metrics.clone(),
            secrets: self.secrets.clone(),
            reload: self.config.state(),
            around: Arc::new(around),
            channels: self.channels.clone(),
        })
    }

    /// Starts keeping fresh what senders publish of their addresses.
    pub fn renew_networks(&self) -> JoinHandle<()> {
        let renewal = Renewal::new(RenewalParts {
            networks: self.networks.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            sender_keys: self.sender_keys.clone(),
            metrics: self.metrics.clone(),
        });
        let (config, reloaded) = (self.config.shared(), self.config.state());
        tokio::spawn(async move { renewal.run(config, reloaded).await })
    }

    /// The API beside the senders' door.
    pub fn publish(&self, traffic: Option<Arc<dyn Traffic>>) -> PublishService {
        PublishService::new(PublishParts {
            store: self.store.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            config: self.config.shared(),
            metrics: self.metrics.clone(),
            budget: self.budget.clone(),
            book: self.book.clone(),
            keys: self.keys.clone(),
            failures: Arc::default(),
            tokens: self.access.tokens.clone(),
            audit: Some(self.access.audit.clone()),
            traffic,
            tracer: self.tracer.clone(),
        })
    }

    /// What the admin API sees of what publishers made.
    pub fn publications(&self, traffic: Option<Arc<dyn Traffic>>) -> Manager {
        Manager::running(self.store.clone(), self.clock.clone(), self.book.clone(), traffic)
    }

    /// Starts making messages of schedules.
    pub fn schedule(&self, stop: &CancellationToken) -> JoinHandle<()> {
        let scheduler = Scheduler::new(SchedulerParts {
            store: self.store.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            book: self.book.clone(),
        });
        tokio::spawn(scheduler.run(stop.clone()))
    }

    /// Where bulk work is asked for, and run if this node works.
    pub fn jobs(&self, node: String, runs: bool) -> Jobs {
        Jobs::new(JobsParts {
            store: self.store.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            config: self.config.shared(),
            node,
            runs,
        })
    }

    /// What marks by itself what happens to this node.
    pub fn marker(&self, node: String) -> Marker {
        let (store, clock, entropy) = (self.store.clone(), self.clock.clone(), self.entropy.clone());
        Marker { store, clock, entropy, node }
    }

    /// What people try things out with.
    pub fn trials(&self, ingest: Option<SocketAddr>) -> Hands {
        Hands {
            egress: self.egress.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            config: self.config.shared(),
            ingest,
        }
    }

    /// What requests are taken in, and released, with.
    pub fn of_ingest(&self, keeper: Option<Arc<Keeper>>, asker: Option<Arc<dyn Asker>>) -> IngestParts {
        IngestParts {
            store: self.store.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            config: self.config.shared(),
            metrics: self.metrics.clone(),
            budget: self.budget.clone(),
            sender_keys: self.sender_keys.clone(),
            keeper,
            asker,
            secrets: Some(self.secrets.clone()),
            networks: self.networks.clone(),
            tracer: self.tracer.clone(),
        }
    }

    /// Starts taking requests in.
    pub fn ingest(
        &self,
        server: Server,
        of_ingest: IngestParts,
        limits: ServerLimits,
        stop: &CancellationToken,
        traffic: Option<Arc<dyn Traffic>>,
    ) -> JoinHandle<()> {
        let ingest = Ingest::new(of_ingest);
        let running = server.run(ingest.service(Some(self.publish(traffic))), limits, stop.clone().cancelled_owned());
        tokio::spawn(async move {
            let _ = running.await;
        })
    }
}
