//! Examining a data directory that no gateway uses: the whole journal and the index, side by side, and
//! nothing changed. Every damage is named by place, with what was there as far as the journal's remains
//! and the index can tell, so that a person knows what is lost and what is not.
//!
//! Both are walked once, in the order of the journal, so that memory does not grow with them. Not here:
//! mending. A damaged part is skipped by the gateway; an index is made again by `reindex`.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use hookhaven_core::EventId;

pub use super::index::examine::{KnownDelivery, KnownEvent};
use super::{
    disk::Disk,
    home,
    index::{Index, IndexError, examine::Examined},
    reader::{failed, newer, unreadable},
    segment::{self, BadHeader, Damage, Found, Segment},
};
use crate::{codec, position::Position, record::Record, seam::StoreError};

/// Events told one by one of each damage; more are counted.
const EVENTS_MAX: usize = 100;
/// Damages told one by one; more are counted.
const FINDINGS_MAX: usize = 1_000;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub segments: u64,
    pub journal_bytes: u64,
    pub frames: u64,
    /// Events that can be read.
    pub events: u64,
    pub findings: Vec<Finding>,
    /// Damages beyond those told.
    pub findings_more: u64,
    /// A batch that was being written when the process ended: nobody was told that it was stored, and the
    /// next start cuts it off.
    pub unfinished: Option<Damage>,
    pub index: IndexState,
}

impl Report {
    /// Whether nothing is damaged. An index that is missing or behind is made at the next start, and is
    /// no damage.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
            && match &self.index {
                IndexState::Absent => true,
                IndexState::Unreadable(_) => false,
                IndexState::Read(facts) => facts.complaints.is_empty() && facts.missing == 0,
            }
    }
}

/// A damaged part of the journal, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub damage: Damage,
    /// Events that lay there, by the index.
    pub events: Vec<KnownEvent>,
    pub events_more: u64,
    /// Records of attempts that lay there, by the index: what they say in short is in it still.
    pub attempts: u64,
}

/// What is the matter with the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IndexState {
    #[default]
    Absent,
    /// It will be made again at the next start.
    Unreadable(String),
    Read(IndexFacts),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexFacts {
    pub events: u64,
    /// Frames of the journal that it has not taken yet.
    pub behind_frames: u64,
    /// Events of the journal that it should have and has not.
    pub missing: u64,
    /// What SQLite says of its own file.
    pub complaints: Vec<String>,
}

/// Examines a data directory. `tell` hears how many bytes of how many were walked.
///
/// # Errors
/// `Locked` while a gateway holds it; `Incompatible` for data of a newer version; `Failed` if it cannot
/// be read.
pub fn examine(disk: Arc<dyn Disk>, dir: &Path, tell: impl FnMut(u64, u64)) -> Result<Report, StoreError> {
    let _lock = home::visit(&*disk, dir)?;
    let mut report = Report::default();
    let index = match Index::new(disk.index_path(dir)).examine() {
        Ok(Some(index)) => {
            report.index = IndexState::Read(IndexFacts::default());
            Some(index)
        }
        Ok(None) => None,
        Err(e) => {
            report.index = IndexState::Unreadable(e.to_string());
            None
        }
    };
    let mut walk = Walk { disk, dir: home::journal_dir(dir), report, tell, total: 0, done: 0 };
    match index {
        None => walk.journal(&mut NoIndex)?,
        Some(index) => match walk.beside(&index) {
            Ok(()) => {}
            Err(Trouble::Store(e)) => return Err(e),
            // Once more without it: the journal's own damages are the more important ones.
            Err(Trouble::Index(e)) => {
                walk.report = Report { index: IndexState::Unreadable(e.to_string()), ..Report::default() };
                walk.journal(&mut NoIndex)?;
            }
        },
    }
    Ok(walk.report)
}

enum Trouble {
    Store(StoreError),
    Index(IndexError),
}

impl From<StoreError> for Trouble {
    fn from(e: StoreError) -> Self {
        Trouble::Store(e)
    }
}

impl From<IndexError> for Trouble {
    fn from(e: IndexError) -> Self {
        Trouble::Index(e)
    }
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Store(e) => e,
            Trouble::Index(e) => e.into(),
        }
    }
}

/// What goes along with the walk.
trait Beside {
    /// A good frame and the events in it.
    fn frame(&mut self, at: Position, events: &[EventId]) -> Result<(), Trouble>;
    /// Up to where the journal was once synced, and the salt of that segment.
    fn reached(&self) -> Option<(Position, [u8; 16])>;
}

