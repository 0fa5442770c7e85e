//! `/publishing/schedules`: when schedules tick next, and what became of their last tick; pausing, deleting.

use askama::Template;
use axum::{Form, Router, extract::Query, response::Response, routing::get};

use super::{Act, Pages, Tab, Wanted, back};
use crate::{
    api::view::Listing,
    dashboard::{Frame, Section, Shared, Trouble, Visit, query},
    publications::ScheduleView,
};

const PATH: &str = "/publishing/schedules";

pub(super) fn routes() -> Router<Shared> {
    Router::new().route(PATH, get(show).post(act))
}

#[derive(Template)]
#[template(path = "publishing/schedules.html")]
struct Schedules<'a> {
    frame: Frame<'a>,
    tab: Tab,
    wanted: &'a Wanted,
    list: Vec<ScheduleView>,
    pages: Pages,
}

async fn show(visit: Visit, Query(wanted): Query<Wanted>) -> Response {
    visit
        .run(async {
            let Listing { items, next, .. } = visit.api.get(&wanted.of_api("/schedules")).await?;
            let pages = wanted.pages(PATH, next.as_deref());
            let frame = visit.frame("Publishing", Section::Publishing);
            Ok(visit.page(&Schedules { frame, tab: Tab::Schedules, wanted: &wanted, list: items, pages }))
        })
        .await
}

async fn act(visit: Visit, Form(Act { name, act, next }): Form<Act>) -> Response {
    visit
        .run(async {
            let path = format!("/schedules/{}", query::segment(&name));
            let said = match act.as_str() {
                "pause" => {
                    let _: ScheduleView = visit.api.act(&format!("{path}/pause")).await?;
                    format!("The schedule {name} is paused; what would have ticked meanwhile is not made up.")
                }
                "resume" => {
                    let _: ScheduleView = visit.api.act(&format!("{path}/resume")).await?;
                    format!("The schedule {name} is resumed.")
                }
                "delete" => {
                    let _: ScheduleView = visit.api.delete(&path).await?;
                    format!("The schedule {name} is deleted; what it published goes on its way.")
                }
                _ => return Err(Trouble::bad(format!("{act:?} is nothing that is done to schedules"))),
            };
            Ok(visit.done(back(&next, PATH), &said))
        })
        .await
}
