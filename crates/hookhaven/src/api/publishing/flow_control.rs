//! `/flow-control`: keys that limit how many messages go out at once, or in a period; how they stand, pausing, pinning,
//! beginning their count anew. A key comes with the first message that names it.

use std::{num::NonZeroU32, time::Duration};

use axum::{Extension, Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::NamesParams;
use crate::{
    access::Note,
    api::{
        Api, Noted, Shared,
        destinations::NoRequest,
        page::{self, Input, Name, Params},
        problem::{self, Problem},
        view::Listing,
    },
    publications::{FlowChange, FlowControlView},
};

/// Largest limit that is pinned: more is as good as none.
const PINNED_MAX: u32 = 1_000_000;
/// Longest period of a rate.
const PERIOD_MAX_S: u32 = 7 * 86_400;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(reset))
        .routes(routes!(pin))
        .routes(routes!(unpin))
}

/// Lists flow-control keys, by name.
///
/// What waits is of all nodes; the count of the rate is that of the node that answers.
#[utoipa::path(
    get,
    path = "/flow-control",
    operation_id = "list_flow_control",
    params(NamesParams),
    responses((status = 200, body = Listing<FlowControlView>)),
)]
async fn list(
    State(api): State<Shared>,
    Params(params): Params<NamesParams>,
) -> Result<Json<Listing<FlowControlView>>, Problem> {
    let names = params.names()?;
    let flows = api.parts.publications.flows(&names).await?;
    Ok(Json(page::listing(flows, &names.page, |flow| flow.name.clone(), |flow| flow)))
}

/// Shows one flow-control key.
#[utoipa::path(
    get,
    path = "/flow-control/{name}",
    operation_id = "show_flow_control",
    params(("name" = String, Path, description = "The key", example = "customer-7")),
    responses((status = 200, body = FlowControlView)),
    extensions(("x-codes" = json!([problem::FLOW_CONTROL_NOT_FOUND.code]))),
)]
async fn show(State(api): State<Shared>, Name(name): Name) -> Result<Json<FlowControlView>, Problem> {
    known(&api, &name).await.map(Json)
}

/// Pauses a flow-control key.
///
/// Messages under it are accepted and wait, over restarts too, until it is resumed.
#[utoipa::path(
    post,
    path = "/flow-control/{name}/pause",
    operation_id = "pause_flow_control",
    params(("name" = String, Path, description = "The key", example = "customer-7")),
    request_body = Option<NoRequest>,
    responses((status = 200, body = FlowControlView)),
    extensions(("x-codes" = json!([problem::FLOW_CONTROL_NOT_FOUND.code]))),
)]
async fn pause(
    State(api): State<Shared>,
    Name(name): Name,
    Input(NoRequest {}): Input<NoRequest>,
) -> Result<Noted<FlowControlView>, Problem> {
    change(&api, &name, FlowChange::Pause).await
}

/// Resumes a flow-control key.
#[utoipa::path(
    post,
    path = "/flow-control/{name}/resume",
    operation_id = "resume_flow_control",
    params(("name" = String, Path, description = "The key", example = "customer-7")),
    request_body = Option<NoRequest>,
    responses((status = 200, body = FlowControlView)),
    extensions(("x-codes" = json!([problem::FLOW_CONTROL_NOT_FOUND.code]))),
)]
async fn resume(
    State(api): State<Shared>,
    Name(name): Name,
    Input(NoRequest {}): Input<NoRequest>,
) -> Result<Noted<FlowControlView>, Problem> {
    change(&api, &name, FlowChange::Resume).await
}

/// Begins the count of a flow-control key's rate anew, on all nodes.
#[utoipa::path(
    post,
    path = "/flow-control/{name}/reset",
    operation_id = "reset_flow_control",
    params(("name" = String, Path, description = "The key", example = "customer-7")),
    request_body = Option<NoRequest>,
    responses((status = 200, body = FlowControlView)),
    extensions(("x-codes" = json!([problem::FLOW_CONTROL_NOT_FOUND.code]))),
)]
async fn reset(
    State(api): State<Shared>,
    Name(name): Name,
    Input(NoRequest {}): Input<NoRequest>,
) -> Result<Noted<FlowControlView>, Problem> {
    change(&api, &name, FlowChange::Reset).await
}

