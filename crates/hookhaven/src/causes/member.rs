//! Whether dead letters are of a group, found out from the letters themselves.

use std::collections::HashSet;

use futures_util::{Stream, StreamExt as _, TryStreamExt as _, future, stream};
use hookhaven_core::{DeliveryId, GroupId};
use hookhaven_store::{DeliveryRow, Store, StoreError, Tried};

/// Letters of one question to the store.
pub const TOGETHER: usize = 64;

pub fn group_of(tried: &Tried) -> GroupId {
    GroupId::of(&tried.row.delivery, tried.attempt.as_ref())
}

/// Each with whether it is of the group, in their order. Reads the attempts of those only that may be of it, and of some
/// at a time: who has enough asks for no more.
pub fn judged(
    store: &dyn Store,
    group: GroupId,
    rows: Vec<DeliveryRow>,
) -> impl Stream<Item = Result<(DeliveryRow, bool), StoreError>> {
    let judged = stream::iter(rows).chunks(TOGETHER).then(move |rows| judge(store, group, rows));
    judged.map_ok(|judged| stream::iter(judged.into_iter().map(Ok))).try_flatten()
}

async fn judge(
    store: &dyn Store,
    group: GroupId,
    rows: Vec<DeliveryRow>,
) -> Result<Vec<(DeliveryRow, bool)>, StoreError> {
    let may_be_of_it = |row: &&DeliveryRow| {
        let last = row.last.as_ref().map(|last| (last.class, last.status));
        group.may_hold(&row.delivery, last)
    };
    let asked: Vec<DeliveryId> = rows.iter().filter(may_be_of_it).map(|row| row.delivery.id).collect();
    let tried = store.tried(&asked).await?.into_iter().flatten();
    let of_it: HashSet<_> = tried.filter(|tried| group_of(tried) == group).map(|tried| tried.row.delivery.id).collect();
    Ok(rows.into_iter().map(|row| (of_it.contains(&row.delivery.id), row)).map(|(is, row)| (row, is)).collect())
}

/// The first `max` of these that are of the group; all are, if none is given.
pub async fn those_of(
    store: &dyn Store,
    group: Option<GroupId>,
    rows: Vec<DeliveryRow>,
    max: usize,
) -> Result<Vec<DeliveryRow>, StoreError> {
    let Some(group) = group else { return Ok(rows) };
    let those = judged(store, group, rows).try_filter_map(|(row, is_of)| future::ok(is_of.then_some(row)));
    those.take(max).try_collect().await
}
