//! `/publishing`: published messages, newest first; the one whose id a publisher got; cancelling, replaying.

use askama::Template;
use axum::{
    Form, Router,
    extract::Query,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;

use super::{LIMIT, Pages, Tab, back};
use crate::{
    api::{
        CancelAnswer, CancelBecame, MessageDetail, MessageView,
        view::{Listing, ReplayAnswer},
    },
    dashboard::{Frame, Section, Shared, Trouble, Visit, query, visit::Range},
};

const PATH: &str = "/publishing";

pub(super) fn routes() -> Router<Shared> {
    Router::new().route(PATH, get(show)).route("/publishing/messages", post(act))
}

/// Which messages; what is empty asks for nothing.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    /// Of one message: leads to it.
    id: String,
    destination: String,
    queue: String,
    group: String,
    schedule: String,
    flow_control: String,
    label: String,
    state: String,
    after: String,
}

impl Asked {
    fn parameters(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("destination", self.destination.trim()),
            ("queue", self.queue.trim()),
            ("group", self.group.trim()),
            ("schedule", self.schedule.trim()),
            ("flow_control", self.flow_control.trim()),
            ("label", self.label.trim()),
            ("state", &self.state),
        ]
    }

    fn is_everything(&self) -> bool {
        self.after.is_empty() && self.parameters().iter().all(|(_, value)| value.is_empty())
    }
}

#[derive(Template)]
#[template(path = "publishing/messages.html")]
struct Messages<'a> {
    frame: Frame<'a>,
    tab: Tab,
    asked: &'a Asked,
    list: Listing<MessageView>,
    /// What was drawn over in a chart.
    between: Option<(hookhaven_core::Time, hookhaven_core::Time)>,
    is_everything: bool,
    pages: Pages,
}

const STATES: [&str; 5] = ["pending", "leased", "delivered", "dead", "cancelled"];

impl Messages<'_> {
    /// Those that can be asked for, and whether each is.
    fn states(&self) -> [(&'static str, bool); 5] {
        STATES.map(|state| (state, self.asked.state == state))
    }
}

async fn show(visit: Visit, Query(asked): Query<Asked>) -> Response {
    visit
        .run(async {
            let id = asked.id.trim();
            if !id.is_empty() {
                return lead_to(&visit, id).await;
            }
            let between = match visit.range {
                Range::Between(since, until) => Some((since, until)),
                Range::Last(..) => None,
            };
            let (since, until) = between.map(|(s, u)| (s.to_string(), u.to_string())).unwrap_or_default();
            let mut wanted = asked.parameters();
            wanted.extend([("since", &*since), ("until", &*until)]);
            let to = |after: &str| query::path(&query::path(PATH, &wanted), &[("after", after)]);
            let of_api = query::path(&query::path("/messages", &wanted), &[("after", &asked.after), ("limit", LIMIT)]);
            let list: Listing<MessageView> = visit.api.get(&of_api).await?;
            let pages = Pages {
                first: if asked.after.is_empty() { String::new() } else { to("") },
                next: list.next.as_deref().map(to).unwrap_or_default(),
            };
            let is_everything = asked.is_everything() && between.is_none();
            let frame = visit.frame("Publishing", Section::Publishing);
            Ok(visit.page(&Messages { frame, tab: Tab::Messages, asked: &asked, list, between, is_everything, pages }))
        })
        .await
}

/// To where one message is shown with all that became of it.
async fn lead_to(visit: &Visit, id: &str) -> Result<Response, Trouble> {
    let message: MessageDetail = visit.api.get(&format!("/messages/{}", query::segment(id))).await?;
    let delivery = &message.delivery.delivery;
    Ok(Redirect::to(&format!("/events/{}#{}", delivery.event, delivery.id)).into_response())
}

#[derive(Deserialize)]
struct Act {
    /// Of the delivery.
    id: String,
    act: String,
    #[serde(default)]
    next: String,
}

async fn act(visit: Visit, Form(Act { id, act, next }): Form<Act>) -> Response {
    visit
        .run(async {
            let path = format!("/deliveries/{}", query::segment(&id));
            let said = match act.as_str() {
                "cancel" => {
                    let answer: CancelAnswer = visit.api.act(&format!("{path}/cancel")).await?;
                    match answer.became {
                        CancelBecame::Done => "The message is cancelled.",
                        CancelBecame::Asked => {
                            "The message is being attempted just now: unless that succeeds, it ends cancelled."
                        }
                        CancelBecame::Before => "The message had ended before, or was to be cancelled already.",
                    }
                }
                "replay" => {
                    let answer: ReplayAnswer = visit.api.act(&format!("{path}/replay")).await?;
                    match answer.replayed.first() {
                        Some(replayed) if replayed.already => "The message was replayed before; nothing was done now.",
                        _ => "The message is replayed: it goes out again, as a new delivery.",
                    }
                }
                _ => return Err(Trouble::bad(format!("{act:?} is nothing that is done to messages"))),
            };
            Ok(visit.done(back(&next, PATH), said))
        })
        .await
}
