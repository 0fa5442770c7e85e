//! What a page says of an event in words: how it was verified, what the routes make of it, where a delivery stands.

use hookhaven_core::{DeliveryId, Time};

use super::{
    super::{query, show},
    cut,
    timeline::{self, Bar},
};
use crate::{
    api::{
        DestinationView,
        view::{AttemptView, DeliveryDetail, EventDetail, FindingView, HeaderView, RouteView, Text},
    },
    cli::verdict::{self, Mend, Needs, Way},
};

/// Shown of a header's value.
const VALUE_CHARS_MAX: usize = 2_000;
/// Shown of an answer.
const EXCERPT_CHARS_MAX: usize = 4_000;
/// Deeper groups of conditions stand no further to the right.
const INDENT_MAX: usize = 6;

pub struct Line {
    pub name: String,
    pub value: String,
}

/// Headers as text; bytes that are none as base64.
pub fn headers(all: &[HeaderView]) -> Vec<Line> {
    let value = |text: &Text| match text {
        Text::Utf8(text) => cut(text, VALUE_CHARS_MAX),
        Text::Base64 { base64 } => format!("(base64) {}", cut(base64, VALUE_CHARS_MAX)),
    };
    all.iter().map(|header| Line { name: header.name.clone(), value: value(&header.value) }).collect()
}

/// How it was verified, and since when that is out of date.
pub fn verification(detail: &EventDetail) -> Vec<String> {
    let event = &detail.event;
    let sender = match &detail.routing.sender {
        Some(sender) => format!("sender {sender}"),
        None => "its source is not in the config file any more".to_owned(),
    };
    let mut lines = Vec::new();
    match event.matched_secret {
        Some(n) => {
            let n = usize::from(n) + 1;
            let of = detail.routing.secret_count.max(n);
            lines.push(format!("Its signature holds with secret {n} of {of} ({sender})."));
            if n > 1 {
                lines.push(
                    "That is a previous secret: the sender still signs with the one from before the rotation.".into(),
                );
            }
        }
        None if event.source == hookhaven_core::event::PUBLISHED => {
            lines.push("Published with a token of this gateway.".to_owned());
        }
        None => lines.push(format!("Not verified: the source takes requests without a signature ({sender}).")),
    }
    if detail.routing.old {
        lines.push("It is old: it came longer after it happened than its sender comes again.".to_owned());
    }
    lines
}

/// When it happened, by the sender's account.
pub fn occurrence(detail: &EventDetail) -> Option<String> {
    let (event, at) = (&detail.event, detail.event.occurred_at?);
    Some(if event.received_at >= at {
        format!("{} before it came", show::span(&event.received_at.since(at)))
    } else {
        format!("{at}, by the sender's clock, which runs ahead")
    })
}

pub struct Route {
    pub name: String,
    pub events: String,
    pub to: String,
    pub takes: bool,
    pub verdict: &'static str,
    pub conditions: Vec<Condition>,
}

/// One line of a route's filter.
pub struct Condition {
    pub depth: usize,
    pub holds: bool,
    pub text: String,
    pub seen: Option<String>,
}

pub fn route(route: &RouteView) -> Route {
    let verdict = match (route.takes, route.takes_type) {
        (true, _) => "takes it",
        (false, true) => "does not take it: its filter does not hold",
        (false, false) => "does not take this type",
    };
    let mut conditions = Vec::new();
    if route.takes_type {
        route.conditions.iter().for_each(|finding| add(finding, 0, &mut conditions));
    }
    Route {
        name: route.name.clone(),
        events: route.events.join(", "),
        to: route.to.join(", "),
        takes: route.takes,
        verdict,
        conditions,
    }
}

fn add(finding: &FindingView, depth: usize, all: &mut Vec<Condition>) {
    all.push(Condition {
        depth: depth.min(INDENT_MAX),
        holds: finding.holds,
        text: finding.condition.clone(),
        seen: finding.seen.clone(),
    });
    finding.conditions.iter().for_each(|part| add(part, depth + 1, all));
}

