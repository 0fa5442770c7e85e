//! `/url-groups`: names that stand for several addresses. They are made by the publishing API.

use axum::{Extension, Json, extract::State};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::NamesParams;
use crate::{
    access::Note,
    api::{
        Api, Noted, Shared,
        page::{self, Name, Params},
        problem::{self, Problem},
        view::Listing,
    },
    publications::UrlGroupView,
};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, delete))
}

/// Lists URL groups, by name, with their endpoints.
#[utoipa::path(
    get,
    path = "/url-groups",
    operation_id = "list_url_groups",
    params(NamesParams),
    responses((status = 200, body = Listing<UrlGroupView>)),
)]
async fn list(
    State(api): State<Shared>,
    Params(params): Params<NamesParams>,
) -> Result<Json<Listing<UrlGroupView>>, Problem> {
    let names = params.names()?;
    let groups = api.parts.publications.groups(&names).await?;
    Ok(Json(page::listing(groups, &names.page, |group| group.name.clone(), |group| group)))
}

/// Shows one URL group.
#[utoipa::path(
    get,
    path = "/url-groups/{name}",
    operation_id = "show_url_group",
    params(("name" = String, Path, description = "Of the group", example = "signups")),
    responses((status = 200, body = UrlGroupView)),
    extensions(("x-codes" = json!([problem::URL_GROUP_NOT_FOUND.code]))),
)]
async fn show(State(api): State<Shared>, Name(name): Name) -> Result<Json<UrlGroupView>, Problem> {
    known(&api, &name).await.map(Json)
}

/// Deletes a URL group.
///
/// What is on its way to its endpoints stays; what is published to it from then on is refused, and ticks of schedules to it
/// publish nothing. The answer is the group as it was.
#[utoipa::path(
    delete,
    path = "/url-groups/{name}",
    operation_id = "delete_url_group",
    params(("name" = String, Path, description = "Of the group", example = "signups")),
    responses((status = 200, body = UrlGroupView)),
    extensions(("x-codes" = json!([problem::URL_GROUP_NOT_FOUND.code]))),
)]
async fn delete(State(api): State<Shared>, Name(name): Name) -> Result<Noted<UrlGroupView>, Problem> {
    let group = known(&api, &name).await?;
    api.parts.publications.delete_group(&name).await?;
    let note = Note { before: serde_json::to_value(&group).ok(), ..Note::default() };
    Ok((Extension(note), Json(group)))
}

async fn known(api: &Api, name: &str) -> Result<UrlGroupView, Problem> {
    api.parts.publications.group(name).await?.ok_or_else(|| unknown(name))
}

pub(super) fn unknown(name: &str) -> Problem {
    Problem::new(&problem::URL_GROUP_NOT_FOUND, format!("there is no URL group {name:?}"))
}
