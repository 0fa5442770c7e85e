//! What follows from a command: the records to be made durable, and the answer. Decided in one place
//! and one order, from the live state first and history second; the same for every store that keeps
//! its own live state.
//!
//! A batch is decided whole before any of it is durable, so nothing in it may build on another part of
//! it: a command that touches what an earlier one of the batch touched waits for the next batch.
//!
//! Not here: applying (`live`), durability, threads.

mod accept;
mod carry;
mod lined;
mod once_more;

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::Arc,
};

use hookhaven_core::{Attempt, AttemptId, Delivery, DeliveryId, EndReason, ErrorClass, Event, EventId, Lane, Time};

use crate::{
    clock::Entropy,
    history::{History, KeyDigest, Past},
    live::{Live, Recalled, Standing},
    position::Position,
    record::{CarriedKey, CarriedRecord, Record, RemovedRecord, SettledRecord, SettledTo},
    seam::{
        Accepted, Cancelled, CatalogEntry, Dismissed, Follow, NewDelivery, NewEvent, Next, Redelivered, Redelivery,
        Replayed, Routed, SessionId, Settled, Settlement, StoreError,
    },
};

pub use self::{lined::parked, once_more::redelivery};

/// Attempts lost in a row that end a delivery.
pub const LOST_MAX: u32 = 5;
/// Deliveries that one `Expire` ends at most; the sweep comes again.
pub const EXPIRE_BATCH: usize = 1_000;
/// Deliveries that were to be cancelled, or overtaken, that one `ReleaseLapsed` ends at most.
const LET_DOWN_BATCH: usize = 1_000;

/// Something that changes the store.
#[derive(Debug)]
pub enum Command {
    Accept(Accepting),
    /// All in one commit.
    AcceptTogether(Vec<Accepting>),
    Settle {
        session: SessionId,
        settlement: Settlement,
    },
    ReleaseLapsed,
    Expire {
        lanes: Vec<Lane>,
    },
    Replay {
        delivery: DeliveryId,
        /// The new one's id; `None`: a fresh one.
        new: Option<DeliveryId>,
    },
    Redeliver(Redelivery),
    Route {
        event: EventId,
        deliveries: Vec<NewDelivery>,
    },
    Dismiss(DeliveryId),
    Cancel(DeliveryId),
    PutCatalog(CatalogEntry),
    /// Unless one of its kind and name stands.
    AddCatalog(CatalogEntry),
    DeleteCatalog {
        kind: String,
        name: String,
    },
    /// Of retention, for stores with a journal.
    Upkeep(Upkeep),
}

/// A [`NewEvent`] on its way into a record.
#[derive(Debug)]
pub struct Accepting {
    pub event: Arc<Event>,
    pub key_until: Time,
    pub deliveries: Vec<NewDelivery>,
    pub revives: bool,
    pub refuses_replay: bool,
}

/// What retention has decided upon, in the order of its steps. The rules of it stand in `carry`.
#[derive(Debug)]
pub enum Upkeep {
    /// Begin nothing new with events in segments up to this one.
    Retire {
        upto: u32,
    },
    /// Move an event forward, if it still is as it was found.
    Carry(Box<CarriedRecord>),
    CarryKeys(Vec<CarriedKey>),
    CarryCatalog {
        kind: String,
        name: String,
    },
    /// End a pending delivery whose event cannot be read: dead, `damaged`.
    Bury(DeliveryId),
    /// Everything that lives was carried.
    Remove(RemovedRecord),
}

impl Command {
    /// Whether it only adds to what is to be done; the others end work, or say how it goes on.
    pub fn makes_work(&self) -> bool {
        use Command::{Accept, AcceptTogether, Redeliver, Replay, Route};
        matches!(self, Accept(_) | AcceptTogether(_) | Replay { .. } | Redeliver(_) | Route { .. })
    }
}

impl From<NewEvent> for Accepting {
    fn from(new: NewEvent) -> Self {
        let NewEvent { event, key_until, deliveries, revives, refuses_replay } = new;
        Accepting { event: Arc::new(event), key_until, deliveries, revives, refuses_replay }
    }
}

/// What a command is answered once its records are durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Accepted(Accepted),
    AcceptedTogether(Vec<Accepted>),
    Settled(Settled),
    Count(usize),
    Replayed(Replayed),
    Redelivered(Redelivered),
    Routed(Routed),
    Dismissed(Dismissed),
    Cancelled(Cancelled),
    /// Of `AddCatalog`: the entry that stands.
    Stands(CatalogEntry),
    /// Of `Upkeep`: whether it was done. If not, something changed meanwhile: look again.
    Upkept(bool),
    Done,
}

/// A record with the past delivery it changes, for `Live::apply`.
pub type Change = (Record, Recalled);

#[derive(Debug)]
pub enum Decision {
    /// The changes form one frame: all or nothing. Empty: answer at once, nothing to sync for but the
    /// batch before.
    Go { changes: Vec<Change>, answer: Answer },
    /// It builds on something in this batch that is not durable yet: decide it again in the next.
    Wait,
}

