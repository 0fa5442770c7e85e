//! Queues: whose turn it is. Nothing is kept of that but what the rows of `live` say anyway, so there is nothing
//! that could be wrong after a crash: whoever looks for what is due, or claims, counts who holds a slot, and takes
//! the first of the others in turn.
//!
//! - A slot is *held* by a delivery of the queue that was tried or is leased, and kept for it by those in lanes
//!   beside the queue. A settlement that ends the one and begins the others is one commit.
//! - Only a claim makes a new holder. It has a lock of the lane until its commit and counts in a statement
//!   after it, so that the width holds on any number of nodes; whatever else happens only makes room.
//! - The *turn* is by due time. What is due when it is accepted comes behind all that was: it takes a number, and a
//!   due time that is not before theirs, under another lock of the lane that it has until its commit. So the order of
//!   numbers is the order of commits.
//!
//! Locks of several lanes are taken in one order, and no one who waits for one of the second kind has anything that
//! its holder could wait for. Lanes that are no queues pay for nothing of this.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use hookhaven_core::Lane;
use tokio_postgres::types::Type;

use super::{pool::Lent, trouble::Trouble};

/// A lock of each of these lanes, until the end of the transaction.
pub(super) async fn lock<'a>(
    connection: &Lent<'_>,
    of: Locks,
    lanes: impl IntoIterator<Item = &'a Lane>,
) -> Result<(), Trouble> {
    let sorted: BTreeSet<i64> = lanes.into_iter().map(|lane| of.number(lane)).collect();
    if sorted.is_empty() {
        return Ok(());
    }
    let numbers: Vec<i64> = sorted.into_iter().collect();
    let lock = "SELECT pg_advisory_xact_lock(k) FROM unnest($1::int8[]) AS l(k)";
    connection.query(lock, &[(&numbers, Type::INT8_ARRAY)]).await.map(drop)
}

/// What a lane is locked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Locks {
    /// To count who is in hand, and take more.
    Claims,
    /// To queue behind the last.
    Turns,
}

impl Locks {
    /// All nodes agree on it; that two lanes might share one only makes them wait for each other.
    fn number(self, lane: &Lane) -> i64 {
        let of = match self {
            Locks::Claims => "",
            Locks::Turns => "turns of ",
        };
        let digest = digest(&SHA256, format!("{of}{}", lane.as_str()).as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&digest.as_ref()[..8]);
        i64::from_be_bytes(first)
    }
}

/// Of a row of `live` called `l`: it waits for its turn.
pub(super) const WAITS: &str = "l.lane = l.queue AND l.tries = 0 AND l.session IS NULL";
/// It was tried, and waits to be tried again.
pub(super) const TRIED: &str = "l.lane = l.queue AND l.tries > 0 AND l.session IS NULL";
/// The order of those that wait.
pub(super) const IN_TURN: &str = "l.due_at, l.turn, l.id";

/// How many may begin of the queue that `queue` says: its width, 1 unless the catalog has another, less who holds.
pub(super) fn free(queue: &str) -> String {
    format!(
        "greatest(0, coalesce((SELECT encode(c.value, 'escape')::int8 FROM hookhaven.catalog c \
            WHERE c.kind = '{kind}' AND c.name = {queue} AND encode(c.value, 'escape') ~ '^[0-9]{{1,9}}$'), 1) \
         - (SELECT count(DISTINCT held.holder) FROM hookhaven.live held \
            WHERE held.queue = {queue} AND (held.lane <> held.queue OR held.tries > 0 OR held.session > 0)))",
        kind = crate::seam::LANE_WIDTH_KIND
    )
}

/// The first of each lane that may be claimed once it is due, with these columns besides `lane` and `due_at`:
/// hopping from lane to lane through the index of what waits (a loose index scan), so that a million deliveries in
/// one lane cost as much as one. Of a queue it is told who may begin, or be tried again.
pub(super) fn heads(columns: &str) -> String {
    let columns = format!("lane, due_at{columns}");
    let waits = format!(
        "(SELECT {columns} FROM hookhaven.live l WHERE l.queue = h.lane AND {WAITS} AND {} > 0 \
          ORDER BY {IN_TURN} LIMIT 1)",
        free("h.lane")
    );
    let tried = format!(
        "(SELECT {columns} FROM hookhaven.live l WHERE l.queue = h.lane AND {TRIED} ORDER BY l.due_at LIMIT 1)"
    );
    format!(
        "WITH RECURSIVE heads AS ( \
           (SELECT {columns} FROM hookhaven.live WHERE session IS NULL ORDER BY lane, due_at LIMIT 1) \
           UNION ALL \
           SELECT n.* FROM heads h CROSS JOIN LATERAL ( \
              SELECT {columns} FROM hookhaven.live WHERE session IS NULL AND lane > h.lane \
              ORDER BY lane, due_at LIMIT 1) n), \
         told AS ( \
           SELECT * FROM heads h WHERE NOT {IS_QUEUE} \
           UNION ALL \
           SELECT q.* FROM heads h CROSS JOIN LATERAL ( \
              SELECT * FROM ({waits} UNION ALL {tried}) either ORDER BY due_at LIMIT 1) q WHERE {IS_QUEUE})"
    )
}

/// As [`Lane::is_queue`] has it, without a look at the row.
const IS_QUEUE: &str = "(starts_with(h.lane, 'q:') AND strpos(h.lane, '/') = 0)";

/// The ids that a claim may take now of the queue that `w` says, at most `room` and of what waits at most `free`.
pub(super) fn claimable(now: &str) -> String {
    format!(
        "ARRAY((SELECT l.id FROM hookhaven.live l WHERE l.queue = w.lane AND {TRIED} AND l.due_at <= {now} \
            ORDER BY l.due_at LIMIT w.room) \
         UNION ALL (SELECT l.id FROM hookhaven.live l WHERE l.queue = w.lane AND {WAITS} \
            ORDER BY {IN_TURN} LIMIT w.free))"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_has_a_lock_for_either_purpose() {
        let (lane, other) = (Lane::of_queue("mails"), Lane::of_queue("news"));
        assert_eq!(Locks::Claims.number(&lane), Locks::Claims.number(&Lane::of_queue("mails")));
        assert_ne!(Locks::Claims.number(&lane), Locks::Claims.number(&other));
        assert_ne!(Locks::Claims.number(&lane), Locks::Turns.number(&lane));
    }
}
