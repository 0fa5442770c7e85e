//! What a kill or a power cut leaves of the files: whatever is whole is read, and the ring goes on.

use std::{fs, path::Path, sync::Arc};

use hookhaven_store::{
    Page,
    embedded::disk::{Disk, RealDisk, SimDisk},
    quarantine::{Marked, Quarantine, RejectedFilter, Released},
};

use crate::{BOUNDS, at, files_in, rejected};

async fn listed(quarantine: &dyn Quarantine) -> Vec<i64> {
    let rows = quarantine.list(&RejectedFilter::default(), Page::first(100)).await.unwrap();
    rows.iter().rev().map(|row| row.received_at.as_s() - at(0).as_s()).collect()
}

fn only_file(dir: &Path) -> std::path::PathBuf {
    fs::read_dir(dir.join("quarantine")).unwrap().next().unwrap().unwrap().path()
}

#[tokio::test]
async fn killed_at_any_byte_it_lists_what_is_whole_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let all = (0..3).map(|second| rejected("shop", second, b"{\"a\":1}")).collect();
    files_in(dir.path(), Arc::new(RealDisk)).put(&"shop".into(), all, BOUNDS).await.unwrap();
    let path = only_file(dir.path());
    let whole = fs::read(&path).unwrap();
    for cut in 0..=whole.len() {
        let dir = tempfile::tempdir().unwrap();
        let torn = dir.path().join("quarantine");
        fs::create_dir(&torn).unwrap();
        fs::write(torn.join(path.file_name().unwrap()), &whole[..cut]).unwrap();
        let quarantine = files_in(dir.path(), Arc::new(RealDisk));
        let before = listed(&quarantine).await;
        assert!([0, 1, 2].starts_with(&before), "{cut}: {before:?}");
        quarantine.put(&"shop".into(), vec![rejected("shop", 7, b"{}")], BOUNDS).await.unwrap();
        let expected = [&before[..], &[7]].concat();
        assert_eq!(listed(&quarantine).await, expected, "{cut}");
        // And once more by the next process.
        assert_eq!(listed(&files_in(dir.path(), Arc::new(RealDisk))).await, expected, "{cut}");
    }
}

#[tokio::test]
async fn restarts_cost_nothing_and_marks_outlast_them() {
    let dir = tempfile::tempdir().unwrap();
    let released = Released { at: at(50), event: hookhaven_core::EventId::from_bytes([4; 16]) };
    for second in 0..30 {
        let quarantine = files_in(dir.path(), Arc::new(RealDisk));
        quarantine.put(&"shop".into(), vec![rejected("shop", second, b"{}")], BOUNDS).await.unwrap();
        if second == 3 {
            assert_eq!(quarantine.mark_released(rejected("shop", 3, b"").id, released).await, Ok(Marked::Done));
        }
    }
    let quarantine = files_in(dir.path(), Arc::new(RealDisk));
    assert_eq!(listed(&quarantine).await, (0..30).collect::<Vec<_>>());
    let again = quarantine.mark_released(rejected("shop", 3, b"").id, Released { at: at(60), ..released }).await;
    assert_eq!(again, Ok(Marked::Already(released)));
}

#[tokio::test]
async fn a_power_cut_loses_entries_and_makes_none_up() {
    let dir = tempfile::tempdir().unwrap();
    for seed in 0..30 {
        let disk = Arc::new(SimDisk::new(seed, dir.path()));
        let quarantine = files_in(dir.path(), disk.clone());
        for second in 0..40 {
            quarantine.put(&"shop".into(), vec![rejected("shop", second, &[1; 999])], BOUNDS).await.unwrap();
        }
        let next: Arc<dyn Disk> = Arc::new(disk.power_cut(seed));
        let quarantine = files_in(dir.path(), next);
        let kept = listed(&quarantine).await;
        assert!(kept.windows(2).all(|pair| pair[0] < pair[1]), "seed {seed}: {kept:?}");
        quarantine.put(&"shop".into(), vec![rejected("shop", 77, b"{}")], BOUNDS).await.unwrap();
        assert_eq!(listed(&quarantine).await.last(), Some(&77), "seed {seed}");
    }
}
