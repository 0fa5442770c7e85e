//! `/publishing/flow-control`: keys that limit how many messages go out; pausing, pinning, beginning their count anew.

use std::str::FromStr;

use askama::Template;
use axum::{Form, Router, extract::Query, response::Response, routing::get};
use serde::Deserialize;

use super::{Pages, Tab, Wanted, back};
use crate::{
    api::{PinRequest, view::Listing},
    dashboard::{Frame, Section, Shared, Trouble, Visit, query},
    publications::FlowControlView,
};

const PATH: &str = "/publishing/flow-control";

pub(super) fn routes() -> Router<Shared> {
    Router::new().route(PATH, get(show).post(act))
}

#[derive(Template)]
#[template(path = "publishing/flow_control.html")]
struct FlowControl<'a> {
    frame: Frame<'a>,
    tab: Tab,
    wanted: &'a Wanted,
    list: Vec<FlowControlView>,
    pages: Pages,
}

async fn show(visit: Visit, Query(wanted): Query<Wanted>) -> Response {
    visit
        .run(async {
            let Listing { items, next, .. } = visit.api.get(&wanted.of_api("/flow-control")).await?;
            let pages = wanted.pages(PATH, next.as_deref());
            let frame = visit.frame("Publishing", Section::Publishing);
            Ok(visit.page(&FlowControl { frame, tab: Tab::FlowControl, wanted: &wanted, list: items, pages }))
        })
        .await
}

#[derive(Deserialize)]
struct Act {
    name: String,
    act: String,
    #[serde(default)]
    next: String,
    /// Of a pin; what is empty stays as it is.
    #[serde(default)]
    parallelism: String,
    #[serde(default)]
    rate: String,
    #[serde(default)]
    period_s: String,
}

async fn act(visit: Visit, Form(asked): Form<Act>) -> Response {
    visit
        .run(async {
            let name = &asked.name;
            let path = |act: &str| format!("/flow-control/{}/{act}", query::segment(name));
            let (view, said): (FlowControlView, _) = match asked.act.as_str() {
                "pause" => (visit.api.act(&path("pause")).await?, "is paused: what is published under it waits"),
                "resume" => (visit.api.act(&path("resume")).await?, "is resumed"),
                "reset" => (visit.api.act(&path("reset")).await?, "counts its rate anew from now on"),
                "unpin" => (visit.api.act(&path("unpin")).await?, "takes its limits from messages again"),
                "pin" => {
                    let view = visit.api.post(&path("pin"), &pin(&asked)?).await?;
                    (view, "is pinned: messages do not change these limits")
                }
                other => return Err(Trouble::bad(format!("{other:?} is nothing that is done to flow control"))),
            };
            Ok(visit.done(back(&asked.next, PATH), &format!("The key \u{2068}{}\u{2069} {said}.", view.name)))
        })
        .await
}

fn pin(asked: &Act) -> Result<PinRequest, Trouble> {
    Ok(PinRequest {
        parallelism: number("the parallelism", &asked.parallelism)?,
        rate: number("the rate", &asked.rate)?,
        period_s: number("the period", &asked.period_s)?,
    })
}

fn number<T: FromStr>(what: &str, text: &str) -> Result<Option<T>, Trouble> {
    match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| Trouble::bad(format!("{what} is a whole number, not {text:?}"))),
    }
}
