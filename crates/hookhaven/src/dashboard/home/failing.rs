//! Destinations at which something fails, or is held back, worst first: what the overview leads on from. Messages that
//! publishers sent anywhere are one row: no destination of the configuration, so in no state.

use hookhaven_core::{delivery::PUBLISHED_ADDRESSES, event::PUBLISHED};

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
    pub states: Vec<&'static str>,
    pub failed: String,
    /// Of all attempts there, in the span.
    pub share: String,
    pub events_link: String,
    pub dead_letters: u64,
    pub dead_letters_link: String,
    pub depth: u64,
    weight: Weight,
}

/// What comes first: dead letters, then failed attempts, then how much of a fault it is that nothing goes there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Weight {
    dead_letters: u64,
    failed: u64,
    held: u8,
}

impl Failing {
    /// `span` is what links to lists of events hand on. Dead letters are a state and no history: links to them have none.
    pub fn of(stats: &StatsView, destinations: &[DestinationView], span: &str) -> Self {
        let known = destinations.iter().map(|destination| {
            let group = stats.groups.iter().find(|group| group.name == destination.name);
            row(&destination.name, group, Some(destination), span)
        });
        // What is counted and gone from the configuration.
        let others = stats
            .groups
            .iter()
            .filter(|group| destinations.iter().all(|destination| destination.name != group.name))
            .map(|group| row(&group.name, Some(group), None, span));
        let mut rows: Vec<Row> = known.chain(others).filter(|row| row.weight > Weight::default()).collect();
        rows.sort_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.name.cmp(&b.name)));
        let more = rows.len().saturating_sub(ROWS_MAX);
        rows.truncate(ROWS_MAX);
        Failing { rows, more }
    }
}

fn row(name: &str, group: Option<&FiguresView>, destination: Option<&DestinationView>, span: &str) -> Row {
    let count = |metric| group.and_then(|group| group.overall.get(metric).copied().flatten()).unwrap_or_default();
    let (attempts, failed) = (count("attempts"), count("retries") + count("dead"));
    let is_published = name == PUBLISHED_ADDRESSES;
    let states = destination.filter(|_| !is_published).map(states).unwrap_or_default();
    let dead_letters = destination.map_or(0, |destination| destination.dead_letters);
    // Addresses of messages are told apart nowhere but at the messages.
    let of = if is_published { [("source", PUBLISHED)] } else { [("destination", name)] };
    let link = match (is_published, destination) {
        (true, _) => "/publishing".to_owned(),
        (false, Some(_)) => format!("/destinations/{}", query::segment(name)),
        (false, None) => String::new(),
    };
    Row {
        link,
        events_link: format!("{}&{span}", query::path("/events", &of)),
        dead_letters_link: query::path("/dead-letters", &of),
        failed: show::count(&(failed as u64)),
        share: share(failed, attempts),
        dead_letters,
        depth: destination.map_or(0, |destination| destination.depth),
        weight: Weight {
            dead_letters,
            failed: failed as u64,
            held: states.iter().map(|state| held(state)).max().unwrap_or_default(),
        },
        name: if is_published { "published messages".to_owned() } else { name.to_owned() },
        states,
    }
}

fn states(destination: &DestinationView) -> Vec<&'static str> {
    let state = ["paused", "disabled", "missing"].into_iter().find(|state| destination.state == *state);
    let breaker = match destination.breaker {
        Breaker::Closed => None,
        Breaker::Open => Some("breaker_open"),
        Breaker::Probing => Some("probing"),
    };
    state.into_iter().chain(breaker).collect()
}

/// A fault comes before what people wanted.
fn held(state: &str) -> u8 {
    match state {
        "breaker_open" => 5,
        "probing" => 4,
        "missing" => 3,
        "paused" => 2,
        _ => 1,
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
    use hookhaven_core::Time;

    use super::*;

    fn destination(name: &str, state: &str, breaker: Breaker, dead_letters: u64) -> DestinationView {
        let (name, state) = (name.to_owned(), state.to_owned());
        DestinationView { name, state, breaker, dead_letters, depth: 1, ..DestinationView::default() }
    }

    fn stats(failed: &[(&str, f64)]) -> StatsView {
        let group = |(name, dead): &(&str, f64)| FiguresView {
            name: (*name).to_owned(),
            overall: [("attempts", 10.0), ("dead", *dead)].map(|(m, v)| (m.to_owned(), Some(v))).into(),
        };
        StatsView {
            since: Time::EPOCH,
            until: Time::EPOCH,
            known_until: Time::EPOCH,
            step_s: 60,
            series: Vec::new(),
            sources: Vec::new(),
            destinations: Vec::new(),
            groups: failed.iter().map(group).collect(),
        }
    }

    #[test]
    fn faults_come_first_and_then_what_people_hold_back() {
        let destinations = [
            destination("a-off", "disabled", Breaker::Closed, 0),
            destination("b-fine", "active", Breaker::Closed, 0),
            destination("c-held", "paused", Breaker::Closed, 0),
            destination("d-rests", "active", Breaker::Open, 0),
            destination("e-letters", "active", Breaker::Closed, 2),
            destination("f-off-letters", "disabled", Breaker::Closed, 9),
            destination("published", "missing", Breaker::Closed, 1),
        ];
        let failing = Failing::of(&stats(&[("b-fine", 0.0), ("gone", 3.0)]), &destinations, "range=1h");
        let rows: Vec<_> = failing.rows.iter().map(|row| (&*row.name, row.states.join(" "))).collect();
        let want = [
            ("f-off-letters", "disabled"),
            ("e-letters", ""),
            ("published messages", ""),
            ("gone", ""),
            ("d-rests", "breaker_open"),
            ("c-held", "paused"),
            ("a-off", "disabled"),
        ];
        assert_eq!(rows, want.map(|(name, states)| (name, states.to_owned())));
    }

    #[test]
    fn published_messages_are_no_destination_that_is_missing() {
        let published = destination("published", "missing", Breaker::Closed, 1);
        let failing = Failing::of(&stats(&[]), &[published], "range=1h");
        let row = &failing.rows[0];
        assert_eq!((&*row.link, row.states.len()), ("/publishing", 0));
        assert_eq!(row.dead_letters_link, "/dead-letters?source=publish");
        assert_eq!(row.events_link, "/events?source=publish&range=1h");
        let waits = destination("published", "missing", Breaker::Closed, 0);
        assert!(Failing::of(&stats(&[]), &[waits], "").rows.is_empty(), "messages that wait are no fault");
    }

    #[test]
    fn a_share_is_never_rounded_to_nothing() {
        let shown = [(0.0, 0.0), (0.0, 9.0), (1.0, 100_000.0), (1.0, 3.0), (4.0, 4.0)].map(|(f, a)| share(f, a));
        assert_eq!(shown, ["–", "–", "< 0.1%", "33.3%", "100.0%"]);
    }
}
