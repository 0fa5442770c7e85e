//! The journal on a disk that tears, fills and loses: what was committed is read back, what was not is
//! cut, and damage is told and gone around.
#![allow(clippy::unwrap_used)]

use std::{path::Path, sync::Arc};

use hookhaven_store::{
    clock::SeededEntropy,
    embedded::{
        disk::{Disk, SimDisk},
        journal::{CommitError, Entry, Journal, ReadError},
        segment::{Damage, SEGMENT_HEADER_BYTES},
    },
    position::Position,
};

const DIR: &str = "/data/journal";

fn disk(seed: u64) -> SimDisk {
    SimDisk::new(seed, Path::new("/nowhere"))
}

fn open(disk: &SimDisk, segment_bytes: u64) -> (Journal, Vec<Damage>) {
    let entropy = Arc::new(SeededEntropy::new(1));
    Journal::open(Arc::new(disk.clone()), Path::new(DIR), segment_bytes, entropy).unwrap()
}

fn stage(journal: &mut Journal, payload: &[u8]) -> Position {
    journal.push(|buffer| buffer.extend_from_slice(payload)).unwrap()
}

/// One batch with these payloads.
fn commit(journal: &mut Journal, payloads: &[&[u8]]) -> Result<Vec<Position>, CommitError> {
    journal.begin()?;
    let positions = payloads.iter().map(|payload| stage(journal, payload)).collect();
    journal.commit().map(|()| positions)
}

fn all(journal: &Journal) -> (Vec<Vec<u8>>, Vec<Damage>) {
    let mut entries = journal.reader().iterate(None).unwrap();
    let (mut payloads, mut damages) = (vec![], vec![]);
    while let Some(entry) = entries.step().unwrap() {
        match entry {
            Entry::Frame(at, payload) => {
                assert_eq!(journal.reader().read(at).unwrap(), payload);
                payloads.push(payload);
            }
            Entry::Damage(damage) => damages.push(damage),
        }
    }
    (payloads, damages)
}

fn segment(n: u32) -> std::path::PathBuf {
    Path::new(DIR).join(format!("{n:08}.seg"))
}

#[test]
fn what_was_committed_is_read_back_over_segments_and_restarts() {
    let disk = disk(1);
    let mut expected = vec![];
    for run in 0..3u8 {
        let (mut journal, damages) = open(&disk, 200);
        assert!(damages.is_empty());
        for n in 0..10u8 {
            let payload = vec![run, n, 1, 2, 3];
            commit(&mut journal, &[&payload, &[run, n]]).unwrap();
            expected.extend([payload, vec![run, n]]);
        }
        assert_eq!(all(&journal), (expected.clone(), vec![]));
        assert!(journal.end().segment > 2);
        let sizes = (1..=journal.end().segment).map(|n| disk.open(&segment(n)).unwrap().len().unwrap());
        assert_eq!(journal.reader().bytes(), sizes.sum::<u64>());
    }
}

#[test]
fn one_batch_is_one_sync() {
    let disk = disk(1);
    let (mut journal, _) = open(&disk, 1 << 20);
    let before = disk.syncs();
    commit(&mut journal, &[b"a", b"b", b"c"]).unwrap();
    assert_eq!(disk.syncs(), before + 1);
    journal.begin().unwrap();
    journal.commit().unwrap();
    assert_eq!(disk.syncs(), before + 1, "an empty batch needs none");
}

#[test]
fn a_torn_tail_is_cut_whatever_was_lost() {
    for seed in 0..300 {
        let disk = disk(seed);
        let (mut journal, _) = open(&disk, 1 << 20);
        let synced: Vec<Vec<u8>> = (0..20u8).map(|n| vec![n; 700]).collect();
        for payload in &synced {
            commit(&mut journal, &[payload]).unwrap();
        }
        // Written, and the power goes before the sync returns.
        disk.fail_sync_after(0);
        let big = vec![9; 6_000];
        assert!(matches!(commit(&mut journal, &[&big, b"x", &big, b"y"]), Err(CommitError::Poisoned(_))));
        let disk = disk.power_cut(seed);
        let (mut journal, damages) = open(&disk, 1 << 20);
        assert_eq!(damages, [], "a torn batch is not damage, seed {seed}");
        let (read, damages) = all(&journal);
        assert!(damages.is_empty());
        assert_eq!(read[..20], synced, "seed {seed}");
        let of_batch: [&[u8]; 4] = [&big, b"x", &big, b"y"];
        assert_eq!(read[20..], of_batch[..read.len() - 20], "a prefix of the torn batch, seed {seed}");
        commit(&mut journal, &[b"next"]).unwrap();
        assert_eq!(all(&journal).0.last().unwrap(), b"next");
    }
}

