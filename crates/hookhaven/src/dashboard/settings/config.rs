//! The configuration in force, where each value comes from, and what the file says differently.

use askama::Template;
use axum::{Router, response::Response, routing::get};

use super::{Tab, frame, tabs};
use crate::{
    api::ConfigView,
    dashboard::{Frame, Shared, Visit},
};

const PATH: &str = "/settings/config";

pub(super) fn routes() -> Router<Shared> {
    Router::new().route(PATH, get(look))
}

#[derive(Template)]
#[template(path = "settings_config.html")]
struct Config<'a> {
    frame: Frame<'a>,
    tabs: Vec<Tab>,
    c: ConfigView,
}

async fn look(visit: Visit) -> Response {
    visit
        .run(async {
            let c = visit.api.get("/config").await?;
            Ok(visit.page(&Config { frame: frame(&visit, "Config"), tabs: tabs(&visit, PATH), c }))
        })
        .await
}

/// A key as it stands under its section's name.
fn key<'k>(key: &'k str, section: &str) -> &'k str {
    key.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_under_its_section() {
        assert_eq!(key("limits.body_timeout", "limits"), "body_timeout");
        assert_eq!(key("routes[0].retry.attempts", "routes[0]"), "retry.attempts");
        assert_eq!(key("limits", "limits"), "limits");
    }
}
