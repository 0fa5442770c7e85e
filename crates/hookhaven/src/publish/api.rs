//! The API as the ingest address serves it: who calls, what is meant, the body, the call, the answer. Each
//! resource is a file of its own.
//!
//! Order of work, cheapest and least trusting first: token (401) → path and method (404, 405, 501) → whether the
//! token may (403) → whether the store can accept (503, before the body) → body, bounded (412) → the call.
//!
//! Not here: connections, and what becomes of a body that is refused: `server` reads on for a while, so that
//! whoever sends it sees the answer.

mod batch;
mod dlq;
mod flow;
mod found;
mod keys;
mod logs;
mod managed;
mod messages;
mod publish;
mod queues;
mod schedules;
mod topics;
mod trace;

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use hookhaven_core::{EventId, Time};
use hookhaven_store::{
    Leave, Store,
    clock::{Clock, Entropy},
};
use http::{HeaderValue, Request, Response, StatusCode, header, request};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use serde::Serialize;

use super::{
    auth::{Access, Caller, Door},
    book::Book,
    compose::Occasion,
    error::ApiError,
    keys::Keys,
    limits::CALL_BYTES_MAX,
    route::{self, Call},
    settings::Limits,
};
use crate::{
    access::{
        Audit, Failures, Tokens,
        failures::{FAILURES_MAX, FAILURES_WINDOW},
    },
    body::{self, BodyError, Budget, Whole},
    config::Config,
    correlation,
    metrics::Metrics,
    published::FlowNow,
    server::{Handler, Peer},
    telemetry::{Open, Tracer},
};

/// What the worker on this node is doing, for those who ask.
pub trait Traffic: Send + Sync + fmt::Debug {
    /// How a flow-control key stands.
    fn flow(&self, key: &str) -> FlowNow;

    /// Attempts that are in flight, over everything.
    fn in_flight(&self) -> usize;
}

/// What publishing is made of.
#[derive(Clone, Debug)]
pub struct PublishParts {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// Read once per request, so that a request sees one configuration.
    pub config: Arc<ArcSwap<Config>>,
    pub metrics: Arc<Metrics>,
    pub budget: Arc<Budget>,
    pub book: Arc<Book>,
    pub keys: Arc<Keys>,
    /// Those with the scope `publish`, beside the configured ones.
    pub tokens: Arc<Tokens>,
    /// Who came with wrong ones lately.
    pub failures: Arc<Failures>,
    /// Written to whenever somebody manages, rather than publishes.
    pub audit: Option<Arc<Audit>>,
    /// `None` on a node that makes no attempts.
    pub traffic: Option<Arc<dyn Traffic>>,
    pub tracer: Tracer,
}

/// The publishing API, shared by all connections.
#[derive(Clone, Debug)]
pub struct PublishService(Arc<PublishParts>);

/// One call, all of it here.
struct Received<'p> {
    parts: &'p PublishParts,
    config: &'p Config,
    head: &'p request::Parts,
    access: Access,
    body: &'p Bytes,
    now: Time,
    peer: Peer,
    /// Of a call that publishes, where traces are made.
    span: Option<&'p Open>,
    /// The first of what was published.
    first: &'p OnceLock<(EventId, Arc<str>)>,
}

type Answer = Result<Response<Full<Bytes>>, ApiError>;

impl PublishService {
    pub fn new(parts: PublishParts) -> Self {
        PublishService(Arc::new(parts))
    }

