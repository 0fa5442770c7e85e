//! `/healthz`, `/readyz` and `/metrics`: for machines that watch.
//!
//! `/healthz` says that the process answers, and nothing else: a restart would not mend anything that
//! `/readyz` names. `/readyz` says whether the node can do what its role is, and why not: whether a sender's
//! request would be accepted, or, of a worker, whether deliveries can be claimed; a config
//! file that was refused does not make it unready, since the old config still serves, but is told.
//! Both are open, for probes have no token; reasons are told only under a name of ours (see `guard`).

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use hookhaven_store::Leave;
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, ReloadState, Shared, guard};

/// Not under `/api/v1`, and without a token.
pub(super) fn open_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(alive)).routes(routes!(ready))
}

/// Not under `/api/v1`.
pub(super) fn guarded_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// Says that the process answers, and nothing else.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "show_health",
    responses((status = 200, body = String, content_type = "text/plain; charset=utf-8", description = "It answers")),
    security(()),
)]
async fn alive() -> &'static str {
    "ok\n"
}

/// Whether the node can do what its role is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ready {
    pub ready: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ReloadState>,
}

/// Says whether the node can do what its role is, and why not.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "show_readiness",
    responses(
        (status = 200, body = Ready, description = "It can"),
        (status = 503, body = Ready, description = "It cannot"),
    ),
    security(()),
)]
async fn ready(State(api): State<Shared>, request: Request) -> Response {
    let mut reasons = reasons(&api);
    let ready = reasons.is_empty();
    let mut config = Some(api.parts.signals.reload_state());
    if guard::check_host(&api.parts, request.uri(), request.headers()).is_err() {
        reasons.clear();
        config = None;
    }
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready, reasons, config })).into_response()
}

/// Why the node cannot do what its role is; empty if it can.
pub(super) fn reasons(api: &Api) -> Vec<String> {
    let of_role = if api.parts.config.load().server.role.ingests() {
        api.parts.store.ready(Leave::NOTHING).err().map(|e| e.to_string())
    } else {
        api.parts.signals.working().err()
    };
    of_role.into_iter().chain(api.parts.signals.accepting().err()).collect()
}

/// Shows all metrics, for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "show_metrics",
    responses((
        status = 200,
        body = String,
        content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8",
        description = "In the OpenMetrics text format"
    )),
)]
async fn metrics(State(api): State<Shared>) -> Response {
    let mut response = api.parts.signals.render_metrics().await.into_response();
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
