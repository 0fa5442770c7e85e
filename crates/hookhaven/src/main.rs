//! The binary: reads the command line and runs one command. Everything else is the library's.

use std::process::ExitCode;

use clap::Parser;
use hookhaven::{
    cli::{self, args::Cli},
    config::Environment,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::from(cli::FAILED);
        }
    };
    runtime.block_on(cli::run(cli, Environment::from_process()))
}
