//! `deploy/README.md`: the steps, then backup and upgrade, for the place named.

use super::site::{
    BACKUPS, Site, has_nginx, is_embedded, keeps_secrets_only, name_and_port, processes, public, shared_options,
};
use crate::{
    File, Plan,
    design::Roles,
    intake::Host,
    words::{list, rate},
};

pub fn file(plan: &Plan) -> File {
    let parts =
        [head(plan), serverless(plan), steps(plan), first_event(plan), roles(plan), backup(plan), upgrade(plan)];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    File::new("deploy/README.md", parts.join("\n"))
}

fn head(plan: &Plan) -> String {
    let hosting = &plan.design.hosting;
    format!(
        "# Running it\n\n{}: {}. Cost: {} a month, in dollars or euros. {}\n",
        place(plan),
        hosting.value.size,
        hosting.value.cost,
        hosting.why
    )
}

fn place(plan: &Plan) -> &'static str {
    match plan.intake.infrastructure.host {
        Host::Machine if has_nginx(plan) => "A machine with systemd, and your nginx before it for TLS",
        Host::Serverless if has_nginx(plan) => {
            "A small machine beside your functions, with systemd, and your nginx before it for TLS"
        }
        Host::Machine => "A machine with systemd, and Caddy before it for TLS",
        Host::Serverless => "A small machine beside your functions, with systemd, and Caddy before it for TLS",
        Host::Containers => "Containers on a machine, Caddy among them for TLS",
        Host::Kubernetes => "Kubernetes, an Ingress before it for TLS",
        Host::Platform => "A platform that runs containers and ends TLS itself",
    }
}

fn serverless(plan: &Plan) -> String {
    if plan.intake.infrastructure.host != Host::Serverless {
        return String::new();
    }
    "## Why not in a function\n\nA function lives as long as its request and keeps no disk. What it acknowledged it \
     has to hand on within that request, to a queue that is one more service, and a cold start comes off the seconds \
     that a sender waits. Retries, order and concurrency would each need something else that is always on. So \
     receiving moves to one small process that is; your functions stay what does the work: the gateway calls them as \
     its destinations, with a signature, no more at once than they bear, and again until they succeed. Set the \
     handlers' `url` to their addresses.\n"
        .to_owned()
}

fn steps(plan: &Plan) -> String {
    let (host, path) = public(plan);
    let [_, admin] = Site::of(plan).ports;
    let (name, port) = name_and_port(&host);
    let point = format!("Point the DNS name `{name}` at it; ports 80 and {port} have to reach it.");
    let steps: Vec<String> =
        match plan.intake.infrastructure.host {
            Host::Machine | Host::Serverless => machine_steps(plan, &point),
            Host::Containers => vec![
                "Put the binary `hookhaven` beside `deploy/Dockerfile`.".to_owned(),
                "Copy `.env.example` to `.env`, readable by you alone, and fill it in.".to_owned(),
                in_container("docker compose --env-file .env -f deploy/compose.yaml run --rm --build", plan),
                point,
                "`docker compose --env-file .env -f deploy/compose.yaml up --detach`".to_owned(),
            ],
            Host::Kubernetes => vec![
            "Put the binary `hookhaven` beside `deploy/Dockerfile`, build the image, and push it where your cluster \
             pulls from; write that name into `deploy/kubernetes.yaml`."
                .to_owned(),
            "Copy `.env.example` to `.env` and fill it in; then `kubectl create secret generic hookhaven \
             --from-env-file=.env`."
                .to_owned(),
            "`kubectl create configmap hookhaven --from-file=hookhaven.toml`".to_owned(),
            format!("Name your Ingress's host (`{name}`) and TLS secret in `deploy/kubernetes.yaml`, then `kubectl \
            apply -f` it."),
            in_container("kubectl exec -it", plan),
        ],
            Host::Platform => platform_steps(plan),
        };
    let mut text = "## Steps\n\n".to_owned();
    for (n, step) in steps.iter().enumerate() {
        text += &format!("{}. {step}\n", n + 1);
    }
    text += &format!(
        "\nSenders post to `https://{host}{path}/webhooks/NAME`. The admin side (port {admin}) is for you alone.\n"
    );
    let strips = matches!(plan.intake.infrastructure.host, Host::Kubernetes | Host::Platform) && !path.is_empty();
    if strips {
        text += &format!(
            "What stands in front has to take `{path}` off the path: the gateway listens under `/webhooks/`.\n"
        );
    }
    if plan.intake.infrastructure.host == Host::Containers {
        text += "After a change of `hookhaven.toml`: `docker compose -f deploy/compose.yaml restart`. An editor that puts \
                 a new file in the old one's place is not seen by what runs.\n";
    }
    if Site::of(plan).proxies.is_none() {
        text += "Set `server.trusted_proxies` to the address that `hookhaven events show EVENT_ID` gives after `from` until then: \
                 it is the proxy's.\n";
    }
    text
}

