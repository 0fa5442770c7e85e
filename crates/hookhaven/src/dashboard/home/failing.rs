//! Destinations at which something fails, or is held back, worst first: what the overview leads on from.

use crate::{
    api::{Breaker, DestinationView, FiguresView, StatsView},
    dashboard::{query, show},
};

/// Rows on the overview; the page of destinations has all.
const ROWS_MAX: usize = 12;

pub(super) struct Failing {
    pub rows: Vec<Row>,
    /// How many more there are.
    pub more: usize,
}

pub(super) struct Row {
    pub name: String,
    /// Where it is looked at; empty for one that is none of the configuration's.
    pub link: String,
    /// What holds besides being active: paused, disabled, missing, its breaker open.
    pub states: Vec<String>,
    pub failed: String,
    /// Of all attempts there, in the span.
    pub share: String,
    pub events_link: String,
    pub dead_letters: u64,
    pub dead_letters_link: String,
    pub depth: u64,
    weight: (u64, u64, usize),
}

impl Failing {
    /// `span` is what links to lists of events hand on.
    pub fn of(stats: &StatsView, destinations: &[DestinationView], span: &str) -> Self {
        let known = destinations.iter().map(|destination| {
            let group = stats.groups.iter().find(|group| group.name == destination.name);
            row(&destination.name, group, Some(destination), span)
        });
        // What is counted beside the configuration's, such as published messages.
        let others = stats
            .groups
            .iter()
            .filter(|group| destinations.iter().all(|destination| destination.name != group.name))
            .map(|group| row(&group.name, Some(group), None, span));
        let mut rows: Vec<Row> = known.chain(others).filter(|row| row.weight > (0, 0, 0)).collect();
        rows.sort_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.name.cmp(&b.name)));
        let more = rows.len().saturating_sub(ROWS_MAX);
        rows.truncate(ROWS_MAX);
        Failing { rows, more }
    }
}

fn row(name: &str, group: Option<&FiguresView>, destination: Option<&DestinationView>, span: &str) -> Row {
    let count = |metric| group.and_then(|group| group.overall.get(metric).copied().flatten()).unwrap_or_default();
    let (attempts, failed) = (count("attempts"), count("retries") + count("dead"));
    let mut states: Vec<String> = Vec::new();
    if let Some(destination) = destination {
        states.extend(Some(destination.state.clone()).filter(|state| state != "active"));
        states.extend(match destination.breaker {
            Breaker::Closed => None,
            Breaker::Open => Some("breaker_open".to_owned()),
            Breaker::Probing => Some("probing".to_owned()),
        });
    }
    let dead_letters = destination.map_or(0, |destination| destination.dead_letters);
    let of = [("destination", name)];
    let events_link = query::path("/events", &of);
    Row {
        link: destination.map(|_| format!("/destinations/{}", query::segment(name))).unwrap_or_default(),
        events_link: format!("{events_link}&{span}"),
        dead_letters_link: query::path("/dead-letters", &of),
        failed: show::count(&(failed as u64)),
        share: share(failed, attempts),
        dead_letters,
        depth: destination.map_or(0, |destination| destination.depth),
        weight: (dead_letters, failed as u64, states.len()),
        name: name.to_owned(),
        states,
    }
}

fn share(failed: f64, attempts: f64) -> String {
    match failed / attempts * 100.0 {
        percent if !percent.is_finite() || failed == 0.0 => "–".to_owned(),
        percent if percent < 0.1 => "< 0.1%".to_owned(),
        percent => format!("{percent:.1}%"),
    }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn a_share_is_never_rounded_to_nothing() {
        let shown = [(0.0, 0.0), (0.0, 9.0), (1.0, 100_000.0), (1.0, 3.0), (4.0, 4.0)].map(|(f, a)| share(f, a));
        assert_eq!(shown, ["–", "–", "< 0.1%", "33.3%", "100.0%"]);
    }
}
