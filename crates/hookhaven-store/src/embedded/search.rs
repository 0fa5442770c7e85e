//! Search on the embedded store: the index says where the next events lie, the journal is read there in long runs,
//! and the bodies are looked through. All of it on a thread that may block, one stretch at a time.

use std::sync::Arc;

use bytes::Bytes;
use hookhaven_core::EventId;

use super::{
    damages::Damages,
    engine::Engine,
    index::{IndexError, readers::Reader},
    journal::{JournalReader, ReadError},
    readback::{event_in, read_event},
};
use crate::{
    position::Position,
    seam::{
        EventFilter, Hit, Looked, Needle, Page, Place, STRETCH_BYTES_MAX, STRETCH_EVENTS_MAX, Searched, StoreError,
    },
};

impl Engine {
    pub(super) async fn search(
        &self,
        text: Needle,
        filter: EventFilter,
        after: Option<EventId>,
    ) -> Result<Searched, StoreError> {
        let (journal, damages) = (self.journal.clone(), self.damages.clone());
        self.look(move |reader: &Reader| {
            let page = Page { after, limit: STRETCH_EVENTS_MAX, oldest_first: false };
            let stretch = cut(reader.places(&filter, page)?);
            let bodies = Bodies { reader, journal: &journal, damages: &damages };
            bodies.seek(&text, stretch)
        })
        .await
    }
}

type Stretch = Looked<(EventId, Position, u64), EventId>;

/// No more than a stretch may have of bytes.
fn cut(mut found: Stretch) -> Stretch {
    let mut bytes = 0;
    let fits = |(.., body_bytes): &&(EventId, Position, u64)| {
        let fits = bytes < STRETCH_BYTES_MAX;
        bytes += body_bytes;
        fits
    };
    let count = found.rows.iter().take_while(fits).count();
    let is_full = found.rows.len() == STRETCH_EVENTS_MAX;
    if is_full || count < found.rows.len() {
        found.rows.truncate(count);
        found.upto = found.rows.last().map(|(id, ..)| *id);
    }
    found
}

struct Bodies<'a> {
    reader: &'a Reader,
    journal: &'a JournalReader,
    damages: &'a Arc<Damages>,
}

impl Bodies<'_> {
    fn seek(&self, text: &Needle, stretch: Stretch) -> Result<Searched, IndexError> {
        let Looked { mut rows, upto } = stretch;
        // As the journal has them: each part of it is read once.
        rows.sort_unstable_by_key(|(_, at, _)| *at);
        let mut searched = Searched { events: rows.len() as u64, upto, ..Searched::default() };
        let places: Vec<Position> = rows.iter().map(|(_, at, _)| *at).collect();
        let mut found: Vec<(EventId, Place)> = Vec::new();
        self.journal.read_each(&places, |n, frame| {
            let (id, at, _) = rows[n];
            let Some(body) = self.body(id, at, frame) else {
                searched.unread += 1;
                return;
            };
            searched.bytes += body.len() as u64;
            found.extend(text.seek(&body).map(|place| (id, place)));
        });
        found.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
        for (id, place) in found {
            let only = EventFilter { id: Some(id), ..EventFilter::default() };
            // One that has gone meanwhile is no hit any more.
            let event = self.reader.events(&only, Page::first(1))?.rows.pop();
            searched.hits.extend(event.map(|event| Hit { event, place }));
        }
        Ok(searched)
    }

    fn body(&self, id: EventId, at: Position, frame: Result<&[u8], ReadError>) -> Option<Bytes> {
        let event = match frame {
            Ok(payload) => event_in(payload, id, at),
            Err(e) => Err(e.to_string()),
        };
        if let Ok(event) = event {
            return Some(event.body.clone());
        }
        // Retention may have carried it elsewhere, or else it is damaged, which this tells of.
        let now = self.reader.event_at(id).ok().flatten()?;
        read_event(self.journal, self.damages, id, now).ok().map(|event| event.body.clone())
    }
}
