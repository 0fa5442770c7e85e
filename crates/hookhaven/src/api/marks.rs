//! `/marks`: moments that charts show: deploys that people tell of, and what the gateway marks by itself (`marks`).

use std::time::Duration;

use axum::{Extension, Json, extract::State};
use hookhaven_core::{MarkId, Time};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Noted, Shared,
    page::{self, Id, Input, Params},
    problem::{self, Problem},
    view::Listing,
};
use crate::{
    access::{Note, Who},
    marks::{self, MARKS_KEPT, Mark, MarkKind, TEXT_BYTES_MAX},
};

/// How far ahead of ours a teller's clock may be.
const AHEAD_MAX: Duration = Duration::from_secs(60);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list, tell)).routes(routes!(remove))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// From this time on.
    since: Option<Time>,
    /// Before this time.
    until: Option<Time>,
}

/// Lists marks, newest first.
///
/// All that are kept: those of 35 days, 400 that people told of and 100 that the gateway made by itself at most.
#[utoipa::path(
    get,
    path = "/marks",
    operation_id = "list_marks",
    params(ListParams),
    responses((status = 200, body = Listing<Mark>)),
)]
async fn list(State(api): State<Shared>, Params(p): Params<ListParams>) -> Result<Json<Listing<Mark>>, Problem> {
    page::check_span(p.since, p.until)?;
    let mut all = marks::all(&*api.parts.store, api.parts.clock.now()).await?;
    all.retain(|mark| p.since.is_none_or(|since| mark.at >= since) && p.until.is_none_or(|until| mark.at < until));
    Ok(Json(Listing::whole(all)))
}

/// A deploy, or whatever else people will look for on the charts.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "text": "billing v42" }))]
pub struct TellMark {
    /// One line, at most 200 bytes.
    #[schema(min_length = 1, max_length = 200)]
    pub text: String,
    /// When it was; now without it, 35 days ago at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
}

/// Marks a moment on the charts, such as a deploy.
#[utoipa::path(
    post,
    path = "/marks",
    operation_id = "tell_mark",
    request_body = TellMark,
    responses((status = 201, body = Mark)),
)]
async fn tell(
    State(api): State<Shared>,
    Extension(who): Extension<Who>,
    Input(TellMark { text, at }): Input<TellMark>,
) -> Result<(StatusCode, Noted<Mark>), Problem> {
    let now = api.parts.clock.now();
    let at = at.unwrap_or(now);
    let text = text.trim().to_owned();
    check(&text, at, now).map_err(|detail| Problem::new(&problem::BAD_BODY, detail))?;
    let id = MarkId::mint(now, api.parts.entropy.id_bytes());
    let mark = Mark { id, at, kind: MarkKind::Deploy, text, by: who.name.to_string() };
    marks::put(&*api.parts.store, &mark, now).await?;
    Ok((StatusCode::CREATED, (Extension(Note { subject: Some(mark.text.clone()), ..Note::after(&mark) }), Json(mark))))
}

fn check(text: &str, at: Time, now: Time) -> Result<(), String> {
    if text.is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(format!("text: say what it is in 1 to {TEXT_BYTES_MAX} bytes, such as \"billing v42\""));
    }
    if text.contains(char::is_control) {
        return Err("text: one line, without control characters".to_owned());
    }
    if at > now.plus(AHEAD_MAX) {
        return Err(format!("at: {at} is yet to come; the gateway's clock says {now}"));
    }
    if now.since(at) > MARKS_KEPT {
        return Err(format!("at: {at} is more than 35 days ago, which is as far back as charts go"));
    }
    Ok(())
}

/// Takes a mark away.
#[utoipa::path(
    delete,
    path = "/marks/{id}",
    operation_id = "remove_mark",
    params(("id" = MarkId, Path, description = "Of the mark")),
    responses((status = 200, body = Mark)),
    extensions(("x-codes" = json!([problem::MARK_NOT_FOUND.code]))),
)]
async fn remove(State(api): State<Shared>, Id(id): Id<MarkId>) -> Result<Noted<Mark>, Problem> {
    let found = marks::remove(&*api.parts.store, id, api.parts.clock.now()).await?;
    let gone = || Problem::new(&problem::MARK_NOT_FOUND, format!("there is no mark {id}"));
    let mark = found.ok_or_else(gone)?;
    let before = serde_json::to_value(&mark).ok();
    Ok((Extension(Note { subject: Some(mark.text.clone()), before, ..Note::default() }), Json(mark)))
}

#[cfg(test)]
mod tests {
    use hookhaven_store::clock::Clock;
    use serde_json::json;

    use super::*;
    use crate::api::fixture::Scene;

    #[tokio::test]
    async fn a_deploy_is_told_listed_by_time_and_taken_away() {
        let scene = Scene::new();
        let then = scene.clock.now().minus(Duration::from_secs(3_600));
        for (text, at) in [("billing v42", None), (" billing v41 ", Some(then))] {
            let got = scene.post("/api/v1/marks", json!({ "text": text, "at": at })).await;
            assert_eq!(got.status, StatusCode::CREATED);
        }
        let listed = async |query: &str| {
            let page = scene.get(&format!("/api/v1/marks{query}")).await.json();
            let texts = page["items"].as_array().unwrap().iter().map(|mark| mark["text"].as_str().unwrap().to_owned());
            texts.collect::<Vec<_>>()
        };
        assert_eq!(listed("").await, ["billing v42", "billing v41"]);
        assert_eq!(listed(&format!("?until={}", scene.clock.now())).await, ["billing v41"]);
        let first = scene.get("/api/v1/marks").await.json()["items"][0].clone();
        assert_eq!((&first["kind"], &first["by"]), (&json!("deploy"), &json!("admin token")));
        let path = format!("/api/v1/marks/{}", first["id"].as_str().unwrap());
        assert_eq!(scene.send("DELETE", &path, &[], axum::body::Body::empty()).await.status, StatusCode::OK);
        let again = scene.send("DELETE", &path, &[], axum::body::Body::empty()).await;
        assert_eq!(again.code(), "mark_not_found");
        assert_eq!(listed("").await, ["billing v41"]);
    }

    #[tokio::test]
    async fn what_cannot_be_a_mark_is_refused_with_its_mend() {
        let scene = Scene::new();
        let now = scene.clock.now();
        for (text, at, said) in [
            ("  ", now, "1 to 200 bytes"),
            (&"x".repeat(201), now, "1 to 200 bytes"),
            ("a\nb", now, "one line"),
            ("v1", now.plus(Duration::from_secs(3_600)), "yet to come"),
            ("v1", now.minus(MARKS_KEPT * 2), "35 days"),
        ] {
            let got = scene.post("/api/v1/marks", json!({ "text": text, "at": at })).await;
            assert_eq!(got.code(), "bad_body");
            assert!(got.json()["detail"].as_str().unwrap().contains(said), "{text}: {}", got.json());
        }
    }
}
