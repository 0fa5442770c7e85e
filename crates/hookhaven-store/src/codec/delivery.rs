//! Deliveries as bytes, with their policy and their place in a line, which also stand by themselves. The
//! specification stands with the records in `codec`.

use std::sync::Arc;

use hookhaven_core::{DeliveryId, Lane, Order, OrderRule, Policy, Version, retry::RetryPolicy};

use super::{DecodeError, Problem, Reader, VERSION, Writer, open};
use crate::seam::NewDelivery;

pub(super) fn delivery(w: &mut Writer<'_>, d: &NewDelivery) {
    w.id(d.id.as_bytes());
    w.text(&d.destination);
    w.text(d.lane.as_str());
    w.text(&d.route);
    policy_marked(w, &d.policy, d.order.is_some());
    w.time(d.due_at);
    if let Some(o) = &d.order {
        order(w, o);
    }
}

pub(super) fn read_delivery(r: &mut Reader<'_>) -> Result<NewDelivery, DecodeError> {
    let id = DeliveryId::from_bytes(r.id()?);
    let (destination, lane, route) = (r.text()?, Lane::from_text(r.str()?), r.text()?);
    let (policy, ordered) = read_policy_marked(r)?;
    let due_at = r.time()?;
    let order = if ordered { Some(Arc::new(read_order(r)?)) } else { None };
    Ok(NewDelivery { id, destination, lane, route, policy: Arc::new(policy), due_at, order })
}

fn order(w: &mut Writer<'_>, o: &Order) {
    w.text(&o.key);
    w.varint(o.turn);
    w.option(o.failed_at, Writer::time);
    w.option(o.parks_until, Writer::time);
    match o.rule {
        OrderRule::Fifo { park } => {
            w.u8(1);
            w.duration(park);
        }
        OrderRule::Latest { version } => {
            w.u8(2);
            w.id(&version.to_bytes());
        }
    }
}

fn read_order(r: &mut Reader<'_>) -> Result<Order, DecodeError> {
    Ok(Order {
        key: r.text()?,
        turn: r.varint()?,
        failed_at: r.option(Reader::time)?,
        parks_until: r.option(Reader::time)?,
        rule: match r.u8()? {
            1 => OrderRule::Fifo { park: r.duration()? },
            2 => OrderRule::Latest { version: Version::from_bytes(r.id()?) },
            n => return r.fail(Problem::Tag { of: "ordering mode", found: u64::from(n) }),
        },
    })
}

/// An order by itself.
pub(crate) fn encode_order(o: &Order) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    order(&mut Writer(&mut bytes), o);
    bytes
}

pub(crate) fn decode_order(bytes: &[u8]) -> Result<Order, DecodeError> {
    let mut r = open(bytes)?;
    let order = read_order(&mut r)?;
    r.end()?;
    Ok(order)
}

fn policy(w: &mut Writer<'_>, p: &Policy) {
    policy_marked(w, p, false);
}

fn policy_marked(w: &mut Writer<'_>, p: &Policy, ordered: bool) {
    w.varint(u64::from(p.retry.attempts));
    w.duration(p.retry.initial);
    w.f64(p.retry.factor);
    w.duration(p.retry.max);
    w.duration(p.deadline);
    w.duration(p.max_age);
    w.u8(u8::from(p.critical) | u8::from(ordered) << 1);
}

fn read_policy(r: &mut Reader<'_>) -> Result<Policy, DecodeError> {
    match read_policy_marked(r)? {
        (policy, false) => Ok(policy),
        (_, true) => r.fail(Problem::Tag { of: "marks of a policy by itself", found: 2 }),
    }
}

fn read_policy_marked(r: &mut Reader<'_>) -> Result<(Policy, bool), DecodeError> {
    let retry = RetryPolicy { attempts: r.u32()?, initial: r.duration()?, factor: r.f64()?, max: r.duration()? };
    let (deadline, max_age, marks) = (r.duration()?, r.duration()?, r.u8()?);
    if marks > 3 {
        return r.fail(Problem::Tag { of: "marks of a policy", found: u64::from(marks) });
    }
    Ok((Policy { retry, deadline, max_age, critical: marks & 1 != 0 }, marks & 2 != 0))
}

/// A policy by itself, as the index keeps each distinct one once.
pub(crate) fn encode_policy(p: &Policy) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    policy(&mut Writer(&mut bytes), p);
    bytes
}

pub(crate) fn decode_policy(bytes: &[u8]) -> Result<Policy, DecodeError> {
    let mut r = open(bytes)?;
    let policy = read_policy(&mut r)?;
    r.end()?;
    Ok(policy)
}
