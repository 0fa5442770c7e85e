//! A panic as one log line like any other, instead of what the runtime would print: raw, over several
//! lines, and with the message as it was formatted.
//!
//! A formatted message may hold what the code was working on, a body or a secret; a literal cannot. So
//! the line says where it was, and what only if the program's own text says it.

use std::{
    any::Any,
    panic::{self, Location},
    thread,
};

const WITHHELD: &str = "not told: the message was made from data";

/// From now on, for the whole process.
pub(super) fn log_from_now_on() {
    panic::set_hook(Box::new(|info| log(info.payload(), info.location())));
}

fn log(payload: &(dyn Any + Send), at: Option<&Location<'_>>) {
    let thread = thread::current();
    let thread = thread.name().unwrap_or_default();
    let why = payload.downcast_ref::<&'static str>().copied().unwrap_or(WITHHELD);
    tracing::error!(thread, at = at.map(tracing::field::display), why, "panic");
}