/// What the current batch touches.
#[derive(Debug, Default)]
pub struct Touched {
    keys: HashSet<KeyDigest>,
    deliveries: HashSet<DeliveryId>,
    events: HashSet<EventId>,
    /// The due time given last in a queue.
    turns: HashMap<Lane, Time>,
    catalog: bool,
    created: u64,
}

/// Everything a decision is made from.
pub struct Rules<'a> {
    pub live: &'a mut Live,
    pub history: &'a dyn History,
    pub entropy: &'a dyn Entropy,
    pub now: Time,
    /// Deliveries pending beyond which nothing new is accepted.
    pub pending_max: u64,
}

impl Rules<'_> {
    /// Decides one command. Takes what it needs out of it only when it decides `Go`.
    pub fn decide(&mut self, command: &mut Command, touched: &mut Touched) -> Result<Decision, StoreError> {
        match command {
            Command::Accept(accepting) => self.accept(accepting, touched),
            Command::AcceptTogether(all) => self.accept_together(all, touched),
            Command::Settle { session, settlement } => Ok(self.settle(*session, settlement, touched)),
            Command::ReleaseLapsed => Ok(self.release_lapsed(touched)),
            Command::Expire { lanes } => Ok(self.expire(lanes, touched)),
            Command::Replay { delivery, new } => self.replay(*delivery, *new, touched),
            Command::Redeliver(redelivery) => self.redeliver_event(redelivery, touched),
            Command::Route { event, deliveries } => self.route(*event, deliveries, touched),
            Command::Dismiss(id) => self.dismiss(*id, touched),
            Command::Cancel(id) => self.cancel(*id, touched),
            Command::PutCatalog(entry) => {
                let record = Record::CatalogPut { at: self.now, entry: entry.clone() };
                Ok(catalog(record, Answer::Done, touched))
            }
            Command::AddCatalog(entry) => Ok(self.add_catalog(entry, touched)),
            Command::DeleteCatalog { kind, name } => {
                let record = Record::CatalogDeleted { at: self.now, kind: kind.clone(), name: name.clone() };
                Ok(catalog(record, Answer::Done, touched))
            }
            Command::Upkeep(upkeep) => self.upkeep(upkeep, touched),
        }
    }

    fn add_catalog(&self, entry: &CatalogEntry, touched: &mut Touched) -> Decision {
        if touched.catalog {
            return Decision::Wait;
        }
        match self.live.catalog_entry(&entry.kind, &entry.name) {
            Some(standing) => go([], Answer::Stands(standing)),
            None => {
                let record = Record::CatalogPut { at: self.now, entry: entry.clone() };
                catalog(record, Answer::Stands(entry.clone()), touched)
            }
        }
    }

    fn settle(&mut self, session: SessionId, settlement: &mut Settlement, touched: &mut Touched) -> Decision {
        let id = settlement.delivery;
        if touched.deliveries.contains(&id) {
            return Decision::Wait;
        }
        if !self.live.holds(session, id, settlement.fence, self.now) {
            return go([], Answer::Settled(Settled::LeaseLost));
        }
        let asked = self.live.is_cancel_asked(id);
        let overtaken = self.live.is_overtaken(id);
        let to = match settlement.next {
            Next::Delivered => SettledTo::Delivered,
            _ if asked => SettledTo::Cancelled,
            _ if overtaken => SettledTo::Superseded,
            Next::Release => {
                self.live.release(session, id, settlement.fence);
                return go([], Answer::Settled(Settled::Done));
            }
            Next::Retry { due_at } => SettledTo::Retry { due_at },
            Next::Dead(reason) => SettledTo::Dead(reason),
        };
        let order = self.live.pending(id).and_then(|delivery| delivery.order);
        let to = order.map_or(to, |order| parked(&order, to, self.now));
        touched.deliveries.insert(id);
        let attempt = settlement.attempt.take().map(Arc::new);
        let mut changes = self.follow(mem::take(&mut settlement.follows), to, touched);
        let record = Record::Settled(SettledRecord { at: self.now, delivery: id, attempt, to });
        changes.push((record, Recalled::default()));
        Decision::Go { changes, answer: Answer::Settled(Settled::Done) }
    }

    /// What follows from a settlement stands before it: what keeps a slot of a queue is there before the slot
    /// would be free.
    fn follow(&self, follows: Vec<Follow>, to: SettledTo, touched: &mut Touched) -> Vec<Change> {
        let left_out =
            |follow: &Follow| follow.unless_cancelled && matches!(to, SettledTo::Cancelled | SettledTo::Superseded);
        let kept = follows.into_iter().filter(|follow| !left_out(follow));
        let change = |Follow { event: NewEvent { event, key_until, mut deliveries, .. }, .. }| {
            self.take_turns(&mut deliveries, touched);
            (Record::Accepted { event: Arc::new(event), key_until, deliveries }, Recalled::default())
        };
        kept.map(change).collect()
    }

    fn release_lapsed(&mut self, touched: &mut Touched) -> Decision {
        self.live.drop_lapsed_sessions(self.now);
        self.live.forget_parked(self.now);
        let mut changes = Vec::new();
        for id in self.live.lapsed(self.now) {
            let Some(delivery) = self.live.pending(id).filter(|_| touched.deliveries.insert(id)) else { continue };
            changes.push((self.lost(&delivery), Recalled::default()));
        }
        for id in self.live.let_down(LET_DOWN_BATCH) {
            if touched.deliveries.insert(id) {
                let asked = self.live.is_cancel_asked(id);
                let record =
                    if asked { self.ended(id, SettledTo::Cancelled) } else { self.ended(id, SettledTo::Superseded) };
                changes.push((record, Recalled::default()));
            }
        }
        let count = changes.len();
        Decision::Go { changes, answer: Answer::Count(count) }
    }

    /// Without an attempt.
    fn ended(&self, delivery: DeliveryId, to: SettledTo) -> Record {
        Record::Settled(SettledRecord { at: self.now, delivery, attempt: None, to })
    }

    fn lost(&self, delivery: &Delivery) -> Record {
        let overtaken = self.live.is_overtaken(delivery.id);
        let (attempt, to) = lost(delivery, overtaken, self.now, self.entropy);
        Record::Settled(SettledRecord { at: self.now, delivery: delivery.id, attempt: Some(Arc::new(attempt)), to })
    }

    fn expire(&mut self, lanes: &[Lane], touched: &mut Touched) -> Decision {
        let mut changes = Vec::new();
        for id in self.live.expired(lanes, self.now, EXPIRE_BATCH) {
            if !touched.deliveries.contains(&id) && self.live.reserve(id) {
                touched.deliveries.insert(id);
                changes.push((self.ended(id, SettledTo::Dead(EndReason::Expired)), Recalled::default()));
            }
        }
        let count = changes.len();
        Decision::Go { changes, answer: Answer::Count(count) }
    }

    /// For a moment it is open whether an event that is not live outlasts its segment: ask again.
    fn not_retiring(&self, event_at: Position) -> Result<(), StoreError> {
        match self.live.standing(event_at) {
            Standing::Kept => Ok(()),
            _ => Err(StoreError::Unavailable("the event's retention is just ending; ask again".into())),
        }
    }

    fn room_for(&self, deliveries: usize, touched: &mut Touched) -> Result<(), StoreError> {
        let wanted = self.live.pending_len() + touched.created + deliveries as u64;
        if deliveries > 0 && wanted > self.pending_max {
            return Err(StoreError::Full { limit: "store.pending_max", value: self.pending_max });
        }
        touched.created += deliveries as u64;
        Ok(())
    }
}

