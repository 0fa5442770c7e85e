//! What is marked on the charts: what people and the gateway told of (deploys, starts, changes of the configuration), and
//! when alerts began and ended.

use hookhaven_core::Time;

use crate::{
    api::{AlertView, StatsView, view::Listing},
    dashboard::{Inner, Trouble, query},
    marks,
};

use super::Mark;

/// Marks on one page.
const MARKS_MAX: usize = 200;

/// What was told of within a span, as the API lists it.
pub(crate) async fn told(api: &Inner, since: &str, until: &str) -> Result<Vec<marks::Mark>, Trouble> {
    let path = query::path("/marks", &[("since", since), ("until", until)]);
    Ok(api.get::<Listing<marks::Mark>>(&path).await?.items)
}

/// Those within the span, oldest first.
pub(crate) fn of(told: Vec<marks::Mark>, alerts: &[AlertView], stats: &StatsView) -> Vec<Mark> {
    let drawn = |mark: marks::Mark| Mark { at: mark.at, kind: mark.kind.as_str().to_owned(), text: mark.text };
    let mut marks: Vec<Mark> = told.into_iter().map(drawn).collect();
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
