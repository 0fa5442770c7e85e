//! The nodes that share the store.

use askama::Template;
use axum::{Router, response::Response, routing::get};

use super::{Tab, frame, tabs};
use crate::{
    api::{NodeView, view::Listing},
    dashboard::{Frame, Shared, Visit},
};

const PATH: &str = "/settings/nodes";

pub(super) fn routes() -> Router<Shared> {
    Router::new().route(PATH, get(list))
}

#[derive(Template)]
#[template(path = "settings_nodes.html")]
struct Nodes<'a> {
    frame: Frame<'a>,
    tabs: Vec<Tab>,
    items: Vec<NodeView>,
}

impl Nodes<'_> {
    /// Whether those that live go by different configurations.
    fn differ(&self) -> bool {
        let mut configs = self.items.iter().filter(|node| node.alive).map(|node| &node.config);
        configs.next().is_some_and(|first| configs.any(|other| other != first))
    }
}

async fn list(visit: Visit) -> Response {
    visit
        .run(async {
            let Listing { items, .. } = visit.api.get("/nodes").await?;
            Ok(visit.page(&Nodes { frame: frame(&visit, "Nodes"), tabs: tabs(&visit, PATH), items }))
        })
        .await
}
