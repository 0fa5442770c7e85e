//! What holds of the process's settings where the file does not say: each key of the file with its value in force, as
//! TOML writes it. Sources, destinations and routes have lists of their own, which show what holds.

use std::time::Duration;

use crate::config::{Config, LogFormat, Place, duration, size, written::quoted};

/// By key. Secrets are left out.
pub(super) fn of(config: &Config) -> Vec<(&'static str, String)> {
    let mut all = server(config);
    all.extend(store(config));
    all.extend(limits(config));
    all.extend(publish(config));
    all
}

fn server(config: &Config) -> Vec<(&'static str, String)> {
    let (server, log, worker) = (&config.server, &config.log, &config.worker);
    let format = LogFormat::ALL.into_iter().find(|(_, format)| *format == log.format).map_or("auto", |(name, _)| name);
    vec![
        ("server.role", quoted(server.role.as_str())),
        ("server.ingest", quoted(&server.ingest.to_string())),
        ("server.admin", quoted(&server.admin.to_string())),
        ("log.format", quoted(format)),
        ("log.level", quoted(&log.level.to_string().to_lowercase())),
        ("worker.slots", worker.slots.to_string()),
        ("worker.excerpt_max", bytes(worker.excerpt_bytes_max)),
        ("worker.response_max", bytes(worker.response_bytes_max)),
        ("worker.session_ttl", time(worker.session_ttl)),
        ("alerts.enabled", config.alerts.enabled.to_string()),
    ]
}

fn store(config: &Config) -> Vec<(&'static str, String)> {
    let store = &config.store;
    let place = match &store.place {
        Place::Directory(dir) => quoted(&format!("file:{}", dir.display())),
        Place::Memory => quoted("memory:"),
        // The file names it, or an environment variable that it names.
        Place::Database(_) => quoted("postgres:…"),
    };
    vec![
        ("store.url", place),
        ("store.retention", time(store.retention)),
        ("store.retention_dead", store.retention_dead.map_or_else(|| quoted("forever"), time)),
        ("store.pending_max", store.pending_max.to_string()),
        ("store.free_min", bytes_u64(store.free_min_bytes)),
        ("store.reserve", bytes_u64(store.reserve_bytes)),
    ]
}

fn limits(config: &Config) -> Vec<(&'static str, String)> {
    let limits = &config.limits;
    vec![
        ("limits.connections_max", limits.connections_max.to_string()),
        ("limits.header_max", bytes(limits.header_bytes_max)),
        ("limits.headers_max", limits.headers_max.to_string()),
        ("limits.header_timeout", time(limits.header_timeout)),
        ("limits.body_timeout", time(limits.body_timeout)),
        ("limits.idle_timeout", time(limits.idle_timeout)),
        ("limits.bodies_in_flight_max", bytes(limits.body_bytes_in_flight_max)),
        ("limits.drain_timeout", time(limits.drain_timeout)),
        ("limits.metric_types_max", limits.metric_types_max.to_string()),
        ("limits.reserved_percent", limits.reserved_percent.to_string()),
    ]
}

fn publish(config: &Config) -> Vec<(&'static str, String)> {
    let publish = &config.publish;
    vec![
        ("publish.enabled", publish.enabled.to_string()),
        ("publish.dedupe_window", time(publish.dedupe_window)),
        ("publish.body_max", bytes(publish.body_bytes_max)),
        ("publish.retries_max", publish.retries_max.to_string()),
        ("publish.timeout", time(publish.timeout)),
    ]
}

fn time(time: Duration) -> String {
    quoted(&duration::print(time))
}

fn bytes(bytes: usize) -> String {
    bytes_u64(bytes as u64)
}

fn bytes_u64(bytes: u64) -> String {
    quoted(&size::print(bytes))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Environment, parse};

    #[test]
    fn what_is_shown_as_a_default_can_be_written_into_the_file() {
        let mut file = String::new();
        for (key, value) in of(&Config::default()) {
            let (section, name) = key.split_once('.').unwrap();
            file.push_str(&format!("{section}.{name} = {value}\n"));
        }
        let parsed = parse::parse(Path::new("hookhaven.toml"), &file, &Environment::default());
        let problems: Vec<_> = parsed.problems.iter().map(ToString::to_string).collect();
        let config = parsed.config.unwrap_or_else(|| panic!("{problems:#?}"));
        assert_eq!(of(&config), of(&Config::default()));
    }
}
