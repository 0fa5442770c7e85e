//! The events accepted last, so that most deliveries need no read of the journal.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use hookhaven_core::{Event, EventId};

use crate::live::IdMap;

/// Bytes kept at most, bodies and headers counted.
const BYTES_MAX: usize = 32 << 20;

#[derive(Debug, Default)]
pub struct RecentEvents(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    events: IdMap<EventId, Arc<Event>>,
    order: VecDeque<EventId>,
    bytes: usize,
}

fn size(event: &Event) -> usize {
    let headers: usize = event.headers.iter().map(|(name, value)| name.len() + value.len() + 48).sum();
    event.body.len() + headers + 512
}

impl RecentEvents {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub fn add(&self, events: impl Iterator<Item = Arc<Event>>) {
        let mut state = self.state();
        for event in events {
            let (id, bytes) = (event.id, size(&event));
            state.bytes += bytes;
            match state.events.insert(id, event) {
                None => state.order.push_back(id),
                Some(old) => state.bytes -= size(&old),
            }
        }
        while state.bytes > BYTES_MAX
            && let Some(oldest) = state.order.pop_front()
        {
            if let Some(event) = state.events.remove(&oldest) {
                state.bytes -= size(&event);
            }
        }
    }

    pub fn get(&self, id: EventId) -> Option<Arc<Event>> {
        self.state().events.get(&id).cloned()
    }
}
