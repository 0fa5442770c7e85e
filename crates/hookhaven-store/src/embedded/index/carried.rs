//! What retention writes into the index: carried events at their new place, and the note that segments
//! have gone. Deleting what lay in them is `forget`'s.

use hookhaven_core::{DeliveryState, event::PUBLISHED};
use rusqlite::params;

use super::{
    IndexError,
    batch::{Batch, Birth, EventDraft},
    changing::{Changing, Last},
    deliveries::INSERT_DELIVERY,
    keys,
};
use crate::{
    history::{KeyDigest, keys_of},
    position::Position,
    record::{CarriedDelivery, CarriedRecord, RemovedRecord},
    seam::NewDelivery,
};

impl<'a> Batch<'a> {
    /// A carried event replaces what stands of it, row by row.
    pub(super) fn take_carried(&mut self, carried: &'a CarriedRecord, at: Position) -> Result<(), IndexError> {
        self.write()?;
        let event = &*carried.event;
        match carried.key_until {
            Some(until) => self.keys.extend(keys_of(event).map(|(key, held)| (key, held, until))),
            None => {
                let digest = KeyDigest::of(&event.source, &event.idempotency_key);
                keys::write_passed(self.connection, digest, event.id)?;
            }
        }
        for one in &carried.deliveries {
            self.place(one, at)?;
        }
        self.event_at.insert(event.id, self.events.len());
        self.events.push(EventDraft { event, at, deliveries: carried.deliveries.len() });
        Ok(())
    }

    fn place(&mut self, carried: &'a CarriedDelivery, at: Position) -> Result<(), IndexError> {
        let d = &carried.delivery;
        let new = NewDelivery::from(d);
        self.raise(&new, at);
        let birth = Birth {
            event: d.event,
            source: &d.source,
            event_type: &d.event_type,
            new: &new,
            accepted_at: d.accepted_at,
            replaces: d.replaces,
            event_at: at,
        };
        let now = Changing {
            state: if d.state == DeliveryState::Leased { DeliveryState::Pending } else { d.state },
            due_at: d.due_at,
            attempts: d.attempts,
            tries: d.tries,
            lost: d.lost,
            ended_at: d.ended_at,
            end_reason: d.end_reason,
            replaced_by: d.replaced_by,
            dismissed_at: d.dismissed_at,
            cancel_asked_at: d.cancel_asked_at,
            order: d.order.clone(),
            published: &*d.source == PUBLISHED,
            last: carried.attempts.last().map_or(Last::AsIs(None), |a| Last::New(a)),
        };
        self.insert_delivery(&mut self.connection.prepare_cached(INSERT_DELIVERY)?, &birth, &now)?;
        let sql = "DELETE FROM attempts WHERE delivery = ?1";
        self.connection.prepare_cached(sql)?.execute([d.id.as_bytes()])?;
        self.attempts.extend(carried.attempts.iter().map(|a| (&**a, at)));
        Ok(())
    }

    /// Notes what is to be deleted; together with what an earlier removal has left.
    pub(super) fn take_removed(&mut self, removed: &RemovedRecord) -> Result<(), IndexError> {
        self.write()?;
        self.connection
            .prepare_cached(
                "INSERT INTO removed VALUES (1, ?1, ?2, ?3, 0) ON CONFLICT (one) DO UPDATE SET
                 upto = max(upto, excluded.upto),
                 first_event = CASE done WHEN 0 THEN min(first_event, excluded.first_event)
                               ELSE excluded.first_event END,
                 last_event = CASE done WHEN 0 THEN max(last_event, excluded.last_event)
                              ELSE excluded.last_event END,
                 done = 0",
            )?
            .execute(params![removed.upto, removed.first_event.as_bytes(), removed.last_event.as_bytes()])?;
        Ok(())
    }
}
