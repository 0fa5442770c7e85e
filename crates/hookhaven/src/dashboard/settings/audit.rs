//! The audit log: who did what, and what it was before and after.

use askama::Template;
use axum::{Router, extract::Query, response::Response, routing::get};
use serde::Deserialize;
use serde_json::Value;

use super::{Tab, frame, tabs};
use crate::{
    access::audit::AuditEntry,
    api::view::Listing,
    dashboard::{Frame, Shared, Visit, query},
};

const PATH: &str = "/settings/audit";

pub(super) fn routes() -> Router<Shared> {
    Router::new().route(PATH, get(list))
}

/// Empty is left out.
#[derive(Clone, Default, Deserialize)]
struct Filter {
    #[serde(default)]
    who: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    after: String,
}

impl Filter {
    fn path(&self, path: &str, after: &str) -> String {
        let parameters =
            [("who", self.who.as_str()), ("action", &self.action), ("subject", &self.subject), ("after", after)];
        query::path(path, &parameters)
    }
}

#[derive(Template)]
#[template(path = "settings_audit.html")]
struct Audit<'a> {
    frame: Frame<'a>,
    tabs: Vec<Tab>,
    filter: Filter,
    items: Vec<AuditEntry>,
    /// Links to the first page, if this is another, and to the next one; empty if there is none.
    first: String,
    next: String,
}

async fn list(visit: Visit, Query(mut filter): Query<Filter>) -> Response {
    for text in [&mut filter.who, &mut filter.action, &mut filter.subject] {
        *text = text.trim().to_owned();
    }
    visit
        .run(async {
            let Listing { items, next, .. } = visit.api.get(&filter.path("/audit", &filter.after)).await?;
            let first = if filter.after.is_empty() { String::new() } else { filter.path(PATH, "") };
            let next = next.map(|next| filter.path(PATH, &next)).unwrap_or_default();
            let (frame, tabs) = (frame(&visit, "Audit log"), tabs(&visit, PATH));
            Ok(visit.page(&Audit { frame, tabs, filter: filter.clone(), items, first, next }))
        })
        .await
}

/// What changed, in a line: what was before, if that is known, and what is.
fn change(entry: &AuditEntry) -> String {
    let text = |state: &Option<Value>| state.as_ref().map(ToString::to_string);
    match (text(&entry.before), text(&entry.after)) {
        (Some(before), Some(after)) => format!("{before} → {after}"),
        (Some(before), None) => format!("{before} → nothing"),
        (None, after) => after.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use crate::dashboard::tests::Browser;

    #[tokio::test]
    async fn what_was_done_on_a_page_stands_there_with_who_did_it() {
        let mut browser = Browser::new().await;
        browser.post("/destinations/mail/pause", "reason=%3Cb%3Emoves").await;
        let shown = browser.get("/settings/audit?action=destinations.pause&who=&subject=mail").await;
        assert!(shown.html.contains("destinations.pause") && shown.html.contains("admin token"), "{}", shown.html);
        assert!(shown.html.contains("&#60;b&#62;moves"), "{}", shown.html);
        let none = browser.get("/settings/audit?subject=nobody").await;
        assert!(none.html.contains("Nothing was done"), "{}", none.html);
    }
}
