//! `/stream`: what happens, as it happens, as server-sent events.
//!
//! Each message has a kind (`event`, `attempt`, `dead_letter`), the JSON of it, and the cursor that goes on behind
//! it, which a client gives back as `Last-Event-ID` (browsers do by themselves) or as `after`. A message may come
//! twice after a reconnect; its id tells. Nothing is buffered for a reader but the page that is being written: who
//! reads slowly is told later. Not here: what is told, and that nothing is missed (`live_feed`).

use std::{convert::Infallible, fmt::Write, str::FromStr, sync::Arc};

use axum::{
    Extension,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use hookhaven_core::{AttemptId, DeliveryId, EventId, Time, glob::Glob};
use hookhaven_store::AttemptRow;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Shared,
    page::Params,
    problem::{self, Problem},
    view::{DeliveryView, EventView},
};
use crate::{
    access::Who,
    live_feed::{
        Feed, Told, Turn,
        cursor::Cursor,
        wanted::{Outcome, Wanted},
    },
};

/// Streams open at once on one node: each asks the store some ten questions a second.
pub const STREAMS_MAX: usize = 32;
/// How a client says where it was; by the HTML standard.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// After how long a client should come again when the stream ends, in milliseconds.
const RECONNECT_MS: u32 = 1_000;

const EVENT: &str = "event";
const ATTEMPT: &str = "attempt";
const DEAD_LETTER: &str = "dead_letter";

/// Held by each open stream.
pub(super) type Seats = Arc<Semaphore>;

pub(super) fn seats() -> Seats {
    Arc::new(Semaphore::new(STREAMS_MAX))
}

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(open))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct StreamParams {
    /// Kinds of messages, separated by commas; all without it, save `event` where a destination or an outcome is
    /// asked for.
    kind: Option<String>,
    /// Only what concerns events of this source.
    source: Option<String>,
    /// Only what concerns events of these types: a glob.
    #[serde(rename = "type")]
    #[param(example = "invoice.*")]
    event_type: Option<String>,
    /// Only what concerns this destination; an event as such concerns none.
    destination: Option<String>,
    /// Attempts that ended so, separated by commas: `delivered`, `retry`, `dead`, `cancelled`.
    outcome: Option<String>,
    /// From this time on; now without it.
    since: Option<Time>,
    /// A cursor of an earlier stream (the field `id` of its last message); the header `Last-Event-ID` goes before it.
    after: Option<String>,
}

/// An attempt, as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttemptTold {
    pub id: AttemptId,
    /// From 1; lost ones count.
    pub number: u32,
    pub delivery: DeliveryId,
    pub event: EventId,
    pub source: String,
    #[serde(rename = "type")]
    pub event_type: String,
    pub destination: String,
    /// `delivered`, `retry`, `dead` or `cancelled`.
    pub outcome: String,
    pub class: String,
    pub status: Option<u16>,
    pub error: String,
    pub ended_at: Time,
    pub duration_us: u64,
    /// When the next attempt is due; `null` if there will be none, or it has been made.
    pub due_at: Option<Time>,
    /// Why the delivery ended without being delivered.
    pub end_reason: Option<String>,
}

impl AttemptTold {
    fn of(row: AttemptRow) -> Self {
        let outcome = Outcome::of(&row);
        let AttemptRow { id, at, duration_us, class, status, error, delivery: d } = row;
        let waits = outcome == Outcome::Retry && at.number == d.tries && !d.state.is_final();
        let ended = matches!(outcome, Outcome::Dead | Outcome::Cancelled);
        AttemptTold {
            id,
            number: at.number,
            delivery: d.id,
            event: d.event,
            source: d.source.to_string(),
            event_type: d.event_type.to_string(),
            destination: d.destination.to_string(),
            outcome: outcome.as_str().to_owned(),
            class: class.as_str().to_owned(),
            status,
            error: error.to_string(),
            ended_at: at.ended_at,
            duration_us,
            due_at: waits.then_some(d.due_at),
            end_reason: d.end_reason.filter(|_| ended).map(|reason| reason.as_str().to_owned()),
        }
    }
}

