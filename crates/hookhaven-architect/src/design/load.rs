//! Events a second, from events a day.

use std::time::Duration;

use super::{Load, SourceLoad};
use crate::{
    Intake,
    intake::{Burst, SenderAnswers, Volume},
};

pub const DAY_S: f64 = 86_400.0;
const HOUR_S: f64 = 3_600.0;
/// Of the busiest day's events, in its busiest hour, where nobody said more.
pub const PEAK_HOUR_SHARE: f64 = 0.2;
/// Of the busiest day's events, at once, where nobody said more.
pub const BURST_SHARE: f64 = 0.1;
pub const BURST_WITHIN: Duration = Duration::from_secs(300);

pub fn of(intake: &Intake) -> Load {
    let loads: Vec<SourceLoad> = intake.senders.iter().map(of_source).collect();
    let rates = |of: fn(&SourceLoad) -> f64| loads.iter().map(of).sum::<f64>();
    let counts =
        |of: fn(&Volume) -> u64| intake.senders.iter().map(|s| of(&s.volume)).fold(0, |sum, n| n.saturating_add(sum));
    Load {
        per_day: counts(|v| v.per_day),
        peak_day: counts(busiest_day),
        mean_per_second: rates(|l| l.mean),
        peak_per_second: rates(|l| l.peak),
        burst_per_second: rates(|l| l.burst),
        bytes_per_day: counts(|v| v.per_day.saturating_mul(v.body_bytes)),
    }
}

pub fn of_source(sender: &SenderAnswers) -> SourceLoad {
    let volume = &sender.volume;
    let mean = volume.per_day as f64 / DAY_S;
    let peak = busiest_hour(volume) / HOUR_S;
    SourceLoad { mean, peak, burst: per_second(&burst_of(sender)).max(peak) }
}

fn per_second(burst: &Burst) -> f64 {
    burst.events as f64 / burst.within.as_secs_f64()
}

/// Events in it. A burst that was said is the worst there is: no hour is as bad all along, and none less than even.
fn busiest_hour(volume: &Volume) -> f64 {
    let busiest = busiest_day(volume) as f64;
    let usual = busiest * PEAK_HOUR_SHARE;
    let worst = volume.burst.map_or(usual, |burst| per_second(&burst) * HOUR_S);
    usual.min(worst).max(busiest * HOUR_S / DAY_S)
}

/// No less than an ordinary one, whatever was said of it.
pub fn busiest_day(volume: &Volume) -> u64 {
    volume.peak_day.max(volume.per_day)
}

/// What was said of it, else a share of the busiest day.
pub fn burst_of(sender: &SenderAnswers) -> Burst {
    let share = || (busiest_day(&sender.volume) as f64 * BURST_SHARE).ceil() as u64;
    sender.volume.burst.unwrap_or_else(|| Burst { events: share(), within: BURST_WITHIN })
}

/// How many come in so long at the worst: the busiest hour, the rest of its day, then ordinary days; and what of the
/// worst burst falls into it, if that was said.
pub fn in_worst(sender: &SenderAnswers, length: Duration) -> u64 {
    let seconds = length.as_secs_f64();
    let busiest = busiest_day(&sender.volume) as f64;
    let hour = busiest_hour(&sender.volume);
    let events = if seconds <= HOUR_S {
        hour * seconds / HOUR_S
    } else if seconds <= DAY_S {
        hour + (busiest - hour) * (seconds - HOUR_S) / (DAY_S - HOUR_S)
    } else {
        busiest + sender.volume.per_day as f64 * (seconds / DAY_S - 1.0)
    };
    let burst =
        sender.volume.burst.map_or(0.0, |burst| burst.events as f64 * (seconds / burst.within.as_secs_f64()).min(1.0));
    events.max(burst).ceil() as u64
}
