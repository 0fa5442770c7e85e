//! Deliveries as rows of the index: one statement each, held for a whole transaction, and policies by number.
//!
//! What a row says is `changing`'s; what becomes one row is `batch`'s.

use std::sync::Arc;

use hookhaven_core::{DeliveryId, EndReason, Policy, Time};
use rusqlite::{CachedStatement, params};

use super::{
    IndexError,
    batch::{Batch, Birth},
    changing::{Changing, Known},
    kinds::Kind,
};
use crate::codec;

pub(super) const INSERT_DELIVERY: &str =
    "INSERT OR REPLACE INTO deliveries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
     ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30)";
const UPDATE_DELIVERY: &str =
    "UPDATE deliveries SET state = ?2, due_at = ?3, attempts = ?4, tries = ?5, lost = ?6, ended_at = ?7,
     end_reason = ?8, replaced_by = ?9, dismissed_at = ?10, last_at = ?11, last_class = ?12, last_status = ?13,
     last_error = ?14, cancel_asked_at = ?15, ordering = ?16, parks_until = ?17 WHERE id = ?1";

impl Batch<'_> {
    pub(super) fn write_deliveries(&mut self) -> Result<(), IndexError> {
        let drafts = std::mem::take(&mut self.drafts);
        // Held for all of them, not fetched from the cache for each.
        let connection = self.connection;
        let (mut insert, mut update) =
            (connection.prepare_cached(INSERT_DELIVERY)?, connection.prepare_cached(UPDATE_DELIVERY)?);
        for draft in drafts.iter().flatten() {
            match &draft.birth {
                Ok(birth) => self.insert_delivery(&mut insert, birth, &draft.now)?,
                Err(known) => {
                    update_delivery(&mut update, draft.id, &draft.now)?;
                    let Known { event, source, event_type, destination, route } = known;
                    let kind = Kind { source, event_type, destination, route, ..draft.now.kind() };
                    self.kinds.note(self.connection, kind, &[draft.id.as_bytes(), event.as_bytes()])?;
                }
            }
        }
        Ok(())
    }

    /// By [`INSERT_DELIVERY`].
    pub(super) fn insert_delivery(
        &mut self,
        insert: &mut CachedStatement<'_>,
        birth: &Birth<'_>,
        now: &Changing<'_>,
    ) -> Result<(), IndexError> {
        let Birth { event, source, event_type, new, accepted_at, replaces, event_at } = birth;
        let policy = self.policy(&new.policy)?;
        let (destination, route) = (&*new.destination, &*new.route);
        let kind = Kind { source, event_type, destination, route, ..now.kind() };
        self.kinds.note(self.connection, kind, &[new.id.as_bytes(), event.as_bytes()])?;
        let last = now.last.parts();
        insert.execute(params![
            new.id.as_bytes(),
            event.as_bytes(),
            source,
            event_type,
            &*new.destination,
            new.lane.as_str(),
            &*new.route,
            policy,
            new.policy.critical,
            accepted_at.as_us(),
            replaces.as_ref().map(DeliveryId::as_bytes),
            event_at.segment,
            event_at.offset as i64,
            event_at.len,
            now.state.as_str(),
            now.due_at.as_us(),
            now.attempts,
            now.tries,
            now.lost,
            now.ended_at.map(Time::as_us),
            now.end_reason.map(EndReason::as_str),
            now.replaced_by.as_ref().map(DeliveryId::as_bytes),
            now.dismissed_at.map(Time::as_us),
            last.0,
            last.1,
            last.2,
            last.3,
            now.cancel_asked_at.map(Time::as_us),
            now.order.as_deref().map(codec::encode_order),
            now.order.as_ref().and_then(|order| order.parks_until).map(Time::as_us),
        ])?;
        Ok(())
    }

    /// The number of a policy, each distinct one held once.
    fn policy(&mut self, policy: &Arc<Policy>) -> Result<i64, IndexError> {
        match &self.last_policy {
            Some((last, number)) if Arc::ptr_eq(last, policy) => Ok(*number),
            _ => {
                let number = self.number_of(policy)?;
                self.last_policy = Some((policy.clone(), number));
                Ok(number)
            }
        }
    }

    fn number_of(&mut self, policy: &Policy) -> Result<i64, IndexError> {
        let bytes = codec::encode_policy(policy);
        if let Some(number) = self.policies.get(&bytes) {
            return Ok(*number);
        }
        self.connection.prepare_cached("INSERT OR IGNORE INTO policies (policy) VALUES (?1)")?.execute([&bytes])?;
        let mut select = self.connection.prepare_cached("SELECT id FROM policies WHERE policy = ?1")?;
        let number = select.query_row([&bytes], |row| row.get(0))?;
        self.policies.insert(bytes, number);
        Ok(number)
    }
}

/// By [`UPDATE_DELIVERY`].
fn update_delivery(update: &mut CachedStatement<'_>, id: DeliveryId, now: &Changing<'_>) -> Result<(), IndexError> {
    let last = now.last.parts();
    update.execute(params![
        id.as_bytes(),
        now.state.as_str(),
        now.due_at.as_us(),
        now.attempts,
        now.tries,
        now.lost,
        now.ended_at.map(Time::as_us),
        now.end_reason.map(EndReason::as_str),
        now.replaced_by.as_ref().map(DeliveryId::as_bytes),
        now.dismissed_at.map(Time::as_us),
        last.0,
        last.1,
        last.2,
        last.3,
        now.cancel_asked_at.map(Time::as_us),
        now.order.as_deref().map(codec::encode_order),
        now.order.as_ref().and_then(|order| order.parks_until).map(Time::as_us),
    ])?;
    Ok(())
}
