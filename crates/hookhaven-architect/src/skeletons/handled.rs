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
    /// Lower-case letters, digits and `-`; the first is a letter.
    pub name: &'p str,
    /// For comments: of the catalogue, or the name.
    pub title: &'p str,
    pub secret_variable: &'p str,
    /// Alternatives, best first, of places that are joined; none if nothing is known to name what an event is about.
    pub object_places: Vec<Vec<String>>,
    pub groups: Vec<Group>,
    /// What the sender is told in the end, where somebody waits for it.
    pub reply: Option<Reply>,
    /// Whether the newest state of things is kept.
    pub keeps: bool,
    pub outside: Vec<Outside>,
}

/// Types that are treated alike: those of a route.
pub struct Group {
    /// An identifier in lower case, one of its kind within the source: `payment_intent_succeeded`.
    pub word: String,
    /// Types or globs, as they arrive in a header.
    pub events: Vec<String>,
    /// For a comment.
    pub urgency: String,
}

/// An answer that says nothing to anybody, to begin with.
#[derive(Clone, Copy)]
pub struct Reply {
    pub content_type: &'static str,
    pub text: &'static str,
}

/// What many things share: a channel, a topic, an account. Deliveries can be ordered by it; but of two things that share
/// one, news of one would hide news of the other.
const SHARED: &[&str] = &[
    "header:upstash-schedule-id",
    "json:/TopicArn",
    "json:/account",
    "json:/account_id",
    "json:/base/id",
    "json:/channel_id",
    "json:/data/object/customer",
    "json:/entry/0/id",
    "json:/event/boardId",
    "json:/event/channel",
    "json:/events/0/source/groupId",
    "json:/events/0/source/roomId",
    "json:/events/0/source/userId",
    "json:/events/0/tenantId",
    "json:/for_user_id",
    "json:/form_response/form_id",
    "json:/installation/id",
    "json:/item_id",
    "json:/list_folder/accounts/0",
    "json:/message/chat/id",
    "json:/model/id",
    "json:/name",
    "json:/project/id",
    "json:/repository/id",
    "json:/repository/repo_name",
    "json:/repository/uuid",
    "json:/scopeObjectId",
    "json:/subscription/id",
    "json:/team_id",
];

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
        let events = route.events.iter().map(|event| as_header(event)).collect();
        groups.push(Group { word, events, urgency: urgency(route) });
    }
    Some(Handled {
        name: &sender.name,
        title: sender.title(),
        secret_variable: &destination.secret_variable,
        object_places: object_places(sender),
        groups,
        reply: reply(plan, sender),
        keeps,
        outside,
    })
}

/// The gateway writes `?` for what no header can hold.
fn as_header(event_type: &str) -> String {
    event_type.bytes().map(|b| if (b' '..=b'~').contains(&b) { char::from(b) } else { '?' }).collect()
}

fn reply(plan: &Plan, sender: &SenderAnswers) -> Option<Reply> {
    let declared = sender.sender.filter(|_| plan.design.routes_of(&sender.name).any(|route| route.answers.value))?;
    if declared.name == "discord" {
        // It takes nothing else for an answer.
        return Some(Reply { content_type: "application/json", text: r#"{"type":4,"data":{"content":"Done."}}"# });
    }
    let told = declared.answer;
    Some(Reply { content_type: told.content_type.unwrap_or("text/plain"), text: told.body })
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

/// What the catalogue knows to name the thing itself; where it knows nothing, what the team orders by.
fn object_places(sender: &SenderAnswers) -> Vec<Vec<String>> {
    let known = sender.sender.map(|declared| declared.order_key).unwrap_or_default();
    match places(known.iter().copied()) {
        known if !known.is_empty() => known,
        _ => places(sender.ordering.values().filter_map(|wish| wish.key.as_deref())),
    }
}

/// Each once, as the handlers can look them up: header names in lower case.
fn places<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = Vec::new();
    for text in texts {
        let of = |place: &str| {
            let place = place.trim().trim_end_matches('?');
            if place.starts_with("header:") { place.to_ascii_lowercase() } else { place.to_owned() }
        };
        let places: Vec<String> = text.split(" + ").map(of).collect();
        let readable =
            |place: &String| place.starts_with("json:/") || (place.starts_with("header:") && !place.contains('*'));
        let is_shared = places.first().is_some_and(|first| SHARED.contains(&&**first));
        if !is_shared && places.iter().all(readable) && !all.contains(&places) {
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

    /// A comment beside the places of the object's id, where none is known.
    pub fn unknown_object(&self, mark: &str) -> String {
        if self.object_places.is_empty() {
            format!(
                "{mark}Until a place stands here that names the thing itself, each event counts as one of its own.\n"
            )
        } else {
            String::new()
        }
    }

    /// Which of three its handlers call: to enqueue, to do so for the newest state alone, to keep the newest.
    pub fn calls<'n>(&self, names: [&'n str; 3]) -> Vec<&'n str> {
        let (follows, each) = self.by_state();
        let called = [!each.is_empty(), !follows.is_empty(), self.keeps];
        names.into_iter().zip(called).filter_map(|(name, is_called)| is_called.then_some(name)).collect()
    }

    /// Effects as the handlers decide them, one after the other.
    pub fn in_order(&self) -> Vec<Outside> {
        let (follows, each) = self.by_state();
        [follows, each].concat()
    }

    /// An identifier, for a name begins with a letter: `standard_webhooks`.
    pub fn word(&self) -> String {
        self.name.replace('-', "_")
    }

    /// The same for the name of a file, with `_` behind what means something else to the language.
    pub fn module(&self, reserved: &[&str]) -> String {
        let word = self.word();
        if reserved.contains(&&*word) { format!("{word}_") } else { word }
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use hookhaven_core::senders;

    use super::*;
    use crate::intake::{self, Given};

    #[test]
    fn what_is_shared_is_what_senders_order_by() {
        let known: Vec<&str> =
            senders::names().filter_map(senders::find).flat_map(|sender| sender.order_key).copied().collect();
        for shared in SHARED {
            let begins = |place: &&str| place.split(" + ").next() == Some(shared);
            assert!(known.iter().any(begins), "{shared}: no sender has it");
        }
    }

    /// Ordered by the customer, a subscription is still a thing of its own.
    #[test]
    fn what_deliveries_are_ordered_by_is_not_what_an_event_is_about() {
        let text = include_str!("../../tests/intakes/skeletons.toml");
        let given = Given::default();
        let mut intake = intake::read(Path::new("skeletons.toml"), text, &given).intake.expect("a whole intake");
        let places = |sender: &SenderAnswers| object_places(sender).concat();
        intake.senders[0].ordering.all.key = Some("json:/data/object/customer".to_owned());
        assert_eq!(places(&intake.senders[0]), ["json:/data/object/id"]);
        assert_eq!(places(&intake.senders[2]), [""; 0], "a channel is no thing");
        // Of a sender that nobody knows, what the team orders by is all there is.
        intake.senders[0].sender = None;
        intake.senders[0].ordering.all.key = Some("header:X-Order + json:/part?".to_owned());
        assert_eq!(places(&intake.senders[0]), ["header:x-order", "json:/part"]);
    }
}
