//! The store and its disk: what waits, how much there is, how much room is left, whether anything is damaged.

use askama::Template;
use axum::{Router, response::Response, routing::get};

use super::{Tab, frame, tabs};
use crate::{
    api::Status,
    dashboard::{Frame, Shared, Visit},
};

const PATH: &str = "/settings/store";

pub(super) fn routes() -> Router<Shared> {
    Router::new().route(PATH, get(look))
}

#[derive(Template)]
#[template(path = "settings_store.html")]
struct Store<'a> {
    frame: Frame<'a>,
    tabs: Vec<Tab>,
    status: Status,
}

async fn look(visit: Visit) -> Response {
    visit
        .run(async {
            let status = visit.api.get("/status").await?;
            Ok(visit.page(&Store { frame: frame(&visit, "Store"), tabs: tabs(&visit, PATH), status }))
        })
        .await
}
