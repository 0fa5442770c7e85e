//! What a place asks of the config: where it listens, whose word on the client counts, how the handlers are reached.

use crate::{
    Plan,
    design::{Roles, StorePlace},
    intake::Host,
};

/// Where the containers' network of `compose.yaml` lies.
pub const COMPOSE_NET: &str = "172.28.0.0/24";
const HANDLER_INSIDE: &str = "CHANGE THIS: in there 127.0.0.1 is the gateway's own; name the service of your handlers.";
const HANDLER_ELSEWHERE: &str = "CHANGE THIS to where your functions answer: 127.0.0.1 is the gateway's own machine.";
/// For senders, and for the team.
const PORTS: [u16; 2] = [8080, 8081];
/// Where a handler of the same machine has one of these.
const OTHER_PORTS: [u16; 2] = [8090, 8091];
const LOOPBACK: &str = "127.0.0.1";
const EVERYWHERE: &str = "0.0.0.0";

/// One place.
#[derive(Clone, Debug)]
pub struct Site {
    /// Addresses without their ports.
    pub ingest: &'static str,
    pub ingest_why: &'static str,
    pub admin: &'static str,
    pub admin_why: &'static str,
    pub ports: [u16; 2],
    /// `None`: to be found out.
    pub proxies: Option<&'static str>,
    pub proxies_why: &'static str,
    pub database: &'static str,
    pub database_why: &'static str,
    /// What is wrong with the handlers' address as it stands.
    pub handler_why: Option<&'static str>,
    /// Containers that share the machine's own network.
    pub shares_network: bool,
}

impl Site {
    pub fn of(plan: &Plan) -> Site {
        let loopback = is_loopback(&plan.intake.infrastructure.handler_url);
        let alone = plan.design.nodes.value == 1;
        let site = match plan.intake.infrastructure.host {
            Host::Serverless => Site { handler_why: loopback.then_some(HANDLER_ELSEWHERE), ..Site::on_machines(alone) },
            Host::Machine => Site::on_machines(alone),
            // A database is a container of its own, and then so is the network.
            Host::Containers if loopback && is_embedded(plan) => Site { shares_network: true, ..Site::machine() },
            Host::Containers => Site {
                proxies: Some(COMPOSE_NET),
                proxies_why: "Caddy's container stands in front: the client is whom it names.",
                database: "postgres://hookhaven@database/hookhaven?sslmode=disable",
                database_why: "Without TLS, because that network is the containers' own.",
                ..Site::inside(loopback)
            },
            Host::Kubernetes => Site {
                admin: EVERYWHERE,
                admin_why: "Admin API, dashboard, metrics, and the probes of the cluster; no Ingress leads here, and \
                it asks for a token.",
                ..Site::inside(loopback)
            },
            Host::Platform => Site::inside(loopback),
        };
        let beside = loopback && (site.shares_network || plan.intake.infrastructure.host == Host::Machine);
        let taken = port(&plan.intake.infrastructure.handler_url).filter(|_| beside);
        if taken.is_some_and(|port| PORTS.contains(&port)) { Site { ports: OTHER_PORTS, ..site } } else { site }
    }

    fn on_machines(alone: bool) -> Site {
        if alone {
            return Site::machine();
        }
        Site {
            ingest: EVERYWHERE,
            ingest_why: "The load balancer posts here from another machine; let the firewall pass nobody else.",
            proxies: None,
            proxies_why: "CHANGE THIS to the load balancer's own address: then the client is whom it names.",
            ..Site::machine()
        }
    }

    fn machine() -> Site {
        Site {
            ingest: LOOPBACK,
            ingest_why: "Senders post here, through the proxy that speaks TLS.",
            admin: LOOPBACK,
            admin_why: "Admin API, dashboard and metrics: on this machine only.",
            ports: PORTS,
            proxies: Some("127.0.0.1"),
            proxies_why: "The proxy on this machine: the client is whom it names.",
            database: "postgres://hookhaven@db.internal/hookhaven",
            database_why: "CHANGE THIS to your database.",
            handler_why: None,
            shares_network: false,
        }
    }

    fn inside(loopback: bool) -> Site {
        Site {
            ingest: EVERYWHERE,
            ingest_why: "Senders post here, through the proxy that speaks TLS.",
            admin: LOOPBACK,
            admin_why: "Admin API, dashboard and metrics: from inside the container only.",
            ports: PORTS,
            proxies: None,
            proxies_why: "CHANGE THIS to the addresses that requests come from once they passed the proxy: then the \
            client is whom it names. Until then every client is the proxy.",
            database: "postgres://hookhaven@database.internal/hookhaven",
            database_why: "CHANGE THIS to your database.",
            handler_why: loopback.then_some(HANDLER_INSIDE),
            shares_network: false,
        }
    }
}

/// Whether an nginx stands there already: a second server cannot have its ports.
pub fn has_nginx(plan: &Plan) -> bool {
    let infrastructure = &plan.intake.infrastructure;
    let named = infrastructure.proxy.as_ref().unwrap_or(&infrastructure.hosting);
    named.to_lowercase().contains("nginx")
}

pub fn is_embedded(plan: &Plan) -> bool {
    plan.design.store.value == StorePlace::Embedded
}

/// Twice what the design reckons with, and no less than that and the bodies that may be held at once
/// (limits.bodies_in_flight_max and store.queue_bodies_max, 256 MiB each).
pub fn memory_max(plan: &Plan) -> u64 {
    const LEAST_BYTES: u64 = 1_000_000_000;
    const BODIES_BYTES: u64 = 512 << 20;
    let counted = plan.design.memory_bytes.value;
    (counted * 2).max(counted + BODIES_BYTES).max(LEAST_BYTES)
}

/// Where copies of the store are written: beside the data, not among them.
pub const BACKUPS: &str = "/var/lib/hookhaven-backups";

/// What every command is told: where config and data are.
pub fn shared_options(plan: &Plan) -> String {
    let data = if is_embedded(plan) { " --data /var/lib/hookhaven" } else { "" };
    format!("--config /etc/hookhaven/hookhaven.toml{data}")
}

/// Whether a secret that a sender hands over is kept where the data would be, and nothing else is.
pub fn keeps_secrets_only(plan: &Plan) -> bool {
    !is_embedded(plan) && plan.design.sources.iter().any(|source| source.handover.is_some())
}

/// The arguments of each process, with what it is called: one, or one a role.
pub fn processes(plan: &Plan) -> Vec<(&'static str, &'static str, u32)> {
    match plan.design.roles.value {
        Roles::Together { nodes } => vec![("hookhaven", "all", nodes)],
        Roles::Apart { ingest, workers } => {
            vec![("hookhaven-ingest", "ingest", ingest), ("hookhaven-worker", "worker", workers)]
        }
    }
}

/// The host that senders post to, and the path before `/webhooks`.
pub fn public(plan: &Plan) -> (String, String) {
    let url = plan.intake.infrastructure.public_url.as_deref().unwrap_or("https://hooks.example.com");
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    match rest.split_once('/') {
        Some((host, path)) => (host.to_owned(), format!("/{path}")),
        None => (rest.to_owned(), String::new()),
    }
}

/// A host without its port, and that port.
pub fn name_and_port(host: &str) -> (&str, &str) {
    host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).unwrap_or((host, "443"))
}

fn port(url: &str) -> Option<u16> {
    url.rsplit_once(':').and_then(|(_, port)| port.trim_end_matches('/').parse().ok())
}

fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    ["127.", "localhost", "[::1]"].iter().any(|host| rest.starts_with(host))
}
