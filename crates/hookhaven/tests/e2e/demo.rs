//! `hookhaven demo`, as somebody who has just built it runs it: it ends by itself with a table whose
//! figures agree, and leaves nothing behind. What it plays is the demo's own matter.

use std::{fs, path::Path, process::Stdio};

use hookhaven_load::gateway::poll;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::support::{PATIENCE, soon};

/// In an empty directory, with nothing in the environment but a place for temporary files.
fn demo(directory: &Path, temporary: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookhaven"));
    command.arg("demo").args(arguments).current_dir(directory).env_clear().env("TMPDIR", temporary);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().expect("the binary runs")
}

fn is_empty(directory: &TempDir) -> bool {
    fs::read_dir(directory.path()).expect("it can be read").next().is_none()
}

/// Processes that have the same place for temporary files: the demo, and whatever it started.
fn running(temporary: &TempDir) -> usize {
    let mark = format!("TMPDIR={}", temporary.path().display());
    let is_ours = |process: fs::DirEntry| {
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    fs::read_dir("/proc").expect("Linux").flatten().map(is_ours).filter(|ours| *ours).count()
}

/// The figures of all rows that begin so.
fn figure(table: &str, label: &str) -> u64 {
    let rows = table.lines().filter_map(|line| line.trim_start_matches(['│', ' ']).strip_prefix(label));
    let figures: Vec<u64> =
        rows.filter_map(|rest| rest.split_whitespace().next()?.trim_end_matches(',').parse().ok()).collect();
    assert!(!figures.is_empty(), "no {label:?} in\n{table}");
    figures.iter().sum()
}

#[tokio::test]
async fn the_demo_ends_with_a_table_that_agrees_and_leaves_nothing_behind() {
    let [directory, temporary] = [(); 2].map(|()| TempDir::new().expect("a directory"));
    let child = demo(directory.path(), temporary.path(), &[]);
    // Seen while it runs, or its absence afterwards would say nothing.
    poll(PATIENCE, async || (running(&temporary) > 0).then_some(())).await.expect("it runs");
    let output = soon("the demo's end", child.wait_with_output()).await.expect("its output");
    let table = String::from_utf8(output.stdout).expect("UTF-8");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{table}\n{told}");
    let [sent, refused, received, duplicates] =
        ["requests sent", "refused", "events received", "duplicates"].map(|label| figure(&table, label));
    assert_eq!(sent, refused + received + duplicates, "{table}");
    assert_eq!((figure(&table, "delivered"), figure(&table, "lost")), (received, 0), "{table}");
    for label in ["refused", "duplicates", "retried", "dead, replayed"] {
        assert!(figure(&table, label) > 0, "{label}:\n{table}");
    }
    for part in ["signature_mismatch", "timestamp_stale", "answer", "end to end", "p50 / p99"] {
        assert!(table.contains(part), "{part}:\n{table}");
    }
    assert!(is_empty(&directory) && is_empty(&temporary), "it cleans up behind itself");
    assert_eq!(running(&temporary), 0, "nothing of it runs on");
}

#[tokio::test]
async fn a_demo_that_is_kept_takes_what_it_says_and_ends_when_it_is_told() {
    let [directory, temporary] = [(); 2].map(|()| TempDir::new().expect("a directory"));
    let mut child = demo(directory.path(), temporary.path(), &["--keep"]);
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut commands = Vec::new();
    while commands.len() < 4 {
        let line = soon("what to try", lines.next_line()).await.expect("UTF-8").expect("it goes on");
        commands.extend(line.strip_prefix("  hookhaven ").map(str::to_owned));
    }
    for command in commands {
        let mut hookhaven = Command::new(env!("CARGO_BIN_EXE_hookhaven"));
        let output = hookhaven.args(command.split(' ')).current_dir(directory.path()).env_clear().output();
        let output = soon("the command's end", output).await.expect("the binary runs");
        assert_eq!(output.status.code(), Some(0), "{command}: {output:?}");
    }
    assert_eq!(end(&mut child).await, Some(0));
    assert!(is_empty(&temporary) && is_empty(&directory), "it cleans up behind itself");
}

#[tokio::test]
async fn a_demo_that_is_stopped_in_the_middle_cleans_up_too() {
    let [directory, temporary] = [(); 2].map(|()| TempDir::new().expect("a directory"));
    let mut child = demo(directory.path(), temporary.path(), &[]);
    let mut told = BufReader::new(child.stdout.take().expect("its output")).lines();
    let first = soon("its first remark", told.next_line()).await.expect("UTF-8").expect("it says something");
    assert!(first.contains("gateway up") && !is_empty(&temporary), "{first}");
    let status = end(&mut child).await;
    assert_eq!(status, Some(1), "it did not get to its end");
    assert!(is_empty(&temporary));
}

/// SIGTERM, and its exit code.
async fn end(child: &mut Child) -> Option<i32> {
    let pid = child.id().expect("it runs").to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().await.expect("kill runs").success());
    soon("its end", child.wait()).await.expect("a status").code()
}
