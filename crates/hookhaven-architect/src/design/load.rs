//! Events a second, from events a day.

use std::time::Duration;

use super::{Load, SourceLoad};
use crate::{
    Intake,
    intake::{Burst, SenderAnswers},
};

pub const DAY_S: f64 = 86_400.0;
/// Of the busiest day's events, in its busiest hour, where nobody said more.
pub const PEAK_HOUR_SHARE: f64 = 0.2;
/// Of the busiest day's events, at once, where nobody said more.
pub const BURST_SHARE: f64 = 0.1;
pub const BURST_WITHIN: Duration = Duration::from_secs(300);

pub fn of(intake: &Intake) -> Load {
    let loads: Vec<SourceLoad> = intake.senders.iter().map(of_source).collect();
    let sum = |of: fn(&SourceLoad) -> f64| loads.iter().map(of).sum::<f64>();
    Load {
        per_day: intake.senders.iter().map(|s| s.volume.per_day).sum(),
        peak_day: intake.senders.iter().map(|s| s.volume.peak_day).sum(),
        mean_per_second: sum(|l| l.mean),
        peak_per_second: sum(|l| l.peak),
        burst_per_second: sum(|l| l.burst),
        bytes_per_day: intake.senders.iter().map(|s| s.volume.per_day * s.volume.body_bytes).sum(),
    }
}

pub fn of_source(sender: &SenderAnswers) -> SourceLoad {
    let volume = &sender.volume;
    let mean = volume.per_day as f64 / DAY_S;
    let peak = volume.peak_day as f64 * PEAK_HOUR_SHARE / 3_600.0;
    let burst = burst_of(sender);
    SourceLoad { mean, peak, burst: (burst.events as f64 / burst.within.as_secs_f64()).max(peak) }
}

/// What was said of it, else a share of the busiest day.
pub fn burst_of(sender: &SenderAnswers) -> Burst {
    let share = || (sender.volume.peak_day as f64 * BURST_SHARE).ceil() as u64;
    sender.volume.burst.unwrap_or_else(|| Burst { events: share().max(1), within: BURST_WITHIN })
}
