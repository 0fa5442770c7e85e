//! What happens, as it happens: `/events/live`, and the stream behind it.
//!
//! The stream is the API's, thinned out: a browser cannot show a thousand rows a second, so of each look at the store
//! only the newest are passed on, and how many were left out. The cursor stays the API's own, so that a tab that was
//! hidden goes on where it was.

use std::convert::Infallible;

use askama::Template;
use axum::{
    Router,
    body::{Body, BodyDataStream},
    extract::Query,
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hookhaven_core::Time;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::{Deserialize, Serialize};

use super::{
    super::{Frame, Section, Shared, Visit, query, show},
    cut,
    list::Choices,
};
use crate::api::{
    AttemptTold, LAST_EVENT_ID,
    view::{DeliveryView, EventView},
};

/// Rows that are passed on of one look.
const ROWS_MAX: usize = 25;
/// Longest text of one look: 500 messages, and more.
const LOOK_BYTES_MAX: usize = 8 << 20;
const TEXT_CHARS_MAX: usize = 160;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/events/live", get(page)).route("/events/live/stream", get(follow))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    /// `event`, `attempt` or `dead_letter`; events without it, attempts where a destination is named.
    kind: String,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    destination: String,
    /// A cursor.
    after: String,
}

impl Asked {
    fn kind(&self) -> &str {
        match &*self.kind {
            "event" if !self.destination.is_empty() => "attempt",
            "" if self.destination.is_empty() => "event",
            "" => "attempt",
            kind => kind,
        }
    }

    fn at(&self, path: &str, after: &str) -> String {
        let parameters = [
            ("kind", self.kind()),
            ("source", &self.source),
            ("type", &self.event_type),
            ("destination", &self.destination),
            ("after", after),
        ];
        query::path(path, &parameters)
    }
}

#[derive(Template)]
#[template(path = "events_live.html")]
struct Live<'a> {
    frame: Frame<'a>,
    asked: &'a Asked,
    choices: Choices,
    stream: String,
}

async fn page(visit: Visit, Query(asked): Query<Asked>) -> Response {
    visit
        .run(async {
            let choices = Choices::of(&visit).await?;
            let stream = asked.at("/events/live/stream", "");
            let frame = visit.frame("Events, live", Section::Events);
            Ok(visit.page(&Live { frame, asked: &asked, choices, stream }))
        })
        .await
}

async fn follow(visit: Visit, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    visit
        .run(async {
            let last = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok()).unwrap_or(&asked.after);
            let answer = visit.api.raw(Method::GET, &asked.at("/stream", last), Body::empty()).await?;
            let looks = Looks { body: answer.into_body().into_data_stream(), read: Vec::new() };
            let rows = stream::unfold(looks, async |mut looks| Some((Ok::<_, Infallible>(looks.next().await?), looks)));
            let mut response = Body::from_stream(rows).into_response();
            let set = response.headers_mut();
            set.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            set.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
            Ok(response)
        })
        .await
}

/// What the API writes, a look at a time.
struct Looks {
    body: BodyDataStream,
    read: Vec<u8>,
}

impl Looks {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.read.extend_from_slice(&self.body.next().await?.ok()?);
            let whole = self.read.windows(2).rposition(|two| two == b"\n\n");
            if let Some(at) = whole {
                let text: Vec<u8> = self.read.drain(..at + 2).collect();
                return Some(thinned(&String::from_utf8_lossy(&text)).into());
            }
            if self.read.len() > LOOK_BYTES_MAX {
                return None;
            }
        }
    }
}

/// What a browser is told of one look.
#[derive(Debug, Serialize)]
struct Told {
    /// Oldest first.
    rows: Vec<Line>,
    left_out: usize,
}

/// One row. The script puts texts in as texts.
#[derive(Debug, Serialize)]
struct Line {
    /// What is told twice is known by it.
    id: String,
    at: Time,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    link: String,
    /// Empty of an event.
    state: String,
    what: String,
}

