//! `[store]`: where things are kept, for how long, and how much may wait.

use std::{path::Path, time::Duration};

use hookhaven_core::Secret;
use hookhaven_store::postgres::{self, PostgresAddress};

use super::{
    document::{Item, Table},
    server::{GIB, HOUR, MIB, bytes_of, section, set, usize_of},
    values::quote,
};
use crate::config::{
    duration,
    model::{Database, Place, Store},
    secret::Resolver,
};

/// The longest that a duration can be.
const TEN_YEARS: Duration = Duration::from_secs(3_650 * 24 * 3_600);

const EXAMPLE: &str = "write a directory such as \"file:hookhaven-data\", or \"postgres://user@host/database\"";
/// What only the store in a directory has.
const OF_FILES: [&str; 4] = ["segment", "index_lag_max", "free_min", "reserve"];
/// What only a database has.
const OF_DATABASES: [&str; 3] = ["password", "listen_url", "migrate"];

pub fn store(root: &mut Table<'_>, base: &Path, secrets: &Resolver<'_>) -> Store {
    let mut store = Store::default();
    store.place = place_beside(base, &store.place);
    let Some(mut table) = section(root, "store") else { return store };
    let url = table.take("url");
    let database = url.as_ref().and_then(|item| database_url(item, secrets));
    match (&url, database) {
        (Some(item), Some(found)) => set(&mut store.place, database_of(&mut table, item, found, secrets)),
        (Some(item), None) => set(&mut store.place, place(item, base)),
        (None, _) => {}
    }
    let shared = matches!(store.place, Place::Database(_));
    for (keys, here) in [(OF_FILES.as_slice(), !shared), (OF_DATABASES.as_slice(), shared)] {
        keys.iter().filter(|_| !here).for_each(|key| misplaced(&mut table, key, shared));
    }
    set(&mut store.pending_max, table.take("pending_max").and_then(|i| i.integer(1..=100_000_000)));
    set(&mut store.segment_bytes, table.take("segment").and_then(|i| i.size(MIB..=4 * GIB)));
    set(&mut store.index_lag_bytes_max, table.take("index_lag_max").and_then(|i| i.size(MIB..=64 * GIB)));
    set(&mut store.queue_max, usize_of(&mut table, "queue_max", 1_024..=1_000_000));
    set(&mut store.queue_bodies_bytes_max, bytes_of(&mut table, "queue_bodies_max", MIB..=64 * GIB));
    set(&mut store.free_min_bytes, table.take("free_min").and_then(|i| i.size(0..=1 << 50)));
    set(&mut store.reserve_bytes, table.take("reserve").and_then(|i| i.size(0..=64 * GIB)));
    set(&mut store.retention, table.take("retention").and_then(|i| i.duration(HOUR..=TEN_YEARS)));
    set(&mut store.retention_dead, table.take("retention_dead").and_then(|i| for_ever_or(&i)));
    table.finish();
    store
}

/// A key that has no meaning where things are kept: harmless beside a database, a mistake beside a directory.
fn misplaced(table: &mut Table<'_>, key: &'static str, shared: bool) {
    match table.take(key) {
        Some(item) if shared => item.warn("has no effect with PostgreSQL", "take it out"),
        Some(item) => item.error("only a PostgreSQL store has this", "take it out, or set store.url"),
        None => {}
    }
}

/// `None` is for ever.
fn for_ever_or(item: &Item<'_>) -> Option<Option<Duration>> {
    const EXAMPLE: &str = "\"forever\", or a duration such as \"90d\"";
    match item.text(EXAMPLE)? {
        "forever" => Some(None),
        text if duration::parse(text).is_none() => {
            item.error(format!("{} is not a duration", quote(text)), format!("write {EXAMPLE}"));
            None
        }
        _ => item.duration(HOUR..=TEN_YEARS).map(Some),
    }
}

/// The URL of a database, if that is what is meant. Nothing of it is quoted: it may hold a password.
fn database_url(item: &Item<'_>, secrets: &Resolver<'_>) -> Option<Secret> {
    let text = item.text("where to store, such as \"file:hookhaven-data\"")?;
    if text.starts_with("env:") {
        return secrets.resolve(item);
    }
    let is_database = ["postgres:", "postgresql:"].iter().any(|scheme| text.starts_with(scheme));
    is_database.then(|| Secret::new(text)).flatten()
}

fn database_of(table: &mut Table<'_>, item: &Item<'_>, url: Secret, secrets: &Resolver<'_>) -> Option<Place> {
    let password = table.take("password").and_then(|item| secrets.resolve(&item));
    let listen = table.take("listen_url");
    let listen_url = listen.as_ref().and_then(|item| {
        let url = database_url(item, secrets);
        if url.is_none() {
            item.error("not the URL of a PostgreSQL database", "write \"postgres://user@host/database\"");
        }
        url
    });
    let migrate = table.take("migrate").map_or(Some(true), |i| i.boolean());
    let address = address_of(item, url, password.clone())?;
    let listen = match (listen, listen_url) {
        (Some(item), Some(url)) => Some(address_of(&item, url, password)?),
        _ => None,
    };
    Some(Place::Database(Box::new(Database { address, listen, migrate: migrate? })))
}

fn address_of(item: &Item<'_>, url: Secret, password: Option<Secret>) -> Option<PostgresAddress> {
    let address = PostgresAddress { url: String::from_utf8_lossy(url.expose()).into_owned(), password, user: None };
    if let Err(error) = postgres::check_address(&address) {
        item.error(error.to_string(), "");
        return None;
    }
    Some(address)
}

