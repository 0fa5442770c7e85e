//! The one way back (I8): replay, routing of what no route took, dismissal. Each is one transaction; the row
//! that is replaced is locked, so that it is replaced once.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use hookhaven_core::{DeliveryId, EventId, LineId};
use tokio_postgres::types::Type;

use super::{
    Shared,
    births::Births,
    lines::Lines,
    pool::{Args, Lent, Mode},
    rows::{At, ENDED_COLUMNS, Stored, Uuid, from_text, text},
    slices,
    trouble::Trouble,
};
use crate::{
    live::counted_as,
    rules,
    seam::{Dismissed, NewDelivery, Replayed, Routed, StoreError},
};

/// How often a transaction is run that was undone for the sake of another.
pub(super) const TRIES: usize = 4;

/// Runs a transaction again that was undone for the sake of another.
macro_rules! again {
    ($attempt:expr) => {{
        let mut tries = 1;
        loop {
            match $attempt.await {
                Err(trouble)
                    if trouble.kind == $crate::postgres::trouble::Kind::Again
                        && tries < $crate::postgres::replay::TRIES =>
                {
                    tries += 1
                }
                done => break done,
            }
        }
    }};
}

pub(super) use again;

/// A wish that is refused, rather than trouble.
pub(super) type Granted<T> = Result<Result<T, StoreError>, Trouble>;

impl Shared {
    /// Each with the id of the new one, where the caller chose it.
    pub(super) async fn replay(
        &self,
        replays: &[(DeliveryId, Option<DeliveryId>)],
    ) -> Result<Vec<Replayed>, StoreError> {
        self.make_today().await?;
        let (deliveries, news): (Vec<_>, Vec<_>) = replays.iter().copied().unzip();
        let mut known = again!(self.replay_once(&deliveries, &news))??;
        let first = |id: &DeliveryId| match known.get(id).cloned() {
            // Asked for twice: the second time it has been done.
            Some(Replayed::New(new)) => known.insert(*id, Replayed::Already(new)).unwrap_or(Replayed::Unknown),
            Some(answer) => answer,
            None => Replayed::Unknown,
        };
        Ok(deliveries.iter().map(first).collect())
    }

    async fn replay_once(
        &self,
        deliveries: &[DeliveryId],
        news: &[Option<DeliveryId>],
    ) -> Granted<HashMap<DeliveryId, Replayed>> {
        let now = self.now();
        let chosen: HashMap<_, _> =
            deliveries.iter().zip(news).filter_map(|(old, new)| Some((*old, (*new)?))).collect();
        let mut connection = self.work.get().await?;
        connection.begin(Mode::Write).await?;
        let (waits, in_lines) = waiting(&connection, deliveries).await?;
        let mut known: HashMap<_, _> = waits.into_iter().map(|id| (id, Replayed::NotEnded)).collect();
        let mut lines = Lines::lock(&connection, in_lines, now).await?;
        let mut replaced = Vec::new();
        for stored in ended_for_update(&connection, deliveries).await? {
            match stored.delivery.replaced_by {
                Some(by) => drop(known.insert(stored.delivery.id, Replayed::Already(by))),
                None => {
                    let new = chosen.get(&stored.delivery.id).copied();
                    replaced.push((rules::redelivery(&stored.delivery, new, now, &*self.entropy), stored));
                }
            }
        }
        if replaced.len() as u64 > self.pending.room() {
            connection.commit().await?;
            return Ok(Err(self.pending.full()));
        }
        let mut births = Births::new(now);
        for (new, old) in &replaced {
            let d = &old.delivery;
            births.push(new, d.event, old.slice, &d.source, &d.event_type, now, Some(d.id));
            self.heads().add(&new.lane, new.due_at);
        }
        let mut births = births.ready();
        births.line_up(&mut lines);
        replaced.iter().filter_map(|(_, old)| Some((old.line()?.0, old))).for_each(|(line, old)| {
            lines.unpark(line, old.delivery.id);
        });
        if births.len() > 0 {
            births.insert(&connection).await?;
            let olds: Vec<Uuid> = replaced.iter().map(|(_, old)| old.delivery.id.into()).collect();
            let old_slices: Vec<i32> = replaced.iter().map(|(_, old)| old.slice).collect();
            let sql = "UPDATE hookhaven.ended e SET replaced_by = r.new FROM unnest($1::uuid[], $2::int4[], $3::uuid[]) \
                AS r(old, slice, new) WHERE e.id = r.old AND e.slice = r.slice AND e.slice = ANY($2)";
            let args: Args<'_> =
                &[(&olds, Type::UUID_ARRAY), (&old_slices, Type::INT4_ARRAY), (&births.ids, Type::UUID_ARRAY)];
            connection.run(sql, args).await?;
        }
        let arranged = lines.arrange(&connection).await?;
        connection.commit().await?;
        if births.len() > 0 {
            self.pending.add(births.len());
            self.wake.more();
        }
        self.note_arranged(&arranged);
        known.extend(replaced.iter().map(|(new, old)| (old.delivery.id, Replayed::New(new.id))));
        Ok(Ok(known))
    }

