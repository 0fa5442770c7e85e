//! Finding published deliveries by a selection: page by page, with as much read as the selection needs.

use std::{collections::HashMap, sync::Arc};

use hookhaven_core::{DeliveryId, DeliveryState, Event, EventId, Lane};
use hookhaven_store::{DeliveryFilter, DeliveryRow, Page, Store};

use crate::publish::{error::ApiError, message::SOURCE, selection::Selection, view::Seen};

const PAGE: usize = 500;
/// Deliveries looked at in one call; what is left is for the next, with its cursor.
const LOOKED_AT_MAX: usize = 100_000;

/// What is looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Among {
    Pending,
    DeadLetters,
}

/// What was found, and where to go on, if there may be more.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub seen: Vec<Seen>,
    pub next: Option<DeliveryId>,
}

/// One published message, whatever its state.
pub(super) async fn one(store: &dyn Store, id: DeliveryId) -> Result<Option<Seen>, ApiError> {
    let Some(row) = store.delivery(id).await?.filter(|row| &*row.delivery.source == SOURCE) else { return Ok(None) };
    let event = store.event(row.delivery.event).await?;
    Ok(event.map(|event| Seen::new(row, event)))
}

/// At most `limit` that the selection means, after `after`.
pub(super) async fn select(
    store: &dyn Store,
    among: Among,
    selection: &Selection,
    after: Option<DeliveryId>,
    limit: usize,
) -> Result<Found, ApiError> {
    let filter = filter(among, selection);
    let oldest_first = selection.oldest_first.unwrap_or(true);
    let mut page = Page { after, limit: PAGE.min(limit.saturating_add(1)), oldest_first };
    let (mut found, mut looked_at) = (Found::default(), 0);
    let mut events: HashMap<EventId, Arc<Event>> = HashMap::new();
    loop {
        let rows = store.deliveries(&filter, page).await?;
        let is_last = rows.len() < page.limit;
        for row in rows {
            let id = row.delivery.id;
            if let Some(seen) = seen(store, &mut events, row).await?.filter(|seen| means(among, selection, seen)) {
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

/// What the store itself can tell apart.
fn filter(among: Among, selection: &Selection) -> DeliveryFilter {
    let only = |values: &[String]| match values {
        [one] => Some(one.clone()),
        _ => None,
    };
    DeliveryFilter {
        source: Some(SOURCE.to_owned()),
        destination: only(&selection.urls),
        lane: only(&selection.queues).map(|queue| Lane::of_queue(&queue)),
        state: (among == Among::Pending).then_some(DeliveryState::Pending),
        dead_letters: among == Among::DeadLetters,
        since: selection.from,
        until: selection.before(),
        ..DeliveryFilter::default()
    }
}

fn means(among: Among, selection: &Selection, seen: &Seen) -> bool {
    let status = seen.row.last.as_ref().and_then(|last| last.status).unwrap_or(0);
    let wanted = among == Among::Pending || selection.status(status);
    wanted && selection.matches(&seen.message)
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
