//! `[quarantine]`, `[sources.NAME.quarantine]` and `secrets_max_age`.

use std::{sync::Arc, time::Duration};

use super::{
    document::{Item, Table},
    server::{HOUR, MIB, section, set},
};
use crate::config::quarantine::{Quarantine, SecretAges, Terms};

const DAY: Duration = Duration::from_secs(86_400);

/// For all sources that say nothing else.
pub fn quarantine(root: &mut Table<'_>) -> Quarantine {
    let default = match section(root, "quarantine") {
        Some(table) => terms(table, Terms::default()),
        None => Some(Terms::default()),
    };
    Quarantine { default, ..Quarantine::default() }
}

/// What a source says beside that.
pub fn of_source(name: &Arc<str>, table: &mut Table<'_>, quarantine: &mut Quarantine) {
    let Some(own) = table.take("quarantine").and_then(|item| item.table("a table with keep = false, or limits")) else {
        return;
    };
    let terms = terms(own, quarantine.default.unwrap_or_default());
    quarantine.sources.insert(name.clone(), terms);
}

fn terms(mut table: Table<'_>, mut terms: Terms) -> Option<Terms> {
    let keep = table.take("keep").and_then(|item| item.boolean()).unwrap_or(true);
    set(&mut terms.bounds.count_max, table.take("count_max").and_then(|i| i.count(1..=100_000)).map(|n| n.get()));
    set(&mut terms.bounds.bytes_max, table.take("size_max").and_then(|item| item.size(MIB..=512 * MIB)));
    set(&mut terms.bounds.max_age, table.take("max_age").and_then(|item| item.duration(HOUR..=365 * DAY)));
    set(&mut terms.rate, table.take("rate").and_then(|item| item.rate()));
    table.finish();
    keep.then_some(terms)
}

/// For all secrets.
pub fn secret_ages(root: &mut Table<'_>) -> SecretAges {
    let mut ages = SecretAges::default();
    set(&mut ages.default, root.take("secrets_max_age").and_then(|item| max_age(&item)));
    ages
}

/// What a source says of its own.
pub fn secrets_max_age(name: &Arc<str>, table: &mut Table<'_>, ages: &mut SecretAges) {
    if let Some(age) = table.take("secrets_max_age").and_then(|item| max_age(&item)) {
        ages.sources.insert(name.clone(), age);
    }
}

fn max_age(item: &Item<'_>) -> Option<Duration> {
    item.duration(DAY..=3_650 * DAY)
}
