//! `hookhaven openapi`: the description of the admin API, as a gateway of this version serves it at
//! `/api/v1/openapi.json`. Needs no gateway.

use std::process::ExitCode;

use hookhaven_store::clock::{Clock, SystemClock};

use super::{Context, args::OpenapiArgs, print::Screen};
use crate::api;

pub fn run(OpenapiArgs {}: OpenapiArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let mut screen = Screen::of(context, SystemClock::start().now());
    screen.value(api::document())?;
    Ok(ExitCode::SUCCESS)
}
