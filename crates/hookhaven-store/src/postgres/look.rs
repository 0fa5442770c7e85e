//! One bounded look at a list by id: parts of one or two tables, each gone through in the order of an index, so many
//! rows at a time, up to a number of them. Not here: what filters mean (`lists`).
//!
//! Pairs are what makes few indexes enough: an index by two names and the id gives the distinct pairs of names by
//! hopping from one to the next, and of each pair the rows in the order of their ids.

use hookhaven_core::{EventId, Time};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use super::{Shared, pool::Mode, rows::Uuid, slices, trouble::Trouble};

/// Rows that one stretch looks at, and stretches in one look.
pub(super) const STRETCH_ROWS: usize = 5_000;
const STRETCHES_MAX: usize = 5;
/// Beyond so many pairs it is no use to follow each.
const PAIRS_MAX: usize = 300;
/// So few pairs are followed whatever they hold; more only if they are less than one in so many of all there are.
const FOLLOWED_MAX: usize = 8;
const COMMON: usize = 4;
/// How much earlier or later than the time that it bears a row's id may have been made.
const MINTED_WITHIN_MS: i64 = 2_000;

/// Values of a statement; they get their numbers as they come. The first four are the span of ids, and the first and
/// last of the days that events of it came in.
#[derive(Default)]
pub(super) struct Values(Vec<(Box<dyn ToSql + Sync + Send>, Type)>);

impl Values {
    /// What stands for it.
    pub fn add(&mut self, value: impl ToSql + Sync + Send + 'static, of: Type) -> String {
        self.0.push((Box::new(value), of));
        format!("${}", self.0.len() + 4)
    }
}

/// Ids as numbers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    first: u128,
    last: u128,
}

impl Span {
    pub const ALL: Span = Span { first: 0, last: u128::MAX };
    pub const NONE: Span = Span { first: 1, last: 0 };

    pub fn one(id: EventId) -> Self {
        let id = u128::from_be_bytes(*id.as_bytes());
        Span { first: id, last: id }
    }

    /// Those of rows that bear a time from `since` on and before `until`.
    pub fn of_times(since: Option<Time>, until: Option<Time>) -> Self {
        let number = |ms: i64| u128::try_from(ms.clamp(0, (1 << 48) - 1)).unwrap_or(0) << 80;
        Span {
            first: since.map_or(0, |at| number(at.as_ms().saturating_sub(MINTED_WITHIN_MS))),
            last: until.map_or(u128::MAX, |at| number(at.as_ms().saturating_add(MINTED_WITHIN_MS))),
        }
    }

    /// What of it comes after an id, in the order of the page.
    pub fn beyond(self, after: Option<Uuid>, oldest_first: bool) -> Self {
        let Some(after) = after.map(|Uuid(id)| u128::from_be_bytes(id)) else { return self };
        match oldest_first {
            true => Span { first: self.first.max(after.saturating_add(1)), ..self },
            false if after == 0 => Span::NONE,
            false => Span { last: self.last.min(after - 1), ..self },
        }
    }

    pub fn is_empty(self) -> bool {
        self.first > self.last
    }

    /// The days in which events of it came in, first and last.
    fn days(self) -> (i32, i32) {
        (slices::of_number(self.first), slices::of_number(self.last))
    }

    /// What of it is of its last day and the one before, as far as days have come, and the rest.
    pub fn newest_first(self, today: i32) -> [Span; 2] {
        let (_, last) = self.days();
        let (near, _) = slices::ids(last.min(today) - 1);
        let near = u128::from_be_bytes(*near.as_bytes());
        let newest = Span { first: self.first.max(near), ..self };
        [newest, near.checked_sub(1).map_or(Span::NONE, |last| Span { last: self.last.min(last), ..self })]
    }
}

/// That a row is in a day of the span, or outlived its own: every day that a statement may look at costs it time.
pub(super) fn of_days(table: &str) -> String {
    format!("({table}.slice = 0 OR {table}.slice BETWEEN $3 AND $4)")
}

