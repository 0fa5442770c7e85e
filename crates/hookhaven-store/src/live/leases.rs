//! Sessions and leases: who may attempt what. Not records: they die with the process.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    time::Duration,
};

use hookhaven_core::{Delivery, DeliveryId, Lane, Time};

use super::Live;
use crate::{
    position::Position,
    seam::{Due, LaneDue, LaneRoom, Renewed, SessionId},
};

/// Holds what is being changed by a record that is not durable yet. Never a node's.
const RESERVED: u64 = u64::MAX;

#[derive(Debug, Default)]
pub(super) struct Sessions {
    live: BTreeMap<u64, Session>,
    last_session: u64,
    last_fence: u64,
    leased: u64,
}

#[derive(Debug)]
struct Session {
    ttl: Duration,
    until: Time,
    leases: BTreeSet<u32>,
}

impl Sessions {
    pub fn len(&self) -> u64 {
        self.live.len() as u64
    }

    pub fn leased_len(&self) -> u64 {
        self.leased
    }
}

/// A delivery just leased. The caller fetches the event.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub delivery: Delivery,
    pub event_at: Position,
    pub fence: u64,
    pub attempt_number: u32,
}

impl Live {
    /// Session numbers start after `epoch`, so that they do not repeat over restarts.
    pub fn start_sessions_after(&mut self, epoch: u64) {
        self.sessions.last_session = self.sessions.last_session.max(epoch);
    }

    pub fn open_session(&mut self, ttl: Duration, now: Time) -> SessionId {
        self.sessions.last_session += 1;
        let id = self.sessions.last_session;
        self.sessions.live.insert(id, Session { ttl, until: now.plus(ttl), leases: BTreeSet::new() });
        SessionId(id)
    }

    pub fn renew_session(&mut self, id: SessionId, now: Time) -> Renewed {
        match self.sessions.live.get_mut(&id.0) {
            Some(session) if session.until > now => {
                session.until = now.plus(session.ttl);
                Renewed::Live
            }
            _ => Renewed::Lapsed,
        }
    }

    /// What the session holds goes back to its lanes as if never claimed. Answers whether that was
    /// anything.
    pub fn close_session(&mut self, id: SessionId) -> bool {
        let Some(session) = self.sessions.live.remove(&id.0) else { return false };
        for slot in &session.leases {
            self.unlease(*slot);
        }
        !session.leases.is_empty()
    }

    /// How many deliveries a session holds.
    pub fn leases_of(&self, id: SessionId) -> u64 {
        self.sessions.live.get(&id.0).map_or(0, |session| session.leases.len() as u64)
    }

    /// Gives one lease back untried; `false` if it was not this session's.
    pub fn release(&mut self, session: SessionId, id: DeliveryId, fence: u64) -> bool {
        let Some(slot) = self.held(session, id, fence) else { return false };
        self.unlease(slot);
        true
    }

    /// Whether the session holds the delivery under this fence, and is itself live at `now`.
    pub fn holds(&self, session: SessionId, id: DeliveryId, fence: u64, now: Time) -> bool {
        let live = self.sessions.live.get(&session.0).is_some_and(|s| s.until > now);
        live && self.held(session, id, fence).is_some()
    }

    fn held(&self, session: SessionId, id: DeliveryId, fence: u64) -> Option<u32> {
        let slot = *self.by_id.get(&id)?;
        let p = &self.pending[slot];
        (p.session == session.0 && p.fence == fence).then_some(slot)
    }

    /// Deliveries held by sessions that lapsed before `now`.
    pub fn lapsed(&self, now: Time) -> Vec<DeliveryId> {
        let lapsed = self.sessions.live.values().filter(|s| s.until <= now);
        lapsed.flat_map(|s| &s.leases).map(|slot| self.pending[*slot].id).collect()
    }

    /// Forgets lapsed sessions that hold nothing any more.
    pub fn drop_lapsed_sessions(&mut self, now: Time) {
        self.sessions.live.retain(|_, s| s.until > now || !s.leases.is_empty());
    }

    /// Keeps a pending delivery from being claimed while a record that ends it is being made durable.
    /// `false` if it is not there or leased.
    pub fn reserve(&mut self, id: DeliveryId) -> bool {
        let Some(slot) = self.by_id.get(&id).copied() else { return false };
        if self.pending[slot].session != 0 {
            return false;
        }
        self.take(slot, RESERVED, 0);
        true
    }

    /// Takes a reservation back, when the record could not be made durable.
    pub fn unreserve(&mut self, id: DeliveryId) {
        if let Some(slot) = self.by_id.get(&id).copied()
            && self.pending[slot].session == RESERVED
        {
            self.unlease(slot);
        }
    }

