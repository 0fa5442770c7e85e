//! Settling what stands in lines: in a transaction that has locked the lines first, and opens the next of each.

use std::collections::HashMap;

use hookhaven_core::{DeliveryId, LineId, Order, Time};
use tokio_postgres::types::Type;

use super::{
    Shared,
    claim::{fence, number},
    endings::{Change, Ending, Scope, settle_rows},
    events::Events,
    follow::Follows,
    lines::{self, Arranged, Lines},
    pool::{Lent, Mode},
    rows::{LIVE_COLUMNS, Stored, Uuid},
    settle::{Report, TRIES},
    trouble::{Kind, Trouble},
};
use crate::{
    record::SettledTo,
    rules::parked,
    seam::{Next, Settlement},
};

/// Endings of rows whose lines are locked, and what becomes of their orders.
#[derive(Debug, Default)]
pub(super) struct Endings {
    pub all: Vec<Ending>,
    orders: HashMap<DeliveryId, (LineId, Order)>,
}

impl Endings {
    /// Ends a row that is locked, or has it tried again.
    pub fn push(&mut self, stored: &Stored, ending: Ending, to: SettledTo, now: Time) {
        let Some((line, order)) = stored.line() else { return self.all.push(ending) };
        let mut order = order.clone();
        match to {
            SettledTo::Retry { .. } => order.fail(now),
            SettledTo::Dead(reason) => order.die(reason, now),
            _ => return self.all.push(ending),
        }
        self.all.push(ending.with_order(&order));
        self.orders.insert(stored.delivery.id, (line, order));
    }

    /// Settles them, and tells the lines.
    pub async fn settle(
        &self,
        connection: &Lent<'_>,
        lines: &mut Lines,
        now: Time,
        fenced: bool,
    ) -> Result<Vec<Change>, Trouble> {
        let changes = settle_rows(connection, &self.all, now, fenced, Scope::Lined).await?;
        for change in changes.iter().filter(|change| change.state.is_final()) {
            if let Some((line, order)) = self.orders.get(&change.delivery) {
                lines.end(*line, change.delivery, order);
            }
        }
        Ok(changes)
    }
}

/// Rows of `live`, locked, in the order of their ids; those that are gone are left out.
pub(super) async fn locked(connection: &Lent<'_>, ids: &[Uuid]) -> Result<Vec<Stored>, Trouble> {
    let sql = format!("SELECT {LIVE_COLUMNS} FROM hookhaven.live l WHERE id = ANY($1) ORDER BY l.id FOR UPDATE");
    let rows = connection.query(&sql, &[(&ids, Type::UUID_ARRAY)]).await?;
    rows.iter().map(Stored::read).collect()
}

impl Shared {
    pub(super) async fn settle_in_lines(&self, reports: &[Report]) -> Result<Vec<Change>, Trouble> {
        let mut last = Ok((Vec::new(), Arranged::default()));
        for _ in 0..TRIES {
            last = self.settle_in_lines_once(reports).await;
            match &last {
                Err(trouble) if trouble.kind == Kind::NoSlice => {
                    self.make_slices_of(reports.iter().map(|report| report.settlement.delivery)).await?;
                }
                Err(trouble) if trouble.kind == Kind::Again => {}
                _ => break,
            }
        }
        let (changes, arranged) = last?;
        self.note_arranged(&arranged);
        Ok(changes)
    }

    async fn settle_in_lines_once(&self, reports: &[Report]) -> Result<(Vec<Change>, Arranged), Trouble> {
        let now = self.now();
        let follows = Follows::of(reports);
        if let Some(follows) = &follows {
            self.slices.ensure(&self.work, follows.slices()).await?;
        }
        let ids: Vec<Uuid> = reports.iter().map(|report| report.settlement.delivery.into()).collect();
        let mut connection = self.work.get().await?;
        connection.begin(Mode::Write).await?;
        let mut lines = Lines::lock(&connection, lines::of_ids(&connection, &ids).await?, now).await?;
        if lines.is_empty() {
            connection.commit().await?;
            return Ok(Default::default());
        }
        let by_id: HashMap<_, _> = reports.iter().map(|report| (report.settlement.delivery, report)).collect();
        let mut endings = Endings::default();
        for stored in locked(&connection, &ids).await? {
            let Some(report) = by_id.get(&stored.delivery.id) else { continue };
            let session = Some(number(report.session));
            if stored.session == session && stored.fence == fence(report.settlement.fence) {
                settle_one(&mut endings, &stored, &report.settlement, &lines, now);
            }
        }
        let changes = endings.settle(&connection, &mut lines, now, true).await?;
        let new = follows.as_ref().map(|follows| follows.after(&changes)).unwrap_or_default();
        let stored = match &new[..] {
            [] => Default::default(),
            new => Events::of(new, now).store_within(&connection).await?,
        };
        let arranged = lines.arrange(&connection).await?;
        connection.commit().await?;
        self.note_stored(new.into_iter().map(|(_, new)| new), stored);
        if changes.iter().any(|change| change.state.is_final()) {
            self.wake.more();
        }
        Ok((changes, arranged))
    }
}

/// What a settlement comes to, as [`crate::rules`] has it.
fn settle_one(endings: &mut Endings, stored: &Stored, settlement: &Settlement, lines: &Lines, now: Time) {
    let overtaken = stored.line().is_some_and(|(line, order)| lines.is_overtaken(line, order));
    let to = match settlement.next {
        Next::Delivered => SettledTo::Delivered,
        _ if stored.delivery.cancel_asked_at.is_some() => SettledTo::Cancelled,
        _ if overtaken => SettledTo::Superseded,
        Next::Release => {
            return endings.all.push(Ending::released(stored.delivery.id, stored.session, stored.fence));
        }
        Next::Retry { due_at } => SettledTo::Retry { due_at },
        Next::Dead(reason) => SettledTo::Dead(reason),
    };
    let to = stored.delivery.order.as_ref().map_or(to, |order| parked(order, to, now));
    let ending = Ending::new(stored.delivery.id, stored.session, stored.fence, to);
    let ending = settlement.attempt.iter().fold(ending, |ending, attempt| ending.with(attempt));
    endings.push(stored, ending, to, now);
}
