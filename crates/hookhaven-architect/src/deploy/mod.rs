//! What it is deployed with: one file for each kind of place, and `deploy/README.md` for all.
//!
//! Not here: where that is decided (`intake`, `design`), the config itself (`config`).

mod containers;
mod kubernetes;
mod machine;
mod platform;
mod readme;
mod site;

pub use site::Site;

use crate::{File, Plan, intake::Host};

pub fn files(plan: &Plan) -> Vec<File> {
    let files = match plan.intake.infrastructure.host {
        // Functions cannot hold what was acknowledged: a small machine beside them does.
        Host::Machine | Host::Serverless => machine::files(plan),
        Host::Containers => containers::files(plan),
        Host::Kubernetes => kubernetes::files(plan),
        Host::Platform => platform::files(plan),
    };
    [files, vec![readme::file(plan)]].concat()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::intake::{self, Given};

    /// A plan at a place, with so many nodes, whose senders need more than most.
    fn plan(host: &str, nodes: u32, handler: &str) -> Plan {
        let text = format!(
            "senders = [\"twilio\", \"asana\", \"nobody\"]\n[volume]\ntwilio = 1\nasana = 1\nnobody = {{ per_day = \
             90000000 }}\n\
             [processing]\ntwilio = \"answer\"\nasana = \"log\"\nnobody = \"log\"\n[idempotency]\ntwilio = \
             \"must\"\nasana = \"no\"\n\
             nobody = \"no\"\n[latency]\ntwilio = \"3s\"\nasana = \"1m\"\nnobody = \"1m\"\n[existing]\nstate = \
             \"nothing\"\n\
             [infrastructure]\nstack = []\nhosting = \"there\"\nhost = \"{host}\"\nnodes = {nodes}\nhandler_url = \
             \"{handler}\"\n\
             public_url = \"https://example.com/hooks\"\n"
        )
        .replace("90000000", if nodes == 1 { "9000" } else { "90000000" });
        let read = intake::read(Path::new("intake.toml"), &text, &Given::default());
        Plan::of(read.intake.unwrap_or_else(|| panic!("{:?} {:?}", read.problems, read.missing)))
    }

    fn all() -> Vec<(String, File)> {
        let mut all = Vec::new();
        for host in ["serverless", "machine", "containers", "kubernetes", "platform"] {
            for nodes in [1, 2] {
                for handler in ["http://127.0.0.1:3000", "http://app.internal"] {
                    let of = format!("{host} {nodes} {handler}");
                    all.extend(files(&plan(host, nodes, handler)).into_iter().map(|file| (of.clone(), file)));
                }
            }
        }
        all
    }

    #[test]
    fn every_file_is_filled_in_and_ends_with_its_line() {
        for (of, File { path, text }) in all() {
            let blank = |word: &&&str| text.contains(&format!("{{{word}}}"));
            let words = "name role data arguments memory more volume disk host path limit backups connections cores";
            assert_eq!(words.split(' ').collect::<Vec<_>>().iter().find(blank), None, "{of}: {path}");
            assert!(text.ends_with('\n') && !text.ends_with("\n\n") && !text.contains("\n\n\n"), "{of}: {path}");
        }
    }

    #[test]
    fn yaml_is_indented_as_its_parts_belong_together() {
        const OUTER: &[&str] = &["services", "volumes", "networks", "---", "apiVersion", "kind", "metadata", "spec"];
        for (of, File { path, text }) in all().into_iter().filter(|(_, file)| file.path.ends_with(".yaml")) {
            let mut before = 0;
            for line in text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.is_empty()) {
                let indent = line.len() - line.trim_start().len();
                let key = line.trim_start().split(':').next().unwrap_or_default();
                assert!(indent > 0 || OUTER.contains(&key), "{of}: {path}: {line:?} stands outside");
                // One step in at a time; an item of a list may open two.
                assert!(indent % 2 == 0 && indent <= before + 4 && !line.contains('\t'), "{of}: {path}: {line:?}");
                before = indent;
            }
            for owned in ["  volumeClaimTemplates:", "    depends_on:", "    network_mode: host"] {
                let stands = text.lines().find(|line| line.trim() == owned.trim());
                assert!(stands.is_none_or(|line| line == owned), "{of}: {path}: {owned}");
            }
        }
    }

    #[test]
    fn toml_is_read_and_says_what_holds_here() {
        let fly: Vec<_> = all().into_iter().filter(|(_, file)| file.path.ends_with(".toml")).collect();
        assert_eq!(fly.len(), 4);
        for (of, file) in fly {
            let read: toml::Table = toml::from_str(&file.text).unwrap_or_else(|error| panic!("{of}: {error}"));
            assert_eq!(read.contains_key("mounts"), of.contains(" 1 "), "{of}: a volume only for the embedded store");
            let first = read["http_service"]["processes"][0].as_str().unwrap_or_default();
            assert!(read["processes"].as_table().is_some_and(|table| table.contains_key(first)), "{of}");
        }
    }

    #[test]
    fn an_nginx_that_is_there_stays_in_front() {
        let mut at = plan("machine", 1, "http://127.0.0.1:3000");
        at.intake.infrastructure.hosting = "a VPS, nginx in front".to_owned();
        let [_, site, readme] = files(&at).try_into().unwrap();
        assert_eq!(site.path, "deploy/nginx.conf");
        assert!(site.text.contains("\tserver 127.0.0.1:8080;\n\tkeepalive"), "{}", site.text);
        assert!(site.text.contains("location /hooks/webhooks/ {\n\t\tproxy_pass http://hookhaven/webhooks/;"));
        assert_eq!(site.text.matches('{').count(), site.text.matches('}').count());
        assert!(readme.text.contains("nginx.conf") && !readme.text.contains("Caddy"), "{}", readme.text);
        at.intake.infrastructure.proxy = Some("caddy".to_owned());
        assert_eq!(files(&at)[1].path, "deploy/Caddyfile");
    }

    #[test]
    fn a_port_of_the_address_is_no_part_of_a_name() {
        for (host, path) in [("machine", "deploy/nginx.conf"), ("kubernetes", "deploy/kubernetes.yaml")] {
            let mut at = plan(host, 1, "http://app");
            at.intake.infrastructure.proxy = Some("nginx".to_owned());
            at.intake.infrastructure.public_url = Some("https://hooks.example.com:8443".to_owned());
            let file = files(&at).into_iter().find(|file| file.path == path).unwrap();
            assert!(file.text.contains("hooks.example.com") && !file.text.contains("com:8443"), "{}", file.text);
            assert_eq!(file.text.contains("listen 8443 ssl;"), host == "machine");
        }
    }

    #[test]
    fn a_handler_of_the_same_machine_keeps_its_port() {
        for (host, handler, port) in [
            ("machine", "http://127.0.0.1:8080", 8090),
            ("machine", "http://localhost:8081", 8090),
            ("containers", "http://127.0.0.1:8080", 8090),
            ("machine", "http://127.0.0.1:3000", 8080),
            ("machine", "http://10.0.0.5:8080", 8080),
            ("kubernetes", "http://127.0.0.1:8080", 8080),
        ] {
            let at = plan(host, 1, handler);
            let config = &crate::config::files(&at)[0].text;
            assert!(config.contains(&format!(":{port}\"\n# Admin API")), "{host} {handler}: {config}");
            let front = files(&at).into_iter().find(|file| file.path.ends_with("Caddyfile"));
            assert!(front.is_none_or(|file| file.text.contains(&format!("127.0.0.1:{port} {{"))), "{host} {handler}");
        }
    }

    #[test]
    fn what_is_written_can_be_written_there() {
        let text = |host: &str, path: &str| {
            let all = files(&plan(host, 1, "http://app.internal"));
            all.into_iter().find(|file| file.path == path).unwrap().text
        };
        assert!(text("machine", "deploy/hookhaven.service").contains("StateDirectory=hookhaven hookhaven-backups\n"));
        assert!(text("machine", "deploy/README.md").contains("hookhaven backup /var/lib/hookhaven-backups/"));
        let compose = text("containers", "deploy/compose.yaml");
        assert!(compose.contains("      - backups:/var/lib/hookhaven-backups\n") && compose.contains("\n  backups:\n"));
        assert!(text("containers", "deploy/Dockerfile").contains("/var/lib/hookhaven /var/lib/hookhaven-backups\n"));
        assert!(!text("kubernetes", "deploy/README.md").contains("hookhaven backup"), "nothing there takes it");
        // Asana's secret is a file, and the database has none.
        let parted = files(&plan("containers", 2, "http://app.internal"));
        assert!(parted[1].text.contains("      - data:/var/lib/hookhaven\n") && !parted[1].text.contains("backups"));
        assert!(parted.last().unwrap().text.contains("in place of `handover`"));
    }

    #[test]
    fn the_front_knows_every_node_that_receives() {
        let mut at = plan("machine", 2, "http://app");
        at.design.roles.value = crate::design::Roles::Apart { ingest: 3, workers: 2 };
        let caddy = files(&at).into_iter().find(|file| file.path == "deploy/Caddyfile").unwrap().text;
        let upstreams = "reverse_proxy node-1.internal:8080 node-2.internal:8080 node-3.internal:8080 {";
        assert!(caddy.contains(upstreams), "{caddy}");
    }

    #[test]
    fn a_process_may_use_what_the_design_counts_with_and_the_bodies_in_flight() {
        let mut at = plan("machine", 1, "http://app");
        for (counted, most) in [(150_000_000, 1_000_000_000), (500_000_000, 1_036_870_912), (2 << 30, 4 << 30)] {
            at.design.memory_bytes.value = counted;
            assert_eq!(site::memory_max(&at), most);
        }
    }

    #[test]
    fn each_role_has_its_process_and_the_front_leads_to_those_that_receive() {
        let parted = files(&plan("kubernetes", 2, "http://app"));
        let yaml = &parted[1].text;
        assert!(yaml.contains("\"--role\", \"ingest\"") && yaml.contains("\"--role\", \"worker\""));
        assert!(yaml.contains("          - path: /hooks/webhooks\n") && !yaml.contains("StatefulSet"));
        assert!(yaml.contains("                name: hookhaven-ingest\n"), "{yaml}");
        let machine: Vec<String> = files(&plan("machine", 2, "http://app")).into_iter().map(|file| file.path).collect();
        let names = ["hookhaven-ingest.service", "hookhaven-worker.service", "Caddyfile", "README.md"];
        assert_eq!(machine, names.map(|name| format!("deploy/{name}")));
        let compose = &files(&plan("containers", 1, "http://127.0.0.1:1"))[1].text;
        assert!(compose.contains("network_mode: host") && !compose.contains("database"), "{compose}");
    }
}
