//! Figures of a span of time, added up over nodes, in grid.

use std::time::Duration;

use hookhaven_core::Time;
use hookhaven_store::{Store, StoreError};

use super::{
    HOUR, HOURS_KIND, MINUTE, MINUTES_KEPT,
    figures::{Figures, PairFigures, SourceFigures},
    hour_of,
    keep::{hour_of_kind, read},
    minutes_kind,
};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    Received,
    Rejected,
    Duplicates,
    AnswerP50,
    AnswerP95,
    AnswerP99,
    Attempts,
    Delivered,
    Retries,
    Dead,
    AttemptP50,
    AttemptP95,
    AttemptP99,
    EndToEndP50,
    EndToEndP95,
    EndToEndP99,
    Depth,
}

impl Metric {
    pub const ALL: [Metric; 17] = [
        Self::Received,
        Self::Rejected,
        Self::Duplicates,
        Self::AnswerP50,
        Self::AnswerP95,
        Self::AnswerP99,
        Self::Attempts,
        Self::Delivered,
        Self::Retries,
        Self::Dead,
        Self::AttemptP50,
        Self::AttemptP95,
        Self::AttemptP99,
        Self::EndToEndP50,
        Self::EndToEndP95,
        Self::EndToEndP99,
        Self::Depth,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Rejected => "rejected",
            Self::Duplicates => "duplicates",
            Self::AnswerP50 => "answer_p50_ms",
            Self::AnswerP95 => "answer_p95_ms",
            Self::AnswerP99 => "answer_p99_ms",
            Self::Attempts => "attempts",
            Self::Delivered => "delivered",
            Self::Retries => "retries",
            Self::Dead => "dead",
            Self::AttemptP50 => "attempt_p50_ms",
            Self::AttemptP95 => "attempt_p95_ms",
            Self::AttemptP99 => "attempt_p99_ms",
            Self::EndToEndP50 => "end_to_end_p50_ms",
            Self::EndToEndP95 => "end_to_end_p95_ms",
            Self::EndToEndP99 => "end_to_end_p99_ms",
            Self::Depth => "depth",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.as_str() == text)
    }

    /// Whether it is known by destination; the others are of what comes in, before it goes anywhere.
    pub fn has_destination(self) -> bool {
        use Metric::{AnswerP50, AnswerP95, AnswerP99, Duplicates, Received, Rejected};
        !matches!(self, Received | Rejected | Duplicates | AnswerP50 | AnswerP95 | AnswerP99)
    }

    /// `None` for a percentile of nothing.
    pub fn of(self, Sums { sources, pairs }: &Sums) -> Option<f64> {
        let count = match self {
            Self::AnswerP50 => return sources.answer.quantile_ms(0.5),
            Self::AnswerP95 => return sources.answer.quantile_ms(0.95),
            Self::AnswerP99 => return sources.answer.quantile_ms(0.99),
            Self::AttemptP50 => return pairs.attempt.quantile_ms(0.5),
            Self::AttemptP95 => return pairs.attempt.quantile_ms(0.95),
            Self::AttemptP99 => return pairs.attempt.quantile_ms(0.99),
            Self::EndToEndP50 => return pairs.end_to_end.quantile_ms(0.5),
            Self::EndToEndP95 => return pairs.end_to_end.quantile_ms(0.95),
            Self::EndToEndP99 => return pairs.end_to_end.quantile_ms(0.99),
            Self::Received => sources.received,
            Self::Rejected => sources.rejected,
            Self::Duplicates => sources.duplicates,
            Self::Attempts => pairs.delivered + pairs.retries + pairs.dead,
            Self::Delivered => pairs.delivered,
            Self::Retries => pairs.retries,
            Self::Dead => pairs.dead,
            Self::Depth => pairs.depth,
        };
        Some(count as f64)
    }
}

/// Figures of those that are asked for, added up once for all metrics.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    sources: SourceFigures,
    pairs: PairFigures,
}

impl Sums {
    /// Of all sources and destinations, or of one.
    pub fn of(figures: &Figures, source: Option<&str>, destination: Option<&str>) -> Self {
        Sums { sources: figures.of_sources(source), pairs: figures.of_pairs(source, destination) }
    }
}

