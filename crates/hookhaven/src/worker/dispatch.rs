//! The claim loop. One task; it asks the store which lanes are due, claims what the lanes' room and
//! the slots allow, and starts an attempt for each. Then it waits for a reason to look again.

use std::{pin::pin, sync::Arc, time::Duration};

use hookhaven_core::Time;
use hookhaven_store::{Changes, Due, StoreError};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{WorkerParts, attempt, board::Board, lanes::ClaimPlan, session::Session, shared};

/// Due lanes asked for at once.
const LANES_MAX: usize = 256;
/// Times that one round asks again because no due lane it was shown had room.
const LOOKS_MAX: usize = 16;
/// Until the store is asked again after it failed.
const AFTER_ERROR: Duration = Duration::from_secs(1);
/// Until it is asked again when it showed due work and gave none: another node was quicker, or our
/// session is no more.
const AFTER_NOTHING: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub struct Dispatcher {
    pub parts: Arc<WorkerParts>,
    pub board: Arc<Board>,
    pub session: watch::Receiver<Option<Arc<Session>>>,
    pub attempts: TaskTracker,
}

/// What a look at the store led to.
enum Round {
    Claimed,
    /// Nothing to do before that time, or before somebody says so.
    Until(Option<Time>),
}

/// Runs until told to stop.
pub async fn run(mut dispatcher: Dispatcher, stop: CancellationToken) {
    let (parts, board) = (dispatcher.parts.clone(), dispatcher.board.clone());
    let wake = parts.store.wake();
    let mut changes = parts.store.changes();
    let mut complained = false;
    while !stop.is_cancelled() {
        if changes.has_changed().unwrap_or(false) {
            changes.mark_unchanged();
            board.reread_later();
        }
        // Registered before looking, so that nothing said meanwhile is missed.
        let (mut more, mut room) = (pin!(wake.notified()), pin!(board.changed().notified()));
        more.as_mut().enable();
        room.as_mut().enable();
        let session = dispatcher.session.borrow_and_update().clone();
        let next = match dispatcher.round(session).await {
            Ok(Round::Claimed) => continue,
            Ok(Round::Until(next)) => {
                complained = false;
                next
            }
            Err(error) => {
                if !std::mem::replace(&mut complained, true) {
                    tracing::warn!(%error, "nothing can be claimed; trying again");
                }
                Some(parts.clock.now().plus(AFTER_ERROR))
            }
        };
        let sleep = async {
            match next {
                Some(at) => parts.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        // In a fixed order, so that what a simulation sees can be seen again.
        tokio::select! {
            biased;
            () = more => {}
            () = room => {}
            () = changed(&mut changes) => board.reread_later(),
            _ = dispatcher.session.changed() => {}
            () = sleep => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Never, once nobody can say so any more.
pub async fn changed(changes: &mut watch::Receiver<Changes>) {
    if changes.changed().await.is_err() {
        std::future::pending().await
    }
}

impl Dispatcher {
    async fn round(&self, session: Option<Arc<Session>>) -> Result<Round, StoreError> {
        if self.board.take_reread() {
            match shared::read(&self.parts, &self.board).await {
                Ok(true) => {}
                // What is being told is followed by a sign of its own.
                Ok(false) => self.board.reread_later(),
                Err(error) => {
                    self.board.reread_later();
                    return Err(error);
                }
            }
        }
        let Some(session) = session else {
            return Ok(Round::Until(None));
        };
        let (due, claims, next) = self.look().await?;
        let mut claimed = 0;
        for claim in &claims {
            claimed += self.claim(&session, claim).await?;
        }
        if claimed > 0 {
            return Ok(Round::Claimed);
        }
        if !claims.is_empty() {
            session.doubt.notify_one();
        }
        let again = (!claims.is_empty()).then(|| self.parts.clock.now().plus(AFTER_NOTHING));
        Ok(Round::Until([next, due.next_due, again].into_iter().flatten().min()))
    }

    /// Asks for due lanes until some have room or there are no more.
    async fn look(&self) -> Result<(Due, Vec<ClaimPlan>, Option<Time>), StoreError> {
        let config = self.parts.config.load_full();
        let mut plan = self.board.lanes().plan(&config, self.parts.clock.now());
        for look in 1.. {
            let due = self.parts.store.due(&plan.skip, LANES_MAX).await?;
            let (claims, without, gone) = {
                let mut lanes = self.board.lanes();
                let (claims, without) = lanes.claims(&config, &due.lanes, self.parts.clock.now());
                (claims, without, lanes.newly_gone(&config))
            };
            for lane in gone {
                let lane = lane.as_str();
                tracing::warn!(lane, "deliveries wait for a destination that is not in the config file");
            }
            if !claims.is_empty() || without.is_empty() || look == LOOKS_MAX {
                return Ok((due, claims, plan.next));
            }
            // What became known of these lanes may have a time at which they have room again.
            let known = self.board.lanes().plan(&config, self.parts.clock.now());
            plan.next = known.next;
            plan.skip = known.skip;
            for lane in without {
                if !plan.skip.contains(&lane) {
                    plan.skip.push(lane);
                }
            }
        }
        Ok((Due::default(), Vec::new(), None))
    }

    async fn claim(&self, session: &Arc<Session>, claim: &ClaimPlan) -> Result<usize, StoreError> {
        let leased = self.parts.store.claim(session.id, &claim.lanes, claim.max).await?;
        let claimed = leased.len();
        for leased in leased {
            let slot = self.board.start(&leased.delivery.lane);
            self.attempts.spawn(attempt::run(self.parts.clone(), session.clone(), leased, slot, None));
        }
        Ok(claimed)
    }
}