/// Something to be done, and what on these pages does it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    pub text: String,
    /// Empty: no page does it.
    pub does: String,
    /// Where that is; empty: on this page.
    pub link: String,
}

/// What a mend is on the page of an event; `here` is the delivery beside which it stands.
pub fn step(mend: &Mend, here: Option<DeliveryId>) -> Step {
    let delivery = |id: &DeliveryId| if here == Some(*id) { String::new() } else { format!("/deliveries/{id}") };
    let at = |id: &DeliveryId, button: &str| match here == Some(*id) {
        true => format!("{button}, above"),
        false => format!("{button}, at that delivery"),
    };
    let destination = |name: &str| format!("/destinations/{}", query::segment(name));
    let (does, link) = match &mend.way {
        None => Default::default(),
        Some(Way::Show(id)) => (id.to_string(), delivery(id)),
        Some(Way::Replay(id) | Way::ReplayEnded(id)) => (at(id, "Replay"), delivery(id)),
        Some(Way::Dismiss(id)) => (at(id, "Dismiss"), delivery(id)),
        Some(Way::ReplayEvent(_)) => ("Deliver it now, at the top of this page".to_owned(), String::new()),
        Some(Way::Resume(name)) => ("Resume, at the destination".to_owned(), destination(name)),
        Some(Way::Enable(name)) => ("Enable, at the destination".to_owned(), destination(name)),
    };
    Step { text: mend.text.clone(), does, link }
}

/// A delivery with what is to be said of it.
pub struct Story {
    pub detail: DeliveryDetail,
    pub attempts: Vec<Try>,
    pub what: String,
    pub mend: Vec<Step>,
    pub tone: &'static str,
    pub has_ended: bool,
}

impl Story {
    pub fn may_be_replayed(&self) -> bool {
        self.has_ended && self.detail.delivery.replaced_by.is_none()
    }
}

pub fn story(detail: &DeliveryDetail, destination: Option<&DestinationView>, now: Time) -> Story {
    let verdict = verdict::of(detail, destination, now);
    let longest = timeline::longest_us(&detail.attempts);
    Story {
        attempts: detail.attempts.iter().map(|attempt| Try::of(attempt, longest)).collect(),
        what: verdict.what,
        mend: verdict.mend.iter().map(|mend| step(mend, Some(detail.delivery.id))).collect(),
        tone: match verdict.needs {
            Needs::Nobody => "quiet",
            Needs::Patience => "note",
            Needs::Person => "error",
        },
        has_ended: matches!(detail.delivery.state.as_str(), "delivered" | "dead" | "cancelled"),
        detail: detail.clone(),
    }
}

/// One attempt.
pub struct Try {
    pub number: u32,
    pub started_at: Time,
    pub took: String,
    pub bar: Bar,
    pub status: Option<u16>,
    pub class: String,
    pub is_good: bool,
    pub error: String,
    pub next_attempt_at: Option<Time>,
    pub headers: Vec<Line>,
    pub excerpt: String,
}

impl Try {
    fn of(attempt: &AttemptView, longest_us: u64) -> Self {
        let excerpt = match &attempt.response_excerpt {
            Text::Utf8(text) => cut(text, EXCERPT_CHARS_MAX),
            bytes => cut(&String::from_utf8_lossy(&bytes.to_bytes()), EXCERPT_CHARS_MAX),
        };
        Try {
            number: attempt.number,
            started_at: attempt.started_at,
            took: timeline::ms(attempt.duration_us),
            bar: timeline::bar(attempt, longest_us),
            status: attempt.status,
            class: attempt.class.replace('_', " "),
            is_good: attempt.class == "ok",
            error: attempt.error.clone(),
            next_attempt_at: attempt.next_attempt_at,
            headers: headers(&attempt.response_headers),
            excerpt,
        }
    }
}
