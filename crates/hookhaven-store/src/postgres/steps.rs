//! Steps: what happened to published deliveries. Each is written by the statement that makes it happen, into the
//! slice of the day on which it happened, and goes with that day. Of what was not published nothing is written.
//!
//! Numbers come from one sequence: of one delivery they are in the order of commits, for its row is changed by
//! one at a time; two deliveries that change at the same moment have theirs in either order.

use hookhaven_core::{DeliveryId, Time, event::PUBLISHED};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use super::{
    Shared,
    pool::{Args, Lent, Mode},
    rows::{At, Uuid, time},
    slices,
    trouble::Trouble,
};
use crate::{
    codec,
    seam::{Page, Step, StepFilter, StepKind, StoreError},
};

/// The slice of a time, in SQL; as [`slices::of_time`].
fn slice_of(at: &str) -> String {
    format!("greatest(1, floor(extract(epoch FROM {at}) / 86400))::int4")
}

/// One more query of a `WITH`: that they were accepted, of those in `made` that were published.
pub(super) fn of_births() -> String {
    format!(
        ", told AS (INSERT INTO hookhaven.steps (slice, at, delivery, kind) \
         SELECT {}, accepted_at, id, 0 FROM made WHERE source = '{PUBLISHED}' ORDER BY id)",
        slice_of("accepted_at")
    )
}

/// One more query of a `WITH`: what became of those in `gone`, and in `stayed` if there is that, that were published.
/// `at` and `slice` are arguments.
pub(super) fn of_settled(at: &str, slice: &str, stayed: bool) -> String {
    let of_stayed = match stayed {
        false => String::new(),
        true => format!(
            "SELECT {slice}, {at}, id, 9 + number FROM stayed WHERE source = '{PUBLISHED}' AND number IS NOT NULL \
             UNION ALL "
        ),
    };
    format!(
        ", told AS (INSERT INTO hookhaven.steps (slice, at, delivery, kind) \
         {of_stayed}SELECT {slice}, {at}, id, coalesce(9 + number, 2) FROM gone WHERE source = '{PUBLISHED}')"
    )
}

/// That their end was asked for; they were published.
pub(super) async fn of_asked(connection: &Lent<'_>, asked: &[Uuid], now: Time) -> Result<(), Trouble> {
    let sql =
        "INSERT INTO hookhaven.steps (slice, at, delivery, kind) SELECT $1, $2, id, 1 FROM unnest($3::uuid[]) a(id)";
    let slice = slices::of_time(now);
    let args: Args<'_> = &[(&slice, Type::INT4), (&At(now), Type::TIMESTAMPTZ), (&asked, Type::UUID_ARRAY)];
    connection.run(sql, args).await.map(drop)
}

impl Shared {
    /// The slice that a step of now goes to, where nothing else may have made it on a quiet day.
    pub(super) async fn make_today(&self) -> Result<(), Trouble> {
        self.slices.ensure(&self.work, [slices::of_time(self.now())]).await
    }

    pub(super) async fn steps(&self, filter: &StepFilter, page: Page<u64>) -> Result<Vec<Step>, StoreError> {
        let mut wanted = Where::default();
        if let Some(since) = filter.since {
            wanted.add("at >= ?", At(since), Type::TIMESTAMPTZ);
            wanted.add("slice >= ?", slices::of_time(since), Type::INT4);
        }
        if let Some(until) = filter.until {
            wanted.add("at < ?", At(until), Type::TIMESTAMPTZ);
            wanted.add("slice <= ?", slices::of_time(until), Type::INT4);
        }
        if let Some(after) = page.after {
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            wanted.add(if page.oldest_first { "number > ?" } else { "number < ?" }, after, Type::INT8);
        }
        let order = if page.oldest_first { "" } else { " DESC" };
        let sql = format!(
            "SELECT number, at, delivery, kind FROM hookhaven.steps {} ORDER BY number{order} LIMIT {}",
            wanted.sql(),
            page.limit
        );
        let rows = self.reads.once(Mode::Read, &sql, &wanted.args()).await?;
        Ok(rows.iter().map(step).collect::<Result<_, _>>()?)
    }
}

fn step(row: &Row) -> Result<Step, Trouble> {
    let (number, kind): (i64, i32) = (row.try_get(0)?, row.try_get(3)?);
    let kind: Option<StepKind> = codec::step_of(kind.into());
    let delivery: DeliveryId = row.try_get::<_, Uuid>(2)?.delivery();
    Ok(Step {
        number: number.unsigned_abs(),
        at: time(row, 1)?,
        delivery,
        kind: kind
            .ok_or_else(|| Trouble::failed("a kind of step is not known; a newer version may have written it"))?,
    })
}

/// Conditions, each with its value.
#[derive(Default)]
struct Where {
    conditions: Vec<String>,
    values: Vec<(Box<dyn ToSql + Sync + Send>, Type)>,
}

impl Where {
    /// `condition` has `?` where the value stands.
    fn add(&mut self, condition: &str, value: impl ToSql + Sync + Send + 'static, of: Type) {
        self.values.push((Box::new(value), of));
        self.conditions.push(condition.replace('?', &format!("${}", self.values.len())));
    }

    fn sql(&self) -> String {
        if self.conditions.is_empty() { String::new() } else { format!("WHERE {}", self.conditions.join(" AND ")) }
    }

    fn args(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        self.values.iter().map(|(value, of)| (&**value as &(dyn ToSql + Sync), of.clone())).collect()
    }
}