fn machine_steps(plan: &Plan, point: &str) -> Vec<String> {
    let all = processes(plan);
    let units: Vec<String> = all.iter().map(|(name, ..)| format!("{name}.service")).collect();
    let names = list(&units.iter().map(|unit| format!("`{unit}`")).collect::<Vec<_>>());
    let on_each = if plan.design.nodes.value > 1 { "On each node: " } else { "" };
    let mut steps = vec![
        format!("{on_each}Put the binary at `/usr/local/bin/hookhaven`, and `hookhaven.toml` into `/etc/hookhaven/`."),
        "Copy `.env.example` to `/etc/hookhaven/secrets.env` (owned by root, mode 0600) and fill it in.".to_owned(),
        format!(
            "Copy {names} to `/etc/systemd/system/`{}.",
            if all.len() > 1 { ", each where its role runs" } else { "" }
        ),
        format!(
            "`systemd-run --pipe --wait --property=EnvironmentFile=/etc/hookhaven/secrets.env \
             /usr/local/bin/hookhaven check {}`: no error, and no warning that the file does not speak of.",
            shared_options(plan)
        ),
        format!("`systemctl enable --now {}`", units.join(" ")),
        if has_nginx(plan) {
            format!("{point} Put `deploy/nginx.conf` where nginx looks for sites, and `nginx -t && nginx -s reload`.")
        } else {
            format!("{point} Install Caddy with `deploy/Caddyfile` as `/etc/caddy/Caddyfile`.")
        },
    ];
    if plan.design.nodes.value > 1 {
        steps.push(format!(
            "Let the firewall pass port {} from the proxy's machine alone, and name the nodes in the proxy's file.",
            Site::of(plan).ports[0]
        ));
    }
    steps
}

fn platform_steps(plan: &Plan) -> Vec<String> {
    let volume = if is_embedded(plan) {
        "Make the volume, one, in the region of your handlers: what was acknowledged lies on it."
    } else {
        "Make a PostgreSQL database and set `store.url`: the platform's own disks do not outlive a deploy."
    };
    vec![
        "Put the binary `hookhaven` beside `deploy/Dockerfile`.".to_owned(),
        volume.to_owned(),
        "Copy `.env.example` to `.env`, fill it in, and give its lines to the platform as secrets.".to_owned(),
        "Deploy with `deploy/fly.toml`, or say the same to your platform: one instance that never sleeps, port 8080, \
         TLS."
            .to_owned(),
        format!(
            "Elsewhere than on Fly the config goes into the image (`COPY hookhaven.toml /etc/hookhaven/`). A platform \
             that chooses the port (Heroku, in `$PORT`) needs it written in at each start, by this entry point: `sh -c \
             'sed \"s/0.0.0.0:8080/0.0.0.0:$PORT/\" /etc/hookhaven/hookhaven.toml > /tmp/hookhaven.toml && exec \
             hookhaven serve --config /tmp/hookhaven.toml{}'`",
            match plan.design.roles.value {
                Roles::Apart { .. } => " --role ingest",
                Roles::Together { .. } if is_embedded(plan) => " --data /var/lib/hookhaven",
                Roles::Together { .. } => "",
            }
        ),
        in_container("fly ssh console --command", plan),
    ]
}

