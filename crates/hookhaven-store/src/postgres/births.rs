//! New rows of `live`, column by column: from an accept, a settlement, a replay or a route.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use hookhaven_core::{DeliveryId, EventId, Lane, LineId, Order, Time, Version, event::PUBLISHED};
use tokio_postgres::types::{ToSql, Type};

use super::{
    lines::Lines,
    pool::Lent,
    rows::{At, Uuid, to_text},
    steps,
    trouble::Trouble,
};
use crate::{codec, seam::NewDelivery};

/// Values of a statement, each with its type, as long as what they are of.
pub(super) type Values<'a> = Vec<(&'a (dyn ToSql + Sync), Type)>;

const COLUMNS: &str = "id, event, slice, deadline_us, accepted_at, expires_at, critical, replaces, lane, \
    source, event_type, destination, route, policy";

/// What a row is in a queue, where any of them is in or beside one.
const QUEUE_COLUMNS: &str = "queue, holder";

/// What a row is in a line, where any of them is in one.
const LINE_COLUMNS: &str = "line, line_turn, version, ordering";

/// Behind all of the queue that was due when it was accepted.
const DUE_IN_QUEUE: &str = "CASE WHEN at_once THEN greatest(due_at, (SELECT max(l.due_at) FROM hookhaven.live l \
     WHERE l.queue = b.queue AND l.turn IS NOT NULL AND l.tries = 0)) ELSE due_at END";

#[derive(Debug)]
pub(super) struct Births<'a> {
    now: Time,
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
    queues: Vec<Option<String>>,
    holders: Vec<Option<Uuid>>,
    /// In a queue, and due at once.
    at_once: Vec<bool>,
    orders: Vec<Option<Ordered<'a>>>,
    /// Once they have their turns.
    placed: Option<Placed>,
    published: bool,
}

/// A birth that stands in a line.
#[derive(Debug)]
struct Ordered<'a> {
    line: LineId,
    order: &'a Order,
}

/// Places in lines, column by column.
#[derive(Debug, Default)]
struct Placed {
    lines: Vec<Option<Uuid>>,
    turns: Vec<Option<i64>>,
    versions: Vec<Option<Uuid>>,
    orderings: Vec<Option<Vec<u8>>>,
}

