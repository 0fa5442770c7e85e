//! The records of retention as bytes: what is carried forward, and what has gone. The specification
//! stands with the other records in `codec`.

use std::sync::Arc;

use hookhaven_core::{Delivery, DeliveryId, DeliveryState, Event, EventId, Time};

use super::{DecodeError, Problem, Reader, Writer};
use crate::{
    history::KeyDigest,
    record::{CarriedDelivery, CarriedKey, CarriedRecord, Record, RemovedRecord},
    seam::NewDelivery,
};

pub(super) fn event(w: &mut Writer<'_>, carried: &CarriedRecord) {
    w.time(carried.at);
    super::event(w, &carried.event, &mut None);
    w.option(carried.key_until, Writer::time);
    w.len(carried.deliveries.len());
    carried.deliveries.iter().for_each(|d| delivery(w, d));
}

pub(super) fn read_event(r: &mut Reader<'_>) -> Result<CarriedRecord, DecodeError> {
    let at = r.time()?;
    let event = Arc::new(super::read_event(r, &mut None)?);
    let key_until = r.option(Reader::time)?;
    let deliveries = r.list(|r| read_delivery(r, &event))?;
    Ok(CarriedRecord { at, event, key_until, deliveries })
}

fn delivery(w: &mut Writer<'_>, carried: &CarriedDelivery) {
    let d = &carried.delivery;
    super::delivery(w, &NewDelivery::from(d));
    w.time(d.accepted_at);
    w.varint(u64::from(d.attempts));
    w.varint(u64::from(d.tries));
    w.varint(u64::from(d.lost));
    match d.cancel_asked_at {
        Some(asked_at) if !d.state.is_final() => {
            w.u8(CANCEL_ASKED);
            w.time(asked_at);
        }
        _ => {
            w.u8(state_number(d.state));
            w.option(d.ended_at, Writer::time);
        }
    }
    w.option(d.end_reason.map(super::reason_number), Writer::u8);
    w.option(d.replaces.as_ref(), |w, id| w.id(id.as_bytes()));
    w.option(d.replaced_by.as_ref(), |w, id| w.id(id.as_bytes()));
    w.option(d.dismissed_at, Writer::time);
    w.len(carried.attempts.len());
    carried.attempts.iter().for_each(|a| super::attempt(w, a));
}

fn read_delivery(r: &mut Reader<'_>, event: &Event) -> Result<CarriedDelivery, DecodeError> {
    let new = super::read_delivery(r)?;
    let (accepted_at, attempts, tries, lost) = (r.time()?, r.u32()?, r.u32()?, r.u32()?);
    let (state, cancel_asked_at, ended_at) = match r.u8()? {
        CANCEL_ASKED => (DeliveryState::Pending, Some(r.time()?), None),
        n => match state_of(n) {
            Some(state) => (state, None, r.option(Reader::time)?),
            None => return r.fail(Problem::Tag { of: "state", found: u64::from(n) }),
        },
    };
    let delivery = Delivery {
        id: new.id,
        event: event.id,
        source: event.source.clone(),
        event_type: event.event_type.clone(),
        destination: new.destination,
        lane: new.lane,
        route: new.route,
        policy: new.policy,
        due_at: new.due_at,
        accepted_at,
        attempts,
        tries,
        lost,
        state,
        ended_at,
        cancel_asked_at,
        end_reason: r.option(|r| super::read_number(r, "end reason", super::reason_of))?,
        replaces: r.option(Reader::id)?.map(DeliveryId::from_bytes),
        replaced_by: r.option(Reader::id)?.map(DeliveryId::from_bytes),
        dismissed_at: r.option(Reader::time)?,
        order: new.order,
    };
    let attempts = r.list(|r| super::read_attempt(r).map(Arc::new))?;
    Ok(CarriedDelivery { delivery, attempts })
}

/// Stands for a pending delivery whose end was asked for.
const CANCEL_ASKED: u8 = 5;

pub(crate) fn state_number(state: DeliveryState) -> u8 {
    match state {
        DeliveryState::Pending | DeliveryState::Leased => 1,
        DeliveryState::Delivered => 2,
        DeliveryState::Dead => 3,
        DeliveryState::Cancelled => 4,
    }
}

pub(crate) fn state_of(n: u8) -> Option<DeliveryState> {
    use DeliveryState::{Cancelled, Dead, Delivered, Pending};
    [Pending, Delivered, Dead, Cancelled].into_iter().find(|state| state_number(*state) == n)
}

pub(super) fn keys(w: &mut Writer<'_>, at: Time, keys: &[CarriedKey], bodies: bool) {
    w.time(at);
    w.len(keys.len());
    for key in keys {
        w.id(&key.digest.0);
        w.id(key.event.as_bytes());
        w.time(key.until);
        if bodies {
            w.option(key.body.as_ref(), Writer::id);
        }
    }
}

pub(super) fn read_keys(r: &mut Reader<'_>, bodies: bool) -> Result<Record, DecodeError> {
    let at = r.time()?;
    let key = |r: &mut Reader<'_>| {
        let (digest, event, until) = (KeyDigest(r.id()?), EventId::from_bytes(r.id()?), r.time()?);
        let body = if bodies { r.option(Reader::id)? } else { None };
        Ok(CarriedKey { digest, event, until, body })
    };
    let keys = r.list(key)?;
    if bodies && keys.iter().all(|key| key.body.is_none()) {
        return r.fail(Problem::Tag { of: "kind of keys without bodies", found: super::CARRIED_KEYS_AND_BODIES });
    }
    Ok(Record::CarriedKeys { at, keys })
}

pub(super) fn removed(w: &mut Writer<'_>, removed: &RemovedRecord) {
    w.time(removed.at);
    w.varint(u64::from(removed.upto));
    w.id(removed.first_event.as_bytes());
    w.id(removed.last_event.as_bytes());
}

pub(super) fn read_removed(r: &mut Reader<'_>) -> Result<RemovedRecord, DecodeError> {
    let (at, upto) = (r.time()?, r.u32()?);
    if upto == 0 {
        return r.fail(Problem::Tag { of: "segment", found: 0 });
    }
    let (first_event, last_event) = (EventId::from_bytes(r.id()?), EventId::from_bytes(r.id()?));
    Ok(RemovedRecord { at, upto, first_event, last_event })
}
