//! Settling: attempts gather while others are committed, and go to the database together; whoever waits for one is
//! told. What stands in lines, or has something follow from it, goes its own way (`lined`, `follow`).
//!
//! Not here: the statement and its rows (`endings`).

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use hookhaven_core::DeliveryId;
use tokio::sync::oneshot;
use tokio_postgres::types::Type;

use super::{
    Shared,
    endings::{Change, Ending, settle_once},
    follow::Follows,
    pool::Mode,
    queue::{self, Job},
    rows::Uuid,
    slices,
    trouble::{Kind, Trouble},
};
use crate::seam::{SessionId, Settled, Settlement, StoreError};

pub(super) const TRIES: usize = 4;
/// Between the beginnings of batches: nobody outside waits for it.
pub(super) const APART: Duration = Duration::from_millis(4);

/// A settlement and who waits for it.
#[derive(Debug)]
pub(super) struct Report {
    pub session: SessionId,
    pub settlement: Settlement,
    answer: oneshot::Sender<Result<Settled, StoreError>>,
}

impl Job for Report {
    fn bytes(&self) -> usize {
        self.settlement.attempt.as_ref().map_or(0, |attempt| attempt.response_excerpt.len())
    }
}

impl Report {
    pub fn new(session: SessionId, settlement: Settlement) -> (Self, oneshot::Receiver<Result<Settled, StoreError>>) {
        let (answer, answered) = oneshot::channel();
        (Report { session, settlement, answer }, answered)
    }
}

/// Commits batch after batch until the queue is closed.
pub(super) async fn committer(shared: Arc<Shared>) {
    let mut left = Vec::new();
    while let Some(batch) = shared.settles.take(std::mem::take(&mut left)).await {
        left = shared.commit_reports(batch).await;
    }
}

impl Shared {
    /// Answers the reports, and gives back those that have to wait: the same delivery again.
    async fn commit_reports(&self, reports: Vec<Report>) -> Vec<Report> {
        let (batch, later) = queue::once_each(reports, |report| report.settlement.delivery);
        let in_line = |report: &Report| self.held.is_lined(report.session, report.settlement.delivery);
        let (mut lined, plain): (Vec<_>, Vec<_>) = batch.into_iter().partition(in_line);
        if !plain.is_empty() {
            let endings: Vec<_> = plain.iter().map(|report| Ending::of(report.session, &report.settlement)).collect();
            let settled = self.settle_endings(&endings, &plain).await;
            if settled.is_ok() && endings.iter().any(|ending| ending.to.is_none()) {
                self.wake.more();
            }
            // What was not found may stand in a line: of a session that somebody else claimed for.
            lined.extend(self.answer(plain, settled, true));
        }
        if !lined.is_empty() {
            let settled = self.settle_in_lines(&lined).await;
            self.answer(lined, settled, false);
        }
        later
    }

    /// Gives back those that were not found, if they are to be looked for once more.
    fn answer(&self, reports: Vec<Report>, settled: Result<Vec<Change>, Trouble>, once_more: bool) -> Vec<Report> {
        if let Ok(settled) = &settled {
            self.note_settled(settled);
        }
        let settled = settled.map(|done| done.iter().map(|change| change.delivery).collect::<HashSet<_>>());
        let mut not_found = Vec::new();
        for report in reports {
            let id = report.settlement.delivery;
            let answer = match &settled {
                Ok(done) if !done.contains(&id) && once_more => {
                    not_found.push(report);
                    continue;
                }
                Ok(done) => {
                    self.held.forget(report.session, id);
                    Ok(if done.contains(&id) { Settled::Done } else { Settled::LeaseLost })
                }
                Err(trouble) => Err(trouble.clone().into()),
            };
            // Whoever waited may have gone.
            let _ = report.answer.send(answer);
        }
        not_found
    }

    async fn settle_endings(&self, endings: &[Ending], reports: &[Report]) -> Result<Vec<Change>, Trouble> {
        let now = self.now();
        let mut last = Ok(Vec::new());
        for _ in 0..TRIES {
            last = match Follows::of(reports) {
                None => settle_once(&mut self.work.get().await?, endings, now).await,
                Some(follows) => self.settle_with(endings, &follows, now).await,
            };
            match &last {
                Err(trouble) if trouble.kind == Kind::NoSlice => {
                    self.make_slices_of(endings.iter().map(|ending| ending.delivery)).await?;
                }
                Err(trouble) if trouble.kind == Kind::Again => {}
                _ => break,
            }
        }
        last
    }

    /// A day's partition is there as long as something of it lives; this is for one dropped by hand.
    pub(super) async fn make_slices_of(&self, ids: impl Iterator<Item = DeliveryId>) -> Result<(), Trouble> {
        let ids: Vec<Uuid> = ids.map(Uuid::from).collect();
        let sql = "SELECT DISTINCT slice FROM hookhaven.live WHERE id = ANY($1)";
        let rows = self.work.once(Mode::Read, sql, &[(&ids, Type::UUID_ARRAY)]).await?;
        let mut slices = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i32>, _>>()?;
        // Of the steps.
        slices.push(slices::of_time(self.now()));
        self.slices.forget();
        self.slices.ensure(&self.work, slices).await
    }

    /// Keeps the count of what is pending, and tells that it may be another's turn.
    pub(super) fn note_settled(&self, changes: &[Change]) {
        self.pending.sub(changes.iter().filter(|change| change.state.is_final()).count());
        let superseded = changes.iter().filter(|change| change.superseded).count() as u64;
        self.superseded.fetch_add(superseded, Ordering::Relaxed);
        let now = self.now();
        let mut queues = changes.iter().filter_map(|change| change.queue.as_ref()).peekable();
        if queues.peek().is_some() {
            queues.for_each(|queue| self.heads().add(queue, now));
            self.wake.more();
        }
    }
}
