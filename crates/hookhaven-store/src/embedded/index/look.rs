//! One bounded look at a table by id: the rows that hold what is sought, on a way that was chosen for it.
//!
//! Where rows of the kinds in question were born is known (`kinds`), so a look goes from moment to moment and passes
//! over all others; where that tells nothing, it goes through stretches of the table. Either way it ends after so much
//! work and says how far it came. Not here: what filters mean (`lists`).

use std::{
    collections::BinaryHeap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use hookhaven_core::Time;
use rusqlite::{OptionalExtension, Row, Statement, ToSql, params};

use super::{
    GONE, IndexError,
    kinds::{ids_of, moment_of},
    lists::{PAGE_MAX, Where},
    readers::Reader,
};

/// Of SQLite's instructions, how many make one unit of work, and after how many units a look ends: some 100 ms.
pub(super) const WORK_STEPS: i32 = 10_000;
const WORK_MAX: u32 = if cfg!(test) { 3 } else { 300 };
/// Rows that a stretch of a table has.
const STRETCH_ROWS: u32 = 4_000;
/// Beyond so many kinds it is no use to look for the moments of each.
const KINDS_MAX: usize = 2_000;
/// So many rows are looked at one and all.
pub(super) const FEW_ROWS: u32 = 4_000;
/// How much earlier or later than the time that it bears a row's id may have been made.
const MINTED_WITHIN_MS: i64 = 2_000;

/// The work done for a question, counted by SQLite.
#[derive(Clone, Debug, Default)]
pub(super) struct Work(Arc<AtomicU32>);

impl Work {
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn begin(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn is_done(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= WORK_MAX
    }
}

/// Ids as numbers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub first: u128,
    pub last: u128,
}

impl Span {
    pub const ALL: Span = Span { first: 0, last: u128::MAX };

    /// Those of rows that bear a time from `since` on and before `until`.
    pub fn of_times(since: Option<Time>, until: Option<Time>) -> Self {
        let number = |ms: i64| u128::try_from(ms.clamp(0, (1 << 48) - 1)).unwrap_or(0) << 80;
        let first = since.map_or(0, |at| number(at.as_ms().saturating_sub(MINTED_WITHIN_MS)));
        let last = until.map_or(u128::MAX, |at| number(at.as_ms().saturating_add(MINTED_WITHIN_MS)));
        Span { first, last }
    }

    /// What of it comes after an id, in the order of the page.
    pub fn beyond(self, after: Option<&[u8; 16]>, oldest_first: bool) -> Self {
        let Some(after) = after.map(|id| u128::from_be_bytes(*id)) else { return self };
        match oldest_first {
            true => Span { first: self.first.max(after.saturating_add(1)), ..self },
            false if after == 0 => Span { first: 1, last: 0 },
            false => Span { last: self.last.min(after - 1), ..self },
        }
    }

    fn within(self, other: Span) -> Self {
        Span { first: self.first.max(other.first), last: self.last.min(other.last) }
    }

    fn is_empty(self) -> bool {
        self.first > self.last
    }
}

/// How rows are come by.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// There are few, or hardly any that are not meant.
    Straight,
    /// Through the table, so many rows at a time.
    Stretches,
    /// From moment to moment of these kinds.
    Moments(Vec<i64>),
}

/// What is sought.
pub(super) struct Sought {
    pub columns: &'static str,
    /// The table, and which index to go by where SQLite would not see it.
    pub from: &'static str,
    /// What must hold of a row besides its id, numbered from 3 on.
    pub wanted: Where,
    pub span: Span,
    pub way: Way,
    pub limit: usize,
    pub oldest_first: bool,
}

/// What was found, and up to which id was looked if there may be more.
pub(super) type Found<T> = (Vec<T>, Option<[u8; 16]>);

