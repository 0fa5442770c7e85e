//! Two events side by side: which facts, headers and values of their bodies differ. `/events/{id}/compare?with=…`; without
//! another event, the last one of the same type that was delivered: what is different about the one that fails.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use futures_util::StreamExt as _;
use http::Method;
use serde::Deserialize;
use serde_json::Value;

use super::{
    super::{Frame, Section, Shared, Trouble, Visit, query},
    cut, told,
};
use crate::api::view::{EventDetail, EventView, Listing};

/// Read of each body.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Differences that are shown.
const ROWS_MAX: usize = 500;
/// Shown of a value.
const VALUE_CHARS_MAX: usize = 1_000;
/// Deeper values are compared whole.
const DEPTH_MAX: usize = 64;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/events/{id}/compare", get(compare))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    with: String,
}

/// One thing that is not the same; `None`: it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub name: String,
    pub left: Option<String>,
    pub right: Option<String>,
}

/// What was found of one kind of thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    pub rows: Vec<Difference>,
    pub same: usize,
    /// Beyond what is shown.
    pub more: usize,
}

#[derive(Template)]
#[template(path = "event_compare.html")]
struct Page<'a> {
    frame: Frame<'a>,
    left: &'a EventDetail,
    right: &'a EventDetail,
    /// `None`: of the bodies one is no JSON.
    sections: [(&'static str, Option<Differences>); 3],
    bodies_are_same: bool,
    /// Only the beginning of a body was looked at.
    is_cut: bool,
}

async fn compare(visit: Visit, Path(id): Path<String>, Query(asked): Query<Asked>) -> Response {
    visit
        .run(async {
            let at = format!("/events/{}", query::segment(&id));
            if asked.with.trim().is_empty() {
                return lead_to_delivered(&visit, &at).await;
            }
            let other = format!("/events/{}", query::segment(asked.with.trim()));
            let (left_body, right_body) = (format!("{at}/body"), format!("{other}/body"));
            let (left, right, left_body, right_body) = tokio::try_join!(
                visit.api.get::<EventDetail>(&at),
                visit.api.get::<EventDetail>(&other),
                read(&visit, &left_body),
                read(&visit, &right_body),
            )?;
            let is_cut = [&left_body, &right_body].into_iter().any(|body| body.len() > BODY_BYTES_MAX);
            Ok(visit.page(&Page {
                frame: visit.frame("Two events", Section::Events),
                sections: [
                    ("Body", values(&left_body).zip(values(&right_body)).map(|(left, right)| between(left, right))),
                    ("Headers", Some(between(headers(&left), headers(&right)))),
                    ("Facts", Some(between(facts(&left), facts(&right)))),
                ],
                bodies_are_same: left_body == right_body,
                is_cut,
                left: &left,
                right: &right,
            }))
        })
        .await
}

async fn lead_to_delivered(visit: &Visit, at: &str) -> Result<Response, Trouble> {
    let detail: EventDetail = visit.api.get(at).await?;
    let event = detail.event;
    let parameters = [("source", &*event.source), ("type", &event.event_type), ("state", "delivered"), ("limit", "2")];
    let found: Listing<EventView> = visit.api.get(&query::path("/events", &parameters)).await?;
    match found.items.iter().find(|other| other.id != event.id) {
        Some(other) => {
            let to = query::path(&format!("{at}/compare"), &[("with", &other.id.to_string())]);
            Ok(Redirect::to(&to).into_response())
        }
        None => Ok(visit.done(at, "No other event of this type was delivered lately; name one by its id.")),
    }
}

/// A byte more than is compared, where there is more.
async fn read(visit: &Visit, path: &str) -> Result<Vec<u8>, Trouble> {
    let answer = visit.api.raw(Method::GET, path, axum::body::Body::empty()).await?;
    let mut stream = answer.into_body().into_data_stream();
    let mut bytes = Vec::new();
    while let Some(Ok(chunk)) = stream.next().await {
        let room = BODY_BYTES_MAX + 1 - bytes.len();
        bytes.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if bytes.len() > BODY_BYTES_MAX {
            break;
        }
    }
    Ok(bytes)
}

type Named = BTreeMap<String, String>;

fn facts(detail: &EventDetail) -> Named {
    let event = &detail.event;
    let secret = event.matched_secret.map_or("none".to_owned(), |n| (usize::from(n) + 1).to_string());
    [
        ("source", event.source.clone()),
        ("type", event.event_type.clone()),
        ("received", event.received_at.to_string()),
        ("happened", event.occurred_at.map(|at| at.to_string()).unwrap_or_default()),
        ("from", event.remote.clone()),
        ("secret", secret),
        ("body bytes", event.body_bytes.to_string()),
        ("idempotency key", event.idempotency_key.clone()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Several of a name are one, in their order.
fn headers(detail: &EventDetail) -> Named {
    let mut named = Named::new();
    for line in told::headers(&detail.headers) {
        let value: &mut String = named.entry(line.name.to_ascii_lowercase()).or_default();
        if !value.is_empty() {
            value.push_str(", ");
        }
        value.push_str(&line.value);
    }
    named
}

/// Each value of a JSON body by its place.
fn values(body: &[u8]) -> Option<Named> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let mut named = Named::new();
    add(&value, String::new(), 0, &mut named);
    Some(named)
}

fn add(value: &Value, place: String, depth: usize, named: &mut Named) {
    match value {
        Value::Object(members) if !members.is_empty() && depth < DEPTH_MAX => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                add(member, format!("{place}/{name}"), depth + 1, named);
            }
        }
        Value::Array(items) if !items.is_empty() && depth < DEPTH_MAX => {
            for (n, item) in items.iter().enumerate() {
                add(item, format!("{place}/{n}"), depth + 1, named);
            }
        }
        value => {
            named.insert(if place.is_empty() { "/".to_owned() } else { place }, value.to_string());
        }
    }
}

fn between(left: Named, mut right: Named) -> Differences {
    let mut found = Differences::default();
    let mut rows = Vec::new();
    for (name, left) in left {
        let right = right.remove(&name);
        if right.as_ref() == Some(&left) {
            found.same += 1;
        } else {
            rows.push(Difference { name, left: Some(left), right });
        }
    }
    rows.extend(right.into_iter().map(|(name, right)| Difference { name, left: None, right: Some(right) }));
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    found.more = rows.len().saturating_sub(ROWS_MAX);
    rows.truncate(ROWS_MAX);
    let shown = |value: Option<String>| value.map(|text| cut(&text, VALUE_CHARS_MAX));
    found.rows = rows
        .into_iter()
        .map(|row| Difference { name: cut(&row.name, VALUE_CHARS_MAX), left: shown(row.left), right: shown(row.right) })
        .collect();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_by_its_place() {
        let left = values(br#"{"a":{"b/c":[1,2]},"x":"same","gone":null,"e":{}}"#).unwrap();
        let right = values(br#"{"a":{"b/c":[1,3]},"x":"same","e":[],"new":true}"#).unwrap();
        let found = between(left, right);
        let rows: Vec<_> =
            found.rows.iter().map(|row| (&*row.name, row.left.as_deref(), row.right.as_deref())).collect();
        assert_eq!(
            rows,
            [
                ("/a/b~1c/1", Some("2"), Some("3")),
                ("/e", Some("{}"), Some("[]")),
                ("/gone", Some("null"), None),
                ("/new", None, Some("true")),
            ]
        );
        assert_eq!((found.same, found.more), (2, 0));
        assert_eq!(values(b"no JSON"), None);
    }

    #[test]
    fn of_very_many_differences_some_are_shown() {
        let many: Vec<usize> = (0..ROWS_MAX + 3).collect();
        let found = between(values(serde_json::to_string(&many).unwrap().as_bytes()).unwrap(), Named::new());
        assert_eq!((found.rows.len(), found.more), (ROWS_MAX, 3));
    }
}
