//! Bulk work: `/jobs`, and one job with how far it is, what can be wanted of it, and what became of the deliveries that
//! it made. The part of the page that changes is asked for again while something goes on; without a script the page is.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query},
    response::Response,
    routing::{get, post},
};
use hookhaven_core::JobId;
use serde::Deserialize;

use super::{
    Frame, Section, Shared, Trouble, Visit, query, shell,
    show::{self, Html},
};
use crate::{
    api::{JobDelivery, JobState, JobView, view::Listing},
    jobs::{Act, Of},
};

/// Deliveries of a job on a page.
const MADE_PER_PAGE: &str = "100";

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/jobs", get(list))
        .route("/jobs/{id}", get(show))
        .route("/jobs/{id}/now", get(now))
        .route("/jobs/{id}/{want}", post(want))
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct Jobs<'a> {
    frame: Frame<'a>,
    jobs: Vec<Line>,
}

/// A job in the list.
struct Line {
    id: JobId,
    words: String,
    state: Html,
    done: String,
    matched: String,
    asked: Html,
    ended: Option<Html>,
}

async fn list(visit: Visit) -> Response {
    visit
        .run(async {
            let jobs: Listing<JobView> = visit.api.get("/jobs").await?;
            let line = |job: JobView| Line {
                id: job.id,
                words: job.order.words(),
                state: show::state(job.state.as_str()),
                done: show::count(&job.counts.done),
                matched: show::count(&job.matched),
                asked: show::ago(&job.asked_at, &visit.now),
                ended: job.ended_at.as_ref().map(|at| show::ago(at, &visit.now)),
            };
            let jobs = jobs.items.into_iter().map(line).collect();
            Ok(visit.page(&Jobs { frame: visit.frame("Jobs", Section::Jobs), jobs }))
        })
        .await
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct At {
    after: String,
    /// What was asked for by the page before: pause, resume or cancel. It is done a moment later.
    wanted: String,
}

#[derive(Template)]
#[template(path = "job.html")]
struct Job<'a> {
    frame: Frame<'a>,
    part: Part,
}

