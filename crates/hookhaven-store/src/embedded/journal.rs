//! The journal: segment files of frames, appended to by one writer, read by anyone. Here are opening,
//! appending with one sync a batch, rolling to a new segment, and reading back.
//!
//! Not here: what payloads mean, and who waits for which sync (`writer`).
//!
//! What is read back at open need not be on stable storage: a process killed between write and sync
//! leaves bytes that only the kernel has. So the newest segment is copied, synced and renamed over itself
//! before anything in it is believed; older ones were synced before the next was begun. After a sync that
//! failed the journal takes nothing more, and the one way on is to open it again.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use super::{
    disk::{Disk, DiskFile},
    frame::{self, PAYLOAD_BYTES_MAX},
    segment::{self, BadHeader, Damage, Found, Scan, Segment},
};
use crate::{clock::Entropy, position::Position, seam::StoreError};

/// Segment files kept open for reading.
const OPEN_SEGMENTS_MAX: usize = 64;
const COPY_BYTES: usize = 1 << 20;

/// The writing end; there is one.
#[derive(Debug)]
pub struct Journal {
    reader: JournalReader,
    entropy: Arc<dyn Entropy>,
    segment_bytes: u64,
    newest: Segment,
    /// Length of the newest segment up to its last synced frame.
    len: u64,
    /// The batch being built, as it will be appended.
    batch: Vec<u8>,
    poisoned: bool,
}

/// What a failed commit left behind. Either way nothing of the batch was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitError {
    /// The file was cut back; the next batch may succeed.
    Refused(StoreError),
    /// Nothing is known of what reached the disk: open the journal again.
    Poisoned(String),
}

/// A record too long to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    pub bytes: usize,
}

/// Where the journal ends: frames before it are on stable storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    pub segment: u32,
    pub offset: u64,
}

fn failed(what: &str, path: &Path, e: &io::Error) -> StoreError {
    StoreError::Failed(format!("cannot {what} {}: {e}", path.display()))
}

