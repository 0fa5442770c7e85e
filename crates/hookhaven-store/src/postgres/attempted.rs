//! Attempts of all deliveries, in the order of their ends: for those who follow what happens.

use std::collections::HashMap;

use hookhaven_core::{Attempt, Delivery, DeliveryId};
use tokio_postgres::types::Type;

use super::{
    Shared,
    pool::{Args, Mode},
    rows::{At, ENDED_COLUMNS, LIVE_COLUMNS, Stored, Uuid, number},
    trouble::Trouble,
};
use crate::{
    codec,
    seam::{AttemptAt, AttemptRow, StoreError},
};

/// The first condition is what the index is entered by.
const AFTER: &str = "SELECT slice, body FROM hookhaven.attempts \
     WHERE ended_at >= $1 AND (ended_at, delivery, number) > ($1, $2, $3) \
     ORDER BY ended_at, delivery, number LIMIT $4";

impl Shared {
    pub(super) async fn attempts_after(&self, after: AttemptAt, limit: usize) -> Result<Vec<AttemptRow>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let args: Args<'_> = &[
            (&At(after.ended_at), Type::TIMESTAMPTZ),
            (&Uuid::from(after.delivery), Type::UUID),
            (&number(after.number), Type::INT4),
            (&limit, Type::INT8),
        ];
        let (mut attempts, mut slices) = (Vec::new(), Vec::new());
        for row in &self.reads.once(Mode::Read, AFTER, args).await? {
            slices.push(row.try_get::<_, i32>(0).map_err(Trouble::from)?);
            attempts.push(codec::decode_attempt(row.try_get(1).map_err(Trouble::from)?).map_err(Trouble::from)?);
        }
        slices.sort_unstable();
        slices.dedup();
        let ids = attempts.iter().map(|attempt| Uuid::from(attempt.delivery)).collect();
        let deliveries = self.deliveries_in(ids, slices).await?;
        // One whose delivery has gone meanwhile goes with it.
        let row = |attempt: Attempt| {
            let delivery = deliveries.get(&attempt.delivery)?.clone();
            Some(AttemptRow::of(&attempt, delivery))
        };
        Ok(attempts.into_iter().filter_map(row).collect())
    }

    /// In one statement, so that one that is just moving from `live` to `ended` is seen in exactly one of them.
    async fn deliveries_in(
        &self,
        mut ids: Vec<Uuid>,
        slices: Vec<i32>,
    ) -> Result<HashMap<DeliveryId, Delivery>, Trouble> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        ids.sort_unstable();
        ids.dedup();
        let sql = format!(
            "SELECT {LIVE_COLUMNS} FROM hookhaven.live WHERE id = ANY($1) \
             UNION ALL SELECT {ENDED_COLUMNS} FROM hookhaven.ended WHERE id = ANY($1) AND slice = ANY($2)"
        );
        let args: Args<'_> = &[(&ids, Type::UUID_ARRAY), (&slices, Type::INT4_ARRAY)];
        let rows = self.reads.once(Mode::Read, &sql, args).await?;
        let stored = |row| Stored::read(row).map(|stored| (stored.delivery.id, stored.delivery));
        rows.iter().map(stored).collect()
    }
}
