//! What is due, and taking it.
//!
//! `due` looks at the head of each lane and at nothing else. `claim` takes the heads of the named lanes, passing
//! over rows that another node is just taking.
//!
//! A lane's limit over all nodes is held exactly, as is a queue's width (`turns`): who claims from such a lane first
//! takes a lock of that lane that lasts until the commit, and counts what is leased in a statement after it. Settling
//! only makes room.
//!
//! A claim whose fate is not known may have leased deliveries that nobody knows of, to a session that
//! goes on. What was handed out is remembered, so that the next claim can give back the others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use hookhaven_core::{DeliveryId, Event, EventId, Lane, Time};
use tokio::sync::RwLock;
use tokio_postgres::types::Type;

use super::{
    Shared,
    pool::{Args, Mode},
    replay::again,
    rows::{At, LIVE_COLUMNS, Stored, Uuid, text, time, to_text},
    trouble::{Kind, Trouble},
    turns,
};
use crate::seam::{Due, LaneRoom, Leased, SessionId, StoreError};

/// Rows that one claim looks at, over all lanes: more than it can take, so that the order by deadline is
/// worth something, and a bound where many lanes have much.
const CANDIDATES_MAX: usize = 4_096;

/// What this node holds, by session.
#[derive(Debug, Default)]
pub(super) struct Held {
    leases: Mutex<HashMap<SessionId, HashMap<DeliveryId, InHand>>>,
    /// Claims hold it for reading until what they took is noted.
    claiming: RwLock<()>,
    /// When to look for leases that nobody knows of.
    doubts: Mutex<Vec<Instant>>,
}

/// What is remembered of a lease.
#[derive(Clone, Copy, Debug)]
struct InHand {
    /// Whether it stands in a line.
    lined: bool,
}

/// What was sent may reach the server even after we have given it up: looked for a second time then.
const SECOND_LOOK: Duration = Duration::from_secs(60);

impl Held {
    fn note(&self, session: SessionId, taken: &[Stored]) {
        let mut leases = self.leases.lock().unwrap_or_else(|e| e.into_inner());
        let of_session = leases.entry(session).or_default();
        let in_hand = |stored: &Stored| InHand { lined: stored.delivery.order.is_some() };
        of_session.extend(taken.iter().map(|stored| (stored.delivery.id, in_hand(stored))));
    }

    fn doubts(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.doubts.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Some claim's fate is not known.
    fn doubt(&self) {
        let now = Instant::now();
        self.doubts().extend([now, now + SECOND_LOOK]);
    }

    pub fn forget(&self, session: SessionId, id: DeliveryId) {
        if let Some(held) = self.leases.lock().unwrap_or_else(|e| e.into_inner()).get_mut(&session) {
            held.remove(&id);
        }
    }

    /// Whether it is known to stand in a line.
    pub fn is_lined(&self, session: SessionId, id: DeliveryId) -> bool {
        let leases = self.leases.lock().unwrap_or_else(|e| e.into_inner());
        leases.get(&session).and_then(|held| held.get(&id)).is_some_and(|in_hand| in_hand.lined)
    }

    pub fn forget_session(&self, session: SessionId) {
        self.leases.lock().unwrap_or_else(|e| e.into_inner()).remove(&session);
    }

    /// All sessions that claimed and were not closed, with what they hold.
    fn all(&self) -> Vec<(SessionId, Vec<DeliveryId>)> {
        let leases = self.leases.lock().unwrap_or_else(|e| e.into_inner());
        leases.iter().map(|(session, held)| (*session, held.keys().copied().collect())).collect()
    }
}

impl Shared {
    pub(super) async fn due(&self, skip: &[Lane], limit: usize) -> Result<Due, StoreError> {
        // One look for all who ask at the same time.
        let _looking = self.looking.lock().await;
        let began = Instant::now();
        if self.heads().remembered(began) {
            return Ok(self.heads().due(skip, limit, began, self.now()));
        }
        let queues = self.heads().may_have_queues(began);
        let mut seen = self.first_of_lanes(queues).await?;
        if !queues && seen.iter().any(|(lane, _)| lane.is_queue()) {
            self.heads().has_queues(began);
            seen = self.first_of_lanes(true).await?;
        }
        let mut heads = self.heads();
        let seen_at = Instant::now();
        heads.seen(seen, seen_at - began, seen_at);
        Ok(heads.due(skip, limit, seen_at, self.now()))
    }

