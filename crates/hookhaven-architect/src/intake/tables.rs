//! The tables of an intake that have a line for each sender, and in which form a sender's answers stand there.
//!
//! Not here: what the answers are (`values`).

use std::collections::BTreeMap;

use hookhaven_toml::{Item, Table, document::path_of};
use toml::de::{DeTable, DeValue};

use super::{Given, values};

/// The tables that have a line for each sender.
pub struct Tables<'d>(BTreeMap<&'static str, Table<'d>>);

impl<'d> Tables<'d> {
    const NAMES: [&'static str; 6] = ["events", "volume", "processing", "idempotency", "ordering", "latency"];

    pub fn take(root: &mut Table<'d>, names: &[String], refused: &[String]) -> Self {
        let mut tables = BTreeMap::new();
        for name in Self::NAMES {
            let table = root.take(name).and_then(|item| item.table("a table with a line for each sender"));
            if let Some(table) = table {
                values::unknown_senders(&table, names, refused);
                tables.insert(name, table);
            }
        }
        Tables(tables)
    }

    pub fn has(&self, table: &str) -> bool {
        self.0.contains_key(table)
    }

    pub fn of(&self, table: &str, name: &str) -> Option<Item<'d>> {
        self.0.get(table)?.get(name)
    }
}

/// How a sender's answers were said, in the file or beside it.
pub struct Said<'a> {
    pub given: &'a Given,
    pub tables: &'a Tables<'a>,
    pub name: &'a str,
}

impl Said<'_> {
    /// Whether the answer, or what it says of a type or of all others, is a table that has `key`.
    pub fn outright(&self, table: &str, of_type: Option<&str>, key: &str) -> bool {
        match self.tables.of(table, self.name) {
            Some(item) => item.under(of_type.unwrap_or("default")).has(key) || (of_type.is_none() && item.has(key)),
            None => self.given.get(&path_of(table, self.name)).is_some_and(|toml| {
                let text = format!("answer = {toml}");
                let root = DeTable::parse(&text);
                let says = |value: &DeValue<'_>| value.as_table().is_some_and(|table| table.contains_key(key));
                root.is_ok_and(|root| root.get_ref().get("answer").is_some_and(|value| says(value.get_ref())))
            }),
        }
    }

    pub fn by_type(&self, table: &str) -> bool {
        self.tables.of(table, self.name).is_some_and(|item| matches!(item.value, DeValue::Table(_)))
    }
}
