//! Rejected requests: the list, one with its diagnosis, and their release, one or all that a filter names.
//!
//! A release of many shows first what it would come to, and is done a page of the quarantine at a time: the answer says
//! what could not be released and why, and offers to go on.

use askama::Template;
use axum::{
    Form, Router,
    extract::{Path, Query},
    response::Response,
    routing::{get, post},
};
use hookhaven_core::{RejectedId, Time, sender::Rejection};
use serde::Deserialize;

use super::{
    Frame, Section, Shared, Trouble, Visit,
    events::{self, ShownBody},
    query, show,
};
use crate::api::{
    RejectedDetail, RejectedSelection, RejectedView, ReleaseAnswer, ReleaseRequest, ReleasedView, SourceView,
    view::{Listing, Text},
};

/// Requests in a page.
const ROWS: &str = "50";
/// Shown of those that were not released.
const REFUSED_SHOWN_MAX: usize = 50;
/// Shown of a header's value.
const VALUE_CHARS_MAX: usize = 2_000;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/rejected", get(list))
        .route("/rejected/release", post(release_many))
        .route("/rejected/{id}", get(one))
        .route("/rejected/{id}/body", get(body_file))
        .route("/rejected/{id}/release", post(release_one))
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    source: String,
    reason: String,
    /// `true`, `false` or empty for both.
    released: String,
    after: String,
}

impl Asked {
    fn link(&self, visit: &Visit, after: &str) -> String {
        let until = visit.range.until().map(|until| until.to_string()).unwrap_or_default();
        let since = if until.is_empty() { String::new() } else { visit.range.since(visit.now).to_string() };
        let parameters = [
            ("source", &*self.source),
            ("reason", &self.reason),
            ("released", &self.released),
            ("range", visit.range.name()),
            ("since", &since),
            ("until", &until),
            ("after", after),
        ];
        query::path("/rejected", &parameters)
    }
}

#[derive(Template)]
#[template(path = "rejected.html")]
struct List<'a> {
    frame: Frame<'a>,
    asked: &'a Asked,
    items: &'a [RejectedView],
    sources: Vec<String>,
    reasons: Vec<&'static str>,
    since: Time,
    until: Option<Time>,
    newest: String,
    older: String,
    is_narrow: bool,
}

async fn list(visit: Visit, Query(asked): Query<Asked>) -> Response {
    visit
        .run(async {
            let (since, until) = (visit.range.since(visit.now), visit.range.until());
            let (since_text, until_text) = (since.to_string(), until.map(|at| at.to_string()).unwrap_or_default());
            let parameters = [
                ("source", &*asked.source),
                ("reason", &asked.reason),
                ("released", &asked.released),
                ("since", &since_text),
                ("until", &until_text),
                ("after", &asked.after),
                ("limit", ROWS),
            ];
            let path = query::path("/rejected", &parameters);
            let (page, sources) = tokio::try_join!(
                visit.api.get::<Listing<RejectedView>>(&path),
                visit.api.get::<Listing<SourceView>>("/sources"),
            )?;
            let older = page.next.map(|next| asked.link(&visit, &next)).unwrap_or_default();
            let newest = if asked.after.is_empty() { String::new() } else { asked.link(&visit, "") };
            Ok(visit.page(&List {
                frame: visit.frame_over_time("Rejected requests", Section::Rejected),
                items: &page.items,
                sources: sources.items.into_iter().map(|source| source.name).collect(),
                reasons: Rejection::ALL.map(Rejection::as_str).to_vec(),
                since,
                until,
                newest,
                older,
                is_narrow: !(asked.source.is_empty() && asked.reason.is_empty() && asked.released.is_empty()),
                asked: &asked,
            }))
        })
        .await
}

