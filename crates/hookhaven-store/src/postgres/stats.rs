//! What the operator sees, and the count that acceptance is held to.
//!
//! Counting is a scan of what is pending, so it is not done more often than it can be afforded: an answer is
//! given again for twenty times as long as it took to get, and a small store is counted each time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hookhaven_core::{DeliveryId, Lane, Time};
use tokio_postgres::{Row, types::Type};

use super::{
    Shared,
    pool::{Args, Mode},
    rows::{At, Uuid, text, time, to_text},
    trouble::Trouble,
    turns,
};
use crate::{
    live::counted_as,
    seam::{Depth, InLine, KeptBack, LaneSize, Stats, StoreError},
};

/// So many pending deliveries and dead letters cost little to count.
const FEW: u64 = 20_000;
/// With more, an answer is given again for this many times what it cost.
const KEPT_TIMES: u32 = 20;
/// Pairs of source and destination that are shown with nothing left; a limit, for they come from outside.
const SEEN_MAX: usize = 10_000;

/// How many deliveries are pending: as counted last, and what we did since. Other nodes' work shows with the
/// next count.
#[derive(Debug)]
pub(super) struct Pending {
    known: AtomicI64,
    changes: AtomicU64,
    /// Counts in a row that were not taken over.
    passed_over: AtomicU64,
    max: u64,
}

impl Pending {
    pub fn new(max: u64) -> Self {
        Pending { known: AtomicI64::new(0), changes: AtomicU64::new(0), passed_over: AtomicU64::new(0), max }
    }

    pub fn add(&self, n: usize) {
        self.change(i64::try_from(n).unwrap_or(i64::MAX));
    }

    pub fn sub(&self, n: usize) {
        self.change(-i64::try_from(n).unwrap_or(i64::MAX));
    }

    fn change(&self, by: i64) {
        if by != 0 {
            self.changes.fetch_add(1, Ordering::AcqRel);
            self.known.fetch_add(by, Ordering::AcqRel);
        }
    }

    pub fn known(&self) -> u64 {
        u64::try_from(self.known.load(Ordering::Acquire)).unwrap_or(0)
    }

    pub fn room(&self) -> u64 {
        self.max.saturating_sub(self.known())
    }

    pub fn max(&self) -> u64 {
        self.max
    }

    pub fn full(&self) -> StoreError {
        StoreError::Full { limit: "store.pending_max", value: self.max }
    }

    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Takes over a count, unless we changed it while it was counted; under steady load every tenth is taken
    /// all the same, being nearer the truth than a sum that other nodes have no part in.
    pub fn counted(&self, n: i64, since: u64) {
        const PASSED_OVER_MAX: u64 = 10;
        if self.changes() == since || self.passed_over.fetch_add(1, Ordering::AcqRel) >= PASSED_OVER_MAX {
            self.passed_over.store(0, Ordering::Release);
            self.known.store(n, Ordering::Release);
        }
    }
}

/// Pairs of source and destination that had deliveries, so that a depth of nothing is shown as such.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<BTreeSet<(Arc<str>, Arc<str>)>>);

impl Seen {
    pub fn note(&self, source: &Arc<str>, destination: &Arc<str>) {
        let mut seen = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let pair = (source.clone(), destination.clone());
        if seen.len() < SEEN_MAX && !seen.contains(&pair) {
            seen.insert(pair);
        }
    }

    fn all(&self) -> Vec<(Arc<str>, Arc<str>)> {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).iter().cloned().collect()
    }
}

/// The last answer, and until when it is given again.
pub(super) type Remembered = tokio::sync::Mutex<Option<(Instant, Stats)>>;

impl Shared {
    pub(super) async fn stats(&self) -> Result<Stats, StoreError> {
        let mut remembered = self.remembered.lock().await;
        if let Some((until, stats)) = &*remembered
            && Instant::now() < *until
        {
            return Ok(stats.clone());
        }
        let began = Instant::now();
        let stats = self.count().await?;
        let dead: u64 = stats.depths.iter().map(|depth| depth.dead_letters + depth.dead_letters_critical).sum();
        let keep = if stats.pending + dead <= FEW { Duration::ZERO } else { began.elapsed() * KEPT_TIMES };
        *remembered = Some((Instant::now() + keep, stats.clone()));
        Ok(stats)
    }