    pub fn due(&self, skip: &[Lane], limit: usize, now: Time) -> Due {
        let skip: BTreeSet<u32> = skip.iter().filter_map(|lane| self.lanes.find(lane)).collect();
        let mut due = Due::default();
        for (at, lane) in self.lanes.heads() {
            if skip.contains(&lane) {
                continue;
            }
            if at > now || due.lanes.len() == limit {
                due.next_due = Some(at.max(now));
                break;
            }
            if let Some(name) = self.lanes.name(lane) {
                due.lanes.push(LaneDue { lane: name.clone(), due_at: at });
            }
        }
        due
    }

    pub fn claim(&mut self, session: SessionId, rooms: &[LaneRoom], max: usize, now: Time) -> Vec<Claimed> {
        if self.sessions.live.get(&session.0).is_none_or(|s| s.until <= now) {
            return Vec::new();
        }
        let mut candidates = BinaryHeap::new();
        for room in rooms {
            let Some(lane) = self.lanes.find(&room.lane) else { continue };
            let free = room.limit.map_or(usize::MAX, |limit| limit.saturating_sub(self.lanes.leased_in(lane)));
            for slot in self.lanes.due_in(lane, now).take(room.room.min(max).min(free)) {
                let p = &self.pending[slot];
                candidates.push(Reverse((p.due_at.plus(p.kind.policy.deadline), p.due_at, slot)));
            }
        }
        let mut claimed = Vec::with_capacity(max.min(candidates.len()));
        while claimed.len() < max {
            let Some(Reverse((_, _, slot))) = candidates.pop() else { break };
            claimed.push(self.lease(slot, session));
        }
        claimed
    }

    /// One that waits, due or not, if it is its turn and fewer than `limit` of its lane are leased.
    pub fn claim_one(
        &mut self,
        session: SessionId,
        id: DeliveryId,
        limit: Option<usize>,
        now: Time,
    ) -> Option<Claimed> {
        self.sessions.live.get(&session.0).filter(|s| s.until > now)?;
        let slot = *self.by_id.get(&id)?;
        let p = &self.pending[slot];
        let its_turn = match &p.order {
            Some(order) => self.lines.may_go(order.line(&p.kind.destination), slot, now),
            None => self.lanes.holds(p.lane, p.due_at, slot),
        };
        let has_room = limit.is_none_or(|limit| self.lanes.leased_in(p.lane) < limit);
        (p.session == 0 && its_turn && has_room).then(|| self.lease(slot, session))
    }

    fn lease(&mut self, slot: u32, session: SessionId) -> Claimed {
        self.sessions.last_fence += 1;
        let fence = self.sessions.last_fence;
        self.take(slot, session.0, fence);
        let p = &self.pending[slot];
        Claimed { delivery: p.view(), event_at: p.event_at, fence, attempt_number: p.tries.saturating_add(1) }
    }

    fn take(&mut self, slot: u32, session: u64, fence: u64) {
        self.leave(slot, session != RESERVED);
        let p = &mut self.pending[slot];
        (p.session, p.fence) = (session, fence);
        if let Some(session) = self.sessions.live.get_mut(&session) {
            session.leases.insert(slot);
        }
        self.sessions.leased += 1;
        self.lanes.lease(p.lane);
        self.depths.add_leased(&p.kind, 1);
    }

    /// Takes the lease off and puts the delivery back into its lane.
    pub(super) fn unlease(&mut self, slot: u32) {
        let begun = self.is_begun(slot);
        self.strip_lease(slot);
        self.come_back(slot, begun);
    }

    /// Whether an attempt of it was made, or is to be.
    pub(super) fn is_begun(&self, slot: u32) -> bool {
        let p = &self.pending[slot];
        p.tries > 0 || (p.session != 0 && p.session != RESERVED)
    }

    /// Takes the lease off, if there is one; the delivery is then in no lane. Answers whether it was leased.
    pub(super) fn strip_lease(&mut self, slot: u32) -> bool {
        let p = &mut self.pending[slot];
        if p.session == 0 {
            return false;
        }
        if let Some(session) = self.sessions.live.get_mut(&p.session) {
            session.leases.remove(&slot);
        }
        (p.session, p.fence) = (0, 0);
        self.sessions.leased -= 1;
        self.lanes.unlease(p.lane);
        self.depths.add_leased(&p.kind, -1);
        true
    }

    /// Pending (not leased) deliveries of these lanes older than their policy's `max_age`.
    pub fn expired(&self, lanes: &[Lane], now: Time, limit: usize) -> Vec<DeliveryId> {
        let numbers = lanes.iter().filter_map(|lane| self.lanes.find(lane));
        let waiting = numbers.flat_map(|n| self.lanes.waiting_in(n)).map(|slot| &self.pending[slot]);
        let old = waiting.filter(|p| p.accepted_at.plus(p.kind.policy.max_age) <= now);
        old.map(|p| p.id).take(limit).collect()
    }
}