#[test]
fn what_is_read_back_at_open_is_durable_before_it_is_used() {
    for seed in 0..50 {
        let disk = disk(seed);
        let (mut journal, _) = open(&disk, 1 << 20);
        commit(&mut journal, &[b"first"]).unwrap();
        disk.fail_sync_after(0);
        assert!(commit(&mut journal, &[b"seen by the kernel only"]).is_err());
        // Killed: the next process reads the bytes from the page cache, and may answer by them.
        let disk = disk.kill();
        let (journal, _) = open(&disk, 1 << 20);
        let seen = all(&journal).0;
        let disk = disk.power_cut(seed);
        assert_eq!(all(&open(&disk, 1 << 20).0).0, seen, "seed {seed}");
    }
}

#[test]
fn a_power_cut_at_open_or_at_a_new_segment_loses_nothing() {
    for seed in 0..200 {
        let disk = disk(seed);
        let (mut journal, _) = open(&disk, 300);
        let mut expected = vec![];
        let fails_after = seed as u32 % 23;
        disk.fail_sync_after(fails_after);
        for n in 0..30u8 {
            match commit(&mut journal, &[&[n; 100]]) {
                Ok(_) => expected.push(vec![n; 100]),
                Err(_) => break,
            }
        }
        let disk = disk.power_cut(seed);
        // It fails while opening, too.
        disk.fail_sync_after(0);
        let entropy = Arc::new(SeededEntropy::new(2));
        let _ = Journal::open(Arc::new(disk.clone()), Path::new(DIR), 300, entropy);
        let disk = disk.power_cut(seed + 1);
        let (journal, damages) = open(&disk, 300);
        let (read, more) = all(&journal);
        assert_eq!((damages, more), (vec![], vec![]), "seed {seed}");
        assert!(read.len() <= expected.len() + 1);
        assert_eq!(read[..expected.len()], expected, "seed {seed}");
    }
}

#[test]
fn a_segment_whose_header_is_cut_anywhere_was_never_begun() {
    let whole = disk(1);
    let (mut journal, _) = open(&whole, 100);
    commit(&mut journal, &[&[1; 200]]).unwrap();
    commit(&mut journal, &[b"second"]).unwrap();
    let copy = |to: &SimDisk, n: u32, len: u64| {
        let file = whole.open(&segment(n)).unwrap();
        let mut bytes = vec![0; file.len().unwrap().min(len) as usize];
        file.read_at(0, &mut bytes).unwrap();
        to.create(&segment(n)).unwrap().append(&bytes).unwrap();
    };
    for len in 0..SEGMENT_HEADER_BYTES {
        let torn = disk(2);
        copy(&torn, 1, u64::MAX);
        copy(&torn, 2, len);
        let (mut journal, damages) = open(&torn, 100);
        assert_eq!((all(&journal), damages), ((vec![vec![1; 200]], vec![]), vec![]), "{len}");
        commit(&mut journal, &[b"next"]).unwrap();
        assert_eq!(all(&journal).0, [vec![1; 200], b"next".to_vec()], "{len}");
    }
}

#[test]
fn damage_in_the_middle_is_told_and_gone_around() {
    // Into the header of the fourth frame of ten; and over three frames.
    for (into, len, lost) in [(2, 1, 1), (40, 200, 3)] {
        let disk = disk(1);
        let (mut journal, _) = open(&disk, 1 << 20);
        for n in 0..10u8 {
            commit(&mut journal, &[&[n; 100]]).unwrap();
        }
        let broken = Position { segment: 1, offset: SEGMENT_HEADER_BYTES + 116 * 3, len: 116 };
        disk.rot(&segment(1), broken.offset as usize + into, len);
        assert_eq!(journal.reader().read(broken), Err(ReadError::Damaged(broken)));
        let (journal, damages) = open(&disk, 1 << 20);
        let told = damages.iter().map(|d| (d.segment, d.offset, d.bytes)).collect::<Vec<_>>();
        assert_eq!(told, [(1, broken.offset, 116 * lost)]);
        let (read, seen) = all(&journal);
        assert_eq!(seen, damages);
        let kept: Vec<u8> = (0..10).filter(|n| !(3..3 + lost as u8).contains(n)).collect();
        assert_eq!(read.iter().map(|payload| payload[0]).collect::<Vec<_>>(), kept);
    }
}

#[test]
fn nothing_is_cut_behind_damage() {
    let disk = disk(1);
    let (mut journal, _) = open(&disk, 1 << 20);
    commit(&mut journal, &[b"first"]).unwrap();
    let damaged = commit(&mut journal, &[b"lost", b"whole"]).unwrap()[0];
    // Of a batch that was never finished the second page arrived and the first did not.
    let torn = commit(&mut journal, &[b"torn", b"shows that the one before was synced"]).unwrap()[0];
    for at in [damaged, torn] {
        disk.rot(&segment(1), at.offset as usize, 4);
    }
    let expected = [&b"first"[..], b"whole", b"shows that the one before was synced"];
    for _ in 0..3 {
        let (journal, damages) = open(&disk, 1 << 20);
        assert_eq!(damages.iter().map(|d| d.offset).collect::<Vec<_>>(), [damaged.offset, torn.offset]);
        let (read, seen) = all(&journal);
        assert_eq!((&read[..], seen), (&expected.map(<[u8]>::to_vec)[..], damages));
    }
    let (mut journal, _) = open(&disk, 1 << 20);
    commit(&mut journal, &[b"next"]).unwrap();
    assert_eq!(all(&open(&disk, 1 << 20).0).0.last().unwrap(), b"next");
}

