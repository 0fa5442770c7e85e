//! Attempts of all deliveries, in the order of their ends: for those who follow what happens.

use hookhaven_core::{AttemptId, DeliveryId, ErrorClass};
use rusqlite::params;

use super::{IndexError, lists::PAGE_MAX, readers::Reader, rows};
use crate::seam::{AttemptAt, AttemptRow};

/// The first condition is what the index is entered by.
const AFTER: &str = "SELECT id, started_at + duration_us, delivery, number, duration_us, class, status, error \
     FROM attempts WHERE started_at + duration_us >= ?1 \
     AND (started_at + duration_us > ?1 OR delivery > ?2 OR (delivery = ?2 AND number > ?3)) \
     ORDER BY started_at + duration_us, delivery, number LIMIT ?4";

impl Reader {
    pub fn attempts_after(&self, after: AttemptAt, limit: usize) -> Result<Vec<AttemptRow>, IndexError> {
        let mut select = self.connection.prepare_cached(AFTER)?;
        let limit = i64::try_from(limit.min(PAGE_MAX)).unwrap_or(i64::MAX);
        let values = params![after.ended_at.as_us(), after.delivery.as_bytes(), after.number, limit];
        let mut found = select.query(values)?;
        let mut attempts = Vec::new();
        while let Some(row) = found.next()? {
            let id = DeliveryId::from_bytes(row.get(2)?);
            let Some(indexed) = self.delivery(id)? else { continue };
            let class = rows::text(row, 5)?;
            attempts.push(AttemptRow {
                id: AttemptId::from_bytes(row.get(0)?),
                at: AttemptAt { ended_at: rows::time(row.get(1)?), delivery: id, number: row.get(3)? },
                duration_us: row.get(4)?,
                class: ErrorClass::parse(class)
                    .ok_or_else(|| IndexError::Malformed(format!("{class:?} is no error class")))?,
                status: row.get(6)?,
                error: rows::text(row, 7)?.into(),
                delivery: indexed.delivery,
            });
        }
        Ok(attempts)
    }
}
