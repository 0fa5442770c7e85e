//! What is so little that all of it may be looked at: a few events that a filter names, few dead letters, few deliveries
//! of the kind that events are sought by.

use hookhaven_core::DeliveryState;
use tokio_postgres::types::Type;

use super::{
    Shared,
    conditions::about_deliveries,
    events::key_hash,
    lists::IS_LETTER,
    look::{Pairs, STRETCH_ROWS, Values},
    pool::{Args, Mode},
    rows::{At, Uuid, to_text},
    trouble::Trouble,
};
use crate::{
    codec,
    seam::{DeliveryFilter, EventFilter},
};

/// Events that have one key, in several sources or one after the other.
const EVENTS_OF_KEY_MAX: i64 = 1_000;
/// Rows that are few.
const FEW: i64 = STRETCH_ROWS as i64;

impl Shared {
    /// The only events whose deliveries are meant, if the filter names them.
    pub(super) async fn events_meant(&self, filter: &DeliveryFilter) -> Result<Option<Vec<Uuid>>, Trouble> {
        let named = filter.event.map(Uuid::from);
        let Some(key) = &filter.idempotency_key else { return Ok(named.map(|event| vec![event])) };
        let sql = "SELECT id FROM hookhaven.events WHERE key_hash = $1 AND idempotency_key = $2 LIMIT $3";
        let text = to_text(key);
        let args: Args<'_> = &[(&key_hash(key), Type::INT8), (&text, Type::TEXT), (&EVENTS_OF_KEY_MAX, Type::INT8)];
        let rows = self.reads.once(Mode::Read, sql, args).await?;
        let mut events = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<Uuid>, _>>()?;
        events.retain(|event| named.is_none_or(|named| named == *event));
        Ok(Some(events))
    }

    /// Whether there are so few dead letters, within the times asked for, that all may be looked at.
    pub(super) async fn are_few_letters(&self, filter: &DeliveryFilter) -> Result<bool, Trouble> {
        let (since, until) = (filter.since.map(At), filter.until.map(At));
        let sql = format!(
            "SELECT count(*) FROM (SELECT FROM hookhaven.ended x WHERE {IS_LETTER} \
               AND x.ended_at >= coalesce($1, '-infinity') AND x.ended_at < coalesce($2, 'infinity') LIMIT $3) few"
        );
        self.are_few(&sql, &[(&since, Type::TIMESTAMPTZ), (&until, Type::TIMESTAMPTZ), (&(FEW + 1), Type::INT8)]).await
    }

    /// Whether so few deliveries of these kinds have ended that all may be looked at.
    pub(super) async fn are_few_of(&self, pairs: &Pairs) -> Result<bool, Trouble> {
        let Pairs { columns: [first, second], meant: [firsts, seconds], .. } = pairs;
        let sql = format!(
            "SELECT count(*) FROM (SELECT FROM unnest($1::text[], $2::text[]) k(first, second) \
               JOIN hookhaven.ended d ON d.{first} = k.first AND d.{second} = k.second LIMIT $3) few"
        );
        let args: Args<'_> = &[(firsts, Type::TEXT_ARRAY), (seconds, Type::TEXT_ARRAY), (&(FEW + 1), Type::INT8)];
        self.are_few(&sql, args).await
    }

    /// Which events are meant, as a condition, if they are sought by deliveries of which there are few.
    pub(super) async fn few_events(
        &self,
        values: &mut Values,
        filter: &EventFilter,
    ) -> Result<Option<String>, Trouble> {
        let (in_live, in_ended) = about_deliveries(filter);
        if !in_live && !in_ended {
            return Ok(None);
        }
        let (most, destination) = (FEW + 1, filter.destination.as_deref().map(to_text));
        let waiting = "SELECT count(*) FROM (SELECT FROM hookhaven.live LIMIT $1) few";
        if in_live && !self.are_few(waiting, &[(&most, Type::INT8)]).await? {
            return Ok(None);
        }
        let state = filter.state.filter(|_| in_ended).map(|state| i16::from(codec::state_number(state)));
        if in_ended && !self.are_few_ended(state, destination.as_deref()).await? {
            return Ok(None);
        }
        let at = destination.map(|name| format!("AND d.destination = {}", values.add(name.into_owned(), Type::TEXT)));
        let at = at.unwrap_or_default();
        let mut of = Vec::new();
        if in_live {
            of.push(format!("SELECT d.event FROM hookhaven.live d WHERE TRUE {at}"));
        }
        if in_ended {
            let state = state.map(|state| format!("AND d.state = {} AND d.state <> 2", values.add(state, Type::INT2)));
            let state = state.filter(|_| filter.state != Some(DeliveryState::Delivered)).unwrap_or_default();
            of.push(format!("SELECT d.event FROM hookhaven.ended d WHERE TRUE {at} {state}"));
        }
        Ok(Some(format!("x.id = ANY(ARRAY({}))", of.join(" UNION "))))
    }

    /// By an index of either alone: both together would have to look at all of one.
    async fn are_few_ended(&self, state: Option<i16>, destination: Option<&str>) -> Result<bool, Trouble> {
        let most = FEW + 1;
        if let Some(state) = state.filter(|state| *state != i16::from(codec::state_number(DeliveryState::Delivered))) {
            let sql =
                "SELECT count(*) FROM (SELECT FROM hookhaven.ended d WHERE d.state = $1 AND d.state <> 2 LIMIT $2) few";
            if self.are_few(sql, &[(&state, Type::INT2), (&most, Type::INT8)]).await? {
                return Ok(true);
            }
        }
        let Some(destination) = destination else { return Ok(false) };
        let sql = "SELECT count(*) FROM (SELECT FROM hookhaven.ended d WHERE d.destination = $1 LIMIT $2) few";
        self.are_few(sql, &[(&destination, Type::TEXT), (&most, Type::INT8)]).await
    }

    async fn are_few(&self, sql: &str, args: Args<'_>) -> Result<bool, Trouble> {
        let rows = self.reads.once(Mode::Read, sql, args).await?;
        Ok(rows.first().map(|row| row.try_get::<_, i64>(0)).transpose()?.unwrap_or(0) <= FEW)
    }
}
