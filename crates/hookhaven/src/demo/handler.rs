//! The demo's own handler: what a team would have written. It checks the gateway's signature, fails now
//! and then, refuses some events until it is mended, and can be killed and brought back on its port.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use tokio::{
    net::TcpSocket,
    runtime::{self, Runtime},
};

use crate::stage::Receiver;

/// Every this-many-th event fails at its first attempt.
const FLAKY_EVERY: u64 = 7;
/// Bodies that hold this text fail until the handler is mended.
pub const POISON: &str = "demo-poison";

/// What the handler has seen.
#[derive(Debug)]
pub struct Ledger {
    receiver: Receiver,
    mended: AtomicBool,
    events: AtomicU64,
    /// By `webhook-id`.
    seen: Mutex<HashMap<String, Seen>>,
    pub badly_signed: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    flaky: bool,
    /// Calls before the one that succeeded.
    calls_before: u64,
    done: Option<Instant>,
}

/// An event handled.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// When it was first answered with 200.
    pub at: Instant,
    /// Whether it was at the first call.
    pub first_try: bool,
}

impl Ledger {
    pub fn new(receiver: Receiver) -> Self {
        Ledger {
            receiver,
            mended: AtomicBool::new(false),
            events: AtomicU64::new(0),
            seen: Mutex::default(),
            badly_signed: AtomicU64::new(0),
        }
    }

    pub fn mend(&self) {
        self.mended.store(true, Ordering::Relaxed);
    }

    /// What became of each event that was answered with 200, by its `webhook-id`.
    pub fn done(&self) -> HashMap<String, Done> {
        let seen = self.seen.lock().unwrap_or_else(|e| e.into_inner());
        let done = |s: &Seen| s.done.map(|at| Done { at, first_try: s.calls_before == 0 });
        seen.iter().filter_map(|(id, s)| Some((id.clone(), done(s)?))).collect()
    }

    fn answer(&self, headers: &HeaderMap, body: &[u8]) -> StatusCode {
        if !self.receiver.signature_holds(headers, body) {
            self.badly_signed.fetch_add(1, Ordering::Relaxed);
            return StatusCode::UNAUTHORIZED;
        }
        let id = headers.get("webhook-id").and_then(|v| v.to_str().ok()).unwrap_or_default();
        let mut seen = self.seen.lock().unwrap_or_else(|e| e.into_inner());
        let event = seen.entry(id.to_owned()).or_insert_with(|| {
            let n = self.events.fetch_add(1, Ordering::Relaxed);
            Seen { flaky: n % FLAKY_EVERY == FLAKY_EVERY - 1, calls_before: 0, done: None }
        });
        let poison = body.windows(POISON.len()).any(|w| w == POISON.as_bytes());
        if (poison && !self.mended.load(Ordering::Relaxed)) || (event.flaky && event.calls_before == 0) {
            event.calls_before += 1;
            return StatusCode::INTERNAL_SERVER_ERROR;
        }
        event.done.get_or_insert_with(Instant::now);
        StatusCode::OK
    }
}

/// The handler's process, so to speak: a runtime of its own, so that killing it cuts its connections.
#[derive(Debug)]
pub struct Handler {
    addr: SocketAddr,
    ledger: Arc<Ledger>,
    process: Option<Runtime>,
}

impl Handler {
    /// Listens on a free loopback port.
    pub fn start(ledger: Arc<Ledger>) -> std::io::Result<Self> {
        let mut handler = Handler { addr: SocketAddr::from(([127, 0, 0, 1], 0)), ledger, process: None };
        handler.revive()?;
        Ok(handler)
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Cuts every connection; what connects now is refused.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.shutdown_background();
        }
    }

    /// Listens again, on the same port.
    pub fn revive(&mut self) -> std::io::Result<()> {
        let process = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listening = process.enter();
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(self.addr)?;
        let listener = socket.listen(1024)?;
        self.addr = listener.local_addr()?;
        drop(listening);
        let take =
            async |State(ledger): State<Arc<Ledger>>, headers: HeaderMap, body: Bytes| ledger.answer(&headers, &body);
        let router = Router::new().route("/{destination}", post(take)).with_state(self.ledger.clone());
        process.spawn(async move {
            // It ends by being killed; an error of the listener shows as events that never arrive.
            let _ = axum::serve(listener, router).await;
        });
        self.process = Some(process);
        Ok(())
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.kill();
    }
}
