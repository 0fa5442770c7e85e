//! `/analysis`: what stands out among the attempts of a span of time, and what to do about it.
//!
//! What is read is bounded in number and time, and spread over the whole span where not all of it can be: of the
//! deliveries by windows, of their attempts by the random part of their ids. One analysis at a time; it is made on a
//! thread of its own. Not here: what is concluded, which is `hookhaven_core::analysis`.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use futures_util::{StreamExt, TryStreamExt, stream};
use hookhaven_core::{
    DeliveryId, Time,
    analysis::{self, Figures, Finding, Input, Observed, Report, Scope, TooFew},
    event::{ALERTS, PUBLISHED},
};
use hookhaven_store::{DeliveryFilter, DeliveryRow, Page, Store, StoreError};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    LIMIT_MAX, Shared,
    page::{self, Params},
    problem::{self, Problem},
};
use crate::jobs;

/// What is read at most; of more, so much spread over the span.
#[derive(Clone, Copy)]
struct Bounds {
    /// Pages of deliveries.
    pages: u32,
    attempts: usize,
}

/// 20,000 deliveries. Few have more than one attempt; where all have many, memory is the limit, and more than enough is read.
const BOUNDS: Bounds = Bounds { pages: 40, attempts: 4 * analysis::ATTEMPTS_MAX };
/// The shortest window that deliveries are taken from.
const WINDOW_MIN: Duration = Duration::from_millis(1);
/// The span that is looked at unless asked otherwise.
pub const ANALYSIS_SPAN: Duration = Duration::from_secs(86_400);
/// How long reading may take.
const READING_TIME_MAX: Duration = Duration::from_secs(20);
/// Deliveries accepted so long before the span may have attempts in it; the default policy retries for a quarter of an hour.
const ACCEPTED_BEFORE: Duration = Duration::from_secs(6 * 3_600);
/// Questions to the store at once: few, for workers ask it too.
const READS_AT_ONCE: usize = 4;

/// Held by the analysis that is being made.
pub(super) type Slot = Arc<Mutex<()>>;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct AnalysisParams {
    /// From when on; a day ago if it is not said.
    since: Option<Time>,
    /// Name of a destination in the config file; of a published message, its address.
    destination: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnalysisView {
    pub since: Time,
    pub until: Time,
    /// In one line.
    pub headline: String,
    /// What it is made from.
    pub delivery_count: usize,
    pub attempt_count: usize,
    pub failure_count: usize,
    /// Not everything in the span was read, and why; `null` if it was.
    pub sampled: Option<String>,
    /// What goes on first, then what failed most.
    pub findings: Vec<FoundView>,
    /// Destinations with failures, but too few attempts to conclude anything.
    pub too_few: Vec<TooFewView>,
}

/// One cause that stands out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundView {
    /// The stable name to branch on, e.g. `timeout_near_limit`.
    pub cause: String,
    pub destination: String,
    /// Whom it hits, if not everything that goes there; at most one of the three.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    pub source: Option<String>,
    pub event: Option<String>,
    /// `null`: it began no later than the span.
    pub since: Option<Time>,
    /// `null`: it goes on.
    pub until: Option<Time>,
    pub failure_count: usize,
    /// Attempts that it could have hit.
    pub attempt_count: usize,
    pub sentence: String,
    pub evidence: Vec<String>,
    pub mend: String,
    pub suggestions: Vec<SuggestionView>,
    /// Deliveries to look at.
    pub examples: Vec<DeliveryId>,
}

/// A change of the config file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SuggestionView {
    pub key: String,
    /// In TOML.
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TooFewView {
    pub destination: String,
    pub attempt_count: usize,
    pub failure_count: usize,
    /// What happened most often.
    pub mostly: String,
}

impl AnalysisView {
    fn new(report: Report, delivery_count: usize, sampled: Vec<String>) -> Self {
        AnalysisView {
            headline: report.headline(),
            since: report.since,
            until: report.now,
            delivery_count,
            attempt_count: report.looked_at,
            failure_count: report.failures,
            sampled: (!sampled.is_empty()).then(|| sampled.join("; ")),
            findings: report.findings.into_iter().map(FoundView::from).collect(),
            too_few: report.too_few.into_iter().map(TooFewView::from).collect(),
        }
    }
}

impl From<Finding> for FoundView {
    fn from(f: Finding) -> Self {
        let (event_type, source, event) = match f.scope {
            None => (None, None, None),
            Some(Scope::Type(name)) => (Some(name.to_string()), None, None),
            Some(Scope::Source(name)) => (None, Some(name.to_string()), None),
            Some(Scope::Event(id)) => (None, None, Some(id.to_string())),
        };
        let suggestions = f.suggestions.into_iter().map(|s| SuggestionView { key: s.key, value: s.value });
        FoundView {
            cause: f.cause.as_str().to_owned(),
            destination: f.destination.to_string(),
            event_type,
            source,
            event,
            since: f.since,
            until: f.until,
            failure_count: f.failures,
            attempt_count: f.attempts,
            sentence: f.sentence,
            evidence: f.evidence,
            mend: f.mend,
            suggestions: suggestions.collect(),
            examples: f.examples,
        }
    }
}