/// What changes of the page.
#[derive(Template)]
#[template(path = "job_now.html")]
struct Part {
    job: JobView,
    may_operate: bool,
    words: String,
    state: Html,
    seen: u64,
    matched: String,
    counts: Vec<(&'static str, String)>,
    asked: Html,
    ended: Option<Html>,
    /// What going on would do, e.g. `replay 4,711 dead letters`.
    go: String,
    back: &'static str,
    /// Where dismissed ones are, if it dismissed.
    dismissed: Option<String>,
    made: Option<Made>,
    /// Where this part is asked for again; empty: nothing goes on.
    again: String,
}

/// Deliveries that a replay made.
struct Made {
    rows: Vec<MadeRow>,
    tally: Vec<(Html, String)>,
    differing: u64,
    first: String,
    next: String,
}

struct MadeRow {
    made: JobDelivery,
    state: Html,
    event: String,
    before: String,
    answer: String,
}

async fn show(visit: Visit, Path(id): Path<JobId>, Query(at): Query<At>) -> Response {
    visit
        .run(async {
            let part = Part::of(&visit, id, &at).await?;
            Ok(visit.page(&Job { frame: visit.frame("Job", Section::Jobs), part }))
        })
        .await
}

async fn now(visit: Visit, Path(id): Path<JobId>, Query(at): Query<At>) -> Response {
    visit.run(async { Ok(shell::render(&Part::of(&visit, id, &at).await?)) }).await
}

/// Pauses it, lets it go on, or ends it.
async fn want(visit: Visit, Path((id, want)): Path<(JobId, String)>) -> Response {
    visit
        .run(async {
            if !["pause", "resume", "cancel"].contains(&want.as_str()) {
                return Err(Trouble::bad(format!("{want:?} is none of pause, resume, cancel")));
            }
            let _: JobView = visit.api.act(&format!("/jobs/{id}/{want}")).await?;
            Ok(visit.done(&query::path(&format!("/jobs/{id}"), &[("wanted", &want)]), ""))
        })
        .await
}

impl Part {
    async fn of(visit: &Visit, id: JobId, at: &At) -> Result<Self, Trouble> {
        let job: JobView = visit.api.get(&format!("/jobs/{id}")).await?;
        let replays = job.order.act == Act::Replay && job.counts.done > 0;
        let made = if replays { Some(Made::of(visit, id, &at.after).await?) } else { None };
        let waits_for_people = matches!(job.state, JobState::Paused | JobState::Counted);
        let will_move = !waits_for_people || matches!(&*at.wanted, "resume" | "cancel");
        let goes_on = !job.has_ended() && will_move || made.as_ref().is_some_and(Made::goes_on);
        let asked = [("after", &*at.after), ("wanted", if waits_for_people { &*at.wanted } else { "" })];
        let counts = [
            ("done", job.counts.done),
            ("done by somebody else before", job.counts.already),
            ("not in a state for it any more", job.counts.refused),
            ("gone with their retention", job.counts.unknown),
        ];
        let shown = counts.into_iter().enumerate().filter(|(at, (_, n))| *at == 0 || *n > 0);
        Ok(Part {
            may_operate: visit.may(crate::access::Scope::Operate),
            words: job.order.words(),
            state: show::state(job.state.as_str()),
            seen: job.seen(),
            matched: show::count(&job.matched),
            counts: shown.map(|(_, (word, n))| (word, show::count(&n))).collect(),
            asked: show::ago(&job.asked_at, &visit.now),
            ended: job.ended_at.as_ref().map(|at| show::ago(at, &visit.now)),
            go: format!("{} {} {}", job.order.act, show::count(&job.matched), job.order.noun(job.matched)),
            back: if job.order.of() == Of::DeadLetters { "/dead-letters" } else { "/jobs" },
            dismissed: (job.order.act == Act::Dismiss && job.counts.done > 0).then(|| {
                let destination = job.order.filter.destination.as_deref().unwrap_or_default();
                query::path("/dead-letters/dismissed", &[("destination", destination)])
            }),
            again: if goes_on { query::path(&format!("/jobs/{id}/now"), &asked) } else { String::new() },
            made,
            job,
        })
    }
}

impl Made {
    async fn of(visit: &Visit, id: JobId, after: &str) -> Result<Self, Trouble> {
        let path = query::path(&format!("/jobs/{id}/deliveries"), &[("limit", MADE_PER_PAGE), ("after", after)]);
        let found: Listing<JobDelivery> = visit.api.get(&path).await?;
        let mut tally: BTreeMap<String, u64> = BTreeMap::new();
        found.items.iter().for_each(|made| *tally.entry(made.delivery.state.clone()).or_default() += 1);
        let own = format!("/jobs/{id}");
        let next = found.next.map(|next| query::path(&own, &[("after", &next)]));
        Ok(Made {
            tally: tally.iter().map(|(state, n)| (show::state(state), show::count(n))).collect(),
            differing: found.items.iter().filter(|made| made.differs).count() as u64,
            first: if after.is_empty() { String::new() } else { own },
            next: next.unwrap_or_default(),
            rows: found.items.into_iter().map(MadeRow::of).collect(),
        })
    }

    fn goes_on(&self) -> bool {
        self.rows.iter().any(|row| matches!(row.made.delivery.state.as_str(), "pending" | "leased"))
    }
}

impl MadeRow {
    fn of(made: JobDelivery) -> Self {
        let before: Vec<_> = made.original_statuses.iter().map(u16::to_string).collect();
        let answer = made.delivery.last_attempt.as_ref().map(|last| match last.status {
            Some(status) => status.to_string(),
            None => last.class.clone(),
        });
        MadeRow {
            state: show::state(&made.delivery.state),
            event: format!("/events/{}", made.delivery.event),
            before: before.join(", "),
            answer: answer.unwrap_or_default(),
            made,
        }
    }
}

#[cfg(test)]
mod tests;
