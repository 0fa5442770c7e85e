//! New rows of `live`, column by column: from an accept, a replay or a route.

use std::{borrow::Cow, sync::Arc};

use hookhaven_core::{DeliveryId, EventId, Time};
use tokio_postgres::types::{ToSql, Type};

use super::rows::{At, Uuid, to_text};
use crate::{codec, seam::NewDelivery};

/// Inserts [`Births`], whose arguments begin at this number; a condition on `b` may follow.
pub(super) fn insert_live(first: usize) -> String {
    let types = ["uuid", "uuid", "int4", "timestamptz", "int8", "timestamptz", "timestamptz", "bool", "uuid"];
    let types = types.into_iter().chain(["text"; 5]).chain(["bytea"]);
    let arrays: Vec<_> = types.enumerate().map(|(n, of)| format!("${}::{of}[]", first + n)).collect();
    format!(
        "INSERT INTO hookhaven.live ({COLUMNS}, fence, attempts, tries, lost) \
         SELECT b.*, 0, 0, 0, 0 FROM unnest({}) AS b({COLUMNS})",
        arrays.join(", ")
    )
}

const COLUMNS: &str = "id, event, slice, due_at, deadline_us, accepted_at, expires_at, critical, replaces, lane, \
    source, event_type, destination, route, policy";

#[derive(Debug, Default)]
pub(super) struct Births<'a> {
    pub ids: Vec<Uuid>,
    events: Vec<Uuid>,
    slices: Vec<i32>,
    due: Vec<At>,
    deadlines_us: Vec<i64>,
    accepted: Vec<At>,
    expires: Vec<At>,
    critical: Vec<bool>,
    replaces: Vec<Option<Uuid>>,
    lanes: Vec<Cow<'a, str>>,
    sources: Vec<Cow<'a, str>>,
    types: Vec<Cow<'a, str>>,
    destinations: Vec<Cow<'a, str>>,
    routes: Vec<Cow<'a, str>>,
    policies: Vec<Vec<u8>>,
}

impl<'a> Births<'a> {
    #[expect(clippy::too_many_arguments, reason = "what a delivery is born with, from two or three places")]
    pub fn push(
        &mut self,
        new: &'a NewDelivery,
        event: EventId,
        slice: i32,
        source: &'a Arc<str>,
        event_type: &'a Arc<str>,
        accepted_at: Time,
        replaces: Option<DeliveryId>,
    ) {
        let policy = &new.policy;
        self.ids.push(new.id.into());
        self.events.push(event.into());
        self.slices.push(slice);
        self.due.push(At(new.due_at));
        self.deadlines_us.push(i64::try_from(policy.deadline.as_micros()).unwrap_or(i64::MAX));
        self.accepted.push(At(accepted_at));
        self.expires.push(At(accepted_at.plus(policy.max_age)));
        self.critical.push(policy.critical);
        self.replaces.push(replaces.map(Uuid::from));
        self.lanes.push(to_text(new.lane.as_str()));
        self.sources.push(to_text(source));
        self.types.push(to_text(event_type));
        self.destinations.push(to_text(&new.destination));
        self.routes.push(to_text(&new.route));
        self.policies.push(codec::encode_policy(policy));
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// In the order of [`insert_live`].
    pub fn args(&self) -> [(&(dyn ToSql + Sync), Type); 15] {
        [
            (&self.ids, Type::UUID_ARRAY),
            (&self.events, Type::UUID_ARRAY),
            (&self.slices, Type::INT4_ARRAY),
            (&self.due, Type::TIMESTAMPTZ_ARRAY),
            (&self.deadlines_us, Type::INT8_ARRAY),
            (&self.accepted, Type::TIMESTAMPTZ_ARRAY),
            (&self.expires, Type::TIMESTAMPTZ_ARRAY),
            (&self.critical, Type::BOOL_ARRAY),
            (&self.replaces, Type::UUID_ARRAY),
            (&self.lanes, Type::TEXT_ARRAY),
            (&self.sources, Type::TEXT_ARRAY),
            (&self.types, Type::TEXT_ARRAY),
            (&self.destinations, Type::TEXT_ARRAY),
            (&self.routes, Type::TEXT_ARRAY),
            (&self.policies, Type::BYTEA_ARRAY),
        ]
    }
}
