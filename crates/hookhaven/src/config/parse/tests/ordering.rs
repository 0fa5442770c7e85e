//! `ordering` of a route.

use std::time::Duration;

use hookhaven_core::route::{Mode, Ordering};

use super::{config, says_of, with};

fn ordering(line: &str) -> Option<Ordering> {
    config(&with(&format!("ordering = {line}\n"))).routes[0].ordering.clone()
}

#[test]
fn an_order_has_a_mode_and_places_of_the_senders_unless_it_names_them() {
    assert_eq!(ordering("\"none\""), None);
    assert_eq!(ordering("{ mode = \"none\" }"), None);
    let fifo = ordering("\"fifo\"").unwrap();
    assert_eq!(fifo.mode, Mode::Fifo { park: Duration::from_secs(3_600) });
    assert_eq!(fifo.places.key_texts()[0], "json:/data/object/id");
    let named =
        ordering("{ mode = \"fifo\", key = [\"header:X-Key\", \"json:/a + json:/b\"], park = \"5m\" }").unwrap();
    assert_eq!(named.mode, Mode::Fifo { park: Duration::from_secs(300) });
    assert_eq!(named.places.key_texts(), ["header:X-Key", "json:/a + json:/b"]);
    let latest = ordering("{ mode = \"latest\", version = \"json:/data/object/updated\" }").unwrap();
    assert_eq!(
        (latest.mode, latest.places.version_texts()),
        (Mode::Latest, &["json:/data/object/updated".to_owned()][..])
    );
    assert_eq!(latest.places.key_texts()[0], "json:/data/object/id");
}

#[test]
fn what_an_order_cannot_be_is_said() {
    // One type, so that nothing is said of several.
    let one = "events = [\"a\"]\n";
    for (line, says) in [
        (
            "\"lifo\"",
            "hookhaven.toml:9:12: routes[0].ordering: \"lifo\" is no ordering; use \"none\", \"fifo\", \"latest\" or a \
          table such as { mode = \"fifo\", key = \"json:/customer\" }",
        ),
        (
            "{ key = \"json:/a\" }",
            "hookhaven.toml:9:12: routes[0].ordering: mode is missing; add mode = \"fifo\" or mode = \"latest\"",
        ),
        (
            "{ mode = \"fifo\", version = \"json:/v\" }",
            "hookhaven.toml:9:39: routes[0].ordering.version: a fifo order goes by \
          acceptance, not by a version; take it out, or use mode = \"latest\"",
        ),
        (
            "{ mode = \"latest\", park = \"1h\" }",
            "hookhaven.toml:9:38: routes[0].ordering.park: only a fifo order parks; take it out",
        ),
        (
            "{ mode = \"fifo\", key = \"nowhere\" }",
            "hookhaven.toml:9:12: routes[0].ordering: a place that cannot be used; \"nowhere\" \
          names no place: write \"header:NAME\" or \"json:/path/in/body\"",
        ),
        (
            "\"latest\"",
            "hookhaven.toml:6:1: warning: routes[0]: ordering = \"latest\" over several event types: a newer event of one \
          type cancels the delivery of an older one of another type that has the same ordering key; fine where each event tells \
          the whole state; else make a route for each type to a destination of its own, or use \"fifo\"",
        ),
    ] {
        let events = if line == "\"latest\"" { "" } else { one };
        says_of(&format!("ordering = {line}\n{events}"), says);
    }
}
