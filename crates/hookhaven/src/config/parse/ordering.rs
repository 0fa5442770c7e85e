//! `ordering` of a route: which of its deliveries wait for each other.

use std::time::Duration;

use hookhaven_core::{
    route::{Mode, Ordering},
    senders::OrderPlaces,
    source::Source,
};

use super::{document::Item, values::quote};

/// How long a failed delivery parks those behind it, unless the file says otherwise.
pub const PARK: Duration = Duration::from_secs(3_600);
const PARK_MAX: Duration = Duration::from_secs(30 * 86_400);

const WANTED: &str = "\"none\", \"fifo\", \"latest\" or a table such as { mode = \"fifo\", key = \"json:/customer\" }";

/// `None` for a value that could not be read, and `Some(None)` for no order. `source`: what the defaults come from;
/// `None` if it could not be read, then nothing is said about it here.
pub fn ordering(item: &Item<'_>, source: Option<&Source>) -> Option<Option<Ordering>> {
    let default = source.map(|source| source.sender.order());
    if let toml::de::DeValue::String(text) = item.value {
        let mode = mode(item, text)?;
        return match mode {
            None => Some(None),
            Some(mode) => of_default(item, mode, default).map(Some),
        };
    }
    let mut table = item.table(WANTED)?;
    let mode_item = table.require("mode", "add mode = \"fifo\" or mode = \"latest\"");
    let mode = mode_item.as_ref().and_then(|item| self::mode(item, item.text(WANTED)?));
    let key = table.take("key").map(|item| places(&item));
    let version = table.take("version").map(|item| (places(&item), item));
    let park = table.take("park").map(|item| (item.duration(Duration::ZERO..=PARK_MAX), item));
    table.finish();
    let mode = match mode? {
        None => return Some(None),
        Some(Mode::Latest) => {
            if let Some((_, item)) = &park {
                item.error("only a fifo order parks", "take it out");
            }
            Mode::Latest
        }
        Some(Mode::Fifo { .. }) => {
            if let Some((_, item)) = &version {
                item.error(
                    "a fifo order goes by acceptance, not by a version",
                    "take it out, or use mode = \"latest\"",
                );
            }
            Mode::Fifo { park: park.map_or(Some(PARK), |(park, _)| park)? }
        }
    };
    let version = version.map_or(Some(None), |(version, _)| version.map(Some))?;
    match key {
        None => {
            let mut ordering = of_default(item, mode, default)?;
            if let Some(version) = version {
                let key: Vec<_> = ordering.places.key_texts().iter().map(|text| &**text).collect();
                ordering.places = parsed(item, &key, &version)?;
            }
            Some(Some(ordering))
        }
        Some(key) => {
            let of_sender = default.map_or(&[][..], |(_, version)| version);
            let version = version.unwrap_or_else(|| of_sender.to_vec());
            Some(Some(Ordering { mode, places: parsed(item, &key?, &version)? }))
        }
    }
}

/// By the places that the sender's file names.
fn of_default(item: &Item<'_>, mode: Mode, default: Option<Places>) -> Option<Ordering> {
    let (key, version) = default?;
    if key.is_empty() {
        let mend = "name it: ordering = { mode = \"fifo\", key = \"json:/path/in/body\" } (or \"header:NAME\")";
        item.error("this sender has no usual ordering key", mend);
        return None;
    }
    Some(Ordering { mode, places: parsed(item, key, version)? })
}

type Places = (&'static [&'static str], &'static [&'static str]);

fn mode(item: &Item<'_>, text: &str) -> Option<Option<Mode>> {
    match text {
        "none" => Some(None),
        "fifo" => Some(Some(Mode::Fifo { park: PARK })),
        "latest" => Some(Some(Mode::Latest)),
        other => {
            item.error(format!("{} is no ordering", quote(other)), format!("use {WANTED}"));
            None
        }
    }
}

/// One place, or several of which the first that holds something counts.
fn places<'d>(item: &Item<'d>) -> Option<Vec<&'d str>> {
    const ONE: &str = "a place such as \"json:/customer\" or \"header:X-Key\", or a list of them";
    if matches!(item.value, toml::de::DeValue::String(_)) {
        return Some(vec![item.text(ONE)?]);
    }
    let items = item.list(ONE)?;
    if items.is_empty() {
        item.error("the list is empty", "name a place, or take it out");
        return None;
    }
    items.iter().map(|item| item.text(ONE)).collect()
}

fn parsed(item: &Item<'_>, key: &[&str], version: &[&str]) -> Option<OrderPlaces> {
    match OrderPlaces::parse(key, version) {
        Ok(places) => Some(places),
        Err(why) => {
            item.error("a place that cannot be used", why.to_string());
            None
        }
    }
}