impl Journal {
    /// Opens the journal in a directory, or begins one. Answers what was found damaged in the newest
    /// segment and among the files; damage in older segments shows when they are read.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        segment_bytes: u64,
        entropy: Arc<dyn Entropy>,
    ) -> Result<(Journal, Vec<Damage>), StoreError> {
        disk.create_dir(dir).map_err(|e| failed("make", dir, &e))?;
        let mut numbers = tidy(&*disk, dir)?;
        let mut damages = gaps(&numbers);
        let mut newest = None;
        while let Some(number) = numbers.last().copied() {
            let path = segment::path(dir, number);
            match Segment::open(&*disk, dir, number).map_err(|e| failed("open", &path, &e))? {
                Ok(segment) => {
                    newest = Some(segment);
                    break;
                }
                Err(BadHeader::Newer(version)) => return Err(newer(&path, version)),
                // The power went while it was being made.
                Err(BadHeader::Unreadable { len }) if len <= segment::SEGMENT_HEADER_BYTES => {
                    disk.remove(&path).map_err(|e| failed("remove", &path, &e))?;
                    numbers.pop();
                }
                Err(BadHeader::Unreadable { len }) => {
                    damages.push(unreadable(number, len));
                    break;
                }
            }
        }
        let (newest, len) = match newest {
            Some(segment) => settle_newest(&*disk, dir, &segment, &mut damages)
                .map_err(|e| failed("make durable", &segment::path(dir, segment.number), &e))?,
            None => {
                let number = numbers.last().map_or(1, |n| n + 1);
                let segment = Segment::create(&*disk, dir, number, salt(&*entropy))
                    .map_err(|e| failed("create", &segment::path(dir, number), &e))?;
                (segment, segment::SEGMENT_HEADER_BYTES)
            }
        };
        let end = End { segment: newest.number, offset: len };
        let older = numbers.iter().filter(|n| **n < newest.number).map(|n| segment::path(dir, *n));
        let older_bytes = older.filter_map(|path| disk.open(&path).and_then(|file| file.len()).ok()).sum();
        let reader = JournalReader::new(disk, dir, end, &newest, older_bytes);
        let journal = Journal { reader, entropy, segment_bytes, newest, len, batch: Vec::new(), poisoned: false };
        Ok((journal, damages))
    }

    pub fn reader(&self) -> JournalReader {
        self.reader.clone()
    }

    pub fn end(&self) -> End {
        End { segment: self.newest.number, offset: self.len }
    }

    /// Bytes of the batch so far.
    pub fn batch_bytes(&self) -> usize {
        self.batch.len()
    }

    /// Begins a batch, in a new segment if this one is long enough.
    pub fn begin(&mut self) -> Result<(), CommitError> {
        if self.poisoned {
            return Err(CommitError::Poisoned("an earlier sync failed".into()));
        }
        self.batch.clear();
        if self.len < self.segment_bytes.max(segment::SEGMENT_HEADER_BYTES + 1) {
            return Ok(());
        }
        let number = self.newest.number + 1;
        let shared = &self.reader.0;
        match Segment::create(&*shared.disk, &shared.dir, number, salt(&*self.entropy)) {
            Ok(segment) => {
                self.newest = segment;
                self.len = segment::SEGMENT_HEADER_BYTES;
                self.reader.moved_to(self.end(), Some(&self.newest));
                Ok(())
            }
            Err(e) => {
                // Take the name away again, so that the next try may have it; if even that fails, only
                // opening afresh sorts it out.
                let path = segment::path(&shared.dir, number);
                match shared.disk.remove(&path) {
                    Err(gone) if gone.kind() != io::ErrorKind::NotFound => {
                        Err(self.poison(format!("cannot begin segment {number}: {e}")))
                    }
                    _ => Err(CommitError::Refused(StoreError::Unavailable(format!(
                        "cannot begin segment {number}: {e}"
                    )))),
                }
            }
        }
    }

    /// Adds a frame whose payload `write` appends. Answers where it will lie.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<Position, TooLong> {
        let start = frame::begin(&mut self.batch);
        write(&mut self.batch);
        let bytes = self.batch.len() - start - frame::HEADER_BYTES;
        let back = u32::try_from(start);
        let (1..=PAYLOAD_BYTES_MAX, Ok(back)) = (bytes, back) else {
            self.batch.truncate(start);
            return Err(TooLong { bytes });
        };
        let offset = self.len + start as u64;
        frame::finish(&mut self.batch, start, self.newest.seal, offset, back);
        Ok(Position { segment: self.newest.number, offset, len: (self.batch.len() - start) as u32 })
    }

    /// Appends the batch and syncs it, once.
    pub fn commit(&mut self) -> Result<(), CommitError> {
        if self.poisoned {
            return Err(CommitError::Poisoned("an earlier sync failed".into()));
        }
        if self.batch.is_empty() {
            return Ok(());
        }
        if let Err(e) = self.newest.file.append(&self.batch) {
            self.batch.clear();
            return match self.newest.file.truncate(self.len) {
                Ok(()) => Err(CommitError::Refused(StoreError::Unavailable(format!("the journal cannot grow: {e}")))),
                Err(cut) => Err(self.poison(format!("the journal cannot grow ({e}), nor be cut back: {cut}"))),
            };
        }
        if let Err(e) = self.newest.file.sync_data() {
            return Err(self.poison(format!("the journal cannot be synced: {e}")));
        }
        self.len += self.batch.len() as u64;
        self.batch.clear();
        self.reader.moved_to(self.end(), None);
        Ok(())
    }

    fn poison(&mut self, why: String) -> CommitError {
        self.poisoned = true;
        self.batch.clear();
        CommitError::Poisoned(why)
    }
}

fn salt(entropy: &dyn Entropy) -> [u8; 16] {
    let mut salt = [0; 16];
    entropy.fill(&mut salt);
    salt
}

fn newer(path: &Path, version: u32) -> StoreError {
    StoreError::Incompatible(format!(
        "{} has journal format {version}; this version of Hookhaven reads up to {}: use the newer one",
        path.display(),
        segment::FORMAT
    ))
}

fn unreadable(segment: u32, bytes: u64) -> Damage {
    Damage { segment, offset: 0, bytes, held: vec!["its header, and so all of it".into()] }
}

