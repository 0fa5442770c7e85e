//! The figures of a chart as a table. A span of many steps is told in fewer rows, so that a page stays light; rows in
//! which nothing happened are left out.

use std::time::Duration;

use hookhaven_core::Time;

use super::{Unit, scale::Scale};
use crate::{api::StatsView, dashboard::show};

const ROWS_MAX: usize = 30;

pub(super) struct Row {
    /// To the minute, in UTC.
    pub at: String,
    /// The events behind it.
    pub link: String,
    pub cells: Vec<String>,
}

pub(super) struct Table<'a> {
    view: &'a StatsView,
    /// One list a line.
    values: &'a [Vec<Option<f64>>],
    scale: &'a Scale,
    /// Steps in one row.
    together: usize,
}

impl<'a> Table<'a> {
    pub fn of(view: &'a StatsView, values: &'a [Vec<Option<f64>>], scale: &'a Scale) -> Self {
        let steps = values.iter().map(Vec::len).max().unwrap_or_default();
        Table { view, values, scale, together: steps.div_ceil(ROWS_MAX).max(1) }
    }

    /// The newest first; `link` gets when a row begins and ends.
    pub fn rows(&self, link: impl Fn(Time, Time) -> String) -> Vec<Row> {
        let steps = self.values.iter().map(Vec::len).max().unwrap_or_default();
        let row = |first: usize| {
            let end = (first + self.together).min(steps);
            let of = |values: &Vec<Option<f64>>| self.scale.together(values.get(first..end).unwrap_or_default());
            let values: Vec<Option<f64>> = self.values.iter().map(of).collect();
            if values.iter().all(|value| value.is_none_or(|value| value == 0.0)) {
                return None;
            }
            let (since, until) = (self.at(first), self.at(end));
            let cells = values.iter().map(|value| value.map_or("–".to_owned(), |value| self.scale.shown(value)));
            Some(Row { at: minute(since), link: link(since, until), cells: cells.collect() })
        };
        (0..steps).step_by(self.together).rev().filter_map(row).collect()
    }

    pub fn cover(&self, unit: Unit) -> String {
        let length = Duration::from_secs(self.view.step_s * self.together as u64);
        let what = match unit {
            _ if self.together == 1 => "",
            Unit::Rate => ", averaged",
            Unit::Milliseconds | Unit::Count => ", the greatest in it",
        };
        format!(
            "Each row is {}{what}; times are UTC; rows in which nothing happened are left out.",
            show::span(&length)
        )
    }

    fn at(&self, step: usize) -> Time {
        self.view.since.plus(Duration::from_secs(self.view.step_s * step as u64))
    }
}

fn minute(at: Time) -> String {
    let text = at.to_string();
    text.get(..16).map_or(text.clone(), |minute| minute.replace('T', " "))
}
