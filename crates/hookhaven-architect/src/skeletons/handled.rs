//! What the handlers of a source are written from: its groups of types, what they keep, what they do outside, and where
//! the id of what an event is about stands.
//!
//! Not here: any language (`node`, `python`, `axum`, `go`).

use crate::{
    Plan,
    design::RouteDesign,
    intake::{Effect, SenderAnswers},
    words::span,
};

use super::literal;

/// A source, as its handlers see it.
pub struct Handled<'p> {
    /// Lower-case letters, digits and `-`.
    pub name: &'p str,
    /// For comments: of the catalogue, or the name.
    pub title: &'p str,
    pub secret_variable: &'p str,
    /// Alternatives, best first, of places that are joined.
    pub object_places: Vec<Vec<String>>,
    pub groups: Vec<Group>,
    /// Whether the newest state of things is kept.
    pub keeps: bool,
    pub outside: Vec<Outside>,
}

/// Types that are treated alike: those of a route.
pub struct Group {
    /// An identifier in lower case, one of its kind within the source: `payment_intent_succeeded`.
    pub word: String,
    /// Types or globs, as they were named.
    pub events: Vec<String>,
    /// For a comment.
    pub urgency: String,
}

/// An effect outside the team's own database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outside {
    Mail,
    Payment,
    Build,
    Message,
    Fulfilment,
    Record,
    Call,
}

/// A sample event of the project's own test.
pub struct SampleEvent {
    pub event_type: String,
    /// `OBJECT` stands for the id of what it is about, if the sender's events have one.
    pub body: String,
    pub has_object: bool,
}

pub fn all(plan: &Plan) -> Vec<Handled<'_>> {
    plan.intake.senders.iter().filter_map(|sender| one(plan, sender)).collect()
}

fn one<'p>(plan: &'p Plan, sender: &'p SenderAnswers) -> Option<Handled<'p>> {
    let destination = plan.design.destinations.iter().find(|destination| destination.source == sender.name)?;
    let effects = &sender.processing.effects;
    let outside: Vec<Outside> = effects.iter().filter_map(|effect| Outside::of(*effect)).collect();
    // Access is given by the newest state, so that has to be known.
    let state = [Effect::Database, Effect::Fulfilment];
    let keeps = outside.is_empty() || effects.iter().any(|effect| state.contains(effect));
    let mut groups: Vec<Group> = Vec::new();
    for route in plan.design.routes_of(&sender.name) {
        let word = free_word(route, &groups);
        groups.push(Group { word, events: route.events.clone(), urgency: urgency(route) });
    }
    Some(Handled {
        name: &sender.name,
        title: sender.title(),
        secret_variable: &destination.secret_variable,
        object_places: object_places(sender),
        groups,
        keeps,
        outside,
    })
}

fn urgency(route: &RouteDesign) -> String {
    let within = span(route.deadline.value);
    if route.critical.value {
        format!("Within {within} of their arrival; a dead letter of these wakes somebody.")
    } else {
        format!("Within {within} of their arrival.")
    }
}

/// Named after the first of the types.
fn free_word(route: &RouteDesign, taken: &[Group]) -> String {
    let first = route.events.first().map_or("", String::as_str);
    let word = match literal::word(first) {
        word if word.is_empty() => "anything".to_owned(),
        word => word,
    };
    let is_free = |word: &str| taken.iter().all(|group| group.word != word);
    if is_free(&word) {
        return word;
    }
    let numbered = (2..).map(|n| format!("{word}_{n}")).find(|word| is_free(word));
    numbered.unwrap_or(word)
}

/// What the team named, then what the catalogue knows.
fn object_places(sender: &SenderAnswers) -> Vec<Vec<String>> {
    let named = sender.ordering.values().filter_map(|wish| wish.key.as_deref());
    let known = sender.sender.map(|declared| declared.order_key).unwrap_or_default();
    let mut all: Vec<Vec<String>> = Vec::new();
    for text in named.chain(known.iter().copied()) {
        let places: Vec<String> =
            text.split(" + ").map(|place| place.trim().trim_end_matches('?').to_owned()).collect();
        let readable =
            |place: &String| place.starts_with("json:/") || (place.starts_with("header:") && !place.contains('*'));
        if places.iter().all(readable) && !all.contains(&places) {
            all.push(places);
        }
    }
    all
}

