//! `cargo xtask test`: everything that must pass. Fetches what the tests need, builds once, runs every
//! suite, prints a table of them, checks that nothing was left running.
//!
//! What cannot be had is an error, never a skip. A service that tests need (a database, a browser) is a
//! line in `NEEDS` and a file of its own.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::{
    browser, clients,
    command::{self, cargo, say},
    databases,
    leftovers::Leftovers,
    prometheus, python,
    suites::{self, Suites},
    tools,
};

/// Something the tests need beside cargo, and how it is made to be there.
struct Need {
    what: &'static str,
    install: fn() -> Result<()>,
}

const NEEDS: &[Need] = &[
    Need { what: "the senders' SDKs", install: clients::install },
    Need { what: "the clients for Python", install: python::install },
    Need { what: "PostgreSQL and a pooler", install: databases::install },
    Need { what: "curl, openssl, kill and Redis", install: tools::install },
    Need { what: "promtool", install: prometheus::install },
    Need { what: "a browser", install: browser::install },
];

pub fn run() -> Result<()> {
    let started = Instant::now();
    let suites = run_all()?;
    println!("\n{}", suites.table());
    println!("in {:.1} s, building and installing included\n", started.elapsed().as_secs_f64());
    // The last line: programs read it.
    println!("{}", suites.closing_line());
    if suites.failed() > 0 {
        bail!("tests failed");
    }
    if suites.passed() == 0 {
        bail!("no test ran");
    }
    Ok(())
}

fn run_all() -> Result<Suites> {
    for need in NEEDS {
        say(&format!("need: {}", need.what));
        (need.install)()?;
    }
    command::run(&mut cargo(&["test", "--workspace", "--locked", "--no-run"]))?;

    // One server for all test binaries; it goes when this does.
    let server = databases::start()?;
    let leftovers = Leftovers::new();
    let mut tests = cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    tests.env(hookhaven_testbed::postgres::SHARED, server.databases().base());
    // As a team would name it to the handlers' own test (`hookhaven-architect/tests/generated`).
    tests.env("DATABASE_URL", server.databases().create()?);
    leftovers.mark(&mut tests);
    let ran = suites::run(tests);
    let left = leftovers.end();
    let suites = ran?;
    if !left.is_empty() {
        bail!("the tests left processes running, which were ended: {}", left.join("; "));
    }
    Ok(suites)
}
