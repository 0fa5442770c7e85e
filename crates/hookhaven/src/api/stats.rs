//! `/stats`: figures over time, for charts. How they are counted and kept is `stats`.

use std::{collections::BTreeMap, time::Duration};

use axum::{Json, extract::State};
use hookhaven_core::Time;
use hookhaven_store::Stats;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Shared,
    lately::{self, Known},
    page::{self, Params},
    problem::{self, Problem},
};
use crate::stats::{
    HOUR, HOURS_KEPT, MINUTE,
    figures::Figures,
    read::{self, Grid, Metric, Sums},
};

/// Values in one series.
const VALUES_MAX: usize = 1_500;
/// Values that are aimed at if no step is asked for.
const VALUES_WANTED: u64 = 150;
/// The span that is shown unless asked otherwise.
const SPAN: Duration = Duration::from_secs(86_400);
/// Steps to choose from, in seconds.
const STEPS_S: [u64; 8] = [60, 300, 600, 1_800, 3_600, 6 * 3_600, 12 * 3_600, 86_400];

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct StatsParams {
    /// Names of metrics, separated by commas; without it all that there are.
    #[param(example = "received,answer_p95_ms")]
    metric: Option<String>,
    /// Only of this source.
    source: Option<String>,
    /// Only of this destination; what comes in goes to none yet, so that is left out.
    destination: Option<String>,
    /// From this time on; 24 hours ago without it, 35 days ago at most.
    since: Option<Time>,
    /// Before this time; now without it.
    until: Option<Time>,
    /// Length of a step in seconds: whole minutes, or whole hours where the span begins more than 48 hours ago.
    #[param(minimum = 60, maximum = 31_536_000)]
    step: Option<u64>,
    /// Tells sources or destinations apart, over the whole span.
    #[param(inline)]
    by: Option<By>,
}

/// Whose figures are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum By {
    Source,
    Destination,
}

/// Figures in steps of equal length, of all nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StatsView {
    /// When the first step begins; steps are aligned, so this may be somewhat before what was asked for.
    pub since: Time,
    /// When the last one ends.
    pub until: Time,
    /// Up to when something is known: now, or the end of the span if that is earlier. Where several nodes take part, the
    /// minute under way is not known yet.
    pub known_until: Time,
    pub step_s: u64,
    pub series: Vec<SeriesView>,
    /// Of which there are figures in this span.
    pub sources: Vec<String>,
    pub destinations: Vec<String>,
    /// Of each source or destination, where `by` asks for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<FiguresView>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SeriesView {
    /// `received` (answered with success, duplicates too), `rejected`, `duplicates`, `answer_p50_ms` and so on (arrival
    /// to answer), `attempts`, of them `delivered`, `retries` (another one follows) and `dead`, `attempt_p50_ms` and so
    /// on (how long attempts took), `end_to_end_p50_ms` and so on (arrival to delivery), `depth` (deliveries that have
    /// not ended, at most).
    pub metric: String,
    /// One a step; `null` for a percentile of nothing.
    pub values: Vec<Option<f64>>,
    /// Of the whole span: a sum, a percentile, or the greatest depth.
    pub overall: Option<f64>,
}

/// One of several sources or destinations, over the whole span.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FiguresView {
    pub name: String,
    /// By metric: a sum, a percentile (`null` of nothing), or the greatest depth. What comes in goes to no destination
    /// yet, so that is left out of destinations.
    pub overall: BTreeMap<String, Option<f64>>,
}

/// Shows figures over time.
#[utoipa::path(
    get,
    path = "/stats",
    operation_id = "show_stats",
    params(StatsParams),
    responses((status = 200, body = StatsView)),
)]
async fn show(State(api): State<Shared>, Params(params): Params<StatsParams>) -> Result<Json<StatsView>, Problem> {
    let now = api.parts.clock.now();
    let metrics = metrics(&params)?;
    let grid = grid(&params, now)?;
    let mut known = lately::known(&api, grid, now).await?;
    if metrics.contains(&Metric::Depth)
        && let Some(step) = grid.index(now).and_then(|at| known.steps.get_mut(at))
    {
        waiting(&api.parts.store.stats().await?.without_alerts(), step);
    }
    Ok(Json(view(&params, &metrics, grid, &known)))
}

/// How many deliveries wait is noted at the end of each minute; of the one under way it is as of now.
fn waiting(stats: &Stats, step: &mut Figures) {
    for of in stats.depths.iter().filter(|of| of.pending + of.leased > 0) {
        let depth = &mut step.pair(&of.source, &of.destination).depth;
        *depth = (*depth).max(of.pending + of.leased);
    }
}