    async fn count(&self) -> Result<Stats, Trouble> {
        let depths = self.depths().await?;
        let oldest_due = self.oldest_due().await?;
        let sql = "SELECT (SELECT count(*) FROM hookhaven.sessions WHERE id > 0), \
               (SELECT received_at FROM hookhaven.events ORDER BY id LIMIT 1), \
               (SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass('hookhaven.events')), \
               (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::int8 FROM pg_class c \
                WHERE c.relnamespace = to_regnamespace('hookhaven') AND c.relkind = 'r')";
        let rows = self.reads.once(Mode::Read, sql, &[]).await?;
        let row = rows.first().ok_or_else(|| Trouble::failed("the server answered nothing"))?;
        let whole =
            |column: usize| -> Result<u64, Trouble> { Ok(u64::try_from(row.try_get::<_, i64>(column)?).unwrap_or(0)) };
        Ok(Stats {
            pending: depths.iter().map(|depth| depth.pending + depth.leased).sum(),
            pending_max: self.pending.max(),
            depths,
            oldest_due,
            kept_back: self.kept_back().await?,
            superseded: self.superseded.load(Ordering::Relaxed),
            oldest_event: super::rows::maybe_time(row, 1)?,
            sessions: whole(0)?,
            segments: whole(2)?,
            journal_bytes: whole(3)?,
            dismissed_by_age: self.dismissed_by_age.load(Ordering::Relaxed),
            ..Stats::default()
        })
    }

    async fn depths(&self) -> Result<Vec<Depth>, Trouble> {
        let sql = "SELECT source, destination, count(*) FILTER (WHERE session IS NULL OR session <= 0), \
               count(*) FILTER (WHERE session > 0), 0::int8, 0::int8 FROM hookhaven.live GROUP BY 1, 2 \
            UNION ALL SELECT source, destination, 0, 0, count(*) FILTER (WHERE NOT critical), \
               count(*) FILTER (WHERE critical) FROM hookhaven.ended \
            WHERE state = 3 AND replaced_by IS NULL AND dismissed_at IS NULL GROUP BY 1, 2";
        let changes = self.pending.changes();
        let rows = self.reads.once(Mode::Read, sql, &[]).await?;
        let mut depths: BTreeMap<(Arc<str>, Arc<str>), [u64; 4]> =
            self.seen.all().into_iter().map(|pair| (pair, [0; 4])).collect();
        for row in &rows {
            let (source, destination) = (text(row, 0)?, text(row, 1)?);
            let destination = counted_as(&source, &destination).clone();
            self.seen.note(&source, &destination);
            let counts = depths.entry((source, destination)).or_default();
            for (n, count) in counts.iter_mut().enumerate() {
                *count += u64::try_from(row.try_get::<_, i64>(n + 2)?).unwrap_or(0);
            }
        }
        let pending: u64 = depths.values().map(|[pending, leased, ..]| pending + leased).sum();
        self.pending.counted(i64::try_from(pending).unwrap_or(i64::MAX), changes);
        type Counted = ((Arc<str>, Arc<str>), [u64; 4]);
        let depth = |((source, destination), counts): Counted| {
            let [pending, leased, dead_letters, dead_letters_critical] = counts;
            Depth { source, destination, pending, leased, dead_letters, dead_letters_critical }
        };
        Ok(depths.into_iter().map(depth).collect())
    }

    /// The heads of all lanes, as `due` finds them.
    async fn oldest_due(&self) -> Result<Vec<(Arc<str>, Time)>, Trouble> {
        let sql = format!(
            "{} SELECT source, destination, min(due_at) FROM told WHERE due_at <= $1 GROUP BY 1, 2",
            turns::heads(", source, destination")
        );
        let args: Args<'_> = &[(&At(self.now()), Type::TIMESTAMPTZ)];
        let mut oldest = BTreeMap::new();
        for row in &self.reads.once(Mode::Read, &sql, args).await? {
            let (source, destination, due_at) = (text(row, 0)?, text(row, 1)?, time(row, 2)?);
            let known = oldest.entry(counted_as(&source, &destination).clone()).or_insert(due_at);
            *known = due_at.min(*known);
        }
        Ok(oldest.into_iter().collect())
    }

    /// What lines keep back: all but the first, and that too while it is parked.
    async fn kept_back(&self) -> Result<Vec<KeptBack>, Trouble> {
        let sql = "SELECT l.destination, count(*), count(DISTINCT l.line) FILTER (WHERE n.parked_until > $1) FROM ( \
              SELECT destination, line FROM hookhaven.live WHERE line IS NOT NULL AND session = -1 \
              UNION ALL SELECT destination, line FROM hookhaven.live WHERE line IS NOT NULL AND session IS NULL \
                 AND own_due_at IS NOT NULL AND due_at > $1) l \
           LEFT JOIN hookhaven.lines n ON n.id = l.line GROUP BY 1 ORDER BY 1";
        let rows = self.reads.once(Mode::Read, sql, &[(&At(self.now()), Type::TIMESTAMPTZ)]).await?;
        let kept = |row: &Row| {
            let (deliveries, lines): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
            let (deliveries, parked_lines) = (deliveries.unsigned_abs(), lines.unsigned_abs());
            Ok(KeptBack { destination: text(row, 0)?, deliveries, parked_lines })
        };
        rows.iter().map(kept).collect()
    }

