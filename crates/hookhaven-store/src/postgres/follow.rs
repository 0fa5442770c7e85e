//! What follows from a settlement: events stored by the transaction that settles, of those that were settled.
//! A batch in which nothing follows is settled in one statement and has no part in this. What follows stands in no
//! line.

use std::collections::HashMap;

use hookhaven_core::{DeliveryState, Time};

use super::{
    Shared,
    endings::{Change, Ending, Scope, settle_rows},
    events::Events,
    pool::Mode,
    settle::Report,
    slices,
    trouble::Trouble,
};
use crate::{
    history::KeyDigest,
    seam::{Follow, NewEvent},
};

/// Whatever may follow from a batch, by digests.
pub(super) struct Follows<'a>(Vec<(KeyDigest, &'a Report, &'a Follow)>);

impl<'a> Follows<'a> {
    /// `None`: nothing.
    pub fn of(reports: &'a [Report]) -> Option<Self> {
        let all =
            reports.iter().flat_map(|report| report.settlement.follows.iter().map(move |follow| (report, follow)));
        let digest = |new: &NewEvent| KeyDigest::of(&new.event.source, &new.event.idempotency_key);
        let mut all: Vec<_> = all.map(|(report, follow)| (digest(&follow.event), report, follow)).collect();
        all.sort_unstable_by_key(|(digest, ..)| *digest);
        (!all.is_empty()).then_some(Follows(all))
    }

    /// Those that follow, now that this has become of the deliveries.
    pub fn after(&self, changes: &[Change]) -> Vec<(KeyDigest, &'a NewEvent)> {
        let became: HashMap<_, _> = changes.iter().map(|change| (change.delivery, change.state)).collect();
        let follows = |report: &Report, follow: &Follow| match became.get(&report.settlement.delivery) {
            Some(DeliveryState::Cancelled) => !follow.unless_cancelled,
            Some(_) => true,
            None => false,
        };
        let all = self.0.iter().filter(|(_, report, follow)| follows(report, follow));
        all.map(|(digest, _, follow)| (*digest, &follow.event)).collect()
    }

    /// The slices that they need.
    pub fn slices(&self) -> impl Iterator<Item = i32> {
        self.0.iter().map(|(_, _, follow)| slices::of_event(follow.event.event.id))
    }
}

impl Shared {
    pub(super) async fn settle_with(
        &self,
        endings: &[Ending],
        follows: &Follows<'_>,
        now: Time,
    ) -> Result<Vec<Change>, Trouble> {
        self.slices.ensure(&self.work, follows.slices()).await?;
        let mut connection = self.work.get().await?;
        connection.begin(Mode::Write).await?;
        let changes = settle_rows(&connection, endings, now, true, Scope::Plain).await?;
        let new = follows.after(&changes);
        let stored = Events::of(&new, now).store_within(&connection).await?;
        connection.commit().await?;
        self.note_stored(new.into_iter().map(|(_, new)| new), stored);
        if changes.iter().any(|change| change.state.is_final()) {
            self.wake.more();
        }
        Ok(changes)
    }
}
