//! Publishing: `/publishing` and what is below it. Messages, and what publishers made for them: queues, schedules, URL
//! groups, flow control; the signing keys. One file a page.
//!
//! Not here: one message, which is a delivery on its event's page (`/events/{id}`).

mod flow_control;
mod messages;
mod queues;
mod schedules;
mod signing_keys;
mod url_groups;

use axum::Router;
use serde::Deserialize;

use super::{Shared, query, show};

/// Rows of a page.
const LIMIT: &str = "50";
/// Longest way back that a form names.
const NEXT_BYTES_MAX: usize = 4_096;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .merge(messages::routes())
        .merge(queues::routes())
        .merge(schedules::routes())
        .merge(url_groups::routes())
        .merge(flow_control::routes())
        .merge(signing_keys::routes())
}

/// The page that is looked at, among those beside it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Messages,
    Queues,
    Schedules,
    UrlGroups,
    FlowControl,
    SigningKeys,
}

impl Tab {
    /// Name, path, and whether it is this one.
    pub fn all(self) -> [(&'static str, &'static str, bool); 6] {
        [
            ("Messages", "/publishing", self == Tab::Messages),
            ("Queues", "/publishing/queues", self == Tab::Queues),
            ("Schedules", "/publishing/schedules", self == Tab::Schedules),
            ("URL groups", "/publishing/url-groups", self == Tab::UrlGroups),
            ("Flow control", "/publishing/flow-control", self == Tab::FlowControl),
            ("Signing keys", "/publishing/signing-keys", self == Tab::SigningKeys),
        ]
    }
}

/// Which page of a list of names is asked for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wanted {
    pub search: String,
    pub after: String,
}

impl Wanted {
    /// What the API is asked.
    fn of_api(&self, path: &str) -> String {
        query::path(path, &[("search", &self.search), ("after", &self.after), ("limit", LIMIT)])
    }

    fn pages(&self, path: &str, next: Option<&str>) -> Pages {
        let to = |after: &str| query::path(path, &[("search", &self.search), ("after", after)]);
        Pages {
            first: if self.after.is_empty() { String::new() } else { to("") },
            next: next.map(to).unwrap_or_default(),
        }
    }
}

/// Links to other pages of a list; empty where there are none.
pub(crate) struct Pages {
    pub first: String,
    pub next: String,
}

/// What is to be done to something with a name.
#[derive(Deserialize)]
struct Act {
    name: String,
    act: String,
    /// The page that the form stood on.
    #[serde(default)]
    next: String,
}

/// Back to where a form stood, if that is a page of ours.
fn back<'a>(next: &'a str, page: &'a str) -> &'a str {
    let stays = next.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with('?'));
    let plain = next.len() <= NEXT_BYTES_MAX && next.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    if stays && plain { next } else { page }
}

/// Messages that have this in common.
pub(crate) fn messages_by(name: &str, value: &str) -> String {
    query::path("/publishing", &[(name, value)])
}

/// The URL group of this name, among the groups.
pub(crate) fn groups_by(name: &str) -> String {
    query::path("/publishing/url-groups", &[("search", name)])
}

/// Of a rate.
pub(crate) fn period(period_ms: &u64) -> String {
    show::span(&std::time::Duration::from_millis(*period_ms))
}

#[cfg(test)]
mod tests;
