//! `/search`: text in the bodies of events, newest first, told as it is found, a line of JSON each.
//!
//! A search goes on as its answer is read, and ends when its client goes. So many at once, so many events and hits
//! in each; the last line says how far it looked and how to go on. What stands in a field that nobody is shown
//! (`redact`) is not found: else it could be guessed letter by letter.

use std::{convert::Infallible, mem, sync::Arc};

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use hookhaven_core::{EventId, Time};
use hookhaven_store::{EventFilter, Hit, Needle, Searched, StoreError};
use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api, LIMIT_MAX, Shared, masked,
    page::{self, Params},
    problem::{self, Problem},
    schema,
    view::EventView,
};

/// Searches at once.
const SEARCHES_MAX: usize = 2;
/// Events that one search looks at.
pub const SEARCH_EVENTS_MAX: u64 = 1_000_000;
const HITS_DEFAULT: usize = 100;

/// Room for searches.
pub(super) struct Slots(Arc<Semaphore>);

impl Default for Slots {
    fn default() -> Self {
        Slots(Arc::new(Semaphore::new(SEARCHES_MAX)))
    }
}

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(search))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct SearchParams {
    /// What to look for: letters of ASCII in either case, everything else as it stands there.
    #[param(example = "in_1Pk2", min_length = 1, max_length = 200)]
    text: String,
    /// Name of a source in the config file; `publish` for published messages.
    source: Option<String>,
    /// The type as the sender names it; `*` stands for any run of characters.
    #[serde(rename = "type")]
    #[param(example = "invoice.*")]
    event_type: Option<String>,
    /// Received at or after.
    since: Option<Time>,
    /// Received before.
    until: Option<Time>,
    /// `next` of a search that ended early.
    after: Option<EventId>,
    #[param(schema_with = schema::limit)]
    limit: Option<usize>,
}

/// One line of the answer: an object with one of these names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchLine {
    Hit(HitView),
    Progress(LookedView),
    /// The last line.
    End(EndView),
    /// The last line of a search that failed under way.
    Problem(Problem),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HitView {
    pub event: EventView,
    /// Where in the body it begins, first.
    pub at_byte: u64,
    /// What stands around it, as text.
    pub excerpt: String,
}

/// How far a search has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LookedView {
    pub scanned_events: u64,
    pub scanned_bytes: u64,
    /// Bodies that could not be read back, for damage.
    pub unread_events: u64,
    pub hits: u64,
    /// Everything received since then was looked at; `null`: everything.
    pub looked_back_to: Option<Time>,
    /// Where to go on: `after` of the next search; `null`: it is over.
    pub next: Option<EventId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndView {
    #[serde(flatten)]
    pub looked: LookedView,
    /// Whether everything that the filter lets through was looked at.
    pub whole: bool,
}

impl From<Hit> for HitView {
    fn from(Hit { event, place }: Hit) -> Self {
        // Cut where it happened to be cut, perhaps within a character.
        let text = String::from_utf8_lossy(&place.excerpt);
        let excerpt = text.trim_matches(char::REPLACEMENT_CHARACTER).to_owned();
        HitView { event: event.into(), at_byte: place.at_byte, excerpt }
    }
}

