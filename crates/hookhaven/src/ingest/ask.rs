//! What a sender is answered whose user waits: what the handler says, if it says so in time.
//!
//! Not here: why the event cannot be lost meanwhile (`crate::asking`), what the handler is sent (`worker`).

use std::borrow::Cow;

use hookhaven_core::{
    DeliveryId, Time,
    route::{self, Route},
    sender::Answer,
};
use hookhaven_store::{NewEvent, clock::Clock};

use super::{IngestParts, answer::Stored};
use crate::{
    asking::{DUE_AFTER_LIMIT, HandlerAnswer, Seat},
    config::Config,
};

/// Whom the sender heard, where a route asks for the handler's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Handler,
    /// It refused, failed, or took too long.
    Default,
    /// It could not be asked at once.
    NoRoom,
}

impl Heard {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::Default => "default",
            Self::NoRoom => "no_room",
        }
    }
}

/// A handler that is to be asked once the event is stored.
pub(super) struct Asking {
    seat: Box<dyn Seat>,
    delivery: DeliveryId,
    until: Time,
}

/// Looks whether a route asks for the handler's answer, and keeps a seat for it. `Err` says that none does, or that
/// there is no room, in which case the delivery stays due at once.
pub(super) fn prepare(parts: &IngestParts, config: &Config, events: &mut [NewEvent]) -> Result<Asking, Option<Heard>> {
    // Several events would have several answers.
    let [NewEvent { event, deliveries, .. }] = events else { return Err(None) };
    let asks = |route: &Route| route.answer_within.is_some() && route.source == event.source;
    if !config.routes.iter().any(asks) {
        return Err(None);
    }
    let found = route::matches(&config.routes, event);
    let asked = route::asked(&found).ok_or(None)?;
    // None is made for a destination that is disabled.
    let delivery = deliveries.iter_mut().find(|d| d.destination == *asked.destination).ok_or(None)?;
    let within = asked.route.answer_within.unwrap_or_default();
    let asker = parts.asker.as_deref().ok_or(Some(Heard::NoRoom))?;
    let seat = asker.seat(asked.destination).ok_or(Some(Heard::NoRoom))?;
    let until = event.received_at.plus(within);
    delivery.due_at = until.plus(DUE_AFTER_LIMIT);
    Ok(Asking { seat, delivery: delivery.id, until })
}

/// What the sender is answered, and whom it hears; `None` for its default answer.
pub(super) async fn hear(
    asking: Result<Asking, Option<Heard>>,
    stored: &[Stored],
    clock: &dyn Clock,
) -> (Option<Answer>, Option<Heard>) {
    // The first of the two is being asked, or was.
    if stored.iter().all(|stored| stored.novelty.is_duplicate()) {
        return (None, None);
    }
    match asking {
        Err(heard) => (None, heard),
        Ok(asking) => match asking.ask(clock).await {
            Some(answer) => (Some(answer), Some(Heard::Handler)),
            None => (None, Some(Heard::Default)),
        },
    }
}

impl Asking {
    /// Asks, and waits as long as the sender may wait; what comes later is the worker's. `None`: the default answer.
    async fn ask(self, clock: &dyn Clock) -> Option<Answer> {
        let mut answer = self.seat.ask(self.delivery);
        let told = tokio::select! {
            biased;
            told = &mut answer => told.ok(),
            () = clock.sleep_until(self.until) => {
                // From here on it is late, and whoever has it is told so: it goes back by one way only.
                answer.close();
                answer.try_recv().ok()
            }
        };
        told.map(of_handler)
    }
}

fn of_handler(told: HandlerAnswer) -> Answer {
    let HandlerAnswer { status, content_type, body } = told;
    let content_type = content_type.and_then(|value| value.to_str().ok().map(|text| Cow::Owned(text.to_owned())));
    Answer { status, content_type, headers: Vec::new(), body: body.into() }
}
