//! One segment file: its header, and reading what is in it, damage included. Appending, rolling and
//! opening the lot are `journal`'s.
//!
//! A segment is a 64-byte header, then frames without a gap. The header: `HOOKHVN` and a line feed,
//! format version u32, segment number u32, salt of 16 random bytes, length u64 of the segment before (0 if
//! there was none), CRC-32C of all that, zeros. By that length a segment that was cut between two frames,
//! or is gone altogether, shows.

use std::{io, path::Path, path::PathBuf, sync::Arc};

use super::{
    disk::{Disk, DiskFile},
    frame::{self, HEADER_BYTES, Header, Seal},
};
use crate::{codec, position::Position};

pub const SEGMENT_HEADER_BYTES: u64 = 64;
pub const FORMAT: u32 = 1;
const MAGIC: &[u8; 8] = b"HOOKHVN\n";
const SALT: std::ops::Range<usize> = 16..32;
const BEFORE: std::ops::Range<usize> = 32..40;
const CHECKED: usize = 40;

/// How much a scan reads at a time.
const WINDOW_BYTES: usize = 1 << 20;

/// A part of the journal that can no longer be read, and what is known of what it held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub segment: u32,
    pub offset: u64,
    pub bytes: u64,
    /// Records whose beginning could be made out, in words.
    pub held: Vec<String>,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Damage { segment, offset, bytes, held } = self;
        write!(f, "segment {segment} is damaged at byte {offset}, {bytes} bytes cannot be read")?;
        if held.is_empty() { Ok(()) } else { write!(f, "; they held {}", held.join(", ")) }
    }
}

/// An open segment file with a good header.
#[derive(Clone, Debug)]
pub struct Segment {
    pub number: u32,
    pub salt: [u8; 16],
    /// Length of the segment before when this one was begun; 0 if there was none.
    pub before_bytes: u64,
    pub seal: Seal,
    pub file: Arc<dyn DiskFile>,
}

pub fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:08}.seg"))
}

/// The number in a segment's file name.
pub fn number_of(name: &str) -> Option<u32> {
    let number = name.strip_suffix(".seg")?;
    let digits = number.len() >= 8 && number.bytes().all(|b| b.is_ascii_digit());
    number.parse().ok().filter(|n| digits && *n > 0)
}

fn header(number: u32, salt: &[u8; 16], before_bytes: u64) -> [u8; SEGMENT_HEADER_BYTES as usize] {
    let mut header = [0; SEGMENT_HEADER_BYTES as usize];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    header[12..16].copy_from_slice(&number.to_le_bytes());
    header[SALT].copy_from_slice(salt);
    header[BEFORE].copy_from_slice(&before_bytes.to_le_bytes());
    let crc = crc32c::crc32c(&header[..CHECKED]);
    header[CHECKED..CHECKED + 4].copy_from_slice(&crc.to_le_bytes());
    header
}

impl Segment {
    fn new(number: u32, salt: [u8; 16], before_bytes: u64, file: Arc<dyn DiskFile>) -> Self {
        Segment { number, salt, before_bytes, seal: Seal::new(&salt, number), file }
    }

    /// A new, empty segment, on stable storage when this returns.
    pub fn create(disk: &dyn Disk, dir: &Path, number: u32, salt: [u8; 16], before_bytes: u64) -> io::Result<Self> {
        let file = disk.create(&path(dir, number))?;
        file.append(&header(number, &salt, before_bytes))?;
        file.sync_data()?;
        disk.sync_dir(dir)?;
        Ok(Segment::new(number, salt, before_bytes, file))
    }

    /// Opens a segment; the inner error says why its header is none.
    pub fn open(disk: &dyn Disk, dir: &Path, number: u32) -> io::Result<Result<Self, BadHeader>> {
        let file = disk.open(&path(dir, number))?;
        let mut bytes = [0; SEGMENT_HEADER_BYTES as usize];
        let whole = file.read_at(0, &mut bytes)? == bytes.len();
        let mut salt = [0; 16];
        salt.copy_from_slice(&bytes[SALT]);
        let mut before = [0; 8];
        before.copy_from_slice(&bytes[BEFORE]);
        let before_bytes = u64::from_le_bytes(before);
        // The header ends in zeros, so that one cut short there would pass for whole.
        if whole && bytes == header(number, &salt, before_bytes) {
            return Ok(Ok(Segment::new(number, salt, before_bytes, file)));
        }
        let version = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
        let newer = bytes.starts_with(MAGIC)
            && version > FORMAT
            && crc32c::crc32c(&bytes[..CHECKED]).to_le_bytes() == bytes[CHECKED..CHECKED + 4];
        let len = file.len()?;
        Ok(Err(if newer { BadHeader::Newer(version) } else { BadHeader::Unreadable { len } }))
    }

    /// Reads the payload of one frame; `None` if it is not what was written.
    pub fn read(&self, at: Position) -> io::Result<Option<Vec<u8>>> {
        if (at.len as usize) > frame::PAYLOAD_BYTES_MAX + HEADER_BYTES {
            return Ok(None);
        }
        let mut bytes = vec![0; at.len as usize];
        if self.file.read_at(at.offset, &mut bytes)? < bytes.len() {
            return Ok(None);
        }
        let is_good = self.payload(&bytes, at).is_some();
        Ok(is_good.then(|| {
            bytes.drain(..HEADER_BYTES);
            bytes
        }))
    }

