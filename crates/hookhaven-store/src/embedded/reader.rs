//! Reading the journal, from any thread: one frame by its position, or all from a place on, damage told
//! and gone around. Never past what is synced.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use super::{
    disk::Disk,
    segment::{self, BadHeader, Damage, Found, Scan, Segment},
};
use crate::{position::Position, seam::StoreError};

/// Segment files kept open for reading.
const OPEN_SEGMENTS_MAX: usize = 64;
/// Frames that lie within so many bytes of each other are read together, up to so many bytes at once.
const GAP_BYTES: u64 = 64 << 10;
const RUN_BYTES: u64 = 1 << 20;

/// Where the journal ends: frames before it are on stable storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    pub segment: u32,
    pub offset: u64,
}

/// Reads the journal from any thread. Clones share the open files.
#[derive(Clone, Debug)]
pub struct JournalReader(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub disk: Arc<dyn Disk>,
    pub dir: PathBuf,
    state: Mutex<ReaderState>,
}

#[derive(Debug)]
struct ReaderState {
    end: End,
    /// All segments before the newest, with their lengths in bytes.
    older: BTreeMap<u32, u64>,
    /// Segments open for reading.
    open: BTreeMap<u32, Segment>,
}

/// Why a frame could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("the journal is damaged at segment {}, byte {}", .0.segment, .0.offset)]
    Damaged(Position),
    #[error("the journal cannot be read: {0}")]
    Failed(String),
}

impl From<io::Error> for ReadError {
    fn from(e: io::Error) -> Self {
        ReadError::Failed(e.to_string())
    }
}

impl JournalReader {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: &Path, end: End, newest: &Segment, older: BTreeMap<u32, u64>) -> Self {
        let open = BTreeMap::from([(newest.number, newest.clone())]);
        let state = Mutex::new(ReaderState { end, older, open });
        JournalReader(Arc::new(Shared { disk, dir: dir.to_owned(), state }))
    }

    fn state(&self) -> MutexGuard<'_, ReaderState> {
        self.0.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub(super) fn moved_to(&self, end: End, newest: Option<&Segment>) {
        let mut state = self.state();
        if let Some(segment) = newest {
            let End { segment: before, offset } = state.end;
            state.older.insert(before, offset);
            keep(&mut state.open, segment);
        }
        state.end = end;
    }

    pub fn end(&self) -> End {
        self.state().end
    }

    fn segment(&self, number: u32) -> io::Result<Result<Segment, BadHeader>> {
        if let Some(segment) = self.state().open.get(&number) {
            return Ok(Ok(segment.clone()));
        }
        let opened = Segment::open(&*self.0.disk, &self.0.dir, number)?;
        if let Ok(segment) = &opened {
            keep(&mut self.state().open, segment);
        }
        Ok(opened)
    }

    /// The salt of a segment: who knows it has read this very file.
    pub fn salt(&self, number: u32) -> Option<[u8; 16]> {
        self.segment(number).ok()?.ok().map(|segment| segment.salt)
    }

    /// A segment's file, to copy it.
    pub fn file(&self, number: u32) -> io::Result<Arc<dyn super::disk::DiskFile>> {
        self.0.disk.open(&segment::path(&self.0.dir, number))
    }

    /// The payload of one frame.
    pub fn read(&self, at: Position) -> Result<Vec<u8>, ReadError> {
        let segment = self.segment(at.segment)?.map_err(|_| ReadError::Damaged(at))?;
        segment.read(at)?.ok_or(ReadError::Damaged(at))
    }

    /// Hands over the payloads of several frames, which are given in the order of the journal.
    pub fn read_each(&self, places: &[Position], mut take: impl FnMut(usize, Result<&[u8], ReadError>)) {
        let (mut buffer, mut from) = (Vec::new(), 0);
        while let Some(first) = places.get(from) {
            let belongs = |pair: &&[Position]| {
                let [before, at] = pair else { return false };
                at.segment == first.segment
                    && at.offset.saturating_sub(before.end()) <= GAP_BYTES
                    && at.end().saturating_sub(first.offset) <= RUN_BYTES
            };
            let run = 1 + places[from..].windows(2).take_while(belongs).count();
            let run = &places[from..from + run];
            match self.read_run(run, &mut buffer) {
                Ok(segment) => run.iter().enumerate().for_each(|(n, at)| {
                    let begin = (at.offset - first.offset) as usize;
                    let bytes = buffer.get(begin..begin + at.len as usize).unwrap_or_default();
                    take(from + n, segment.payload(bytes, *at).ok_or(ReadError::Damaged(*at)));
                }),
                Err(e) => (0..run.len()).for_each(|n| take(from + n, Err(e.clone()))),
            }
            from += run.len();
        }
    }

    /// Everything from the first to the last of some frames of one segment.
    fn read_run(&self, run: &[Position], buffer: &mut Vec<u8>) -> Result<Segment, ReadError> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            return Err(ReadError::Failed("nothing to read".into()));
        };
        let segment = self.segment(first.segment)?.map_err(|_| ReadError::Damaged(*first))?;
        buffer.resize(usize::try_from(last.end().saturating_sub(first.offset)).unwrap_or(0), 0);
        let len = segment.file.read_at(first.offset, buffer)?;
        buffer.truncate(len);
        Ok(segment)
    }

    /// All frames from a place on, oldest first, to where the journal ends now.
    pub fn iterate(&self, from: Option<End>) -> Result<Iterate, StoreError> {
        let from = from.unwrap_or(End { segment: 0, offset: 0 });
        let names = self.0.disk.list(&self.0.dir).map_err(|e| failed("list", &self.0.dir, &e))?;
        let mut numbers: Vec<u32> = names.iter().filter_map(|name| segment::number_of(name)).collect();
        let end = self.end();
        numbers.retain(|n| (from.segment..=end.segment).contains(n));
        numbers.sort_unstable_by_key(|n| std::cmp::Reverse(*n));
        Ok(Iterate { reader: self.clone(), from, end, rest: numbers, scan: None, last: None })
    }

    /// Bytes of the segment files before this one that are there.
    pub fn bytes_before(&self, number: u32) -> u64 {
        let names = self.0.disk.list(&self.0.dir).unwrap_or_default();
        let before = names.iter().filter_map(|name| segment::number_of(name)).filter(|n| *n < number);
        before.filter_map(|n| self.0.disk.open(&segment::path(&self.0.dir, n)).and_then(|file| file.len()).ok()).sum()
    }

    /// Bytes of all segment files.
    pub fn bytes(&self) -> u64 {
        let state = self.state();
        state.older.values().sum::<u64>() + state.end.offset
    }

    /// Numbers of all segments, oldest first.
    pub fn segments(&self) -> Vec<u32> {
        let state = self.state();
        state.older.keys().copied().chain([state.end.segment]).collect()
    }

    pub fn first_segment(&self) -> u32 {
        let state = self.state();
        state.older.keys().next().copied().unwrap_or(state.end.segment)
    }

    /// All frames of one segment.
    pub fn iterate_segment(&self, number: u32) -> Iterate {
        let end = self.end();
        let from = End { segment: number, offset: 0 };
        // The next one, which is not read, tells whether this one has lost its end.
        let (end, rest) = match number < end.segment {
            true => (End { segment: number, offset: u64::MAX }, vec![number + 1, number]),
            false => (end, vec![number]),
        };
        Iterate { reader: self.clone(), from, end, rest, scan: None, last: None }
    }

    /// Removes a segment before the newest, and its name for good. Removing one that is gone is fine.
    pub(super) fn remove(&self, number: u32) -> io::Result<()> {
        if number >= self.end().segment {
            return Err(io::Error::other("the newest segment stays"));
        }
        match self.0.disk.remove(&segment::path(&self.0.dir, number)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => self.0.disk.sync_dir(&self.0.dir)?,
        }
        let mut state = self.state();
        state.older.remove(&number);
        state.open.remove(&number);
        Ok(())
    }
}

