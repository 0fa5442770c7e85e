//! `hookhaven demo`, as somebody who has just installed it would run it.

use std::{path::Path, process::Stdio};

use hookhaven_bench::gateway::poll;
use tokio::process::Command;

use crate::support::{PATIENCE, soon};

/// Ids of the processes that have this in their environment.
fn marked(mark: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    let is_marked = |path: &Path| {
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    processes.filter(|p| is_marked(&p.path())).map(|p| p.file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn it_ends_well_with_its_table_and_leaves_nothing() {
    let (temporary, elsewhere) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("another"));
    let mark = format!("TMPDIR={}", temporary.path().display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookhaven"));
    command.arg("demo").env("TMPDIR", temporary.path()).current_dir(elsewhere.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let demo = command.spawn().expect("the binary runs");
    let id = demo.id().expect("it has not been waited for").to_string();
    // The mark is found while it runs, or its absence would say nothing.
    poll(PATIENCE, async || marked(&mark).contains(&id).then_some(())).await.expect("it runs");

    let output = soon("the demo's end", demo.wait_with_output()).await.expect("it can be waited for");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}\n{errors}", output.status);
    let figure = |row: &str| {
        let line = said.lines().find(|line| line.trim_matches(['│', ' ']).starts_with(row));
        let line = line.unwrap_or_else(|| panic!("no row {row}:\n{said}"));
        let figures = line.split_whitespace().filter_map(|word| word.trim_matches(',').parse::<u64>().ok());
        figures.collect::<Vec<_>>()
    };
    assert_eq!(figure("lost"), [0]);
    assert_eq!(figure("events received"), figure("delivered"));
    for row in ["requests sent", "refused", "duplicates", "retried", "dead, replayed"] {
        assert!(figure(row).first().is_some_and(|n| *n > 0), "{row}: none\n{said}");
    }
    for row in ["answer", "end to end"] {
        figure(row);
    }

    assert_eq!(marked(&mark), [""; 0], "nothing of it runs on");
    for directory in [temporary, elsewhere] {
        let left: Vec<_> = std::fs::read_dir(directory.path()).expect("it is there").flatten().collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}
