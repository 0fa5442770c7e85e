//! The dashboard: pages for people, on the admin address.
//!
//! It stands on the admin API alone. A page asks the API's own router, within the process, with what the reader may do
//! ([`inner`]), so that scopes, limits and the audit log hold for clicks as they do for commands; it never reads the
//! store. What is answered are the API's views; a page turns them into HTML with a template (`templates/`), which is
//! checked when this is compiled and escapes whatever comes from outside.
//!
//! Pages are links and forms first: everything works without a script but charts and live views. `htmx` only spares
//! reloads, and `app.js` adds keys, local times and copying. Nothing is loaded from elsewhere, and nothing inline is run
//! or styled ([`shell`] sends the policy). Who reads has a session ([`session`]): a cookie, begun with a token.
//!
//! Growth: a page is one file here with its routes, one template, one line in [`pages`]; where it has a place of its own
//! in the menu, one in [`layout::SECTIONS`].
//!
//! Not here: what is decided or known (the API and what is behind it), the API's own description (`api::docs_page`).

mod assets;
mod charts;
mod inner;
mod layout;
mod query;
mod session;
mod shell;
mod show;
mod visit;
mod words;

mod dead_letters;
mod destinations;
mod events;
mod home;
mod jobs;
mod publishing;
mod rejected;
mod routes;
mod settings;
mod sources;
mod start;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    middleware,
    response::Response,
};
use tower::ServiceExt as _;

use crate::api::{ApiParts, guard};

pub(crate) use self::{
    inner::{Inner, Trouble},
    layout::{Frame, Section},
    visit::Visit,
};

/// What every page gets.
pub(crate) struct Dashboard {
    /// The whole admin API.
    api: Router,
    parts: ApiParts,
}

type Shared = Arc<Dashboard>;

/// Pages, and behind them the admin API: everything on the admin address.
pub fn router(parts: ApiParts) -> Router {
    let dashboard = Arc::new(Dashboard { api: crate::api::router(parts.clone()), parts });
    let pages =
        pages().fallback(shell::no_such_page).layer(middleware::from_fn_with_state(dashboard.clone(), session::check));
    Router::new()
        .merge(pages)
        .merge(session::routes())
        .merge(assets::routes())
        .layer(middleware::from_fn_with_state(dashboard.clone(), shell::around))
        .layer(middleware::map_response(guard::harden))
        .layer(middleware::from_fn_with_state(dashboard.clone(), api_first))
        .with_state(dashboard)
}

/// One line a page.
fn pages() -> Router<Shared> {
    Router::new()
        .merge(home::routes())
        .merge(start::routes())
        .merge(destinations::routes())
        .merge(sources::routes())
        .merge(routes::routes())
        .merge(settings::routes())
        .merge(publishing::routes())
        .merge(dead_letters::routes())
        .merge(jobs::routes())
        .merge(events::routes())
        .merge(rejected::routes())
}

/// What belongs to the API is answered by it, whatever it is.
async fn api_first(State(dashboard): State<Shared>, request: Request, next: middleware::Next) -> Response {
    if of_api(request.uri().path()) {
        let Ok(response) = dashboard.api.clone().oneshot(request).await;
        return response;
    }
    next.run(request).await
}

fn of_api(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    matches!(first, "api" | "docs" | "metrics" | "healthz" | "readyz")
}

#[cfg(test)]
mod tests;
