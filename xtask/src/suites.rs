//! Runs `cargo test` and reads along: which suites there were, what passed, how long each took.
//!
//! The output is shown as it comes; this only takes the lines that it knows.

use std::{
    io::{BufRead, BufReader, Write as _, pipe, stdout},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::command::{say, text};

/// What one test binary (or one crate's doc tests) came to.
#[derive(Debug, Default, PartialEq)]
struct Suite {
    name: String,
    passed: u64,
    failed: u64,
    ignored: u64,
    /// As the test harness measured it. `None`: it ended without a result.
    seconds: Option<f64>,
}

#[derive(Debug, Default)]
pub struct Suites {
    suites: Vec<Suite>,
    /// Cargo's own verdict, which knows of failures that print no result.
    success: bool,
}

/// Runs the tests, showing what they print.
pub fn run(mut command: Command) -> Result<Suites> {
    say(&text(&command));
    // One pipe for both streams, so that "Running …" stands before the results it belongs to.
    let (reader, writer) = pipe()?;
    command.env("CARGO_TERM_COLOR", "never").stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().context("cargo could not be started")?;
    // Our own ends of the pipe would keep it from ever ending.
    drop(command);

    let mut suites = Suites::default();
    let mut out = stdout().lock();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line?;
        out.write_all(&line)?;
        out.write_all(b"\n")?;
        suites.read(&String::from_utf8_lossy(&line));
    }
    suites.success = child.wait()?.success();
    Ok(suites)
}

impl Suites {
    fn read(&mut self, line: &str) {
        let line = line.trim();
        if let Some(what) = line.strip_prefix("Running ").filter(|what| what.ends_with(')')) {
            self.begin(name_of_binary(what));
        } else if let Some(what) = line.strip_prefix("Doc-tests ") {
            self.begin(format!("{what} (doc)"));
        } else if let Some(result) = line.strip_prefix("test result: ")
            && let Some(suite) = self.suites.last_mut()
        {
            suite.take(result);
        }
    }

    fn begin(&mut self, name: String) {
        self.suites.push(Suite { name, ..Suite::default() });
    }

    pub fn passed(&self) -> u64 {
        self.suites.iter().map(|suite| suite.passed).sum()
    }

    /// Failed tests; a suite that ended without a result counts as one, and so does a failure that shows
    /// in cargo's exit status only.
    pub fn failed(&self) -> u64 {
        let counted: u64 = self.suites.iter().map(Suite::failures).sum();
        if counted == 0 && !self.success { 1 } else { counted }
    }

    fn ignored(&self) -> u64 {
        self.suites.iter().map(|suite| suite.ignored).sum()
    }

    /// One line a suite, the slowest first; suites without a test are left out.
    pub fn table(&self) -> String {
        let mut shown: Vec<&Suite> = self.suites.iter().filter(|suite| !suite.is_empty()).collect();
        shown.sort_by(|a, b| b.seconds.unwrap_or(f64::MAX).total_cmp(&a.seconds.unwrap_or(f64::MAX)));
        let width = shown.iter().map(|suite| suite.name.len()).max().unwrap_or(0).max("suite".len());
        let mut table = format!("{:<width$}  {:>6}  {:>6}  {:>9}\n", "suite", "passed", "failed", "time");
        for suite in shown {
            let time = suite.seconds.map_or("no result".to_owned(), |seconds| format!("{seconds:.2} s"));
            table += &format!("{:<width$}  {:>6}  {:>6}  {time:>9}\n", suite.name, suite.passed, suite.failures());
        }
        table
    }

    /// `N passed, N failed`, and the skipped ones if there are any.
    pub fn closing_line(&self) -> String {
        let line = format!("{} passed, {} failed", self.passed(), self.failed());
        if self.ignored() == 0 { line } else { format!("{line}, {} skipped", self.ignored()) }
    }
}

impl Suite {
    /// Reads `ok. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.05s`.
    fn take(&mut self, result: &str) {
        for part in result.split([';', '.'].as_slice()).map(str::trim) {
            match part.split_once(' ') {
                Some((count, "passed")) => self.passed = count.parse().unwrap_or(0),
                Some((count, "failed")) => self.failed = count.parse().unwrap_or(0),
                Some((count, "ignored")) => self.ignored = count.parse().unwrap_or(0),
                _ => {}
            }
        }
        let finished = result.rsplit_once("finished in ").map(|(_, time)| time.trim_end_matches('s'));
        self.seconds = Some(finished.and_then(|time| time.parse().ok()).unwrap_or(0.0));
    }

    fn failures(&self) -> u64 {
        if self.seconds.is_none() { self.failed.max(1) } else { self.failed }
    }

    fn is_empty(&self) -> bool {
        self.seconds.is_some() && self.passed + self.failed + self.ignored == 0
    }
}

/// `unittests src/lib.rs (target/debug/deps/hookhaven_core-0f3a…)` → `hookhaven_core`, and
/// `tests/e2e/main.rs (…)` → `e2e (tests/e2e/main.rs)`.
fn name_of_binary(what: &str) -> String {
    let (source, binary) = what.trim_end_matches(')').rsplit_once(" (").unwrap_or((what, what));
    let file = binary.rsplit(['/', '\\']).next().unwrap_or(binary);
    let stem = file.rsplit_once('-').map_or(file, |(stem, _)| stem);
    match source.strip_prefix("unittests ") {
        Some("src/lib.rs") => stem.to_owned(),
        Some(source) => format!("{stem} ({source})"),
        None => format!("{stem} ({source})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
   Compiling hookhaven-core v0.1.0
    Finished `test` profile [unoptimized] target(s) in 2.24s
     Running unittests src/lib.rs (target/debug/deps/hookhaven_core-9ec93dbf9d2fa5f3)

running 2 tests
test glob::tests::stars ... ok
test result: FAILED. 1 passed; 1 failed; 3 ignored; 0 measured; 0 filtered out; finished in 1.25s

     Running unittests src/main.rs (target/debug/deps/hookhaven-12f)
test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
     Running tests/e2e/main.rs (target/debug/deps/e2e-77aa)
error: test failed, to rerun pass `-p hookhaven --test e2e`
   Doc-tests hookhaven_core
test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.31s

all doctests ran in 0.40s; merged doctests compilation took 0.24s
";

    fn read(output: &str, success: bool) -> Suites {
        let mut suites = Suites { success, ..Suites::default() };
        output.lines().for_each(|line| suites.read(line));
        suites
    }

    #[test]
    fn counts_what_cargo_prints() {
        let suites = read(OUTPUT, false);
        assert_eq!(suites.suites.len(), 4);
        assert_eq!(suites.suites[0].seconds, Some(1.25));
        assert_eq!(suites.closing_line(), "5 passed, 2 failed, 3 skipped");
    }

    #[test]
    fn a_suite_without_a_result_has_failed() {
        let table = read(OUTPUT, false).table();
        assert!(table.lines().nth(1).is_some_and(|line| line.starts_with("e2e (tests/e2e/main.rs)")), "{table}");
        assert!(table.contains("no result"), "{table}");
        assert!(!table.contains("src/main.rs)  "), "an empty suite is not shown: {table}");
    }

    #[test]
    fn a_failure_that_only_cargo_knows_of_counts() {
        assert_eq!(read("", false).closing_line(), "0 passed, 1 failed");
        assert_eq!(read("", true).closing_line(), "0 passed, 0 failed");
    }
}