/// Tells what happens, as it happens, as server-sent events.
///
/// Messages of the kinds `event` (as in `/events`), `attempt` and `dead_letter` (as in `/deliveries`). Each has in `id`
/// the cursor that goes on behind it. The stream ends with the token only; when the connection is lost, go on with the
/// last cursor: nothing is missed then, and some messages may come twice, to be told by the `id` in their data.
#[utoipa::path(
    get,
    path = "/stream",
    operation_id = "follow_stream",
    params(StreamParams),
    responses((
        status = 200,
        body = AttemptTold,
        content_type = "text/event-stream",
        description = "Server-sent events, without end",
    )),
    extensions(("x-codes" = json!([problem::TOO_MANY_STREAMS.code]))),
)]
async fn open(
    State(api): State<Shared>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    Params(params): Params<StreamParams>,
) -> Result<Response, Problem> {
    let parts = &api.parts;
    let wanted = wanted(&params)?;
    let from = match cursor(&headers, &params)? {
        Some(cursor) => cursor,
        None => Cursor::at(params.since.unwrap_or(parts.clock.now())),
    };
    let seat = api.streams.clone().try_acquire_owned().map_err(|_| {
        let detail = format!("{STREAMS_MAX} streams are open on this node; close one, or ask another node");
        Problem::new(&problem::TOO_MANY_STREAMS, detail)
    })?;
    let (signals, access, clock) = (parts.signals.clone(), parts.access.clone(), parts.clock.clone());
    let stops = move || signals.accepting().is_err() || !access.still_opens(&who, clock.now());
    let feed = Feed::new(parts.store.clone(), parts.clock.clone(), wanted, from, stops);
    let mut response = Body::from_stream(stream::unfold((feed, seat), chunk)).into_response();
    let set = response.headers_mut();
    set.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // Proxies would else wait for the end before they pass anything on.
    set.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// What is written next; `None` ends the stream.
async fn chunk(
    (mut feed, seat): (Feed, OwnedSemaphorePermit),
) -> Option<(Result<Bytes, Infallible>, (Feed, OwnedSemaphorePermit))> {
    let text = match feed.next().await {
        Turn::End => return None,
        // Without data it is no message, but the cursor counts.
        Turn::Beat(cursor) => format!("retry: {RECONNECT_MS}\nid: {cursor}\n\n"),
        Turn::Told(all) => all.into_iter().fold(String::new(), |mut text, (cursor, told)| {
            let (kind, json) = message(told);
            // Writing to a String does not fail, and JSON has no line ends.
            let _ = write!(text, "id: {cursor}\nevent: {kind}\ndata: {json}\n\n");
            text
        }),
    };
    Some((Ok(Bytes::from(text)), (feed, seat)))
}

fn message(told: Told) -> (&'static str, String) {
    let (kind, json) = match told {
        Told::Event(row) => (EVENT, serde_json::to_string(&EventView::from(row))),
        Told::Attempt(row) => (ATTEMPT, serde_json::to_string(&AttemptTold::of(row))),
        Told::DeadLetter(row) => (DEAD_LETTER, serde_json::to_string(&DeliveryView::from(row))),
    };
    // Views are plain texts and numbers: nothing in them can fail to be JSON.
    (kind, json.unwrap_or_default())
}

fn cursor(headers: &HeaderMap, params: &StreamParams) -> Result<Option<Cursor>, Problem> {
    let sent = headers.get(LAST_EVENT_ID).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let text = sent.filter(|text| !text.is_empty()).or_else(|| params.after.clone());
    let Some(text) = text else { return Ok(None) };
    Cursor::from_str(&text).map(Some).map_err(|bad| Problem::new(&problem::BAD_QUERY, bad.to_string()))
}

fn wanted(params: &StreamParams) -> Result<Wanted, Problem> {
    let bad = |detail: String| Problem::new(&problem::BAD_QUERY, detail);
    let event_type = params.event_type.as_deref().map(Glob::parse).transpose();
    let outcomes = words(params.outcome.as_deref()).map(|word| {
        let known = || Outcome::ALL.map(Outcome::as_str).join(", ");
        Outcome::parse(word).ok_or_else(|| bad(format!("outcome {word:?} is none of {}", known())))
    });
    let mut wanted = Wanted {
        source: params.source.clone(),
        event_type: event_type.map_err(|e| bad(format!("type: {e}")))?,
        destination: params.destination.clone(),
        outcomes: outcomes.collect::<Result<_, _>>()?,
        ..Wanted::everything()
    };
    let narrow = wanted.destination.is_some() || !wanted.outcomes.is_empty();
    // What has not died is no dead letter.
    let dead_letters = wanted.outcomes.is_empty() || wanted.outcomes.contains(&Outcome::Dead);
    (wanted.events, wanted.dead_letters) = (!narrow, dead_letters);
    if params.kind.is_some() {
        let kinds: Vec<&str> = words(params.kind.as_deref()).collect();
        if let Some(odd) = kinds.iter().find(|kind| ![EVENT, ATTEMPT, DEAD_LETTER].contains(kind)) {
            return Err(bad(format!("kind {odd:?} is none of {EVENT}, {ATTEMPT}, {DEAD_LETTER}")));
        }
        if narrow && kinds.contains(&EVENT) {
            return Err(bad("an event as such has no destination and no outcome; leave kind=event out".to_owned()));
        }
        let among = |kind| kinds.contains(&kind);
        (wanted.events, wanted.attempts) = (among(EVENT), among(ATTEMPT));
        wanted.dead_letters = among(DEAD_LETTER);
    }
    Ok(wanted)
}

/// Words separated by commas.
fn words(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.into_iter().flat_map(|text| text.split(',')).map(str::trim).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;
    use crate::api::fixture::{Scene, TOKEN};

    async fn opened(scene: &Scene, query: &str, cursor: Option<&str>) -> Body {
        opened_with(scene, TOKEN, query, cursor).await
    }

    async fn opened_with(scene: &Scene, token: &str, query: &str, cursor: Option<&str>) -> Body {
        let mut request = http::Request::builder().uri(format!("/api/v1/stream{query}"));
        request = request.header("host", "localhost").header("authorization", format!("Bearer {token}"));
        if let Some(cursor) = cursor {
            request = request.header(LAST_EVENT_ID, cursor);
        }
        let response = scene.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        response.into_body()
    }

    /// What is written next; time goes on while it is waited for.
    async fn written(body: &mut Body, scene: &Scene) -> String {
        let frame = body.frame();
        tokio::pin!(frame);
        loop {
            tokio::select! {
                biased;
                frame = &mut frame => {
                    let bytes = frame.unwrap().unwrap().into_data().unwrap();
                    return String::from_utf8(bytes.to_vec()).unwrap();
                }
                () = tokio::task::yield_now() => scene.clock.advance(Duration::from_millis(100)),
            }
        }
    }

    #[tokio::test]
    async fn messages_have_a_cursor_a_kind_and_json_of_one_line() {
        let scene = Scene::new();
        let mut body = opened(&scene, "", None).await;
        let hello = written(&mut body, &scene).await;
        let cursor = hello.strip_prefix("retry: 1000\nid: ").unwrap().strip_suffix("\n\n").unwrap().to_owned();
        let id = scene.accept("stripe", "payment.\n\u{1b}\u{2028}odd", b"{}").await;
        let told = written(&mut body, &scene).await;
        let lines: Vec<_> = told.lines().collect();
        assert_eq!((lines.len(), lines[1], lines[3]), (4, "event: event", ""), "{told}");
        let data: serde_json::Value = serde_json::from_str(lines[2].strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(
            (data["id"].as_str(), data["type"].as_str()),
            (Some(&*id.to_string()), Some("payment.\n\u{1b}\u{2028}odd"))
        );
        // Both ways to go on.
        for (query, header) in [(format!("?after={cursor}"), None), (String::new(), Some(&*cursor))] {
            let mut body = opened(&scene, &query, header).await;
            written(&mut body, &scene).await;
            assert!(written(&mut body, &scene).await.contains(&id.to_string()));
        }
    }

    #[tokio::test]
    async fn what_cannot_be_followed_is_refused_with_the_mend() {
        let scene = Scene::new();
        for (query, said) in [
            ("kind=events", "none of event, attempt, dead_letter"),
            ("outcome=failed", "none of delivered, retry, dead, cancelled"),
            ("type=%5Ba-z%5D", "only * does"),
            ("destination=billing&kind=event", "leave kind=event out"),
            ("after=evt_1", "is no cursor"),
            ("sources=stripe", "unknown field"),
        ] {
            let got = scene.get(&format!("/api/v1/stream?{query}")).await;
            assert_eq!((got.status.as_u16(), got.code()), (400, "bad_query".to_owned()), "{query}");
            let detail = got.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains(said), "{query}: {detail}");
        }
    }

    #[tokio::test]
    async fn a_seat_is_free_when_its_stream_has_gone() {
        let scene = Scene::new();
        let mut open = Vec::new();
        for _ in 0..STREAMS_MAX {
            open.push(opened(&scene, "", None).await);
        }
        let got = scene.get("/api/v1/stream").await;
        assert_eq!((got.status.as_u16(), got.code()), (503, "too_many_streams".to_owned()));
        assert_eq!(got.headers[header::RETRY_AFTER], "5");
        open.pop();
        open.push(opened(&scene, "", None).await);
    }

    /// Whether it ends before so long a time.
    async fn ends(body: &mut Body, scene: &Scene) -> bool {
        for _ in 0..100 {
            let frame = body.frame();
            tokio::pin!(frame);
            for _ in 0..20 {
                tokio::select! {
                    biased;
                    frame = &mut frame => match frame {
                        None => return true,
                        Some(_) => break,
                    },
                    () = tokio::task::yield_now() => scene.clock.advance(Duration::from_millis(100)),
                }
            }
        }
        false
    }

    #[tokio::test]
    async fn a_stream_ends_with_its_token() {
        let scene = Scene::new();
        for (name, expires_in_s) in [("revoked", 86_400), ("expired", 60)] {
            let wanted = serde_json::json!({ "name": name, "scopes": ["read"], "expires_in_s": expires_in_s });
            let token = scene.post("/api/v1/tokens", wanted).await.json()["token"].as_str().unwrap().to_owned();
            let mut body = opened_with(&scene, &token, "", None).await;
            written(&mut body, &scene).await;
            match name {
                "revoked" => {
                    let gone = scene.send("DELETE", "/api/v1/tokens/revoked", &[], Body::empty()).await;
                    assert_eq!(gone.status, 200);
                }
                _ => scene.clock.advance(Duration::from_secs(60)),
            }
            assert!(ends(&mut body, &scene).await, "{name}");
        }
        let mut own = opened(&scene, "", None).await;
        assert!(!ends(&mut own, &scene).await, "the admin token has no end");
    }
}
