//! `hookhaven bench` as a user runs it. How fast it is, is no matter here.

use std::{path::PathBuf, process::Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::soon;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_measures_and_leaves_nothing_behind() {
    let directory = TempDir::new().expect("a directory");
    let mut command = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_hookhaven")));
    command.args(["bench", "--seconds", "1", "--json", "--data"]).arg(directory.path());
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = soon("the bench's end", command.output()).await.expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures: Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    for rate in ["/accepting/per_second", "/delivering/per_second", "/delivered/per_second"] {
        assert!(figures.pointer(rate).and_then(Value::as_f64) > Some(0.0), "{rate} of {figures:#}");
    }
    assert_eq!((&figures["accepting"]["refused"], &figures["delivering"]["refused"]), (&0.into(), &0.into()));
    assert_eq!(figures["delivered"]["events"], figures["delivering"]["answered"]);
    assert!(std::fs::read_dir(directory.path()).expect("it is there").next().is_none());
}
