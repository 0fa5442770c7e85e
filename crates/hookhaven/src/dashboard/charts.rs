//! Charts: figures over time as the API tells them, made ready for the script that draws them (`assets/charts.js`), and
//! as tables for who reads without it. A page that shows some makes [`Charts`], writes `{{ charts|safe }}` where they
//! stand and includes `charts_head.html` in its block `head`.
//!
//! Whatever is clicked leads to the events of that step. Not here: what is counted, and how it is added up (`stats`).

pub(crate) mod marks;
mod plans;
mod scale;
mod table;

use askama::Template;
use hookhaven_core::Time;
use serde::Serialize;

pub(crate) use self::plans::{ANSWERS, ARRIVALS, ATTEMPTS, END_TO_END, Line, Plan, TOOK, WAITING};
pub(crate) use self::scale::{Unit, rate};
use self::{scale::Scale, table::Row};
use super::{Trouble, Visit, query, show};
use crate::api::{Alerting, SeriesView, StatsView};

/// Something that happened, drawn as a vertical line through every chart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Mark {
    #[serde(serialize_with = "seconds")]
    pub at: Time,
    /// `deploy`, `alert` and so on.
    pub kind: String,
    pub text: String,
}

fn seconds<S: serde::Serializer>(at: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(at.as_s())
}

/// The charts of one page.
#[derive(Template)]
#[template(path = "charts.html")]
pub(crate) struct Charts {
    charts: Vec<Chart>,
    data: show::Html,
}

struct Chart {
    id: &'static str,
    title: &'static str,
    unit: &'static str,
    lines: Vec<Drawn>,
    rows: Vec<Row>,
    /// What the rows of the table say of several steps.
    rows_cover: String,
}

/// A line of a chart, in words.
struct Drawn {
    name: &'static str,
    colour: u8,
    /// The last value that is known.
    latest: String,
    /// Of the whole span.
    overall: String,
}

/// What the script gets.
#[derive(Serialize)]
struct Data<'a> {
    since: i64,
    step: u64,
    /// Where the events behind a step are listed; `since` and `until` are added.
    events: &'a str,
    charts: Vec<ChartData>,
    marks: &'a [Mark],
}

#[derive(Serialize)]
struct ChartData {
    id: &'static str,
    unit: &'static str,
    lines: Vec<LineData>,
}

#[derive(Serialize)]
struct LineData {
    name: &'static str,
    colour: u8,
    values: Vec<Option<f64>>,
}

/// Whose figures a page is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum One<'a> {
    Source(&'a str),
    Destination(&'a str),
}

impl Charts {
    /// Of one source or destination, over the span that is looked at.
    ///
    /// # Errors
    /// What the API refuses.
    pub async fn of_one(visit: &Visit, one: One<'_>) -> Result<Self, Trouble> {
        let (of, plans): (_, &[&'static Plan]) = match one {
            One::Source(name) => (("source", name), &[&ARRIVALS, &ATTEMPTS, &ANSWERS, &END_TO_END]),
            One::Destination(name) => (("destination", name), &[&ATTEMPTS, &TOOK, &END_TO_END, &WAITING]),
        };
        let since = visit.range.since(visit.now).to_string();
        let until = visit.range.until().map(|until| until.to_string()).unwrap_or_default();
        let path = query::path("/stats", &[("since", &since), ("until", &until), of]);
        let (stats, alerting, told) = tokio::try_join!(
            visit.api.get::<StatsView>(&path),
            visit.api.get::<Alerting>("/alerts"),
            marks::told(&visit.api, &since, &until),
        )?;
        let marks = marks::of(told, &alerting.items, &stats);
        Ok(Charts::new(&stats, plans, &marks, &query::path("/events", &[of])))
    }

    /// `events` is the address of the list that a click leads to, with whatever filter belongs to it. Lines of which the
    /// view has no figures are left out.
    pub fn new(view: &StatsView, plans: &[&'static Plan], marks: &[Mark], events: &str) -> Self {
        let mut charts = Vec::new();
        let mut data = Vec::new();
        for plan in plans {
            let lines: Vec<(&Line, &SeriesView)> = plan
                .lines
                .iter()
                .filter_map(|line| Some((line, view.series.iter().find(|series| series.metric == line.metric)?)))
                .collect();
            let scale = Scale::of(plan.unit, view, lines.iter().map(|(_, series)| *series));
            let values: Vec<Vec<Option<f64>>> = lines.iter().map(|(_, series)| scale.values(series)).collect();
            charts.push(chart(plan, &lines, &values, &scale, view, events));
            let lines = lines.iter().zip(values);
            let lines = lines.map(|((line, _), values)| LineData { name: line.name, colour: line.colour, values });
            data.push(ChartData { id: plan.id, unit: scale.suffix, lines: lines.collect() });
        }
        let data = Data { since: view.since.as_s(), step: view.step_s, events, charts: data, marks };
        Charts { charts, data: show::json(&data) }
    }
}

fn chart(
    plan: &'static Plan,
    lines: &[(&Line, &SeriesView)],
    values: &[Vec<Option<f64>>],
    scale: &Scale,
    view: &StatsView,
    events: &str,
) -> Chart {
    let drawn = lines.iter().zip(values).map(|((line, series), values)| Drawn {
        name: line.name,
        colour: line.colour,
        latest: values.iter().rev().flatten().next().map_or("–".to_owned(), |value| scale.shown(*value)),
        overall: series.overall.map_or("–".to_owned(), |overall| plan.unit.overall(overall)),
    });
    let table = table::Table::of(view, values, scale);
    Chart {
        id: plan.id,
        title: plan.title,
        unit: scale.unit,
        lines: drawn.collect(),
        rows: table
            .rows(|since, until| query::path(events, &[("since", &since.to_string()), ("until", &until.to_string())])),
        rows_cover: table.cover(plan.unit),
    }
}

#[cfg(test)]
mod tests;
