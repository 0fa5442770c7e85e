//! The one runner: `cargo xtask test | ci | bench | soak | torture-postgres`. Each task is one file; this one only chooses.
//!
//! Not here: what is tested or measured. That stands with the crates, in `tests-clients/` and `bench/`.

mod bench;
mod browser;
mod ci;
mod clients;
mod command;
mod databases;
mod leftovers;
mod prometheus;
mod python;
mod suites;
mod test;
mod tools;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask TASK

  test           everything that must pass; installs what it needs, leaves nothing running
  ci             format, lints, then test: what .ci/run does
  bench [NAME]   measure this machine: closed, steady, sustained, burst, isolation, backlog, postgres, copy, verify;
                 all of them without a name
  torture-postgres [MINUTES]
                 kill nodes and crash their database, by default for ten minutes
  soak NAME      one part for long, to see that nothing grows: retention, live-view";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["test"] => test::run(),
        ["ci"] => ci::run(),
        ["bench", names @ ..] => bench::run(names),
        ["torture-postgres"] => bench::torture_postgres("10"),
        ["torture-postgres", minutes] => bench::torture_postgres(minutes),
        ["soak", arguments @ ..] => bench::soak(arguments),
        ["help" | "-h" | "--help"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
