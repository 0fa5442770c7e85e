//! What can be done about an event and its deliveries: replay, bring elsewhere, cancel, dismiss. Each is one question to
//! the API, and leads back to the event with a word on what came of it.

use axum::{Form, Router, extract::Path, response::Response, routing::post};
use hookhaven_core::{DeliveryId, EventId};
use serde::Deserialize;

use super::super::{Shared, Trouble, Visit};
use crate::{
    api::{
        BulkRequest, CancelAnswer, CancelBecame, JobView,
        view::{BulkAnswer, DeliveryView, ReplayAnswer},
    },
    jobs::{Act, JobFilter, Of, Order},
};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/events/{id}/replay", post(replay_event))
        .route("/events/{id}/send", post(send))
        .route("/deliveries/{id}/replay", post(replay))
        .route("/deliveries/{id}/cancel", post(cancel))
        .route("/deliveries/{id}/dismiss", post(dismiss))
}

fn id<I: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<I, Trouble> {
    text.parse().map_err(|error: I::Err| Trouble::bad(error.to_string()))
}

async fn replay_event(visit: Visit, Path(event): Path<String>) -> Response {
    visit
        .run(async {
            let event: EventId = id(&event)?;
            let answer: ReplayAnswer = visit.api.act(&format!("/events/{event}/replay")).await?;
            let made = answer.replayed.len() + answer.routed.len();
            let said = if made == 1 {
                "One new delivery was made.".into()
            } else {
                format!("{made} new deliveries were made.")
            };
            let first = answer.replayed.first().map(|r| r.replaced_by).or(answer.routed.first().copied());
            let place = first.map(|delivery| format!("#{delivery}")).unwrap_or_default();
            Ok(visit.done(&format!("/events/{event}{place}"), &said))
        })
        .await
}

#[derive(Deserialize)]
struct Send {
    to: String,
    /// Of the page that the form stood on.
    #[serde(default)]
    key: String,
    /// Of a box that was ticked.
    new_key: Option<String>,
}

async fn send(visit: Visit, Path(event): Path<String>, Form(send): Form<Send>) -> Response {
    visit
        .run(async {
            let event: EventId = id(&event)?;
            let order = Order {
                of: Some(Of::Events),
                filter: JobFilter { event: Some(event), ..JobFilter::default() },
                to: Some(send.to.clone()),
                new_key: send.new_key.is_some(),
                ..Order::new(Act::Replay)
            };
            // The same form sent again, by a second click or a reload, finds the job that it made.
            let key = [event.to_string(), send.key.clone(), send.to.clone(), send.new_key.is_some().to_string()];
            let job: JobView = match send.key.is_empty() {
                true => visit.api.post("/jobs", &order).await?,
                false => visit.api.post_once("/jobs", &key.each_ref().map(String::as_str), &order).await?,
            };
            let said = format!("{} brings it to {}; the new delivery appears below.", job.id, send.to);
            Ok(visit.done(&format!("/events/{event}"), &said))
        })
        .await
}

/// Where a delivery is shown.
async fn place(visit: &Visit, delivery: DeliveryId) -> Result<String, Trouble> {
    let found: DeliveryView = visit.api.get(&format!("/deliveries/{delivery}")).await?;
    Ok(format!("/events/{}", found.event))
}

async fn replay(visit: Visit, Path(delivery): Path<String>) -> Response {
    visit
        .run(async {
            let delivery: DeliveryId = id(&delivery)?;
            let at = place(&visit, delivery).await?;
            let answer: ReplayAnswer = visit.api.act(&format!("/deliveries/{delivery}/replay")).await?;
            let became = answer.replayed.first();
            let said =
                if became.is_some_and(|r| r.already) { "It had been replayed before." } else { "It is replayed." };
            let new = became.map_or(delivery, |r| r.replaced_by);
            Ok(visit.done(&format!("{at}#{new}"), said))
        })
        .await
}

async fn cancel(visit: Visit, Path(delivery): Path<String>) -> Response {
    visit
        .run(async {
            let delivery: DeliveryId = id(&delivery)?;
            let at = place(&visit, delivery).await?;
            let answer: CancelAnswer = visit.api.act(&format!("/deliveries/{delivery}/cancel")).await?;
            let said = match answer.became {
                CancelBecame::Done => "It is cancelled.",
                CancelBecame::Asked => "It is being attempted; unless that succeeds, it ends cancelled.",
                CancelBecame::Before => "It had ended, or somebody had asked before.",
            };
            Ok(visit.done(&format!("{at}#{delivery}"), said))
        })
        .await
}

async fn dismiss(visit: Visit, Path(delivery): Path<String>) -> Response {
    visit
        .run(async {
            let delivery: DeliveryId = id(&delivery)?;
            let at = place(&visit, delivery).await?;
            let request = BulkRequest { ids: Some(vec![delivery]), ..BulkRequest::default() };
            let answer: BulkAnswer = visit.api.post("/dead-letters/dismiss", &request).await?;
            let said = if answer.done > 0 { "It is dismissed." } else { "It was no dead letter any more." };
            Ok(visit.done(&format!("{at}#{delivery}"), said))
        })
        .await
}
