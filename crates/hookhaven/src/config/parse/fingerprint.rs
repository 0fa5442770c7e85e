//! What tells one configuration from another: a digest of what nodes of one store should agree on (sources,
//! destinations, routes, what may be published, what is masked, and the secrets that they refer to), whatever the order
//! of tables in the file.
//!
//! It is shown to operators. It is cut short and goes over all secrets at once, so that it confirms none.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use toml::de::{DeTable, DeValue};

use crate::config::secret::Resolver;

const SHARED: [&str; 6] = ["destinations", "net", "publish", "redact", "routes", "sources"];
const SHOWN_BYTES: usize = 6;

pub fn of(root: &DeTable<'_>, secrets: &Resolver<'_>) -> Arc<str> {
    let mut digest = Context::new(&SHA256);
    for (name, value) in root.iter() {
        let name = name.get_ref().as_ref();
        if SHARED.contains(&name) {
            text(&mut digest, name);
            add(&mut digest, value.get_ref());
        }
    }
    digest.update(secrets.digest().as_ref());
    hex::encode(&digest.finish().as_ref()[..SHOWN_BYTES]).into()
}

/// Every value begins with its kind and its length, so that no two trees read the same.
fn add(digest: &mut Context, value: &DeValue<'_>) {
    match value {
        DeValue::String(value) => text(digest, value),
        DeValue::Integer(value) => text(digest, &format!("i{}:{}", value.radix(), value.as_str())),
        DeValue::Float(value) => text(digest, &format!("f{}", value.as_str())),
        DeValue::Boolean(value) => text(digest, &format!("b{value}")),
        DeValue::Datetime(value) => text(digest, &format!("d{value}")),
        DeValue::Array(values) => {
            text(digest, &format!("a{}", values.len()));
            values.iter().for_each(|value| add(digest, value.get_ref()));
        }
        DeValue::Table(entries) => {
            text(digest, &format!("t{}", entries.len()));
            for (name, value) in entries.iter() {
                text(digest, name.get_ref());
                add(digest, value.get_ref());
            }
        }
    }
}

fn text(digest: &mut Context, text: &str) {
    digest.update(&text.len().to_be_bytes());
    digest.update(text.as_bytes());
}