impl From<TooFew> for TooFewView {
    fn from(few: TooFew) -> Self {
        TooFewView {
            destination: few.destination.to_string(),
            attempt_count: few.attempts,
            failure_count: few.failures,
            mostly: few.mostly,
        }
    }
}

/// Says what stands out among the attempts of a span of time.
///
/// With the figures behind it and what to change. One at a time.
#[utoipa::path(
    get,
    path = "/analysis",
    operation_id = "show_analysis",
    params(AnalysisParams),
    responses((status = 200, body = AnalysisView)),
    extensions(("x-codes" = json!([problem::ANALYSIS_RUNNING.code]))),
)]
async fn show(
    State(api): State<Shared>,
    Params(params): Params<AnalysisParams>,
) -> Result<Json<AnalysisView>, Problem> {
    let now = api.parts.clock.now();
    let since = params.since.unwrap_or(now.minus(ANALYSIS_SPAN));
    page::check_span(Some(since), Some(now))?;
    let Ok(held) = api.analysis.clone().try_lock_owned() else {
        return Err(Problem::new(
            &problem::ANALYSIS_RUNNING,
            "somebody asked for one just now; ask again when it is done",
        ));
    };
    let mut reading = Reading::new(since, now, params.destination, BOUNDS);
    match tokio::time::timeout(READING_TIME_MAX, reading.read(&*api.parts.store)).await {
        Ok(read) => read?,
        Err(_) => reading.out_of_time()?,
    }
    let config = api.parts.config.load();
    let destinations = config.destinations.iter().map(|(name, d)| (name.clone(), Figures::from(&**d))).collect();
    let Reading { observed, read, mut sampled, .. } = reading;
    let input = Input { since, now, attempts: observed, destinations };
    let made = tokio::task::spawn_blocking(move || {
        // Kept until it is made, even if nobody waits for it any more.
        let _held = held;
        analysis::analyze(input)
    });
    let report =
        made.await.map_err(|_| Problem::new(&problem::STORE_FAILED, "the analysis did not come to its end"))?;
    if report.looked_at < report.attempts {
        sampled.push(format!("{} of {} attempts, spread over the time", report.looked_at, report.attempts));
    }
    Ok(Json(AnalysisView::new(report, read, sampled)))
}

/// What is read for an analysis, bit by bit, so that what there is can be used when time is up.
struct Reading {
    since: Time,
    now: Time,
    destination: Option<String>,
    bounds: Bounds,
    observed: Vec<Observed>,
    /// Deliveries whose attempts were read, and how many are to be.
    read: usize,
    wanted: usize,
    /// What was left out.
    sampled: Vec<String>,
}

impl Reading {
    fn new(since: Time, now: Time, destination: Option<String>, bounds: Bounds) -> Self {
        let (observed, sampled) = (Vec::new(), Vec::new());
        Reading { since, now, destination, bounds, observed, read: 0, wanted: 0, sampled }
    }

    async fn read(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let mut rows = self.deliveries(store).await?;
        // What tells people of failures is none of the handlers'.
        rows.retain(|row| &*row.delivery.source != ALERTS);
        let since = self.since;
        rows.retain(|row| row.last.as_ref().is_some_and(|last| last.at >= since));
        // The tail of an id is random: however many are read before time is up, they are spread evenly.
        rows.sort_unstable_by_key(|row| row.delivery.id.as_bytes()[8..].to_vec());
        self.wanted = rows.len();
        let attempts = stream::iter(rows).map(|row| async move {
            let attempts = store.attempts(row.delivery.id).await?;
            Ok::<_, StoreError>(observed(&row, attempts))
        });
        let mut attempts = attempts.buffered(READS_AT_ONCE);
        while let Some(of_one) = attempts.try_next().await? {
            self.observed.extend(of_one);
            self.read += 1;
            if self.observed.len() >= self.bounds.attempts && self.read < self.wanted {
                self.sampled.push(format!("{} of {} deliveries, for they have many attempts", self.read, self.wanted));
                break;
            }
        }
        Ok(())
    }

    /// Deliveries that may have attempts in the span.
    async fn deliveries(&mut self, store: &dyn Store) -> Result<Vec<DeliveryRow>, StoreError> {
        // What comes this very instant is still of it.
        let (from, until) = (self.since.minus(ACCEPTED_BEFORE), self.now.plus(Duration::from_micros(1)));
        let (mut all, mut page) = (Vec::new(), Page::first(LIMIT_MAX));
        let filter = jobs::with_ages(store, self.filter(from, until)).await?;
        for _ in 0..self.bounds.pages {
            let rows = store.deliveries(&filter, page).await?;
            let last = rows.last().map(|row| row.delivery.id);
            let full = rows.len() == LIMIT_MAX;
            all.extend(rows);
            match last.filter(|_| full) {
                Some(id) => page = page.after(id),
                None => return Ok(all),
            }
        }
        // There are more, and the newest alone would say nothing of when something began.
        self.sampled.push(format!("{} deliveries at most, spread over the time", all.len()));
        let oldest = store.deliveries(&self.filter(from, until), Page::first(1).oldest_first()).await?;
        let mut start = oldest.first().map_or(from, |row| row.delivery.accepted_at);
        let window = (until.since(start) / self.bounds.pages).max(WINDOW_MIN);
        all.clear();
        while start < until {
            let end = start.plus(window).min(until);
            all.extend(store.deliveries(&self.filter(start, end), Page::first(LIMIT_MAX)).await?);
            start = end;
        }
        Ok(all)
    }

