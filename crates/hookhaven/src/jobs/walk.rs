//! What a job is about, a page at a time, oldest first: which deliveries or events its filter names, and nothing that
//! the job made itself.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use hookhaven_core::{
    DeliveryId, DeliveryState, EventId,
    event::{ALERTS, ANSWERS, PUBLISHED},
};
use hookhaven_store::{DeliveryFilter, DeliveryRow, EventFilter, EventRow, Page, Store, StoreError};

use super::{
    is_own, kept,
    spec::{Act, Of, Spec},
};
use crate::causes::member;

/// Rows of one page.
pub const ROWS_MAX: usize = 500;
/// Events of one page whose deliveries are looked at too.
pub const EVENTS_MAX: usize = 100;
/// Where only those of a group are meant, so many rows are looked at for each that is wanted, and at least so many.
const ROWS_FOR_ONE: usize = 8;
const ROWS_OF_GROUP_MIN: usize = 64;
/// Deliveries of one event that are looked at.
const OF_EVENT_MAX: usize = 500;
/// Events whose deliveries are asked for at once.
const AT_ONCE: usize = 8;

/// One pass over one kind of thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    DeadLetters,
    Pending,
    Events,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Replay(DeliveryId),
    /// Bring the event to the job's destination.
    Send {
        event: EventId,
        source: Arc<str>,
    },
    Dismiss(DeliveryId),
    Cancel(DeliveryId),
}

/// What there is to do about one row, and where the walk goes on behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub after: String,
    pub items: Vec<Item>,
}

/// A page of a walk; with `last` there is nothing behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    pub rows: Vec<Row>,
    pub last: bool,
}

impl Rows {
    /// A look that ended before its page was full may have come to its limit, and is gone on with behind that.
    fn of(mut rows: Vec<Row>, full: bool, upto: Option<impl ToString>) -> Self {
        let last = !full && upto.is_none();
        rows.extend(upto.map(|upto| Row { after: upto.to_string(), items: Vec::new() }));
        Rows { rows, last }
    }
}

impl Walk {
    /// The passes of a job, in their order.
    pub fn all(spec: &Spec) -> &'static [Walk] {
        match (spec.order.act, spec.order.of()) {
            (_, Of::Events) => &[Walk::Events],
            (Act::Delete, _) => &[Walk::Pending, Walk::DeadLetters],
            (Act::Cancel, _) => &[Walk::Pending],
            (Act::Replay | Act::Dismiss, _) => &[Walk::DeadLetters],
        }
    }

    /// The next page behind `after`, of at most so many rows; where only those of a group are meant, of so many of
    /// those, beside rows with nothing to do.
    pub async fn page(
        self,
        store: &dyn Store,
        spec: &Spec,
        after: Option<&str>,
        rows_max: usize,
    ) -> Result<Rows, StoreError> {
        let broken = |error: &dyn std::fmt::Display| StoreError::Failed(format!("the job's cursor: {error}"));
        match self {
            Walk::Events => {
                let after = after.map(str::parse).transpose().map_err(|error| broken(&error))?;
                let sends = spec.order.to.is_some();
                let limit = if sends { rows_max } else { rows_max.min(EVENTS_MAX) };
                let found = store.look_events(&events(spec), Page { after, limit, oldest_first: true }).await?;
                let full = found.rows.len() >= limit;
                let rows = stream::iter(found.rows.into_iter().map(|row| of_event(store, spec, row)));
                Ok(Rows::of(rows.buffered(AT_ONCE).try_collect().await?, full, found.upto))
            }
            Walk::DeadLetters | Walk::Pending => {
                let after = after.map(str::parse).transpose().map_err(|error| broken(&error))?;
                let limit = match spec.order.filter.group {
                    Some(_) => (rows_max * ROWS_FOR_ONE).clamp(ROWS_OF_GROUP_MIN, ROWS_MAX),
                    None => rows_max,
                };
                let page = Page { after, limit, oldest_first: true };
                let filter = kept::with_ages(store, self.deliveries(spec)).await?;
                let found = store.look_deliveries(&filter, page).await?;
                let full = found.rows.len() >= limit;
                if let Some(group) = spec.order.filter.group {
                    let rows = member::judged(store, group, found.rows).map_ok(|(row, is_of_it)| {
                        let Row { after, items } = self.of_delivery(spec, &row);
                        Row { after, items: if is_of_it { items } else { Vec::new() } }
                    });
                    return only_so_many(pin!(rows), rows_max, full, found.upto).await;
                }
                let rows = found.rows.iter().map(|row| self.of_delivery(spec, row)).collect();
                Ok(Rows::of(rows, full, found.upto))
            }
        }
    }

    fn deliveries(self, spec: &Spec) -> DeliveryFilter {
        let filter = &spec.order.filter;
        // What it cancels first must not come back as what died since.
        let until = if spec.order.act == Act::Delete { None } else { Some(bound(spec)) };
        DeliveryFilter {
            event: filter.event,
            source: filter.source.clone(),
            destination: filter.destination.clone(),
            event_type: filter.event_type.clone(),
            state: (self == Walk::Pending).then_some(DeliveryState::Pending),
            dead_letters: self == Walk::DeadLetters,
            class: spec.order.class(),
            since: filter.since,
            until: filter.until.map_or(until, |given| Some(until.map_or(given, |until| until.min(given)))),
            ..DeliveryFilter::default()
        }
    }

    fn of_delivery(self, spec: &Spec, row: &DeliveryRow) -> Row {
        let d = &row.delivery;
        let apart = self == Walk::Pending && !names_alerts(spec) && &*d.source == ALERTS;
        let wanted = d.accepted_at <= spec.asked_at && !is_own(spec.id, d) && !apart;
        let item = || match (self, spec.order.act, &spec.order.to) {
            (Walk::Pending, ..) => Some(Item::Cancel(d.id)),
            (_, Act::Replay, Some(_)) if [PUBLISHED, ANSWERS, ALERTS].contains(&&*d.source) => None,
            (_, Act::Replay, Some(_)) => Some(Item::Send { event: d.event, source: d.source.clone() }),
            (_, Act::Replay, None) => Some(Item::Replay(d.id)),
            _ => Some(Item::Dismiss(d.id)),
        };
        let items = if wanted { item().into_iter().collect() } else { Vec::new() };
        Row { after: d.id.to_string(), items }
    }
}

