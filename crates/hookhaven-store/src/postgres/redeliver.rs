//! Further deliveries of stored events, each at most once by its id: what bulk work does with events that are to go
//! elsewhere. A batch is one transaction. Not here: replays, which take another delivery's place (`replay`).

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use hookhaven_core::{DeliveryId, EventId};
use tokio_postgres::types::Type;

use super::{
    Shared,
    births::Births,
    lines::Lines,
    pool::{Args, Lent, Mode},
    replay::{Granted, again},
    rows::{Uuid, text},
    slices,
    trouble::Trouble,
};
use crate::{
    live::counted_as,
    seam::{Redelivered, Redelivery, StoreError},
};

/// What a delivery takes over from its event.
#[derive(Debug)]
struct Of {
    slice: i32,
    source: Arc<str>,
    event_type: Arc<str>,
}

impl Shared {
    pub(super) async fn redeliver(&self, wanted: &[Redelivery]) -> Result<Vec<Redelivered>, StoreError> {
        self.make_today().await?;
        again!(self.redeliver_once(wanted))?
    }

    /// The events' rows are locked, so that two who want the same know of each other.
    async fn redeliver_once(&self, wanted: &[Redelivery]) -> Granted<Vec<Redelivered>> {
        let now = self.now();
        let mut connection = self.work.get().await?;
        connection.begin(Mode::Write).await?;
        let in_lines = wanted.iter().filter_map(|w| Some(w.delivery.order.as_ref()?.line(&w.delivery.destination)));
        let mut lines = Lines::lock(&connection, in_lines, now).await?;
        let events = lock_events(&connection, wanted).await?;
        let mut known = known(&connection, wanted).await?;
        let mut births = Births::new(now);
        let mut answers = Vec::with_capacity(wanted.len());
        for Redelivery { event, delivery } in wanted {
            answers.push(match events.get(event) {
                None => Redelivered::Unknown,
                Some(_) if !known.insert(delivery.id) => Redelivered::Already,
                Some(of) => {
                    births.push(delivery, *event, of.slice, &of.source, &of.event_type, now, None);
                    self.seen.note(&of.source, counted_as(&of.source, &delivery.destination));
                    self.heads().add(&delivery.lane, delivery.due_at);
                    Redelivered::New
                }
            });
        }
        if births.len() as u64 > self.pending.room() {
            connection.commit().await?;
            return Ok(Err(self.pending.full()));
        }
        let mut births = births.ready();
        births.line_up(&mut lines);
        if births.len() > 0 {
            births.insert(&connection).await?;
        }
        let arranged = lines.arrange(&connection).await?;
        connection.commit().await?;
        self.note_arranged(&arranged);
        if births.len() > 0 {
            self.pending.add(births.len());
            self.wake.more();
        }
        Ok(Ok(answers))
    }
}

/// Those of the events that are there, in the order of their ids so that nobody waits for each other.
async fn lock_events(connection: &Lent<'_>, wanted: &[Redelivery]) -> Result<HashMap<EventId, Of>, Trouble> {
    let slices = slices::of_events(wanted.iter().map(|w| w.event));
    let ids: Vec<Uuid> = wanted.iter().map(|w| w.event.into()).collect();
    let sql = "SELECT id, slice, source, event_type FROM hookhaven.events WHERE id = ANY($1) AND slice = ANY($2) \
        ORDER BY id FOR NO KEY UPDATE";
    let args: Args<'_> = &[(&ids, Type::UUID_ARRAY), (&slices, Type::INT4_ARRAY)];
    let mut events = HashMap::new();
    for row in &connection.query(sql, args).await? {
        let of = Of { slice: row.try_get(1)?, source: text(row, 2)?, event_type: text(row, 3)? };
        events.insert(row.try_get::<_, Uuid>(0)?.event(), of);
    }
    Ok(events)
}

/// Which of the ids some delivery has.
async fn known(connection: &Lent<'_>, wanted: &[Redelivery]) -> Result<HashSet<DeliveryId>, Trouble> {
    let slices = slices::of_events(wanted.iter().map(|w| w.event));
    let ids: Vec<Uuid> = wanted.iter().map(|w| w.delivery.id.into()).collect();
    let sql = "SELECT id FROM hookhaven.live WHERE id = ANY($1) \
        UNION ALL SELECT id FROM hookhaven.ended WHERE id = ANY($1) AND slice = ANY($2)";
    let args: Args<'_> = &[(&ids, Type::UUID_ARRAY), (&slices, Type::INT4_ARRAY)];
    let rows = connection.query(sql, args).await?;
    rows.iter().map(|row| Ok(row.try_get::<_, Uuid>(0)?.delivery())).collect()
}
