//! `/rejected`: requests that were refused and kept, why, and releasing them.
//!
//! What is shown is masked: some senders show their secret in a header or in the query instead of signing, and a
//! request that was refused may show somebody's all the same. A bulk release names ids, or a filter; it goes from the
//! oldest to the newest of a bounded page.

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use hookhaven_core::{
    EventId, Rejected, RejectedId, Time,
    diagnosis::{Diagnosis, Finding},
    sender::Rejection,
};
use hookhaven_store::{
    Page,
    quarantine::{Quarantined, RejectedFilter, RejectedRow},
};
use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};

use super::{
    Api, LIMIT_MAX, Shared,
    page::{self, Id, Input, Params},
    problem::{self, Problem},
    view::{HeaderView, Listing, REDACTED, Text},
};
use crate::{headers::may_be_credential, quarantine::Release};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/rejected", get(list))
        .route("/rejected/release", post(release))
        .route("/rejected/{id}", get(show))
        .route("/rejected/{id}/body", get(body))
}

/// A rejected request without target, headers and body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedView {
    pub id: RejectedId,
    pub received_at: Time,
    pub source: String,
    /// A rejection's name, as in the log and in metrics.
    pub reason: String,
    pub remote: String,
    pub body_bytes: u64,
    /// Whether the whole body is kept; else it cannot be released.
    pub whole: bool,
    pub released_at: Option<Time>,
    /// The event that it became.
    pub event: Option<EventId>,
}

impl From<RejectedRow> for RejectedView {
    fn from(row: RejectedRow) -> Self {
        RejectedView {
            id: row.id,
            received_at: row.received_at,
            source: row.source.to_string(),
            reason: row.reason.as_str().to_owned(),
            remote: row.remote.to_string(),
            body_bytes: row.body_bytes,
            whole: row.whole,
            released_at: row.released.map(|released| released.at),
            event: row.released.map(|released| released.event),
        }
    }
}