/// How the config is tried in a container.
fn in_container(exec: &str, plan: &Plan) -> String {
    let name = processes(plan)[0].0;
    let pod = match plan.intake.infrastructure.host {
        Host::Kubernetes if is_embedded(plan) => format!("{exec} {name}-0 -- "),
        Host::Kubernetes => format!("{exec} deploy/{name} -- "),
        Host::Platform => format!("{exec} \""),
        // Not yet running: the image's entry point is the command itself.
        _ => format!("{exec} {name} "),
    };
    let (command, end) = match plan.intake.infrastructure.host {
        Host::Platform => ("hookhaven check", "\""),
        Host::Kubernetes => ("hookhaven check", ""),
        _ => ("check", ""),
    };
    format!("`{pod}{command} {}{end}`: no error, and no warning that the file does not speak of.", shared_options(plan))
}

fn first_event(plan: &Plan) -> String {
    let source = plan.design.sources.first();
    let name = source.map_or("NAME", |source| &*source.name);
    // One that the sender is tried with; of a sender that is not known, one of their own.
    let usual = source.and_then(|source| source.sender).and_then(|declared| declared.sample_types.first());
    let own = plan.intake.senders.first().and_then(|sender| sender.events.iter().find(|t| !t.contains('*')));
    let sample = usual.copied().or(own.map(String::as_str)).unwrap_or("test");
    format!(
        "## The first event\n\n{}\n\n`hookhaven trigger {name} {sample}` sends a signed sample through all of it. Then \
         enter the address at one sender, and look at what comes with `hookhaven tail`; `hookhaven why EVENT_ID` \
         tells one event's whole story. Only then the next sender.\n\n{}\n",
        asked(plan),
        watched(plan)
    )
}

/// How people and monitors reach the admin side.
fn watched(plan: &Plan) -> String {
    let name = processes(plan)[0].0;
    let inside = "The admin side listens inside the container alone. For the dashboard and for a monitor that reads \
                  `/metrics`, bind `server.admin` to an address of a private network and name its host under \
                  `server.admin_hosts`; alerts are told without either.";
    let [_, admin] = Site::of(plan).ports;
    let tunnel = format!("`ssh -L {admin}:127.0.0.1:{admin}` to the machine");
    let by = |how: &str| {
        format!(
            "The dashboard is at `http://127.0.0.1:{admin}` behind {how}; `hookhaven dashboard` prints a link that signs \
             you in. Prometheus reads `/metrics` there; alerts are told without it."
        )
    };
    match plan.intake.infrastructure.host {
        Host::Machine | Host::Serverless => by(&tunnel),
        Host::Containers if Site::of(plan).shares_network => by(&tunnel),
        Host::Kubernetes => {
            let kind = if is_embedded(plan) { "statefulset" } else { "deployment" };
            by(&format!("`kubectl port-forward {kind}/{name} {admin}`"))
        }
        Host::Containers | Host::Platform => inside.to_owned(),
    }
}

/// How its commands find it.
fn asked(plan: &Plan) -> String {
    let shared = shared_options(plan);
    let inside = |exec: &str| format!("Commands are given in there, with `{shared}` at their end: `{exec}`.");
    let name = processes(plan)[0].0;
    match plan.intake.infrastructure.host {
        Host::Machine | Host::Serverless => format!(
            "Commands want the config, the secrets and the data. On the machine, as root, this makes `hookhaven …` as \
             it stands below work:\n\n```sh\nhookhaven() {{ systemd-run --quiet --pipe --wait \
             --property=EnvironmentFile=/etc/hookhaven/secrets.env /usr/local/bin/hookhaven \"$@\" {shared}; }}\n```"
        ),
        Host::Containers => {
            inside(&format!("docker compose --env-file .env -f deploy/compose.yaml exec {name} hookhaven …"))
        }
        Host::Kubernetes if is_embedded(plan) => inside(&format!("kubectl exec -it {name}-0 -- hookhaven …")),
        Host::Kubernetes => inside(&format!("kubectl exec -it deploy/{name} -- hookhaven …")),
        Host::Platform => inside("fly ssh console --command \"hookhaven …\""),
    }
}

fn roles(plan: &Plan) -> String {
    let Roles::Apart { ingest, workers } = plan.design.roles.value else { return String::new() };
    format!(
        "## Receivers and workers\n\n{ingest} nodes receive (`--role ingest`), {workers} work (`--role worker`), \
         with one config and one database.\n\n\
         | | grows when | by | not when |\n|---|---|---|---|\n\
         | receivers | p95 of `webhook_received_duration_seconds` passes 200 ms, or requests a second pass {} a node \
         | one | answers are 503: that is the store, not the receivers |\n\
         | workers | `webhook_queue_oldest_seconds` stays above half the deadline for 5 minutes | one | handlers \
         answer slowly or fail: more workers press them harder |\n\
         | the database | its processor stays above 70% | twice the cores | |\n",
        rate(crate::design::NODE_PER_SECOND)
    )
}

