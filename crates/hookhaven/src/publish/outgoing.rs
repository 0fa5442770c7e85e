//! The side of publishing that the worker asks: whether a lane may give out work, what an attempt of a message
//! sends, and which callbacks follow from it.

use std::{fmt, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use hookhaven_core::{Attempt, Delivery, Event, Lane, Time};
use hookhaven_store::{Follow, Next};

use super::{
    callback::{self, Kind, Told},
    headers,
    keys::Keys,
    message,
};
use crate::{
    config::Config,
    egress::{Outbound, To},
    published::{FlowLimits, Message, Published},
};

/// What people hold back or limit, known without asking the store.
pub trait Gates: Send + Sync + fmt::Debug {
    fn is_paused(&self, lane: &Lane) -> bool;
    fn flow(&self, key: &str) -> FlowLimits;
}

#[derive(Clone, Debug)]
pub struct Outgoing {
    pub config: Arc<ArcSwap<Config>>,
    pub keys: Arc<Keys>,
    pub gates: Arc<dyn Gates>,
}

impl Published for Outgoing {
    fn is_paused(&self, lane: &Lane) -> bool {
        self.gates.is_paused(lane)
    }

    fn flow(&self, key: &str) -> FlowLimits {
        self.gates.flow(key)
    }

    fn message(&self, delivery: &Delivery, event: &Arc<Event>) -> Box<dyn Message> {
        Box::new(One {
            config: self.config.load_full(),
            keys: self.keys.clone(),
            message: message::Message::of(event, delivery),
            event: event.clone(),
            delivery: delivery.clone(),
        })
    }
}

struct One {
    config: Arc<Config>,
    keys: Arc<Keys>,
    message: message::Message,
    event: Arc<Event>,
    delivery: Delivery,
}

impl Message for One {
    fn flow_key(&self) -> Option<&str> {
        self.message.settings.flow.as_ref().map(|flow| &*flow.key)
    }

    fn outbound(&self, retried: u32, now: Time, random: [u8; 10]) -> Outbound {
        let Config { publish, net, worker, .. } = &*self.config;
        let settings = &self.message.settings;
        let keys = self.keys.now();
        let attempt = headers::Attempt { retried, now, key: &keys.current, random };
        Outbound {
            method: settings.method.clone(),
            to: To::Published { url: self.message.url.clone(), allow: net.allow.clone() },
            headers: headers::build(&self.message, &self.event.body, attempt),
            body: self.event.body.clone(),
            timeout: settings.timeout.unwrap_or(publish.timeout).min(publish.timeout_max),
            excerpt_bytes_max: publish.answer_bytes_max,
            response_bytes_max: worker.response_bytes_max.max(publish.answer_bytes_max),
        }
    }

    fn wait(&self, retried: u32) -> Option<Duration> {
        self.message.settings.retry_delay.as_ref().map(|delay| delay.expression.wait(retried))
    }

    fn follows(&self, attempt: &Attempt, next: Next, now: Time, mint: &mut dyn FnMut() -> [u8; 10]) -> Vec<Follow> {
        if next == Next::Release {
            return Vec::new();
        }
        let told = Told { event: &self.event, delivery: &self.delivery, message: &self.message, attempt, now };
        let settings = &self.message.settings;
        let failed = matches!(next, Next::Dead(_));
        let wanted = [(Kind::Attempt, &settings.callback), (Kind::Failure, &settings.failure_callback)];
        let wanted = wanted.into_iter().filter(|(kind, _)| failed || *kind == Kind::Attempt);
        let follow = |(kind, callback): (Kind, &Option<_>)| {
            let event = callback::event(told, kind, callback.as_ref()?, mint());
            Some(Follow { event, unless_cancelled: kind == Kind::Failure })
        };
        wanted.filter_map(follow).collect()
    }
}
