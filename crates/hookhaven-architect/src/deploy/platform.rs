//! A platform that runs containers: a description in Fly's manner, with a volume where the store is embedded.

use super::{
    containers::DOCKERFILE,
    site::{is_embedded, processes},
};
use crate::{File, Plan};

pub fn files(plan: &Plan) -> Vec<File> {
    vec![File::new("deploy/Dockerfile", DOCKERFILE), File::new("deploy/fly.toml", description(plan))]
}

fn description(plan: &Plan) -> String {
    let embedded = is_embedded(plan);
    let all = processes(plan);
    let data = if embedded { " --data /var/lib/hookhaven" } else { "" };
    let mut text = HEAD.to_owned();
    text += "\n[processes]\n";
    for (name, role, _) in &all {
        let role = if *role == "all" { String::new() } else { format!(" --role {role}") };
        text += &format!("{name} = \"serve --config /etc/hookhaven/hookhaven.toml{role}{data}\"\n");
    }
    if embedded {
        let gb = plan.design.disk_bytes.value.div_ceil(1 << 30);
        text += &MOUNT.replace("{process}", all[0].0).replace("{disk}", &format!("{gb}gb"));
    }
    let hosting = &plan.design.hosting.value;
    let mib = hosting.memory_bytes.div_ceil(1 << 20).next_power_of_two();
    let least = if embedded { 1 } else { all[0].2 };
    text + &REST
        .replace("{process}", all[0].0)
        .replace("{least}", &least.to_string())
        .replace("{cores}", &hosting.cores.to_string())
        .replace("{memory}", &format!("{mib}mb"))
}

const HEAD: &str = "\
# fly launch --copy-config --no-deploy --config deploy/fly.toml; fly secrets import < .env; fly deploy --config deploy/fly.toml
# Other platforms ask for the same: the image, the config file at its place, port 8080, an instance that never sleeps.
app = \"hookhaven\"
kill_signal = \"SIGTERM\"
# SIGTERM drains for limits.drain_timeout (20 s); leave it that and some more.
kill_timeout = \"40s\"

[build]
dockerfile = \"Dockerfile\"

[deploy]
# The old one stops before the new one starts: a data directory has one owner.
strategy = \"immediate\"

[[files]]
guest_path = \"/etc/hookhaven/hookhaven.toml\"
local_path = \"../hookhaven.toml\"
";

const MOUNT: &str = "
# The volume is the truth, so there is one machine: fly scale count 1.
[[mounts]]
source = \"hookhaven_data\"
destination = \"/var/lib/hookhaven\"
initial_size = \"{disk}\"
processes = [\"{process}\"]
";

const REST: &str = "
[http_service]
internal_port = 8080
processes = [\"{process}\"]
force_https = true
# Never asleep: senders wait milliseconds for an answer, and retries come due at any time.
auto_stop_machines = \"off\"
auto_start_machines = true
min_machines_running = {least}

[checks.ingest]
type = \"tcp\"
port = 8080
processes = [\"{process}\"]
interval = \"10s\"
timeout = \"2s\"
grace_period = \"15s\"

[[vm]]
size = \"shared-cpu-{cores}x\"
memory = \"{memory}\"
";
