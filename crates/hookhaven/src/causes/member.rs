//! Whether a dead letter is of a group, found out from the letter itself.

use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};
use hookhaven_core::{Attempt, DeliveryId, GroupId};
use hookhaven_store::{DeliveryRow, Store, StoreError};

/// Letters that are judged at once.
pub const AT_ONCE: usize = 4;

pub async fn group_of(store: &dyn Store, row: &DeliveryRow) -> Result<GroupId, StoreError> {
    let last = match row.last {
        Some(_) => last_attempt(store, row.delivery.id).await?,
        None => None,
    };
    Ok(GroupId::of(&row.delivery, last.as_ref()))
}

/// The last attempt of a delivery, whole.
pub async fn last_attempt(store: &dyn Store, id: DeliveryId) -> Result<Option<Attempt>, StoreError> {
    Ok(store.attempts(id).await?.pop())
}

/// Reads the attempts of those only that may be of it.
pub async fn is_of(store: &dyn Store, group: GroupId, row: &DeliveryRow) -> Result<bool, StoreError> {
    let last = row.last.as_ref().map(|last| (last.class, last.status));
    Ok(group.may_hold(&row.delivery, last) && group_of(store, row).await? == group)
}

/// The first `max` of these that are of the group; all are, if none is given.
pub async fn those_of(
    store: &dyn Store,
    group: Option<GroupId>,
    rows: Vec<DeliveryRow>,
    max: usize,
) -> Result<Vec<DeliveryRow>, StoreError> {
    let Some(group) = group else { return Ok(rows) };
    let judged = stream::iter(rows).map(|row| async move {
        let is_of = is_of(store, group, &row).await?;
        Ok::<_, StoreError>(is_of.then_some(row))
    });
    judged.buffered(AT_ONCE).try_filter_map(future::ok).take(max).try_collect().await
}
