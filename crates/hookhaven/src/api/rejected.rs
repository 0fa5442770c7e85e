//! `/rejected`: requests that were refused and kept, and why.
//!
//! What is shown is masked: some senders show their secret in a header or in the query instead of signing, and a
//! request that was refused may show somebody's all the same. Not here: releasing them (`release`).

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use hookhaven_core::{
    EventId, Rejected, RejectedId, Time,
    diagnosis::{self, Diagnosis, Finding},
    sender::Rejection,
};
use hookhaven_store::quarantine::{Quarantined, RejectedFilter, RejectedRow};
use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api, Shared, masked,
    page::{self, Id, Params},
    problem::{self, Problem},
    schema,
    view::{HeaderView, Listing, REDACTED, Text},
};
use crate::headers::may_be_credential;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(body))
}

/// A rejected request without target, headers and body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiagnosisView {
    /// `holds`, `holds_restored`, `refused`, `truncated` or `key_needed`, judged at its arrival by the configuration of
    /// now.
    pub verdict: String,
    /// Whether a release would accept it.
    pub may_be_released: bool,
    /// Likeliest first.
    pub findings: Vec<CauseView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectedSelection {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::reason_or_null)]
    pub reason: Option<String>,
    /// Received at or after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Received before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

impl RejectedSelection {
    pub(super) fn to_store(&self, released: Option<bool>) -> Result<RejectedFilter, Problem> {
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

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// Name of a source in the config file; `publish` for published messages.
    source: Option<String>,
    #[param(schema_with = schema::reason)]
    reason: Option<String>,
    /// Received at or after.
    since: Option<Time>,
    /// Received before.
    until: Option<Time>,
    /// Only those released, or only those not.
    released: Option<bool>,
    /// `next` of the page before.
    after: Option<RejectedId>,
    #[param(schema_with = schema::limit)]
    limit: Option<usize>,
}

/// Lists rejected requests that are kept, newest first.
#[utoipa::path(
    get,
    path = "/rejected",
    operation_id = "list_rejected",
    params(ListParams),
    responses((status = 200, body = Listing<RejectedView>)),
)]
async fn list(
    State(api): State<Shared>,
    Params(p): Params<ListParams>,
) -> Result<Json<Listing<RejectedView>>, Problem> {
    let selection = RejectedSelection { source: p.source, reason: p.reason, since: p.since, until: p.until };
    let page = page::page(p.after, p.limit)?;
    let rows = api.parts.quarantine.list(&selection.to_store(p.released)?, page).await?;
    Ok(Json(page::listing(rows, &page, |row| row.id, RejectedView::from)))
}

/// Shows one rejected request with its diagnosis.
#[utoipa::path(
    get,
    path = "/rejected/{id}",
    operation_id = "show_rejected",
    params(("id" = RejectedId, Path, description = "Of the rejected request")),
    responses((status = 200, body = RejectedDetail)),
    extensions(("x-codes" = json!([problem::REJECTED_NOT_FOUND.code]))),
)]
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

/// Downloads as much of a rejected body as is kept.
///
/// Configured secrets in it are masked, for some senders show theirs there, and so are fields that are named in `redact`.
#[utoipa::path(
    get,
    path = "/rejected/{id}/body",
    operation_id = "download_rejected_body",
    params(("id" = RejectedId, Path, description = "Of the rejected request")),
    responses((
        status = 200,
        body = schema::Raw,
        content_type = "application/octet-stream",
        description = "The body, masked"
    )),
    extensions(("x-codes" = json!([problem::REJECTED_NOT_FOUND.code]))),
)]
async fn body(State(api): State<Shared>, Id(id): Id<RejectedId>) -> Result<Response, Problem> {
    let found = find(&api, id).await?;
    let config = api.parts.config.load();
    let mut body = found.rejected.body.to_vec();
    for secret in config.sources.values().flat_map(|source| &source.secrets) {
        body = diagnosis::replace(&body, secret.expose(), REDACTED.as_bytes());
    }
    let mut response = masked::of_source(&config, &found.rejected.source, body.into()).into_response();
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
