//! What is marked on the charts: what people and the gateway told of (deploys, starts, changes of the configuration), and
//! when alerts began and ended.

use hookhaven_core::Time;
use serde::Deserialize;

use crate::{
    api::{AlertView, StatsView, view::Listing},
    dashboard::{Inner, Trouble, charts::Mark, query},
};

/// Marks on one page.
const MARKS_MAX: usize = 200;

/// A mark as the API lists it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Told {
    at: Time,
    kind: String,
    text: String,
}

pub(super) async fn told(api: &Inner, since: &str, until: &str) -> Result<Vec<Told>, Trouble> {
    let path = query::path("/marks", &[("since", since), ("until", until)]);
    Ok(api.find::<Listing<Told>>(&path).await?.map(|list| list.items).unwrap_or_default())
}

/// Those within the span, oldest first.
pub(super) fn of(told: Vec<Told>, alerts: &[AlertView], stats: &StatsView) -> Vec<Mark> {
    let mut marks: Vec<Mark> = told.into_iter().map(|Told { at, kind, text }| Mark { at, kind, text }).collect();
    for alert in alerts {
        let mark =
            |at: Time, what: &str| Mark { at, kind: "alert".to_owned(), text: format!("{} {what}", alert.title) };
        marks.extend(alert.fired_at.map(|at| mark(at, "began")));
        marks.extend(alert.ended_at.map(|at| mark(at, "ended")));
    }
    marks.retain(|mark| mark.at >= stats.since && mark.at < stats.until);
    marks.sort_by_key(|mark| mark.at);
    let too_many = marks.len().saturating_sub(MARKS_MAX);
    marks.drain(..too_many);
    marks
}
