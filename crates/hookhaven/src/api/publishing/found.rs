//! Where messages are found that no single filter of the store names: those of a URL group, which have a route for each
//! endpoint, and those of a schedule, whose ticks are known by their idempotency keys. Both are a bounded number of looks,
//! put together so that they page like any other list.

use futures_util::future::try_join_all;
use hookhaven_core::{DeliveryId, Time};
use hookhaven_store::{DeliveryFilter, DeliveryRow, Looked, Page, Store, StoreError};

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

/// Of what a schedule's ticks published, the newest. `None`: there is no such schedule.
pub(super) async fn of_schedule(
    store: &dyn Store,
    publications: &dyn Publications,
    (schedule, filter): (&str, &DeliveryFilter),
    page: Page<DeliveryId>,
    now: Time,
) -> Result<Option<Rows>, StoreError> {
    let until = page.after.map_or(now, |after| after.minted_at()).min(filter.until.unwrap_or(Time::MAX));
    let Some(ticks) = publications.ticks(schedule, until, TICKS_MAX).await? else { return Ok(None) };
    let last = ticks.last().filter(|_| ticks.len() == TICKS_MAX).map(|tick| DeliveryId::mint(tick.at, [0; 10]));
    let mut rows = Vec::new();
    for TickKey { key, .. } in ticks {
        let filter = DeliveryFilter { idempotency_key: Some(key), ..filter.clone() };
        let rest = Page { limit: page.limit - rows.len(), ..page };
        rows.extend(store.deliveries(&filter, rest).await?);
        if rows.len() >= page.limit {
            return Ok(Some(Looked::whole(rows)));
        }
    }
    Ok(Some(Looked { rows, upto: last }))
}
