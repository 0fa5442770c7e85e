//! What happened to published deliveries, step by step, in the order of the journal.

use hookhaven_core::{DeliveryId, Time};
use rusqlite::{Connection, params, params_from_iter};

use super::{
    IndexError,
    lists::{PAGE_MAX, Where},
    readers::Reader,
    rows,
};
use crate::{
    codec,
    seam::{Page, Step, StepFilter, StepKind},
};

/// Steps deleted in one transaction.
const FORGET_STEP: i64 = 1_000;

pub(super) fn write(connection: &Connection, steps: &mut Vec<(DeliveryId, Time, StepKind)>) -> Result<(), IndexError> {
    let mut insert = connection.prepare_cached("INSERT INTO steps (at, delivery, kind) VALUES (?1, ?2, ?3)")?;
    for (delivery, at, kind) in steps.drain(..) {
        insert.execute(params![at.as_us(), delivery.as_bytes(), codec::step_number(kind)])?;
    }
    Ok(())
}

/// Deletes some of those that are older than any event that is kept.
pub(super) fn forget_some(connection: &Connection) -> Result<bool, IndexError> {
    let sql = "DELETE FROM steps WHERE number IN (SELECT number FROM steps ORDER BY number LIMIT ?1)
        AND at < coalesce((SELECT received_at FROM events ORDER BY id LIMIT 1), 0)";
    Ok(connection.prepare_cached(sql)?.execute([FORGET_STEP])? as i64 == FORGET_STEP)
}

impl Reader {
    pub fn steps(&self, filter: &StepFilter, page: Page<u64>) -> Result<Vec<Step>, IndexError> {
        let mut wanted = Where::default();
        let after = page.after.map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        wanted.value(if page.oldest_first { "number >" } else { "number <" }, after);
        wanted.value("at >=", filter.since.map(|t| t.as_us()));
        wanted.value("at <", filter.until.map(|t| t.as_us()));
        let order = if page.oldest_first { "" } else { " DESC" };
        let Where { sql, values, .. } = wanted;
        let mut select = self.connection.prepare_cached(&format!(
            "SELECT number, at, delivery, kind FROM steps{sql} ORDER BY number{order} LIMIT {}",
            page.limit.min(PAGE_MAX)
        ))?;
        let mut found = select.query(params_from_iter(values))?;
        let mut steps = Vec::new();
        while let Some(row) = found.next()? {
            steps.push(Step {
                number: row.get(0)?,
                at: rows::time(row.get(1)?),
                delivery: DeliveryId::from_bytes(row.get(2)?),
                kind: kind_of(row.get(3)?)?,
            });
        }
        Ok(steps)
    }
}

fn kind_of(number: i64) -> Result<StepKind, IndexError> {
    codec::step_of(number).ok_or_else(|| IndexError::Malformed(format!("{number} is no kind of step")))
}