    pub(super) async fn in_line(&self, deliveries: &[DeliveryId]) -> Result<Vec<Option<InLine>>, StoreError> {
        let ids: Vec<Uuid> = deliveries.iter().map(|id| Uuid::from(*id)).collect();
        // Before it: who is in hand, and who waits and has an earlier turn.
        let sql = "SELECT l.id, h.id, f.id, a.ahead, n.parked_by, n.parked_until \
           FROM hookhaven.live l JOIN hookhaven.lines n ON n.id = l.line \
           LEFT JOIN LATERAL (SELECT x.id FROM hookhaven.live x WHERE x.line = l.line AND x.session > 0 LIMIT 1) h ON true \
           LEFT JOIN LATERAL (SELECT c.id FROM ( \
              (SELECT x.id, x.line_turn FROM hookhaven.live x WHERE x.line = l.line AND x.session IS NULL) \
              UNION ALL (SELECT k.id, k.line_turn FROM hookhaven.live k WHERE k.line = l.line AND k.session = -1 \
                 ORDER BY k.line_turn, k.id LIMIT 1)) c \
              WHERE (c.line_turn, c.id) < (l.line_turn, l.id) ORDER BY c.line_turn, c.id LIMIT 1) f ON true \
           CROSS JOIN LATERAL (SELECT count(*) AS ahead FROM ( \
              SELECT FROM hookhaven.live x WHERE x.line = l.line AND x.session IS NULL AND (x.line_turn, x.id) < (l.line_turn, l.id) \
              UNION ALL SELECT FROM hookhaven.live k WHERE k.line = l.line AND k.session = -1 \
                 AND (k.line_turn, k.id) < (l.line_turn, l.id)) before) a \
           WHERE l.id = ANY($1)";
        let now = self.now();
        let rows = self.reads.once(Mode::Read, sql, &[(&ids, Type::UUID_ARRAY)]).await?;
        let stands = |row: &Row| -> Result<(DeliveryId, InLine), Trouble> {
            let id = row.try_get::<_, Uuid>(0)?;
            let (in_hand, first): (Option<Uuid>, Option<Uuid>) = (row.try_get(1)?, row.try_get(2)?);
            let behind = in_hand.or(first).filter(|first| *first != id).map(Uuid::delivery);
            let waiting = row.try_get::<_, i64>(3)?.unsigned_abs();
            let ahead = if behind.is_some() { waiting + u64::from(in_hand.is_some()) } else { 0 };
            let by = row.try_get::<_, Option<Uuid>>(4)?.map(Uuid::delivery);
            let parked = by.zip(super::rows::maybe_time(row, 5)?).filter(|(_, until)| *until > now);
            Ok((id.delivery(), InLine { behind, ahead, parked }))
        };
        let known = rows.iter().map(stands).collect::<Result<BTreeMap<_, _>, _>>()?;
        Ok(deliveries.iter().map(|id| known.get(id).cloned()).collect())
    }

    pub(super) async fn lane_sizes(&self, lanes: &[Lane]) -> Result<Vec<LaneSize>, StoreError> {
        let names: Vec<_> = lanes.iter().map(|lane| to_text(lane.as_str())).collect();
        let sql = "SELECT lane, count(*) FILTER (WHERE session IS NULL OR session <= 0), \
               count(*) FILTER (WHERE session > 0) FROM hookhaven.live WHERE lane = ANY($1) GROUP BY 1";
        let rows = self.reads.once(Mode::Read, sql, &[(&names, Type::TEXT_ARRAY)]).await?;
        let size = |row: &Row| -> Result<(Arc<str>, LaneSize), Trouble> {
            let (waiting, leased): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
            Ok((text(row, 0)?, LaneSize { waiting: waiting.unsigned_abs(), leased: leased.unsigned_abs() }))
        };
        let sizes = rows.iter().map(size).collect::<Result<BTreeMap<_, _>, _>>()?;
        Ok(lanes.iter().map(|lane| sizes.get(lane.as_str()).copied().unwrap_or_default()).collect())
    }

    /// How many are pending, counted. Answers how long that took.
    pub(super) async fn recount(&self) -> Result<Duration, Trouble> {
        let (began, changes) = (Instant::now(), self.pending.changes());
        let rows = self.reads.once(Mode::Read, "SELECT count(*) FROM hookhaven.live", &[]).await?;
        let row = rows.first().ok_or_else(|| Trouble::failed("the server answered nothing"))?;
        self.pending.counted(row.try_get(0)?, changes);
        Ok(began.elapsed())
    }
}
