//! First start: what a gateway shows that has no source, or to which nothing has come yet; what is to be done next, and a
//! signed sample event to see it work.

use axum::{Form, Router, response::Response, routing::post};
use hookhaven_core::EventId;
use serde::Deserialize;
use serde_json::json;

use super::{Inner, Shared, Trouble, Visit, query};
use crate::{
    access::Scope,
    api::{SampleView, SourceView, Status, view::EventDetail, view::Listing},
};

/// Sources that are shown with a button each.
const SOURCES_MAX: usize = 12;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/start/sample", post(sample))
}

/// What there is to do.
pub(super) struct Start {
    /// Empty while the configuration names none.
    pub sources: Vec<SourceView>,
    /// How many there are beside those.
    pub more: usize,
    pub may_operate: bool,
}

impl Start {
    /// `None` once something came in.
    pub async fn of(visit: &Visit, status: &Status) -> Result<Option<Self>, Trouble> {
        if status.store.oldest_event_at.is_some() {
            return Ok(None);
        }
        let mut sources = visit.api.get::<Listing<SourceView>>("/sources").await?.items;
        let more = sources.len().saturating_sub(SOURCES_MAX);
        sources.truncate(SOURCES_MAX);
        Ok(Some(Start { sources, more, may_operate: visit.may(Scope::Operate) }))
    }
}

/// A sample event that came in, and what became of it so far.
pub(super) struct Arrived {
    pub event: EventDetail,
}

impl Arrived {
    pub async fn look(api: &Inner, id: Option<EventId>) -> Result<Option<Self>, Trouble> {
        let Some(id) = id else { return Ok(None) };
        Ok(api.find(&format!("/events/{id}")).await?.map(|event| Arrived { event }))
    }
}

#[derive(Deserialize)]
struct Sample {
    source: String,
}

async fn sample(visit: Visit, Form(Sample { source }): Form<Sample>) -> Response {
    let send = async {
        let path = format!("/sources/{}/sample", query::segment(&source));
        let sent: SampleView = visit.api.post(&path, &json!({})).await?;
        Ok(match sent.event {
            Some(id) => visit.done(&query::path("/", &[("sample", &id.to_string())]), ""),
            None => {
                let why = sent.mend.unwrap_or_default();
                visit.done("/", &format!("The sample event was not accepted: {why}"))
            }
        })
    };
    visit.run(send).await
}
