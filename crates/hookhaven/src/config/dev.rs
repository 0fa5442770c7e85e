//! The development server, `serve --dev`: what QStash's own one is, so that a project with `QSTASH_DEV=true`
//! works against it without a change. Loopback only, nothing is kept, and its token and keys are known to
//! everybody; so a configuration that asks for anything else is refused rather than bent.
//!
//! Sources, destinations and routes of a config file work as ever.

use std::net::SocketAddr;

use hookhaven_core::Secret;

use super::{
    environment::Environment,
    load::Origin,
    model::{Config, Place, Role},
    problem::{Places, Problem, Refused, Severity},
    publish::{PUBLIC_KEYS, PUBLIC_TOKEN},
};

/// Where QStash's clients look for a development server on another port than 8080.
pub const PORT_VARIABLE: &str = "QSTASH_DEV_PORT";
/// What published messages may reach beside the public Internet.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];
/// What the development server brings itself.
const OWN: [&str; 5] = [
    "publish.tokens",
    "publish.read_tokens",
    "publish.current_signing_key",
    "publish.next_signing_key",
    "publish.enabled",
];

/// Makes a configuration the development server's.
///
/// # Errors
/// Everything in it that contradicts.
pub fn apply(
    mut config: Config,
    origin: &Origin,
    places: &Places,
    environment: &Environment,
) -> Result<Config, Refused> {
    let mut problems = Vec::new();
    let mut wrong = |key: &str, what: &str, mend: &str| {
        problems.push(Problem::of(Severity::Error, key, what, mend));
    };
    let given = |key: &str| places.keys.contains_key(key);
    if let Some(text) = environment.get(PORT_VARIABLE) {
        match text.parse() {
            Ok(port) => listen_on(&mut config, port, given("server.admin")),
            Err(_) => wrong(PORT_VARIABLE, "is not a port", "give a number such as 8080"),
        }
    }
    for (key, address) in [("server.ingest", config.server.ingest), ("server.admin", config.server.admin)] {
        if !address.ip().is_loopback() {
            wrong(key, "--dev listens on loopback only: its token is known to everybody", "use 127.0.0.1");
        }
    }
    if collide(config.server.ingest, config.server.admin) {
        wrong(PORT_VARIABLE, "is the port of the admin side", "choose another one, or set admin under [server]");
    }
    if origin.data_dir.is_some() {
        wrong("--data", "--dev keeps nothing", "leave one of the two out");
    }
    if given("store.url") && config.store.place != Place::Memory {
        wrong("store.url", "--dev keeps nothing", "take it out, or start without --dev");
    }
    if origin.role.unwrap_or(config.server.role) != Role::All {
        wrong("--role", "--dev is one process that does everything", "leave it out");
    }
    for key in OWN.into_iter().filter(|key| given(key)) {
        wrong(key, "--dev brings its own: those of QStash's development server", "take it out, or start without --dev");
    }
    if !problems.is_empty() {
        return Err(Refused { problems });
    }
    config.store.place = Place::Memory;
    config.publish.tokens = Secret::new(PUBLIC_TOKEN).into_iter().collect();
    let [current, next] = PUBLIC_KEYS.map(Secret::new);
    (config.publish.current_signing_key, config.publish.next_signing_key) = (current, next);
    let loopback = LOOPBACK.iter().filter_map(|net| net.parse().ok());
    config.net.allow = config.net.allow.iter().copied().chain(loopback).collect();
    Ok(config)
}

/// The admin side is beside it, unless the file says where.
fn listen_on(config: &mut Config, port: u16, admin_given: bool) {
    config.server.ingest.set_port(port);
    if !admin_given && port != 0 {
        config.server.admin.set_port(port.checked_add(1).unwrap_or(port - 1));
    } else if !admin_given {
        config.server.admin.set_port(0);
    }
}

fn collide(ingest: SocketAddr, admin: SocketAddr) -> bool {
    ingest.port() != 0 && ingest == admin
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    fn loaded(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hookhaven.toml");
        std::fs::write(&file, text).unwrap();
        let origin = Origin { file: Some(file), dev: true, ..Origin::default() };
        let loaded = load::load(origin, &Environment::from_iter(variables.iter().copied()));
        let plain = |text: String| text.replace(&format!("{}/", dir.path().display()), "");
        loaded.map(|loaded| loaded.config).map_err(|refused| plain(refused.to_string()))
    }

    #[test]
    fn it_is_qstashs_development_server_whatever_the_environment_says() {
        let variables = [("HOOKHAVEN_TOKEN", "a-token-of-the-teams-own"), (PORT_VARIABLE, "9000")];
        let config = loaded("[net]\nallow = [\"10.0.0.0/8\"]\n", &variables).unwrap();
        assert_eq!(config.store.place, Place::Memory);
        assert_eq!((config.server.ingest.port(), config.server.admin.port()), (9000, 9001));
        assert_eq!(config.publish.tokens, [Secret::new(PUBLIC_TOKEN).unwrap()]);
        let keys = config.publish.signing_keys().unwrap();
        assert_eq!([keys.current.expose(), keys.next.expose()], PUBLIC_KEYS.map(str::as_bytes));
        let allow: Vec<String> = config.net.allow.iter().map(ToString::to_string).collect();
        assert_eq!(allow, ["10.0.0.0/8", "127.0.0.0/8", "::1/128"]);
        assert_eq!(loaded("", &[]).unwrap().server.ingest.port(), 8080);
    }

    #[test]
    fn what_contradicts_is_refused() {
        for (text, says) in [
            ("[server]\ningest = \"0.0.0.0:8080\"\n", "hookhaven.toml:2:10: server.ingest: --dev listens on loopback"),
            ("[server]\nadmin = \"192.0.2.1:8081\"\n", "hookhaven.toml:2:9: server.admin: --dev listens on loopback"),
            ("[store]\nurl = \"file:data\"\n", "hookhaven.toml:2:7: store.url: --dev keeps nothing"),
            ("[publish]\ntokens = [\"x\"]\n", "hookhaven.toml:2:10: publish.tokens: --dev brings its own"),
            ("[publish]\nenabled = false\n", "hookhaven.toml:2:11: publish.enabled: --dev brings its own"),
        ] {
            let said = loaded(text, &[]).unwrap_err();
            assert!(said.starts_with(says), "{said}");
        }
        for port in ["http", "65536", ""] {
            let said = loaded("", &[(PORT_VARIABLE, port)]).unwrap_err();
            assert!(said.starts_with("QSTASH_DEV_PORT: is not a port"), "{said}");
        }
        let said = loaded("[server]\nadmin = \"127.0.0.1:9000\"\n", &[(PORT_VARIABLE, "9000")]).unwrap_err();
        assert!(said.starts_with("QSTASH_DEV_PORT: is the port of the admin side"), "{said}");
    }
}