/// One with its diagnosis; the body is at `/rejected/{id}/body`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedDetail {
    #[serde(flatten)]
    pub rejected: RejectedView,
    pub method: String,
    /// Path, and query with its values masked.
    pub target: String,
    pub headers: Vec<HeaderView>,
    /// `null` if its source is not configured any more.
    pub diagnosis: Option<DiagnosisView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiagnosisView {
    /// `holds`, `holds_restored`, `refused`, `truncated` or `key_needed`, judged at its arrival by the configuration of
    /// now.
    pub verdict: String,
    /// Whether a release would accept it.
    pub may_be_released: bool,
    /// Likeliest first.
    pub findings: Vec<CauseView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseView {
    pub cause: String,
    /// Shown by the signature itself; else it is a likeness.
    pub certain: bool,
    pub sentence: String,
    pub mend: String,
}

impl From<Diagnosis> for DiagnosisView {
    fn from(diagnosis: Diagnosis) -> Self {
        let view = |finding: Finding| CauseView {
            cause: finding.cause.as_str().to_owned(),
            certain: finding.certain,
            sentence: finding.sentence,
            mend: finding.mend,
        };
        DiagnosisView {
            verdict: diagnosis.verdict.as_str().to_owned(),
            may_be_released: diagnosis.verdict.may_be_released(),
            findings: diagnosis.findings.into_iter().map(view).collect(),
        }
    }
}

/// Which; all set fields must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectedSelection {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Received at or after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Received before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

impl RejectedSelection {
    fn to_store(&self, released: Option<bool>) -> Result<RejectedFilter, Problem> {
        page::check_span(self.since, self.until)?;
        let reason = self.reason.as_deref().map(|name| {
            Rejection::parse(name).ok_or_else(|| {
                let names = Rejection::ALL.map(Rejection::as_str).join(", ");
                Problem::new(&problem::BAD_QUERY, format!("{name:?} is no reason; known are {names}"))
            })
        });
        Ok(RejectedFilter {
            source: self.source.clone(),
            reason: reason.transpose()?,
            since: self.since,
            until: self.until,
            released,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParams {
    source: Option<String>,
    reason: Option<String>,
    since: Option<Time>,
    until: Option<Time>,
    released: Option<bool>,
    after: Option<RejectedId>,
    limit: Option<usize>,
}

async fn list(
    State(api): State<Shared>,
    Params(p): Params<ListParams>,
) -> Result<Json<Listing<RejectedView>>, Problem> {
    let selection = RejectedSelection { source: p.source, reason: p.reason, since: p.since, until: p.until };
    let page = page::page(p.after, p.limit)?;
    let rows = api.parts.quarantine.list(&selection.to_store(p.released)?, page).await?;
    Ok(Json(page::listing(rows, &page, |row| row.id, RejectedView::from)))
}

async fn show(State(api): State<Shared>, Id(id): Id<RejectedId>) -> Result<Json<RejectedDetail>, Problem> {
    let Quarantined { rejected, released } = find(&api, id).await?;
    let diagnosis = api.parts.rejections.diagnose(rejected.clone()).await.map(DiagnosisView::from);
    let view = RejectedView {
        id,
        received_at: rejected.received_at,
        source: rejected.source.to_string(),
        reason: rejected.reason.as_str().to_owned(),
        remote: rejected.remote.to_string(),
        body_bytes: rejected.body_bytes,
        whole: rejected.is_whole(),
        released_at: released.map(|released| released.at),
        event: released.map(|released| released.event),
    };
    Ok(Json(RejectedDetail {
        method: rejected.method.to_string(),
        target: masked_target(&rejected),
        headers: masked_headers(&rejected),
        rejected: view,
        diagnosis,
    }))
}

/// As much of the body as is kept, with the secrets that are configured masked: some senders show theirs there.
async fn body(State(api): State<Shared>, Id(id): Id<RejectedId>) -> Result<Response, Problem> {
    let found = find(&api, id).await?;
    let config = api.parts.config.load();
    let mut body = found.rejected.body.to_vec();
    for secret in config.sources.values().flat_map(|source| &source.secrets) {
        body = replace(&body, secret.expose(), REDACTED.as_bytes());
    }
    let mut response = Bytes::from(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    Ok(response)
}

async fn find(api: &Api, id: RejectedId) -> Result<Quarantined, Problem> {
    let found = api.parts.quarantine.get(id).await?;
    found.ok_or_else(|| {
        let detail =
            format!("there is no rejected request {id}; they are kept for a while, and newer ones displace them");
        Problem::new(&problem::REJECTED_NOT_FOUND, detail)
    })
}

fn masked_target(rejected: &Rejected) -> String {
    let Some(query) = rejected.query() else { return rejected.path().to_owned() };
    let masked = |part: &str| match part.split_once('=') {
        Some((name, _)) => format!("{name}={REDACTED}"),
        None => REDACTED.to_owned(),
    };
    let query: Vec<_> = query.split('&').map(masked).collect();
    format!("{}?{}", rejected.path(), query.join("&"))
}

fn masked_headers(rejected: &Rejected) -> Vec<HeaderView> {
    let view = |(name, value): &(std::sync::Arc<str>, Bytes)| HeaderView {
        name: name.to_string(),
        value: if may_be_credential(name) { Text::Utf8(REDACTED.to_owned()) } else { Text::of(value) },
    };
    rejected.headers.iter().map(view).collect()
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// Exactly one of `ids` and `filter`; an empty filter is every rejected request that was not released.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

async fn release(
    State(api): State<Shared>,
    Input(request): Input<ReleaseRequest>,
) -> Result<Json<ReleaseAnswer>, Problem> {
    let bad = |detail: &str| Err(Problem::new(&problem::BAD_BODY, detail));
    let mut answer = ReleaseAnswer { dry_run: request.dry_run, ..ReleaseAnswer::default() };
    let ids = match (request.ids, request.filter) {
        (Some(_), None) if request.after.is_some() => return bad("after goes with a filter, not with ids"),
        (Some(ids), None) if ids.len() > LIMIT_MAX => return bad("at most 500 ids in one request"),
        (Some(ids), None) => ids,
        (None, Some(selection)) => {
            let mut filter = selection.to_store(Some(false))?;
            let now = api.parts.clock.now().plus(std::time::Duration::from_micros(1));
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
    Ok(Json(answer))
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
