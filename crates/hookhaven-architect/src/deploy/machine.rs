//! A machine: systemd units, and what speaks TLS before them: nginx where that is there, else Caddy.

use super::site::{Site, has_nginx, is_embedded, memory_max, name_and_port, processes, public};
use crate::{File, Plan};

pub fn files(plan: &Plan) -> Vec<File> {
    let all = processes(plan);
    let units = all.iter().map(|(name, role, _)| File::new(format!("deploy/{name}.service"), unit(plan, role)));
    let [port, _] = Site::of(plan).ports;
    // The first are those that receive.
    let upstream = match all[0].2 {
        1 if plan.design.nodes.value == 1 => format!("127.0.0.1:{port}"),
        n => (1..=n).map(|node| format!("node-{node}.internal:{port}")).collect::<Vec<_>>().join(" "),
    };
    let front = if has_nginx(plan) {
        File::new("deploy/nginx.conf", nginx(plan, &upstream))
    } else {
        File::new("deploy/Caddyfile", caddyfile(plan, &upstream))
    };
    units.chain([front]).collect()
}

fn nginx(plan: &Plan, upstream: &str) -> String {
    let (host, path) = public(plan);
    let (name, port) = name_and_port(&host);
    let servers: String = upstream.split(' ').map(|server| format!("\tserver {server};\n")).collect();
    NGINX
        .replace("{servers}", &servers)
        .replace("{host}", name)
        .replace("{port}", port)
        .replace("{path}", &path)
        .replace("{body}", &format!("{}m", body_max_mib(plan)))
}

/// A little more than the gateway takes, so that it is the one to refuse what is too large.
fn body_max_mib(plan: &Plan) -> u64 {
    plan.design.sources.iter().map(|s| s.body_max_bytes.value).max().unwrap_or(0).div_ceil(1 << 20) + 1
}

fn unit(plan: &Plan, role: &str) -> String {
    let mut arguments = "serve --config /etc/hookhaven/hookhaven.toml".to_owned();
    if role != "all" {
        arguments += &format!(" --role {role}");
    }
    if is_embedded(plan) {
        arguments += " --data /var/lib/hookhaven";
    }
    let memory_mb = memory_max(plan).div_ceil(1_000_000);
    let backups = if is_embedded(plan) { " hookhaven-backups" } else { "" };
    UNIT.replace("{arguments}", &arguments).replace("{memory}", &format!("{memory_mb}M")).replace("{backups}", backups)
}

/// What stands before the gateway, on any kind of host that has no such thing itself.
pub fn caddyfile(plan: &Plan, upstream: &str) -> String {
    let (host, path) = public(plan);
    let health = if upstream.contains(' ') {
        "\n\t\t\tlb_policy least_conn\n\t\t\tlb_try_duration 2s\n\t\t\thealth_uri /healthz\n\t\t\thealth_interval 5s"
    } else {
        ""
    };
    let strip = if path.is_empty() { String::new() } else { format!("\n\t\turi strip_prefix {path}") };
    CADDYFILE
        .replace("{host}", &host)
        .replace("{path}", &path)
        .replace("{strip}", &strip)
        .replace("{body}", &format!("{}MiB", body_max_mib(plan)))
        .replace("{upstream}", upstream)
        .replace("{health}", health)
}

const CADDYFILE: &str = "\
# TLS in front of the gateway: Caddy gets the certificate itself and renews it. Senders reach /webhooks/… and nothing else.
{host} {
	@senders path {path}/webhooks/*
	handle @senders {{strip}
		request_body {
			max_size {body}
		}
		reverse_proxy {upstream} {
			# A sender that was cut off comes again: the answer is the gateway's to give.
			transport http {
				dial_timeout 2s
				response_header_timeout 30s
			}{health}
		}
	}
	handle {
		respond 404
	}
}
";

const NGINX: &str = "\
# A site of the nginx that is there. Senders reach /webhooks/… and nothing else.
upstream hookhaven {
{servers}	keepalive 32;
}
server {
	listen {port} ssl;
	listen [::]:{port} ssl;
	server_name {host};
	# As `certbot certonly --nginx --domain {host}` puts them there.
	ssl_certificate /etc/letsencrypt/live/{host}/fullchain.pem;
	ssl_certificate_key /etc/letsencrypt/live/{host}/privkey.pem;

	location {path}/webhooks/ {
		proxy_pass http://hookhaven/webhooks/;
		proxy_http_version 1.1;
		proxy_set_header Connection \"\";
		proxy_set_header Host $host;
		proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
		client_max_body_size {body};
		proxy_connect_timeout 2s;
		proxy_read_timeout 30s;
		# A sender that was cut off comes again: the answer is the gateway's to give.
		proxy_next_upstream off;
	}
	location / {
		return 404;
	}
}
";

const UNIT: &str = "\
# Install: the binary as /usr/local/bin/hookhaven, this file in /etc/systemd/system, the config as
# /etc/hookhaven/hookhaven.toml, .env.example filled in as /etc/hookhaven/secrets.env (owned by root, mode 0600).
[Unit]
Description=Hookhaven webhook gateway
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
ExecStart=/usr/local/bin/hookhaven {arguments}
ExecReload=/bin/kill -HUP $MAINPID
EnvironmentFile=/etc/hookhaven/secrets.env
WorkingDirectory=/var/lib/hookhaven
Restart=always
RestartSec=1s
# 2: the config is wrong. Starting again would not mend it.
RestartPreventExitStatus=2
# SIGTERM drains for limits.drain_timeout (20 s); leave it that and some more.
KillSignal=SIGTERM
TimeoutStopSec=40s
LimitNOFILE=65536
# Far beyond what the design reckons with: there something is wrong, and a restart loses nothing.
MemoryMax={memory}

DynamicUser=yes
StateDirectory=hookhaven{backups}
StateDirectoryMode=0700
UMask=0077

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
ProcSubset=pid
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
";