impl Reader {
    /// Those of the kinds for which `wanted` holds; `None` if they are too many to be of use.
    pub(super) fn kinds(&self, wanted: &Where) -> Result<Option<Vec<i64>>, IndexError> {
        let sql = format!("SELECT id FROM kinds{} LIMIT {}", wanted.sql, KINDS_MAX + 1);
        let mut select = self.connection.prepare_cached(&sql)?;
        let values = rusqlite::params_from_iter(&wanted.values);
        let kinds: Vec<i64> = select.query_map(values, |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok((kinds.len() <= KINDS_MAX).then_some(kinds))
    }

    /// Whether so few rows are in there that all may be looked at.
    pub(super) fn are_few(&self, from: &str, wanted: &Where) -> Result<bool, IndexError> {
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {from}{} LIMIT {})", wanted.sql, FEW_ROWS + 1);
        let mut select = self.connection.prepare_cached(&sql)?;
        let count: u32 = select.query_row(rusqlite::params_from_iter(&wanted.values), |row| row.get(0))?;
        Ok(count <= FEW_ROWS)
    }

    /// Looks; `read` makes something of each row that is meant.
    pub(super) fn look<T>(
        &self,
        mut sought: Sought,
        read: impl FnMut(&Row<'_>) -> Result<T, IndexError>,
    ) -> Result<Found<T>, IndexError> {
        self.work.begin();
        sought.wanted.plain(&format!("segment > {GONE}"));
        let order = if sought.oldest_first { "id" } else { "id DESC" };
        let sql = format!(
            "SELECT {} FROM {}{} AND id >= ?1 AND id <= ?2 ORDER BY {order} LIMIT ?3",
            sought.columns, sought.from, sought.wanted.sql
        );
        let mut look = Look {
            select: self.connection.prepare_cached(&sql)?,
            values: &sought.wanted.values,
            limit: sought.limit.min(PAGE_MAX),
            read,
            rows: Vec::new(),
        };
        let upto = match &sought.way {
            Way::Straight => look.take(sought.span).map(|()| None)?,
            Way::Stretches => self.by_stretches(&sought, &mut look)?,
            Way::Moments(kinds) => self.by_moments(&sought, kinds, &mut look)?,
        };
        Ok((look.rows, upto.map(u128::to_be_bytes)))
    }

    fn by_stretches<T>(
        &self,
        sought: &Sought,
        look: &mut Look<'_, impl FnMut(&Row<'_>) -> Result<T, IndexError>, T>,
    ) -> Result<Option<u128>, IndexError> {
        let order = if sought.oldest_first { "id" } else { "id DESC" };
        let sql = format!(
            "SELECT id FROM {}{} AND id >= ?1 AND id <= ?2 ORDER BY {order} LIMIT 1 OFFSET {STRETCH_ROWS}",
            sought.from, sought.wanted.covered
        );
        let mut end = self.connection.prepare_cached(&sql)?;
        let mut rest = sought.span;
        while !rest.is_empty() {
            let ids = [rest.first.to_be_bytes(), rest.last.to_be_bytes()];
            let end: Option<[u8; 16]> = end.query_row(ids, |row| row.get(0)).optional()?;
            let Some(end) = end.map(u128::from_be_bytes) else { return look.take(rest).map(|()| None) };
            let (stretch, further) = match sought.oldest_first {
                true => (Span { last: end, ..rest }, Span { first: end.saturating_add(1), ..rest }),
                false => (Span { first: end, ..rest }, Span { last: end.saturating_sub(1), ..rest }),
            };
            look.take(stretch)?;
            if look.is_full() {
                return Ok(None);
            }
            if self.work.is_done() {
                return Ok(Some(end));
            }
            rest = further;
        }
        Ok(None)
    }

    fn by_moments<T>(
        &self,
        sought: &Sought,
        kinds: &[i64],
        look: &mut Look<'_, impl FnMut(&Row<'_>) -> Result<T, IndexError>, T>,
    ) -> Result<Option<u128>, IndexError> {
        if sought.span.is_empty() {
            return Ok(None);
        }
        let mut moments = Moments::of(self, sought, kinds)?;
        while let Some(moment) = moments.next()? {
            let (first, last) = ids_of(moment);
            look.take(Span { first, last }.within(sought.span))?;
            if look.is_full() {
                return Ok(None);
            }
            if self.work.is_done() {
                return Ok(Some(if sought.oldest_first { last } else { first }));
            }
        }
        Ok(None)
    }
}