/// Rows until so much is there to do.
async fn only_so_many(
    mut rows: impl Stream<Item = Result<Row, StoreError>> + Unpin,
    items_max: usize,
    full: bool,
    upto: Option<DeliveryId>,
) -> Result<Rows, StoreError> {
    let (mut kept, mut items) = (Vec::new(), 0);
    while items < items_max {
        let Some(row) = rows.try_next().await? else { return Ok(Rows::of(kept, full, upto)) };
        items += row.items.len();
        kept.push(row);
    }
    Ok(Rows { rows: kept, last: false })
}

/// Whether somebody means what tells people of alerts. Who cancels or replays everything does not: cancelled it leaves
/// people asleep, and told again it wakes them for what is over.
fn names_alerts(spec: &Spec) -> bool {
    let filter = &spec.order.filter;
    filter.source.is_some() || filter.destination.is_some() || filter.event.is_some()
}

/// What came at the moment of asking is in, what came after is not.
fn bound(spec: &Spec) -> hookhaven_core::Time {
    spec.asked_at.plus(Duration::from_micros(1))
}

fn events(spec: &Spec) -> EventFilter {
    let filter = &spec.order.filter;
    EventFilter {
        id: filter.event,
        source: filter.source.clone(),
        event_type: filter.event_type.clone(),
        destination: filter.destination.clone(),
        since: filter.since,
        until: Some(filter.until.map_or(bound(spec), |until| until.min(bound(spec)))),
        ..EventFilter::default()
    }
}

/// What is to be done about one event: with a destination, the event itself; else its deliveries that were delivered
/// or died and that nobody replayed. Cancelled ones ended because somebody, or a newer version, wanted it so.
async fn of_event(store: &dyn Store, spec: &Spec, row: EventRow) -> Result<Row, StoreError> {
    let after = row.id.to_string();
    let where_it_went = spec.order.to.is_none();
    let apart = match &*row.source {
        // Late answers are for their moment only.
        ANSWERS => true,
        // Published messages are replayed only if somebody names them.
        PUBLISHED => !(where_it_went && spec.order.filter.source.is_some()),
        ALERTS => !(where_it_went && names_alerts(spec)),
        _ => false,
    };
    if apart {
        return Ok(Row { after, items: Vec::new() });
    }
    if spec.order.to.is_some() {
        return Ok(Row { after, items: vec![Item::Send { event: row.id, source: row.source }] });
    }
    let destination = spec.order.filter.destination.clone();
    let filter = DeliveryFilter { event: Some(row.id), destination, ..DeliveryFilter::default() };
    let all = store.deliveries(&filter, Page::first(OF_EVENT_MAX).oldest_first()).await?;
    let wanted = |row: &&DeliveryRow| {
        let d = &row.delivery;
        // What this job replayed already stays in the count.
        let open = d.replaced_by.is_none_or(|by| by == spec.id.replay_of(d.id));
        let ended = matches!(d.state, DeliveryState::Delivered | DeliveryState::Dead);
        ended && open && d.accepted_at <= spec.asked_at && !is_own(spec.id, d)
    };
    Ok(Row { after, items: all.iter().filter(wanted).map(|row| Item::Replay(row.delivery.id)).collect() })
}
