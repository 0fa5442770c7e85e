//! What went on lately at a destination or a source, in a few figures: out of the same figures that charts are made of
//! (`stats`), so those of all nodes; and how those and the minute under way come together.

use std::time::Duration;

use hookhaven_core::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Api, problem::Problem};
use crate::stats::{
    HOUR, MINUTE,
    figures::{Figures, PairFigures},
    read::{self, Grid},
};

/// Figures in steps, and until when they are known.
pub(super) struct Known {
    pub steps: Vec<Figures>,
    /// Now; where several nodes take part, the end of the last whole minute.
    pub until: Time,
}

/// Figures of everybody, those of the minute under way too where they can be known.
pub(super) async fn known(api: &Api, grid: Grid, now: Time) -> Result<Known, Problem> {
    let mut steps = read::figures(&*api.parts.store, grid, now).await?;
    let mut until = Time::from_s(now.as_s().div_euclid(60) * 60);
    if let Some(under_way) = api.parts.signals.under_way() {
        until = now;
        if let Some(step) = grid.index(now).and_then(|at| steps.get_mut(at)) {
            step.merge(&under_way);
        }
    }
    Ok(Known { steps, until: until.min(grid.until()) })
}

/// Whole minutes by which the present rate is told.
const RATE_MINUTES: usize = 10;

/// Attempts of the last hour at one destination.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AttemptsView {
    pub attempts: u64,
    pub delivered: u64,
    /// Failed, and another one followed.
    pub retries: u64,
    /// Failed, and the delivery was dead.
    pub dead: u64,
    /// How long attempts took; `null` if there was none.
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    /// Deliveries that ended, each second of the last minutes.
    pub ended_per_s: f64,
}

/// What came to one source in the last hour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ArrivalsView {
    /// Answered with success, duplicates too.
    pub received: u64,
    pub duplicates: u64,
    pub rejected: u64,
    /// Arrival to answer; `null` if nothing came.
    pub answer_p95_ms: Option<f64>,
}

/// Figures of the last hour, of everybody.
pub(super) struct Lately {
    hour: Figures,
    /// Of the whole minutes that the present rate is told by.
    minutes: Figures,
    /// How long those are, without what was before the first figures.
    lasted: Duration,
}

impl Lately {
    pub async fn read(api: &Api) -> Result<Self, Problem> {
        let now = api.parts.clock.now();
        let grid = Grid::over(now.minus(HOUR), now, MINUTE);
        let Known { steps, .. } = known(api, grid, now).await?;
        Ok(Lately::of(&steps))
    }

    /// Of figures by the minute, of which the last one has only begun.
    fn of(steps: &[Figures]) -> Self {
        let (mut hour, mut minutes) = (Figures::default(), Figures::default());
        steps.iter().for_each(|step| hour.merge(step));
        let whole = &steps[..steps.len().saturating_sub(1)];
        let first = whole.iter().position(|step| !step.is_empty()).unwrap_or(whole.len());
        let recent = &whole[first.max(whole.len().saturating_sub(RATE_MINUTES))..];
        recent.iter().for_each(|step| minutes.merge(step));
        let lasted = MINUTE.saturating_mul(u32::try_from(recent.len()).unwrap_or(u32::MAX));
        Lately { hour, minutes, lasted }
    }

    pub fn at_destination(&self, name: &str) -> AttemptsView {
        let PairFigures { delivered, retries, dead, attempt, .. } = self.hour.of_pairs(None, Some(name));
        let recent = self.minutes.of_pairs(None, Some(name));
        let ended = recent.delivered + recent.dead;
        AttemptsView {
            attempts: delivered + retries + dead,
            delivered,
            retries,
            dead,
            p50_ms: attempt.quantile_ms(0.5),
            p95_ms: attempt.quantile_ms(0.95),
            p99_ms: attempt.quantile_ms(0.99),
            ended_per_s: if ended == 0 { 0.0 } else { ended as f64 / self.lasted.as_secs_f64() },
        }
    }

    pub fn at_source(&self, name: &str) -> ArrivalsView {
        let of = self.hour.of_sources(Some(name));
        ArrivalsView {
            received: of.received,
            duplicates: of.duplicates,
            rejected: of.rejected,
            answer_p95_ms: of.answer.quantile_ms(0.95),
        }
    }
}

impl AttemptsView {
    /// How long so many deliveries take at the present rate, if nothing else came; `None` if nothing ends at present.
    pub fn drain_s(&self, depth: u64) -> Option<u64> {
        let is_drained = depth == 0 || self.ended_per_s <= 0.0;
        // Casting saturates.
        (!is_drained).then(|| (depth as f64 / self.ended_per_s).ceil() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(delivered: u64) -> Figures {
        let mut figures = Figures::default();
        let pair = figures.pair("stripe", "billing");
        (pair.delivered, pair.dead) = (delivered, delivered / 10);
        (0..delivered).for_each(|_| pair.attempt.add(Duration::from_millis(20)));
        figures
    }

    #[test]
    fn a_backlog_drains_at_the_rate_of_the_last_minutes() {
        let mut steps = vec![minute(6_000); 40];
        steps.extend(vec![minute(600); RATE_MINUTES]);
        steps.push(Figures::default());
        let lately = Lately::of(&steps).at_destination("billing");
        assert_eq!((lately.delivered, lately.attempts), (246_000, 246_000 + 24_600));
        assert_eq!(lately.ended_per_s, 11.0);
        assert_eq!((lately.drain_s(1_100), lately.drain_s(0)), (Some(100), None));
        assert!(lately.p99_ms.is_some_and(|ms| (18.0..22.0).contains(&ms)));
    }

    #[test]
    fn a_gateway_that_has_just_begun_is_not_slow() {
        let mut steps = vec![Figures::default(); 58];
        steps.extend([minute(60), minute(60), Figures::default()]);
        assert_eq!(Lately::of(&steps).at_destination("billing").ended_per_s, 1.1);
        let idle = Lately::of(&[]).at_destination("billing");
        assert_eq!((idle.ended_per_s, idle.drain_s(5), idle.p50_ms), (0.0, None, None));
    }
}
