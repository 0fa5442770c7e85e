//! Whole events by their ids; of parts of a request also the request, in whose body theirs lie.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use hookhaven_core::{Event, EventId, event, event::BodyDigest};
use tokio_postgres::{Row, types::Type};

use super::{
    Shared,
    pool::{Args, Mode},
    rows::{Uuid, text, time},
    slices,
    trouble::Trouble,
};
use crate::{codec, seam::StoreError};

/// How often an event is read whose body just went.
const WHOLE_TRIES: usize = 3;

const EVENT_COLUMNS: &str = "id, source, event_type, idempotency_key, received_at, head, digest, \
     watched, body_of, body_from, body_len";

impl Shared {
    /// Whole events, those that are there.
    pub(super) async fn read_events(
        &self,
        ids: impl Iterator<Item = EventId>,
    ) -> Result<HashMap<EventId, Arc<Event>>, Trouble> {
        let ids: BTreeSet<EventId> = ids.collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        for _ in 1..WHOLE_TRIES {
            if let Some(events) = self.read_whole(&ids).await? {
                return Ok(events);
            }
        }
        Ok(self.read_whole(&ids).await?.unwrap_or_default())
    }

    /// `None`: a body went while it was read; its pieces have bodies of their own by now.
    async fn read_whole(&self, ids: &BTreeSet<EventId>) -> Result<Option<HashMap<EventId, Arc<Event>>>, Trouble> {
        let sql = format!("SELECT {EVENT_COLUMNS}, body FROM hookhaven.events WHERE id = ANY($1) AND slice = ANY($2)");
        let rows = self.read_by_id(&sql, ids).await?;
        let (mut bodies, mut others) = (HashMap::new(), BTreeSet::new());
        for row in &rows {
            let (id, of): (Uuid, Option<Uuid>) = (row.try_get(0)?, row.try_get(8)?);
            if of == Some(id) {
                bodies.insert(id.event(), Bytes::copy_from_slice(row.try_get(11)?));
            } else if let Some(of) = of {
                others.insert(of.event());
            }
        }
        others.retain(|id| !bodies.contains_key(id));
        if !others.is_empty() {
            let sql = "SELECT id, body FROM hookhaven.events WHERE id = ANY($1) AND slice = ANY($2)";
            for row in &self.read_by_id(sql, &others).await? {
                bodies.insert(row.try_get::<_, Uuid>(0)?.event(), Bytes::copy_from_slice(row.try_get(1)?));
            }
        }
        let mut events = HashMap::new();
        for row in &rows {
            let Some(event) = whole_event(row, &bodies)? else { return Ok(None) };
            events.insert(event.id, Arc::new(event));
        }
        Ok(Some(events))
    }

    async fn read_by_id(&self, sql: &str, ids: &BTreeSet<EventId>) -> Result<Vec<Row>, Trouble> {
        let slices = slices::of_events(ids.iter().copied());
        let ids: Vec<Uuid> = ids.iter().map(|id| Uuid::from(*id)).collect();
        let args: Args<'_> = &[(&ids, Type::UUID_ARRAY), (&slices, Type::INT4_ARRAY)];
        self.work.once(Mode::Read, sql, args).await
    }

    pub(super) async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        Ok(self.read_events([id].into_iter()).await?.remove(&id))
    }
}

/// `None`: the body that it is a piece of is not there.
fn whole_event(row: &Row, bodies: &HashMap<EventId, Bytes>) -> Result<Option<Event>, Trouble> {
    let Some(of) = row.try_get::<_, Option<Uuid>>(8)? else {
        return event(row, Bytes::copy_from_slice(row.try_get(11)?), None).map(Some);
    };
    let Some(whole) = bodies.get(&of.event()) else { return Ok(None) };
    let (from, len): (Option<i32>, Option<i32>) = (row.try_get(9)?, row.try_get(10)?);
    let size = |n: Option<i32>| n.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let (from, len) = (size(from), size(len));
    match from.checked_add(len).filter(|end| *end <= whole.len()) {
        Some(end) => event(row, whole.slice(from..end), Some(whole.clone())).map(Some),
        None => Err(Trouble::failed("a piece of a request is not in its body")),
    }
}

/// With that body.
pub(super) fn event(row: &Row, body: Bytes, whole: Option<Bytes>) -> Result<Event, Trouble> {
    let head = codec::decode_head(row.try_get(5)?)?;
    let watched = row.try_get::<_, Option<bool>>(7)?.unwrap_or(false);
    let digest = row.try_get::<_, Option<Uuid>>(6)?.map(|Uuid(bytes)| BodyDigest { bytes, watched });
    Ok(Event {
        id: row.try_get::<_, Uuid>(0)?.event(),
        source: text(row, 1)?,
        event_type: text(row, 2)?,
        idempotency_key: text(row, 3)?,
        received_at: time(row, 4)?,
        occurred_at: head.occurred_at,
        correlation_id: head.correlation_id,
        matched_secret: head.matched_secret,
        remote: head.remote,
        headers: head.headers,
        body,
        part: head.part.map(|part| event::Part { whole, ..part }),
        digest,
    })
}