    /// Without queues the server has much less to plan, which is most of what it costs.
    async fn first_of_lanes(&self, queues: bool) -> Result<Vec<(Lane, Time)>, Trouble> {
        let sql = match queues {
            true => format!("{} SELECT lane, due_at FROM told", turns::heads("")),
            false => format!("{} SELECT lane, due_at FROM heads", turns::lanes("")),
        };
        let rows = self.work.once(Mode::Read, &sql, &[]).await?;
        rows.iter().map(|row| Ok((Lane::from_text(&text(row, 0)?), time(row, 1)?))).collect()
    }

    pub(super) async fn claim(
        &self,
        session: SessionId,
        rooms: &[LaneRoom],
        max: usize,
    ) -> Result<Vec<Leased>, StoreError> {
        if rooms.is_empty() || max == 0 {
            return Ok(Vec::new());
        }
        self.settle_doubt().await?;
        let _claiming = self.held.claiming.read().await;
        let taken = self.take(session, rooms, max).await;
        let taken = self.noted(session, taken)?;
        self.note_exhausted(rooms, max, &taken);
        self.with_events(session, taken).await
    }

    pub(super) async fn claim_one(
        &self,
        session: SessionId,
        delivery: DeliveryId,
        limit: Option<usize>,
    ) -> Result<Option<Leased>, StoreError> {
        self.settle_doubt().await?;
        let _claiming = self.held.claiming.read().await;
        let taken = self.take_one(session, delivery, limit).await;
        let taken = self.noted(session, taken)?;
        Ok(self.with_events(session, taken).await?.pop())
    }

    fn noted(&self, session: SessionId, taken: Result<Vec<Stored>, Trouble>) -> Result<Vec<Stored>, Trouble> {
        match &taken {
            Ok(taken) => self.held.note(session, taken),
            Err(trouble) if trouble.kind == Kind::Lost => self.held.doubt(),
            Err(_) => {}
        }
        taken
    }

    /// Hands out what was taken.
    async fn with_events(&self, session: SessionId, taken: Vec<Stored>) -> Result<Vec<Leased>, StoreError> {
        let ids = taken.iter().map(|stored| stored.delivery.event);
        let mut events = match self.read_events(ids).await {
            Ok(events) => events,
            Err(trouble) => {
                // Not handed out after all: the next claim gives them back.
                for stored in &taken {
                    self.held.forget(session, stored.delivery.id);
                }
                self.held.doubt();
                return Err(trouble.into());
            }
        };
        Ok(taken.into_iter().map(|stored| leased(stored, &mut events)).collect())
    }

