//! `hookhaven demo`.
use std::process::ExitCode;
pub async fn run(_: crate::cli::args::DemoArgs, _: &crate::cli::Context) -> anyhow::Result<ExitCode> { Ok(ExitCode::SUCCESS) }