/// The limits that are to hold, whatever messages say. At least one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "parallelism": 5, "rate": 100, "period_s": 60 }))]
pub struct PinRequest {
    /// Attempts in flight at once; left out, it stays as it is.
    #[schema(minimum = 1, maximum = 1_000_000)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<u32>,
    /// Attempts that may begin in each period; left out, it stays as it is.
    #[schema(minimum = 1, maximum = 1_000_000)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Length of the rate's period, at most a week; left out, it stays as it is.
    #[schema(minimum = 1, maximum = 604_800)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_s: Option<u32>,
}

/// Sets limits of a flow-control key that messages do not change any more.
///
/// The count of its rate begins anew.
#[utoipa::path(
    post,
    path = "/flow-control/{name}/pin",
    operation_id = "pin_flow_control",
    params(("name" = String, Path, description = "The key", example = "customer-7")),
    request_body = PinRequest,
    responses((status = 200, body = FlowControlView)),
    extensions(("x-codes" = json!([problem::FLOW_CONTROL_NOT_FOUND.code]))),
)]
async fn pin(
    State(api): State<Shared>,
    Name(name): Name,
    Input(request): Input<PinRequest>,
) -> Result<Noted<FlowControlView>, Problem> {
    change(&api, &name, pinned(request)?).await
}

/// Lets messages change the limits of a flow-control key again.
#[utoipa::path(
    post,
    path = "/flow-control/{name}/unpin",
    operation_id = "unpin_flow_control",
    params(("name" = String, Path, description = "The key", example = "customer-7")),
    request_body = Option<NoRequest>,
    responses((status = 200, body = FlowControlView)),
    extensions(("x-codes" = json!([problem::FLOW_CONTROL_NOT_FOUND.code]))),
)]
async fn unpin(
    State(api): State<Shared>,
    Name(name): Name,
    Input(NoRequest {}): Input<NoRequest>,
) -> Result<Noted<FlowControlView>, Problem> {
    change(&api, &name, FlowChange::Unpin { parallelism: true, rate: true }).await
}

fn pinned(request: PinRequest) -> Result<FlowChange, Problem> {
    let bad = |detail: String| Problem::new(&problem::BAD_BODY, detail);
    if request == PinRequest::default() {
        return Err(bad("say which limit is to hold: parallelism, rate or period_s".to_owned()));
    }
    let limit = |name: &str, given: Option<u32>, max: u32| match given.map(NonZeroU32::new) {
        Some(None) => Err(bad(format!("{name} = 0 would let nothing out; pause the key instead"))),
        Some(Some(limit)) if limit.get() > max => Err(bad(format!("{name} is not within 1..{max}"))),
        limit => Ok(limit.flatten()),
    };
    let period = limit("period_s", request.period_s, PERIOD_MAX_S)?;
    Ok(FlowChange::Pin {
        parallelism: limit("parallelism", request.parallelism, PINNED_MAX)?,
        rate: limit("rate", request.rate, PINNED_MAX)?,
        period: period.map(|s| Duration::from_secs(s.get().into())),
    })
}

async fn change(api: &Api, name: &str, change: FlowChange) -> Result<Noted<FlowControlView>, Problem> {
    let before = known(api, name).await?;
    api.parts.publications.change_flow(name, change).await?;
    let after = known(api, name).await?;
    // In the path it is written otherwise.
    let note = Note { subject: Some(name.to_owned()), ..Note::change(state(&before), state(&after)) };
    Ok((Extension(note), Json(after)))
}

/// What people change of it.
fn state(view: &FlowControlView) -> Value {
    json!({
        "paused": view.paused,
        "parallelism": view.parallelism,
        "parallelism_pinned": view.parallelism_pinned,
        "rate": view.rate,
        "period_ms": view.period_ms,
        "rate_pinned": view.rate_pinned,
        "reset_at": view.reset_at,
    })
}

async fn known(api: &Api, name: &str) -> Result<FlowControlView, Problem> {
    let unknown = || Problem::new(&problem::FLOW_CONTROL_NOT_FOUND, format!("there is no flow-control key {name:?}"));
    api.parts.publications.flow(name).await?.ok_or_else(unknown)
}
