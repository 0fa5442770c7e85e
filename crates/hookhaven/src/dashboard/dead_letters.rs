//! Dead letters by root cause: `/dead-letters`. Each group with its cause, how many, since when, its trend and what was
//! answered last; and what can be done about it: replay one and, once it is delivered, the others; replay all; dismiss.
//!
//! What is done to many is a job, whose page follows. Where more than a few are meant, or they are dismissed, the job
//! counts first and asks there, so that the question says how many there are by then.
//!
//! Not here: single letters (`list`), how a job goes on (`jobs`).

mod list;

use askama::Template;
use axum::{
    Form, Router,
    extract::Query,
    response::Response,
    routing::{get, post},
};
use hookhaven_core::event::PUBLISHED;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Frame, Section, Shared, Visit, query,
    show::{self, Html},
    visit::Range,
};
use crate::api::{GroupView, GroupsView, JobView, NamedCount};

/// Letters that are replayed without a question: a person sees at a glance what became of so many.
const UNASKED_MAX: u64 = 20;
/// Groups on a page.
const GROUPS_MAX: &str = "100";
/// Types shown of a group.
const TYPES_MAX: usize = 5;
/// Of the bars that show a trend, in units of their picture.
const BAR_STEP: usize = 5;
const BAR_MAX: u64 = 28;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/dead-letters", get(show)).route("/dead-letters/act", post(act)).merge(list::routes())
}

/// What dead letters are looked at or acted on, as an address or a form says it; what is empty is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Asked {
    destination: String,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    class: String,
    group: String,
    event: String,
    since: String,
    until: String,
}

impl Asked {
    fn pairs(&self) -> [(&'static str, &str); 8] {
        [
            ("destination", &self.destination),
            ("source", &self.source),
            ("type", &self.event_type),
            ("class", &self.class),
            ("group", &self.group),
            ("event", &self.event),
            ("since", &self.since),
            ("until", &self.until),
        ]
    }

    fn link(&self, path: &str) -> String {
        query::path(path, &self.pairs())
    }

    /// What is asked for and not shown in the form.
    fn hidden(&self) -> Vec<(&'static str, &str)> {
        let shown = ["destination", "source"];
        self.pairs().into_iter().filter(|(name, value)| !shown.contains(name) && !value.is_empty()).collect()
    }

    /// All of it, to go with a form.
    fn given(&self) -> Vec<(&'static str, &str)> {
        self.pairs().into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    /// As a job is asked for it.
    fn filter(&self) -> Value {
        let given = self.given().into_iter().map(|(name, value)| (name.to_owned(), Value::from(value)));
        Value::Object(given.collect::<Map<_, _>>())
    }
}

#[derive(Template)]
#[template(path = "dead_letters.html")]
struct Page<'a> {
    frame: Frame<'a>,
    asked: &'a Asked,
    is_filtered: bool,
    list: String,
    groups: Vec<Card>,
    /// As a number for the form, and as it is read.
    letters: u64,
    letter_count: String,
    group_count: String,
    left_out: bool,
    looked_back_to: Option<Html>,
    learning: bool,
}

/// A group as it is shown.
struct Card {
    group: GroupView,
    count: String,
    destination: Option<String>,
    list: String,
    event: String,
    first: Html,
    last: Html,
    bars: Vec<Bar>,
    trend: String,
    types: Vec<NamedCount>,
    more_types: bool,
}

struct Bar {
    x: usize,
    y: u64,
    height: u64,
}

async fn show(visit: Visit, Query(asked): Query<Asked>) -> Response {
    visit
        .run(async {
            // The chosen span is what trends cover; older letters are no less dead.
            let trend_since = match visit.range {
                Range::Last(..) if asked.until.is_empty() => visit.range.since(visit.now).to_string(),
                _ => String::new(),
            };
            let more = [("trend_since", trend_since.as_str()), ("limit", GROUPS_MAX)];
            let of_groups = ["destination", "source", "group", "since", "until"];
            let kept = asked.pairs().into_iter().filter(|(name, _)| of_groups.contains(name));
            let parameters: Vec<_> = kept.chain(more).collect();
            let found: GroupsView = visit.api.get(&query::path("/dead-letters/groups", &parameters)).await?;
            let step = show::span(&std::time::Duration::from_millis(found.trend_step_ms));
            Ok(visit.page(&Page {
                frame: visit.frame_over_time("Dead letters", Section::DeadLetters),
                asked: &asked,
                is_filtered: !asked.given().is_empty(),
                list: asked.link("/dead-letters/list"),
                left_out: found.group_count > found.items.len() as u64,
                letters: found.letter_count,
                letter_count: show::count(&found.letter_count),
                group_count: show::count(&found.group_count),
                looked_back_to: found.looked_back_to.as_ref().map(show::time),
                learning: found.learning,
                groups: found.items.into_iter().map(|group| Card::of(group, &visit, &step)).collect(),
            }))
        })
        .await
}

impl Card {
    fn of(mut group: GroupView, visit: &Visit, step: &str) -> Self {
        let most = group.trend.iter().copied().max().unwrap_or(0).max(1);
        let bar = |(at, n): (usize, &u64)| {
            let height = if *n == 0 { 0 } else { (n * BAR_MAX / most).max(2) };
            Bar { x: at * BAR_STEP, y: BAR_MAX + 2 - height, height }
        };
        let counts: Vec<_> = group.trend.iter().map(u64::to_string).collect();
        let published = group.sources.iter().any(|source| source.name == PUBLISHED);
        let id = group.id.to_string();
        let of_group = [("group", id.as_str()), ("destination", group.destination.as_str())];
        let types: Vec<_> = group.types.drain(..).collect();
        Card {
            count: show::count(&group.letter_count),
            destination: (!published).then(|| format!("/destinations/{}", query::segment(&group.destination))),
            list: query::path("/dead-letters/list", &of_group),
            event: format!("/events/{}", group.sample.event),
            first: show::ago(&group.first_died_at, &visit.now),
            last: show::ago(&group.last_died_at, &visit.now),
            bars: group.trend.iter().enumerate().map(bar).collect(),
            trend: format!("Deaths in steps of {step}, the latest last: {}", counts.join(", ")),
            more_types: types.len() > TYPES_MAX,
            types: types.into_iter().take(TYPES_MAX).collect(),
            group,
        }
    }
}

#[derive(Deserialize)]
struct Act {
    act: String,
    /// How many were shown; absent: nobody has counted them.
    count: Option<u64>,
    #[serde(flatten)]
    asked: Asked,
}

/// Asks for the job, and leads to its page.
async fn act(visit: Visit, Form(form): Form<Act>) -> Response {
    visit
        .run(async {
            let one_first = form.act == "one_first";
            let act = if form.act == "dismiss" { "dismiss" } else { "replay" };
            let few = form.count.is_some_and(|count| count <= UNASKED_MAX);
            let ask = act == "dismiss" || !(one_first || few);
            let order = json!({ "act": act, "filter": form.asked.filter(), "one_first": one_first, "ask": ask });
            let job: JobView = visit.api.post("/jobs", &order).await?;
            Ok(visit.done(&format!("/jobs/{}", job.id), ""))
        })
        .await
}

#[cfg(test)]
mod tests;
