//! One event, from the gateway to the local server: fetched whole, posted as a destination would get it.
//!
//! The request leaves by the gateway's own way out and has the headers that its worker would send, so that a handler
//! that takes it here takes it there. Headers that hold credentials of senders are not shown by the gateway, and so
//! are missing.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{
    Destination, ErrorClass, Event, Secret, Time,
    destination::{BreakerPolicy, DestinationState},
    event::Part,
};
use hookhaven_store::clock::Clock;
use http::{HeaderMap, HeaderValue, Method};

use super::awake;
use crate::{
    api::view::{EventDetail, EventView, REDACTED, Text},
    cli::{
        client::{Client, Query, Refusal},
        print::span,
    },
    egress::{Egress, Outbound, To, Transport, TransportOptions},
    worker::headers,
};

/// Before the second try, and at most; each pause is twice the one before.
const AGAIN_FIRST: Duration = Duration::from_millis(250);
const AGAIN_MAX: Duration = Duration::from_secs(5);
/// Tries of an event on which the server ends the connection without an answer: it may be the event that ends it.
const BROKEN_TRIES_MAX: u32 = 5;
/// How long this process may be suspended in the middle of a request whose answer is still taken.
const ASLEEP_MAX: Duration = Duration::from_secs(30 * 86_400);
/// Read of an answer, which nobody looks at.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What became of a try.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Became {
    Answered {
        status: u16,
        took: Duration,
        at: Time,
    },
    /// It was there and did not answer.
    Failed {
        why: String,
        at: Time,
    },
    /// The gateway has the event no more.
    Gone {
        why: String,
        at: Time,
    },
    /// The server, or the gateway, is not there.
    NotThere {
        why: String,
        tries: Tries,
    },
}

impl Became {
    /// What it is to be tried again with; `None` if it is over.
    pub fn again(&self) -> Option<Tries> {
        if let Became::NotThere { tries, .. } = self { Some(*tries) } else { None }
    }
}

/// How often an event was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tries {
    pub in_vain: u32,
    /// Of them, those that the server broke off.
    broken: u32,
    /// A process that ended may have posted it before.
    unsure: bool,
}

impl Tries {
    pub fn unsure() -> Self {
        Tries { unsure: true, ..Tries::default() }
    }

    fn one_more(self, broken: bool) -> Self {
        Tries { in_vain: self.in_vain.saturating_add(1), broken: self.broken + u32::from(broken), ..self }
    }

    /// From 1: a handler that is shown more may have had it before.
    fn attempt(self) -> u32 {
        1 + self.broken + u32::from(self.unsure)
    }

    /// Before the next one.
    fn pause(self) -> Option<Duration> {
        let doublings = self.in_vain.checked_sub(1)?.min(10);
        Some(AGAIN_FIRST.saturating_mul(1 << doublings).min(AGAIN_MAX))
    }
}

pub(super) struct Local<'c> {
    client: &'c Client,
    destination: Destination,
    way_out: Transport,
    clock: Arc<dyn Clock>,
}

impl<'c> Local<'c> {
    pub fn new(
        client: &'c Client,
        url: url::Url,
        secret: Secret,
        timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let destination = Destination {
            name: "listen".into(),
            url,
            timeout,
            concurrency: std::num::NonZeroU32::MIN,
            rate: None,
            secrets: vec![secret],
            breaker: BreakerPolicy::default(),
            state: DestinationState::Active,
        };
        Ok(Local { client, destination, way_out: Transport::new(TransportOptions::default())?, clock })
    }

    /// One try, after the pause that so many before it ask for.
    pub async fn bring(&self, event: &EventView, tries: Tries) -> Became {
        if let Some(pause) = tries.pause() {
            self.clock.sleep_until(self.clock.now().plus(pause)).await;
        }
        match self.fetch(event).await {
            Ok(event) => self.post(&event, tries).await,
            Err(error) => match error.downcast_ref::<Refusal>() {
                Some(Refusal(problem)) if problem.status == 404 => {
                    Became::Gone { why: "the gateway has it no more".to_owned(), at: self.clock.now() }
                }
                _ => Became::NotThere { why: format!("{error:#}"), tries: tries.one_more(false) },
            },
        }
    }

    async fn fetch(&self, event: &EventView) -> anyhow::Result<Event> {
        let path = format!("/events/{}", event.id);
        let detail: EventDetail = self.client.get(&path, &Query::default()).await?;
        let body = self.client.bytes(&format!("{path}/body")).await?;
        Ok(whole(detail, body))
    }

    async fn post(&self, event: &Event, tries: Tries) -> Became {
        let mut headers: HeaderMap = headers::build_without_delivery(event, &self.destination, self.clock.now());
        headers.insert("hookhaven-attempt", HeaderValue::from(tries.attempt()));
        let outbound = Outbound {
            method: Method::POST,
            to: To::Configured(self.destination.url.clone()),
            headers,
            body: event.body.clone(),
            timeout: ASLEEP_MAX,
            excerpt_bytes_max: 0,
            response_bytes_max: ANSWER_BYTES_MAX,
        };
        let limit = self.destination.timeout;
        let Some(sent) = awake::timeout(limit, self.way_out.send(outbound)).await else {
            let why = format!("no answer within {}", span(limit));
            return Became::Failed { why, at: self.clock.now() };
        };
        let (took, at) = (sent.duration, self.clock.now());
        let failure = match sent.result {
            Ok(answered) => return Became::Answered { status: answered.status.as_u16(), took, at },
            Err(failure) => failure,
        };
        let broken = failure.class == ErrorClass::Protocol;
        // That time is over for the connection alone: nothing was sent on it.
        let not_there =
            matches!(failure.class, ErrorClass::Dns | ErrorClass::Connect | ErrorClass::Tls | ErrorClass::Timeout);
        let tries = tries.one_more(broken);
        match not_there || broken && tries.broken < BROKEN_TRIES_MAX {
            true => Became::NotThere { why: failure.error, tries },
            false => Became::Failed { why: failure.error, at },
        }
    }
}

/// The event again, out of what the API shows of it.
fn whole(detail: EventDetail, body: Bytes) -> Event {
    let view = detail.event;
    let shown = |value: &Text| *value != Text::Utf8(REDACTED.to_owned());
    let headers = detail.headers.into_iter().filter(|header| shown(&header.value));
    Event {
        id: view.id,
        source: view.source.into(),
        event_type: view.event_type.into(),
        idempotency_key: view.idempotency_key.into(),
        received_at: view.received_at,
        occurred_at: view.occurred_at,
        correlation_id: view.correlation_id.into(),
        matched_secret: view.matched_secret,
        remote: view.remote.into(),
        headers: headers.map(|header| (header.name.into(), header.value.to_bytes().into())).collect(),
        body,
        part: view.part.map(|part| Part { number: part.number, of: part.of, whole: None }),
        digest: None,
    }
}
