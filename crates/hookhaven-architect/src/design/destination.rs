//! One destination for each sender's handlers: how long an attempt may take and how many may be under way.

use std::time::Duration;

use super::{DestinationDesign, load, source::variable};
use crate::{
    Choice, Intake,
    intake::SenderAnswers,
    words::{count, rate, span},
};

const TIMEOUT_MIN: Duration = Duration::from_secs(10);
/// Up to it a handler may well work before it answers.
const TIMEOUT_USUAL_MAX: Duration = Duration::from_secs(60);
/// The longest that the gateway waits.
const TIMEOUT_MAX: Duration = Duration::from_secs(900);
const CONCURRENCY_MIN: u32 = 4;
/// The most that a destination can be told to take.
const CONCURRENCY_MAX: u32 = 10_000;
/// On top of what Little's law asks for: a law of means says nothing of bad minutes.
const HEADROOM: f64 = 1.5;
const RATE_MIN: u32 = 10;

pub fn of(sender: &SenderAnswers, intake: &Intake) -> DestinationDesign {
    let needed = needed_per_second(sender);
    let timeout = timeout(sender);
    DestinationDesign {
        name: format!("{}-handler", sender.name),
        source: sender.name.clone(),
        url: format!("{}/webhooks/{}", intake.infrastructure.handler_url, sender.name),
        secret_variable: format!("{}_HANDLER_SECRET", variable(&sender.name)),
        concurrency: concurrency(sender, needed, timeout.value),
        rate_per_second: rate_limit(sender, needed),
        timeout,
    }
}

/// Handled a second, so that the last of a burst begins early enough to be done within its latency: all of the burst
/// in the time that it takes to come and the time that its last may wait.
pub fn needed_per_second(sender: &SenderAnswers) -> f64 {
    let burst = load::burst_of(sender);
    let soonest = sender.latency.values().min().copied().unwrap_or_default();
    let may_wait = match sender.processing.takes {
        // It cannot be done by then; that it begins by then is what can be had.
        takes if takes >= soonest => soonest,
        takes => soonest - takes,
    };
    let through = burst.events as f64 / (burst.within + may_wait).as_secs_f64();
    through.max(load::of_source(sender).peak)
}

pub fn timeout(sender: &SenderAnswers) -> Choice<Duration> {
    let takes = sender.processing.takes;
    let path = [sender.path("processing")];
    if takes * 4 <= TIMEOUT_USUAL_MAX {
        let value = Duration::from_secs((takes * 4).as_millis().div_ceil(1_000) as u64).max(TIMEOUT_MIN);
        let why = format!("The handler takes {}; four times that, and never less than 10 s.", span(takes));
        return Choice::from(value, why, path);
    }
    if takes * 2 <= TIMEOUT_MAX {
        let value = Duration::from_secs((takes * 2).as_secs()).max(TIMEOUT_USUAL_MAX);
        let why = format!(
            "The handler takes {}, and an attempt that is given up before it is done is done twice. Better: let it \
             store the work and answer at once, then 10 s are plenty and a deploy breaks off nothing.",
            span(takes)
        );
        return Choice::from(value, why, path);
    }
    let why = format!(
        "The handler takes {}, and no attempt may take more than {}: it has to store the work and answer at once, \
         else every event is tried again while it is still at work.",
        span(takes),
        span(TIMEOUT_MAX)
    );
    Choice::from(TIMEOUT_USUAL_MAX, why, path)
}

fn concurrency(sender: &SenderAnswers, needed: f64, timeout: Duration) -> Choice<u32> {
    let takes = sender.processing.takes.min(timeout);
    let busy = needed * takes.as_secs_f64();
    let wanted = (busy * HEADROOM).ceil() as u32;
    let paths = ["volume", "processing", "latency"].map(|table| sender.path(table));
    let kept = if busy < 0.1 { "hardly one".to_owned() } else { format!("{busy:.1}") };
    let law = format!("Little's law: {} of {} each keep {kept} busy", rate(needed), span(takes));
    let why = if wanted > CONCURRENCY_MAX {
        format!(
            "{law}, and more than {} at once cannot be asked for: the handler has to become faster, or bursts wait.",
            count(CONCURRENCY_MAX.into())
        )
    } else {
        format!("{law}; half as many again, and never less than {CONCURRENCY_MIN}.")
    };
    Choice::from(wanted.clamp(CONCURRENCY_MIN, CONCURRENCY_MAX), why, paths)
}

fn rate_limit(sender: &SenderAnswers, needed: f64) -> Choice<Option<u32>> {
    let value = ((needed * 2.0).ceil() as u32).max(RATE_MIN);
    let why = format!(
        "Twice the {} that the worst burst asks for, and never less than {RATE_MIN}/s: what waits after a downtime \
         does not fall upon the handler at once.",
        rate(needed)
    );
    Choice::from(Some(value), why, ["volume", "processing", "latency"].map(|table| sender.path(table)))
}