/// A span of time in steps of equal length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Of the first.
    pub since: Time,
    pub step: Duration,
    pub count: usize,
}

impl Grid {
    /// Steps that cover the span, aligned to whole ones since 1970. `step` is at least a minute.
    pub fn over(since: Time, until: Time, step: Duration) -> Self {
        let step_s = i64::try_from(step.as_secs()).unwrap_or(i64::MAX).max(1);
        let first = since.as_s().div_euclid(step_s);
        let last = (until.as_us() - 1).div_euclid(1_000_000).div_euclid(step_s);
        let count = usize::try_from(last - first + 1).unwrap_or(0);
        Grid { since: Time::from_s(first * step_s), step, count }
    }

    pub fn until(&self) -> Time {
        self.since.plus(self.step.saturating_mul(u32::try_from(self.count).unwrap_or(u32::MAX)))
    }

    /// The step that a moment is in.
    pub fn index(&self, at: Time) -> Option<usize> {
        let index = usize::try_from(at.since(self.since).as_secs() / self.step.as_secs().max(1)).ok()?;
        (at >= self.since && index < self.count).then_some(index)
    }
}

/// From when on only hours are known, as of now.
pub fn minutes_since(now: Time) -> Time {
    Time::from_s((hour_of(now.minus(MINUTES_KEPT)) + 1) * 3_600)
}