    /// Answers one request.
    pub async fn call<B>(&self, request: Request<B>, peer: Peer) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        if !route::is_ours(request.uri().path()) {
            let mut nothing = Response::new(Full::default());
            *nothing.status_mut() = StatusCode::NOT_FOUND;
            return nothing;
        }
        let method = request.method().clone();
        match self.try_call(request, peer).await {
            Ok(response) => response,
            Err(refusal) => {
                let status = refusal.status.as_u16();
                let error = &*refusal.text;
                if refusal.status.is_server_error() && refusal.status != StatusCode::NOT_IMPLEMENTED {
                    tracing::warn!(source = "publish", %method, status, error, "publish API");
                } else {
                    tracing::info!(source = "publish", %method, status, error, "publish API");
                }
                refusal.into_response()
            }
        }
    }

    async fn try_call<B>(&self, request: Request<B>, peer: Peer) -> Answer
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let parts = &*self.0;
        let now = parts.clock.now();
        let config = parts.config.load_full();
        if !config.publish.enabled || !(config.publish.is_open() || parts.tokens.any_publishes(now)) {
            return Err(ApiError::not_found("publishing is off: there is no token for it"));
        }
        let door = Door { publish: &config.publish, tokens: &parts.tokens, store: &parts.store, now };
        let caller = door.check(request.headers(), request.uri().query()).await;
        let Caller { access, name: caller } = caller.map_err(|error| slowed(&parts.failures, error, peer, now))?;
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let call = route::parse(request.method(), target)?;
        if !access.may_write && !call.only_reads() {
            return Err(ApiError::new(StatusCode::FORBIDDEN, "this token may only read"));
        }
        let publishes = matches!(call, Call::Publish { .. } | Call::Enqueue { .. } | Call::Batch);
        let span = if publishes { trace::begin(&parts.tracer, request.headers(), now) } else { None };
        let (head, body) = request.into_parts();
        let managed = managed::of(&call);
        let first = OnceLock::new();
        let answer = async {
            if !call.only_reads() {
                parts.store.ready(Leave::NOTHING)?;
            }
            let whole = read(parts, &config, &call, body).await?;
            let body = whole.as_ref().map(|whole| whole.bytes.clone()).unwrap_or_default();
            let span = span.as_ref();
            let request =
                Received { parts, config: &config, head: &head, access, body: &body, now, peer, span, first: &first };
            let manages = !call.only_reads() && !publishes;
            let answer = request.answer(call).await;
            if manages {
                parts.book.tell();
            }
            answer
        };
        let answer = answer.await;
        if let Some(span) = span {
            trace::end(span, first.into_inner(), &answer, parts.clock.now());
        }
        if let Some(managed) = managed {
            managed::record(parts, managed, caller, peer, &answer).await;
        }
        answer
    }
}

/// Who was refused too often for want of a token is told to wait instead.
fn slowed(failures: &Failures, error: ApiError, peer: Peer, now: Time) -> ApiError {
    if error.status != StatusCode::UNAUTHORIZED || !failures.too_many(peer.0.ip().to_canonical(), now) {
        return error;
    }
    let s = FAILURES_WINDOW.as_secs();
    let text =
        format!("more than {FAILURES_MAX} calls from this address had no right token within {s} s; wait a minute");
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, text)
}

impl Handler for PublishService {
    type Body = Full<Bytes>;

    async fn handle(&self, request: Request<Incoming>, peer: Peer) -> Response<Self::Body> {
        self.call(request, peer).await
    }
}

