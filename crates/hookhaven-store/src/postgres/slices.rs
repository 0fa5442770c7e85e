//! Days: which one an event belongs to, and the partitions that hold them. A partition is made before the
//! first event of its day needs it, beside whatever else goes on.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Mutex,
};

use hookhaven_core::{DeliveryId, EventId, Time};
use tokio_postgres::types::Type;

use super::{
    pool::{Mode, Pool},
    trouble::Trouble,
};

/// Where events are that outlived their day.
pub(super) const KEPT: i32 = 0;

const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// The tables that share their slices.
pub(super) const PARENTS: [&str; 4] = ["events", "ended", "attempts", "steps"];

/// The day of an event's birth, which its id begins with.
pub(super) fn of_event(id: EventId) -> i32 {
    of_id(id.as_bytes())
}

/// Where the events of deliveries mostly are: those were made when these came in, or soon after.
pub(super) fn near(ids: &[DeliveryId]) -> Vec<i32> {
    let days = ids.iter().map(|id| of_id(id.as_bytes()));
    let slices: BTreeSet<i32> = days.flat_map(|day| [KEPT, day - 1, day]).collect();
    slices.into_iter().collect()
}

fn of_id(id: &[u8; 16]) -> i32 {
    of_number(u128::from_be_bytes(*id))
}

/// The same of an id as a number.
pub(super) fn of_number(id: u128) -> i32 {
    of_ms(i64::try_from(id >> 80).unwrap_or(i64::MAX))
}

pub(super) fn of_time(at: Time) -> i32 {
    of_ms(at.as_ms())
}

fn of_ms(ms: i64) -> i32 {
    // The days of 48 bits of milliseconds fit; day 0 would be where the kept ones are.
    i32::try_from(ms.div_euclid(DAY_MS)).unwrap_or(i32::MAX).max(1)
}

/// Where these events may lie.
pub(super) fn of_events(ids: impl IntoIterator<Item = EventId>) -> Vec<i32> {
    let mut slices: BTreeSet<i32> = ids.into_iter().map(of_event).collect();
    slices.insert(KEPT);
    slices.into_iter().collect()
}

/// When the day is over.
pub(super) fn end(slice: i32) -> Time {
    Time::from_ms((i64::from(slice) + 1) * DAY_MS)
}

/// Ids of events born on that day lie from the first of these on and before the second.
pub(super) fn ids(slice: i32) -> (EventId, EventId) {
    let first = |day: i64| {
        let mut id = [0; 16];
        id[..6].copy_from_slice(&(day * DAY_MS).to_be_bytes()[2..]);
        EventId::from_bytes(id)
    };
    (first(i64::from(slice)), first(i64::from(slice) + 1))
}

/// Names carry the date, for people: `events_20260921`.
pub(super) fn table(parent: &str, slice: i32) -> String {
    let date = Time::from_ms(i64::from(slice) * DAY_MS).to_string();
    let date: String = date.chars().take_while(|c| *c != 'T').filter(|c| *c != '-').collect();
    format!("{parent}_{date}")
}

/// The days that have partitions, as far as we know.
#[derive(Debug, Default)]
pub(super) struct Slices(Mutex<HashSet<i32>>);

impl Slices {
    /// Makes what is missing.
    pub async fn ensure(&self, pool: &Pool, slices: impl IntoIterator<Item = i32>) -> Result<(), Trouble> {
        let missing: BTreeSet<i32> = {
            let known = self.0.lock().unwrap_or_else(|e| e.into_inner());
            slices.into_iter().filter(|slice| *slice != KEPT && !known.contains(slice)).collect()
        };
        for slice in missing {
            make(pool, slice).await?;
            self.0.lock().unwrap_or_else(|e| e.into_inner()).insert(slice);
        }
        Ok(())
    }

    /// Another node may have dropped some.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).clear();
    }
}

/// Attaching a table that is empty needs no lock that anybody waits for; creating it as a partition would.
async fn make(pool: &Pool, slice: i32) -> Result<(), Trouble> {
    let mut connection = pool.get().await?;
    connection.begin(Mode::Write).await?;
    connection.batch("SELECT pg_advisory_xact_lock(7525356076397377126)").await?;
    for parent in PARENTS {
        let name = table(parent, slice);
        let full_name = format!("hookhaven.{name}");
        let there = connection.query("SELECT to_regclass($1) IS NOT NULL", &[(&full_name, Type::TEXT)]).await?;
        if there.first().is_some_and(|row| row.get(0)) {
            continue;
        }
        let make = format!(
            "CREATE TABLE hookhaven.{name} (LIKE hookhaven.{parent} INCLUDING ALL); \
             ALTER TABLE hookhaven.{parent} ATTACH PARTITION hookhaven.{name} FOR VALUES IN ({slice})"
        );
        connection.batch(&make).await?;
    }
    connection.commit().await
}

/// Days that have partitions, oldest first; perhaps not all of them: nodes that know version 1 only make and drop
/// none of `steps`.
pub(super) async fn all(pool: &Pool) -> Result<Vec<i32>, Trouble> {
    let sql = "SELECT DISTINCT (regexp_match(pg_get_expr(c.relpartbound, c.oid), '(\\d+)'))[1]::int4 AS slice \
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
        WHERE i.inhparent IN (to_regclass('hookhaven.events'), to_regclass('hookhaven.steps')) ORDER BY slice";
    let rows = pool.once(Mode::Read, sql, &[]).await?;
    let slices: Result<Vec<i32>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    Ok(slices?.into_iter().filter(|slice| *slice != KEPT).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_holds_the_ids_that_were_born_in_it() {
        let at = Time::parse_rfc3339("2026-09-21T23:59:59.999Z").unwrap();
        let (last, next) = (EventId::mint(at, [0xff; 10]), EventId::mint(Time::from_ms(at.as_ms() + 1), [0; 10]));
        let slice = of_event(last);
        assert_eq!((of_time(at), of_event(next)), (slice, slice + 1));
        let (from, until) = ids(slice);
        assert!(from <= last && last < until && until <= next);
        assert_eq!(end(slice), Time::from_ms(at.as_ms() + 1));
        assert_eq!(table("events", slice), "events_20260921");
        assert_eq!(of_event(EventId::from_bytes([0; 16])), 1, "day 0 is where the kept ones are");
    }
}
