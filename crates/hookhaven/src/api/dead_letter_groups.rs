//! `/dead-letters/groups`: dead letters by root cause, the largest group first. Bounded: the newest letters are looked
//! at (`causes`), so many groups are shown, each with its newest letter.
//!
//! Not here: acting on a group, which is a filter of dead letters and jobs.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{Json, extract::State};
use hookhaven_core::{GroupId, Time, group};
use hookhaven_store::Tried;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Shared, masked,
    page::{self, Params},
    problem::Problem,
    schema,
    view::DeliveryView,
};
use crate::{
    causes::{
        Letter,
        tally::{self, Group, Steps},
    },
    config::Config,
};

/// What a trend covers unless it is said since when.
const TREND_SPAN: Duration = Duration::from_secs(86_400);
/// Types and sources named with a group.
const NAMES_MAX: usize = 20;
/// Shown of the newest answer.
const ANSWER_BYTES_MAX: usize = 1_000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct GroupParams {
    /// Name of a destination in the config file; of a published message, its address.
    destination: Option<String>,
    /// Name of a source in the config file; `publish` for published messages.
    source: Option<String>,
    /// This group only.
    group: Option<GroupId>,
    /// Died at or after.
    since: Option<Time>,
    /// Died before.
    until: Option<Time>,
    /// When trends begin: `since` if it is not said, else 24 hours before they end. They end at `until`, or now.
    trend_since: Option<Time>,
    #[param(schema_with = schema::limit)]
    limit: Option<usize>,
}

/// Dead letters by root cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = DeadLetterGroups)]
pub struct GroupsView {
    /// The largest first.
    pub items: Vec<GroupView>,
    /// How many groups there are, shown or not, and how many letters in them.
    pub group_count: u64,
    pub letter_count: u64,
    /// When the first step of each trend begins, and how long a step is.
    pub trend_since: Time,
    pub trend_step_ms: u64,
    /// There are older letters; those that died since then were looked at.
    pub looked_back_to: Option<Time>,
    /// More of them are being read: asked again in a moment it looks further.
    pub learning: bool,
}

/// Dead letters with one root cause: of one destination, failed with the same class and status, answered alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = DeadLetterGroup)]
pub struct GroupView {
    /// The same as long as the cause is the same; a filter of dead letters and jobs.
    pub id: GroupId,
    pub destination: String,
    /// Class of the last attempts; `null`: never attempted.
    #[schema(schema_with = schema::class_or_null)]
    pub class: Option<String>,
    /// HTTP status of the last attempts.
    pub status: Option<u16>,
    /// In words, of the newest letter.
    pub cause: String,
    pub letter_count: u64,
    /// Whether one of them is of a critical route.
    pub critical: bool,
    pub first_died_at: Time,
    pub last_died_at: Time,
    /// How many died in each of 24 steps of equal length.
    pub trend: Vec<u64>,
    /// The most frequent, at most 20.
    pub types: Vec<NamedCount>,
    pub sources: Vec<NamedCount>,
    /// The one that died last, and the beginning of what it was answered last.
    pub sample: DeliveryView,
    pub sample_answer: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NamedCount {
    pub name: String,
    pub count: u64,
}

/// Lists dead letters by root cause, the largest group first.
///
/// A group is of one destination; its letters failed with the same class and status and were answered alike but for ids,
/// numbers, times and quoted values. At most the newest 20,000 letters are looked at.
#[utoipa::path(
    get,
    path = "/dead-letters/groups",
    operation_id = "list_dead_letter_groups",
    params(GroupParams),
    responses((status = 200, body = GroupsView)),
)]
async fn list(State(api): State<Shared>, Params(p): Params<GroupParams>) -> Result<Json<GroupsView>, Problem> {
    let now = api.parts.clock.now();
    let until = p.until.map_or(now, |until| until.min(now));
    page::check_span(p.since, Some(until))?;
    page::check_span(p.trend_since, Some(until))?;
    let limit = page::page::<GroupId>(None, p.limit)?.limit - 1;
    let steps = Steps::over(p.trend_since.or(p.since).unwrap_or(until.minus(TREND_SPAN)), until);
    let look = api.causes.look().await?;
    let is_meant = |letter: &&Letter| {
        let is = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
        is(&p.destination, &letter.fact.destination)
            && is(&p.source, &letter.fact.source)
            && p.group.is_none_or(|group| group == letter.fact.group)
            && p.since.is_none_or(|since| letter.died_at >= since)
            && p.until.is_none_or(|until| letter.died_at < until)
    };
    let groups = tally::groups(look.letters.iter().filter(is_meant), steps);
    let (group_count, letter_count) = (groups.len() as u64, groups.iter().map(|group| group.count).sum());
    let shown = &groups[..groups.len().min(limit)];
    let newest: Vec<_> = shown.iter().map(|group| group.newest).collect();
    let samples = api.parts.store.tried(&newest).await?;
    let config = api.parts.config.load();
    // Without those whose newest letter has gone meanwhile.
    let items = groups.into_iter().zip(samples).filter_map(|(group, sample)| Some(view(&config, group, sample?)));
    Ok(Json(GroupsView {
        items: items.collect(),
        group_count,
        letter_count,
        trend_since: steps.since,
        trend_step_ms: u64::try_from(steps.step.as_millis()).unwrap_or(u64::MAX),
        // Older ones would not be shown anyway.
        looked_back_to: look.upto.filter(|upto| p.since.is_none_or(|since| *upto >= since)),
        learning: look.learning,
    }))
}

fn view(config: &Config, group: Group, sample: Tried) -> GroupView {
    let Tried { row, attempt } = sample;
    let last = attempt.map(|last| masked::attempt(config, &row.delivery.source, last));
    let cause = group::cause(&row.delivery, last.as_ref());
    let answer = last.as_ref().map(|last| {
        let shown = &last.response_excerpt[..last.response_excerpt.len().min(ANSWER_BYTES_MAX)];
        String::from_utf8_lossy(shown).trim_end_matches(char::REPLACEMENT_CHARACTER).to_owned()
    });
    GroupView {
        id: group.id,
        destination: row.delivery.destination.to_string(),
        class: last.as_ref().map(|last| last.class.as_str().to_owned()),
        status: last.as_ref().and_then(|last| last.status),
        cause,
        letter_count: group.count,
        critical: group.critical,
        first_died_at: group.first_at,
        last_died_at: group.last_at,
        trend: group.trend.to_vec(),
        types: named(group.types),
        sources: named(group.sources),
        sample: DeliveryView::from(row),
        sample_answer: answer.unwrap_or_default(),
    }
}

/// The most frequent first.
fn named(counts: BTreeMap<Arc<str>, u64>) -> Vec<NamedCount> {
    let mut named: Vec<_> =
        counts.into_iter().map(|(name, count)| NamedCount { name: name.to_string(), count }).collect();
    named.sort_by_key(|named| std::cmp::Reverse(named.count));
    named.truncate(NAMES_MAX);
    named
}
