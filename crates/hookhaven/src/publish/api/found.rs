//! Finding published deliveries by a selection: page by page, with as much read as the selection needs.

use std::{collections::HashMap, sync::Arc};

use hookhaven_core::{DeliveryId, DeliveryState, Event, EventId, Lane, event::PUBLISHED};
use hookhaven_store::{DeliveryFilter, DeliveryRow, Page, Store};

use crate::{
    jobs,
    publish::{error::ApiError, message::Message, selection::Selection, view::Seen},
};

const PAGE: usize = 500;
/// Deliveries looked at in one call; what is left is for the next, with its cursor.
const LOOKED_AT_MAX: usize = 100_000;

/// What was found, and where to go on, if there may be more.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub seen: Vec<Seen>,
    pub next: Option<DeliveryId>,
}

/// One published message, whatever its state.
pub(super) async fn one(store: &dyn Store, id: DeliveryId) -> Result<Option<Seen>, ApiError> {
    let Some(row) = store.delivery(id).await?.filter(|row| &*row.delivery.source == PUBLISHED) else { return Ok(None) };
    let event = store.event(row.delivery.event).await?;
    Ok(event.map(|event| Seen::new(row, event)))
}

/// Of the next page of pending deliveries those that are meant, and where to go on. Events are read only if the
/// selection asks for what they alone tell: there may be a million messages for next year.
pub(super) async fn pending(
    store: &dyn Store,
    selection: &Selection,
    after: Option<DeliveryId>,
) -> Result<(Vec<DeliveryId>, Option<DeliveryId>), ApiError> {
    let filter = DeliveryFilter { state: Some(DeliveryState::Pending), ..filter(selection) };
    let filter = jobs::with_ages(store, filter).await?;
    let page = Page { after, limit: PAGE, oldest_first: true };
    let rows = store.deliveries(&filter, page).await?;
    let next = rows.last().map(|row| row.delivery.id).filter(|_| rows.len() == PAGE);
    let (mut ids, mut events) = (Vec::new(), HashMap::new());
    for row in rows {
        let id = row.delivery.id;
        let is_meant = match selection.is_about_deliveries() {
            true => selection.matches(&Message::of_delivery(&row.delivery)),
            false => seen(store, &mut events, row).await?.is_some_and(|seen| selection.matches(&seen.message)),
        };
        ids.extend(is_meant.then_some(id));
    }
    Ok((ids, next))
}

/// The part of the dead letters that a call is about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stretch {
    /// Behind this one.
    pub after: Option<DeliveryId>,
    /// None that was made later than this one.
    pub newest: Option<DeliveryId>,
}

/// Dead letters: at most `limit` that the selection means.
pub(super) async fn dead_letters(
    store: &dyn Store,
    selection: &Selection,
    Stretch { after, newest }: Stretch,
    limit: usize,
) -> Result<Found, ApiError> {
    let filter = DeliveryFilter { dead_letters: true, ..filter(selection) };
    let oldest_first = selection.oldest_first.unwrap_or(true);
    let mut page = Page { after, limit: PAGE.min(limit.saturating_add(1)), oldest_first };
    let (mut found, mut looked_at) = (Found::default(), 0);
    let mut events: HashMap<EventId, Arc<Event>> = HashMap::new();
    loop {
        let rows = store.deliveries(&filter, page).await?;
        let is_last = rows.len() < page.limit;
        for row in rows {
            let id = row.delivery.id;
            let later = newest.is_some_and(|newest| id > newest);
            if later && oldest_first {
                return Ok(found);
            }
            let seen = if later { None } else { seen(store, &mut events, row).await? };
            if let Some(seen) = seen.filter(|seen| means(selection, seen)) {
                if found.seen.len() == limit {
                    found.next = page.after;
                    return Ok(found);
                }
                found.seen.push(seen);
            }
            page = page.after(id);
            looked_at += 1;
        }
        if is_last {
            return Ok(found);
        }
        if looked_at >= LOOKED_AT_MAX {
            found.next = page.after;
            return Ok(found);
        }
        page.limit = PAGE;
    }
}

/// The dead letter that was made last.
pub(super) async fn newest(store: &dyn Store) -> Result<Option<DeliveryId>, ApiError> {
    let filter = DeliveryFilter { dead_letters: true, ..filter(&Selection::default()) };
    let rows = store.deliveries(&filter, Page { after: None, limit: 1, oldest_first: false }).await?;
    Ok(rows.first().map(|row| row.delivery.id))
}

/// What the store itself can tell apart.
fn filter(selection: &Selection) -> DeliveryFilter {
    let only = |values: &[String]| match values {
        [one] => Some(one.clone()),
        _ => None,
    };
    DeliveryFilter {
        source: Some(PUBLISHED.to_owned()),
        destination: only(&selection.urls),
        lane: only(&selection.queues).map(|queue| Lane::of_queue(&queue)),
        since: selection.from,
        until: selection.before(),
        ..DeliveryFilter::default()
    }
}

fn means(selection: &Selection, seen: &Seen) -> bool {
    let status = seen.row.last.as_ref().and_then(|last| last.status).unwrap_or(0);
    selection.status(status) && selection.matches(&seen.message)
}

/// Deliveries of one event share it. An event that is gone is passed over.
async fn seen(
    store: &dyn Store,
    events: &mut HashMap<EventId, Arc<Event>>,
    row: DeliveryRow,
) -> Result<Option<Seen>, ApiError> {
    let id = row.delivery.event;
    if let Some(event) = events.get(&id) {
        return Ok(Some(Seen::new(row, event.clone())));
    }
    let Some(event) = store.event(id).await? else { return Ok(None) };
    // Of a page's events one is mostly used at once, or by its neighbours.
    if events.len() >= PAGE {
        events.clear();
    }
    events.insert(id, event.clone());
    Ok(Some(Seen::new(row, event)))
}
