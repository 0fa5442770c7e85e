//! Single dead letters: `/dead-letters/list`, a page at a time, and acting on those that were ticked; and those that
//! were dismissed (`/dead-letters/dismissed`), for whom there is a way back as for any ended delivery: replay.

use askama::Template;
use axum::{
    Router,
    body::Bytes,
    extract::Query,
    response::Response,
    routing::{get, post},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::json;

use super::Asked;
use crate::{
    api::view::{BulkAnswer, DeliveryView, Listing, ReplayAnswer},
    dashboard::{
        Frame, Section, Shared, Trouble, Visit, query,
        show::{self, Html},
    },
};

const LETTERS_PER_PAGE: &str = "50";
/// Ticked at once: a page.
const TICKED_MAX: usize = 500;
/// Replays asked for at once.
const AT_ONCE: usize = 8;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dead-letters/list", get(show))
        .route("/dead-letters/dismissed", get(dismissed))
        .route("/dead-letters/ticked", post(ticked))
}

/// What no job can be asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct More {
    status: String,
    key: String,
    route: String,
    after: String,
}

impl More {
    fn pairs(&self) -> [(&'static str, &str); 3] {
        [("status", &self.status), ("key", &self.key), ("route", &self.route)]
    }
}

#[derive(Template)]
#[template(path = "dead_letters_list.html")]
struct Page<'a> {
    frame: Frame<'a>,
    asked: &'a Asked,
    more: &'a More,
    dismissed: bool,
    /// This list, or its groups, from the beginning.
    path: &'static str,
    groups: String,
    first: String,
    next: String,
    looked_back_to: Option<Html>,
    rows: Vec<Row>,
    /// Whether a job can be asked to act on all that match.
    all_can: bool,
    is_filtered: bool,
}

struct Row {
    letter: DeliveryView,
    died: Html,
    error: String,
    event: String,
    dismissed: Option<Html>,
}

async fn show(visit: Visit, Query(asked): Query<Asked>, Query(more): Query<More>) -> Response {
    page(&visit, &asked, &more, false).await
}

async fn dismissed(visit: Visit, Query(asked): Query<Asked>, Query(more): Query<More>) -> Response {
    page(&visit, &asked, &more, true).await
}

async fn page(visit: &Visit, asked: &Asked, more: &More, dismissed: bool) -> Response {
    visit
        .run(async {
            let (path, title) = match dismissed {
                true => ("/dead-letters/dismissed", "Dismissed dead letters"),
                false => ("/dead-letters/list", "List of dead letters"),
            };
            let own: Vec<_> = asked.pairs().into_iter().chain(more.pairs()).collect();
            let mut parameters = own.clone();
            parameters.extend([("after", more.after.as_str()), ("limit", LETTERS_PER_PAGE)]);
            let of = if dismissed { "/deliveries?state=dead" } else { "/dead-letters" };
            let mut found: Listing<DeliveryView> = visit.api.get(&query::path(of, &parameters)).await?;
            if dismissed {
                found.items.retain(|letter| letter.dismissed_at.is_some() && letter.replaced_by.is_none());
            }
            let first = query::path(path, &own);
            let next = found.next.map(|next| query::path(&first, &[("after", &next)]));
            let is_filtered = own.iter().any(|(_, value)| !value.is_empty());
            Ok(visit.page(&Page {
                frame: visit.frame(title, Section::DeadLetters),
                asked,
                more,
                dismissed,
                path,
                groups: asked.link("/dead-letters"),
                first: if more.after.is_empty() { String::new() } else { first },
                next: next.unwrap_or_default(),
                looked_back_to: found.looked_back_to.as_ref().map(show::time),
                rows: found.items.into_iter().map(|letter| Row::of(letter, visit)).collect(),
                all_can: more.pairs().iter().all(|(_, value)| value.is_empty()),
                is_filtered,
            }))
        })
        .await
}

impl Row {
    fn of(letter: DeliveryView, visit: &Visit) -> Self {
        let error = letter.last_attempt.as_ref().map(|last| match (last.status, last.error.is_empty()) {
            (_, false) => last.error.clone(),
            (Some(status), true) => format!("{} {status}", last.class),
            (None, true) => last.class.clone(),
        });
        Row {
            died: show::ago(letter.ended_at.as_ref().unwrap_or(&letter.accepted_at), &visit.now),
            error: error.or_else(|| letter.end_reason.clone()).unwrap_or_default(),
            event: format!("/events/{}", letter.event),
            dismissed: letter.dismissed_at.as_ref().map(|at| show::ago(at, &visit.now)),
            letter,
        }
    }
}

/// Acts on what was ticked, and leads back.
async fn ticked(visit: Visit, form: Bytes) -> Response {
    visit
        .run(async {
            let (mut ids, mut act, mut back) = (Vec::new(), String::new(), String::new());
            for (name, value) in url::form_urlencoded::parse(&form) {
                match &*name {
                    "ids" if ids.len() < TICKED_MAX => ids.push(value.into_owned()),
                    "act" => act = value.into_owned(),
                    "back" => back = value.into_owned(),
                    _ => {}
                }
            }
            let back = if back.starts_with("/dead-letters/") { back.as_str() } else { "/dead-letters/list" };
            if ids.is_empty() {
                return Ok(visit.done(back, "Nothing was ticked, so nothing was done."));
            }
            let said = match act.as_str() {
                "bring_back" => bring_back(&visit, &ids).await?,
                "replay" => bulk(&visit, "replay", "replayed", &ids).await?,
                "dismiss" => bulk(&visit, "dismiss", "dismissed", &ids).await?,
                other => return Err(Trouble::bad(format!("{other:?} is none of replay, dismiss, bring_back"))),
            };
            Ok(visit.done(back, &said))
        })
        .await
}

async fn bulk(visit: &Visit, act: &str, done: &str, ids: &[String]) -> Result<String, Trouble> {
    let answer: BulkAnswer = visit.api.post(&format!("/dead-letters/{act}"), &json!({ "ids": ids })).await?;
    let mut said = format!("{} {done}.", letters(answer.done));
    let left = answer.already + answer.refused + answer.unknown;
    if left > 0 {
        said.push_str(&format!(" {left} had been replayed, dismissed or removed before."));
    }
    Ok(said)
}

/// A dismissed letter is replayed like any delivery that ended.
async fn bring_back(visit: &Visit, ids: &[String]) -> Result<String, Trouble> {
    let replay = async |id: &String| -> Result<ReplayAnswer, Trouble> {
        visit.api.act(&format!("/deliveries/{}/replay", query::segment(id))).await
    };
    let answers: Vec<ReplayAnswer> = stream::iter(ids).map(replay).buffered(AT_ONCE).try_collect().await?;
    let new = answers.iter().flat_map(|answer| &answer.replayed).filter(|replayed| !replayed.already).count();
    Ok(format!("{} replayed.", letters(new as u64)))
}

fn letters(n: u64) -> String {
    if n == 1 { "1 dead letter".to_owned() } else { format!("{} dead letters", show::count(&n)) }
}
