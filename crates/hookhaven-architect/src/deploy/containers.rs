//! Containers on a machine: an image made from the binary, and a compose file.

use super::{
    machine::caddyfile,
    site::{BACKUPS, COMPOSE_NET, Site, is_embedded, keeps_secrets_only, memory_max, processes},
};
use crate::{File, Plan, design};

pub fn files(plan: &Plan) -> Vec<File> {
    let Site { shares_network: shares, ports: [port, admin], .. } = Site::of(plan);
    let upstream = if shares { format!("127.0.0.1:{port}") } else { format!("{}:{port}", processes(plan)[0].0) };
    let image = DOCKERFILE.replace("8080", &port.to_string()).replace("8081", &admin.to_string());
    vec![
        File::new("deploy/Dockerfile", image),
        File::new("deploy/compose.yaml", compose(plan, shares)),
        File::new("deploy/Caddyfile", caddyfile(plan, &upstream)),
    ]
}

fn compose(plan: &Plan, shares: bool) -> String {
    let embedded = is_embedded(plan);
    let keeps = embedded || keeps_secrets_only(plan);
    let mut text = HEAD.to_owned();
    for (name, role, count) in processes(plan) {
        let role = if role == "all" { String::new() } else { format!(", \"--role\", \"{role}\"") };
        let data = if embedded { ", \"--data\", \"/var/lib/hookhaven\"" } else { "" };
        let memory = format!("{}m", memory_max(plan).div_ceil(1 << 20));
        text += &SERVICE
            .replace("{name}", name)
            .replace("{role}", &role)
            .replace("{data}", data)
            .replace("{memory}", &memory);
        if keeps {
            text += "      - data:/var/lib/hookhaven\n";
        }
        if embedded {
            text += &format!("      - backups:{BACKUPS}\n");
        }
        text += if shares { "    network_mode: host\n" } else { "" };
        text += if embedded { "" } else { WAITS };
        if count > 1 {
            text += &format!("    deploy:\n      replicas: {count}\n");
        }
    }
    text += CADDY;
    text += if shares { "    network_mode: host\n" } else { "    ports:\n      - \"80:80\"\n      - \"443:443\"\n" };
    if !embedded {
        text += &DATABASE.replace("{connections}", &design::connections_max(plan.design.nodes.value).to_string());
    }
    text += "\nvolumes:\n  certificates:\n";
    text += if keeps { "  data:\n" } else { "" };
    text += if embedded { "  backups:\n" } else { "  database:\n" };
    if !shares {
        text += &format!("\nnetworks:\n  default:\n    ipam:\n      config:\n        - subnet: {COMPOSE_NET}\n");
    }
    text
}

const HEAD: &str = "\
# docker compose --env-file .env -f deploy/compose.yaml up --build --detach
# Beside this file: the binary `hookhaven`. One above it: hookhaven.toml, and .env (.env.example filled in).
services:
";

const SERVICE: &str = "  {name}:
    build: .
    image: hookhaven
    restart: unless-stopped
    # SIGTERM drains for limits.drain_timeout (20 s); leave it that and some more.
    stop_grace_period: 40s
    env_file: ../.env
    read_only: true
    cap_drop: [ALL]
    security_opt: [\"no-new-privileges:true\"]
    # Far beyond what the design reckons with: there something is wrong, and a restart loses nothing.
    mem_limit: {memory}
    ulimits:
      nofile: 65536
    # A line for each request and attempt: without a limit they fill the disk that the data are on.
    logging:
      options: { max-size: 50m, max-file: \"5\" }
    command: [\"serve\", \"--config\", \"/etc/hookhaven/hookhaven.toml\"{role}{data}]
    volumes:
      - ../hookhaven.toml:/etc/hookhaven/hookhaven.toml:ro
";

const WAITS: &str = "    depends_on:
      database:
        condition: service_healthy
";

const CADDY: &str = "
  caddy:
    image: caddy:2
    restart: unless-stopped
    volumes:
      - ./Caddyfile:/etc/caddy/Caddyfile:ro
      - certificates:/data
";

const DATABASE: &str = "
  database:
    image: postgres:16
    restart: unless-stopped
    environment:
      POSTGRES_USER: hookhaven
      POSTGRES_DB: hookhaven
      POSTGRES_PASSWORD: ${HOOKHAVEN_DB_PASSWORD:?export it, or pass --env-file .env}
    command: [\"postgres\", \"-c\", \"max_wal_size=4GB\", \"-c\", \"shared_buffers=512MB\", \"-c\", \"wal_compression=lz4\", \"-c\", \"max_connections={connections}\"]
    volumes:
      - database:/var/lib/postgresql/data
    healthcheck:
      test: [\"CMD-SHELL\", \"pg_isready -U hookhaven\"]
      interval: 2s
      timeout: 3s
      retries: 30
";

pub const DOCKERFILE: &str = "\
# The binary on a slim image, run by a user who owns nothing but the data directory.
# Beside this file: the binary `hookhaven` of the version that you run; build with --tag hookhaven:VERSION.
FROM debian:bookworm-slim
# Root certificates, for handlers behind HTTPS and for lists that senders publish.
RUN apt-get update \\
 && apt-get install -y --no-install-recommends ca-certificates \\
 && rm -rf /var/lib/apt/lists/* \\
 && useradd --system --no-create-home --uid 10001 --shell /usr/sbin/nologin hookhaven \\
 && install -d -o hookhaven -g hookhaven -m 0700 /var/lib/hookhaven /var/lib/hookhaven-backups
COPY --chmod=0755 hookhaven /usr/local/bin/hookhaven
USER 10001
WORKDIR /var/lib/hookhaven
VOLUME /var/lib/hookhaven
EXPOSE 8080
STOPSIGNAL SIGTERM
# The image has no HTTP client; bash asks the admin side from inside.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \\
  CMD [\"bash\", \"-c\", \"exec 3<>/dev/tcp/127.0.0.1/8081 && printf 'GET /healthz HTTP/1.0\\\\r\\\\nHost: 127.0.0.1:8081\\\\r\\\\n\\\\r\\\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '\"]
ENTRYPOINT [\"hookhaven\"]
CMD [\"serve\", \"--config\", \"/etc/hookhaven/hookhaven.toml\", \"--data\", \"/var/lib/hookhaven\"]
";