/// Which values two columns have together.
pub(super) struct Pairs {
    pub columns: [&'static str; 2],
    arrays: [String; 2],
    /// Those that are meant.
    pub meant: [Vec<String>; 2],
    /// So many are in the table, meant or not.
    there: usize,
}

impl Pairs {
    /// Whether rows of these are met often enough when all are gone through. Following many pairs costs a stretch for
    /// each of them.
    pub fn are_common(&self) -> bool {
        let [meant, _] = &self.meant;
        meant.len() > FOLLOWED_MAX && meant.len() * COMMON >= self.there
    }
}

/// Rows of one table, which is `x` in all conditions.
pub(super) struct Part {
    pub table: &'static str,
    pub columns: &'static str,
    /// What an index decides.
    pub by: Vec<String>,
    pub pairs: Option<Pairs>,
    /// What else must hold.
    pub wanted: Vec<String>,
}

impl Part {
    /// Some of its rows within the span; `more` stands behind what orders them.
    fn sql(&self, columns: &str, is_whole: bool, order: &str, more: &str) -> String {
        let mut conditions = vec!["x.id >= $1".to_owned(), "x.id <= $2".to_owned()];
        conditions.extend_from_slice(&self.by);
        if is_whole {
            conditions.extend_from_slice(&self.wanted);
        }
        let Some(Pairs { columns: [first, second], arrays, .. }) = &self.pairs else {
            let conditions = conditions.join(" AND ");
            return format!("(SELECT {columns} FROM {} x WHERE {conditions} ORDER BY x.id {order} {more})", self.table);
        };
        conditions.push(format!("x.{first} = k.first AND x.{second} = k.second"));
        let conditions = conditions.join(" AND ");
        format!(
            "(SELECT y.* FROM unnest({}::text[], {}::text[]) k(first, second) CROSS JOIN LATERAL ( \
               SELECT {columns} FROM {} x WHERE {conditions} ORDER BY x.id {order} {more}) y)",
            arrays[0], arrays[1], self.table
        )
    }

    /// The id behind a stretch of it.
    fn end_sql(&self, rows: usize, order: &str) -> String {
        let some = self.sql("x.id", false, order, &format!("LIMIT {}", rows + 1));
        format!("(SELECT id FROM {some} s ORDER BY id {order} OFFSET {rows} LIMIT 1)")
    }
}

/// What is to be looked at.
pub(super) struct List {
    pub parts: Vec<Part>,
    pub values: Values,
    pub span: Span,
    pub limit: usize,
    pub oldest_first: bool,
    /// At a time; `None`: hardly any row is not meant.
    pub stretch_rows: Option<usize>,
    /// Of the column `body_bytes`, which is there then: no further row once it comes to so much.
    pub bytes_max: Option<i64>,
}

impl List {
    /// How many pairs there are of what may yet come in from another table; `None` if nothing is left out by them.
    pub fn pairs_there(&self) -> Option<usize> {
        self.parts.iter().filter(|_| self.parts.len() > 1).find_map(|part| part.pairs.as_ref()).map(|pairs| pairs.there)
    }

    fn order(&self) -> &'static str {
        if self.oldest_first { "ASC" } else { "DESC" }
    }

    fn rows_sql(&self, limit: usize) -> String {
        let order = self.order();
        let limit = format!("LIMIT {limit}");
        let parts: Vec<_> = self.parts.iter().map(|part| part.sql(part.columns, true, order, &limit)).collect();
        let found = format!("SELECT * FROM ({}) found ORDER BY id {order} {limit}", parts.join(" UNION ALL "));
        match self.bytes_max {
            None => found,
            Some(bytes_max) => format!(
                "SELECT * FROM (SELECT f.*, sum(body_bytes) OVER (ORDER BY id {order}) - body_bytes AS bytes_before \
                   FROM ({found}) f) w WHERE bytes_before < {bytes_max} ORDER BY id {order}"
            ),
        }
    }

    /// Whether nothing more is wanted.
    pub fn is_full(&self, rows: &[Row]) -> Result<bool, Trouble> {
        let Some(bytes_max) = self.bytes_max else { return Ok(rows.len() >= self.limit) };
        Ok(rows.len() >= self.limit || body_bytes(rows)? >= bytes_max)
    }

    fn end_sql(&self, rows: usize) -> String {
        let order = self.order();
        let ends: Vec<_> = self.parts.iter().map(|part| part.end_sql(rows, order)).collect();
        // The nearest: beyond it nothing has been looked at in that part.
        format!("SELECT id FROM ({}) ends ORDER BY id {order} LIMIT 1", ends.join(" UNION ALL "))
    }
}

/// What they come to, if that has a limit.
pub(super) fn body_bytes(rows: &[Row]) -> Result<i64, Trouble> {
    Ok(rows.iter().map(|row| row.try_get::<_, i32>("body_bytes").map(i64::from)).sum::<Result<i64, _>>()?)
}

