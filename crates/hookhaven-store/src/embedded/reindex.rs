//! Making the index again from the journal alone, beside the old one, which stays until the new one is
//! whole. For a directory that no gateway uses.
//!
//! Where the journal is damaged the old index may know what nothing else does: which events were lost,
//! and what became of them. So it is then kept, unless somebody insists.

use std::{path::Path, sync::Arc};

use super::{
    disk::Disk,
    engine::{Seen, catch_up},
    home,
    index::Index,
    journal::Journal,
    segment::Damage,
};
use crate::{clock::Entropy, position::Position, seam::StoreError};

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reindexed {
    pub events: u64,
    pub deliveries: u64,
    pub journal_bytes: u64,
    /// What could not be read and so is not in the index.
    pub damages: Vec<Damage>,
}

/// Why there is no new index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReindexRefused {
    /// The old index stands.
    #[error("the journal is damaged in {} place(s), and the present index may know what was there", .0.len())]
    WouldForget(Vec<Damage>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes the index of a data directory again. `tell` hears how many bytes of how many are in it. With
/// `insist` also if that forgets what only the old index knows.
pub fn reindex(
    disk: Arc<dyn Disk>,
    dir: &Path,
    entropy: Arc<dyn Entropy>,
    insist: bool,
    mut tell: impl FnMut(u64, u64),
) -> Result<Reindexed, ReindexRefused> {
    let _lock = home::visit(&*disk, dir)?;
    // As at any start: what goes into an index must be on stable storage.
    let (journal, mut damages) = Journal::open(disk.clone(), &home::journal_dir(dir), u64::MAX, entropy)?;
    let reader = journal.reader();
    let total = reader.bytes();
    let old = Index::new(disk.index_path(dir));
    damages.extend(old.beyond(&reader));
    let new = Index::new(old.draft_path());
    new.discard().map_err(StoreError::from)?;
    let mut writer = new.open(&reader).map_err(StoreError::from)?;
    tell(0, total);
    let made = catch_up(&mut writer, &reader, |seen| match seen {
        Seen::Applied(Position { segment, offset, len }) => {
            tell(reader.bytes_before(segment) + offset + u64::from(len), total);
        }
        Seen::Damage(damage) if damages.contains(damage) => {}
        Seen::Damage(damage) => damages.push(damage.clone()),
    });
    made.map_err(StoreError::from)?;
    let (events, deliveries) = writer.finish().map_err(StoreError::from)?;
    if !damages.is_empty() && !insist && old.fits(&reader) {
        new.discard().map_err(StoreError::from)?;
        return Err(ReindexRefused::WouldForget(damages));
    }
    new.replace(&old).map_err(StoreError::from)?;
    disk.sync_dir(dir).map_err(|e| StoreError::Failed(format!("cannot sync {}: {e}", dir.display())))?;
    Ok(Reindexed { events, deliveries, journal_bytes: total, damages })
}