fn keep(open: &mut BTreeMap<u32, Segment>, segment: &Segment) {
    open.insert(segment.number, segment.clone());
    if open.len() > OPEN_SEGMENTS_MAX {
        open.pop_first();
    }
}

/// See [`JournalReader::iterate`].
#[derive(Debug)]
pub struct Iterate {
    reader: JournalReader,
    from: End,
    end: End,
    /// Numbers yet to come, the next one last.
    rest: Vec<u32>,
    scan: Option<Scan>,
    /// The segment read last, and its length.
    last: Option<(u32, u64)>,
}

/// What comes next in the journal.
#[derive(Debug)]
pub enum Entry {
    Frame(Position, Vec<u8>),
    Damage(Damage),
}

impl Iterate {
    /// The next entry; `None` at the end.
    pub fn step(&mut self) -> io::Result<Option<Entry>> {
        loop {
            if let Some(scan) = &mut self.scan {
                match scan.step()? {
                    Some(Found::Frame(at, payload)) => return Ok(Some(Entry::Frame(at, payload))),
                    Some(Found::Damage(damage) | Found::Tail(damage)) => return Ok(Some(Entry::Damage(damage))),
                    None => self.scan = None,
                }
                if let Some(damage) = self.cut_short()? {
                    return Ok(Some(Entry::Damage(damage)));
                }
            }
            let Some(number) = self.rest.pop().filter(|number| *number <= self.end.segment) else { return Ok(None) };
            match self.reader.segment(number)? {
                Ok(segment) => {
                    let len = segment.file.len()?;
                    let to = if number == self.end.segment { self.end.offset.min(len) } else { len };
                    let from = if number == self.from.segment { self.from.offset } else { 0 };
                    self.scan = Some(segment.scan(from, to));
                    self.last = Some((number, to));
                }
                Err(BadHeader::Newer(version)) => {
                    let path = segment::path(&self.reader.0.dir, number);
                    return Err(io::Error::other(newer(&path, version).to_string()));
                }
                Err(BadHeader::Unreadable { len }) => return Ok(Some(Entry::Damage(unreadable(number, len)))),
            }
        }
    }
}

impl Iterate {
    /// What the segment read last has lost at its end, by what the next one says of it.
    fn cut_short(&mut self) -> io::Result<Option<Damage>> {
        let (Some((number, len)), Some(next)) = (self.last.take(), self.rest.last()) else { return Ok(None) };
        if *next != number + 1 {
            return Ok(None);
        }
        let Ok(next) = self.reader.segment(*next)? else { return Ok(None) };
        let missing = next.before_bytes.checked_sub(len).filter(|bytes| *bytes > 0);
        Ok(missing.map(|bytes| Damage { segment: number, offset: len, bytes, held: vec!["the file's end".into()] }))
    }
}

pub(super) fn failed(what: &str, path: &Path, e: &io::Error) -> StoreError {
    StoreError::Failed(format!("cannot {what} {}: {e}", path.display()))
}

pub(super) fn newer(path: &Path, version: u32) -> StoreError {
    StoreError::Incompatible(format!(
        "{} has journal format {version}; this version of Hookhaven reads up to {}: use the newer one",
        path.display(),
        segment::FORMAT
    ))
}

pub(super) fn unreadable(segment: u32, bytes: u64) -> Damage {
    Damage { segment, offset: 0, bytes, held: vec!["its header, and so all of it".into()] }
}
