//! The overview: `/`. What comes in and goes out, how fast, what waits, what failed where, which alerts fire; over the
//! chosen span, with deploys and alerts marked. One look at the API, its parts asked for at once.
//!
//! What a gateway shows that has nothing yet is `start`; the choice of colours is here too, since it has no page.

mod failing;
mod glance;
mod remedy;

use askama::Template;
use axum::{
    Form, Router,
    extract::Query,
    response::Response,
    routing::{get, post},
};
use hookhaven_core::EventId;
use serde::Deserialize;

use self::{failing::Failing, glance::Glance, remedy::Firing};
use super::{
    Frame, Section, Shared, Trouble, Visit,
    charts::{ANSWERS, ARRIVALS, ATTEMPTS, Charts, END_TO_END, WAITING, marks},
    query,
    start::{Arrived, Start},
    visit::{self, Range},
};
use crate::api::{AlertState, Alerting, DestinationView, StatsView, Status, view::Listing};

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/", get(show)).route("/theme", post(theme))
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    frame: Frame<'a>,
    status: Status,
    glance: Glance,
    alerts: Vec<Firing>,
    failing: Failing,
    charts: Charts,
    /// The span that is looked at, for links.
    span: String,
    start: Option<Start>,
    arrived: Option<Arrived>,
}

#[derive(Deserialize)]
struct Asked {
    /// A sample event that was just sent.
    sample: Option<String>,
}

async fn show(visit: Visit, Query(asked): Query<Asked>) -> Response {
    visit.run(page(&visit, asked.sample.and_then(|id| id.parse().ok()))).await
}

async fn page(visit: &Visit, sample: Option<EventId>) -> Result<Response, Trouble> {
    let api = &visit.api;
    let since = visit.range.since(visit.now).to_string();
    let until = visit.range.until().map(|until| until.to_string()).unwrap_or_default();
    let (over, lately) = (stats_path(&since, &until), glance::lately_path(visit.now));
    let (status, destinations, alerting, stats, lately, told, arrived) = tokio::try_join!(
        api.get::<Status>("/status"),
        api.get::<Listing<DestinationView>>("/destinations"),
        api.get::<Alerting>("/alerts"),
        api.get::<StatsView>(&over),
        api.get::<StatsView>(&lately),
        marks::told(api, &since, &until),
        Arrived::look(api, sample),
    )?;
    let start = Start::of(visit, &status).await?;
    let span = span(&visit.range);
    let marks = marks::of(told, &alerting.items, &stats);
    let plans = [&ARRIVALS, &ATTEMPTS, &ANSWERS, &END_TO_END, &WAITING];
    let home = Home {
        frame: visit.frame_over_time("Overview", Section::Overview),
        glance: Glance::of(&stats, &lately, &destinations.items, visit.now),
        charts: Charts::new(&stats, &plans, &marks, "/events"),
        failing: Failing::of(&stats, &destinations.items, &span),
        alerts: alerting.items.into_iter().filter(|alert| alert.state == AlertState::Firing).map(Firing::of).collect(),
        status,
        span,
        start,
        arrived,
    };
    Ok(visit.page(&home))
}

fn stats_path(since: &str, until: &str) -> String {
    query::path("/stats", &[("since", since), ("until", until), ("by", "destination")])
}

/// What a link to another page hands on of the span.
fn span(range: &Range) -> String {
    let of = |range: &Range| match range {
        Range::Last(name, _) => query::path("", &[("range", name)]),
        Range::Between(since, until) => {
            query::path("", &[("since", &since.to_string()), ("until", &until.to_string())])
        }
    };
    of(range).split_off(1)
}

#[derive(Deserialize)]
struct Chosen {
    theme: String,
    next: String,
}

/// Light, dark, or as the system has it: remembered by the browser alone.
async fn theme(visit: Visit, Form(chosen): Form<Chosen>) -> Response {
    let mut response = visit.done(&chosen.next, "");
    visit::set_theme(
        &mut response,
        match chosen.theme.as_str() {
            "light" => "light",
            "dark" => "dark",
            _ => "",
        },
    );
    response
}

#[cfg(test)]
mod tests;
