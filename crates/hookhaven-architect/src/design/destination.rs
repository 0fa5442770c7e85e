//! One destination for each sender's handlers: how long an attempt may take and how many may be under way.

use std::time::Duration;

use super::{DestinationDesign, load, source::variable};
use crate::{
    Choice, Intake,
    intake::SenderAnswers,
    words::{count, rate, span},
};

const TIMEOUT_MIN: Duration = Duration::from_secs(10);
const TIMEOUT_MAX: Duration = Duration::from_secs(60);
const CONCURRENCY_MIN: u32 = 4;
const CONCURRENCY_MAX: u32 = 1_000;
/// On top of what Little's law asks for: a law of means says nothing of bad minutes.
const HEADROOM: f64 = 1.5;
const RATE_MIN: u32 = 10;

pub fn of(sender: &SenderAnswers, intake: &Intake) -> DestinationDesign {
    let needed = needed_per_second(sender);
    DestinationDesign {
        name: format!("{}-handler", sender.name),
        source: sender.name.clone(),
        url: format!("{}/webhooks/{}", intake.infrastructure.handler_url, sender.name),
        secret_variable: format!("{}_HANDLER_SECRET", variable(&sender.name)),
        timeout: timeout(sender),
        concurrency: concurrency(sender, needed),
        rate_per_second: rate_limit(sender, needed),
    }
}

/// Handled a second, so that the last of a burst is done within its latency.
pub fn needed_per_second(sender: &SenderAnswers) -> f64 {
    let burst = load::burst_of(sender);
    let soonest = sender.latency.values().min().copied().unwrap_or_default();
    let through = burst.events as f64 / (burst.within + soonest).as_secs_f64();
    through.max(load::of_source(sender).peak)
}

fn timeout(sender: &SenderAnswers) -> Choice<Duration> {
    let takes = sender.processing.takes;
    let value = Duration::from_secs((takes * 4).as_secs()).clamp(TIMEOUT_MIN, TIMEOUT_MAX);
    let path = [sender.path("processing")];
    if takes * 4 > TIMEOUT_MAX {
        let why = format!(
            "The handler takes {}; an attempt is given up after {} all the same: let it store the work and answer first.",
            span(takes),
            span(TIMEOUT_MAX)
        );
        return Choice::from(value, why, path);
    }
    Choice::from(value, format!("The handler takes {}; four times that, and never less than 10 s.", span(takes)), path)
}

fn concurrency(sender: &SenderAnswers, needed: f64) -> Choice<u32> {
    let takes = sender.processing.takes;
    let busy = needed * takes.as_secs_f64();
    let value = ((busy * HEADROOM).ceil() as u32).clamp(CONCURRENCY_MIN, CONCURRENCY_MAX);
    let why = format!(
        "Little's law: {} of {} each keep {:.1} busy; half as many again, and never less than {CONCURRENCY_MIN}.",
        rate(needed),
        span(takes),
        busy
    );
    Choice::from(value, why, behind(sender))
}

fn rate_limit(sender: &SenderAnswers, needed: f64) -> Choice<Option<u32>> {
    let value = ((needed * 2.0).ceil() as u32).max(RATE_MIN);
    let why = format!(
        "Twice the {} that the worst burst asks for, and never less than {RATE_MIN}/s: what waits after a downtime does \
         not fall upon the handler at once. {} a day are {}.",
        rate(needed),
        count(sender.volume.peak_day),
        rate(load::of_source(sender).mean.max(sender.volume.peak_day as f64 / load::DAY_S))
    );
    Choice::from(Some(value), why, behind(sender))
}

fn behind(sender: &SenderAnswers) -> Vec<String> {
    ["volume", "processing", "latency"].map(|table| sender.path(table)).to_vec()
}