#[derive(Template)]
#[template(path = "rejection.html")]
struct One<'a> {
    frame: Frame<'a>,
    detail: &'a RejectedDetail,
    headers: Vec<(&'a str, String)>,
    /// The verdict of the diagnosis in words.
    verdict: &'static str,
    body: ShownBody,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Shown {
    body: Option<String>,
}

async fn one(visit: Visit, Path(id): Path<String>, Query(shown): Query<Shown>) -> Response {
    visit
        .run(async {
            let at = format!("/rejected/{}", query::segment(&id));
            let body_at = format!("{at}/body");
            let (detail, (body, _)) = tokio::try_join!(
                visit.api.get::<RejectedDetail>(&at),
                ShownBody::read(&visit, &body_at, shown.body.as_deref()),
            )?;
            let value = |value: &Text| events::cut(&String::from_utf8_lossy(&value.to_bytes()), VALUE_CHARS_MAX);
            let headers = detail.headers.iter().map(|line| (&*line.name, value(&line.value))).collect();
            let verdict = detail.diagnosis.as_ref().map_or("", |diagnosis| verdict(&diagnosis.verdict));
            let title = format!("Rejected request {}", detail.rejected.id);
            let frame = visit.frame(&title, Section::Rejected);
            Ok(visit.page(&One { frame, detail: &detail, headers, verdict, body }))
        })
        .await
}

fn verdict(name: &str) -> &'static str {
    match name {
        "holds" => "By the configuration of now its signature holds: it can be released.",
        "holds_restored" => {
            "Its signature holds for the body as it was before something on the way wrote it anew: it can be released, \
             with that body."
        }
        "truncated" => "Not all of its body is kept, so nobody can say whether its signature holds.",
        "key_needed" => "A key that the sender publishes is needed to judge it, and could not be fetched.",
        _ => "Its signature does not hold by the configuration of now either.",
    }
}

async fn body_file(visit: Visit, Path(id): Path<String>) -> Response {
    let name: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect();
    let path = format!("/rejected/{}/body", query::segment(&id));
    visit.run(events::download(&visit, &path, &format!("{name}.body"))).await
}

async fn release_one(visit: Visit, Path(id): Path<String>) -> Response {
    visit
        .run(async {
            let id: RejectedId =
                id.parse().map_err(|error: hookhaven_core::id::BadId| Trouble::bad(error.to_string()))?;
            let request = ReleaseRequest { ids: Some(vec![id]), ..ReleaseRequest::default() };
            let answer: ReleaseAnswer = visit.api.post("/rejected/release", &request).await?;
            let item = answer.items.into_iter().next();
            let (to, said) = match item.as_ref().map(|item| (&*item.outcome, item.event, item.detail.as_deref())) {
                Some(("released", Some(event), _)) => {
                    (format!("/events/{event}"), "It was released as this event.".into())
                }
                Some(("duplicate", Some(event), _)) => {
                    (format!("/events/{event}"), "Its sender had sent it again; this is the event.".into())
                }
                Some((outcome, _, detail)) => (
                    format!("/rejected/{id}"),
                    format!("It was not released ({outcome}): {}", detail.unwrap_or_default()),
                ),
                None => (format!("/rejected/{id}"), "It was not released.".to_owned()),
            };
            Ok(visit.done(&to, &said))
        })
        .await
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ReleaseForm {
    source: String,
    reason: String,
    since: String,
    until: String,
    after: String,
    /// What it would come to was seen.
    sure: String,
}

impl ReleaseForm {
    fn request(&self) -> Result<ReleaseRequest, Trouble> {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let time = |text: &str| match text {
            "" => Ok(None),
            text => Time::parse_rfc3339(text).map(Some).ok_or_else(|| Trouble::bad(format!("{text:?} is no time"))),
        };
        let filter = RejectedSelection {
            source: some(&self.source),
            reason: some(&self.reason),
            since: time(&self.since)?,
            until: time(&self.until)?,
        };
        let after = some(&self.after).map(|text| text.parse()).transpose();
        let after = after.map_err(|error: hookhaven_core::id::BadId| Trouble::bad(error.to_string()))?;
        Ok(ReleaseRequest { filter: Some(filter), dry_run: self.sure.is_empty(), after, ids: None })
    }
}

#[derive(Template)]
#[template(path = "rejected_release.html")]
struct Released<'a> {
    frame: Frame<'a>,
    form: &'a ReleaseForm,
    answer: &'a ReleaseAnswer,
    /// What could not be released.
    refused: Vec<&'a ReleasedView>,
    /// The bound in time that later steps keep.
    until: String,
    next: String,
}

async fn release_many(visit: Visit, Form(form): Form<ReleaseForm>) -> Response {
    visit
        .run(async {
            let answer: ReleaseAnswer = visit.api.post("/rejected/release", &form.request()?).await?;
            let held = |item: &&ReleasedView| matches!(&*item.outcome, "refused" | "no_event");
            let title = if answer.dry_run { "Release rejected requests" } else { "Released" };
            Ok(visit.page(&Released {
                frame: visit.frame(title, Section::Rejected),
                form: &form,
                refused: answer.items.iter().filter(held).take(REFUSED_SHOWN_MAX).collect(),
                until: answer.until.map_or(form.until.clone(), |until| until.to_string()),
                next: answer.next.map(|next| next.to_string()).unwrap_or_default(),
                answer: &answer,
            }))
        })
        .await
}

#[cfg(test)]
mod tests;
