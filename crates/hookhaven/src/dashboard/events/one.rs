//! One event: `/events/{id}`, with its headers, its body, the routes, and each delivery with its attempts. A delivery has
//! no page of its own: `/deliveries/{id}` leads to its place here.

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use hookhaven_core::event::{ANSWERS, PUBLISHED};
use serde::Deserialize;

use super::{
    super::{Frame, Section, Shared, Visit, query, show},
    body::{self, Body},
    curl, download,
    told::{self, Line, Route, Step, Story},
};
use crate::{
    api::{
        DestinationView,
        view::{DeliveryView, EventDetail, Listing},
    },
    cli::verdict,
};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/events/{id}", get(show))
        .route("/events/{id}/body", get(body_file))
        .route("/events/{id}/request", get(request_file))
        .route("/deliveries/{id}", get(delivery))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    /// The form of the body: `pretty`, `raw` or `bytes`.
    body: Option<String>,
}

#[derive(Template)]
#[template(path = "event.html")]
struct Page<'a> {
    frame: Frame<'a>,
    detail: &'a EventDetail,
    /// The address of this event's page.
    path: String,
    verification: Vec<String>,
    occurrence: Option<String>,
    headers: Vec<Line>,
    body: Body,
    shown_bytes_max: u64,
    curl: String,
    /// Where the command goes to.
    curl_to: Option<&'a str>,
    routes: Vec<Route>,
    /// Why it went nowhere, if it did.
    unrouted: Vec<Step>,
    stories: Vec<Story>,
    /// Not everything has ended: the page looks again.
    goes_on: bool,
    dead_letters: usize,
    /// A route takes it now that it went nowhere.
    may_be_routed: bool,
    /// Of the form that brings it elsewhere.
    form_key: String,
    /// Where it may be brought.
    destinations: Vec<&'a str>,
}

async fn show(visit: Visit, Path(id): Path<String>, Query(asked): Query<Asked>) -> Response {
    visit
        .run(async {
            let at = format!("/events/{}", query::segment(&id));
            let body_at = format!("{at}/body");
            let (detail, destinations, (body, bytes)) = tokio::try_join!(
                visit.api.get::<EventDetail>(&at),
                visit.api.get::<Listing<DestinationView>>("/destinations"),
                Body::read(&visit, &body_at, asked.body.as_deref()),
            )?;
            let title = format!("Event {}", detail.event.id);
            let frame = visit.frame(&title, Section::Events);
            Ok(visit.page(&page(frame, &visit, &detail, &destinations.items, body, &bytes)))
        })
        .await
}

fn page<'a>(
    frame: Frame<'a>,
    visit: &Visit,
    detail: &'a EventDetail,
    destinations: &'a [DestinationView],
    body: Body,
    bytes: &[u8],
) -> Page<'a> {
    let find = |name: &str| destinations.iter().find(|d| d.name == name);
    let stories: Vec<Story> =
        detail.deliveries.iter().map(|d| told::story(d, find(&d.delivery.destination), visit.now)).collect();
    let goes = detail.routing.goes_to.iter().find(|to| !to.disabled);
    let last = detail.deliveries.last().map(|d| &*d.delivery.destination);
    let curl_to = last.or(goes.map(|to| &*to.destination));
    let url = curl_to.map(|to| find(to).and_then(|d| d.url.as_deref()).unwrap_or(to));
    let url = url.filter(|url| url.contains("://")).unwrap_or("http://127.0.0.1:3000/webhooks");
    let is_own = matches!(&*detail.event.source, PUBLISHED | ANSWERS);
    let open = |d: &&DestinationView| d.state != "missing" && d.state != "disabled";
    Page {
        frame,
        path: format!("/events/{}", detail.event.id),
        verification: told::verification(detail),
        occurrence: told::occurrence(detail),
        headers: told::headers(&detail.headers),
        curl: curl::command(detail, url, bytes, !body.is_cut, &format!("{}.body", detail.event.id)),
        curl_to,
        body,
        shown_bytes_max: body::SHOWN_BYTES_MAX as u64,
        routes: detail.routing.routes.iter().map(told::route).collect(),
        unrouted: match stories.is_empty() {
            true => {
                verdict::unrouted(&detail.event, &detail.routing).iter().map(|mend| told::step(mend, None)).collect()
            }
            false => Vec::new(),
        },
        goes_on: stories.iter().any(|story| !story.has_ended),
        dead_letters: stories.iter().filter(|story| story.detail.delivery.dead_letter).count(),
        form_key: visit.form_key(),
        may_be_routed: stories.is_empty() && goes.is_some(),
        destinations: if is_own { Vec::new() } else { destinations.iter().filter(open).map(|d| &*d.name).collect() },
        stories,
        detail,
    }
}

async fn body_file(visit: Visit, Path(id): Path<String>) -> Response {
    let path = format!("/events/{}/body", query::segment(&id));
    visit.run(download(&visit, &path, &format!("{}.body", safe(&id)))).await
}

async fn request_file(visit: Visit, Path(id): Path<String>) -> Response {
    let path = format!("/events/{}/request", query::segment(&id));
    visit.run(download(&visit, &path, &format!("{}.request", safe(&id)))).await
}

/// As much of an id as can be in a file's name.
fn safe(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect()
}

async fn delivery(visit: Visit, Path(id): Path<String>) -> Response {
    visit
        .run(async {
            let found: DeliveryView = visit.api.get(&format!("/deliveries/{}", query::segment(&id))).await?;
            Ok(Redirect::to(&format!("/events/{}#{}", found.event, found.id)).into_response())
        })
        .await
}
