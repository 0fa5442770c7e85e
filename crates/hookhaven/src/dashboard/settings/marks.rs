//! Marks: moments that charts show. Telling of one, and taking one away.

use askama::Template;
use axum::{
    Form, Router,
    extract::Path,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;

use super::{Tab, frame, tabs};
use crate::{
    api::{TellMark, view::Listing},
    dashboard::{Frame, Shared, Visit, query::segment},
    marks::Mark,
};

const PATH: &str = "/settings/marks";

pub(super) fn routes() -> Router<Shared> {
    Router::new().route(PATH, get(list).post(tell)).route("/settings/marks/{id}/remove", post(remove))
}

#[derive(Template)]
#[template(path = "settings_marks.html")]
struct Marks<'a> {
    frame: Frame<'a>,
    tabs: Vec<Tab>,
    items: Vec<Mark>,
}

async fn list(visit: Visit) -> Response {
    visit
        .run(async {
            let Listing { items, .. } = visit.api.get("/marks").await?;
            Ok(visit.page(&Marks { frame: frame(&visit, "Marks"), tabs: tabs(&visit, PATH), items }))
        })
        .await
}

#[derive(Deserialize)]
struct Told {
    text: String,
}

async fn tell(visit: Visit, Form(Told { text }): Form<Told>) -> Response {
    visit
        .run(async {
            let mark: Mark = visit.api.post("/marks", &TellMark { text, at: None }).await?;
            Ok(visit.done(PATH, &format!("{} is marked.", mark.text)))
        })
        .await
}

async fn remove(visit: Visit, Path(id): Path<String>) -> Response {
    visit
        .run(async {
            let mark: Mark = visit.api.delete(&format!("/marks/{}", segment(&id))).await?;
            Ok(visit.done(PATH, &format!("{} is marked no more.", mark.text)))
        })
        .await
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use crate::dashboard::tests::Browser;

    #[tokio::test]
    async fn a_deploy_is_marked_and_the_mark_taken_away() {
        let mut browser = Browser::new().await;
        assert_eq!(browser.post("/settings/marks", "text=billing+v42").await.status, StatusCode::SEE_OTHER);
        let shown = browser.get("/settings/marks").await;
        assert!(shown.html.contains("<bdi>billing v42</bdi>"), "{}", shown.html);
        let id = shown.html.split("/settings/marks/").nth(1).unwrap().split('/').next().unwrap().to_owned();
        assert_eq!(browser.post(&format!("/settings/marks/{id}/remove"), "").await.status, StatusCode::SEE_OTHER);
        assert!(!browser.get("/settings/marks").await.html.contains("<bdi>billing v42</bdi>"));
        assert_eq!(browser.post("/settings/marks", "text=+").await.status, StatusCode::BAD_REQUEST);
    }
}
