//! A data directory opened to be copied to another store: nobody else uses it, its journal was made durable
//! and its index brought up to it, as at any start. From here on it is only read, but for its seal.
//!
//! Not here: where it goes (`crate::copy`).

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use hookhaven_core::{Event, EventId};

use super::{
    damages::Damages,
    disk::{Disk, Lock},
    engine::{self, Seen, Trouble},
    home,
    index::{Index, Indexed, readers::Reader},
    journal::{Journal, JournalReader},
    readback,
    seal::{self, Seal},
};
use crate::{
    clock::Entropy,
    codec,
    copy::{Counts, Family, FamilyDelivery},
    history::KeyDigest,
    record::CarriedKey,
    seam::{CatalogEntry, Page, Step, StepFilter, StoreError},
};

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Export {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    journal: JournalReader,
    reader: Reader,
    damages: Damages,
    _lock: Box<dyn Lock>,
}

impl Export {
    /// # Errors
    /// `Locked` while a gateway serves it, as `reindex` and `doctor` say it.
    pub fn open(disk: Arc<dyn Disk>, dir: PathBuf, entropy: Arc<dyn Entropy>) -> Result<Self, StoreError> {
        let lock = home::visit(&*disk, &dir)?;
        let damages = Damages::default();
        let (journal, found) = Journal::open(disk.clone(), &home::journal_dir(&dir), u64::MAX, entropy)?;
        found.iter().for_each(|damage| damages.met(damage));
        let (journal, index) = (journal.reader(), Index::new(disk.index_path(&dir)));
        if let Some(lost) = index.beyond(&journal) {
            damages.met(&lost);
        }
        match bring_up(&index, &journal, &damages) {
            Err(Trouble::Index(e)) if e.is_damage() => {
                tracing::warn!("{e}: it is made again");
                index.discard()?;
                bring_up(&index, &journal, &damages)?;
            }
            done => done?,
        }
        let reader = Reader::open(&index)?;
        Ok(Export { disk, dir, journal, reader, damages, _lock: lock })
    }

    pub fn seal(&self) -> Result<Option<Seal>, StoreError> {
        seal::read(&*self.disk, &self.dir)
    }

    pub fn set_seal(&self, seal: &Seal) -> Result<(), StoreError> {
        seal::set(&*self.disk, &self.dir, seal)
    }

    pub fn counts(&self) -> Result<Counts, StoreError> {
        Ok(self.reader.counts()?)
    }

    pub fn events_upto(&self, id: EventId) -> Result<u64, StoreError> {
        Ok(self.reader.events_upto(id)?)
    }

    pub fn keys_upto(&self, digest: KeyDigest) -> Result<u64, StoreError> {
        Ok(self.reader.keys_upto(digest)?)
    }

    /// Damaged places met so far, and the first of them in words.
    pub fn damages(&self) -> (u64, Vec<String>) {
        self.damages.told()
    }

    /// The next events with all that became of them: at most so many, and no more once they have so many bytes.
    pub fn families(&self, after: Option<EventId>, limit: usize, bytes_max: usize) -> Result<Vec<Family>, StoreError> {
        let (mut families, mut bytes, mut requests) = (Vec::new(), 0, Vec::new());
        for (id, at) in self.reader.families_after(after, limit)? {
            // Why it cannot be read is in `damages`.
            let mut event = at.and_then(|at| readback::read_event(&self.journal, &self.damages, id, at).ok());
            bytes += event.as_mut().map_or(0, |event| share(event, &mut requests));
            let mut deliveries = Vec::new();
            for indexed in self.reader.deliveries_of(id)? {
                deliveries.push(self.whole(indexed)?);
            }
            let family = Family { id, event, deliveries };
            bytes += family.bytes();
            families.push(family);
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(families)
    }

    fn whole(&self, indexed: Indexed) -> Result<FamilyDelivery, StoreError> {
        let Indexed { delivery, last, .. } = indexed;
        let mut places = self.reader.attempts_at(delivery.id)?;
        // What was carried lies in one frame.
        places.dedup();
        let attempts = readback::read_attempts(&self.journal, &self.damages, delivery.id, places);
        Ok(FamilyDelivery { delivery, last, attempts })
    }

    pub fn keys(&self, after: Option<KeyDigest>, limit: usize) -> Result<Vec<CarriedKey>, StoreError> {
        Ok(self.reader.keys_after(after, limit)?)
    }

    /// Steps behind that number, in order.
    pub fn steps(&self, after: Option<u64>, limit: usize) -> Result<Vec<Step>, StoreError> {
        let page = Page { after, limit, oldest_first: true };
        Ok(self.reader.steps(&StepFilter::default(), page)?)
    }

    pub fn catalog(&self) -> Result<Vec<CatalogEntry>, StoreError> {
        Ok(self.reader.whole_catalog()?)
    }
}

/// The body of a request is read with each event of it: one is enough. Answers how many bytes are new.
fn share(event: &mut Arc<Event>, requests: &mut Vec<Bytes>) -> usize {
    let Some((whole, from)) = event.part.as_ref().and_then(|part| codec::place(part, event)) else { return 0 };
    let Some(known) = requests.iter().rfind(|known| *known == whole).cloned() else {
        requests.push(whole.clone());
        return whole.len();
    };
    let event = Arc::make_mut(event);
    event.body = known.slice(from..from + event.body.len());
    if let Some(part) = &mut event.part {
        part.whole = Some(known);
    }
    0
}

/// The index up to where the journal ends, without what retention had still to delete.
fn bring_up(index: &Index, journal: &JournalReader, damages: &Damages) -> Result<(), Trouble> {
    let mut writer = index.open(journal)?;
    engine::catch_up(&mut writer, journal, |seen| {
        if let Seen::Damage(damage) = seen {
            damages.met(damage);
        }
    })?;
    while writer.forget_removed()?.more {}
    writer.settle_down();
    Ok(())
}
