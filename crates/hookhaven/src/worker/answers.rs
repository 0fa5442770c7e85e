//! What a handler answers, on its way back to the sender: at once to whoever waits, or later to the address that the
//! request named (Slack's `response_url`).
//!
//! A late answer is an event of its own, with one delivery, stored in the settlement of the attempt it comes from; so
//! it is lost no more than anything else, and its attempts are history like all others. Its source is
//! [`ANSWERS`], which no sender can post to: what its headers say is ours. It goes to hosts of the sender's own and to
//! public addresses alone, and not once its time is over.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{
    Delivery, DeliveryId, EndReason, ErrorClass, Event, EventId, Lane, Policy, Time,
    breaker::Health,
    event::ANSWERS,
    lifecycle::{self, Decision},
    retry::RetryPolicy,
    route,
    senders::{self, LateAnswers},
};
use hookhaven_store::{Follow, Leased, NewDelivery, NewEvent};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{CONTENT_TYPE, USER_AGENT},
};

use super::headers::AGENT;
use crate::{
    config::Config,
    egress::{Outbound, To},
};

const EVENT_TYPE: &str = "late_answer";
const JSON: &str = "application/json";
/// From the name to the last byte.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Between the uses of an address, which is good for minutes.
const RETRY_INITIAL: Duration = Duration::from_secs(2);
const RETRY_FACTOR: f64 = 4.0;
const RETRY_MAX: Duration = Duration::from_secs(300);

/// What the stored event says beside the body.
const ADDRESS: &str = "hookhaven-answer-address";
const SENDER: &str = "hookhaven-answer-sender";
const UNTIL: &str = "hookhaven-answer-until";

/// Where the answer of a delivery's handler goes if it comes too late.
#[derive(Clone, Copy, Debug)]
pub struct Answers {
    sender: &'static str,
    late: Option<&'static LateAnswers>,
}

impl Answers {
    /// `None` if this is not the delivery whose handler answers, by the present configuration.
    pub fn of(config: &Config, event: &Event, delivery: &Delivery) -> Option<Self> {
        config.routes.iter().find(|route| route.answer_within.is_some() && route.name == delivery.route)?;
        let found = route::matches(&config.routes, event);
        route::asked(&found).filter(|asked| *asked.destination == delivery.destination)?;
        let sender = &config.sources.get(&event.source)?.sender;
        Some(Answers { sender: sender.name(), late: sender.late_answers() })
    }

    /// The event that brings a late answer to the sender; `None` if that takes none, or there is nothing to say.
    /// `mint` makes the ten random bytes of its id, which is the delivery's too.
    pub fn late(self, event: &Event, answer: &Bytes, now: Time, mint: impl FnOnce() -> [u8; 10]) -> Option<Follow> {
        let late = self.late?;
        let until = event.received_at.plus(late.valid);
        let body = late.body(answer).filter(|_| now < until)?;
        let address = late.address(event)?;
        let host = url::Url::parse(&address).ok()?.host_str()?.to_owned();
        let id = EventId::mint(now, mint());
        let policy = Policy {
            retry: RetryPolicy {
                attempts: late.uses.try_into().ok()?,
                initial: RETRY_INITIAL,
                factor: RETRY_FACTOR,
                max: RETRY_MAX,
            },
            deadline: TIMEOUT,
            max_age: until.since(now),
            critical: false,
        };
        let delivery = NewDelivery {
            order: None,
            id: DeliveryId::from_bytes(*id.as_bytes()),
            lane: Lane::of_url(&format!("https://{host}")),
            destination: host.into(),
            route: EVENT_TYPE.into(),
            policy: Arc::new(policy),
            due_at: now,
        };
        let line = |name: &str, value: String| (Arc::from(name), Bytes::from(value));
        let event = Event {
            digest: None,
            part: None,
            id,
            source: ANSWERS.into(),
            event_type: EVENT_TYPE.into(),
            idempotency_key: id.to_string().into(),
            received_at: now,
            occurred_at: None,
            correlation_id: event.correlation_id.clone(),
            matched_secret: None,
            remote: "".into(),
            headers: vec![
                line("content-type", JSON.to_owned()),
                line(ADDRESS, address),
                line(SENDER, self.sender.to_owned()),
                line(UNTIL, until.to_string()),
            ],
            body,
        };
        let event =
            NewEvent { refuses_replay: false, event, key_until: now, deliveries: vec![delivery], revives: false };
        Some(Follow { event, unless_cancelled: false })
    }
}

/// A late answer about to be posted.
#[derive(Debug)]
pub struct LateAnswer {
    address: Arc<str>,
    /// Why it must not be posted any more.
    over: Option<&'static str>,
    body: Bytes,
}

impl LateAnswer {
    /// As it was stored. What does not hold any more is not posted: the time, the number of uses, the sender's hosts.
    pub fn of(leased: &Leased, event: &Event, now: Time) -> Self {
        let text = |name| event.header(name).and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default();
        let (address, until) = (text(ADDRESS), Time::parse_rfc3339(text(UNTIL)));
        let late = senders::find(text(SENDER)).and_then(|sender| sender.late_answers);
        let over = match late {
            Some(late) if late.is_theirs(address) => {
                // A replay would begin to count anew.
                let used_up = leased.attempt_number > late.uses || leased.delivery.replaces.is_some();
                let too_late = until.is_none_or(|until| now >= until);
                match (too_late, used_up) {
                    (true, _) => Some("the address was good for a while, which is over"),
                    (false, true) => Some("the address was used as often as it may be"),
                    (false, false) => None,
                }
            }
            _ => Some("the address is not one of the sender's own"),
        };
        LateAnswer { address: address.into(), over, body: event.body.clone() }
    }

    /// Or why it is not posted.
    pub fn outbound(&self, config: &Config) -> Result<Outbound, &'static str> {
        if let Some(why) = self.over {
            return Err(why);
        }
        let headers = [(CONTENT_TYPE, HeaderValue::from_static(JSON)), (USER_AGENT, HeaderValue::from_static(AGENT))];
        Ok(Outbound {
            method: Method::POST,
            to: To::Sender(self.address.clone()),
            headers: HeaderMap::from_iter(headers),
            body: self.body.clone(),
            timeout: TIMEOUT,
            excerpt_bytes_max: config.worker.excerpt_bytes_max,
            response_bytes_max: config.worker.response_bytes_max,
        })
    }

    pub fn decide(&self, decision: Decision) -> Decision {
        match self.over {
            Some(_) => Decision {
                next: lifecycle::Next::Dead(EndReason::Expired),
                class: ErrorClass::Refused,
                health: Health::Silent,
                ..decision
            },
            None => decision,
        }
    }
}