    async fn take_one(
        &self,
        session: SessionId,
        delivery: DeliveryId,
        limit: Option<usize>,
    ) -> Result<Vec<Stored>, Trouble> {
        let mut connection = self.work.get().await?;
        connection.begin(Mode::Write).await?;
        let find = "SELECT lane FROM hookhaven.live WHERE id = $1 AND session IS NULL";
        let id = Uuid::from(delivery);
        let found = connection.query(find, &[(&id, Type::UUID)]).await?;
        let Some(row) = found.first() else {
            connection.commit().await?;
            return Ok(Vec::new());
        };
        let lane = Lane::from_text(&text(row, 0)?);
        if limit.is_some() || lane.is_queue() {
            turns::lock(&connection, [&lane]).await?;
        }
        let (limit, lane_text) = (limit.map(whole), to_text(lane.as_str()));
        let (session, now) = (number(session), At(self.now()));
        let args: Args<'_> = &[
            (&id, Type::UUID),
            (&session, Type::INT8),
            (&now, Type::TIMESTAMPTZ),
            (&limit, Type::INT8),
            (&lane_text, Type::TEXT),
        ];
        let its_turn = if lane.is_queue() { turns::may_begin("$5") } else { String::new() };
        let sql = format!(
            "UPDATE hookhaven.live l SET session = $2, fence = fence + 1 WHERE l.id = $1 AND l.session IS NULL \
                AND (l.own_due_at IS NULL OR l.due_at <= $3) \
                AND ($4 IS NULL OR $4 > (SELECT count(*) FROM hookhaven.live x WHERE x.lane = $5 AND x.session > 0)) \
                AND EXISTS (SELECT FROM hookhaven.sessions s WHERE s.id = $2 AND s.until > $3) {its_turn} \
             RETURNING {LIVE_COLUMNS}"
        );
        let rows = connection.query_and_commit(&sql, args).await?;
        rows.iter().map(Stored::read).collect()
    }

    async fn take(&self, session: SessionId, rooms: &[LaneRoom], max: usize) -> Result<Vec<Stored>, Trouble> {
        let now = self.now();
        let wanted = Wanted::of(rooms, max);
        let mut connection = self.work.get().await?;
        let sql = claim_sql(wanted.queues.contains(&true));
        let (now, max, session) = (At(now), i64::try_from(max).unwrap_or(i64::MAX), number(session));
        let args: Args<'_> = &[
            (&wanted.lanes, Type::TEXT_ARRAY),
            (&wanted.rooms, Type::INT8_ARRAY),
            (&wanted.limits, Type::INT8_ARRAY),
            (&now, Type::TIMESTAMPTZ),
            (&max, Type::INT8),
            (&session, Type::INT8),
            (&wanted.queues, Type::BOOL_ARRAY),
        ];
        let rows = if wanted.locked.is_empty() {
            connection.once(Mode::Write, &sql, args).await?
        } else {
            connection.begin(Mode::Write).await?;
            turns::lock(&connection, wanted.locked.iter().copied()).await?;
            connection.query_and_commit(&sql, args).await?
        };
        let mut taken = rows.iter().map(Stored::read).collect::<Result<Vec<_>, _>>()?;
        taken.sort_by_key(|stored| {
            let d = &stored.delivery;
            (d.due_at.plus(d.policy.deadline), d.due_at, d.id)
        });
        Ok(taken)
    }

    /// Lanes that gave less than was asked for have nothing due any more, or no room.
    fn note_exhausted(&self, rooms: &[LaneRoom], max: usize, taken: &[Stored]) {
        if taken.len() >= max {
            return;
        }
        let mut counts: HashMap<&Lane, usize> = HashMap::new();
        for stored in taken {
            *counts.entry(&stored.delivery.lane).or_default() += 1;
        }
        let mut heads = self.heads();
        for room in rooms.iter().filter(|room| counts.get(&room.lane).copied().unwrap_or(0) < room.room) {
            heads.exhausted(&room.lane);
        }
    }

    /// Gives back what was leased to our sessions and never handed out.
    async fn settle_doubt(&self) -> Result<(), StoreError> {
        let now = Instant::now();
        if self.held.doubts().iter().all(|at| *at > now) {
            return Ok(());
        }
        let _alone = self.held.claiming.write().await;
        for (session, held) in self.held.all() {
            let held: Vec<Uuid> = held.into_iter().map(Uuid::from).collect();
            again!(self.give_back(session, &held, false))?;
        }
        self.held.doubts().retain(|at| *at > now);
        Ok(())
    }
}

/// The claim, column by column.
struct Wanted<'a> {
    lanes: Vec<String>,
    rooms: Vec<i64>,
    limits: Vec<Option<i64>>,
    queues: Vec<bool>,
    /// Those that have a limit, or are queues.
    locked: Vec<&'a Lane>,
}

