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

/// Only a nightly compiler builds the binaries, so they say nothing that could fail there and not here.
#[test]
fn binaries_hold_nothing_but_the_call_of_their_target() {
    for (name, _) in TARGETS {
        let binary = fs::read_to_string(fuzz_dir().join("fuzz_targets").join(format!("{name}.rs"))).unwrap();
        let call = format!("libfuzzer_sys::fuzz_target!(|data: &[u8]| hookhaven_fuzz::{name}::run(data));");
        assert_eq!(binary, format!("#![no_main]\n\n{call}\n"), "{name}");
    }
}

/// The binaries' workspace has a lock file of its own, which nothing here builds with.
#[test]
fn the_lock_file_of_the_binaries_knows_all_that_our_crates_depend_on() {
    let lock = fs::read_to_string(fuzz_dir().join("Cargo.lock")).unwrap();
    let ours = lock.split("[[package]]").filter_map(|package| {
        let name = package.split_once("name = \"")?.1.split('"').next()?;
        let manifest = fuzz_dir().join("../crates").join(name).join("Cargo.toml");
        Some((package, fs::read_to_string(manifest).ok()?))
    });
    let mut looked_at = 0;
    for (package, manifest) in ours {
        let needs = manifest.split_once("\n[dependencies]\n").map_or("", |(_, rest)| rest.split("\n[").next().unwrap());
        for line in needs.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase())) {
            let name = line.split(['.', ' ', '=']).next().unwrap();
            let known = package.contains(&format!("\n \"{name}\"")) || package.contains(&format!("\n \"{name} "));
            assert!(
                known,
                "{name}: `cargo metadata --manifest-path fuzz/Cargo.toml` brings fuzz/Cargo.lock up to date"
            );
        }
        looked_at += 1;
    }
    assert!(looked_at >= 4, "{looked_at} crates of ours");
}
