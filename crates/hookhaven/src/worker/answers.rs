//! What a handler answers, on its way back to the sender: at once to whoever waits, or later to the address that the
//! request named (Slack's `response_url`).
//!
//! A late answer is an event of its own, with one delivery, stored in the settlement of the attempt it comes from; so
//! it is lost no more than anything else, and its attempts are history like all others. Its source is
//! [`ANSWERS`], which no sender can post to: what its headers say is ours. The address stays where it came, in the
//! event that is answered. The answer goes to hosts of the sender's own and to public addresses alone, and not once
//! its time is over.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{
    Delivery, DeliveryId, EndReason, ErrorClass, Event, EventId, Lane, Policy, Time,
    event::ANSWERS,
    lifecycle::{self, Decision, Outcome, Standing},
    retry::RetryPolicy,
    route,
    senders::LateAnswers,
};
use hookhaven_store::{Follow, Leased, NewDelivery, NewEvent, Store, StoreError};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{CONTENT_TYPE, USER_AGENT},
};

use super::{headers::AGENT, tried::Tried};
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

/// Header of the stored event: which event's handler said it.
const ANSWERED: &str = "hookhaven-answers";

/// Where the answer of a delivery's handler goes if it comes too late.
#[derive(Clone, Copy, Debug)]
pub struct Answers {
    late: Option<&'static LateAnswers>,
}

impl Answers {
    /// `None` if this is not the delivery whose handler answers, by the present configuration.
    pub fn of(config: &Config, event: &Event, delivery: &Delivery) -> Option<Self> {
        config.routes.iter().find(|route| route.answer_within.is_some() && route.name == delivery.route)?;
        let found = route::matches(&config.routes, event);
        route::asked(&found).filter(|asked| *asked.destination == delivery.destination)?;
        let sender = &config.sources.get(&event.source)?.sender;
        Some(Answers { late: sender.late_answers() })
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
            retry: RetryPolicy { attempts: late.uses, initial: RETRY_INITIAL, factor: RETRY_FACTOR, max: RETRY_MAX },
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
            headers: vec![line("content-type", JSON.to_owned()), line(ANSWERED, event.id.to_string())],
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
    /// The event whose handler said it.
    answers: Option<EventId>,
    /// How often its address may have been used.
    used: u32,
    body: Bytes,
}

/// Why an answer is not posted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPosted {
    /// Not now, nor ever.
    #[error("{0}")]
    Never(&'static str),
    #[error("the event that it answers could not be read: {0}")]
    Unread(StoreError),
}

impl LateAnswer {
    pub fn of(leased: &Leased, event: &Event) -> Self {
        let answers = event.header(ANSWERED).and_then(|id| std::str::from_utf8(id).ok()?.parse().ok());
        // A replay would begin to count anew.
        let used = if leased.delivery.replaces.is_some() { u32::MAX } else { leased.attempt_number.saturating_sub(1) };
        LateAnswer { answers, used, body: event.body.clone() }
    }

    /// The address is read from the event itself: it is nowhere else.
    pub async fn outbound(&self, store: &dyn Store, config: &Config, now: Time) -> Result<Outbound, NotPosted> {
        let answered = match self.answers {
            Some(id) => store.event(id).await.map_err(NotPosted::Unread)?,
            None => None,
        };
        let answered = answered.ok_or(NotPosted::Never("the event that it answers is gone"))?;
        let address = self.address(config, &answered, now).map_err(NotPosted::Never)?;
        let headers = [(CONTENT_TYPE, HeaderValue::from_static(JSON)), (USER_AGENT, HeaderValue::from_static(AGENT))];
        Ok(Outbound {
            method: Method::POST,
            to: To::Sender(address.into()),
            headers: HeaderMap::from_iter(headers),
            body: self.body.clone(),
            timeout: TIMEOUT,
            excerpt_bytes_max: config.worker.excerpt_bytes_max,
            response_bytes_max: config.worker.response_bytes_max,
        })
    }