struct NoIndex;

impl Beside for NoIndex {
    fn frame(&mut self, _at: Position, _events: &[EventId]) -> Result<(), Trouble> {
        Ok(())
    }

    fn reached(&self) -> Option<(Position, [u8; 16])> {
        None
    }
}

/// The index's own list of events, walked with the journal.
struct Merge<'a, I: Iterator> {
    index: &'a Examined,
    places: std::iter::Peekable<I>,
    facts: IndexFacts,
    /// Events whose place holds no frame.
    astray: Vec<(Position, EventId)>,
    astray_more: u64,
}

impl<I: Iterator<Item = Result<(Position, EventId), IndexError>>> Merge<'_, I> {
    fn skip_to(&mut self, at: Option<Position>) -> Result<(), Trouble> {
        while let Some(next) = self.places.next_if(|next| match (next, at) {
            (Ok((place, _)), Some(at)) => (place.segment, place.offset) < (at.segment, at.offset),
            _ => true,
        }) {
            self.facts.events += 1;
            if self.astray.len() < EVENTS_MAX * FINDINGS_MAX {
                self.astray.push(next?);
            } else {
                self.astray_more += 1;
            }
        }
        Ok(())
    }
}

impl<I: Iterator<Item = Result<(Position, EventId), IndexError>>> Beside for Merge<'_, I> {
    fn frame(&mut self, at: Position, events: &[EventId]) -> Result<(), Trouble> {
        if self.index.reached.is_none_or(|reached| at > reached.at) {
            self.facts.behind_frames += 1;
            return Ok(());
        }
        self.skip_to(Some(at))?;
        let mut here = BTreeSet::new();
        while let Some(next) = self.places.next_if(|next| matches!(next, Ok((place, _)) if *place == at)) {
            here.insert(next?.1);
            self.facts.events += 1;
        }
        for id in events {
            // It may have been carried to a later place.
            if !here.contains(id) && !self.index.has_event(*id)? {
                self.facts.missing += 1;
            }
        }
        Ok(())
    }

    fn reached(&self) -> Option<(Position, [u8; 16])> {
        self.index.reached.map(|reached| (reached.at, reached.salt))
    }
}

struct Walk<T> {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    report: Report,
    tell: T,
    total: u64,
    done: u64,
}

impl<T: FnMut(u64, u64)> Walk<T> {
    fn beside(&mut self, index: &Examined) -> Result<(), Trouble> {
        let complaints = index.complaints()?;
        let mut places = index.places()?;
        let facts = IndexFacts { complaints, ..IndexFacts::default() };
        let places = places.each()?.peekable();
        let mut merge = Merge { index, places, facts, astray: Vec::new(), astray_more: 0 };
        self.journal(&mut merge)?;
        merge.skip_to(None)?;
        let Merge { facts, astray, astray_more, .. } = merge;
        self.report.index = IndexState::Read(facts);
        self.told_by(index, &astray, astray_more)
    }

    /// All segments, in order.
    fn journal(&mut self, beside: &mut impl Beside) -> Result<(), Trouble> {
        let names = self.disk.list(&self.dir).map_err(|e| failed("list", &self.dir, &e))?;
        let numbers: BTreeSet<u32> = names.iter().filter_map(|name| segment::number_of(name)).collect();
        let mut lengths = BTreeMap::new();
        for number in &numbers {
            let path = segment::path(&self.dir, *number);
            let len = self.disk.open(&path).and_then(|file| file.len()).map_err(|e| failed("read", &path, &e))?;
            lengths.insert(*number, len);
        }
        self.total = lengths.values().sum();
        self.report.journal_bytes = self.total;
        self.done = 0;
        let reached = beside.reached();
        let last = numbers.last().copied().unwrap_or(0).max(reached.map_or(0, |(at, _)| at.segment));
        for number in numbers.first().copied().unwrap_or(last)..=last {
            match lengths.get(&number) {
                Some(len) => self.segment(number, *len, number == last, beside)?,
                None if number > 0 => self.found(missing(number, "the whole file")),
                None => {}
            }
        }
        Ok(())
    }

