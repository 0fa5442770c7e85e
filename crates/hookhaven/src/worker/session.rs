//! The node's session: opened, renewed, given up in time. What cannot be renewed is treated as lapsed
//! before the store does so, because from then on others may attempt what we hold.

use std::{sync::Arc, time::Duration};

use hookhaven_core::Time;
use hookhaven_store::{Renewed, SessionId};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::WorkerParts;

/// Between tries to open a session.
const OPEN_AGAIN: Duration = Duration::from_secs(1);

/// Between renewals because of a doubt.
const DOUBT_EVERY: Duration = Duration::from_secs(1);

/// A session that stands, or stood.
#[derive(Debug)]
pub struct Session {
    pub id: SessionId,
    /// Cancelled when attempts under it must stop.
    pub ended: CancellationToken,
    /// Said when the store behaves as if it had lapsed: ask now, not at the next renewal.
    pub doubt: Notify,
}

/// Keeps a session published in `publish`, opening a new one when one lapsed; `None` in between.
/// When stopped, closes the last one.
pub async fn keep(parts: Arc<WorkerParts>, publish: watch::Sender<Option<Arc<Session>>>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let ttl = parts.config.load().worker.session_ttl;
        let opened_at = parts.clock.now();
        let id = match parts.store.open_session(ttl).await {
            Ok(id) => id,
            Err(error) => {
                tracing::warn!(%error, "no session could be opened; trying again");
                tokio::select! {
                    biased;
                    () = parts.clock.sleep_until(parts.clock.now().plus(OPEN_AGAIN)) => {}
                    () = stop.cancelled() => {}
                }
                continue;
            }
        };
        let session = Arc::new(Session { id, ended: CancellationToken::new(), doubt: Notify::new() });
        publish.send_replace(Some(session.clone()));
        let end = renew(&parts, &session, ttl, opened_at, &stop).await;
        publish.send_replace(None);
        session.ended.cancel();
        match end {
            End::Lapsed(why) => {
                tracing::warn!(session = id.0, why, "the session was lost; attempts under it are aborted")
            }
            End::Stopped => {
                if let Err(error) = parts.store.close_session(id).await {
                    tracing::warn!(%error, "the session could not be closed; its leases lapse by themselves");
                }
            }
        }
    }
}

enum End {
    Lapsed(&'static str),
    Stopped,
}

/// Renews at every third of its life; gives up when four fifths are over without success, so that
/// attempts have stopped when the store lets others in.
async fn renew(
    parts: &WorkerParts,
    session: &Session,
    ttl: Duration,
    opened_at: Time,
    stop: &CancellationToken,
) -> End {
    let clock = &parts.clock;
    let mut renewed_at = opened_at;
    let mut next_try = renewed_at.plus(ttl / 3);
    let mut complained = false;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return End::Stopped,
            () = clock.sleep_until(next_try) => {}
            () = session.doubt.notified() => {
                // Where several nodes take from the same lanes, there often is nothing left.
                next_try = next_try.min(renewed_at.plus(DOUBT_EVERY));
                if clock.now() < next_try {
                    continue;
                }
            }
        }
        let give_up_at = renewed_at.plus(ttl.mul_f64(0.8));
        let asked_at = clock.now();
        let renewed = tokio::select! {
            biased;
            renewed = parts.store.renew_session(session.id) => renewed,
            () = clock.sleep_until(give_up_at) => return End::Lapsed("the store did not answer in time"),
        };
        match renewed {
            Ok(Renewed::Live) => {
                renewed_at = asked_at;
                next_try = renewed_at.plus(ttl / 3);
                complained = false;
            }
            Ok(Renewed::Lapsed) => return End::Lapsed("the store had let it lapse"),
            Err(error) => {
                if !std::mem::replace(&mut complained, true) {
                    tracing::warn!(%error, "the session could not be renewed; trying again");
                }
                if clock.now() >= give_up_at {
                    return End::Lapsed("the store could not renew it in time");
                }
                next_try = clock.now().plus(ttl / 20).min(give_up_at);
            }
        }
    }
}
