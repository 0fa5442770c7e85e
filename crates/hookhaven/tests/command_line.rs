//! The binary as a script meets it: exit codes, and what goes to which stream. Messages have tests beside
//! the code that makes them.

use std::{
    path::Path,
    process::{Command, Output},
};

/// Runs the binary in `dir`, with no environment but `variables`.
fn hookhaven(dir: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookhaven"));
    command.args(arguments).current_dir(dir).env_clear().envs(variables.iter().copied());
    command.output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_bad_config_is_exit_code_2_and_one_line_each_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let config = "[server]\nport = 1\n[sources.s]\nsender = \"stripe\"\nsecrets = [\"env:NOT_SET\"]\n";
    std::fs::write(dir.path().join("hookhaven.toml"), config).unwrap();
    let output = hookhaven(dir.path(), &["check", "--offline"], &[]);
    assert_eq!(output.status.code(), Some(2));
    let lines = text(&output.stdout);
    assert!(lines.contains("hookhaven.toml:2:1: server.port: unknown key; "), "{lines}");
    assert!(lines.contains("hookhaven.toml:5:12: sources.s.secrets[0]: the environment variable NOT_SET is not set; "));
}

#[test]
fn from_init_to_a_check_that_finds_nothing_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let first = hookhaven(dir.path(), &["init", "--sender", "github"], &[]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    assert!(text(&first.stdout).contains("export GITHUB_WEBHOOK_SECRET="));
    let again = hookhaven(dir.path(), &["init"], &[]);
    assert_eq!(again.status.code(), Some(2));

    let unset = hookhaven(dir.path(), &["check", "--offline"], &[]);
    assert_eq!(unset.status.code(), Some(2));

    // On ports of the system's choice: the usual ones may be taken where the tests run.
    let path = dir.path().join("hookhaven.toml");
    let config = std::fs::read_to_string(&path).unwrap().replace(":8080\" ", ":0\" ").replace(":8081\" ", ":0\" ");
    std::fs::write(&path, config).unwrap();
    let set = hookhaven(dir.path(), &["check", "--offline", "--json"], &[("GITHUB_WEBHOOK_SECRET", "hush")]);
    assert_eq!(set.status.code(), Some(0), "{}", text(&set.stdout));
    let report: serde_json::Value = serde_json::from_slice(&set.stdout).unwrap();
    assert_eq!((&report["ok"], &report["problems"]), (&true.into(), &serde_json::json!([])));
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in
        [&["nonsense"][..], &["dlq", "replay"], &["init", "--url", "http://h/"], &["check", "--config", "no"]]
    {
        assert_eq!(hookhaven(dir.path(), arguments, &[]).status.code(), Some(2), "{arguments:?}");
    }
    assert_eq!(hookhaven(dir.path(), &["--version"], &[]).status.code(), Some(0));
}

#[test]
fn torture_of_a_database_that_is_not_there_says_so_without_its_password() {
    let dir = tempfile::tempdir().unwrap();
    let output = hookhaven(dir.path(), &["torture", "--store", "postgres://u:hunter2@127.0.0.1:9/db"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("PostgreSQL") && !said.contains("hunter2"), "{said}");
    let output = hookhaven(dir.path(), &["torture", "--store", "memory:hunter2"], &[]);
    assert_eq!(output.status.code(), Some(2));
}
