//! Every file of every corpus through its target: what the fuzzer found once is found again by any plain
//! test run, without a nightly compiler.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs, panic, path::PathBuf};

use hookhaven_fuzz::TARGETS;

/// All corpora together; they are in the repository.
const CORPUS_BYTES_MAX: u64 = 1_000_000;

fn fuzz_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn names_in(dir: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz_dir().join(dir)).unwrap();
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_corpus_file_passes() {
    let (mut bytes, mut failed) = (0, Vec::new());
    for (target, run) in TARGETS {
        let dir = fuzz_dir().join("corpus").join(target);
        let mut files: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{target} has no corpus");
        for file in files {
            let data = fs::read(&file).unwrap();
            bytes += data.len() as u64;
            if panic::catch_unwind(|| run(&data)).is_err() {
                failed.push(file);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(bytes < CORPUS_BYTES_MAX, "{bytes} bytes: minimise the corpora (fuzz/README.md)");
}

#[test]
fn targets_binaries_and_corpora_are_the_same_list() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names_in("fuzz_targets"), targets);
    assert_eq!(names_in("corpus"), targets);
    let manifest = fs::read_to_string(fuzz_dir().join("Cargo.toml")).unwrap();
    assert!(targets.iter().all(|name| manifest.contains(&format!("fuzz_targets/{name}.rs"))));
}
