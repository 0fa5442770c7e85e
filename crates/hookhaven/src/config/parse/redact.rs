//! `redact`, for everything and in `[sources.NAME]`: fields of bodies that are masked where they are shown.

use std::sync::Arc;

use hookhaven_core::redact::{FIELDS_MAX, Redact};

use super::{
    document::{Item, Table},
    values::quote,
};
use crate::config::redact::Redactions;

const EXAMPLE: &str = "a list of fields, such as [\"email\", \"json:/data/object/card\"]";

/// For everything, published messages among it.
pub fn everywhere(root: &mut Table<'_>) -> Redactions {
    Redactions { everywhere: fields(root), ..Redactions::default() }
}

/// What a source names beside that.
pub fn of_source(name: &Arc<str>, table: &mut Table<'_>, redactions: &mut Redactions) {
    let own = fields(table);
    if !own.is_empty() {
        redactions.sources.insert(name.clone(), own.and(&redactions.everywhere));
    }
}

fn fields(table: &mut Table<'_>) -> Redact {
    let mut redact = Redact::default();
    let items = table.take("redact").and_then(|item| item.list(EXAMPLE)).unwrap_or_default();
    if let Some(item) = items.get(FIELDS_MAX) {
        item.error(format!("more than {FIELDS_MAX} fields"), "name a field that holds them all");
    }
    items.iter().for_each(|item| add(item, &mut redact));
    redact
}

fn add(item: &Item<'_>, redact: &mut Redact) {
    let Some(field) = item.text("a field in quotes, such as \"email\" or \"json:/data/object/card\"") else { return };
    if let Err(why) = redact.add(field) {
        item.error(format!("{} names no field: {why}", quote(field)), "");
    }
}