    pub(super) async fn dismiss(&self, deliveries: &[DeliveryId]) -> Result<Vec<Dismissed>, StoreError> {
        let (mut done, known) = again!(self.dismiss_once(deliveries))?;
        let answer = |id: &DeliveryId| match (done.remove(id), known.contains(id)) {
            (true, _) => Dismissed::Done,
            (false, true) => Dismissed::NotDeadLetter,
            (false, false) => Dismissed::Unknown,
        };
        Ok(deliveries.iter().map(answer).collect())
    }

    /// Those that were dismissed, and all that exist.
    async fn dismiss_once(
        &self,
        deliveries: &[DeliveryId],
    ) -> Result<(HashSet<DeliveryId>, HashSet<DeliveryId>), Trouble> {
        let mut connection = self.work.get().await?;
        connection.begin(Mode::Write).await?;
        let (waits, in_lines) = waiting(&connection, deliveries).await?;
        let mut known: HashSet<_> = waits.into_iter().collect();
        let mut lines = Lines::lock(&connection, in_lines, self.now()).await?;
        let ended = ended_for_update(&connection, deliveries).await?;
        known.extend(ended.iter().map(|stored| stored.delivery.id));
        let letters = || ended.iter().filter(|stored| stored.delivery.is_dead_letter());
        let done: HashSet<_> = letters().map(|stored| stored.delivery.id).collect();
        let ids: Vec<Uuid> = letters().map(|stored| stored.delivery.id.into()).collect();
        let slices: Vec<i32> = letters().map(|stored| stored.slice).collect();
        let sql = "UPDATE hookhaven.ended SET dismissed_at = $3 WHERE id = ANY($1) AND slice = ANY($2)";
        let args: Args<'_> =
            &[(&ids, Type::UUID_ARRAY), (&slices, Type::INT4_ARRAY), (&At(self.now()), Type::TIMESTAMPTZ)];
        connection.run(sql, args).await?;
        letters().filter_map(|old| Some((old.line()?.0, old))).for_each(|(line, old)| {
            lines.unpark(line, old.delivery.id);
        });
        let arranged = lines.arrange(&connection).await?;
        connection.commit().await?;
        self.note_arranged(&arranged);
        Ok((done, known))
    }

    pub(super) async fn route(&self, event: EventId, deliveries: Vec<NewDelivery>) -> Result<Routed, StoreError> {
        self.make_today().await?;
        again!(self.route_once(event, &deliveries))?
    }