fn view(params: &StatsParams, metrics: &[Metric], grid: Grid, known: &Known) -> StatsView {
    let figures = &known.steps;
    let (source, destination) = (params.source.as_deref(), params.destination.as_deref());
    let mut all = Figures::default();
    figures.iter().for_each(|step| all.merge(step));
    let steps: Vec<Sums> = figures.iter().map(|step| Sums::of(step, source, destination)).collect();
    let overall = Sums::of(&all, source, destination);
    let series = metrics.iter().map(|metric| SeriesView {
        metric: metric.as_str().to_owned(),
        values: steps.iter().map(|step| metric.of(step)).collect(),
        overall: metric.of(&overall),
    });
    let mut sources: Vec<String> = all.sources.keys().chain(all.pairs.keys()).cloned().collect();
    let mut destinations: Vec<String> = all.pairs.values().flat_map(|pairs| pairs.keys().cloned()).collect();
    for names in [&mut sources, &mut destinations] {
        names.sort();
        names.dedup();
    }
    let groups = match params.by {
        Some(By::Source) => groups(metrics, &sources, |name| Sums::of(&all, Some(name), destination)),
        Some(By::Destination) => {
            let metrics: Vec<_> = metrics.iter().copied().filter(|metric| metric.has_destination()).collect();
            groups(&metrics, &destinations, |name| Sums::of(&all, source, Some(name)))
        }
        None => Vec::new(),
    };
    StatsView {
        since: grid.since,
        until: grid.until(),
        known_until: known.until,
        step_s: grid.step.as_secs(),
        series: series.collect(),
        sources,
        destinations,
        groups,
    }
}

fn groups(metrics: &[Metric], names: &[String], of: impl Fn(&str) -> Sums) -> Vec<FiguresView> {
    let group = |name: &String| {
        let sums = of(name);
        let overall = metrics.iter().map(|metric| (metric.as_str().to_owned(), metric.of(&sums))).collect();
        FiguresView { name: name.clone(), overall }
    };
    names.iter().map(group).collect()
}

fn bad(detail: String) -> Problem {
    Problem::new(&problem::BAD_QUERY, detail)
}

fn metrics(params: &StatsParams) -> Result<Vec<Metric>, Problem> {
    let of_destination = params.destination.is_some();
    let Some(text) = &params.metric else {
        return Ok(Metric::ALL.into_iter().filter(|metric| !of_destination || metric.has_destination()).collect());
    };
    let metric = |name: &str| {
        let known = || Metric::ALL.map(Metric::as_str).join(", ");
        let metric = Metric::parse(name).ok_or_else(|| bad(format!("metric {name:?} is none of {}", known())))?;
        match of_destination && !metric.has_destination() {
            true => Err(bad(format!("metric {name} is of what comes in, before it has a destination; leave one out"))),
            false => Ok(metric),
        }
    };
    text.split(',').map(str::trim).map(metric).collect()
}

fn grid(params: &StatsParams, now: Time) -> Result<Grid, Problem> {
    let until = params.until.unwrap_or(now).min(now.plus(MINUTE));
    let since = params.since.unwrap_or(until.minus(SPAN));
    page::check_span(Some(since), Some(until))?;
    let oldest = now.minus(HOURS_KEPT);
    if since < oldest {
        return Err(bad(format!("since {since} is before {oldest}; figures are kept for 35 days")));
    }
    let hours_only = since < read::minutes_since(now);
    let step = match params.step {
        Some(step_s) => Duration::from_secs(step_s),
        None => chosen(until.since(since), hours_only),
    };
    let unit = if hours_only { HOUR } else { MINUTE };
    if step < unit || step.as_secs() % unit.as_secs() != 0 {
        let (what, why) = match hours_only {
            true => ("3600", ", since single minutes are kept for 48 hours"),
            false => ("60", ""),
        };
        return Err(bad(format!("step = {} is no multiple of {what} (seconds){why}", step.as_secs())));
    }
    let grid = Grid::over(since, until, step);
    match grid.count {
        count if count > VALUES_MAX => {
            Err(bad(format!("that is {count} steps; at most {VALUES_MAX} are shown: take a longer step")))
        }
        _ => Ok(grid),
    }
}

/// The shortest step that shows no more than is wanted.
fn chosen(span: Duration, hours_only: bool) -> Duration {
    let fits =
        |step_s: &&u64| span.as_secs() / **step_s <= VALUES_WANTED && (!hours_only || **step_s >= HOUR.as_secs());
    Duration::from_secs(STEPS_S.iter().find(fits).copied().unwrap_or(86_400))
}

#[cfg(test)]
mod tests {
    use hookhaven_store::clock::Clock as _;

    use super::*;
    use crate::api::fixture::{START, Scene};