/// Searches the bodies of events for text, newest first.
///
/// The answer is a stream of lines, each a JSON object: `hit` as they are found, `progress` now and then, and last
/// `end`, which says whether everything was looked at and where to go on. It ends when the client goes away.
#[utoipa::path(
    get,
    path = "/search",
    operation_id = "search_events",
    params(SearchParams),
    responses((status = 200, body = SearchLine, content_type = "application/x-ndjson", description = "Lines of JSON")),
    extensions(("x-codes" = json!([problem::SEARCHES_RUNNING.code]))),
)]
async fn search(State(api): State<Shared>, Params(params): Params<SearchParams>) -> Result<Response, Problem> {
    page::check_span(params.since, params.until)?;
    page::check_pattern(params.event_type.as_deref())?;
    let hits_max = match params.limit.unwrap_or(HITS_DEFAULT) {
        limit @ 1..=LIMIT_MAX => limit,
        limit => {
            let detail = format!("limit = {limit} is not within 1..{LIMIT_MAX}");
            return Err(Problem::new(&problem::BAD_QUERY, detail));
        }
    };
    let text = Needle::new(&params.text).map_err(|e| Problem::new(&problem::BAD_QUERY, e.to_string()))?;
    let Ok(permit) = api.searches.0.clone().try_acquire_owned() else {
        let detail = format!("{SEARCHES_MAX} searches are running, and no more at once; try again when one has ended");
        return Err(Problem::new(&problem::SEARCHES_RUNNING, detail));
    };
    let filter = EventFilter {
        source: params.source,
        event_type: params.event_type,
        since: params.since,
        until: params.until,
        ..EventFilter::default()
    };
    // What cannot begin is refused as ever.
    let first = api.parts.store.search(&text, &filter, params.after).await?;
    let (looked, first) = (LookedView::default(), Some(first));
    let walk = Walk { api, text, filter, hits_max, looked, first, is_over: false, _permit: permit };
    let lines = stream::unfold(walk, async |mut walk| {
        let lines = walk.step().await?;
        Some((Ok::<_, Infallible>(lines), walk))
    });
    let mut response = Body::from_stream(lines).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

/// A search under way.
struct Walk {
    api: Arc<Api>,
    text: Needle,
    filter: EventFilter,
    hits_max: usize,
    looked: LookedView,
    /// Found before the answer began.
    first: Option<Searched>,
    is_over: bool,
    _permit: OwnedSemaphorePermit,
}

impl Walk {
    /// The lines of the next stretch; `None` after the last.
    async fn step(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        let searched = match self.first.take() {
            Some(first) => Ok(first),
            None => {
                // Others on this thread first: an answer that is read as fast as it is made never waits.
                tokio::task::yield_now().await;
                self.api.parts.store.search(&self.text, &self.filter, self.looked.next).await
            }
        };
        let searched = match searched {
            Ok(searched) => self.shown(searched).await,
            Err(error) => Err(error),
        };
        let mut lines = Vec::new();
        self.is_over = match searched {
            Ok(searched) => !self.tell(searched, &mut lines),
            Err(error) => {
                write(&mut lines, &SearchLine::Problem(error.into()));
                true
            }
        };
        Some(lines.into())
    }

    /// Without hits in what nobody is shown.
    async fn shown(&self, mut searched: Searched) -> Result<Searched, StoreError> {
        let config = self.api.parts.config.load_full();
        let mut shown = Vec::with_capacity(searched.hits.len());
        for hit in mem::take(&mut searched.hits) {
            if config.redactions.of_source(&hit.event.source).is_empty() {
                shown.push(hit);
                continue;
            }
            let Some(event) = self.api.parts.store.event(hit.event.id).await? else { continue };
            shown.extend(self.text.seek(&masked::body(&config, &event)).map(|place| Hit { place, ..hit }));
        }
        Ok(Searched { hits: shown, ..searched })
    }

    /// Whether it goes on.
    fn tell(&mut self, searched: Searched, lines: &mut Vec<u8>) -> bool {
        let LookedView { scanned_events, scanned_bytes, unread_events, .. } = &mut self.looked;
        *scanned_events += searched.events;
        *scanned_bytes += searched.bytes;
        *unread_events += searched.unread;
        self.looked.next = searched.upto;
        let room = self.hits_max - usize::try_from(self.looked.hits).unwrap_or(self.hits_max);
        let is_full = searched.hits.len() >= room;
        for hit in searched.hits.into_iter().take(room) {
            self.looked.hits += 1;
            if is_full && self.looked.hits == self.hits_max as u64 {
                // Whatever lies behind it in this stretch is looked at again.
                self.looked.next = Some(hit.event.id);
            }
            write(lines, &SearchLine::Hit(hit.into()));
        }
        self.looked.looked_back_to = self.looked.next.map(|id| id.minted_at());
        let goes_on = self.looked.next.is_some() && !is_full && self.looked.scanned_events < SEARCH_EVENTS_MAX;
        let looked = self.looked.clone();
        let line = match goes_on {
            true => SearchLine::Progress(looked),
            false => SearchLine::End(EndView { whole: looked.next.is_none(), looked }),
        };
        write(lines, &line);
        goes_on
    }
}

fn write(lines: &mut Vec<u8>, line: &SearchLine) {
    // Into memory, of types that can always be written.
    if serde_json::to_writer(&mut *lines, line).is_ok() {
        lines.push(b'\n');
    }
}
