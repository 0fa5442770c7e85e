//! Search on the shared store: which events come next, then their bodies, which are looked through here: the server
//! would have to make text of them first.

use hookhaven_core::EventId;

use super::{Shared, rows::Uuid, trouble::Trouble};
use crate::seam::{
    EventFilter, EventRow, Hit, Needle, Page, STRETCH_BYTES_MAX, STRETCH_EVENTS_MAX, Searched, StoreError,
};

impl Shared {
    /// The next stretch of a search.
    pub(super) async fn search(
        &self,
        text: &Needle,
        filter: &EventFilter,
        after: Option<EventId>,
    ) -> Result<Searched, StoreError> {
        let page = Page { after, limit: STRETCH_EVENTS_MAX, oldest_first: false };
        let columns = "x.id, coalesce(x.body_len, octet_length(x.body)) AS body_bytes";
        let (found, mut upto) = self.look(&self.list_of_events(columns, filter, page).await?).await?;
        let (mut ids, mut bytes) = (Vec::new(), 0);
        for row in &found {
            if bytes >= STRETCH_BYTES_MAX {
                break;
            }
            ids.push(row.try_get::<_, Uuid>(0).map_err(Trouble::from)?.event());
            bytes += u64::try_from(row.try_get::<_, i32>(1).map_err(Trouble::from)?).unwrap_or(0);
        }
        if ids.len() < found.len() || found.len() == STRETCH_EVENTS_MAX {
            upto = ids.last().copied().map(Uuid::from);
        }
        let events = self.read_events(ids.iter().copied()).await?;
        let mut searched = Searched { upto: upto.map(Uuid::event), ..Searched::default() };
        for event in ids.iter().filter_map(|id| events.get(id)) {
            searched.events += 1;
            searched.bytes += event.body.len() as u64;
            searched.hits.extend(text.seek(&event.body).map(|place| Hit { event: EventRow::of(event, 0), place }));
        }
        let counts = self.delivery_counts(searched.hits.iter().map(|hit| hit.event.id)).await?;
        for Hit { event, .. } in &mut searched.hits {
            event.deliveries = counts.get(&event.id).copied().unwrap_or(0);
        }
        Ok(searched)
    }
}
