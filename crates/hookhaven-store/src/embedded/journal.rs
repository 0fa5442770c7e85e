//! The journal: segment files of frames, appended to by one writer, read by anyone. Here are opening,
//! appending with one sync a batch, and rolling to a new segment. Reading back is `reader`'s.
//!
//! Not here: what payloads mean, and who waits for which sync (`writer`).
//!
//! What is read back at open need not be on stable storage: a process killed between write and sync
//! leaves bytes that only the kernel has. So the newest segment is copied, synced and renamed over itself
//! before anything in it is believed; older ones were synced before the next was begun. After a sync that
//! failed the journal takes nothing more, and the one way on is to open it again.

use std::{io, path::Path, sync::Arc};

pub use super::reader::{End, Entry, Iterate, JournalReader, ReadError};
use super::{
    disk::{Disk, DiskFile},
    frame::{self, PAYLOAD_BYTES_MAX},
    reader::{failed, newer, unreadable},
    segment::{self, BadHeader, Damage, Found, Segment},
    space::{Space, is_full},
};
use crate::{clock::Entropy, position::Position, seam::StoreError};

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
    /// The next batch begins a new segment, however long this one is.
    roll: bool,
    /// What gives its reserve when the disk is full.
    space: Option<Arc<Space>>,
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
                let segment = Segment::create(&*disk, dir, number, salt(&*entropy), 0)
                    .map_err(|e| failed("create", &segment::path(dir, number), &e))?;
                (segment, segment::SEGMENT_HEADER_BYTES)
            }
        };
        let end = End { segment: newest.number, offset: len };
        let len_of = |n: u32| disk.open(&segment::path(dir, n)).and_then(|file| file.len()).unwrap_or(0);
        let older = numbers.iter().filter(|n| **n < newest.number).map(|n| (*n, len_of(*n))).collect();
        let reader = JournalReader::new(disk, dir, end, &newest, older);
        let batch = Vec::new();
        let journal =
            Journal { reader, entropy, segment_bytes, newest, len, batch, poisoned: false, roll: false, space: None };
        Ok((journal, damages))
    }

    pub fn reader(&self) -> JournalReader {
        self.reader.clone()
    }

    /// From now on a full disk is tried once more after the reserve was given up.
    pub fn draw_on(&mut self, space: Arc<Space>) {
        self.space = Some(space);
    }

    fn drew_on_reserve(&self, e: &io::Error) -> bool {
        is_full(e) && self.space.as_ref().is_some_and(|space| space.release())
    }

    pub fn end(&self) -> End {
        End { segment: self.newest.number, offset: self.len }
    }

    /// Lets the next batch begin a new segment, so that this one can go when its time comes.
    pub fn roll(&mut self) {
        self.roll = true;
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
        let full = self.segment_bytes.max(segment::SEGMENT_HEADER_BYTES + 1);
        if self.len < if self.roll { segment::SEGMENT_HEADER_BYTES + 1 } else { full } {
            return Ok(());
        }
        let number = self.newest.number + 1;
        let shared = &self.reader.0;
        match Segment::create(&*shared.disk, &shared.dir, number, salt(&*self.entropy), self.len) {
            Ok(segment) => {
                self.newest = segment;
                self.roll = false;
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
                    _ if self.drew_on_reserve(&e) => self.begin(),
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
        while let Err(e) = self.newest.file.append(&self.batch) {
            if let Err(cut) = self.newest.file.truncate(self.len) {
                return Err(self.poison(format!("the journal cannot grow ({e}), nor be cut back: {cut}")));
            }
            if !self.drew_on_reserve(&e) {
                self.batch.clear();
                return Err(CommitError::Refused(StoreError::Unavailable(format!("the journal cannot grow: {e}"))));
            }
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
///
/// Nothing is cut behind damage. What shows that a broken batch was once synced is a frame behind it: if
/// that went with the tail, the next open would take the damage for the tail, and cut what is whole.
fn settle_newest(
    disk: &dyn Disk,
    dir: &Path,
    segment: &Segment,
    damages: &mut Vec<Damage>,
) -> io::Result<(Segment, u64)> {
    let mut scan = segment.scan(0, segment.file.len()?);
    let mut good = segment::SEGMENT_HEADER_BYTES;
    let mut is_damaged = false;
    while let Some(found) = scan.step()? {
        match found {
            Found::Frame(at, _) => good = at.end(),
            Found::Damage(damage) => {
                is_damaged = true;
                damages.push(damage);
            }
            Found::Tail(torn) if is_damaged => {
                good = torn.offset + torn.bytes;
                damages.push(torn);
            }
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