impl Received<'_> {
    async fn answer(self, call: Call) -> Answer {
        match call {
            Call::Publish { raw } => publish::publish(&self, None, &raw).await,
            Call::Enqueue { queue, raw } => publish::publish(&self, Some(queue), &raw).await,
            Call::Batch => batch::batch(&self).await,
            Call::Message { id } => messages::get(&self, &id).await,
            Call::CancelMessage { id } => messages::cancel(&self, &id).await,
            Call::CancelMessages { query } => messages::cancel_many(&self, &query).await,
            Call::PutQueue => queues::put(&self).await,
            Call::Queues => queues::list(&self).await,
            Call::Queue { name } => queues::get(&self, &name).await,
            Call::DeleteQueue { name } => queues::delete(&self, &name).await,
            Call::PauseQueue { name, paused } => queues::pause(&self, &name, paused).await,
            Call::PutEndpoints { group } => topics::put_endpoints(&self, &group).await,
            Call::RemoveEndpoints { group } => topics::remove_endpoints(&self, &group).await,
            Call::Groups => topics::list(&self),
            Call::Group { name } => topics::get(&self, &name).await,
            Call::DeleteGroup { name } => topics::delete(&self, &name).await,
            Call::PatchGroup { name } => topics::patch(&self, &name).await,
            Call::CreateSchedule { raw } => schedules::create(&self, &raw).await,
            Call::Schedules => schedules::list(&self).await,
            Call::Schedule { id } => schedules::get(&self, &id).await,
            Call::DeleteSchedule { id } => schedules::delete(&self, &id).await,
            Call::PauseSchedule { id, paused } => schedules::pause(&self, &id, paused).await,
            Call::DeadLetters { query } => dlq::list(&self, &query).await,
            Call::DeadLetter { id } => dlq::get(&self, &id).await,
            Call::DeleteDeadLetter { id } => dlq::delete(&self, &id).await,
            Call::DeleteDeadLetters { query } => dlq::delete_many(&self, &query).await,
            Call::RetryDeadLetter { id } => dlq::retry(&self, &id).await,
            Call::RetryDeadLetters { query } => dlq::retry_many(&self, &query).await,
            Call::Logs { query } => logs::list(&self, &query).await,
            Call::FlowKeys { query } => flow::list(&self, &query).await,
            Call::FlowKey { key } => flow::get(&self, &key).await,
            Call::FlowAction { key, action, query } => flow::act(&self, &key, action, &query).await,
            Call::Parallelism => flow::parallelism(&self),
            Call::Keys => keys::get(&self),
            Call::RotateKeys => keys::rotate(&self).await,
        }
    }

    fn store(&self) -> &dyn Store {
        &*self.parts.store
    }

    fn book(&self) -> &Book {
        &self.parts.book
    }

    fn limits(&self) -> Limits {
        let publish = &self.config.publish;
        Limits { retries_max: publish.retries_max, delay_max: publish.delay_max }
    }

    fn occasion(&self) -> Occasion {
        Occasion {
            now: self.now,
            caller: self.caller().into(),
            correlation_id: correlation::of(&self.head.headers, &*self.parts.entropy),
            dedupe_window: self.config.publish.dedupe_window,
            key: None,
            trace: self.span.map(|span| span.context().clone()),
        }
    }

    fn caller(&self) -> String {
        self.peer.0.ip().to_canonical().to_string()
    }

    fn took(&self) -> Duration {
        self.parts.clock.now().since(self.now)
    }
}

/// The body, if the call takes one.
async fn read<B>(parts: &PublishParts, config: &Config, call: &Call, body: B) -> Result<Option<Whole>, ApiError>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.is_end_stream() {
        return Ok(None);
    }
    let bytes_max = match call {
        Call::Publish { .. } | Call::Enqueue { .. } | Call::CreateSchedule { .. } => config.publish.body_bytes_max,
        Call::Batch => config.publish.batch_bytes_max,
        _ if call.only_reads() => return Ok(None),
        _ => CALL_BYTES_MAX,
    };
    let too_large = || ApiError::quota(format!("quota maxMessageSize exceeded, current limit: {bytes_max}"));
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    let read = body::read(body, bytes_max, Leave::NOTHING, &config.limits, &parts.budget).await;
    read.map(Some).map_err(|error| match error {
        BodyError::TooLarge => too_large(),
        BodyError::Timeout => ApiError::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        BodyError::Broken => ApiError::bad("the body broke off"),
        BodyError::Busy => ApiError::unavailable("too many bodies are being taken in; come again"),
    })
}

/// 200, or another status, with JSON.
fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(value);
    let body = body.map_err(|why| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, why.to_string()))?;
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn ok(value: &impl Serialize) -> Answer {
    json(StatusCode::OK, value)
}

fn empty() -> Answer {
    Ok(Response::new(Full::default()))
}

#[cfg(test)]
mod tests;
