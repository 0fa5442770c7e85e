//! Copying: moves a team from the embedded store to PostgreSQL. Every event with its body, all its deliveries in
//! whatever state with their attempts, every key with its window, the steps of what was published, and the catalog: as they stand, ids and times
//! included, so that the new store goes on exactly where the old one was.
//!
//! The directory is *sealed* before the first page goes over (`embedded::seal`) and so cannot change until it is
//! all there, nor be served again by mistake afterwards. The events go in the order of their ids, then keys, then
//! steps, then the catalog, in pages; a page and the *cursor* that says so are one transaction at the target, so a copy that
//! was interrupted at any moment goes on where it was, and nothing goes over twice. A database with an unfinished
//! copy in it serves nobody. When all is over, both sides are counted; only if they agree has the copy ended.
//!
//! What damage took from the journal cannot go over: it is told, and the copy ends only if somebody says that it
//! may be left behind. Deliveries whose event is lost do go over, and end `damaged` there as they would have here.
//!
//! Not here: reading the directory (`embedded::export`), writing to the database (`postgres::import`).

mod run;
mod walk;

use std::{fmt, path::PathBuf, sync::Arc};

use hookhaven_core::{Attempt, Delivery, Event, EventId};

pub use self::run::copy;
use crate::{
    clock::Entropy,
    embedded::disk::Disk,
    history::KeyDigest,
    postgres::PostgresOptions,
    record::CarriedKey,
    seam::{CatalogEntry, LastAttempt, Step},
};

/// One copy, from its beginning to its end, however often it is interrupted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CopyId(pub [u8; 16]);

impl CopyId {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut id = [0; 16];
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        for (n, byte) in id.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()?;
        }
        Some(CopyId(id))
    }
}

impl fmt::Display for CopyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CopyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Clone, Debug)]
pub struct CopyOptions {
    /// The data directory, which no process may use meanwhile.
    pub from: PathBuf,
    pub disk: Arc<dyn Disk>,
    pub to: PostgresOptions,
    pub entropy: Arc<dyn Entropy>,
    /// To end although damage took events or attempts from the journal, which are then left behind.
    pub leave_damaged: bool,
    pub page: PageMax,
}

/// What goes over in one transaction at most.
#[derive(Clone, Copy, Debug)]
pub struct PageMax {
    pub events: usize,
    /// A page ends with the event that reaches it.
    pub bytes: usize,
    pub keys: usize,
}

impl Default for PageMax {
    fn default() -> Self {
        PageMax { events: 500, bytes: 4 << 20, keys: 5_000 }
    }
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The directory is being made ready and the database looked at.
    Opening,
    Events {
        done: u64,
        of: u64,
    },
    Keys {
        done: u64,
        of: u64,
    },
    /// Both sides are being counted.
    Counting,
}

/// What a store holds, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub events: u64,
    pub body_bytes: u64,
    pub pending: u64,
    pub delivered: u64,
    pub dead: u64,
    pub cancelled: u64,
    /// Dead ones neither replaced nor dismissed.
    pub dead_letters: u64,
    /// Deliveries that replace another.
    pub replays: u64,
    pub attempts: u64,
    pub keys: u64,
    pub steps: u64,
    pub catalog: u64,
}

impl Counts {
    /// Each with its name, as people read it.
    pub fn named(&self) -> [(&'static str, u64); 12] {
        [
            ("events", self.events),
            ("body_bytes", self.body_bytes),
            ("pending", self.pending),
            ("delivered", self.delivered),
            ("dead", self.dead),
            ("cancelled", self.cancelled),
            ("dead_letters", self.dead_letters),
            ("replays", self.replays),
            ("attempts", self.attempts),
            ("keys", self.keys),
            ("steps", self.steps),
            ("catalog", self.catalog),
        ]
    }

    /// What damage can take from a journal and leave in its index.
    const LOSABLE: [&'static str; 3] = ["events", "body_bytes", "attempts"];
}

/// A number that is not the same on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    pub what: &'static str,
    pub from: u64,
    pub to: u64,
}

impl Difference {
    fn between(from: &Counts, to: &Counts) -> Vec<Self> {
        let pairs = from.named().into_iter().zip(to.named());
        let differ = pairs.filter(|((_, from), (_, to))| from != to);
        differ.map(|((what, from), (_, to))| Difference { what, from, to }).collect()
    }

    /// Whether damage in the journal explains it.
    fn is_loss(&self) -> bool {
        self.to < self.from && Counts::LOSABLE.contains(&self.what)
    }
}

/// What a copy came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    pub id: CopyId,
    /// Host, port and name of the database.
    pub to: String,
    pub state: CopyState,
    /// Of the directory; of the database it is the same, but for the differences.
    pub counts: Counts,
    pub differences: Vec<Difference>,
    /// Damaged places that were met, and the first of them in words.
    pub damages: u64,
    pub damage: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyState {
    /// Everything is there, and the directory sealed for good. `resumed`: an earlier one was gone on with.
    Ended { resumed: bool },
    /// It had ended before; nothing was done and nothing counted, for the database may be in use.
    EndedBefore,
    /// The sides are not the same. The directory stays sealed, the database closed.
    Differs,
}

/// How far the pages have gone over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// Events up to this one; `None`: nothing.
    Events(Option<EventId>),
    /// All events, and keys up to this one.
    Keys(KeyDigest),
    /// All events and keys, and steps up to this number.
    Steps(u64),
    /// Everything.
    Whole,
}

/// A page, and what the cursor says before and after it.
#[derive(Debug)]
pub(crate) struct Page {
    pub from: Cursor,
    pub upto: Cursor,
    pub content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    Families(Vec<Family>),
    Keys(Vec<CarriedKey>),
    Steps(Vec<Step>),
    Catalog(Vec<CatalogEntry>),
}

/// An event with all that became of it.
#[derive(Debug)]
pub(crate) struct Family {
    pub id: EventId,
    /// `None` if damage took it.
    pub event: Option<Arc<Event>>,
    pub deliveries: Vec<FamilyDelivery>,
}

#[derive(Debug)]
pub(crate) struct FamilyDelivery {
    pub delivery: Delivery,
    /// Its last attempt in short, which may be among those that damage took.
    pub last: Option<LastAttempt>,
    pub attempts: Vec<Attempt>,
}

impl Family {
    /// As memory goes, roughly, but for the request that the event may have come in with others.
    pub fn bytes(&self) -> usize {
        let event = self.event.as_ref().map_or(0, |event| event.body.len());
        let attempts = self.deliveries.iter().flat_map(|d| &d.attempts);
        event + attempts.map(|attempt| attempt.response_excerpt.len()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_less_of_what_damage_takes_is_a_loss() {
        let from = Counts { events: 10, attempts: 7, keys: 3, ..Counts::default() };
        let differ = |to: Counts| Difference::between(&from, &to);
        assert_eq!(differ(from), []);
        let less = differ(Counts { events: 9, attempts: 6, ..from });
        assert_eq!(
            less.iter().map(|d| (d.what, d.is_loss())).collect::<Vec<_>>(),
            [("events", true), ("attempts", true)]
        );
        assert!(!differ(Counts { events: 11, ..from })[0].is_loss(), "somebody else wrote there");
        assert!(!differ(Counts { keys: 2, ..from })[0].is_loss(), "a key lies in no journal");
    }
}
