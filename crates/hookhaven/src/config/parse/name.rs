//! Tables whose keys are the user's own names (`[sources.stripe]`), and what such a name may be.
//!
//! Names stand in URLs, metrics, lanes and on command lines, so they are plain.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use super::document::{Item, Table, path_of};
use crate::config::problem::Severity;

pub const NAME_BYTES_MAX: usize = 64;

/// Names of one kind: those that stand in the file, and what could be read of them. One that is in the
/// file but wrong is known all the same, so that nothing else is said about it.
#[derive(Debug)]
pub struct Named<T> {
    entries: BTreeMap<Arc<str>, Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    at: Range<usize>,
    value: Option<Arc<T>>,
}

impl<T> Named<T> {
    /// Reads `[section.NAME]` tables, each by `read`.
    pub fn read<'d>(
        root: &mut Table<'d>,
        section: &'static str,
        reserved: &str,
        mut read: impl FnMut(&Arc<str>, Table<'d>) -> Option<T>,
    ) -> Self {
        let mut entries = BTreeMap::new();
        let path = path_of(&root.path, section);
        let example = format!("tables such as [{path}.NAME]");
        let tables = root.take(section).and_then(|item| item.table(&example));
        for (key, at, item) in tables.iter().flat_map(Table::named) {
            check_name(key, &at, &item, reserved);
            let name: Arc<str> = key.into();
            let table = item.table(&format!("a table [{path}.{key}]"));
            let value = table.and_then(|table| read(&name, table.named_at(at.clone())));
            entries.insert(name, Entry { at, value: value.map(Arc::new) });
        }
        Named { entries }
    }

    /// Whether the file names it, rightly or wrongly.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// What could be read of it.
    pub fn get(&self, name: &str) -> Option<&Arc<T>> {
        self.entries.get(name)?.value.as_ref()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.entries.keys().map(|name| &**name)
    }

    /// Names with their places.
    pub fn places(&self) -> impl Iterator<Item = (&str, &Range<usize>)> {
        self.entries.iter().map(|(name, entry)| (&**name, &entry.at))
    }

    pub fn into_values(self) -> BTreeMap<Arc<str>, Arc<T>> {
        self.entries.into_iter().filter_map(|(name, entry)| Some((name, entry.value?))).collect()
    }
}

fn check_name(name: &str, at: &Range<usize>, item: &Item<'_>, reserved: &str) {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'_' | b'.');
    let first = name.bytes().next().is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let error = |what: &str, mend: &str| {
        item.doc.report(Severity::Error, at, &item.path, what.to_owned(), mend.to_owned());
    };
    if !first || !name.bytes().all(plain) || name.len() > NAME_BYTES_MAX {
        error(
            "not a name that can be used",
            "use up to 64 of a-z, 0-9, \"-\", \"_\" and \".\", beginning with a letter or digit",
        );
    } else if name == reserved {
        error("this name is taken by the gateway itself", "choose another one");
    }
}