/// The attempt of a delivery whose node went away, and what follows from it.
pub fn lost(delivery: &Delivery, overtaken: bool, now: Time, entropy: &dyn Entropy) -> (Attempt, SettledTo) {
    let lost = delivery.lost + 1;
    let asked = delivery.cancel_asked_at.is_some();
    let dead = asked || overtaken || lost >= LOST_MAX;
    let attempt = Attempt {
        id: AttemptId::mint(now, entropy.id_bytes()),
        delivery: delivery.id,
        number: delivery.tries + 1,
        started_at: now,
        duration_us: 0,
        phases: Default::default(),
        status: None,
        class: ErrorClass::Lost,
        error: "the node that made the attempt went away before it could record it".into(),
        response_headers: Vec::new(),
        response_excerpt: Default::default(),
        next_attempt_at: (!dead).then_some(now),
    };
    let to = match dead {
        true if asked => SettledTo::Cancelled,
        true if overtaken => SettledTo::Superseded,
        true => SettledTo::Dead(EndReason::Lost),
        false => SettledTo::Lost { due_at: now, lost },
    };
    (attempt, to)
}

/// Undoes what deciding did to the live state, when the changes could not be made durable.
pub fn withdraw(live: &mut Live, changes: &[Change]) {
    for (record, _) in changes {
        if let Record::Settled(SettledRecord { delivery, attempt: None, .. }) = record {
            live.unreserve(*delivery);
        }
    }
}

#[expect(clippy::large_enum_variant, reason = "lives on the stack for one decision")]
enum Found {
    Unknown,
    NotEnded,
    Past(Past),
}

fn go<const N: usize>(changes: [Change; N], answer: Answer) -> Decision {
    Decision::Go { changes: changes.into(), answer }
}

/// Catalog changes are rare: one a batch keeps their order plain.
fn catalog(record: Record, answer: Answer, touched: &mut Touched) -> Decision {
    if mem::replace(&mut touched.catalog, true) {
        return Decision::Wait;
    }
    go([(record, Recalled::default())], answer)
}

fn born(record: &Record) -> Option<DeliveryId> {
    match record {
        Record::Redelivered { delivery, .. } => Some(delivery.id),
        _ => None,
    }
}