    #[tokio::test]
    async fn figures_are_shown_in_steps_by_source_and_destination() {
        let scene = Scene::new();
        let recorder = std::sync::Arc::new(crate::stats::Recorder::default());
        let clock = std::sync::Arc::new(scene.clock.clone());
        let keep = crate::stats::keep::Keep::new(recorder.clone(), scene.store.clone(), clock, &*scene.entropy);
        for (destination, outcome) in [("billing", "delivered"), ("billing", "retry"), ("mail", "dead")] {
            recorder.received("stripe", Duration::from_millis(4));
            recorder.attempt("stripe", destination, outcome, Duration::from_millis(7));
            recorder.depth("stripe", destination, 3);
            keep.note().await;
            scene.clock.advance(MINUTE);
        }
        let since = START.minus(MINUTE * 2);
        let series = async |query: &str| {
            let view = scene.get(&format!("/api/v1/stats?since={since}&step=60{query}")).await;
            assert_eq!(view.status, 200, "{:?}", view.json());
            serde_json::from_slice::<StatsView>(&view.body).unwrap()
        };
        let view = series("&metric=received,attempts,dead,depth,end_to_end_p50_ms").await;
        assert_eq!(view.step_s, 60);
        let values = |view: &StatsView, n: usize| -> f64 { view.series[n].values.iter().flatten().sum() };
        assert_eq!([0, 1, 2].map(|n| values(&view, n)), [3.0, 3.0, 1.0]);
        assert_eq!(view.series[3].overall, Some(6.0));
        assert_eq!((view.series[4].overall, view.series[4].values[0]), (None, None));
        assert_eq!((view.sources, view.destinations), (vec!["stripe".into()], vec!["billing".into(), "mail".into()]));
        let view = series("&destination=billing").await;
        assert!(view.series.iter().all(|series| series.metric != "received"));
        assert_eq!(view.series[0].overall, Some(2.0));
        let view = series("&by=destination").await;
        let of = |view: &StatsView, group: usize, metric: &str| view.groups[group].overall.get(metric).copied();
        assert_eq!(view.groups.iter().map(|group| &*group.name).collect::<Vec<_>>(), ["billing", "mail"]);
        assert_eq!((of(&view, 0, "retries"), of(&view, 1, "dead")), (Some(Some(1.0)), Some(Some(1.0))));
        assert_eq!((of(&view, 0, "received"), of(&view, 0, "end_to_end_p99_ms")), (None, Some(None)));
        let view = series("&by=source&metric=received").await;
        assert_eq!((view.groups.len(), of(&view, 0, "received")), (1, Some(Some(3.0))));
    }

    #[tokio::test]
    async fn what_cannot_be_shown_is_refused_with_the_mend() {
        let scene = Scene::new();
        let two_weeks = START.minus(Duration::from_secs(14 * 86_400));
        let two_months = START.minus(Duration::from_secs(60 * 86_400));
        for (query, said) in [
            ("metric=receved".to_owned(), "none of received"),
            ("metric=received&destination=billing".to_owned(), "leave one out"),
            ("step=90".to_owned(), "multiple of 60"),
            ("step=0".to_owned(), "multiple of 60"),
            (format!("since={two_weeks}&step=60"), "multiple of 3600"),
            (format!("since={two_months}"), "35 days"),
            ("until=1970-01-02T00:00:00Z".to_owned(), "35 days"),
            (format!("since={START}&until={START}"), "not before"),
            ("since=2026-09-20T10:00:00Z&step=60".to_owned(), "longer step"),
        ] {
            let got = scene.get(&format!("/api/v1/stats?{query}")).await;
            assert_eq!((got.status.as_u16(), got.code()), (400, "bad_query".to_owned()), "{query}");
            let detail = got.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains(said), "{query}: {detail}");
        }
    }

    #[tokio::test]
    async fn the_minute_under_way_counts_where_all_of_it_is_known() {
        let scene = Scene::new();
        scene.accept("stripe", "payment.succeeded", b"{}").await;
        let now = scene.clock.now();
        let series = async || {
            let view = scene.get("/api/v1/stats?metric=received,depth&step=60").await;
            serde_json::from_slice::<StatsView>(&view.body).unwrap()
        };
        let recorder = crate::stats::Recorder::default();
        recorder.received("stripe", Duration::from_millis(4));
        *scene.signals.under_way.lock().unwrap() = Some(recorder.so_far());
        let alone = series().await;
        assert_eq!((alone.series[0].overall, alone.series[0].values.last()), (Some(1.0), Some(&Some(1.0))));
        assert!(alone.series[1].overall > Some(0.0), "what waits now: {:?}", alone.series[1].overall);
        assert_eq!(alone.known_until, now);
        // Other nodes keep their parts to themselves.
        *scene.signals.under_way.lock().unwrap() = None;
        let among_others = series().await;
        assert_eq!(among_others.series[0].overall, Some(0.0));
        assert_eq!(among_others.known_until.as_s(), now.as_s() / 60 * 60);
        let past = scene.get(&format!("/api/v1/stats?until={}", now.minus(HOUR))).await;
        let past: StatsView = serde_json::from_slice(&past.body).unwrap();
        assert_eq!(past.known_until, past.until);
    }

    #[test]
    fn a_step_is_chosen_that_charts_can_show() {
        let hours = |n: u64| HOUR * u32::try_from(n).unwrap();
        assert_eq!(chosen(hours(1), false), MINUTE);
        assert_eq!(chosen(hours(24), false), Duration::from_secs(600));
        assert_eq!(chosen(hours(24), true), HOUR);
        assert_eq!(chosen(hours(35 * 24), true), hours(6));
    }
}
