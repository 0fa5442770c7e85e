//! Lanes: what waits, in due order, and which lane's head falls due next. A leased delivery is in no
//! lane. Empty lanes are forgotten.

use std::collections::{BTreeSet, HashMap};

use hookhaven_core::{Lane, Time};

#[derive(Debug, Default)]
pub(super) struct Lanes {
    numbers: HashMap<Lane, u32>,
    /// By number; a free number has an empty queue and no name.
    lanes: Vec<OneLane>,
    free: Vec<u32>,
    /// The head of each lane that is not empty.
    heads: BTreeSet<(Time, u32)>,
}

#[derive(Debug, Default)]
struct OneLane {
    name: Option<Lane>,
    waiting: BTreeSet<(Time, u32)>,
    /// Deliveries of the lane, leased ones included: it may be forgotten at 0.
    members: u32,
    /// How many of them are leased or reserved.
    leased: u32,
}

impl Lanes {
    /// The lane's number, counted as one more member.
    pub fn number(&mut self, name: &Lane) -> u32 {
        let lane = match self.numbers.get(name) {
            Some(n) => *n,
            None => {
                let n = self.free.pop().unwrap_or_else(|| {
                    self.lanes.push(OneLane::default());
                    u32::try_from(self.lanes.len() - 1).expect("fewer lanes than deliveries")
                });
                self.lanes[n as usize].name = Some(name.clone());
                self.numbers.insert(name.clone(), n);
                n
            }
        };
        self.lanes[lane as usize].members += 1;
        lane
    }

    /// One member has ended.
    pub fn leave(&mut self, lane: u32) {
        let one = &mut self.lanes[lane as usize];
        one.members -= 1;
        if one.members == 0
            && let Some(name) = one.name.take()
        {
            self.numbers.remove(&name);
            self.free.push(lane);
        }
    }

    pub fn find(&self, name: &Lane) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    pub fn insert(&mut self, lane: u32, due_at: Time, slot: u32) {
        self.change(lane, |waiting| waiting.insert((due_at, slot)));
    }

    pub fn remove(&mut self, lane: u32, due_at: Time, slot: u32) {
        self.change(lane, |waiting| waiting.remove(&(due_at, slot)));
    }

    fn change(&mut self, lane: u32, with: impl FnOnce(&mut BTreeSet<(Time, u32)>) -> bool) {
        let waiting = &mut self.lanes[lane as usize].waiting;
        let before = waiting.first().map(|(at, _)| *at);
        with(waiting);
        let after = waiting.first().map(|(at, _)| *at);
        if before != after {
            if let Some(at) = before {
                self.heads.remove(&(at, lane));
            }
            if let Some(at) = after {
                self.heads.insert((at, lane));
            }
        }
    }

    /// Lanes in the order in which their heads fall due.
    pub fn heads(&self) -> impl Iterator<Item = (Time, u32)> + '_ {
        self.heads.iter().copied()
    }

    pub fn name(&self, lane: u32) -> Option<&Lane> {
        self.lanes[lane as usize].name.as_ref()
    }

    /// The head delivery of each lane that has one due.
    pub fn due_heads(&self, now: Time) -> impl Iterator<Item = (Time, u32)> + '_ {
        let due = self.heads.iter().take_while(move |(at, _)| *at <= now);
        due.filter_map(|(_, lane)| self.lanes[*lane as usize].waiting.first().copied())
    }

    /// What is due in a lane, in order.
    pub fn due_in(&self, lane: u32, now: Time) -> impl Iterator<Item = u32> + '_ {
        let due = self.lanes[lane as usize].waiting.iter().take_while(move |(at, _)| *at <= now);
        due.map(|(_, slot)| *slot)
    }

    /// Deliveries of a lane that have not ended.
    pub fn members(&self, lane: u32) -> usize {
        self.lanes[lane as usize].members as usize
    }

    /// How many of them are leased or reserved.
    pub fn leased_in(&self, lane: u32) -> usize {
        self.lanes[lane as usize].leased as usize
    }

    pub fn lease(&mut self, lane: u32) {
        self.lanes[lane as usize].leased += 1;
    }

    pub fn unlease(&mut self, lane: u32) {
        self.lanes[lane as usize].leased -= 1;
    }

    /// Whether it waits here.
    pub fn holds(&self, lane: u32, due_at: Time, slot: u32) -> bool {
        self.lanes[lane as usize].waiting.contains(&(due_at, slot))
    }

    /// Everything that waits in a lane.
    pub fn waiting_in(&self, lane: u32) -> impl Iterator<Item = u32> + '_ {
        self.lanes[lane as usize].waiting.iter().map(|(_, slot)| *slot)
    }
}
