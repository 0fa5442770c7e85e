//! Where messages are found that no single filter of the store names: those of a URL group, which have a route for each
//! endpoint, and those of a schedule, whose ticks are known by their idempotency keys. Both are a bounded number of looks,
//! put together so that they page like any other list.

use std::{sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use hookhaven_core::{DeliveryId, Time};
use hookhaven_store::{DeliveryFilter, DeliveryRow, EventFilter, Looked, Page, Store, StoreError};

use crate::publications::{Publications, TickKey};

/// Ticks of a schedule looked at for one page.
const TICKS_MAX: usize = 100;

type Rows = Looked<DeliveryRow, DeliveryId>;

/// Of deliveries on any of these routes, the newest.
pub(super) async fn on_routes(
    store: &dyn Store,
    filter: &DeliveryFilter,
    routes: Vec<String>,
    page: Page<DeliveryId>,
) -> Result<Rows, StoreError> {
    let filters: Vec<_> =
        routes.into_iter().map(|route| DeliveryFilter { route: Some(route), ..filter.clone() }).collect();
    let looks = try_join_all(filters.iter().map(|filter| store.look_deliveries(filter, page))).await?;
    Ok(merged(looks, page.limit))
}

/// One page of several looks, newest first.
fn merged(looks: Vec<Rows>, limit: usize) -> Rows {
    // A look that ended early knows nothing of what is older: nor does the whole.
    let upto = looks.iter().filter_map(|look| look.upto).max();
    let mut rows: Vec<_> = looks.into_iter().flat_map(|look| look.rows).collect();
    rows.retain(|row| upto.is_none_or(|upto| row.delivery.id >= upto));
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.delivery.id));
    let is_full = rows.len() >= limit;
    rows.truncate(limit);
    Looked { rows, upto: upto.filter(|_| !is_full) }
}

/// Of what a schedule's ticks published, tick by tick, the newest first. `None`: there is no such schedule.
///
/// A replay stands with its tick, though it is younger than what later ticks published. So a page goes on from the tick
/// of its last message, and not from when that was made.
pub(super) async fn of_schedule(
    store: &dyn Store,
    publications: &dyn Publications,
    (schedule, filter): (&str, &DeliveryFilter),
    page: Page<DeliveryId>,
    now: Time,
) -> Result<Option<Rows>, StoreError> {
    let within = match page.after {
        Some(after) => published(store, after).await?,
        None => None,
    };
    let until = match (page.after, &within) {
        (None, _) => now,
        (Some(_), Some((at, _))) => *at,
        // What ended there was no message but the last tick that was looked at.
        (Some(after), None) => after.minted_at().minus(Duration::from_micros(1)),
    };
    let until = until.min(filter.until.unwrap_or(Time::MAX));
    let Some(ticks) = publications.ticks(schedule, until, TICKS_MAX).await? else { return Ok(None) };
    let last = ticks.last().filter(|_| ticks.len() == TICKS_MAX).map(|tick| DeliveryId::mint(tick.at, [0; 10]));
    let is_within = |tick: &TickKey| within.as_ref().is_some_and(|(_, key)| **key == *tick.key);
    let begun = ticks.iter().position(is_within).unwrap_or(0);
    let mut rows = Vec::new();
    for tick in ticks.into_iter().skip(begun) {
        let after = page.after.filter(|_| is_within(&tick));
        let filter = DeliveryFilter { idempotency_key: Some(tick.key), ..filter.clone() };
        let rest = Page { limit: page.limit - rows.len(), after, ..page };
        rows.extend(store.deliveries(&filter, rest).await?);
        if rows.len() >= page.limit {
            return Ok(Some(Looked::whole(rows)));
        }
    }
    Ok(Some(Looked { rows, upto: last }))
}

/// When the message of a delivery was published, and its key; `None` if there is no such delivery.
async fn published(store: &dyn Store, id: DeliveryId) -> Result<Option<(Time, Arc<str>)>, StoreError> {
    let Some(row) = store.delivery(id).await? else { return Ok(None) };
    let filter = EventFilter { id: Some(row.delivery.event), ..EventFilter::default() };
    let event = store.events(&filter, Page::first(1)).await?.pop();
    Ok(event.map(|event| (event.received_at, event.idempotency_key)))
}
