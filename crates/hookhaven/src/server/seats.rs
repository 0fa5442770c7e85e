//! Seats for connections: those that are served, and a few more that are told to come again later. Who
//! finds neither waits in the kernel's queue.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections that are being turned away at once.
const TURNED_AWAY_MAX: usize = 256;

/// Given back when dropped.
#[derive(Debug)]
pub(super) enum Seat {
    Served(OwnedSemaphorePermit),
    TurnedAway(OwnedSemaphorePermit),
}

#[derive(Debug)]
pub(super) struct Seats {
    served: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    max: usize,
    /// Whether somebody was turned away since there was a seat last: it is said once.
    full: AtomicBool,
}

impl Seats {
    pub fn new(max: usize) -> Self {
        let max = max.clamp(1, Semaphore::MAX_PERMITS);
        let turned_away = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
        Seats { served: Arc::new(Semaphore::new(max)), turned_away, max, full: AtomicBool::new(false) }
    }

    /// A seat, of the better kind if there is one.
    pub async fn any(&self) -> Seat {
        let permit = tokio::select! {
            biased;
            permit = self.served.clone().acquire_owned() => permit.map(Seat::Served),
            permit = self.turned_away.clone().acquire_owned() => permit.map(Seat::TurnedAway),
        };
        match permit {
            Ok(seat) => seat,
            // Nobody closes them.
            Err(_) => std::future::pending().await,
        }
    }

    /// A better one, if it has become free meanwhile.
    pub fn best(&self, seat: Seat) -> Seat {
        let seat = match seat {
            Seat::TurnedAway(permit) => match self.served.clone().try_acquire_owned() {
                Ok(better) => Seat::Served(better),
                Err(_) => Seat::TurnedAway(permit),
            },
            served => served,
        };
        match &seat {
            Seat::Served(_) => self.full.store(false, Relaxed),
            Seat::TurnedAway(_) if !self.full.swap(true, Relaxed) => {
                tracing::warn!(connections_max = self.max, "all connections are taken; further ones are answered 503");
            }
            Seat::TurnedAway(_) => {}
        }
        seat
    }
}