    /// What a frame holds, given its bytes; `None` if it is not what was written there.
    pub fn payload<'a>(&self, bytes: &'a [u8], at: Position) -> Option<&'a [u8]> {
        let header = frame::header(head_of(bytes)?, self.seal, at.offset)?;
        let payload = &bytes[HEADER_BYTES..];
        header.holds(payload).then_some(payload)
    }

    /// Walks the frames from `from` to `end` bytes of the file.
    pub fn scan(&self, from: u64, end: u64) -> Scan {
        let from = from.max(SEGMENT_HEADER_BYTES);
        Scan { segment: self.clone(), at: from, end, window: Vec::new(), window_at: from }
    }
}

/// Why a file is not opened as a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHeader {
    /// A later version wrote it.
    Newer(u32),
    Unreadable {
        len: u64,
    },
}

/// What a scan comes upon.
#[derive(Debug)]
pub enum Found {
    Frame(Position, Vec<u8>),
    /// Unreadable bytes; the scan goes on behind them.
    Damage(Damage),
    /// From here on nothing is readable but, perhaps, more of the same unfinished batch. In the newest
    /// segment that is a torn tail; in any other, damage.
    Tail(Damage),
}

/// See [`Segment::scan`].
#[derive(Debug)]
pub struct Scan {
    segment: Segment,
    at: u64,
    end: u64,
    window: Vec<u8>,
    window_at: u64,
}

fn head_of(bytes: &[u8]) -> Option<&[u8; HEADER_BYTES]> {
    bytes.first_chunk()
}

impl Scan {
    /// The next thing; `None` at the end.
    pub fn step(&mut self) -> io::Result<Option<Found>> {
        if self.at >= self.end {
            return Ok(None);
        }
        if let Some(header) = self.whole_frame(self.at)? {
            let position = self.position(self.at, header);
            let payload = self.bytes(self.at, header.frame_len() as usize)?[HEADER_BYTES..].to_vec();
            self.at = position.end();
            return Ok(Some(Found::Frame(position, payload)));
        }
        self.search().map(Some)
    }

    fn position(&self, offset: u64, header: Header) -> Position {
        Position { segment: self.segment.number, offset, len: header.frame_len() }
    }

    /// Bytes of the file, fewer at its end.
    fn bytes(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let len = len.min(usize::try_from(self.end.saturating_sub(offset)).unwrap_or(usize::MAX));
        let held = self.window_at + self.window.len() as u64;
        if offset < self.window_at || offset + len as u64 > held {
            let rest = usize::try_from(self.end.saturating_sub(offset)).unwrap_or(usize::MAX);
            self.window.resize(len.max(WINDOW_BYTES).min(rest), 0);
            let n = self.segment.file.read_at(offset, &mut self.window)?;
            self.window.truncate(n);
            self.window_at = offset;
        }
        let from = (offset - self.window_at) as usize;
        Ok(&self.window[from..(from + len).min(self.window.len())])
    }

    fn header_at(&mut self, offset: u64) -> io::Result<Option<Header>> {
        let seal = self.segment.seal;
        let end = self.end;
        let bytes = self.bytes(offset, HEADER_BYTES)?;
        let header = head_of(bytes).and_then(|head| frame::header(head, seal, offset));
        Ok(header.filter(|h| offset + u64::from(h.frame_len()) <= end))
    }

    /// The header of a frame that is whole.
    fn whole_frame(&mut self, offset: u64) -> io::Result<Option<Header>> {
        let Some(header) = self.header_at(offset)? else { return Ok(None) };
        let frame = self.bytes(offset, header.frame_len() as usize)?;
        Ok(frame.get(HEADER_BYTES..).is_some_and(|payload| header.holds(payload)).then_some(header))
    }

    /// From a frame that is not whole: looks for one of a later batch, which shows that this one was
    /// once synced. Reading goes on at the first frame found.
    fn search(&mut self) -> io::Result<Found> {
        let broken = self.at;
        let mut held = Vec::new();
        let mut resume = None;
        let mut at = broken;
        while at < self.end {
            let Some(header) = self.header_at(at)? else {
                at += 1;
                continue;
            };
            if self.whole_frame(at)?.is_none() {
                let payload = self.bytes(at, header.frame_len() as usize)?.get(HEADER_BYTES..).unwrap_or_default();
                held.extend(codec::glimpse(payload));
                at += 1;
                continue;
            }
            let first = *resume.get_or_insert(at);
            if at - u64::from(header.back) > broken {
                self.at = first;
                return Ok(Found::Damage(self.damage(broken, first, held)));
            }
            at += u64::from(header.frame_len());
        }
        self.at = resume.unwrap_or(self.end);
        Ok(Found::Tail(self.damage(broken, resume.unwrap_or(self.end), held)))
    }

    fn damage(&self, from: u64, to: u64, held: Vec<String>) -> Damage {
        Damage { segment: self.segment.number, offset: from, bytes: to - from, held }
    }
}
