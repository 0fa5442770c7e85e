//! `[sources.NAME.hmac]`: a signing scheme described in the file, for senders that have no name here.
//!
//! What the words mean is the sender's (`hookhaven_core::senders`); here they are read and placed.

use std::{fmt::Display, str::FromStr};

use hookhaven_core::senders::{Algorithm, Encoding, HmacOptions, Place, Template, TimestampOptions, Unit, header_name};

use super::document::{Item, Table};

/// `None` if something is wrong with it, which is then reported.
pub fn options(item: &Item<'_>) -> Option<HmacOptions> {
    let mut table = item.table("a table that says how the sender signs")?;
    let header = table
        .require("header", "add header = \"X-Signature\", the one that carries the signature")
        .map(|item| word(&item, "a header name, such as \"X-Signature\"", header_name));
    let algorithm = parsed::<Algorithm>(&mut table, "algorithm", "\"sha256\", \"sha512\" or \"sha1\"");
    let encoding = parsed::<Encoding>(&mut table, "encoding", "\"hex\" or \"base64\"");
    let prefix = table.take("prefix").map(|item| item.text("a text, such as \"sha256=\"").map(str::to_owned));
    let signed = parsed::<Template>(&mut table, "signed", "what is signed, such as \"{timestamp}.{body}\"");
    let timestamp = time(&mut table, "timestamp");
    let occurred_at = time(&mut table, "occurred_at");
    let id = parsed::<Place>(&mut table, "id", "a place, such as \"header:X-Event-Id\" or \"json:/id\"");
    let event_type = parsed::<Place>(&mut table, "type", "a place, such as \"header:X-Event-Type\" or \"json:/type\"");
    table.finish();
    let default = HmacOptions::new(header??).ok()?;
    Some(HmacOptions {
        algorithm: given(algorithm, default.algorithm)?,
        encoding: given(encoding, default.encoding)?,
        prefix: given(prefix, default.prefix)?,
        signed: given(signed, default.signed)?,
        timestamp: optional(timestamp)?,
        id: optional(id)?,
        event_type: optional(event_type)?,
        occurred_at: optional(occurred_at)?,
        header: default.header,
    })
}

/// A key that may be absent (outer `None`) or wrong (inner `None`, reported).
type Given<T> = Option<Option<T>>;

fn given<T>(value: Given<T>, default: T) -> Option<T> {
    value.unwrap_or(Some(default))
}

fn optional<T>(value: Given<T>) -> Option<Option<T>> {
    value.map_or(Some(None), |value| value.map(Some))
}

fn parsed<T: FromStr<Err: Display>>(table: &mut Table<'_>, key: &'static str, wanted: &str) -> Given<T> {
    table.take(key).map(|item| word(&item, wanted, str::parse))
}

fn word<T, E: Display>(item: &Item<'_>, wanted: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
    match parse(item.text(wanted)?) {
        Ok(value) => Some(value),
        Err(why) => {
            item.error(why.to_string(), "");
            None
        }
    }
}

/// `{ header = "X-Timestamp", unit = "s" }`, or `json = "/path"` instead of `header`.
fn time(table: &mut Table<'_>, key: &'static str) -> Given<TimestampOptions> {
    const WANTED: &str = "a table such as { header = \"X-Timestamp\", unit = \"s\" }";
    table.take(key).map(|item| {
        let mut table = item.table(WANTED)?;
        let header =
            table.take("header").map(|i| word(&i, "a header name", |t| format!("header:{t}").parse::<Place>()));
        let json = table.take("json").map(|i| word(&i, "a path", |t| format!("json:{t}").parse::<Place>()));
        let unit = parsed::<Unit>(&mut table, "unit", "\"s\", \"ms\" or \"rfc3339\"");
        table.finish();
        let place = match (header, json) {
            (Some(place), None) | (None, Some(place)) => place?,
            _ => {
                item.error("where the time stands is not clear", "give either header or json");
                return None;
            }
        };
        Some(TimestampOptions { place, unit: given(unit, Unit::S)? })
    })
}