impl Shared {
    /// Looks; the second is up to where, if there may be more.
    pub(super) async fn look(&self, list: &List) -> Result<(Vec<Row>, Option<Uuid>), Trouble> {
        let (mut rows, mut rest) = (Vec::new(), list.span);
        if list.parts.is_empty() || rest.is_empty() {
            return Ok((rows, None));
        }
        let Some(stretch_rows) = list.stretch_rows else {
            return Ok((self.ask(&list.rows_sql(list.limit), list, rest).await?, None));
        };
        let end_sql = list.end_sql(stretch_rows);
        let mut upto = None;
        for _ in 0..STRETCHES_MAX {
            let end = self.ask(&end_sql, list, rest).await?;
            upto = end.first().map(|row| row.try_get::<_, Uuid>(0)).transpose()?;
            let mut stretch = rest;
            if let Some(Uuid(end)) = upto {
                let end = u128::from_be_bytes(end);
                (stretch, rest) = match list.oldest_first {
                    true => (Span { last: end, ..rest }, Span { first: end.saturating_add(1), ..rest }),
                    false => (Span { first: end, ..rest }, Span { last: end.saturating_sub(1), ..rest }),
                };
            }
            rows.extend(self.ask(&list.rows_sql(list.limit - rows.len()), list, stretch).await?);
            if list.is_full(&rows)? || upto.is_none() {
                return Ok((rows, None));
            }
        }
        Ok((rows, upto))
    }

    async fn ask(&self, sql: &str, list: &List, span: Span) -> Result<Vec<Row>, Trouble> {
        let (first, last) = (Uuid(span.first.to_be_bytes()), Uuid(span.last.to_be_bytes()));
        let (first_day, last_day) = span.days();
        let mut args: Vec<(&(dyn ToSql + Sync), Type)> =
            vec![(&first, Type::UUID), (&last, Type::UUID), (&first_day, Type::INT4), (&last_day, Type::INT4)];
        args.extend(list.values.0.iter().map(|(value, of)| (&**value as &(dyn ToSql + Sync), of.clone())));
        self.reads.once(Mode::Read, sql, &args).await
    }

    /// The pairs of values that are in the span's days of a table and that `is_meant` takes; with the first given, only
    /// such. `None` if they are too many to be of use.
    pub(super) async fn pairs(
        &self,
        table: &str,
        columns: [&'static str; 2],
        first: Option<&str>,
        days: Span,
        is_meant: impl Fn(&str, &str) -> bool,
        values: &mut Values,
    ) -> Result<Option<Pairs>, Trouble> {
        let [one, other] = columns;
        let in_days = "(x.slice = 0 OR x.slice BETWEEN $1 AND $2)";
        let (begin, next) = match first {
            Some(_) => (format!("{in_days} AND x.{one} = $3"), format!("x.{other} > k.second")),
            None => (in_days.to_owned(), format!("(x.{one}, x.{other}) > (k.first, k.second)")),
        };
        let order = format!("ORDER BY x.{one}, x.{other} LIMIT 1");
        let sql = format!(
            "WITH RECURSIVE k(first, second) AS ( \
               (SELECT x.{one}, x.{other} FROM {table} x WHERE {begin} {order}) \
               UNION ALL SELECT n.* FROM k CROSS JOIN LATERAL ( \
                 SELECT x.{one}, x.{other} FROM {table} x WHERE {begin} AND {next} {order}) n) \
             SELECT first, second FROM k LIMIT {}",
            PAIRS_MAX + 1
        );
        let (first_day, last_day) = days.days();
        let mut args: Vec<(&(dyn ToSql + Sync), Type)> = vec![(&first_day, Type::INT4), (&last_day, Type::INT4)];
        args.extend(first.iter().map(|first| (first as &(dyn ToSql + Sync), Type::TEXT)));
        let (mut firsts, mut seconds): (Vec<String>, Vec<String>) = Default::default();
        let found = self.reads.once(Mode::Read, &sql, &args).await?;
        if found.len() > PAIRS_MAX {
            return Ok(None);
        }
        for row in &found {
            let (first, second): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
            if is_meant(first, second) {
                firsts.push(first.to_owned());
                seconds.push(second.to_owned());
            }
        }
        let meant = [firsts, seconds];
        let arrays = meant.each_ref().map(|names| values.add(names.clone(), Type::TEXT_ARRAY));
        Ok(Some(Pairs { columns, arrays, meant, there: found.len() }))
    }
}