impl<'a> Births<'a> {
    pub fn new(now: Time) -> Self {
        Births {
            now,
            ids: Vec::new(),
            events: Vec::new(),
            slices: Vec::new(),
            due: Vec::new(),
            deadlines_us: Vec::new(),
            accepted: Vec::new(),
            expires: Vec::new(),
            critical: Vec::new(),
            replaces: Vec::new(),
            lanes: Vec::new(),
            sources: Vec::new(),
            types: Vec::new(),
            destinations: Vec::new(),
            routes: Vec::new(),
            policies: Vec::new(),
            queues: Vec::new(),
            holders: Vec::new(),
            at_once: Vec::new(),
            orders: Vec::new(),
            placed: None,
            published: false,
        }
    }

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
        let (queue, holder) = place(&new.lane, new.id).unzip();
        self.queues.push(queue);
        self.holders.push(holder);
        self.at_once.push(new.lane.is_queue() && new.due_at <= self.now);
        self.orders.push(new.order.as_deref().map(|order| Ordered { line: order.line(&new.destination), order }));
        self.published |= &**source == PUBLISHED;
    }

    /// Gives each that is ordered its place in its line, in their order; without, they stand in none.
    pub fn line_up(&mut self, lines: &mut Lines) {
        if self.orders.iter().all(Option::is_none) {
            return;
        }
        let mut placed = Placed::default();
        for (n, ordered) in self.orders.iter().enumerate() {
            let turn = ordered.as_ref().map(|Ordered { line, order }| {
                let replaces = self.replaces[n].map(Uuid::delivery);
                (order, lines.join(*line, order.version(), replaces, self.slices[n]))
            });
            placed.lines.push(ordered.as_ref().map(|ordered| ordered.line.into()));
            placed.turns.push(turn.map(|(_, turn)| i64::try_from(turn).unwrap_or(i64::MAX)));
            placed.versions.push(turn.and_then(|(order, _)| order.version()).map(|version: Version| version.into()));
            let whole = |(order, turn): (&&Order, u64)| codec::encode_order(&Order { turn, ..(*order).clone() });
            placed.orderings.push(turn.map(whole));
        }
        self.placed = Some(placed);
    }

    /// Of one commit, what is due at once in a queue has one due time: then the order is that of ids.
    pub fn ready(mut self) -> Self {
        let mut latest: HashMap<Cow<'a, str>, Time> = HashMap::new();
        for n in (0..self.ids.len()).filter(|n| self.at_once[*n]) {
            let latest = latest.entry(self.lanes[n].clone()).or_insert(self.due[n].0);
            *latest = (*latest).max(self.due[n].0);
        }
        for n in (0..self.ids.len()).filter(|n| self.at_once[*n]) {
            if let Some(at) = latest.get(&self.lanes[n]) {
                self.due[n] = At(*at);
            }
        }
        self
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Queries of a `WITH` that insert the rows, and the steps of those that were published; their arguments begin
    /// at this number. A condition on `b` may be added.
    pub fn inserts(&self, first: usize, condition: &str) -> String {
        let (queued, lined) = (self.is_queued(), self.placed.is_some());
        let types = ["timestamptz", "uuid", "uuid", "int4", "int8", "timestamptz", "timestamptz", "bool", "uuid"];
        let types = types.into_iter().chain(["text"; 5]).chain(["bytea"]);
        let types = types.chain(["text", "uuid", "bool"].into_iter().take(if queued { 3 } else { 0 }));
        let types = types.chain(["uuid", "int8", "uuid", "bytea"].into_iter().take(if lined { 4 } else { 0 }));
        let arrays: Vec<_> = types.enumerate().map(|(n, of)| format!("${}::{of}[]", first + n)).collect();
        let arrays = arrays.join(", ");
        let (mut columns, mut given) = (COLUMNS.to_owned(), COLUMNS.to_owned());
        let (mut named, mut values) = (String::new(), String::new());
        let mut due_at = "due_at";
        if queued {
            due_at = DUE_IN_QUEUE;
            columns += &format!(", {QUEUE_COLUMNS}");
            given += &format!(", {QUEUE_COLUMNS}, at_once");
            named += ", turn";
            values += ", CASE WHEN at_once THEN (SELECT nextval('hookhaven.queue_turn')) END";
        }
        if lined {
            columns += &format!(", {LINE_COLUMNS}");
            given += &format!(", {LINE_COLUMNS}");
            named += ", session";
            values += ", CASE WHEN line IS NOT NULL THEN -1 END";
        }
        let insert = format!(
            "INSERT INTO hookhaven.live (due_at, {columns}{named}, fence, attempts, tries, lost) \
             SELECT {due_at}, {columns}{values}, 0, 0, 0, 0 FROM unnest({arrays}) AS b(due_at, {given})"
        );
        let told = if self.published { steps::of_births() } else { String::new() };
        format!("made AS ({insert} {condition} RETURNING id, source, accepted_at){told}")
    }

    fn is_queued(&self) -> bool {
        self.queues.iter().any(Option::is_some)
    }

    /// In the order of [`Self::inserts`].
    pub fn args(&self) -> Values<'_> {
        let mut args: Values<'_> = vec![
            (&self.due, Type::TIMESTAMPTZ_ARRAY),
            (&self.ids, Type::UUID_ARRAY),
            (&self.events, Type::UUID_ARRAY),
            (&self.slices, Type::INT4_ARRAY),
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
        ];
        if self.is_queued() {
            args.push((&self.queues, Type::TEXT_ARRAY));
            args.push((&self.holders, Type::UUID_ARRAY));
            args.push((&self.at_once, Type::BOOL_ARRAY));
        }
        if let Some(Placed { lines, turns, versions, orderings }) = &self.placed {
            args.push((lines, Type::UUID_ARRAY));
            args.push((turns, Type::INT8_ARRAY));
            args.push((versions, Type::UUID_ARRAY));
            args.push((orderings, Type::BYTEA_ARRAY));
        }
        args
    }

    /// Inserts them, of which there are some, in a transaction that was begun.
    pub async fn insert(&self, connection: &Lent<'_>) -> Result<(), Trouble> {
        let sql = format!("WITH {} SELECT FROM made", self.inserts(1, ""));
        connection.query(&sql, &self.args()).await.map(drop)
    }
}

/// The queue that a delivery's lane is or is beside, as text, and who holds the slot there.
pub(super) fn place(lane: &Lane, id: DeliveryId) -> Option<(String, Uuid)> {
    let queue = match lane.holder() {
        Some(_) => Lane::of_queue(lane.queue()?),
        None => lane.is_queue().then(|| lane.clone())?,
    };
    Some((to_text(queue.as_str()).into_owned(), lane.holder().unwrap_or(id).into()))
}