fn backup(plan: &Plan) -> String {
    let regulated = plan.intake.requirements.regulated.is_some();
    let key =
        if regulated { " Keep `HOOKHAVEN_MASTER_KEY` elsewhere: without it a backup cannot be read." } else { "" };
    let handed = plan.design.sources.iter().any(|source| source.handover.is_some());
    let handed = match (handed, keeps_secrets_only(plan)) {
        (true, false) => " Secrets that senders handed over are files among the data: copy them too.",
        (true, true) => {
            "\n\nA secret that a sender hands over is a file on the node that was posted to, under `/var/lib/hookhaven`. \
             Once it is there, copy it to where your other secrets are, mount it on every node, and name it in \
             `secrets = [\"file:PATH\"]` in place of `handover`: else it goes with that node."
        }
        (false, _) => "",
    };
    format!("## Backup\n\n{} It holds the data keys, so it is as secret as the data.{key}{handed}\n", copied(plan))
}

/// How what is stored is copied, brought back and tried.
fn copied(plan: &Plan) -> String {
    if !is_embedded(plan) {
        return "The database's own tools, with point-in-time recovery. A standby that follows asynchronously may lack \
                the last transactions: make it synchronous if nothing that was acknowledged may be lost. Try a restore \
                once a quarter."
            .to_owned();
    }
    let written = format!(
        "`hookhaven backup {BACKUPS}/$(date +%F)` has the running gateway write a copy of its store: everything \
         accepted before it began. Daily, from there off the machine, and the old ones removed."
    );
    let how = match plan.intake.infrastructure.host {
        Host::Machine | Host::Serverless => written,
        Host::Containers => format!("{written} (`docker compose cp` brings it out of the volume.)"),
        Host::Kubernetes => {
            "A `VolumeSnapshot` of the volume, daily: it is whole at any moment, as after a cut of the \
                             power."
                .to_owned()
        }
        Host::Platform => {
            "Snapshots of the volume, daily (Fly makes them by itself; `fly volumes snapshots list`): it \
                           is whole at any moment, as after a cut of the power."
                .to_owned()
        }
    };
    format!(
        "{how} To go back: stop the gateway, put the copy where the data were, start it. What was pending then is \
         delivered again, under the same `webhook-id`; what came since is at the senders, as far as they come again. \
         Try a copy once a quarter on another machine with `hookhaven doctor --data DIR`; if you start it there, then \
         with `state = \"paused\"` in every destination, or it delivers what was pending a second time."
    )
}

fn upgrade(plan: &Plan) -> String {
    let how = match (is_embedded(plan), plan.intake.infrastructure.host) {
        (true, Host::Machine | Host::Serverless) => {
            "Back up, replace the binary, `hookhaven check`, `systemctl restart hookhaven`. SIGTERM finishes what is \
             under way; the new process waits up to 10 s for the directory's lock and serves within seconds. Senders \
             that come again notice nothing."
        }
        (true, _) => {
            "Back up, then deploy the new image. The old process ends before the new one starts, for the data have \
             one owner: some seconds in which senders hear nothing and come again."
        }
        (false, _) => {
            "One node after the other. The first new one expands the schema, and those of the version before go on \
             beside it; with `store.migrate = false` run `hookhaven migrate` first. `hookhaven nodes` shows who runs \
             what."
        }
    };
    let never: Vec<&str> = plan
        .intake
        .senders
        .iter()
        .filter(|sender| plan.design.source(&sender.name).is_some_and(|source| source.reserved.value))
        .map(|sender| sender.title())
        .collect();
    let lost = if never.is_empty() || !is_embedded(plan) {
        String::new()
    } else {
        format!(
            " Do not count on {} coming again: upgrade when it is quiet, and look for what was missed afterwards.",
            list(&never)
        )
    };
    format!(
        "## Upgrade\n\n{how}{lost} A data directory or database that is newer than the binary is refused, so keep \
         the backup until you are sure.\n"
    )
}