impl<'a> Wanted<'a> {
    fn of(rooms: &'a [LaneRoom], max: usize) -> Self {
        let each_max = (CANDIDATES_MAX / rooms.len().max(1)).max(16).min(max);
        let limited = |room: &&LaneRoom| room.limit.is_some() || room.lane.is_queue();
        Wanted {
            lanes: rooms.iter().map(|room| to_text(room.lane.as_str()).into_owned()).collect(),
            rooms: rooms.iter().map(|room| whole(room.room.min(each_max))).collect(),
            limits: rooms.iter().map(|room| room.limit.map(whole)).collect(),
            queues: rooms.iter().map(|room| room.lane.is_queue()).collect(),
            locked: rooms.iter().filter(limited).map(|room| &room.lane).collect(),
        }
    }
}

/// The rows are locked one by one as they are taken; those that others hold are passed over.
fn claim_sql(with_queues: bool) -> String {
    let (free, of_queues) = if with_queues { of_queues() } else { Default::default() };
    format!(
        "WITH wanted AS MATERIALIZED ( \
            SELECT w.lane, w.queue, CASE WHEN w.most IS NULL THEN w.room ELSE least(w.room, greatest(0, w.most - ( \
                SELECT count(*) FROM hookhaven.live x WHERE x.lane = w.lane AND x.session > 0))) END AS room \
                {free} \
            FROM unnest($1::text[], $2::int8[], $3::int8[], $7::bool[]) AS w(lane, room, most, queue)), \
         picked AS MATERIALIZED ( \
            SELECT c.* FROM wanted w CROSS JOIN LATERAL ( \
                SELECT {PICKED} FROM hookhaven.live l WHERE l.lane = w.lane AND l.session IS NULL AND l.due_at <= $4 \
                ORDER BY l.due_at LIMIT w.room FOR UPDATE SKIP LOCKED) c WHERE NOT w.queue {of_queues}), \
         first AS MATERIALIZED (SELECT id FROM picked ORDER BY deadline_at, due_at, turn, id LIMIT $5) \
         UPDATE hookhaven.live SET session = $6, fence = fence + 1 \
         WHERE id = ANY(ARRAY(SELECT id FROM first)) AND session IS NULL \
            AND EXISTS (SELECT FROM hookhaven.sessions s WHERE s.id = $6 AND s.until > $4) \
         RETURNING {LIVE_COLUMNS}"
    )
}

/// How many may begin of each queue, and those that may be taken.
fn of_queues() -> (String, String) {
    let free = format!(", CASE WHEN w.queue THEN {} END AS free", turns::free("w.lane"));
    let picked = format!(
        "UNION ALL SELECT c.* FROM wanted w CROSS JOIN LATERAL (SELECT {} AS ids OFFSET 0) t CROSS JOIN LATERAL ( \
            SELECT {PICKED} FROM hookhaven.live l WHERE l.id = ANY(t.ids) AND l.session IS NULL AND l.due_at <= $4 \
            ORDER BY {} LIMIT w.room FOR UPDATE SKIP LOCKED) c WHERE w.queue",
        turns::claimable("$4"),
        turns::IN_TURN
    );
    (free, picked)
}

const PICKED: &str = "l.id, l.turn, l.due_at, l.due_at + l.deadline_us * interval '1 microsecond' AS deadline_at";

fn leased(stored: Stored, events: &mut HashMap<EventId, Arc<Event>>) -> Leased {
    let Stored { delivery, fence, .. } = stored;
    Leased {
        fence: fence.unsigned_abs(),
        attempt_number: delivery.tries.saturating_add(1),
        event: events.get(&delivery.event).cloned().ok_or_else(|| "the event is not there".to_owned()),
        delivery,
    }
}

fn whole(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(super) fn number(session: SessionId) -> i64 {
    i64::try_from(session.0).unwrap_or(i64::MAX)
}

pub(super) fn fence(fence: u64) -> i64 {
    i64::try_from(fence).unwrap_or(i64::MAX)
}