fn place(item: &Item<'_>, base: &Path) -> Option<Place> {
    let text = item.text("where to store, such as \"file:hookhaven-data\"")?;
    if text == "memory:" {
        item.warn(
            "nothing survives a restart",
            "for more than play, write a directory such as \"file:hookhaven-data\"",
        );
        return Some(Place::Memory);
    }
    match text.strip_prefix("file:").map(|path| path.strip_prefix("//").unwrap_or(path)) {
        Some(path) if !path.is_empty() => Some(place_beside(base, &Place::Directory(path.into()))),
        // What stands in an environment variable was resolved, or complained of.
        _ if text.starts_with("env:") => None,
        _ => {
            item.error("not a place to store in", EXAMPLE);
            None
        }
    }
}

/// Relative paths in the file start where the file is.
fn place_beside(base: &Path, place: &Place) -> Place {
    match place {
        Place::Directory(path) => Place::Directory(base.join(path)),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Environment, Place, parse::parse};

    fn read(text: &str) -> (Option<Config>, Vec<String>) {
        let environment = Environment::from_iter([("PGPASS", "hunter2"), ("URL", "postgres://u:swordfish@db.test/h")]);
        let parsed = parse("hookhaven.toml".as_ref(), text, &environment);
        (parsed.config, parsed.problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_database_is_named_by_its_url_and_its_password_stands_elsewhere() {
        let (config, problems) = read(
            "[store]\nurl = \"postgres://u@pooler.test/h?sslmode=disable\"\npassword = \"env:PGPASS\"\n\
             listen_url = \"postgres://u@db.test/h?sslmode=disable\"\nmigrate = false\nretention = \"1d\"\n",
        );
        assert_eq!(problems, [""; 0]);
        let config = config.unwrap();
        let Place::Database(database) = &config.store.place else { panic!("{:?}", config.store.place) };
        assert_eq!(database.address.url, "postgres://u@pooler.test/h?sslmode=disable");
        assert_eq!(database.address.password.as_ref().unwrap().expose(), b"hunter2");
        let listen = database.listen.as_ref().unwrap();
        assert_eq!((listen.url.contains("db.test"), &listen.password), (true, &database.address.password));
        assert!(!database.migrate && config.shares_store());
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn the_whole_url_may_stand_in_the_environment() {
        let (config, problems) = read("[store]\nurl = \"env:URL\"\n");
        assert_eq!(problems, [""; 0]);
        assert!(config.as_ref().unwrap().shares_store() && !format!("{config:?}").contains("swordfish"));
        let (_, problems) = read("[store]\nurl = \"env:ULR\"\n");
        assert_eq!(
            problems,
            ["hookhaven.toml:2:7: store.url: the environment variable ULR is not set; URL is set; did you mean that?"]
        );
    }

    #[test]
    fn what_has_no_meaning_where_things_are_kept_is_told() {
        let (config, problems) =
            read("[store]\nurl = \"postgres://u@localhost/h\"\nsegment = \"1MiB\"\nreserve = \"0B\"\n");
        assert!(config.is_some());
        assert_eq!(
            problems,
            [
                "hookhaven.toml:3:11: warning: store.segment: has no effect with PostgreSQL; take it out",
                "hookhaven.toml:4:11: warning: store.reserve: has no effect with PostgreSQL; take it out",
            ]
        );
        for url in ["url = \"file:data\"\n", ""] {
            let (config, problems) = read(&format!("[store]\n{url}migrate = true\npassword = \"env:PGPASS\"\n"));
            assert!(config.is_none() && problems.len() == 2, "{problems:?}");
            assert!(
                problems[0].ends_with("store.migrate: only a PostgreSQL store has this; take it out, or set store.url")
            );
        }
    }

    #[test]
    fn an_address_that_cannot_work_is_refused_without_its_password() {
        for (url, why) in [
            ("postgres://u:swordfish@h:port/db", "not the URL of a PostgreSQL database"),
            ("postgres://h/db", "names no user; write postgres://user@host/database"),
            ("postgres://u:swordfish@h/db?sslmode=prefer", "says sslmode=prefer; use verify-full"),
            (
                "mysql://u:swordfish@h/db",
                "not a place to store in; write a directory such as \"file:hookhaven-data\", or",
            ),
        ] {
            let (config, problems) = read(&format!("[store]\nurl = \"{url}\"\n"));
            assert!(config.is_none() && problems.len() == 1, "{problems:?}");
            assert!(problems[0].contains(why) && !problems[0].contains("swordfish"), "{problems:?}");
        }
    }

    #[test]
    fn the_fingerprint_tells_what_nodes_should_agree_on() {
        let of = |process: &str, url: &str, secret: &str| {
            let text = format!(
                "{process}[destinations.d]\nurl = \"{url}\"\n[sources.s]\nsender = \"stripe\"\nsecrets = [\"{secret}\"]\n"
            );
            read(&text).0.unwrap().fingerprint
        };
        let one = of("", "http://h/", "whsec_a");
        let other_node = "[server]\nadmin = \"127.0.0.1:9\"\nadmin_token = \"t\"\n[worker]\nslots = 9\n";
        assert_eq!(of(other_node, "http://h/", "whsec_a"), one);
        assert_ne!(of("", "http://h/x", "whsec_a"), one);
        assert_ne!(of("", "http://h/", "whsec_b"), one);
        assert_ne!(of("", "http://h/", "env:PGPASS"), of("", "http://h/", "env:URL"), "what secrets say counts");
    }
}
