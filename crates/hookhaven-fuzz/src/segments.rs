//! Segment files: whatever became of their bytes, the journal opens, yields no record that was not written,
//! keeps every record that is whole, and names what is lost. An input is a history of batches and what then
//! happened to the files, or the raw content of a file.
//!
//! The salt of each segment comes from the whole input, so that a fuzzer which learns a checksum from one
//! run cannot put it into the next: chance and damage are meant here, not somebody who can write to the disk.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use hookhaven_store::{
    clock::SeededEntropy,
    embedded::{
        disk::{Disk, SimDisk},
        journal::{Entry, Journal},
        segment::{self, Damage, SEGMENT_HEADER_BYTES},
    },
    position::Position,
};

const DIR: &str = "/journal";
/// Of a history; more tells nothing new.
const BATCHES_MAX: usize = 12;
const FRAMES_MAX: usize = 5;
const HARMS_MAX: usize = 8;

pub fn run(data: &[u8]) {
    let mut input = Input(data);
    match input.byte() % 8 {
        0 => raw(input.0, false, seed_of(data)),
        1 => raw(input.0, true, seed_of(data)),
        _ => damaged(&mut input, seed_of(data)),
    }
}

/// Bytes of the fuzzer, zeros when they are used up.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }

    /// One of `0..below`; 0 if there is none.
    fn place(&mut self, below: usize) -> usize {
        let n = usize::from(self.byte()) << 8 | usize::from(self.byte());
        n.checked_rem(below).unwrap_or(0)
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.byte()).collect()
    }
}

