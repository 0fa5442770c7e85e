//! How far an exchange has come: written by the connector and the exchange as they go, read for the
//! recorded phases and to say what was being waited for when the time ran out.
//!
//! The pool calls the connector with a URI and nothing else, inside the task of the request that
//! wants the connection; so the exchange's progress reaches it as a task-local value.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use hookhaven_core::Phases;
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use super::exact::ExactUrl;

tokio::task_local! {
    pub static PROGRESS: Progress;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Resolving,
    Connecting,
    Handshake,
    /// Sending, or waiting for the head of the answer.
    Waiting,
    Reading,
}

#[derive(Clone, Debug)]
pub struct Progress(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    started: Instant,
    stage: Stage,
    entered: Instant,
    /// Host and port as people know them.
    target: String,
    phases: Phases,
    answer: Option<(StatusCode, HeaderMap)>,
    excerpt: Bytes,
}

impl Progress {
    pub fn start(url: &ExactUrl) -> Self {
        let target = format!("{}:{}", url.host(), url.port());
        let now = Instant::now();
        Progress(Arc::new(Mutex::new(State {
            started: now,
            stage: Stage::Waiting,
            entered: now,
            target,
            phases: Phases::default(),
            answer: None,
            excerpt: Bytes::new(),
        })))
    }

    /// That of the request this task makes; `None` in a connection nobody waits for any more.
    pub fn current() -> Option<Self> {
        PROGRESS.try_with(Clone::clone).ok()
    }

    /// Enters a stage and books the time of the one before it.
    pub fn enter(&self, stage: Stage) {
        let mut state = self.lock();
        let now = Instant::now();
        let took = Some(us(now - state.entered));
        match state.stage {
            Stage::Resolving => state.phases.dns_us = took,
            Stage::Connecting => state.phases.connect_us = took,
            Stage::Handshake => state.phases.tls_us = took,
            Stage::Waiting if stage == Stage::Reading => state.phases.first_byte_us = took,
            Stage::Waiting | Stage::Reading => {}
        }
        state.stage = stage;
        state.entered = now;
    }

    pub fn answered(&self, status: StatusCode, headers: &HeaderMap) {
        self.enter(Stage::Reading);
        self.lock().answer = Some((status, headers.clone()));
    }

    pub fn keep_excerpt(&self, excerpt: &[u8]) {
        self.lock().excerpt = Bytes::copy_from_slice(excerpt);
    }

    pub fn stage(&self) -> Stage {
        self.lock().stage
    }

    pub fn target(&self) -> String {
        self.lock().target.clone()
    }

    pub fn answer(&self) -> Option<(StatusCode, HeaderMap)> {
        self.lock().answer.clone()
    }

    pub fn excerpt(&self) -> Bytes {
        self.lock().excerpt.clone()
    }

    /// The phases as far as they came, and the time in all.
    pub fn end(&self) -> (Phases, Duration) {
        let state = self.lock();
        (state.phases, state.started.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `127.0.0.1:3000`, and an IPv4 address inside an IPv6 one as the former.
pub fn peer(address: SocketAddr) -> String {
    SocketAddr::new(address.ip().to_canonical(), address.port()).to_string()
}

fn us(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}
