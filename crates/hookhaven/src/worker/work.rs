//! What a leased delivery is to do: call a configured destination, bring out a published message, post a late
//! answer, or tell of an alert. They differ in what is sent and in the rules of what follows; everything else is the attempt's.

use std::sync::Arc;

use hookhaven_core::{
    Destination, Event, Time,
    destination::DestinationState,
    event::{ALERTS, ANSWERS, PUBLISHED},
    hints,
    lifecycle::{self, Decision, Standing},
};
use hookhaven_store::Leased;
use http::Method;

use super::{
    WorkerParts,
    answers::{self, Answers, LateAnswer},
    headers, trace,
    tried::Tried,
};
use crate::{
    asking::ANSWER_BYTES_MAX,
    egress::{Outbound, To},
    published::Message,
    telemetry::Open,
};

pub enum Work {
    /// With it, whether the handler's answer goes back to the sender.
    Configured(Arc<Destination>, Option<Answers>),
    /// A handler's late answer, to the sender.
    Late(LateAnswer),
    Published(Box<dyn Message>),
    /// An alert, to the channel that is its destination.
    Alert,
    /// The event of a published message could not be read back.
    Unread,
}

impl Work {
    /// `None` if the destination left the config, or was paused there, after the claim.
    pub fn of(parts: &WorkerParts, leased: &Leased) -> Option<Self> {
        let delivery = &leased.delivery;
        if &*delivery.source == PUBLISHED {
            return Some(match &leased.event {
                Ok(event) => Work::Published(parts.published.message(delivery, event)),
                Err(_) => Work::Unread,
            });
        }
        if &*delivery.source == ANSWERS {
            return Some(match &leased.event {
                Ok(event) => Work::Late(LateAnswer::of(leased, event)),
                Err(_) => Work::Unread,
            });
        }
        if &*delivery.source == ALERTS {
            return Some(if leased.event.is_ok() { Work::Alert } else { Work::Unread });
        }
        let config = parts.config.load();
        let destination = config.destinations.get(&delivery.destination).cloned();
        let destination = destination.filter(|d| d.state == DestinationState::Active)?;
        let answers = leased.event.as_ref().ok().and_then(|event| Answers::of(&config, event, delivery));
        Some(Work::Configured(destination, answers))
    }

    /// The flow-control key it is under, if that is not its lane's.
    pub fn flow_key(&self, leased: &Leased) -> Option<&str> {
        match self {
            Work::Published(message) if leased.delivery.lane.is_queue() => message.flow_key(),
            _ => None,
        }
    }

    pub fn destination(&self) -> Option<&Arc<Destination>> {
        match self {
            Work::Configured(destination, _) => Some(destination),
            Work::Published(_) | Work::Late(_) | Work::Alert | Work::Unread => None,
        }
    }

    /// Where the handler's answer goes beside the record, if anywhere.
    pub fn answers(&self) -> Option<Answers> {
        match self {
            Work::Configured(_, answers) => *answers,
            _ => None,
        }
    }

    pub async fn attempt(&self, parts: &WorkerParts, leased: &Leased, span: Option<&Open>) -> Tried {
        let started_at = parts.clock.now();
        let event = match &leased.event {
            Ok(event) => event,
            Err(why) => return Tried::unreadable(started_at, why),
        };
        let mut outbound = match self {
            Work::Configured(destination, answers) => {
                let mut outbound = configured(parts, destination, event, leased, started_at);
                if answers.is_some() {
                    // One byte more shows that it is too long.
                    outbound.excerpt_bytes_max = outbound.excerpt_bytes_max.max(ANSWER_BYTES_MAX + 1);
                    outbound.response_bytes_max = outbound.response_bytes_max.max(ANSWER_BYTES_MAX + 1);
                }
                outbound
            }
            Work::Late(answer) => match answer.outbound(&*parts.store, &parts.config.load_full(), started_at).await {
                Ok(outbound) => outbound,
                Err(why) => return Tried::not_posted(started_at, &why),
            },
            Work::Published(message) => {
                message.outbound(leased.delivery.attempts, started_at, parts.entropy.id_bytes())
            }
            Work::Alert => {
                let sent = parts.teller.tell(&leased.delivery.destination, event, started_at).await;
                return Tried::sent(started_at, sent, parts.clock.now());
            }
            Work::Unread => return Tried::unreadable(started_at, "it was not read"),
        };
        if let Some(span) = span {
            trace::tell(span, self, &mut outbound.headers);
        }
        let sent = parts.transport.send(outbound).await;
        let tried = Tried::sent(started_at, sent, parts.clock.now());
        match self.answers() {
            Some(_) => tried.with_whole_body(parts.config.load().worker.excerpt_bytes_max),
            None => tried,
        }
    }

    pub fn decide(&self, leased: &Leased, tried: &Tried, now: Time, jitter: f64) -> Decision {
        let delivery = &leased.delivery;
        let standing = Standing { retry: &delivery.policy.retry, attempts: delivery.attempts };
        match self {
            Work::Published(message) => {
                let (wait, hint) = (message.wait(delivery.attempts), hints::wait(&tried.headers, now));
                lifecycle::decide_published(&tried.outcome, standing, wait, hint, now)
            }
            Work::Late(_) | Work::Alert => answers::decide(tried, standing, now, jitter),
            Work::Configured(..) | Work::Unread => {
                let decision = lifecycle::decide(&tried.outcome, standing, now, jitter);
                lifecycle::decide_ordered(decision, delivery.order.as_deref(), now)
            }
        }
    }
}

fn configured(
    parts: &WorkerParts,
    destination: &Destination,
    event: &Event,
    leased: &Leased,
    started_at: Time,
) -> Outbound {
    let limits = parts.config.load();
    Outbound {
        method: Method::POST,
        to: To::Configured(destination.url.clone()),
        headers: headers::build(event, &leased.delivery, destination, leased.attempt_number, started_at),
        body: event.body.clone(),
        timeout: destination.timeout,
        excerpt_bytes_max: limits.worker.excerpt_bytes_max,
        response_bytes_max: limits.worker.response_bytes_max,
    }
}