    fn filter(&self, since: Time, until: Time) -> DeliveryFilter {
        let destination = self.destination.clone();
        DeliveryFilter { destination, since: Some(since), until: Some(until), ..DeliveryFilter::default() }
    }

    fn out_of_time(&mut self) -> Result<(), Problem> {
        let limit_s = READING_TIME_MAX.as_secs();
        if self.read == 0 {
            let what =
                format!("nothing could be read within {limit_s} s; ask for a shorter time or for one destination");
            return Err(Problem::new(&problem::STORE_UNAVAILABLE, what));
        }
        self.sampled.push(format!(
            "{} of {} deliveries, those that could be read within {limit_s} s, spread over the time",
            self.read, self.wanted
        ));
        Ok(())
    }
}

fn observed(row: &DeliveryRow, attempts: Vec<hookhaven_core::Attempt>) -> Vec<Observed> {
    let d = &row.delivery;
    let destination = if &*d.source == PUBLISHED { origin(&d.destination) } else { d.destination.clone() };
    let one = |a: hookhaven_core::Attempt| Observed {
        started_at: a.started_at,
        destination: destination.clone(),
        delivery: d.id,
        number: a.number,
        event: d.event,
        source: d.source.clone(),
        event_type: d.event_type.clone(),
        duration_us: a.duration_us,
        class: a.class,
        status: a.status,
        error: a.error,
    };
    attempts.into_iter().map(one).collect()
}

/// A published address as far as it may be shown: people put credentials into all the rest.
fn origin(address: &str) -> Arc<str> {
    let parsed = url::Url::parse(address).ok();
    parsed.map_or_else(|| "published".into(), |url| url.origin().ascii_serialization().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::fixture::{START, Scene};

    #[tokio::test]
    async fn of_too_many_deliveries_some_of_all_the_time_are_read() {
        let scene = Scene::new();
        for _ in 0..1_500 {
            scene.accept("stripe", "payment.failed", b"{}").await;
        }
        let now = hookhaven_store::clock::Clock::now(&scene.clock);
        let mut reading = Reading::new(START, now, None, Bounds { pages: 2, ..BOUNDS });
        let rows = reading.deliveries(&*scene.store).await.unwrap();
        assert!((900..=1_001).contains(&rows.len()), "{}", rows.len());
        let early = rows.iter().filter(|row| row.delivery.accepted_at < START.plus(Duration::from_millis(750))).count();
        assert!((450..=501).contains(&early), "{early}");
        assert_eq!(reading.sampled, ["1000 deliveries at most, spread over the time"]);

        let mut all = Reading::new(START, now, None, Bounds { pages: 4, ..BOUNDS });
        assert_eq!(all.deliveries(&*scene.store).await.unwrap().len(), 1_500);
        assert!(all.sampled.is_empty());
    }

    #[tokio::test]
    async fn no_more_attempts_are_read_than_memory_is_given() {
        let scene = Scene::new();
        for _ in 0..30 {
            scene.accept("stripe", "payment.failed", b"{}").await;
        }
        scene.kill("billing").await;
        let now = hookhaven_store::clock::Clock::now(&scene.clock);
        let mut reading = Reading::new(START, now, None, Bounds { attempts: 12, ..BOUNDS });
        reading.read(&*scene.store).await.unwrap();
        assert_eq!((reading.observed.len(), reading.read, reading.wanted), (12, 12, 30));
        assert_eq!(reading.sampled, ["12 of 30 deliveries, for they have many attempts"]);
    }

    #[test]
    fn what_could_be_read_in_time_is_used_and_said() {
        let mut reading = Reading::new(START, START, None, BOUNDS);
        assert_eq!(reading.out_of_time().unwrap_err().code, "store_unavailable");
        (reading.read, reading.wanted) = (70, 100);
        reading.out_of_time().unwrap();
        assert!(reading.sampled[0].starts_with("70 of 100 deliveries"), "{:?}", reading.sampled);
    }

    #[test]
    fn a_published_address_is_shown_without_what_may_be_a_credential() {
        let shown = origin("https://user:s3cret@hooks.example.com:8443/T0/s3cret?token=s3cret");
        assert_eq!(&*shown, "https://hooks.example.com:8443");
        assert_eq!(&*origin("s3cret"), "published");
    }
}