/// A look under way.
struct Look<'a, R, T> {
    select: rusqlite::CachedStatement<'a>,
    values: &'a [Box<dyn ToSql>],
    limit: usize,
    read: R,
    rows: Vec<T>,
}

impl<T, R: FnMut(&Row<'_>) -> Result<T, IndexError>> Look<'_, R, T> {
    fn is_full(&self) -> bool {
        self.rows.len() >= self.limit
    }

    /// What is meant among the rows with these ids, as far as there is room.
    fn take(&mut self, span: Span) -> Result<(), IndexError> {
        if span.is_empty() {
            return Ok(());
        }
        let (first, last) = (span.first.to_be_bytes(), span.last.to_be_bytes());
        let rest = i64::try_from(self.limit - self.rows.len()).unwrap_or(i64::MAX);
        let common: [&dyn ToSql; 3] = [&first, &last, &rest];
        let values = common.into_iter().chain(self.values.iter().map(|value| &**value as &dyn ToSql));
        let mut found = self.select.query(rusqlite::params_from_iter(values))?;
        while let Some(row) = found.next()? {
            self.rows.push((self.read)(row)?);
        }
        Ok(())
    }
}

/// Moments of several kinds, each once, in the order of the page.
struct Moments<'a> {
    select: rusqlite::CachedStatement<'a>,
    /// The next moment of each kind; of pages that begin with the oldest, negated.
    heads: BinaryHeap<(i64, i64)>,
    /// Where it ends.
    end: i64,
    sign: i64,
}

impl<'a> Moments<'a> {
    fn of(reader: &'a Reader, sought: &Sought, kinds: &[i64]) -> Result<Self, IndexError> {
        let sql = match sought.oldest_first {
            true => "SELECT moment FROM moments WHERE kind = ?1 AND moment >= ?2 ORDER BY moment LIMIT 1",
            false => "SELECT moment FROM moments WHERE kind = ?1 AND moment <= ?2 ORDER BY moment DESC LIMIT 1",
        };
        let of = |id: u128| moment_of(&id.to_be_bytes());
        let (first, last) = (of(sought.span.first), of(sought.span.last));
        let (begin, end, sign) = if sought.oldest_first { (first, last, -1) } else { (last, first, 1) };
        let mut moments =
            Moments { select: reader.connection.prepare_cached(sql)?, heads: BinaryHeap::new(), end, sign };
        for kind in kinds {
            moments.advance(*kind, begin)?;
        }
        Ok(moments)
    }

    fn advance(&mut self, kind: i64, from: i64) -> Result<(), IndexError> {
        let next = next_of(&mut self.select, kind, from)?.map(|moment| moment * self.sign);
        self.heads.extend(next.filter(|head| *head >= self.end * self.sign).map(|head| (head, kind)));
        Ok(())
    }

    fn next(&mut self) -> Result<Option<i64>, IndexError> {
        let Some((head, _)) = self.heads.peek().copied() else { return Ok(None) };
        let moment = head * self.sign;
        while self.heads.peek().is_some_and(|(other, _)| *other == head) {
            let Some((_, kind)) = self.heads.pop() else { break };
            self.advance(kind, moment - self.sign)?;
        }
        Ok(Some(moment))
    }
}

