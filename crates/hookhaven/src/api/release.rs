//! `/rejected/release`: making rejected requests the events that they should have been, one or many. A request names ids,
//! or a filter; it goes from the oldest to the newest of a bounded page, and `next` in the answer lets the caller go on.
//!
//! Not here: what a release does (`ingest::release`), what is shown of those that are kept (`rejected`).

use std::time::Duration;

use axum::{Extension, Json, extract::State};
use hookhaven_core::{EventId, RejectedId, Time, diagnosis::Diagnosis};
use hookhaven_store::{Page, quarantine::Quarantined};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api, LIMIT_MAX, Noted, RejectedSelection, Shared,
    page::Input,
    problem::{self, Problem},
};
use crate::{access::Note, quarantine::Release};

/// Released requests that the audit log names one by one.
const NOTED_MAX: usize = 20;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(release))
}

/// Exactly one of `ids` and `filter`; an empty filter is every rejected request that was not released.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<RejectedId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<RejectedSelection>,
    /// Only count, and say which would be accepted.
    #[serde(default)]
    pub dry_run: bool,
    /// `next` of the answer before; with a filter only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<RejectedId>,
}

/// What became of a release. The counts of what was not released say why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReleaseAnswer {
    pub dry_run: bool,
    /// Named by the request, and there.
    pub matched: u64,
    /// Accepted as events; on a dry run, those that would be.
    pub released: u64,
    /// Among them those that their senders had sent again meanwhile: no second event.
    pub duplicates: u64,
    /// Among them those whose body was put back into the form that was signed.
    pub restored: u64,
    /// Released before.
    pub already: u64,
    /// Their signature still does not hold.
    pub refused: u64,
    /// Rightly signed questions about a subscription, which become no event.
    pub no_event: u64,
    pub unknown: u64,
    /// One for each, oldest first.
    pub items: Vec<ReleasedView>,
    /// By filter: what came later was not counted or touched.
    pub until: Option<Time>,
    /// There are more: the same request with this as `after` goes on.
    pub next: Option<RejectedId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReleasedView {
    pub id: RejectedId,
    /// `released`, `duplicate`, `already`, `refused`, `no_event` or `unknown`; on a dry run `would_be_released` or
    /// `refused`.
    pub outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
    /// Why not, and the mend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Releases rejected requests: makes them the events that they should have been.
///
/// By ids, or by a filter; oldest first, at most 500 in one request, `next` goes on. What was released before is left
/// alone, and what its sender sent again meanwhile becomes no second event.
#[utoipa::path(
    post,
    path = "/rejected/release",
    operation_id = "release_rejected",
    request_body(content = ReleaseRequest, example = json!({ "filter": { "source": "stripe" }, "dry_run": true })),
    responses((status = 200, body = ReleaseAnswer)),
    extensions(("x-codes" = json!([problem::BAD_QUERY.code]))),
)]
async fn release(
    State(api): State<Shared>,
    Input(request): Input<ReleaseRequest>,
) -> Result<Noted<ReleaseAnswer>, Problem> {
    let bad = |detail: &str| Err(Problem::new(&problem::BAD_BODY, detail));
    let mut answer = ReleaseAnswer { dry_run: request.dry_run, ..ReleaseAnswer::default() };
    let ids = match (request.ids, request.filter) {
        (Some(_), None) if request.after.is_some() => return bad("after goes with a filter, not with ids"),
        (Some(ids), None) if ids.len() > LIMIT_MAX => return bad("at most 500 ids in one request"),
        (Some(ids), None) => ids,
        (None, Some(selection)) => {
            let mut filter = selection.to_store(Some(false))?;
            let now = api.parts.clock.now().plus(Duration::from_micros(1));
            filter.until = Some(filter.until.map_or(now, |until| until.min(now)));
            answer.until = filter.until;
            let page = Page { after: request.after, limit: LIMIT_MAX, oldest_first: false };
            let rows = api.parts.quarantine.list(&filter, page).await?;
            answer.next = rows.last().filter(|_| rows.len() == LIMIT_MAX).map(|row| row.id);
            rows.iter().rev().map(|row| row.id).collect()
        }
        _ => return bad("say which: either \"ids\": […] or \"filter\": {…}; an empty filter is every one"),
    };
    for id in ids {
        let item =
            if request.dry_run { try_one(&api, id, &mut answer).await? } else { one(&api, id, &mut answer).await? };
        answer.items.push(item);
    }
    answer.matched = answer.items.len() as u64 - answer.unknown;
    Ok((Extension(note(&answer)), Json(answer)))
}

/// What came of it, and which became what; of many only how many.
fn note(answer: &ReleaseAnswer) -> Note {
    let ReleaseAnswer { dry_run, matched, released, duplicates, refused, .. } = *answer;
    let events: Vec<_> = answer.items.iter().filter_map(|item| Some((item.id, item.event?))).take(NOTED_MAX).collect();
    Note::after(json!({
        "dry_run": dry_run, "matched": matched, "released": released, "duplicates": duplicates, "refused": refused,
        "events": events,
    }))
}

async fn one(api: &Api, id: RejectedId, answer: &mut ReleaseAnswer) -> Result<ReleasedView, Problem> {
    let view = |outcome: &str, event, detail| ReleasedView { id, outcome: outcome.to_owned(), event, detail };
    Ok(match api.parts.rejections.release(id).await? {
        Release::Done { event, duplicate, restored } => {
            answer.released += 1;
            answer.duplicates += u64::from(duplicate);
            answer.restored += u64::from(restored);
            view(if duplicate { "duplicate" } else { "released" }, Some(event), None)
        }
        Release::Already(before) => {
            answer.already += 1;
            view("already", Some(before.event), Some(format!("it was released at {}", before.at)))
        }
        Release::Refused(diagnosis) => {
            answer.refused += 1;
            view("refused", None, Some(in_short(diagnosis)))
        }
        Release::NoEvent => {
            answer.no_event += 1;
            view("no_event", None, Some("it only asks about the subscription".to_owned()))
        }
        Release::NoSource => {
            answer.refused += 1;
            view("refused", None, Some("its source is not in the config file any more".to_owned()))
        }
        Release::Unknown => {
            answer.unknown += 1;
            view("unknown", None, None)
        }
    })
}

/// What a release would come to, as far as that can be told without one.
async fn try_one(api: &Api, id: RejectedId, answer: &mut ReleaseAnswer) -> Result<ReleasedView, Problem> {
    let view = |outcome: &str, event, detail| ReleasedView { id, outcome: outcome.to_owned(), event, detail };
    let Some(Quarantined { rejected, released }) = api.parts.quarantine.get(id).await? else {
        answer.unknown += 1;
        return Ok(view("unknown", None, None));
    };
    if let Some(before) = released {
        answer.already += 1;
        return Ok(view("already", Some(before.event), Some(format!("it was released at {}", before.at))));
    }
    Ok(match api.parts.rejections.diagnose(rejected).await {
        Some(diagnosis) if diagnosis.verdict.may_be_released() => {
            answer.released += 1;
            view("would_be_released", None, None)
        }
        Some(diagnosis) => {
            answer.refused += 1;
            view("refused", None, Some(in_short(diagnosis)))
        }
        None => {
            answer.refused += 1;
            view("refused", None, Some("its source is not in the config file any more".to_owned()))
        }
    })
}

fn in_short(diagnosis: Diagnosis) -> String {
    let first = diagnosis.findings.into_iter().next();
    first.map(|finding| format!("{} Mend: {}.", finding.sentence, finding.mend)).unwrap_or_default()
}
