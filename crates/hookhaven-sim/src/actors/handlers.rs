//! The team's handlers: each destination's has moods, and some events are poison to some. In place of the
//! transport; everything that a real one can answer, or fail to.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use hookhaven::egress::{Answered, Egress, ExactUrl, Failure, Outbound, Sent};
use hookhaven_core::{ErrorClass, Phases};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::Semaphore;

use crate::{
    chance::Chance,
    gate::{Gate, Pulse},
    laws::online::Start,
    plan::BRISK,
    world::World,
};

/// How a handler feels, for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Well,
    Slow,
    /// Answers nothing until the attempt's time is over.
    Hanging,
    Refusing(u16),
    /// 429 or 503 with `Retry-After`.
    Busy(u16),
    Unreachable,
    /// Now this, now that.
    Flapping,
    Gone,
    /// Does its work, and the answer gets lost.
    Forgetful,
}

const MOODS: [Mood; 12] = [
    Mood::Well,
    Mood::Well,
    Mood::Well,
    Mood::Slow,
    Mood::Hanging,
    Mood::Refusing(500),
    Mood::Refusing(404),
    Mood::Busy(503),
    Mood::Unreachable,
    Mood::Flapping,
    Mood::Gone,
    Mood::Forgetful,
];

/// All handlers. Clones are the same.
#[derive(Clone, Debug)]
pub struct Handlers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    world: Arc<World>,
    moods: Mutex<BTreeMap<String, Mood>>,
    chance: Mutex<Chance>,
}

/// What a handler does with one attempt.
struct Doing {
    after: Duration,
    result: Result<(StatusCode, HeaderMap), ErrorClass>,
}

impl Handlers {
    pub fn new(world: Arc<World>) -> Self {
        let chance = Mutex::new(world.plan.chance.fork("handlers"));
        Handlers(Arc::new(Shared { world, moods: Mutex::default(), chance }))
    }

    fn chance(&self) -> MutexGuard<'_, Chance> {
        self.0.chance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moods(&self) -> MutexGuard<'_, BTreeMap<String, Mood>> {
        self.0.moods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One handler's life: moods come and go while faults do; then it is well.
    pub async fn live(self, destination: Arc<str>) {
        let world = self.0.world.clone();
        let mut chance = world.plan.chance.fork(&destination);
        loop {
            let mood = chance.pick(&MOODS);
            world.say(format_args!("handler {destination}: {mood:?}"));
            self.moods().insert(destination.to_string(), mood);
            let goes_on = world.sleep_in_faults(chance.s(5..=120)).await;
            if !goes_on {
                self.moods().remove(&*destination);
                return;
            }
        }
    }

    fn doing(&self, destination: &str, event: &str, body: &[u8]) -> Doing {
        let mut chance = self.chance();
        let quick = chance.ms(2..=120);
        let ok = |after| Doing { after, result: Ok((StatusCode::OK, HeaderMap::new())) };
        if destination == BRISK {
            return ok(quick);
        }
        if let Some(status) = poison(destination, body) {
            let mut headers = HeaderMap::new();
            if status == 422 {
                headers.insert("webhook-delivery", HeaderValue::from_static("abort-message"));
                self.0.world.ledger().aborted.insert((event.to_owned(), destination.into()));
            }
            return Doing { after: quick, result: Ok((code(status), headers)) };
        }
        let mut mood = self.moods().get(destination).copied().unwrap_or(Mood::Well);
        if mood == Mood::Flapping {
            mood = chance.pick(&MOODS[..9]);
        }
        let answer = |status| Doing { after: quick, result: Ok((code(status), HeaderMap::new())) };
        match mood {
            Mood::Well | Mood::Flapping => ok(quick),
            Mood::Slow => ok(chance.ms(1_000..=9_000)),
            Mood::Hanging => ok(Duration::from_secs(3_600)),
            Mood::Refusing(status) => answer(status),
            Mood::Busy(status) => {
                let wait = HeaderValue::from(chance.within(1..=90));
                let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, wait)]);
                Doing { after: quick, result: Ok((code(status), headers)) }
            }
            Mood::Unreachable => Doing { after: quick, result: Err(ErrorClass::Connect) },
            Mood::Gone => answer(410),
            Mood::Forgetful => Doing { after: quick, result: Err(ErrorClass::Protocol) },
        }
    }
}

