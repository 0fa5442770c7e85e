//! What the worker shares with those of other nodes, beside the deliveries: who is paused, and which breakers
//! rest. Both are small entries of the catalog, written where something was found out and read wherever the
//! store says that there may be news.
//!
//! What that makes of a breaker: each node counts failures by itself; once one opens it, all rest, and one
//! probe goes out in all, because a claim on behalf of an open breaker may be the only lease of its lane, and
//! who got it asks once more whether the rest has not been begun anew meanwhile.

use std::collections::{HashMap, HashSet};

use hookhaven_core::{
    Time,
    breaker::{Change, Rest},
};
use hookhaven_store::{CatalogEntry, StoreError};
use serde::{Deserialize, Serialize};

use super::{BREAKER_KIND, PAUSED_KIND, WorkerParts, board::Board, lanes::Tell};

/// The value of a `destination-breaker` entry, as JSON. An entry says that the breaker is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerEntry {
    pub until: Time,
    /// Which rest in a row.
    pub rest: u32,
}

/// Reads everything anew. `false` if what was read may be older than what this node told meanwhile.
pub async fn read(parts: &WorkerParts, board: &Board) -> Result<bool, StoreError> {
    let entries = parts.store.catalog(PAUSED_KIND).await?;
    let names: HashSet<_> = entries.into_iter().map(|e| e.name).collect();
    board.set_all_paused(names);
    if parts.config.load().shares_store() { read_breakers(parts, board).await } else { Ok(true) }
}

pub async fn read_breakers(parts: &WorkerParts, board: &Board) -> Result<bool, StoreError> {
    let before = board.tellings();
    let rests = rests(&parts.store.catalog(BREAKER_KIND).await?);
    let changes = {
        let mut lanes = board.lanes();
        if board.tellings() != before {
            return Ok(false);
        }
        lanes.follow(&rests)
    };
    for (lane, change) in changes {
        let Some(destination) = lane.destination() else { continue };
        let open = change == Change::Opened;
        parts.signals.breaker(&destination.into(), open);
        tracing::info!(destination, open, "breaker: following another node");
    }
    Ok(true)
}

fn rests(entries: &[CatalogEntry]) -> HashMap<String, Rest> {
    let read = |entry: &CatalogEntry| {
        // One that cannot be read is of another version; its node acts on it all the same.
        let BreakerEntry { until, rest } = serde_json::from_slice(&entry.value).ok()?;
        Some((entry.name.clone(), Rest { until, number: rest }))
    };
    entries.iter().filter_map(read).collect()
}

/// Tells other nodes. Done before the attempt is settled, so that who claims next can know.
pub async fn tell(parts: &WorkerParts, board: &Board, destination: &str, tell: Tell) {
    if !parts.config.load().shares_store() {
        return;
    }
    board.telling();
    let told = match tell {
        Tell::Closed => parts.store.delete_catalog(BREAKER_KIND, destination).await,
        Tell::Rests(Rest { until, number }) => {
            let value = serde_json::to_vec(&BreakerEntry { until, rest: number }).unwrap_or_default();
            let entry = CatalogEntry { kind: BREAKER_KIND.to_owned(), name: destination.to_owned(), value };
            parts.store.put_catalog(entry).await
        }
    };
    board.telling();
    if let Err(error) = told {
        board.lanes().untold(destination);
        tracing::warn!(destination, %error, "other nodes could not be told of the breaker; they find out by themselves");
    }
}
