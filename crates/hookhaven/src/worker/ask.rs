//! Attempts that a sender waits for: seats for ingest, and the small part of a worker that a node needs which only
//! takes requests in.
//!
//! A seat counts as an attempt from the moment it is given, so what it promises cannot be claimed away. Its attempt is
//! one like any other: same lease, same signature, same settlement. Not here: what goes back to the sender and what is
//! late (`answers`).

use std::{sync::Arc, time::Duration};

use hookhaven_core::{DeliveryId, Lane};
use hookhaven_store::Leased;
use tokio::sync::{oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Worker, WorkerHandle, WorkerParts, attempt,
    board::{Board, Slot},
    dispatch::changed,
    session::{self, Session},
    shared,
};
use crate::asking::{Asker, HandlerAnswer, Seat};

/// Until pauses and breakers are read again after that failed.
const READ_AGAIN: Duration = Duration::from_secs(1);

impl Asker for WorkerHandle {
    fn seat(&self, destination: &str) -> Option<Box<dyn Seat>> {
        if self.stop_claiming.is_cancelled() {
            return None;
        }
        let session = self.session.borrow().clone()?;
        let (slot, limit) = self.board.seat(&Lane::of_destination(destination))?;
        let (parts, attempts) = (self.parts.clone(), self.attempts.clone());
        Some(Box::new(Place { parts, attempts, session, slot, limit }))
    }
}

/// A seat, kept.
struct Place {
    parts: Arc<WorkerParts>,
    attempts: TaskTracker,
    session: Arc<Session>,
    slot: Slot,
    /// How many of the lane may be leased on all nodes.
    limit: Option<usize>,
}

impl Seat for Place {
    fn ask(self: Box<Self>, delivery: DeliveryId) -> oneshot::Receiver<HandlerAnswer> {
        let (tell, told) = oneshot::channel();
        let attempts = self.attempts.clone();
        // A task of its own: a sender that goes away must not take a leased delivery with it.
        attempts.spawn(async move {
            let Some(leased) = self.claim(delivery).await else { return };
            let Place { parts, session, slot, .. } = *self;
            attempt::run(parts, session, leased, slot, Some(tell)).await;
        });
        told
    }
}

impl Place {
    /// `None`: it is not its turn, or nobody can say; it will be claimed once it is due.
    async fn claim(&self, delivery: DeliveryId) -> Option<Leased> {
        match self.parts.store.claim_one(self.session.id, delivery, self.limit).await {
            Ok(Some(leased)) => Some(leased),
            Ok(None) => {
                self.session.doubt.notify_one();
                None
            }
            Err(error) => {
                tracing::warn!(delivery_id = %delivery, %error, "the handler cannot be asked at once");
                None
            }
        }
    }
}

impl Worker {
    /// Starts what is needed to ask handlers, and claims nothing else: for a node that makes no attempts of its own
    /// accord. The store is asked for nothing before the configuration has a route that wants it.
    pub fn start_asking(parts: WorkerParts) -> WorkerHandle {
        let (handle, publish) = WorkerHandle::new(parts);
        let listening = Listening {
            parts: handle.parts.clone(),
            board: handle.board.clone(),
            keeping: handle.keeping.clone(),
            stop_session: handle.stop_session.clone(),
        };
        handle.claiming.spawn(listening.run(publish, handle.stop_claiming.clone()));
        handle.claiming.close();
        handle.keeping.close();
        handle
    }
}

/// Knows what other nodes say of pauses and breakers.
struct Listening {
    parts: Arc<WorkerParts>,
    board: Arc<Board>,
    keeping: TaskTracker,
    stop_session: CancellationToken,
}

impl Listening {
    async fn run(self, publish: watch::Sender<Option<Arc<Session>>>, stop: CancellationToken) {
        let Listening { parts, board, .. } = &self;
        let (mut publish, mut changes) = (Some(publish), parts.store.changes());
        while !stop.is_cancelled() {
            if changes.has_changed().unwrap_or(false) {
                changes.mark_unchanged();
                board.reread_later();
            }
            let mut again = None;
            if parts.config.load().asks_handlers() {
                if let Some(publish) = publish.take() {
                    self.keeping.spawn(session::keep(parts.clone(), publish, self.stop_session.clone()));
                }
                again = self.read().await.then(|| parts.clock.now().plus(READ_AGAIN));
            }
            let sleep = async {
                match again {
                    Some(at) => parts.clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = board.changed().notified() => {}
                () = changed(&mut changes) => board.reread_later(),
                () = sleep => {}
            }
        }
    }

    /// Whether it must be tried again.
    async fn read(&self) -> bool {
        if !self.board.take_reread() {
            return false;
        }
        let known = matches!(shared::read(&self.parts, &self.board).await, Ok(true));
        if !known {
            self.board.reread_later();
        }
        !known
    }
}