/// Numbers of the segments, ascending. Copies that an earlier open did not finish are removed.
fn tidy(disk: &dyn Disk, dir: &Path) -> Result<Vec<u32>, StoreError> {
    let names = disk.list(dir).map_err(|e| failed("list", dir, &e))?;
    for name in names.iter().filter(|name| name.ends_with(".tmp")) {
        let path = dir.join(name);
        disk.remove(&path).map_err(|e| failed("remove", &path, &e))?;
    }
    let mut numbers: Vec<u32> = names.iter().filter_map(|name| segment::number_of(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Segments missing between others.
fn gaps(numbers: &[u32]) -> Vec<Damage> {
    let gap = |pair: &[u32]| {
        (pair[0] + 1..pair[1]).map(|n| Damage { held: vec!["the whole file".into()], ..unreadable(n, 0) })
    };
    numbers.windows(2).flat_map(gap).collect()
}

/// Cuts the torn tail of the newest segment and puts it on stable storage. Answers the copy and its
/// length.
fn settle_newest(
    disk: &dyn Disk,
    dir: &Path,
    segment: &Segment,
    damages: &mut Vec<Damage>,
) -> io::Result<(Segment, u64)> {
    let mut scan = segment.scan(0, segment.file.len()?);
    let mut good = segment::SEGMENT_HEADER_BYTES;
    while let Some(found) = scan.step()? {
        match found {
            Found::Frame(at, _) => good = at.end(),
            Found::Damage(damage) => damages.push(damage),
            Found::Tail(torn) => {
                tracing::info!(segment = torn.segment, offset = torn.offset, "an unfinished batch was cut off");
                break;
            }
        }
    }
    let (path, copy_path) = (segment::path(dir, segment.number), dir.join(format!("{:08}.tmp", segment.number)));
    let copy = disk.create(&copy_path)?;
    copy_to(&*segment.file, &*copy, good)?;
    copy.sync_data()?;
    disk.rename(&copy_path, &path)?;
    disk.sync_dir(dir)?;
    Ok((Segment { file: copy, ..segment.clone() }, good))
}

fn copy_to(from: &dyn DiskFile, to: &dyn DiskFile, len: u64) -> io::Result<()> {
    let mut buffer = vec![0; COPY_BYTES];
    let mut at = 0;
    while at < len {
        let want = usize::try_from(len - at).unwrap_or(COPY_BYTES).min(COPY_BYTES);
        let n = from.read_at(at, &mut buffer[..want])?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.append(&buffer[..n])?;
        at += n as u64;
    }
    Ok(())
}

/// Reads the journal from any thread. Clones share the open files.
#[derive(Clone, Debug)]
pub struct JournalReader(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    state: Mutex<ReaderState>,
}

#[derive(Debug)]
struct ReaderState {
    end: End,
    /// Bytes of all segments before the newest.
    older_bytes: u64,
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
    fn new(disk: Arc<dyn Disk>, dir: &Path, end: End, newest: &Segment, older_bytes: u64) -> Self {
        let open = BTreeMap::from([(newest.number, newest.clone())]);
        let state = Mutex::new(ReaderState { end, older_bytes, open });
        JournalReader(Arc::new(Shared { disk, dir: dir.to_owned(), state }))
    }

    fn state(&self) -> MutexGuard<'_, ReaderState> {
        self.0.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn moved_to(&self, end: End, newest: Option<&Segment>) {
        let mut state = self.state();
        if let Some(segment) = newest {
            state.older_bytes += state.end.offset;
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

    /// The payload of one frame.
    pub fn read(&self, at: Position) -> Result<Vec<u8>, ReadError> {
        let segment = self.segment(at.segment)?.map_err(|_| ReadError::Damaged(at))?;
        segment.read(at)?.ok_or(ReadError::Damaged(at))
    }

    /// All frames from a place on, oldest first, to where the journal ends now.
    pub fn iterate(&self, from: Option<End>) -> Result<Iterate, StoreError> {
        let from = from.unwrap_or(End { segment: 0, offset: 0 });
        let names = self.0.disk.list(&self.0.dir).map_err(|e| failed("list", &self.0.dir, &e))?;
        let mut numbers: Vec<u32> = names.iter().filter_map(|name| segment::number_of(name)).collect();
        let end = self.end();
        numbers.retain(|n| (from.segment..=end.segment).contains(n));
        numbers.sort_unstable_by_key(|n| std::cmp::Reverse(*n));
        Ok(Iterate { reader: self.clone(), from, end, rest: numbers, scan: None })
    }

    /// Bytes of all segment files.
    pub fn bytes(&self) -> u64 {
        let state = self.state();
        state.older_bytes + state.end.offset
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
            }
            let Some(number) = self.rest.pop() else { return Ok(None) };
            match self.reader.segment(number)? {
                Ok(segment) => {
                    let to = if number == self.end.segment { self.end.offset } else { segment.file.len()? };
                    let from = if number == self.from.segment { self.from.offset } else { 0 };
                    self.scan = Some(segment.scan(from, to));
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
