//! `/settings`: what an operator sets up and looks after. Its tabs are pages, one file each.

mod alerts;
mod audit;
mod config;
mod marks;
mod nodes;
mod store;
mod tokens;

use axum::{
    Router,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};

use super::{Frame, Section, Shared, Visit};
use crate::access::Scope;

/// Name and path of each tab; the first one needs the scope `admin`.
const TABS: [(&str, &str); 7] = [
    ("Tokens", "/settings/tokens"),
    ("Alerts", "/settings/alerts"),
    ("Nodes", "/settings/nodes"),
    ("Store", "/settings/store"),
    ("Config", "/settings/config"),
    ("Audit log", "/settings/audit"),
    ("Marks", "/settings/marks"),
];

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/settings", get(first))
        .merge(tokens::routes())
        .merge(alerts::routes())
        .merge(nodes::routes())
        .merge(store::routes())
        .merge(config::routes())
        .merge(audit::routes())
        .merge(marks::routes())
}

/// Leads to the first tab that the reader may see.
async fn first(visit: Visit) -> Response {
    let [(_, tokens), (_, alerts), ..] = TABS;
    Redirect::to(if visit.may(Scope::Admin) { tokens } else { alerts }).into_response()
}

/// A tab, as pages show it.
struct Tab {
    name: &'static str,
    path: &'static str,
    chosen: bool,
}

/// The tabs that the reader may see; `path` is the page's own.
fn tabs(visit: &Visit, path: &str) -> Vec<Tab> {
    let shown = TABS.into_iter().filter(|(_, path)| *path != TABS[0].1 || visit.may(Scope::Admin));
    shown.map(|(name, of)| Tab { name, path: of, chosen: of == path }).collect()
}

fn frame<'a>(visit: &'a Visit, title: &'a str) -> Frame<'a> {
    visit.frame(title, Section::Settings)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::dashboard::tests::Browser;

    #[tokio::test]
    async fn every_tab_is_a_page_that_names_itself() {
        let mut browser = Browser::new().await;
        assert_eq!(browser.get("/settings").await.headers["location"], "/settings/tokens");
        for (name, path) in TABS {
            let shown = browser.get(path).await;
            assert_eq!(shown.status, StatusCode::OK, "{path}: {}", shown.html);
            let tab = format!("<a href=\"{path}\" aria-current=\"page\">{name}</a>");
            assert!(shown.html.contains(&tab), "{path}: {}", shown.html);
            assert!(!shown.html.contains("s3cret"), "{path}");
        }
    }
}
