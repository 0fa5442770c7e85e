//! `/publishing/queues`: queues, with what waits in them; pausing, deleting.

use askama::Template;
use axum::{Form, Router, extract::Query, response::Response, routing::get};

use super::{Act, Pages, Tab, Wanted, back};
use crate::{
    api::{DeletedQueue, view::Listing},
    dashboard::{Frame, Section, Shared, Trouble, Visit, query, show::count},
    publications::QueueView,
};

const PATH: &str = "/publishing/queues";

pub(super) fn routes() -> Router<Shared> {
    Router::new().route(PATH, get(show).post(act))
}

#[derive(Template)]
#[template(path = "publishing/queues.html")]
struct Queues<'a> {
    frame: Frame<'a>,
    tab: Tab,
    wanted: &'a Wanted,
    list: Vec<QueueView>,
    pages: Pages,
}

async fn show(visit: Visit, Query(wanted): Query<Wanted>) -> Response {
    visit
        .run(async {
            let Listing { items, next, .. } = visit.api.get(&wanted.of_api("/queues")).await?;
            let pages = wanted.pages(PATH, next.as_deref());
            let frame = visit.frame("Publishing", Section::Publishing);
            Ok(visit.page(&Queues { frame, tab: Tab::Queues, wanted: &wanted, list: items, pages }))
        })
        .await
}

async fn act(visit: Visit, Form(Act { name, act, next }): Form<Act>) -> Response {
    visit
        .run(async {
            let path = format!("/queues/{}", query::segment(&name));
            let said = match act.as_str() {
                "pause" => {
                    let _: QueueView = visit.api.act(&format!("{path}/pause")).await?;
                    format!("The queue {name} is paused: it takes messages in and begins none.")
                }
                "resume" => {
                    let _: QueueView = visit.api.act(&format!("{path}/resume")).await?;
                    format!("The queue {name} is resumed.")
                }
                "delete" => said_of(&visit.api.delete(&path).await?),
                _ => return Err(Trouble::bad(format!("{act:?} is nothing that is done to queues"))),
            };
            Ok(visit.done(back(&next, PATH), &said))
        })
        .await
}

fn said_of(DeletedQueue { queue, cancelled, more }: &DeletedQueue) -> String {
    let (name, cancelled) = (&queue.name, count(cancelled));
    match more {
        false => format!("The queue {name} is deleted; {cancelled} messages were cancelled."),
        true => format!("{cancelled} messages of the queue {name} were cancelled and more wait: delete it once more."),
    }
}