/// Figures of each step, of all nodes.
pub async fn figures(store: &dyn Store, grid: Grid, now: Time) -> Result<Vec<Figures>, StoreError> {
    let mut sums = vec![Figures::default(); grid.count];
    // Minutes that should be an hour by now may not be yet.
    let first = hour_of(grid.since).max(hour_of(now.minus(MINUTES_KEPT)) - 2);
    let last = hour_of(grid.until().min(now.plus(HOUR)));
    let mut kinds: Vec<String> = (first..=last).map(minutes_kind).collect();
    if grid.since < minutes_since(now) {
        kinds.push(HOURS_KIND.to_owned());
    }
    let entries = store.catalog_of(&kinds.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    let hours: Vec<i64> = entries.iter().filter(|e| e.kind == HOURS_KIND).filter_map(|e| e.name.parse().ok()).collect();
    for entry in &entries {
        let at = match hour_of_kind(&entry.kind) {
            // An hour's own entry holds them too.
            Some(hour) if hours.contains(&hour) => continue,
            Some(hour) => minute_of(&entry.name).map(|minute| Time::from_s(hour * 3_600).plus(MINUTE * minute)),
            None => entry.name.parse().ok().map(|hour: i64| Time::from_s(hour * 3_600)),
        };
        let index = at.and_then(|at| grid.index(at));
        if let Some((index, figures)) = index.zip(read(entry)) {
            sums[index].merge(&figures);
        }
    }
    Ok(sums)
}

fn minute_of(name: &str) -> Option<u32> {
    name.split_once('/')?.0.parse().ok().filter(|minute| *minute < 60)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hookhaven_store::{
        clock::{Clock, ManualClock, SeededEntropy},
        memory::MemoryStore,
    };

    use super::*;
    use crate::stats::{HOURS_KEPT, Recorder, keep::Keep, keep::tidy};

    const START: Time = Time::from_s(1_790_000_000 / 3_600 * 3_600);

    struct Node {
        recorder: Arc<Recorder>,
        keep: Keep,
    }

    fn node(store: &Arc<MemoryStore>, clock: &ManualClock, seed: u64) -> Node {
        let recorder = Arc::new(Recorder::default());
        let keep = Keep::new(recorder.clone(), store.clone(), Arc::new(clock.clone()), &SeededEntropy::new(seed));
        Node { recorder, keep }
    }

    fn scene() -> (ManualClock, Arc<MemoryStore>) {
        let clock = ManualClock::at(START);
        let store = Arc::new(MemoryStore::new(Arc::new(clock.clone()), Arc::new(SeededEntropy::new(1))));
        (clock, store)
    }

    async fn received(store: &MemoryStore, since: Time, step: Duration, clock: &ManualClock) -> Vec<f64> {
        let grid = Grid::over(since, clock.now(), step);
        let all = figures(store, grid, clock.now()).await.unwrap();
        all.iter().map(|figures| Metric::Received.of(&Sums::of(figures, None, None)).unwrap()).collect()
    }

    #[tokio::test]
    async fn nodes_and_processes_add_up_by_the_minute() {
        let (clock, store) = scene();
        let nodes = [node(&store, &clock, 1), node(&store, &clock, 2)];
        for minute in 0..3u64 {
            for (node, received) in nodes.iter().zip([1, 10]) {
                (0..received + minute).for_each(|_| node.recorder.received("stripe", Duration::from_millis(3)));
                node.keep.note().await;
                // Written again within the minute, as at an end.
                node.recorder.received("github", Duration::from_millis(3));
                clock.advance(Duration::from_millis(1));
                node.keep.note().await;
            }
            clock.advance(MINUTE);
        }
        nodes[0].keep.note().await;
        assert_eq!(received(&store, START, MINUTE, &clock).await, [13.0, 15.0, 17.0, 0.0]);
        assert_eq!(received(&store, START, HOUR, &clock).await, [45.0]);
        let idle = store.catalog(&minutes_kind(hour_of(START))).await.unwrap();
        assert_eq!(idle.len(), 12, "what is idle writes nothing");
    }

    #[tokio::test]
    async fn old_minutes_become_hours_and_old_hours_go() {
        let (clock, store) = scene();
        let node = node(&store, &clock, 1);
        for _ in 0..4 {
            node.recorder.received("stripe", Duration::from_millis(3));
            node.recorder.attempt("stripe", "billing", "dead", Duration::from_millis(7));
            node.keep.note().await;
            clock.advance(HOUR / 2);
        }
        let before = received(&store, START, HOUR, &clock).await;
        assert_eq!(before, [2.0, 2.0]);
        clock.advance(MINUTES_KEPT);
        tidy(&*store, clock.now()).await.unwrap();
        tidy(&*store, clock.now()).await.unwrap();
        assert_eq!(received(&store, START, HOUR, &clock).await[..2], before);
        assert!(store.catalog(&minutes_kind(hour_of(START))).await.unwrap().is_empty());
        assert_eq!(store.catalog(HOURS_KIND).await.unwrap().len(), 2);
        clock.advance(HOURS_KEPT);
        tidy(&*store, clock.now()).await.unwrap();
        assert!(store.catalog(HOURS_KIND).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_hour_that_is_being_made_counts_once() {
        let (clock, store) = scene();
        let node = node(&store, &clock, 1);
        node.recorder.received("stripe", Duration::from_millis(3));
        node.keep.note().await;
        let minutes = store.catalog(&minutes_kind(hour_of(START))).await.unwrap();
        clock.advance(MINUTES_KEPT + HOUR);
        tidy(&*store, clock.now()).await.unwrap();
        // As another node sees it that has not got to the end.
        for minute in minutes {
            store.put_catalog(minute).await.unwrap();
        }
        assert_eq!(received(&store, START, HOUR, &clock).await[0], 1.0);
        tidy(&*store, clock.now()).await.unwrap();
        assert_eq!(received(&store, START, HOUR, &clock).await[0], 1.0);
        assert!(store.catalog(&minutes_kind(hour_of(START))).await.unwrap().is_empty());
    }

    #[test]
    fn steps_are_aligned_and_cover_the_span() {
        let grid = Grid::over(Time::from_s(3_700), Time::from_s(7_300), HOUR);
        assert_eq!((grid.since, grid.count), (Time::from_s(3_600), 2));
        assert_eq!(Grid::over(Time::from_s(3_600), Time::from_s(7_200), HOUR).count, 1, "the end is not in it");
        assert_eq!(grid.index(Time::from_s(7_200)), Some(1));
        assert_eq!((grid.index(Time::from_s(3_599)), grid.index(Time::from_s(10_800))), (None, None));
    }
}
