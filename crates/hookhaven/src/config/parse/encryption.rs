//! `[encryption]`.

use hookhaven_core::Secret;

use super::{
    document::{Item, Table},
    server::{section, set},
};
use crate::{
    config::{encryption::Encryption, secret::Resolver},
    seal::MasterKey,
};

/// More are not needed for any rotation.
const PREVIOUS_MAX: usize = 16;

pub fn encryption(root: &mut Table<'_>, secrets: &Resolver<'_>) -> Encryption {
    let mut encryption = Encryption::default();
    let Some(mut table) = section(root, "encryption") else { return encryption };
    encryption.master = table.take("master_key").and_then(|item| master_key(&item, secrets));
    set(&mut encryption.previous, table.take("previous").and_then(|item| previous(&item, secrets)));
    table.finish();
    encryption
}

/// A literal would lie in the clear beside what it protects.
fn master_key(item: &Item<'_>, secrets: &Resolver<'_>) -> Option<MasterKey> {
    let text = item.text("\"env:NAME\" or \"file:PATH\"")?;
    if !["env:", "file:"].iter().any(|prefix| text.starts_with(prefix)) {
        item.error("the master key does not belong into the config file", "write \"env:NAME\" or \"file:PATH\"");
        return None;
    }
    let key = MasterKey::parse(&secrets.resolve(item)?);
    if key.is_none() {
        let mend = "give 64 hex digits, or base64; `hookhaven master-key generate` prints a new one";
        item.error("this is no master key: it is not 32 bytes", mend);
    }
    key
}

fn previous(item: &Item<'_>, secrets: &Resolver<'_>) -> Option<Vec<Secret>> {
    let items = item.list("a list of \"env:NAME\" or \"file:PATH\"")?;
    if items.len() > PREVIOUS_MAX {
        item.error(
            format!("more than {PREVIOUS_MAX} previous keys"),
            "run `hookhaven master-key rotate`, then take them out",
        );
        return None;
    }
    items.iter().map(|item| secrets.resolve(item)).collect()
}