    fn segment(&mut self, number: u32, len: u64, newest: bool, beside: &mut impl Beside) -> Result<(), Trouble> {
        let path = segment::path(&self.dir, number);
        self.report.segments += 1;
        let segment = match Segment::open(&*self.disk, &self.dir, number).map_err(|e| failed("read", &path, &e))? {
            Ok(segment) => segment,
            Err(BadHeader::Newer(version)) => return Err(newer(&path, version).into()),
            Err(BadHeader::Unreadable { len }) => {
                let begun = newest
                    && len <= segment::SEGMENT_HEADER_BYTES
                    && beside.reached().is_none_or(|(at, _)| at.segment < number);
                if begun {
                    self.report.unfinished = Some(unreadable(number, len));
                } else {
                    self.found(unreadable(number, len));
                }
                self.advance(len);
                return Ok(());
            }
        };
        self.check_before(&segment);
        let reached = beside.reached().filter(|(at, salt)| at.segment == number && *salt == segment.salt);
        let synced = reached.map_or(0, |(at, _)| at.end());
        let mut scan = segment.scan(0, len);
        let before = self.done;
        while let Some(found) = scan.step().map_err(|e| failed("read", &path, &e))? {
            match found {
                Found::Frame(at, payload) => {
                    let events = events_of(&payload, at)?;
                    self.report.frames += 1;
                    self.report.events += events.len() as u64;
                    beside.frame(at, &events)?;
                    self.done = before;
                    self.advance(at.end());
                }
                Found::Tail(tail) if newest && tail.offset >= synced => self.report.unfinished = Some(tail),
                Found::Damage(damage) | Found::Tail(damage) => self.found(damage),
            }
        }
        if len < synced {
            let held = vec!["the file's end".to_owned()];
            self.found(Damage { segment: number, offset: len, bytes: synced - len, held });
        }
        self.done = before;
        self.advance(len);
        Ok(())
    }

    /// What this segment says of the one before it.
    fn check_before(&mut self, segment: &Segment) {
        let Some(before) = segment.number.checked_sub(1) else { return };
        match self.disk.open(&segment::path(&self.dir, before)).and_then(|file| file.len()) {
            Ok(len) if len < segment.before_bytes => {
                let held = vec!["the file's end".to_owned()];
                self.found(Damage { segment: before, offset: len, bytes: segment.before_bytes - len, held });
            }
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                // Named as missing when its turn came; now its length is known.
                let gone = self.report.findings.iter_mut().rev().find(|f| f.damage.segment == before);
                if let Some(finding) = gone {
                    finding.damage.bytes = segment.before_bytes;
                }
            }
            Err(_) => {}
        }
    }

    fn found(&mut self, damage: Damage) {
        if self.report.findings.len() >= FINDINGS_MAX {
            self.report.findings_more += 1;
            return;
        }
        self.report.findings.push(Finding { damage, events: Vec::new(), events_more: 0, attempts: 0 });
    }

    fn advance(&mut self, bytes: u64) {
        self.done += bytes;
        (self.tell)(self.done, self.total);
    }

    /// Adds to each finding what the index knows of it. Events that lie in none of them point to where
    /// nothing of theirs is: a finding of its own for each segment.
    fn told_by(&mut self, index: &Examined, astray: &[(Position, EventId)], more: u64) -> Result<(), Trouble> {
        for (at, id) in astray {
            let covers = |f: &Finding| {
                let Damage { segment, offset, bytes, .. } = f.damage;
                let whole = bytes == 0 || offset == 0;
                segment == at.segment && (whole || (offset..offset + bytes).contains(&at.offset))
            };
            let found = match self.report.findings.iter().position(covers) {
                Some(found) => found,
                None => {
                    self.found(missing(at.segment, "what the index says is there"));
                    self.report.findings.len() - 1
                }
            };
            let Some(event) = index.event(*id)? else { continue };
            let finding = &mut self.report.findings[found];
            if finding.events.len() < EVENTS_MAX { finding.events.push(event) } else { finding.events_more += 1 }
        }
        for finding in &mut self.report.findings {
            let Damage { segment, offset, bytes, .. } = finding.damage;
            let end = if bytes == 0 { u64::MAX } else { offset.saturating_add(bytes) };
            finding.attempts = index.attempts_within(segment, offset, end)?;
        }
        if let Some(last) = self.report.findings.last_mut() {
            last.events_more += more;
        }
        Ok(())
    }
}

fn missing(segment: u32, what: &str) -> Damage {
    Damage { segment, offset: 0, bytes: 0, held: vec![what.to_owned()] }
}

fn events_of(payload: &[u8], at: Position) -> Result<Vec<EventId>, StoreError> {
    let records = codec::decode(payload).map_err(|e| super::readback::unreadable(at, &e))?;
    let event = |record: &Record| match record {
        Record::Accepted { event, .. } => Some(event.id),
        Record::Carried(carried) => Some(carried.event.id),
        _ => None,
    };
    Ok(records.iter().filter_map(event).collect())
}
