//! Queues: whose turn it is. Nothing is kept of that but what the rows of `live` say anyway, so there is nothing
//! that could be wrong after a crash: whoever looks for what is due, or claims, counts who holds a slot, and takes
//! the first of the others in turn.
//!
//! - A slot is *held* by a delivery of the queue that was tried or is leased, and kept for it by those in lanes
//!   beside the queue. A settlement that ends the one and begins the others is one commit.
//! - Only a claim makes a new holder. It has a lock of the lane until its commit and counts in a statement
//!   after it, so that the width holds on any number of nodes; whatever else happens only makes room.
//! - The *turn* is by due time. What is due when it is accepted comes behind all that was, whatever the clock of the
//!   node that accepted it said: it has a due time that is not before theirs, and a number from one sequence. Of two
//!   that are accepted at the same moment either may be first; nobody who puts something in waits for anybody.
//!
//! Lanes that are no queues pay for nothing of this.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use hookhaven_core::Lane;
use tokio_postgres::types::Type;

use super::{pool::Lent, trouble::Trouble};
use crate::seam::LANE_WIDTH_KIND;

/// A lock of each of these lanes until the end of the transaction, for claims to count what is in hand. In one order,
/// so that two claims cannot wait for each other.
pub(super) async fn lock<'a>(connection: &Lent<'_>, lanes: impl IntoIterator<Item = &'a Lane>) -> Result<(), Trouble> {
    let sorted: BTreeSet<i64> = lanes.into_iter().map(lock_of).collect();
    let numbers: Vec<i64> = sorted.into_iter().collect();
    let lock = "SELECT pg_advisory_xact_lock(k) FROM unnest($1::int8[]) AS l(k)";
    connection.query(lock, &[(&numbers, Type::INT8_ARRAY)]).await.map(drop)
}

/// All nodes agree on it; that two lanes might share one only makes them wait for each other.
fn lock_of(lane: &Lane) -> i64 {
    let digest = digest(&SHA256, lane.as_str().as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest.as_ref()[..8]);
    i64::from_be_bytes(first)
}

/// Of a row of `live` called `l`: it waits for its turn.
pub(super) const WAITS: &str = "l.holder = l.id AND l.tries = 0 AND l.session IS NULL";
/// Those of a queue that were tried and wait to be tried again: found among the few that hold slots. The fence keeps
/// the server from looking for them among all that wait, because those are in order.
fn tried(queue: &str, columns: &str) -> String {
    format!(
        "(SELECT {columns} FROM hookhaven.live held WHERE held.queue = {queue} \
          AND (held.holder <> held.id OR held.tries > 0 OR held.session > 0) \
          AND held.holder = held.id AND held.tries > 0 AND held.session IS NULL OFFSET 0) l"
    )
}

/// The order of those that wait.
pub(super) const IN_TURN: &str = "l.due_at, l.turn, l.id";

/// How many may begin of the queue that `queue` says: its width, 1 unless the catalog has another, less who holds.
/// Holders are counted in order and no further than needed, lest the server look for them among all that wait.
pub(super) fn free(queue: &str) -> String {
    format!(
        "(SELECT width - (SELECT count(*) FROM (SELECT DISTINCT held.holder FROM hookhaven.live held \
            WHERE held.queue = {queue} AND (held.holder <> held.id OR held.tries > 0 OR held.session > 0) \
            ORDER BY held.holder LIMIT width) holders) \
          FROM (SELECT coalesce((SELECT encode(set.value, 'escape')::int8 FROM hookhaven.catalog set \
            WHERE set.kind = '{LANE_WIDTH_KIND}' AND set.name = {queue} \
            AND encode(set.value, 'escape') ~ '^[0-9]{{1,9}}$'), 1) AS width OFFSET 0) known)"
    )
}

/// `heads`: the first of each lane, with these columns besides `lane` and `due_at`, hopping from lane to lane through
/// the index of what waits (a loose index scan), so that a million deliveries in one lane cost as much as one.
pub(super) fn lanes(columns: &str) -> String {
    let columns = format!("lane, due_at{columns}");
    format!(
        "WITH RECURSIVE heads AS ( \
           (SELECT {columns} FROM hookhaven.live WHERE session IS NULL ORDER BY lane, due_at LIMIT 1) \
           UNION ALL \
           SELECT n.* FROM heads h CROSS JOIN LATERAL ( \
              SELECT {columns} FROM hookhaven.live WHERE session IS NULL AND lane > h.lane \
              ORDER BY lane, due_at LIMIT 1) n)"
    )
}

/// `told`: the first of each lane that may be claimed once it is due. It is that of [`lanes`], except that of a queue
/// it is told who may begin, or be tried again.
pub(super) fn heads(columns: &str) -> String {
    let lanes = lanes(columns);
    let columns = format!("lane, due_at{columns}");
    let waits = format!(
        "(SELECT {columns} FROM hookhaven.live l WHERE l.queue = h.lane AND {WAITS} AND {} > 0 \
          ORDER BY {IN_TURN} LIMIT 1)",
        free("h.lane")
    );
    let tried = format!("(SELECT {columns} FROM {} ORDER BY l.due_at LIMIT 1)", tried("h.lane", &columns));
    format!(
        "{lanes}, \
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
        "ARRAY((SELECT l.id FROM {} WHERE l.due_at <= {now} ORDER BY l.due_at LIMIT w.room) \
         UNION ALL (SELECT l.id FROM hookhaven.live l WHERE l.queue = w.lane AND {WAITS} \
            ORDER BY {IN_TURN} LIMIT w.free))",
        tried("w.lane", "id, due_at")
    )
}

/// A condition on a row of `live` called `l` that is in the queue that `lane` says: an attempt of it may begin, due or
/// not.
pub(super) fn may_begin(lane: &str) -> String {
    let waits = format!(
        "(SELECT w.lane, 1000000 AS room, greatest({}, 0) AS free FROM (SELECT {lane}::text AS lane) w)",
        free("w.lane")
    );
    format!("AND (l.tries > 0 OR EXISTS (SELECT FROM {waits} w WHERE l.id = ANY({})))", claimable("'infinity'"))
}