    fn address(&self, config: &Config, answered: &Event, now: Time) -> Result<String, &'static str> {
        let late = config.sources.get(&answered.source).and_then(|source| source.sender.late_answers());
        let late = late.ok_or("the source's sender takes no late answers")?;
        if now >= answered.received_at.plus(late.valid) {
            return Err("the time is over for which the sender takes late answers");
        }
        if self.used >= late.uses {
            return Err("the sender's address was used as often as it may be");
        }
        late.address(answered).ok_or("the event names no address of the sender's own")
    }
}

/// What must not be posted any more, or has nowhere to go, is not tried again.
pub fn decide(tried: &Tried, standing: Standing<'_>, now: Time, jitter: f64) -> Decision {
    let decision = lifecycle::decide(&tried.outcome, standing, now, jitter);
    match tried.outcome {
        Outcome::Failed(ErrorClass::Refused) => {
            Decision { next: lifecycle::Next::Dead(EndReason::Expired), ..decision }
        }
        _ => decision,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use hookhaven_core::DeliveryState;
    use hookhaven_store::{
        clock::{ManualClock, SeededEntropy},
        memory::MemoryStore,
    };

    use super::*;
    use crate::{
        config::{Environment, parse::parse},
        routing,
    };

    const NOW: Time = Time::from_s(1_790_000_000);
    const VALID: Duration = Duration::from_secs(30 * 60);
    const COMMAND: &str = "command=%2Fx&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2F1";

    fn config(routes: &str) -> Config {
        let text = format!(
            "[sources.slack]\nsender = \"slack\"\nsecrets = [\"{0}\"]\n\
             [sources.github]\nsender = \"github\"\nsecrets = [\"{0}\"]\n\
             [destinations.a]\nurl = \"http://127.0.0.1:1/\"\n[destinations.b]\nurl = \"http://127.0.0.1:2/\"\n{routes}",
            "a".repeat(32)
        );
        let parsed = parse(Path::new("hookhaven.toml"), &text, &Environment::default());
        parsed.config.unwrap_or_else(|| panic!("{:?}", parsed.problems))
    }

    fn asking() -> Config {
        config(
            "[[routes]]\nsource = \"slack\"\nto = [\"a\", \"b\"]\nanswer = \"handler\"\n\
             [[routes]]\nsource = \"github\"\nto = [\"a\"]\nanswer = \"handler\"\n",
        )
    }

    fn event(source: &str, body: &str) -> Event {
        Event {
            digest: None,
            part: None,
            id: EventId::from_bytes([1; 16]),
            source: source.into(),
            event_type: "/x".into(),
            idempotency_key: "key".into(),
            received_at: NOW,
            occurred_at: None,
            correlation_id: "c".into(),
            matched_secret: Some(0),
            remote: "".into(),
            headers: vec![("content-type".into(), Bytes::from_static(b"application/x-www-form-urlencoded"))],
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    fn delivery(event: &Event, new: &NewDelivery) -> Delivery {
        Delivery {
            id: new.id,
            event: event.id,
            source: event.source.clone(),
            event_type: event.event_type.clone(),
            destination: new.destination.clone(),
            lane: new.lane.clone(),
            route: new.route.clone(),
            policy: new.policy.clone(),
            accepted_at: NOW,
            due_at: new.due_at,
            attempts: 0,
            tries: 0,
            lost: 0,
            state: DeliveryState::Leased,
            ended_at: None,
            end_reason: None,
            replaces: None,
            replaced_by: None,
            dismissed_at: None,
            cancel_asked_at: None,
            order: None,
        }
    }

    /// What follows if the handler of the event's first destination says this now.
    fn follows(config: &Config, event: &Event, says: &'static str, now: Time) -> Option<NewEvent> {
        let made = routing::deliveries(config, event, NOW, &SeededEntropy::new(1));
        let answers = Answers::of(config, event, &delivery(event, &made[0]))?;
        answers.late(event, &Bytes::from_static(says.as_bytes()), now, || [2; 10]).map(|follow| follow.event)
    }

    #[test]
    fn only_the_handler_that_is_asked_answers() {
        let event = event("slack", COMMAND);
        let of = |config: &Config| -> Vec<bool> {
            let made = routing::deliveries(config, &event, NOW, &SeededEntropy::new(1));
            made.iter().map(|new| Answers::of(config, &event, &delivery(&event, new)).is_some()).collect()
        };
        assert_eq!(of(&asking()), [true, false]);
        assert_eq!(of(&config("[[routes]]\nsource = \"slack\"\nto = [\"a\", \"b\"]\n")), [false, false]);
    }

    #[test]
    fn a_late_answer_is_an_event_without_the_address() {
        let new = follows(&asking(), &event("slack", COMMAND), "done", NOW).unwrap();
        assert_eq!((&*new.event.source, &new.event.body[..]), (ANSWERS, &br#"{"text":"done"}"#[..]));
        assert!(new.event.headers.iter().all(|(_, value)| !String::from_utf8_lossy(value).contains("slack.com")));
        let made = &new.deliveries[0];
        assert_eq!((&*made.destination, made.lane.as_str()), ("hooks.slack.com", "u:https://hooks.slack.com"));
        assert_eq!((made.policy.retry.attempts, made.policy.max_age), (5, VALID));
    }

    #[test]
    fn nothing_follows_where_nobody_would_hear_it() {
        let config = asking();
        let command = event("slack", COMMAND);
        assert_eq!(follows(&config, &command, " ", NOW), None, "nothing to say");
        assert_eq!(follows(&config, &command, "done", NOW.plus(VALID)), None, "too late");
        assert_eq!(follows(&config, &event("slack", "command=%2Fx"), "done", NOW), None, "no address");
        assert_eq!(follows(&config, &event("github", COMMAND), "done", NOW), None, "takes no late answers");
    }

    #[tokio::test]
    async fn an_address_is_used_five_times_in_half_an_hour_and_no_more() {
        let config = asking();
        let (command, clock) = (event("slack", COMMAND), ManualClock::at(NOW));
        let store = MemoryStore::new(Arc::new(clock), Arc::new(SeededEntropy::new(1)));
        let new = follows(&config, &command, "done", NOW).unwrap();
        let late = delivery(&new.event, &new.deliveries[0]);
        let stored =
            NewEvent { refuses_replay: false, event: command, key_until: NOW, deliveries: vec![], revives: true };
        let outbound = async |attempt_number, replaces, now| {
            let delivery = Delivery { replaces, ..late.clone() };
            let leased = Leased { delivery, fence: 1, attempt_number, event: Ok(Arc::new(new.event.clone())) };
            LateAnswer::of(&leased, &new.event).outbound(&store, &config, now).await
        };
        let gone = NotPosted::Never("the event that it answers is gone");
        assert_eq!(outbound(1, None, NOW).await.unwrap_err(), gone);
        store.accept(vec![stored]).await.unwrap();
        let posted = outbound(5, None, NOW.plus(VALID - Duration::from_micros(1))).await.unwrap();
        assert!(matches!(&posted.to, To::Sender(url) if **url == *"https://hooks.slack.com/commands/1"));
        assert_eq!((posted.method, &posted.body[..]), (Method::POST, &br#"{"text":"done"}"#[..]));
        let used_up = NotPosted::Never("the sender's address was used as often as it may be");
        assert_eq!(outbound(6, None, NOW).await.unwrap_err(), used_up);
        assert_eq!(outbound(1, Some(late.id), NOW).await.unwrap_err(), used_up);
        let over = NotPosted::Never("the time is over for which the sender takes late answers");
        assert_eq!(outbound(1, None, NOW.plus(VALID)).await.unwrap_err(), over);
        let tried = Tried::not_posted(NOW, &over);
        let standing = Standing { retry: &late.policy.retry, attempts: 0 };
        assert_eq!(decide(&tried, standing, NOW, 0.0).next, lifecycle::Next::Dead(EndReason::Expired));
    }
}
