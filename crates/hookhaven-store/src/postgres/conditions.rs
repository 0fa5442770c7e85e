//! What filters mean, as conditions on rows: a table's row is `x` in all of them. Not here: which index leads to
//! them (`lists`).

use hookhaven_core::{DeliveryState, Lane};
use tokio_postgres::types::Type;

use super::{
    look::{Values, of_days},
    rows::{At, to_text},
};
use crate::{
    codec,
    seam::{DeliveryFilter, EventFilter},
};

/// At or after and before, exactly.
pub(super) fn times(values: &mut Values, filter: &DeliveryFilter) -> Vec<String> {
    let at = if filter.dead_letters { "ended_at" } else { "accepted_at" };
    let since = filter.since.map(|t| format!("x.{at} >= {}", values.add(At(t), Type::TIMESTAMPTZ)));
    let until = filter.until.map(|t| format!("x.{at} < {}", values.add(At(t), Type::TIMESTAMPTZ)));
    since.into_iter().chain(until).collect()
}

/// What must hold of source and type.
pub(super) fn kind_conditions(values: &mut Values, source: Option<&str>, pattern: Option<&str>) -> Vec<String> {
    let mut wanted = Vec::new();
    if let Some(source) = source {
        wanted.push(format!("x.source = {}", values.add(to_text(source).into_owned(), Type::TEXT)));
    }
    if let Some(pattern) = pattern {
        let text = to_text(pattern).into_owned();
        wanted.push(match pattern.contains('*') {
            // Of what is special in LIKE, nothing is special here but the star.
            true => format!("x.event_type LIKE {}", values.add(like(&text), Type::TEXT)),
            false => format!("x.event_type = {}", values.add(text, Type::TEXT)),
        });
    }
    wanted
}

fn like(pattern: &str) -> String {
    let escaped = pattern.chars().flat_map(|c| match c {
        '*' => [None, Some('%')],
        '%' | '_' | '\\' => [Some('\\'), Some(c)],
        c => [None, Some(c)],
    });
    escaped.flatten().collect()
}

/// Whether events are sought by deliveries that wait, and by such as have ended.
pub(super) fn about_deliveries(filter: &EventFilter) -> (bool, bool) {
    match filter.state {
        None => (filter.destination.is_some(), filter.destination.is_some()),
        Some(DeliveryState::Pending | DeliveryState::Leased) => (true, false),
        Some(_) => (false, true),
    }
}

/// What must hold of an event's deliveries.
pub(super) fn delivery_conditions(values: &mut Values, filter: &EventFilter) -> Option<String> {
    let destination = filter
        .destination
        .as_deref()
        .map(|name| format!("AND d.destination = {}", values.add(to_text(name).into_owned(), Type::TEXT)));
    let destination = destination.unwrap_or_default();
    let in_live = format!("EXISTS (SELECT FROM hookhaven.live d WHERE d.event = x.id {destination})");
    let in_ended = |state: &str| {
        let of_days = of_days("d");
        format!(
            "EXISTS (SELECT FROM hookhaven.ended d \
               WHERE d.event = x.id AND d.slice = x.slice AND {of_days} {destination} {state})"
        )
    };
    match filter.state {
        None if filter.destination.is_none() => None,
        None => Some(format!("({in_live} OR {})", in_ended(""))),
        Some(DeliveryState::Pending | DeliveryState::Leased) => Some(in_live),
        Some(state) => {
            let state = values.add(i16::from(codec::state_number(state)), Type::INT2);
            Some(in_ended(&format!("AND d.state = {state}")))
        }
    }
}

/// What must hold of a delivery, wherever it is.
pub(super) fn wanted(values: &mut Values, filter: &DeliveryFilter) -> Vec<String> {
    let mut wanted = kind_conditions(values, filter.source.as_deref(), filter.event_type.as_deref());
    let lane = filter.lane.as_ref().map(Lane::as_str);
    let texts = [("destination", filter.destination.as_deref()), ("route", filter.route.as_deref()), ("lane", lane)];
    for (column, text) in texts {
        wanted.extend(text.map(|text| format!("x.{column} = {}", values.add(to_text(text).into_owned(), Type::TEXT))));
    }
    if let Some(class) = filter.class {
        let class = values.add(i16::from(codec::class_number(class)), Type::INT2);
        wanted.push(format!("x.last_class = {class}"));
    }
    if let Some(status) = filter.status {
        wanted.push(format!("x.last_status = {}", values.add(small(status), Type::INT2)));
    }
    wanted
}

pub(super) fn small(status: u16) -> i16 {
    i16::try_from(status).unwrap_or(i16::MAX)
}
