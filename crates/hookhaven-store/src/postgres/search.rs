//! Search on the shared store: the next bodies come in one statement, as many as a stretch may have, and are looked
//! through here: the server would have to make text of them first.

use std::collections::HashMap;

use bytes::Bytes;
use hookhaven_core::EventId;
use tokio_postgres::Row;

use super::{Shared, rows::Uuid, trouble::Trouble};
use crate::seam::{
    EventFilter, EventRow, Hit, Needle, Page, Place, STRETCH_BYTES_MAX, STRETCH_EVENTS_MAX, Searched, StoreError,
};

const COLUMNS: &str = "x.id, x.body_of, x.body, coalesce(x.body_len, octet_length(x.body)) AS body_bytes";

impl Shared {
    /// The next stretch of a search.
    pub(super) async fn search(
        &self,
        text: &Needle,
        filter: &EventFilter,
        after: Option<EventId>,
    ) -> Result<Searched, StoreError> {
        let page = Page { after, limit: STRETCH_EVENTS_MAX, oldest_first: false };
        let bytes_max = Some(STRETCH_BYTES_MAX as i64);
        let (rows, upto) = self.rows_of_events(COLUMNS, filter, page, bytes_max).await?;
        let mut searched = Searched { upto: upto.map(Uuid::event), ..Searched::default() };
        let mut places = Vec::new();
        for (id, body) in self.bodies(&rows).await? {
            searched.events += 1;
            searched.bytes += body.len() as u64;
            places.extend(text.seek(&body).map(|place| (id, place)));
        }
        searched.hits = self.hits(places).await?;
        Ok(searched)
    }

    /// Of parts of requests the body is elsewhere.
    async fn bodies(&self, rows: &[Row]) -> Result<Vec<(EventId, Bytes)>, Trouble> {
        let mut parts = Vec::new();
        for row in rows {
            if row.try_get::<_, Option<Uuid>>(1)?.is_some() {
                parts.push(id(row)?);
            }
        }
        let parts = self.read_events(parts.into_iter()).await?;
        let mut bodies = Vec::with_capacity(rows.len());
        for row in rows {
            let id = id(row)?;
            let body = match parts.get(&id) {
                Some(part) => part.body.clone(),
                None => Bytes::copy_from_slice(row.try_get(2)?),
            };
            bodies.push((id, body));
        }
        Ok(bodies)
    }

    async fn hits(&self, places: Vec<(EventId, Place)>) -> Result<Vec<Hit>, Trouble> {
        let ids = || places.iter().map(|(id, _)| *id);
        let (events, counts) = match places.is_empty() {
            true => (HashMap::new(), HashMap::new()),
            false => (self.read_events(ids()).await?, self.delivery_counts(ids()).await?),
        };
        let hit = |(id, place): (EventId, Place)| {
            // One that has gone meanwhile is no hit any more.
            let event = EventRow::of(events.get(&id)?, counts.get(&id).copied().unwrap_or(0));
            Some(Hit { event, place })
        };
        Ok(places.into_iter().filter_map(hit).collect())
    }
}

fn id(row: &Row) -> Result<EventId, Trouble> {
    Ok(row.try_get::<_, Uuid>(0)?.event())
}
