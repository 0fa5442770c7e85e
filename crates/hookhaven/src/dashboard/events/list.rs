//! The list of events: `/events`.

use askama::Template;
use axum::{
    Router,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use hookhaven_core::{DeliveryState, Time, event::PUBLISHED};

use super::{
    super::{Frame, Section, Shared, Trouble, Visit, query, show},
    filter::{Filter, UNROUTED},
    row::Row,
    search,
};
use crate::api::{
    DestinationView, SourceView,
    view::{EventView, ListedRoute, Listing},
};

/// Events in a page.
const ROWS: &str = "50";
/// Events whose types are offered.
const TYPES_FROM: &str = "500";
const STATES: [DeliveryState; 5] = [
    DeliveryState::Pending,
    DeliveryState::Leased,
    DeliveryState::Delivered,
    DeliveryState::Dead,
    DeliveryState::Cancelled,
];

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/events", get(list))
}

#[derive(Template)]
#[template(path = "events.html")]
pub(super) struct List<'a> {
    pub frame: Frame<'a>,
    pub filter: &'a Filter,
    pub choices: Choices,
    pub rows: Vec<Row>,
    /// The page ends early, because so much was looked at.
    pub looked_back_to: Option<Time>,
    /// Where the list goes on, or empty.
    pub older: String,
    /// Rows are told as they are found, behind this page's beginning.
    pub searches: bool,
}

/// What can be chosen in the filters.
#[derive(Default)]
pub(super) struct Choices {
    pub sources: Vec<String>,
    pub types: Vec<String>,
    pub destinations: Vec<String>,
    pub states: Vec<&'static str>,
}

impl Choices {
    /// Sources and destinations of the config, types of routes and of what came lately.
    pub async fn of(visit: &Visit) -> Result<Self, Trouble> {
        let lately = query::path("/events", &[("limit", TYPES_FROM)]);
        let (sources, destinations, routes, lately) = tokio::try_join!(
            visit.api.get::<Listing<SourceView>>("/sources"),
            visit.api.get::<Listing<DestinationView>>("/destinations"),
            visit.api.get::<Listing<ListedRoute>>("/routes"),
            visit.api.get::<Listing<EventView>>(&lately),
        )?;
        let mut sources: Vec<String> = sources.items.into_iter().map(|source| source.name).collect();
        sources.push(PUBLISHED.to_owned());
        let patterns = routes.items.into_iter().flat_map(|route| route.events).filter(|pattern| pattern != "*");
        let mut types: Vec<String> = patterns.chain(lately.items.into_iter().map(|event| event.event_type)).collect();
        types.sort_unstable();
        types.dedup();
        Ok(Choices {
            sources,
            types,
            destinations: destinations.items.into_iter().map(|destination| destination.name).collect(),
            states: STATES.map(DeliveryState::as_str).into_iter().chain([UNROUTED]).collect(),
        })
    }
}

async fn list(visit: Visit) -> Response {
    visit
        .run(async {
            let filter = Filter::of(&visit);
            if let Some(to) = filter.leads_to() {
                return Ok(Redirect::to(&to).into_response());
            }
            if !filter.text.is_empty() {
                return search::show(&visit, filter).await;
            }
            let question = filter.question(ROWS);
            let (page, choices) =
                tokio::try_join!(visit.api.get::<Listing<EventView>>(&question), Choices::of(&visit))?;
            let rows = Row::all(&visit, page.items).await;
            let older = page.next.map(|next| filter.link(&next)).unwrap_or_default();
            Ok(visit.page(&List {
                frame: visit.frame_over_time("Events", Section::Events),
                filter: &filter,
                choices,
                rows,
                looked_back_to: page.looked_back_to,
                older,
                searches: false,
            }))
        })
        .await
}