/// Some bodies are too much for some handlers, for ever: 500, 400, or 422 and not again, please.
fn poison(destination: &str, body: &[u8]) -> Option<u16> {
    let mark = body.iter().fold(destination.len() as u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    match mark % 23 {
        0 => Some(500),
        1 => Some(400),
        2 => Some(422),
        _ => None,
    }
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT)
}

/// The way out of one node.
pub struct Wire {
    pub node: String,
    pub gate: Gate,
    pub world: Arc<World>,
    pub handlers: Handlers,
    /// Attempts that may be under way at once, over all destinations; planted bugs only.
    pub shared: Option<Arc<Semaphore>>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("node", &self.node).finish_non_exhaustive()
    }
}

/// An attempt under way; dropped when it is no more.
struct UnderWay<'a>(&'a Wire, u64);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.world.ledger().watch.over(self.1);
    }
}

impl Wire {
    /// Writes the start down and judges it.
    fn starts(&self, start: &Start, outbound: &Outbound) -> UnderWay<'_> {
        let (number, broken) = self.world.ledger().watch.starts(start);
        self.world.ledger().seen.entry((start.event.clone(), start.destination.clone())).or_insert(start.at);
        let attempt = outbound.headers.get("hookhaven-attempt").and_then(|v| v.to_str().ok()).unwrap_or_default();
        self.world.say(format_args!(
            "{}: attempt {attempt} of {} to {}{}",
            self.node,
            start.event,
            start.destination,
            outbound.to.url().as_ref().map_or("", ExactUrl::path)
        ));
        for what in broken {
            self.world.breach("attempts", format_args!("{what}"));
        }
        if self.gate.pulse() != Pulse::Alive {
            self.world.ledger().watch.orphan(&self.node);
        }
        UnderWay(self, number)
    }

    fn start(&self, outbound: &Outbound) -> Start {
        let url = outbound.to.url();
        let name = url.as_ref().ok().and_then(|url| url.host().strip_suffix(".test")).unwrap_or_default();
        let header = |name| outbound.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let config = &self.world.plan.config;
        Start {
            node: self.node.clone(),
            event: header("webhook-id"),
            destination: name.into(),
            at: self.world.now(),
            session_ttl: config.worker.session_ttl,
            breaker: config.destinations.get(name).map(|d| d.breaker).unwrap_or_default(),
        }
    }

    /// The handler gets what was sent, and nothing else.
    fn check_body(&self, start: &Start, body: &Bytes) {
        let known = self.world.ledger().sent.values().any(|sent| sent.body == *body);
        if !known {
            self.world.breach("bytes", format_args!("{} got a body that nobody sent", start.destination));
        }
    }
}

#[async_trait]
impl Egress for Wire {
    async fn send(&self, outbound: Outbound) -> Sent {
        self.gate.pass().await;
        let asked_at = self.world.now();
        let _permit = match &self.shared {
            Some(shared) => shared.acquire().await.ok(),
            None => None,
        };
        let start = self.start(&outbound);
        let under_way = self.starts(&start, &outbound);
        self.check_body(&start, &outbound.body);
        let doing = self.handlers.doing(&start.destination, &start.event, &outbound.body);
        let after = doing.after.min(outbound.timeout);
        self.world.clock.sleep(after).await;
        let result = if doing.after > outbound.timeout { Err(ErrorClass::Timeout) } else { doing.result };
        if let Ok((status, _)) = &result
            && status.is_success()
        {
            self.world.ledger().delivered.insert((start.event.clone(), start.destination.clone()));
        }
        self.gate.pass().await;
        let now = self.world.now();
        let failing = match &result {
            Ok((status, _)) => status.is_server_error() || status.as_u16() == 429,
            Err(_) => true,
        };
        self.world.ledger().watch.answered(&start, failing, now);
        drop(under_way);
        self.world.count("attempts");
        Sent {
            result: match result {
                Ok((status, headers)) => Ok(Answered { status, headers, excerpt: Bytes::new() }),
                Err(class) => Err(Failure { class, error: class.as_str().to_owned(), status: None }),
            },
            phases: Phases::default(),
            duration: now.since(asked_at),
        }
    }
}