/// FNV-1a.
fn seed_of(data: &[u8]) -> u64 {
    data.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

fn open(disk: &SimDisk, segment_bytes: u64, seed: u64) -> (Journal, Vec<Damage>) {
    let entropy = Arc::new(SeededEntropy::new(seed));
    Journal::open(Arc::new(disk.clone()), Path::new(DIR), segment_bytes, entropy).expect("this disk never fails")
}

type Frames = BTreeMap<Position, Vec<u8>>;

/// Everything in the journal, in order, each frame readable by its position too.
fn read(journal: &Journal) -> (Frames, Vec<Damage>) {
    let (mut frames, mut damages, mut last) = (Frames::new(), Vec::new(), None);
    let mut entries = journal.reader().iterate(None).expect("this disk never fails");
    while let Some(entry) = entries.step().expect("this disk never fails") {
        match entry {
            Entry::Frame(at, payload) => {
                assert!(last < Some(at), "{at:?} after {last:?}");
                assert_eq!(journal.reader().read(at).as_deref(), Ok(&payload[..]));
                last = Some(at);
                frames.insert(at, payload);
            }
            Entry::Damage(damage) => damages.push(damage),
        }
    }
    (frames, damages)
}

/// Opening again changes nothing, and what is appended stands behind what was there.
fn goes_on(disk: &SimDisk, mut journal: Journal, before: &Frames, seed: u64) {
    let end = journal.end();
    drop(journal);
    journal = open(disk, 1 << 20, seed ^ 1).0;
    assert_eq!((journal.end(), &read(&journal).0), (end, before));
    journal.begin().expect("there is room");
    let at = journal.push(|buffer| buffer.extend_from_slice(b"one more")).expect("it is short");
    journal.commit().expect("there is room");
    let mut expected = before.clone();
    expected.insert(at, b"one more".to_vec());
    assert_eq!(read(&journal).0, expected);
    assert_eq!(read(&open(disk, 1 << 20, seed ^ 2).0).0, expected);
}

fn put(disk: &SimDisk, number: u32, content: &[u8]) {
    let file = disk.create(&segment::path(Path::new(DIR), number)).expect("a new name");
    file.append(content).and_then(|()| file.sync_data()).expect("there is room");
    disk.sync_dir(Path::new(DIR)).expect("this disk never fails");
}

fn content(disk: &SimDisk, number: u32) -> Option<Vec<u8>> {
    let file = disk.open(&segment::path(Path::new(DIR), number)).ok()?;
    let mut bytes = vec![0; usize::try_from(file.len().ok()?).ok()?];
    file.read_at(0, &mut bytes).ok()?;
    Some(bytes)
}

/// A file of these very bytes, below a good header or not.
fn raw(bytes: &[u8], good_header: bool, seed: u64) {
    let disk = SimDisk::new(seed, Path::new("/nowhere"));
    let mut file = Vec::new();
    if good_header {
        let other = SimDisk::new(seed, Path::new("/nowhere"));
        drop(open(&other, 1 << 20, 0));
        file = content(&other, 1).expect("it was made");
    }
    file.extend_from_slice(bytes);
    put(&disk, 1, &file);
    // A format of the future is refused, which is right; it needs the right checksum too.
    let entropy = Arc::new(SeededEntropy::new(seed));
    let Ok((journal, damages)) = Journal::open(Arc::new(disk.clone()), Path::new(DIR), 1 << 20, entropy) else {
        return;
    };
    for damage in &damages {
        assert!(damage.offset + damage.bytes <= file.len() as u64, "{damage}");
    }
    let (frames, _) = read(&journal);
    assert!(frames.iter().all(|(at, payload)| at.len as usize == payload.len() + 16 && at.end() <= file.len() as u64));
    goes_on(&disk, journal, &frames, seed);
}

/// What was written, batch by batch, and the files as they were.
struct History {
    written: Frames,
    /// Which batch each frame was of.
    batches: BTreeMap<Position, usize>,
    files: BTreeMap<u32, Vec<u8>>,
}

fn write(input: &mut Input<'_>, seed: u64) -> History {
    let disk = SimDisk::new(seed, Path::new("/nowhere"));
    let segment_bytes = 64 + 16 * u64::from(input.byte());
    let (mut journal, damages) = open(&disk, segment_bytes, seed);
    assert!(damages.is_empty());
    let (mut written, mut batches) = (Frames::new(), BTreeMap::new());
    for batch in 0..1 + usize::from(input.byte()) % BATCHES_MAX {
        journal.begin().expect("there is room");
        for _ in 0..1 + usize::from(input.byte()) % FRAMES_MAX {
            let payload = payload(input, &disk, journal.end().segment);
            let at = journal.push(|buffer| buffer.extend_from_slice(&payload)).expect("it is short");
            batches.insert(at, batch);
            written.insert(at, payload);
        }
        journal.commit().expect("there is room");
    }
    let (frames, damages) = read(&journal);
    assert_eq!((&frames, &damages[..]), (&written, &[][..]));
    let files = (1..=journal.end().segment).filter_map(|n| Some((n, content(&disk, n)?))).collect();
    History { written, batches, files }
}

/// The input's own bytes, a run of one byte, or what the segment itself holds so far: a body that contains
/// whole frames.
fn payload(input: &mut Input<'_>, disk: &SimDisk, segment: u32) -> Vec<u8> {
    let len = 1 + usize::from(input.byte());
    match input.byte() % 4 {
        0 => input.bytes(len.min(40)),
        1 => content(disk, segment).unwrap_or_default().into_iter().chain([1]).collect(),
        _ => vec![input.byte(); len],
    }
}

/// Does to the files what the input says; they may then be longer, shorter or gone.
fn harm(input: &mut Input<'_>, files: &mut BTreeMap<u32, Vec<u8>>) {
    for _ in 0..usize::from(input.byte()) % (HARMS_MAX + 1) {
        let numbers: Vec<u32> = files.keys().copied().collect();
        let Some(number) = numbers.get(input.place(numbers.len())).copied() else { return };
        let donor = files.get(&numbers[input.place(numbers.len())]).cloned().unwrap_or_default();
        let Some(file) = files.get_mut(&number) else { return };
        let (from, len) = (input.place(file.len()), input.place(600));
        let to = (from + len).min(file.len());
        match input.byte() % 8 {
            0 => file.truncate(from),
            1 => file[from..to].fill(0),
            2 => file[from..to].fill(input.byte()),
            3 => file.extend(input.bytes(len.min(40))),
            4 => {
                file.drain(from..to);
            }
            5 => {
                // Another place of a segment stands here: a write that went astray.
                let start = input.place(donor.len());
                let stray = donor[start..].iter().take(to - from);
                file[from..to].iter_mut().zip(stray).for_each(|(here, there)| *here = *there);
            }
            6 => {
                files.remove(&number);
            }
            _ => file[from..to].iter_mut().take(4).for_each(|b| *b ^= 1 << (len % 8)),
        }
    }
}

fn damaged(input: &mut Input<'_>, seed: u64) {
    let history = write(input, seed);
    let mut files = history.files.clone();
    harm(input, &mut files);
    let disk = SimDisk::new(seed, Path::new("/nowhere"));
    files.iter().for_each(|(number, file)| put(&disk, *number, file));
    let (journal, at_open) = open(&disk, 1 << 20, !seed);
    let (frames, mut damages) = read(&journal);
    damages.extend(at_open);
    for (at, payload) in &frames {
        let written = history.written.get(at);
        if written != Some(payload) {
            assert!(written.is_some_and(|written| are_twins(written, payload)), "{at:?} was never written");
            return;
        }
    }
    nothing_whole_is_lost(&history, &files, &frames, &damages);
    goes_on(&disk, journal, &frames, seed);
}

/// What no CRC-32C tells apart. Any block that ends with its own CRC-32C, such as the header of a segment,
/// changes the checksum of what it stands in as every other such block of its length would: a write that goes
/// astray and puts one exactly in the place of the other is not seen.
fn are_twins(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && crc32c::crc32c(a) == crc32c::crc32c(b)
}

/// A whole frame is yielded, unless a torn tail or an unreadable header explains why not; and what is lost
/// before something that is yielded has been told.
///
/// A file cut between two frames looks as if nothing had followed, but for the header of the next one.
fn nothing_whole_is_lost(history: &History, files: &BTreeMap<u32, Vec<u8>>, frames: &Frames, damages: &[Damage]) {
    let header = SEGMENT_HEADER_BYTES as usize;
    let readable = |n: &u32| files.get(n).and_then(|f| f.get(..header)) == history.files[n].get(..header);
    let next_is_readable = |n: u32| history.files.contains_key(&(n + 1)) && readable(&(n + 1));
    let newest = history.files.keys().copied().filter(readable).max();
    let whole = |at: &Position| {
        let range = at.offset as usize..at.end() as usize;
        files[&at.segment].get(range.clone()) == history.files[&at.segment].get(range)
    };
    let outlived = |at: &Position| {
        let later = history.batches.range(at..).filter(|(later, _)| later.segment == at.segment);
        later.into_iter().any(|(later, batch)| *batch > history.batches[at] && whole(later))
    };
    let mut torn = false;
    for at in history.written.keys().filter(|at| readable(&at.segment)) {
        let kept = frames.contains_key(at);
        assert!(!kept || whole(at), "{at:?} is not as it was written");
        // From here on the newest segment may be taken for a batch that was never finished.
        torn |= Some(at.segment) == newest && !whole(at) && !outlived(at);
        assert!(kept || torn || !whole(at), "{at:?} is whole and was not yielded");
        let told = |d: &Damage| d.segment == at.segment && (d.offset..d.offset + d.bytes).contains(&at.offset);
        let cut = at.offset >= files[&at.segment].len() as u64 && !next_is_readable(at.segment);
        let behind = frames.range(at..).next().is_some();
        assert!(kept || cut || !behind || damages.iter().any(told), "{at:?} was lost without a word");
    }
}
