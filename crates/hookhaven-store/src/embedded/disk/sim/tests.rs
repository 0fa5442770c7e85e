//! What outlasts a power cut, what may be lost in one, and what a failed sync does not bring back.

use super::{file::PAGE_BYTES, *};

fn disk(seed: u64) -> (SimDisk, Arc<dyn DiskFile>) {
    let disk = SimDisk::new(seed, Path::new("/nowhere"));
    let file = disk.create(Path::new("/d/f")).unwrap();
    (disk, file)
}

fn content(disk: &SimDisk) -> Option<Vec<u8>> {
    let file = disk.open(Path::new("/d/f")).ok()?;
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(0, &mut bytes).unwrap();
    Some(bytes)
}

#[test]
fn what_was_synced_outlasts_the_power() {
    let (disk, file) = disk(1);
    file.append(b"kept").unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(Path::new("/d")).unwrap();
    let disk = disk.power_cut(7);
    assert_eq!(content(&disk), Some(b"kept".to_vec()));
    assert!(file.append(b"x").is_err());
}

#[test]
fn what_was_not_synced_is_lost_for_some_seed_and_kept_for_another() {
    let left: BTreeSet<_> = (0..32)
        .map(|seed| {
            let (disk, file) = disk(seed);
            disk.sync_dir(Path::new("/d")).unwrap();
            file.append(&[7; 3 * PAGE_BYTES]).unwrap();
            content(&disk.power_cut(seed)).unwrap()
        })
        .collect();
    assert!(left.contains(&Vec::new()) && left.len() > 4);
}

#[test]
fn a_name_without_a_directory_sync_may_go() {
    let gone = (0..32).filter(|seed| {
        let (disk, file) = disk(*seed);
        file.sync_data().unwrap();
        content(&disk.power_cut(*seed)).is_none()
    });
    assert!((1..32).contains(&gone.count()));
}

#[test]
fn after_a_failed_sync_a_good_one_does_not_bring_the_pages_back() {
    let lost = (0..32).filter(|seed| {
        let (disk, file) = disk(*seed);
        disk.sync_dir(Path::new("/d")).unwrap();
        disk.fail_sync_after(0);
        file.append(b"written").unwrap();
        assert!(file.sync_data().is_err());
        file.sync_data().unwrap();
        assert_eq!(content(&disk), Some(b"written".to_vec()));
        content(&disk.power_cut(*seed)) != Some(b"written".to_vec())
    });
    assert!((1..32).contains(&lost.count()));
}