    /// The event's row is locked, so that two routes of it know of each other.
    async fn route_once(&self, event: EventId, deliveries: &[NewDelivery]) -> Granted<Routed> {
        let now = self.now();
        let slices = slices::of_events([event]);
        let mut connection = self.work.get().await?;
        connection.begin(Mode::Write).await?;
        let in_lines = deliveries.iter().filter_map(|d| Some(d.order.as_ref()?.line(&d.destination)));
        let mut lines = Lines::lock(&connection, in_lines, now).await?;
        let find = "SELECT slice, source, event_type FROM hookhaven.events WHERE id = $1 AND slice = ANY($2) \
            FOR NO KEY UPDATE";
        let args: Args<'_> = &[(&Uuid::from(event), Type::UUID), (&slices, Type::INT4_ARRAY)];
        let found = connection.query(find, args).await?;
        let Some(row) = found.first() else {
            connection.commit().await?;
            return Ok(Ok(Routed::Unknown));
        };
        let (slice, source, event_type): (i32, _, _) = (row.try_get(0)?, text(row, 1)?, text(row, 2)?);
        let known = "SELECT destination FROM hookhaven.live WHERE event = $1 UNION \
            SELECT destination FROM hookhaven.ended WHERE event = $1 AND slice = ANY($2)";
        let rows = connection.query(known, args).await?;
        let known: HashSet<Arc<str>> =
            rows.iter().map(|row| Ok(from_text(row.try_get(0)?))).collect::<Result<_, Trouble>>()?;
        let fresh: Vec<_> = deliveries.iter().filter(|d| !known.contains(&d.destination)).collect();
        if fresh.len() as u64 > self.pending.room() {
            connection.commit().await?;
            return Ok(Err(self.pending.full()));
        }
        let mut births = Births::new(now);
        for new in &fresh {
            births.push(new, event, slice, &source, &event_type, now, None);
            self.seen.note(&source, counted_as(&source, &new.destination));
            self.heads().add(&new.lane, new.due_at);
        }
        let mut births = births.ready();
        births.line_up(&mut lines);
        births.insert(&connection).await?;
        let arranged = lines.arrange(&connection).await?;
        connection.commit().await?;
        self.pending.add(fresh.len());
        self.note_arranged(&arranged);
        if !fresh.is_empty() {
            self.wake.more();
        }
        Ok(Ok(Routed::Made(fresh.iter().map(|new| new.id).collect())))
    }
}

/// Those that have not ended, and the lines of those that have. Asked before what has: whatever ends in between is then
/// found there.
async fn waiting(connection: &Lent<'_>, deliveries: &[DeliveryId]) -> Result<(Vec<DeliveryId>, Vec<LineId>), Trouble> {
    let ids: Vec<Uuid> = deliveries.iter().map(|id| Uuid::from(*id)).collect();
    let sql = "SELECT id, NULL::uuid FROM hookhaven.live WHERE id = ANY($1) \
        UNION ALL SELECT id, line FROM hookhaven.ended WHERE id = ANY($1) AND line IS NOT NULL";
    let (mut waits, mut lines) = (Vec::new(), Vec::new());
    for row in &connection.query(sql, &[(&ids, Type::UUID_ARRAY)]).await? {
        match row.try_get::<_, Option<Uuid>>(1)? {
            Some(line) => lines.push(line.line()),
            None => waits.push(row.try_get::<_, Uuid>(0)?.delivery()),
        }
    }
    Ok((waits, lines))
}

async fn ended_for_update(connection: &Lent<'_>, deliveries: &[DeliveryId]) -> Result<Vec<Stored>, Trouble> {
    let ids: Vec<Uuid> = deliveries.iter().map(|id| Uuid::from(*id)).collect();
    let sql = format!("SELECT {ENDED_COLUMNS} FROM hookhaven.ended WHERE id = ANY($1) ORDER BY id FOR UPDATE");
    let rows = connection.query(&sql, &[(&ids, Type::UUID_ARRAY)]).await?;
    rows.iter().map(Stored::read).collect()
}
