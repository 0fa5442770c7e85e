//! `/routes`: which events go where, as the config file says, filters in words.

use askama::Template;
use axum::{Router, response::Response, routing::get};

use super::{Frame, Section, Shared, Visit};
use crate::api::view::{ListedRoute, Listing};

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/routes", get(list))
}

#[derive(Template)]
#[template(path = "routes.html")]
struct Routes<'a> {
    frame: Frame<'a>,
    items: Vec<ListedRoute>,
}

async fn list(visit: Visit) -> Response {
    visit
        .run(async {
            let Listing { items, .. } = visit.api.get("/routes").await?;
            Ok(visit.page(&Routes { frame: visit.frame("Routes", Section::Destinations), items }))
        })
        .await
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use crate::dashboard::tests::Browser;

    #[tokio::test]
    async fn every_route_is_a_row_with_where_it_leads() {
        let mut browser = Browser::new().await;
        let shown = browser.get("/routes").await;
        assert_eq!(shown.status, StatusCode::OK, "{}", shown.html);
        for text in ["id=\"stripe%231\"", "payment.*", "href=\"/destinations/billing\"", "href=\"/sources/stripe\""] {
            assert!(shown.html.contains(text), "{text} in {}", shown.html);
        }
    }
}