/// The newest rows of what the API wrote, as one message of the same kind.
fn thinned(text: &str) -> String {
    let messages: Vec<&str> = text.split("\n\n").filter(|message| !message.trim().is_empty()).collect();
    let cursor = messages.iter().rev().find_map(|message| field(message, "id")).unwrap_or_default();
    let told: Vec<(&str, &str)> = messages.iter().filter_map(|m| field(m, "event").zip(field(m, "data"))).collect();
    let left_out = told.len().saturating_sub(ROWS_MAX);
    let rows: Vec<Line> = told.iter().skip(left_out).filter_map(|(kind, json)| line(kind, json)).collect();
    let told = Told { rows, left_out };
    // Plain texts and numbers: nothing in it can fail to be JSON, and JSON has no line ends.
    let json = serde_json::to_string(&told).unwrap_or_default();
    format!("id: {cursor}\ndata: {json}\n\n")
}

fn field<'m>(message: &'m str, name: &str) -> Option<&'m str> {
    message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn line(kind: &str, json: &str) -> Option<Line> {
    let texts = |source: &str, event_type: &str| (cut(source, TEXT_CHARS_MAX), cut(event_type, TEXT_CHARS_MAX));
    Some(match kind {
        "event" => {
            let event: EventView = serde_json::from_str(json).ok()?;
            let (source, event_type) = texts(&event.source, &event.event_type);
            let what = show::bytes(&event.body_bytes);
            let link = format!("/events/{}", event.id);
            Line {
                id: event.id.to_string(),
                at: event.received_at,
                source,
                event_type,
                link,
                state: String::new(),
                what,
            }
        }
        "attempt" => {
            let told: AttemptTold = serde_json::from_str(json).ok()?;
            let (source, event_type) = texts(&told.source, &told.event_type);
            let status = told.status.map(|status| format!(" {status},")).unwrap_or_default();
            let took = show::ms(&(told.duration_us as f64 / 1_000.0));
            let what = format!("{}:{status} {took} {}", told.destination, told.error);
            let link = format!("/events/{}#{}", told.event, told.delivery);
            Line {
                id: told.id.to_string(),
                at: told.ended_at,
                source,
                event_type,
                link,
                state: told.outcome,
                what: cut(&what, TEXT_CHARS_MAX),
            }
        }
        _ => {
            let d: DeliveryView = serde_json::from_str(json).ok()?;
            let (source, event_type) = texts(&d.source, &d.event_type);
            let why = d.last_attempt.map(|last| last.error).unwrap_or_default();
            let what = cut(&format!("{}: {why}", d.destination), TEXT_CHARS_MAX);
            let link = format!("/events/{}#{}", d.event, d.id);
            let at = d.ended_at.unwrap_or(d.accepted_at);
            Line { id: d.id.to_string(), at, source, event_type, link, state: d.state, what }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_the_newest_are_told_and_the_cursor_is_the_last() {
        let told = |n: usize| {
            let json = serde_json::json!({
                "id": format!("evt_{}", "0".repeat(26)), "source": "s", "type": format!("t{n}"), "idempotency_key": "k",
                "received_at": "2026-01-01T00:00:00Z", "occurred_at": null, "correlation_id": "c", "matched_secret": 0,
                "remote": "", "body_bytes": 3, "part": null, "delivery_count": 1,
            });
            format!("id: c{n}\nevent: event\ndata: {json}\n\n")
        };
        let text: String = (0..ROWS_MAX + 7).map(told).collect();
        let thin = thinned(&text);
        assert!(thin.starts_with("id: c31\ndata: ") && thin.ends_with("\n\n"), "{thin}");
        let json: serde_json::Value = serde_json::from_str(field(&thin, "data").unwrap()).unwrap();
        assert_eq!((json["left_out"].as_u64(), json["rows"].as_array().unwrap().len()), (Some(7), ROWS_MAX));
        assert_eq!((&json["rows"][0]["type"], &json["rows"][0]["what"]), (&"t7".into(), &"3 B".into()));
        // A beat has a cursor and nothing to tell.
        assert_eq!(thinned("retry: 1000\nid: beat\n\n"), "id: beat\ndata: {\"rows\":[],\"left_out\":0}\n\n");
    }
}
