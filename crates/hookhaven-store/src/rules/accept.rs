//! The rules of accepting: what is a duplicate, what only looks like one, and what a sender's redelivery does.

use std::{collections::HashSet, mem, sync::Arc};

use hookhaven_core::EventId;

use super::{Accepting, Answer, Change, Decision, Rules, Touched, born};
use crate::{
    history::{KeyDigest, KeyHeld, Past, keys_of},
    live::Recalled,
    record::Record,
    seam::{Accepted, NewDelivery, StoreError},
};

/// What an event is to those that are stored.
enum Known {
    /// None of them, but maybe one that has the same bytes.
    Not {
        twin: Option<EventId>,
    },
    As {
        first: EventId,
        other_bytes: bool,
    },
}

/// An accept decided, but for the other accepts of its commit.
enum Decided {
    Wait,
    Go(Vec<Change>, Accepted),
}

impl Rules<'_> {
    pub(super) fn accept(&mut self, one: &mut Accepting, touched: &mut Touched) -> Result<Decision, StoreError> {
        if keys_of(&one.event).any(|(key, _)| touched.keys.contains(&key)) {
            return Ok(Decision::Wait);
        }
        Ok(match self.accept_one(one, touched)? {
            Decided::Wait => Decision::Wait,
            Decided::Go(changes, accepted) => Decision::Go { changes, answer: Answer::Accepted(accepted) },
        })
    }

    /// Parts of one request that have the same key are one event; the first of them is it.
    pub(super) fn accept_together(
        &mut self,
        all: &mut [Accepting],
        touched: &mut Touched,
    ) -> Result<Decision, StoreError> {
        let keys = |one: &Accepting| keys_of(&one.event).map(|(key, _)| key).collect::<Vec<_>>();
        if all.iter().flat_map(keys).any(|key| touched.keys.contains(&key)) {
            return Ok(Decision::Wait);
        }
        let mut own = Vec::with_capacity(all.len());
        let mut seen = HashSet::new();
        let (mut changes, mut accepted) = (Vec::new(), Vec::with_capacity(all.len()));
        // Nothing is taken out of what may have to be decided again: who could wait is asked first.
        for one in all.iter() {
            if let Known::As { first, .. } = self.known(&mut one.event.clone())?
                && one.revives
                && self.dead_letters_of(first)?.iter().any(|past| touched.deliveries.contains(&past.delivery.id))
            {
                return Ok(Decision::Wait);
            }
        }
        for one in all.iter_mut() {
            let key = KeyDigest::of(&one.event.source, &one.event.idempotency_key);
            if !seen.insert(key) {
                let first = own.iter().find(|(known, _)| *known == key).map_or(one.event.id, |(_, id)| *id);
                accepted.push(Accepted::Duplicate { event: first, revived: vec![], other_bytes: false });
                continue;
            }
            match self.accept_one(one, touched)? {
                Decided::Wait => return Ok(Decision::Wait),
                Decided::Go(more, answer) => {
                    let id = if let Accepted::Duplicate { event, .. } = &answer { *event } else { one.event.id };
                    own.push((key, id));
                    changes.extend(more);
                    accepted.push(answer);
                }
            }
        }
        Ok(Decision::Go { changes, answer: Answer::AcceptedTogether(accepted) })
    }

    /// One whose keys nothing in this batch touches but parts of its own request.
    fn accept_one(&mut self, one: &mut Accepting, touched: &mut Touched) -> Result<Decided, StoreError> {
        let twin = match self.known(&mut one.event)? {
            Known::As { first, other_bytes } => return self.duplicate(first, other_bytes, one.revives, touched),
            Known::Not { twin } => twin,
        };
        if let Some(twin) = twin.filter(|_| one.refuses_replay) {
            return Ok(Decided::Go(vec![], Accepted::Refused { twin }));
        }
        self.room_for(one.deliveries.len(), touched)?;
        let superseded = self.line_up(&mut one.deliveries, None)?;
        touched.keys.extend(keys_of(&one.event).map(|(key, _)| key));
        self.take_turns(&mut one.deliveries, touched);
        let deliveries = mem::take(&mut one.deliveries);
        let record = Record::Accepted { event: one.event.clone(), key_until: one.key_until, deliveries };
        let changes = std::iter::once((record, Recalled::default())).chain(self.superseded(superseded)).collect();
        Ok(Decided::Go(changes, Accepted::New { twin }))
    }

    /// Gives an event that only shares an unsigned id with another its own key.
    fn known(&self, event: &mut Arc<hookhaven_core::Event>) -> Result<Known, StoreError> {
        let held = self.held(KeyDigest::of(&event.source, &event.idempotency_key))?;
        let Some(held) = held else { return Ok(Known::Not { twin: self.twin(event)? }) };
        let other_bytes = match (held.body, event.digest) {
            (Some(first), Some(this)) => first != this.bytes,
            _ => false,
        };
        match event.digest.filter(|digest| other_bytes && digest.watched) {
            None => Ok(Known::As { first: held.event, other_bytes }),
            Some(digest) => {
                let event = Arc::make_mut(event);
                event.idempotency_key = digest.own_key(&event.idempotency_key).into();
                let held = self.held(KeyDigest::of(&event.source, &event.idempotency_key))?;
                Ok(match held {
                    Some(held) => Known::As { first: held.event, other_bytes: false },
                    None => Known::Not { twin: self.twin(event)? },
                })
            }
        }
    }

    fn twin(&self, event: &hookhaven_core::Event) -> Result<Option<EventId>, StoreError> {
        let Some(digest) = event.digest.filter(|digest| digest.watched) else { return Ok(None) };
        Ok(self.held(KeyDigest::of_bytes(&event.source, &digest.bytes))?.map(|held| held.event))
    }

    fn held(&self, key: KeyDigest) -> Result<Option<KeyHeld>, StoreError> {
        match self.live.recent_key(key, self.now) {
            Some(held) => Ok(Some(held)),
            None => self.history.key(key, self.now),
        }
    }

    /// Whatever is due now in a queue comes after all that was accepted before.
    pub(super) fn take_turns(&self, deliveries: &mut [NewDelivery], touched: &mut Touched) {
        let due = |d: &&mut NewDelivery| d.lane.is_queue() && d.due_at <= self.now;
        for delivery in deliveries.iter_mut().filter(due) {
            let last = touched.turns.get(&delivery.lane).copied();
            delivery.due_at = self.live.due_in_turn(&delivery.lane, delivery.due_at, last);
            touched.turns.insert(delivery.lane.clone(), delivery.due_at);
        }
    }

    /// A sender's redelivery replays what is dead of the event, and is otherwise nothing (I8).
    fn duplicate(
        &mut self,
        event: EventId,
        other_bytes: bool,
        revives: bool,
        touched: &mut Touched,
    ) -> Result<Decided, StoreError> {
        let dead = if revives { self.dead_letters_of(event)? } else { Vec::new() };
        if dead.iter().any(|past| touched.deliveries.contains(&past.delivery.id)) {
            return Ok(Decided::Wait);
        }
        self.room_for(dead.len(), touched)?;
        let mut changes = Vec::new();
        for past in dead {
            changes.extend(self.redeliver(past, None, touched)?);
        }
        let revived = changes.iter().filter_map(|(record, _)| born(record)).collect();
        Ok(Decided::Go(changes, Accepted::Duplicate { event, revived, other_bytes }))
    }

    fn dead_letters_of(&self, event: EventId) -> Result<Vec<Past>, StoreError> {
        let mut dead: Vec<Past> = Vec::new();
        for past in self.history.dead_letters_of(event)? {
            let newest = self.live.recent_past(past.delivery.id).cloned().unwrap_or(past);
            dead.push(newest);
        }
        for past in self.live.recent_pasts_of(event) {
            if !dead.iter().any(|p| p.delivery.id == past.delivery.id) {
                dead.push(past.clone());
            }
        }
        dead.retain(|past| past.delivery.is_dead_letter());
        Ok(dead)
    }
}