#[test]
fn damage_in_an_older_segment_is_told_with_what_it_held() {
    use hookhaven_core::{DeliveryId, Time};
    use hookhaven_store::{codec, record::Record};
    let disk = disk(1);
    let (mut journal, _) = open(&disk, 200);
    let delivery = DeliveryId::from_bytes([7; 16]);
    let payload = codec::encode(&[Record::Dismissed { at: Time::EPOCH, delivery }]);
    for _ in 0..30 {
        commit(&mut journal, &[&payload]).unwrap();
    }
    // In the last frame of the first segment: a tail, but not of the newest. The id comes last.
    let len = disk.open(&segment(1)).unwrap().len().unwrap();
    disk.rot(&segment(1), len as usize - 20, 1);
    let (read, damages) = all(&open(&disk, 200).0);
    assert_eq!((read.len(), damages.len()), (29, 1));
    assert_eq!(damages[0].held, [format!("a dismissal of {delivery}")]);
    // A header gone: the segment cannot be read, the others can.
    disk.rot(&segment(2), 20, 1);
    let (read, damages) = all(&open(&disk, 200).0);
    assert!(damages.iter().any(|d| d.segment == 2 && d.offset == 0));
    assert!(read.len() < 29);
    disk.remove(&segment(3)).unwrap();
    assert!(open(&disk, 200).1.iter().any(|d| d.segment == 3));
}

#[test]
fn a_payload_cannot_pass_for_a_record() {
    // All frames of one journal, inside a payload of another whose neighbour is then damaged.
    let (seen, hidden) = (disk(1), disk(2));
    let (mut source, _) = open(&hidden, 1 << 20);
    for _ in 0..5 {
        commit(&mut source, &[b"never said"]).unwrap();
    }
    let file = hidden.open(&segment(1)).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(0, &mut bytes).unwrap();
    let entropy = Arc::new(SeededEntropy::new(99));
    let (mut journal, _) = Journal::open(Arc::new(seen.clone()), Path::new(DIR), 1 << 20, entropy).unwrap();
    commit(&mut journal, &[&bytes[SEGMENT_HEADER_BYTES as usize..]]).unwrap();
    // And what this very segment holds, said once more.
    commit(&mut journal, &[b"said once"]).unwrap();
    let file = seen.open(&segment(1)).unwrap();
    let mut own = vec![0; file.len().unwrap() as usize];
    file.read_at(0, &mut own).unwrap();
    commit(&mut journal, &[&own]).unwrap();
    commit(&mut journal, &[b"last"]).unwrap();
    seen.rot(&segment(1), SEGMENT_HEADER_BYTES as usize, 4);
    seen.rot(&segment(1), own.len(), 4);
    let (read, damages) = all(&open(&seen, 1 << 20).0);
    assert_eq!(read, [b"said once".to_vec(), b"last".to_vec()]);
    assert_eq!(damages.len(), 2);
}

#[test]
fn a_full_disk_costs_its_batch_and_nothing_else() {
    for seed in 0..20 {
        let disk = disk(seed);
        let (mut journal, _) = open(&disk, 1 << 20);
        commit(&mut journal, &[b"before"]).unwrap();
        disk.fill_after(0);
        assert!(matches!(commit(&mut journal, &[&[1; 9_000]]), Err(CommitError::Refused(_))));
        commit(&mut journal, &[b"after"]).unwrap();
        let expected = [b"before".to_vec(), b"after".to_vec()];
        assert_eq!(all(&journal).0, expected);
        assert_eq!(all(&open(&disk.power_cut(seed), 1 << 20).0).0, expected);
    }
}

#[test]
fn no_room_for_a_new_segment_is_no_end() {
    let disk = disk(3);
    let (mut journal, _) = open(&disk, 100);
    commit(&mut journal, &[&[1; 200]]).unwrap();
    disk.fill_after(0);
    assert!(matches!(commit(&mut journal, &[b"x"]), Err(CommitError::Refused(_))));
    commit(&mut journal, &[b"y"]).unwrap();
    assert_eq!(all(&journal).0, [vec![1; 200], b"y".to_vec()]);
}

#[test]
fn a_failed_sync_is_never_tried_again() {
    let disk = disk(3);
    let (mut journal, _) = open(&disk, 1 << 20);
    disk.fail_sync_after(0);
    assert!(matches!(commit(&mut journal, &[b"x"]), Err(CommitError::Poisoned(_))));
    let syncs = disk.syncs();
    assert!(matches!(commit(&mut journal, &[b"y"]), Err(CommitError::Poisoned(_))));
    assert!(matches!(journal.commit(), Err(CommitError::Poisoned(_))));
    assert_eq!(disk.syncs(), syncs);
}
