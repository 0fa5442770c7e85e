//! `/publishing/url-groups`: names that stand for several addresses; deleting.

use askama::Template;
use axum::{Form, Router, extract::Query, response::Response, routing::get};

use super::{Act, Pages, Tab, Wanted, back};
use crate::{
    api::view::Listing,
    dashboard::{Frame, Section, Shared, Trouble, Visit, query},
    publications::UrlGroupView,
};

const PATH: &str = "/publishing/url-groups";

pub(super) fn routes() -> Router<Shared> {
    Router::new().route(PATH, get(show).post(act))
}

#[derive(Template)]
#[template(path = "publishing/url_groups.html")]
struct UrlGroups<'a> {
    frame: Frame<'a>,
    tab: Tab,
    wanted: &'a Wanted,
    list: Vec<UrlGroupView>,
    pages: Pages,
}

async fn show(visit: Visit, Query(wanted): Query<Wanted>) -> Response {
    visit
        .run(async {
            let Listing { items, next, .. } = visit.api.get(&wanted.of_api("/url-groups")).await?;
            let pages = wanted.pages(PATH, next.as_deref());
            let frame = visit.frame("Publishing", Section::Publishing);
            Ok(visit.page(&UrlGroups { frame, tab: Tab::UrlGroups, wanted: &wanted, list: items, pages }))
        })
        .await
}

async fn act(visit: Visit, Form(Act { name, act, next }): Form<Act>) -> Response {
    visit
        .run(async {
            if act != "delete" {
                return Err(Trouble::bad(format!("{act:?} is nothing that is done to URL groups")));
            }
            let group: UrlGroupView = visit.api.delete(&format!("/url-groups/{}", query::segment(&name))).await?;
            let said = format!("The URL group {} is deleted; what is on its way to it goes on.", group.name);
            Ok(visit.done(back(&next, PATH), &said))
        })
        .await
}
