//! The handlers at the other end, all in this process: each in a mood that changes with every life of the
//! gateway (well, flaky, hanging, down), until all are mended.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    chance::Chance,
    ledger::{Act, Ledger},
    traffic::{DESTINATIONS, Traffic},
};
use crate::stage::Receiver;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Well,
    /// Answers 500 one time in four.
    Flaky,
    /// One time in fifteen never answers, having done the work or not.
    Hanging,
    /// Answers 503.
    Down,
}

/// What a handler does with one attempt.
enum Answer {
    Status(StatusCode),
    Never,
}

/// Listening; ends when dropped.
#[derive(Debug)]
pub struct Handlers {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    seed: u64,
    traffic: Arc<Traffic>,
    ledger: Arc<Ledger>,
    receiver: Receiver,
    chance: Chance,
    moods: Mutex<[Mood; DESTINATIONS.len()]>,
    mended: AtomicBool,
}

impl Handlers {
    pub async fn start(seed: u64, traffic: Arc<Traffic>, ledger: Arc<Ledger>, receiver: Receiver) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("the handlers cannot listen on loopback")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            seed,
            traffic,
            ledger,
            receiver,
            chance: Chance::of(seed, 1 << 59),
            moods: Mutex::new([Mood::Well; DESTINATIONS.len()]),
            mended: AtomicBool::new(false),
        });
        let router = Router::new().route("/{destination}", post(take)).with_state(shared.clone());
        let serving = tokio::spawn(async move {
            // It ends by being dropped; an error of the listener shows as events that never arrive.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Handlers { address, shared, serving })
    }

    /// The moods of the gateway's next life.
    pub fn begin_life(&self, life: u64) {
        let chance = Chance::of(self.shared.seed, life ^ (1 << 58));
        let mood = |_| match chance.below(10) {
            0..5 => Mood::Well,
            5..7 => Mood::Flaky,
            7..9 => Mood::Hanging,
            _ => Mood::Down,
        };
        *self.shared.moods.lock().unwrap_or_else(PoisonError::into_inner) = [0; DESTINATIONS.len()].map(mood);
    }

    /// From now on all answer 200 to whatever may come.
    pub fn mend(&self) {
        self.shared.mended.store(true, Ordering::Relaxed);
    }
}

impl Drop for Handlers {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    match shared.answer(&name, &headers, &body) {
        Answer::Status(status) => status,
        // Until the gateway hangs up.
        Answer::Never => std::future::pending().await,
    }
}

impl Shared {
    fn answer(&self, name: &str, headers: &HeaderMap, body: &[u8]) -> Answer {
        let Some(destination) = DESTINATIONS.iter().position(|d| *d == name) else {
            return Answer::Status(StatusCode::NOT_FOUND);
        };
        if !self.receiver.signature_holds(headers, body) {
            self.ledger.badly_signed(destination);
            return Answer::Status(StatusCode::UNAUTHORIZED);
        }
        let Some(number) = self.ledger.may_come(destination, body) else {
            return Answer::Status(StatusCode::BAD_REQUEST);
        };
        let deliver = || {
            self.ledger.act(number, destination, Act::Deliver);
            Answer::Status(StatusCode::OK)
        };
        if self.mended.load(Ordering::Relaxed) {
            return deliver();
        }
        if self.traffic.is_poisoned(number) {
            return Answer::Status(StatusCode::INTERNAL_SERVER_ERROR);
        }
        let mood = self.moods.lock().unwrap_or_else(PoisonError::into_inner)[destination];
        match mood {
            Mood::Down => Answer::Status(StatusCode::SERVICE_UNAVAILABLE),
            Mood::Flaky if self.chance.one_in(4) => Answer::Status(StatusCode::INTERNAL_SERVER_ERROR),
            Mood::Hanging if self.chance.one_in(15) => {
                if self.chance.one_in(2) {
                    self.ledger.act(number, destination, Act::HandleOnly);
                }
                Answer::Never
            }
            _ => deliver(),
        }
    }
}