impl Handled<'_> {
    /// One for each group: its first type, with a word in place of each star.
    pub fn samples(&self) -> Vec<SampleEvent> {
        let place = self.object_places.first().and_then(|places| places.first());
        let pointer = place.and_then(|place| place.strip_prefix("json:"));
        let body = pointer.map_or_else(|| "{}".to_owned(), body_with);
        let first = |group: &Group| group.events.first().map_or("any", String::as_str).replace('*', "any");
        let of = |group| SampleEvent { event_type: first(group), body: body.clone(), has_object: pointer.is_some() };
        self.groups.iter().map(of).collect()
    }

    /// Effects for the newest state only; effects for each event, late or not.
    pub fn by_state(&self) -> (Vec<Outside>, Vec<Outside>) {
        self.outside.iter().partition(|outside| outside.follows_state())
    }

    /// Effects as the handlers decide them, one after the other.
    pub fn in_order(&self) -> Vec<Outside> {
        let (follows, each) = self.by_state();
        [follows, each].concat()
    }

    /// An identifier: `standard_webhooks`, and `in_` before what begins with a digit.
    pub fn word(&self) -> String {
        let word = self.name.replace('-', "_");
        if word.starts_with(|c: char| c.is_ascii_lowercase()) { word } else { format!("in_{word}") }
    }
}

/// A body that holds `OBJECT` at this place.
fn body_with(pointer: &str) -> String {
    let mut body = "\"OBJECT\"".to_owned();
    for key in pointer.split('/').skip(1).collect::<Vec<_>>().into_iter().rev() {
        let key = key.replace("~1", "/").replace("~0", "~");
        body = if key == "0" { format!("[{body}]") } else { format!("{{{}:{body}}}", literal::json(&key)) };
    }
    body
}

impl Outside {
    fn of(effect: Effect) -> Option<Outside> {
        match effect {
            Effect::Database => None,
            Effect::Mail => Some(Outside::Mail),
            Effect::Money => Some(Outside::Payment),
            Effect::Build => Some(Outside::Build),
            Effect::Message => Some(Outside::Message),
            Effect::Fulfilment => Some(Outside::Fulfilment),
            Effect::Record => Some(Outside::Record),
            Effect::Call => Some(Outside::Call),
        }
    }

    /// In the outbox, and in identifiers.
    pub fn word(self) -> &'static str {
        match self {
            Outside::Mail => "mail",
            Outside::Payment => "payment",
            Outside::Build => "build",
            Outside::Message => "message",
            Outside::Fulfilment => "fulfilment",
            Outside::Record => "record",
            Outside::Call => "call",
        }
    }

    /// The environment variable with the address that performs it.
    pub fn variable(self) -> String {
        format!("{}_URL", self.word().to_uppercase())
    }

    /// What the key does for it, for the comment beside it.
    pub fn about(self) -> &'static str {
        match self {
            Outside::Mail => {
                "Sends the mail. A service that takes no key may send it twice, if this process dies just then."
            }
            Outside::Payment => {
                "Moves the money. Only with a provider that keeps to the key: a charge is never made without one."
            }
            Outside::Build => {
                "Starts the build. Where the key is no parameter of yours, let builds of one commit replace each other."
            }
            Outside::Message => {
                "Says it to a person. A service that takes no key may say it twice, if this process dies just then."
            }
            Outside::Fulfilment => {
                "Gives or takes what was paid for, by the newest state. Let it set, not add: set twice is harmless."
            }
            Outside::Record => "Records it. Make the key the id of the record, and twice is once.",
            Outside::Call => "Calls the other API. Where it takes no key, call something that may be called twice.",
        }
    }

    /// What late events must not undo.
    fn follows_state(self) -> bool {
        self == Outside::Fulfilment
    }
}