fn next_of(select: &mut Statement<'_>, kind: i64, from: i64) -> Result<Option<i64>, IndexError> {
    Ok(select.query_row(params![kind, from], |row| row.get(0)).optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::{DeliveryFilter, Page};

    #[test]
    fn a_span_holds_what_bears_its_times_and_comes_after() {
        let at = Time::from_ms(1_790_000_000_000);
        let id = |ms: i64| u128::try_from(ms).unwrap() << 80;
        let span = Span::of_times(Some(at), Some(at));
        assert_eq!(span, Span { first: id(at.as_ms() - 2_000), last: id(at.as_ms() + 2_000) });
        assert_eq!(Span::of_times(None, None), Span::ALL);
        let after = 5u128.to_be_bytes();
        assert_eq!(Span::ALL.beyond(Some(&after), false), Span { first: 0, last: 4 });
        assert_eq!(Span::ALL.beyond(Some(&after), true).first, 6);
        assert!(Span::ALL.beyond(Some(&[0; 16]), false).is_empty());
    }

    const DELIVERIES: u32 = 9_000;

    /// Deliveries a tenth of a second apart, the first and the last of them in a lane and at a destination of their own.
    fn reader(dir: &std::path::Path) -> Reader {
        let path = dir.join("index.sqlite");
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch(super::super::SCHEMA).unwrap();
        let policy = hookhaven_core::Policy {
            retry: hookhaven_core::retry::RetryPolicy::default(),
            deadline: std::time::Duration::from_secs(30),
            max_age: std::time::Duration::from_secs(30),
            critical: false,
        };
        let policy = crate::codec::encode_policy(&policy);
        connection.execute("INSERT INTO policies VALUES (1, ?1)", [policy]).unwrap();
        let insert = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1),
            d AS (SELECT i, unhex(printf('%012x', 1000000 + i * 100) || '00000000000000000000') AS id,
                  i = 0 OR i + 1 = ?1 AS rare FROM n)
            INSERT INTO deliveries SELECT id, id, 's', 't', iif(rare, 'rare', 'often'), iif(rare, 'd:rare', 'd:often'),
            'r', 1, 0, 0, NULL, 1, 0, 1, 'delivered', 0, 1, 1, 0, 0, NULL, NULL, NULL, 0, 'ok', 200, '', NULL, NULL, NULL
            FROM d";
        connection.execute(insert, [DELIVERIES]).unwrap();
        let mut kinds = super::super::kinds::Kinds::default();
        kinds.note_again(&connection, &[0; 16], &[0xff; 16], true).unwrap();
        let mut reader = Reader::open(&super::super::Index::new(path)).unwrap();
        let work = reader.work.clone();
        let count = move || {
            work.add();
            false
        };
        reader.connection.progress_handler(WORK_STEPS, Some(count)).unwrap();
        reader
    }

    fn by_lane() -> DeliveryFilter {
        DeliveryFilter { lane: Some(hookhaven_core::Lane::from_text("d:rare")), ..DeliveryFilter::default() }
    }

    #[test]
    fn a_look_that_finds_little_ends_and_goes_on_where_it_ended() {
        let dir = tempfile::tempdir().unwrap();
        let reader = reader(dir.path());
        for oldest_first in [false, true] {
            let (mut page, mut found, mut looks) = (Page { after: None, limit: 10, oldest_first }, Vec::new(), 0);
            loop {
                let looked = reader.deliveries(&by_lane(), page).unwrap();
                looks += 1;
                found.extend(looked.rows.iter().map(|row| row.delivery.id));
                let Some(upto) = looked.upto else { break };
                assert!(page.after.is_none_or(|after| (upto > after) == oldest_first), "it gets on");
                page = page.after(upto);
            }
            assert_eq!((found.len(), found.is_sorted(), looks > 1), (2, oldest_first, true), "{looks} looks");
        }
        // A page that is full is full at once.
        let looked = reader.deliveries(&by_lane(), Page::first(1)).unwrap();
        assert_eq!((looked.rows.len(), looked.upto), (1, None));
    }

    #[test]
    fn what_is_rare_is_found_in_one_look() {
        let dir = tempfile::tempdir().unwrap();
        let reader = reader(dir.path());
        let rare = DeliveryFilter { destination: Some("rare".into()), ..DeliveryFilter::default() };
        for filter in [
            rare.clone(),
            DeliveryFilter { status: Some(200), ..rare.clone() },
            DeliveryFilter { since: Some(Time::from_ms(0)), event_type: Some("*".into()), ..rare.clone() },
        ] {
            let looked = reader.deliveries(&filter, Page::first(10)).unwrap();
            assert_eq!((looked.rows.len(), looked.upto), (2, None), "{filter:?}");
        }
        for nothing in [
            DeliveryFilter { destination: Some("nowhere".into()), ..DeliveryFilter::default() },
            DeliveryFilter { status: Some(500), ..rare },
        ] {
            assert_eq!(reader.deliveries(&nothing, Page::first(10)).unwrap().rows.len(), 0);
            assert!(!reader.work.is_done());
        }
    }
}
