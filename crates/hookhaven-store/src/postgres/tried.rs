//! Deliveries by their ids, with their attempts.

use std::collections::{HashMap, HashSet};

use hookhaven_core::{Attempt, DeliveryId};
use tokio_postgres::{Row, types::Type};

use super::{
    Shared,
    pool::{Args, Mode},
    rows::{ENDED_COLUMNS, LIVE_COLUMNS, Stored, Uuid},
    slices,
    trouble::Trouble,
};
use crate::{
    codec,
    seam::{DeliveryRow, LastAttempt, StoreError, Tried},
};

impl Shared {
    pub(super) async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryRow>, StoreError> {
        Ok(self.tried(&[id]).await?.into_iter().flatten().next().map(|tried| tried.row))
    }

    pub(super) async fn tried(&self, ids: &[DeliveryId]) -> Result<Vec<Option<Tried>>, StoreError> {
        let sql = |of_days: &str| {
            format!(
                "SELECT {LIVE_COLUMNS} FROM hookhaven.live WHERE id = ANY($1) \
                 UNION ALL SELECT {ENDED_COLUMNS} FROM hookhaven.ended WHERE id = ANY($1) {of_days}"
            )
        };
        let tried = self.with_last_attempts(&self.of_deliveries(ids, sql).await?).await?;
        let found: HashMap<_, _> = tried.into_iter().map(|tried| (tried.row.delivery.id, tried)).collect();
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }

    /// What there is of these deliveries, whose ids are the first column. Every day that a statement may look at costs
    /// it time, so the likely ones are asked first, and all only for those of which nothing is found there.
    async fn of_deliveries(&self, ids: &[DeliveryId], sql: impl Fn(&str) -> String) -> Result<Vec<Row>, Trouble> {
        let near = slices::near(ids);
        let mut ids: Vec<Uuid> = ids.iter().map(|id| Uuid::from(*id)).collect();
        let args: Args<'_> = &[(&ids, Type::UUID_ARRAY), (&near, Type::INT4_ARRAY)];
        let mut rows = self.reads.once(Mode::Read, &sql("AND slice = ANY($2)"), args).await?;
        let found = rows.iter().map(|row| row.try_get(0)).collect::<Result<HashSet<Uuid>, _>>()?;
        ids.retain(|id| !found.contains(id));
        if !ids.is_empty() {
            rows.extend(self.reads.once(Mode::Read, &sql(""), &[(&ids, Type::UUID_ARRAY)]).await?);
        }
        Ok(rows)
    }

    pub(super) async fn with_last_attempts(&self, rows: &[Row]) -> Result<Vec<Tried>, StoreError> {
        let stored: Vec<Stored> = rows.iter().map(Stored::read).collect::<Result<_, _>>()?;
        let tried = || stored.iter().filter(|stored| stored.delivery.tries > 0);
        let ids: Vec<Uuid> = tried().map(|stored| stored.delivery.id.into()).collect();
        let slices = slices::of_events(tried().map(|stored| stored.delivery.event));
        let mut last = HashMap::new();
        if !ids.is_empty() {
            let sql = "SELECT DISTINCT ON (delivery) delivery, body FROM hookhaven.attempts \
                WHERE delivery = ANY($1) AND slice = ANY($2) ORDER BY delivery, number DESC";
            let args: Args<'_> = &[(&ids, Type::UUID_ARRAY), (&slices, Type::INT4_ARRAY)];
            for row in &self.reads.once(Mode::Read, sql, args).await? {
                let id = row.try_get::<_, Uuid>(0).map_err(Trouble::from)?.delivery();
                last.insert(id, attempt(row, 1)?);
            }
        }
        let tried = |stored: Stored| {
            let attempt = last.remove(&stored.delivery.id);
            let last = attempt.as_ref().map(|attempt| LastAttempt {
                at: attempt.started_at,
                class: attempt.class,
                status: attempt.status,
                error: attempt.error.clone(),
            });
            Tried { row: DeliveryRow { delivery: stored.delivery, last }, attempt }
        };
        Ok(stored.into_iter().map(tried).collect())
    }

    pub(super) async fn attempts(&self, delivery: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        let sql = |of_days: &str| {
            format!("SELECT delivery, body FROM hookhaven.attempts WHERE delivery = ANY($1) {of_days} ORDER BY number")
        };
        let rows = self.of_deliveries(&[delivery], sql).await?;
        Ok(rows.iter().map(|row| attempt(row, 1)).collect::<Result<_, _>>()?)
    }
}

fn attempt(row: &Row, column: usize) -> Result<Attempt, Trouble> {
    Ok(codec::decode_attempt(row.try_get(column)?)?)
}
