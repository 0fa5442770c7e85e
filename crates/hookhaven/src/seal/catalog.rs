//! The data keys of a database: each an entry of the catalog, wrapped. So two first nodes that make one each at the
//! same moment lose nothing: both keys stay, and all nodes seal with the same one of them.

use hookhaven_store::{CatalogEntry, Store};

use super::{SealError, wrap::KeptKey};

/// Kind of their entries; each is named after the key's id.
pub const DATA_KEY_KIND: &str = "data-key";

/// How the place is called in messages.
pub const PLACE: &str = "the database";

/// All of them; none in a new database.
pub async fn read(store: &dyn Store) -> Result<Vec<KeptKey>, SealError> {
    let entries = store.catalog(DATA_KEY_KIND).await?;
    let read = |entry: &CatalogEntry| {
        key_of(entry).ok_or_else(|| SealError::Unreadable {
            place: PLACE.to_owned(),
            why: format!("the catalog entry {DATA_KEY_KIND}/{} is no data key", entry.name),
        })
    };
    entries.iter().map(read).collect()
}

/// The same without what is no data key.
pub async fn read_valid(store: &dyn Store) -> Result<Vec<KeptKey>, SealError> {
    Ok(store.catalog(DATA_KEY_KIND).await?.iter().filter_map(key_of).collect())
}

/// One that is not wrapped would be a key beside its lock: nobody wrote that.
fn key_of(entry: &CatalogEntry) -> Option<KeptKey> {
    let kept: KeptKey = serde_json::from_slice(&entry.value).ok()?;
    (entry.name == kept.id.to_string() && kept.wrapped_by.is_some()).then_some(kept)
}

/// Removes all others.
pub async fn keep_only(store: &dyn Store, keys: &[KeptKey]) -> Result<(), SealError> {
    for entry in store.catalog(DATA_KEY_KIND).await? {
        if !keys.iter().any(|key| key.id.to_string() == entry.name) {
            store.delete_catalog(DATA_KEY_KIND, &entry.name).await?;
        }
    }
    Ok(())
}

/// Adds keys, or replaces them by others of the same ids.
pub async fn write(store: &dyn Store, keys: &[KeptKey]) -> Result<(), SealError> {
    for kept in keys {
        let value = serde_json::to_vec(kept).map_err(|_| SealError::Failed)?;
        let name = kept.id.to_string();
        store.put_catalog(CatalogEntry { kind: DATA_KEY_KIND.to_owned(), name, value }).await?;
    }
    Ok(())
}
